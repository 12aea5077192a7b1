"""Refold the ledger and compare it with what is stored (`onhand verify`).

Each page of products is read in one snapshot, so that an audit of a busy environment compares values of the same
moment. It takes no locks and keeps one page in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from onhand.core.quantities import SCALE, to_text
from onhand.core.rules import Rules
from onhand.ports import Probe, Reader
from onhand.rows import ProductAudit
from onhand.service.environments import Environments


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One contradiction. Quantities are scaled."""

    invariant: str
    """I2 (holds), I3 (levels) or I5 (ledger)."""
    organization: str
    product: str
    position: str
    """Folded key; empty for a contradiction of the whole product."""
    source: str
    measure: str
    expected: int
    found: int
    message: str


class AuditReport(msgspec.Struct, kw_only=True):
    """What an audit found."""

    environment_id: str
    products: int = 0
    records: int = 0
    """Stock rows that were compared."""
    drifts: list[Drift] = []
    """The first `drifts_max`."""
    drift_count: int = 0
    units: int = 0
    """Sum of the absolute differences of quantities, scaled."""

    @property
    def clean(self) -> bool:
        """Whether nothing contradicts."""
        return self.drift_count == 0


Progress = Callable[[AuditReport], None]
"""Called after each page of products with the report so far."""


class Auditor:
    """Checks I2, I3, the projection onto cells and the gap-free ledger, page by page of products."""

    def __init__(
        self,
        reader: Reader,
        environments: Environments,
        *,
        probe: Probe,
        page: int = 200,
        drifts_max: int = 1_000,
    ) -> None:
        self._reader = reader
        self._environments = environments
        self._probe = probe
        self._page = page
        self._drifts_max = drifts_max

    async def audit(self, environment_id: str, on_progress: Progress | None = None) -> AuditReport:
        """Audit an environment while it serves. Two reads per page of products.

        Raises:
            UnknownEnvironment: no environment has this id.
        """
        rules = await self._environments.current(environment_id)
        report = AuditReport(environment_id=rules.environment_id)
        after = None
        while products := await self._reader.products(rules.environment, after, self._page):
            after = products[-1]
            for audited in await self._reader.audit(products):
                report.products += 1
                report.records += len(audited.stock)
                for drift in drifts(audited, rules):
                    report.drift_count += 1
                    if drift.invariant != "I5":
                        report.units += abs(drift.expected - drift.found)
                    if len(report.drifts) < self._drifts_max:
                        report.drifts.append(drift)
            if on_progress is not None:
                on_progress(report)
        self._probe.audit(rules.environment_id, report.units / SCALE, report.drift_count)
        return report


def drifts(audited: ProductAudit, rules: Rules) -> Iterator[Drift]:
    """All contradictions of one product."""
    below: dict[tuple[str, int], int] = {}
    for (position, measure), (own, _, _) in audited.stock.items():
        cell = audited.cells.get(position, position)
        if cell != position:
            below[cell, measure] = below.get((cell, measure), 0) + own

    keys = {**audited.stock, **audited.folded, **audited.open_holds, **below}
    for position, measure in sorted(keys):
        key = position, measure
        own, finer, held = audited.stock.get(key, (0, 0, 0))
        comparisons = (
            ("I3", "the level is not the sum of its movements", audited.folded.get(key, 0), own),
            ("I3", "the cell does not sum up the records below it", below.get(key, 0), finer),
            (
                "I2",
                "what is held is not what remains of the open holds",
                audited.open_holds.get(key, 0),
                held,
            ),
        )
        for invariant, what, expected, found in comparisons:
            if expected != found:
                yield _drift(audited, rules, key, invariant, what, expected, found)

    if audited.sequences != audited.version:
        yield Drift(
            invariant="I5",
            organization=audited.product.organization,
            product=audited.product.product,
            position="",
            source="",
            measure="",
            expected=audited.version,
            found=audited.sequences,
            message=f"The product counts {audited.version} movements, its ledger has {audited.sequences}.",
        )


def _drift(  # noqa: PLR0913 - the columns of one finding
    audited: ProductAudit,
    rules: Rules,
    key: tuple[str, int],
    invariant: str,
    what: str,
    expected: int,
    found: int,
) -> Drift:
    position, measure = key
    source, name = rules.names.get(measure, ("", f"measure {measure}"))
    return Drift(
        invariant=invariant,
        organization=audited.product.organization,
        product=audited.product.product,
        position=position,
        source=source,
        measure=name,
        expected=expected,
        found=found,
        message=(
            f"{audited.product.product} at {position or 'no dimensions'}, {source}.{name}: {what}; "
            f"expected {to_text(expected)}, found {to_text(found)}."
        ),
    )
