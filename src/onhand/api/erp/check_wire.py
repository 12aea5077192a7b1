"""Bodies of consistency checks. Quantities are exact decimals, times RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.compat.wire import Numbers
from onhand.api.native.wire import Answer, Quantity, Request
from onhand.core.erp.checks import Covers
from onhand.core.erp.comparing import DifferenceClass


class CheckRequest(Request, kw_only=True):
    """Open a check of a data source."""

    source: str
    covers: Covers = "everything"
    """What is not among the figures: `everything` and `products`: nothing is there (in the organizations, or in the products,
    that they name); `records`: nothing is said about it."""
    taken_at: datetime | None = None
    """When the source took its figures, within the last seven days; default: now."""


class CheckRecord(Request, kw_only=True):
    """What the source says of one record."""

    organization_id: str
    product_id: str
    dimensions: dict[str, str] = msgspec.field(default_factory=dict)
    dimension_data_source: str | None = None
    quantities: Numbers


class CheckFiguresRequest(Request, kw_only=True):
    """A part of the figures."""

    records: list[CheckRecord]


class CheckAnswer(Answer, kw_only=True):
    """A check."""

    check_id: str
    source: str
    state: str
    """collecting, comparing, ready, applying or done."""
    progress: int
    """Percent of the work that the state names."""
    covers: str
    taken_at: datetime
    opened_at: datetime
    opened_by: str
    parts: int
    records: int
    measures: list[str]
    products: int
    """Compared so far."""
    differences: int
    found: dict[str, int]
    """Class -> differences."""
    moving: int
    """Differences whose record moved while the figures were on their way."""
    applied: dict[str, int]
    settled: int
    """What was missing came before it was corrected."""
    refused: int
    approved_by: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class CheckPage(Answer, kw_only=True):
    """Newest first."""

    items: list[CheckAnswer]
    next: str | None = None


class CheckChange(Answer, kw_only=True):
    """One measure of one record."""

    dimensions: dict[str, str]
    measure: str
    theirs: Quantity
    ours: Quantity
    correction: Quantity
    """What is added to the record."""


class CheckFinding(Answer, kw_only=True):
    """Something that differs, with the changes that correct it together."""

    finding_id: str
    difference: str
    """missedEvent, doublePost, wrongDimension, onlyHere or onlyThere."""
    state: str
    """proposed, applied, settled or refused."""
    moving: bool
    organization_id: str
    product_id: str
    changes: list[CheckChange]
    evidence: list[str]
    """Ids of the events that probably caused it."""
    note: str | UnsetType = UNSET


class CheckFindingPage(Answer, kw_only=True):
    """In the order they were found; `limit` counts products."""

    items: list[CheckFinding]
    next: str | None = None


class CheckApprovalRequest(Request, kw_only=True):
    """Approve corrections; with neither classes nor findings all of them."""

    reason: str
    classes: list[DifferenceClass] = msgspec.field(default_factory=list)
    findings: list[str] = msgspec.field(default_factory=list)
    moving: bool = False
    """Also those whose record moved while the figures were on their way."""
