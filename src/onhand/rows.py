"""What the ports give and take: rows, filters and reports, without behaviour."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from onhand.core import documents, stock
from onhand.core.commands import Kind
from onhand.core.keys import Dimensions, ProductKey

StockRow = stock.StockRow
ProductStock = stock.ProductStock
DocumentRow = documents.DocumentRow


class BatchReport(msgspec.Struct, frozen=True):
    """One decided batch, or one that failed; made once per batch."""

    lane: int
    size: int
    """Submissions in the batch."""
    queued: int
    """Commands left in the lane."""
    waited_seconds: list[float]
    """Submission to answer of each submission, longest first."""
    gather_seconds: float
    decide_seconds: float
    commit_seconds: float
    events: dict[tuple[str, str, str], int]
    """(kind, outcome, reason) -> number of commands."""
    oversold: int = 0
    """Accepted commands that left less than nothing available where they were checked; always 0 (I1)."""


# Reading -----------------------------------------------------------------------------------------------------


class StockFilter(msgspec.Struct, frozen=True):
    """Which stock to read. None means no restriction; all texts are folded."""

    environment: int
    organizations: tuple[str, ...] | None
    products: tuple[str, ...] | None
    places: tuple[str, ...] | None
    """Place keys (`Position.place`)."""
    records: bool
    """Also read the records below the cells (lots, serial numbers, pallets …)."""


class HoldRow(msgspec.Struct, frozen=True, kw_only=True):
    """A hold as read for people."""

    id: str
    """External hold id."""
    organization: str
    product: str
    dimensions: Dimensions
    measure: int
    quantity: int
    remaining: int
    reference: str
    channel: str
    order: str
    caller: str
    expires_at: int | None
    created_at: int
    closed_at: int | None
    closed_by: Kind | None


class HoldFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which holds to list; None means no restriction."""

    environment: int
    organization: str | None = None
    product: str | None = None
    reference: str | None = None
    channel: str | None = None
    order: str | None = None
    """`Owner.order`."""
    open: bool | None = True


class MovementRow(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger row as read for people."""

    organization: str
    product: str
    sequence: int
    at: datetime
    dimensions: Dimensions
    measure: int
    delta: int
    level: int
    hold: str | None
    kind: Kind
    command_id: str
    caller: str
    reason: str


class RecentMovement(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger row as a comparison reads it."""

    product: ProductKey
    sequence: int
    at: int
    """Microseconds since 1970."""
    position: str
    """Position key."""
    measure: int
    delta: int
    level: int
    command_id: str
    caller: str


class RefusalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded refusal."""

    organization: str
    product: str
    at: datetime
    kind: Kind
    command_id: str
    caller: str
    channel: str
    dimensions: Dimensions
    measure: int
    requested: int
    available: int
    reason: str
    nodes: tuple[str, ...]


class ProductAudit(msgspec.Struct):
    """Everything `verify` needs of one product, read in one snapshot."""

    product: ProductKey
    version: int
    stock: dict[tuple[str, int], tuple[int, int, int]]
    """(position key, measure) -> (own, finer, held)."""
    cells: dict[str, str]
    """Position key -> cell key."""
    folded: dict[tuple[str, int], int]
    """Sum of the movements per (position key, measure)."""
    open_holds: dict[tuple[str, int], int]
    """Sum of what remains of open holds."""
    sequences: int
    """Number of movements; equals `version` when the ledger has no gap (while nothing was pruned)."""


class Page(msgspec.Struct):
    """One page of rows and the cursor of the next one."""

    rows: list[Any]
    next: str | None


# Catalogue: configuration, access, jobs ----------------------------------------------------------------------


class ConfigurationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an environment's configuration."""

    environment: int
    environment_id: str
    version: int
    document: dict[str, Any]
    switches: dict[str, Any]
    measures: dict[int, tuple[str, str]]
    applied_at: datetime
    applied_by: str
    reason: str


class ClientRow(msgspec.Struct, frozen=True, kw_only=True):
    """A client of the API."""

    client_id: str
    secret_hash: str
    environments: tuple[str, ...]
    """Environment ids; ("*",) means all."""
    scopes: tuple[str, ...]
    disabled: bool


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that signs tokens until `retires_at` and verifies them until `expires_at`."""

    key_id: str
    jwk: dict[str, Any]
    created_at: datetime
    retires_at: datetime
    expires_at: datetime


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A long-running job."""

    job_id: str
    environment: int
    kind: str
    parameters: dict[str, Any]
    status: str
    """Queued, Running, Succeeded or Failed."""
    progress: int
    message: str
