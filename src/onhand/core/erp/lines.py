"""An order line of the ERP as it is kept: its transactions, what waits for the synchronisation, its offsets, its history.

This is the body of a document of kind `erp-line`. Quantities are scaled integers, times microseconds since 1970,
dimensions base names with the values as they were spelled.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from onhand.core import keys
from onhand.core.commands import DocumentKey
from onhand.core.erp.parameters import BlockLevel, LineKind
from onhand.core.erp.statuses import RANK, Status

KIND: Final = "erp-line"

TRANSACTIONS_MAX: Final = 200
"""Transactions that a line splits into."""

HISTORY_MAX: Final = 100
"""Events that a line remembers after they were posted; the oldest are forgotten first."""

SEEN_MAX: Final = 200
"""Message ids that a line remembers, so that a repeated one is answered and has no effect."""

PENDING_MAX: Final = 500
"""Events of a line that may wait for the synchronisation."""

OFFSETS_MAX: Final = 500
"""Offsets that a line remembers; the oldest that are done with are forgotten first."""

REFUSED_HOLDS_MAX: Final = 20
"""Reservations of one offset whose reasons are kept; the offset says how many there were."""

FAILED: Final = ("failed", "partial")
"""States of an offset that is on the failed list."""

Dimensions = dict[str, str]
Figures = dict[str, int]
"""`source.measure` -> scaled change."""

OffsetState = Literal["pending", "done", "partial", "failed", "dismissed"]


class _Kept(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What all parts of the document share."""


class Reservation(_Kept):
    """What the line was reserved with, elsewhere."""

    hold_ids: tuple[str, ...] = ()
    """One or, for a line that stands for many reservations, several; offset in this order."""
    reservation_id: str = ""
    auto: bool = False
    """Item and dimensions of the line say which reservation it is."""
    external: bool = False
    """Reserved in another system: not to be reserved, reverted or changed from the ERP."""

    @property
    def given(self) -> bool:
        """Whether there is anything to offset."""
        return bool(self.hold_ids or self.reservation_id or self.auto)


class AdjustmentSource(_Kept):
    """The measure to which the same movement was posted before."""

    data_source: str
    physical_measure: str


class Transaction(_Kept, kw_only=True):
    """A part of the line's quantity with one status."""

    id: str
    status: Status
    quantity: int
    dimensions: Dimensions
    row: dict[str, int] = {}
    """What each unit of it has added to the figures, so that taking it away is exact whatever the parameters say now."""
    claimed: bool = False
    """Its offset was asked for. For good: neither a move back nor a cancellation clears it (I7)."""
    adjusted: bool = False
    """Its adjustment was offset, likewise once."""
    own_id: bool = False
    """The ERP gave the id; such a transaction is not merged with another."""


class Change(_Kept):
    """Changes of one record."""

    dimensions: Dimensions
    figures: Figures


class Event(_Kept):
    """What one message changed; posted as a whole."""

    number: int
    """Counts the events of the line from 1."""
    id: str
    """The message."""
    at: int
    what: str
    """In words, for people."""
    changes: list[Change] = []
    offsets: list[int] = []
    """Numbers of the offsets it asks for."""
    source: str = ""
    sequence: int | None = None
    """Number of the message in its source."""
    posted_at: int | None = None
    contained_in: str = ""
    """Snapshot that contained its changes, which were therefore not added."""


class SoftHold(_Kept):
    """A reservation that the ERP took for the line."""

    hold_id: str
    quantity: int
    """What of it was neither offset nor given back."""


class RefusedHold(_Kept):
    """One of several reservations that an offset names, which gave nothing."""

    hold_id: str
    code: str
    message: str
    reserved_node: str = ""


class Offset(_Kept):
    """A request to offset a reservation, and what became of it."""

    number: int
    """Counts the offsets of the line from 1."""
    event: int
    transaction: str
    quantity: int
    dimensions: Dimensions
    at: int
    release: bool = False
    """The quantity was cancelled; the reservation is given back."""
    holds: list[SoftHold] = []
    """The reservations that the ERP itself took for it; empty: those that the line was reserved with elsewhere."""
    state: OffsetState = "pending"
    consumed: int = 0
    attempts: int = 0
    code: str = ""
    message: str = ""
    line_node: str = ""
    """Where the line stands, and below where the reservation is: shown when they differ."""
    reserved_node: str = ""
    refused: list[RefusedHold] = []
    """Those of its reservations that were left out."""

    @property
    def missing(self) -> int:
        """What stands on the failed list."""
        return max(0, self.quantity - self.consumed) if self.state in FAILED else 0


