"""A consistency check as it is kept: what was asked, the figures of the source, what differs, what was decided.

Three kinds of documents: the check itself; the figures of one product, until they are compared; what differs of one
product. Quantities are scaled integers, times microseconds since 1970, measures `source.measure`, dimensions base names
as they were spelled.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

import msgspec

from onhand.core import keys
from onhand.core.commands import DocumentKey, DocumentWrite
from onhand.core.erp.comparing import CLASSES, DifferenceClass
from onhand.core.keys import ProductKey

CHECK: Final = "erp-check"
FIGURES: Final = "erp-check-figures"
FINDINGS: Final = "erp-check-findings"

PARTS_MAX: Final = 10_000
"""Parts of the figures."""

MEASURES_MAX: Final = 50
ORGANIZATIONS_MAX: Final = 1_000

FINDINGS_MAX: Final = 1_000
"""Findings that are kept of one product."""

Covers = Literal["everything", "products", "records"]
"""What figures that are not in the upload mean: nothing is there (in the organizations that it names; in the products
that it names), or nothing is said."""

CheckState = Literal["collecting", "comparing", "ready", "applying", "done"]
FindingState = Literal["proposed", "applied", "settled", "refused"]


class _Kept(msgspec.Struct, rename="camel", omit_defaults=True):
    """What all documents share."""


class Approval(_Kept, kw_only=True):
    """Which proposals may be applied; with nothing named all of them."""

    by: str
    reason: str
    classes: tuple[DifferenceClass, ...] = ()
    findings: tuple[str, ...] = ()
    moving: bool = False
    """Also those whose record moved while the figures were on their way."""


class Check(_Kept, kw_only=True):
    """Body of a document of kind `erp-check`."""

    id: str
    source: str
    state: CheckState = "collecting"
    covers: Covers = "everything"
    taken_at: int
    opened_at: int
    opened_by: str
    parts: dict[str, tuple[int, int]] = {}
    """Part -> (records in it, digest)."""
    organizations: dict[str, str] = {}
    """Folded -> as spelled."""
    measures: list[str] = []
    compared_at: int | None = None
    after: tuple[int, str, str] | None = None
    """Key of the last product that was compared."""
    products: int = 0
    """Compared."""
    batches: int = 0
    """Documents of findings; each has one of these numbers."""
    found: dict[DifferenceClass, int] = {}
    applied: dict[DifferenceClass, int] = {}
    settled: int = 0
    """Findings whose missing event came before they were applied."""
    refused: int = 0
    moving: int = 0
    """Findings whose record moved meanwhile."""
    progress: int = 0
    """Percent of the work that its state names."""
    approval: Approval | None = None
    message: str = ""

    @property
    def records(self) -> int:
        """Records of the source."""
        return sum(records for records, _ in self.parts.values())

    @property
    def differences(self) -> int:
        """Findings."""
        return sum(self.found.values())


class Record(_Kept, kw_only=True):
    """What the source says of one record."""

    at: dict[str, str]
    values: dict[str, int]
    """Measure -> value; records of the source that are one record here are added up."""


class Figures(_Kept, kw_only=True):
    """Body of a document of kind `erp-check-figures`: one product."""

    check: str
    organization: str
    product: str
    key: tuple[int, str, str]
    """Shard key and folded names."""
    records: dict[str, Record] = {}
    """Position key -> record."""


class SpotChange(_Kept, kw_only=True):
    """A correction of one measure at one record."""

    at: dict[str, str]
    measure: str
    theirs: int
    ours: int

    @property
    def quantity(self) -> int:
        """What is added to the record."""
        return self.theirs - self.ours


class KeptFinding(_Kept, kw_only=True):
    """One finding and what became of it."""

    id: str
    kind: DifferenceClass
    changes: list[SpotChange]
    evidence: tuple[str, ...] = ()
    moving: bool = False
    state: FindingState = "proposed"
    note: str = ""
    decided_at: int | None = None


class Findings(_Kept, kw_only=True):
    """Body of a document of kind `erp-check-findings`: one product."""

    check: str
    number: int
    organization: str
    product: str
    key: tuple[int, str, str]
    findings: list[KeptFinding]
    looked_at: int
    seen: int = 0
    """Sequence number of the newest movement that was looked at."""
    left_out: int = 0
    """Findings beyond those that are kept."""


_check = msgspec.json.Decoder(Check)
_figures = msgspec.json.Decoder(Figures)
_findings = msgspec.json.Decoder(Findings)
_encode = msgspec.json.Encoder().encode


def check_key(environment: int, check: str) -> DocumentKey:
    """Key of a check's document."""
    return DocumentKey(keys.shard(str(environment), "erp-check", check), environment, CHECK, check)


def figures_key(check: str, product: ProductKey) -> DocumentKey:
    """Key of the figures of one product; they live beside its stock."""
    name = f"{check}:{len(product.organization)}:{product.organization}:{product.product}"
    return DocumentKey(product.k, product.environment, FIGURES, name)


def findings_key(environment: int, check: str, number: int) -> DocumentKey:
    """Key of the findings of one product."""
    name = f"{check}:{number:09d}"
    return DocumentKey(keys.shard(str(environment), "erp-check", name), environment, FINDINGS, name)


def decode_check(body: bytes) -> Check:
    """A fresh copy."""
    return _check.decode(body)


def decode_figures(body: bytes) -> Figures:
    """A fresh copy."""
    return _figures.decode(body)


def decode_findings(body: bytes) -> Findings:
    """A fresh copy."""
    return _findings.decode(body)


def write_check(key: DocumentKey, version: int, check: Check, due_at: int | None) -> DocumentWrite:
    """The check as a document."""
    labels = (f"state={check.state}", f"source={check.source}")
    return DocumentWrite(key, version, _encode(check), labels, due_at)


def write_figures(key: DocumentKey, version: int, figures: Figures) -> DocumentWrite:
    """The figures as a document."""
    return DocumentWrite(key, version, _encode(figures), (f"check={figures.check}",))


def write_findings(key: DocumentKey, version: int, findings: Findings) -> DocumentWrite:
    """The findings as a document."""
    labels = [f"check={findings.check}", f"product={findings.product.casefold()}"]
    labels += [f"class={kind}" for kind in CLASSES if any(one.kind == kind for one in findings.findings)]
    labels += sorted({f"state={one.state}" for one in findings.findings})
    return DocumentWrite(key, version, _encode(findings), tuple(labels))


def counted(findings: list[KeptFinding]) -> Counter[DifferenceClass]:
    """Findings by class."""
    return Counter(one.kind for one in findings)


def approved(approval: Approval, one: KeptFinding) -> bool:
    """Whether a finding may be applied now."""
    if one.state not in ("proposed", "refused"):
        return False
    if approval.findings:
        return one.id in approval.findings
    return (not approval.classes or one.kind in approval.classes) and (approval.moving or not one.moving)
