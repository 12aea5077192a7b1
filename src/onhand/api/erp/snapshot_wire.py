"""Bodies of snapshots: absolute figures of the ERP, and what they contain."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.compat.wire import Numbers
from onhand.api.erp.wire import ErpMessageRequest, ErpOffsetState
from onhand.api.native.wire import Answer, Quantity, Request


class ErpRecord(Request, kw_only=True):
    """Absolute figures of one record of the ERP."""

    organization_id: str
    product_id: str
    dimensions: dict[str, str] = msgspec.field(default_factory=dict)
    dimension_data_source: str | None = None
    quantities: Numbers
    """Measures of `fno`; those that are not named stay as they are."""


class ErpContains(Request, kw_only=True):
    """What the figures of a snapshot contain already."""

    lines: list[str] = msgspec.field(default_factory=list)
    """Known lines, with everything that was told of them."""
    messages: list[ErpMessageRequest] = msgspec.field(default_factory=list)
    """Lines and moves that the snapshot tells itself."""
    source: str = ""
    up_to_sequence: int | None = None
    """All messages of the source up to this number."""


class ErpProduct(Request, kw_only=True):
    """A product of an organization."""

    organization_id: str
    product_id: str


class ErpSnapshotRequest(Request, kw_only=True):
    """Absolute figures, and what they contain: the reservations of what is inside are offset, none twice."""

    id: str
    """A repeated snapshot is a replay."""
    records: list[ErpRecord]
    contains: ErpContains = msgspec.field(default_factory=ErpContains)
    complete: bool = False
    """Records of these products that are not named are zero (resync)."""
    emptied: list[ErpProduct] = msgspec.field(default_factory=list)
    """Products of which the ERP has no record."""
    preview: bool = False
    """Change nothing, say what would change."""


class ErpSnapshotChange(Answer, kw_only=True):
    """A figure that would change."""

    dimensions: dict[str, str]
    measure: str
    stored: Quantity
    becomes: Quantity


class ErpSnapshotLine(Answer, kw_only=True):
    """A line that was inside and had waited."""

    line_id: str
    state: str
    offsets: list[ErpOffsetState]


class ErpSnapshotResult(Answer, kw_only=True):
    """What became of one product of a snapshot; each is all or nothing."""

    organization_id: str
    product_id: str
    accepted: bool
    replayed: bool = False
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    lines: list[ErpSnapshotLine] = msgspec.field(default_factory=list)
    changes: list[ErpSnapshotChange] = msgspec.field(default_factory=list)
    """Of a preview."""


class ErpProductAnswer(Answer, kw_only=True):
    """A product with figures of the ERP."""

    organization_id: str
    product_id: str


class ErpProductPage(Answer, kw_only=True):
    """In the order of an internal key; a page may be short, go on while there is `next`."""

    items: list[ErpProductAnswer]
    next: str | None = None


class ErpSnapshotAnswer(Answer, kw_only=True):
    """One result per product."""

    results: list[ErpSnapshotResult]