class Soft(_Kept):
    """Soft reservation of the line by the ERP (specification 4.3)."""

    holds: list[SoftHold] = []
    requested: int = 0
    """Waits for the next synchronisation."""
    reverting: int = 0
    """Will be given back by the next synchronisation."""
    failed_shortage: int = 0
    failed_other: int = 0
    message: str = ""
    offset: int = 0
    """Offset, or asked to be."""
    skipped: int = 0
    """Reserved hard, or further, without a soft reservation."""
    attempt: int = 0

    @property
    def reserved(self) -> int:
        """What the line holds."""
        return sum(hold.quantity for hold in self.holds)


class Line(_Kept, kw_only=True):
    """One order line."""

    line_id: str
    order_id: str = ""
    kind: LineKind = "salesOrder"
    organization: str
    product: str
    dimensions: Dimensions
    reservation: Reservation = msgspec.field(default_factory=Reservation)
    block_level: BlockLevel | None = None
    release_on_cancel: bool | None = None
    adjustment: AdjustmentSource | None = None
    transactions: list[Transaction] = []
    pending: list[Event] = []
    offsets: list[Offset] = []
    history: list[Event] = []
    forgotten: int = 0
    """Number of the last event that the history no longer has."""
    forgotten_sequence: int = 0
    """Highest number that such an event had in its source."""
    seen: list[tuple[str, int]] = []
    """(message id, fingerprint), oldest first."""
    soft: Soft = msgspec.field(default_factory=Soft)
    source: str = ""
    sequence: int = 0
    """Number of the last message of its source."""
    next_event: int = 1
    next_transaction: int = 1
    due_at: int | None = None
    """When the synchronisation takes it up; None when it has nothing to do or is switched off."""
    refused: str = ""
    """Why the synchronisation could not post the line; empty when it could."""
    changed_by: str = ""

    @property
    def quantity(self) -> int:
        """What is on the line; cancelled quantities are not."""
        return sum(one.quantity for one in self.open)

    @property
    def open(self) -> list[Transaction]:
        """Transactions that are not cancelled."""
        return [one for one in self.transactions if one.status is not Status.CANCELLED]

    @property
    def state(self) -> str:
        """`failed` when somebody has to look at it, `pending` when the synchronisation will, else `settled`."""
        if self.refused or any(one.state in FAILED for one in self.offsets):
            return "failed"
        return "pending" if self.waits else "settled"

    @property
    def waits(self) -> bool:
        """Whether the synchronisation has something to do."""
        return bool(self.pending or self.soft.requested or self.soft.reverting) or any(
            one.state == "pending" for one in self.offsets
        )

    def offset(self, number: int) -> Offset | None:
        """One of its offsets."""
        return next((one for one in self.offsets if one.number == number), None)

    def where(self, offset: Offset) -> Dimensions:
        """Where the quantity of an offset stands now: its transaction, or the line when that was split or merged away."""
        parts = (one.dimensions for one in self.transactions if one.id == offset.transaction)
        return next(parts, self.dimensions)


_decoder = msgspec.json.Decoder(Line)
_encode = msgspec.json.Encoder().encode


def key(environment: int, line_id: str) -> DocumentKey:
    """Key of the line's document."""
    return DocumentKey(keys.shard(str(environment), "erp", line_id), environment, KIND, line_id)


def decode(body: bytes) -> Line:
    """The line in a document; a fresh copy."""
    return _decoder.decode(body)


def encode(line: Line) -> bytes:
    """Body of the line's document."""
    return _encode(line)


def label(name: str, value: str) -> str:
    """A fact that is compared without regard to case; what cannot be printed is left out of it."""
    return f"{name}={''.join(one for one in value.casefold() if one.isprintable())}"


def labels(line: Line) -> tuple[str, ...]:
    """What the line is searched by; values are folded."""
    found = [
        f"state={line.state}",
        label("organization", line.organization),
        label("product", line.product),
        *(
            f"status={status}"
            for status in sorted({one.status for one in line.transactions}, key=RANK.__getitem__)
        ),
        *(f"offset={state}" for state in sorted({one.state for one in line.offsets})),
    ]
    if line.order_id:
        found.append(label("order", line.order_id))
    told = {line.source, *(one.source for one in (*line.pending, *line.history))}
    found += sorted({label("source", one) for one in told if one})
    if line.waits:
        found.append("waits=yes")
    return tuple(found)
