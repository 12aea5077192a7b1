"""Bodies of the ERP side. Quantities are exact decimals, times RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.compat.wire import Numbers
from onhand.api.native.wire import Answer, Quantity, Request
from onhand.core.erp.parameters import BlockLevel, LineKind, Parameters
from onhand.core.erp.statuses import Status


class ErpLineRequest(Request, kw_only=True):
    """Open an order line, or say how it is now. A reservation is named by one of the three fields for it, or not at all."""

    order_id: str = ""
    kind: LineKind = "salesOrder"
    organization_id: str
    product_id: str
    dimensions: dict[str, str] = msgspec.field(default_factory=dict)
    dimension_data_source: str | None = None
    quantity: Decimal
    """What is on the line from now on; lowering it cancels the rest."""
    status: Status | None = None
    """Where a new line begins; default: on order."""
    transaction_id: str = ""
    reservation_id: str = ""
    hold_ids: list[str] = msgspec.field(default_factory=list)
    """Reservations that the line stands for, offset in this order."""
    inventory_service_auto_offset: bool = False
    """Item and dimensions of the line say which reservation it is."""
    is_soft_reserved_externally: bool = False
    """Reserved in another system: its reservation cannot be changed here."""
    block_level: BlockLevel | None = None
    release_on_cancel: bool | None = None
    offset_data_source: str = ""
    offset_physical_measure: str = ""
    """With `offsetDataSource`: the measure to which the same movement was posted before (adjustment offset)."""
    quantities: Numbers = msgspec.field(default_factory=dict)
    """The ERP's own figures, when the parameters say that they are supplied."""


class ErpMoveRequest(Request, kw_only=True):
    """Move a quantity of a line to a status."""

    to: Status
    origin: Status | None = msgspec.field(default=None, name="from")
    """Default: whatever stands before it, the nearest status first. A move back has to name it, or the transaction."""
    transaction_id: str = ""
    new_transaction_id: str = ""
    quantity: Decimal | None = None
    """Default: all of it."""
    dimensions: dict[str, str] = msgspec.field(default_factory=dict)
    """What the ERP knows more precisely now, such as the batch."""
    dimension_data_source: str | None = None
    quantities: Numbers = msgspec.field(default_factory=dict)


class ErpMessageRequest(Request, kw_only=True):
    """One message about a line: either the line or a move."""

    line_id: str
    id: str | None = None
    """Default: source and number, or a generated one."""
    sequence: int | None = None
    """Number within the source: 1, 2, 3 … without a gap."""
    line: ErpLineRequest | None = None
    move: ErpMoveRequest | None = None


class ErpMessagesRequest(Request, kw_only=True):
    """Messages, in order. With a source they are numbered, and a missing number refuses what follows it."""

    source: str = ""
    messages: list[ErpMessageRequest]


class ErpMessageResult(Answer, kw_only=True):
    """What became of a message."""

    line_id: str
    id: str
    sequence: int | UnsetType = UNSET
    accepted: bool
    changed: bool = False
    """False: it was so already, or the message came before."""
    replayed: bool = False
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    warnings: list[str] = msgspec.field(default_factory=list)


class ErpMessagesAnswer(Answer, kw_only=True):
    """One result per message, in order."""

    results: list[ErpMessageResult]


class ErpTransaction(Answer, kw_only=True):
    """A part of a line with one status."""

    id: str
    status: str
    quantity: Quantity
    dimensions: dict[str, str]
    offset_requested: bool
    """Its offset was asked for; that happens once."""


class ErpRefusedHold(Answer, kw_only=True):
    """A reservation that an offset names and that gave nothing."""

    hold_id: str
    code: str
    message: str
    reserved_node: dict[str, str] | UnsetType = UNSET


class ErpOffsetState(Answer, kw_only=True):
    """An offset of a line, and what became of it."""

    number: int
    state: str
    """pending, done, partial, failed or dismissed; partial and failed ones are on the failed list."""
    transaction_id: str
    quantity: Quantity
    consumed: Quantity
    missing: Quantity = 0
    """What the failed list has of it: asked for and not offset."""
    release: bool = False
    """The quantity was cancelled and its reservation given back."""
    dimensions: dict[str, str]
    attempts: int
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    line_node: dict[str, str] | UnsetType = UNSET
    reserved_node: dict[str, str] | UnsetType = UNSET
    """Where the reservation is; with `partial`, where what there was of it was."""
    refused_holds: list[ErpRefusedHold] = msgspec.field(default_factory=list)
    """Those of its reservations that gave nothing, with the reason of each; the first 20."""
    at: datetime


class ErpChange(Answer, kw_only=True):
    """Changes of one record."""

    dimensions: dict[str, str]
    quantities: dict[str, Quantity]


class ErpLineEvent(Answer, kw_only=True):
    """What one message changed."""

    number: int
    id: str
    at: datetime
    what: str
    changes: list[ErpChange]
    offsets: list[int]
    source: str | UnsetType = UNSET
    sequence: int | UnsetType = UNSET
    posted_at: datetime | UnsetType = UNSET
    contained_in: str | UnsetType = UNSET


class ErpBuckets(Answer, kw_only=True):
    """The line's quantity by what became of its soft reservation."""

    unreserved: Quantity
    reserved: Quantity
    batch_reserve_in_progress: Quantity
    direct_reserve_in_progress: Quantity
    """Always 0: a direct reservation is decided before it is answered."""
    failed_not_enough: Quantity
    failed_other: Quantity
    offset: Quantity
    pending_to_offset: Quantity
    """Went on without a soft reservation."""
    message: str = ""
    hold_ids: list[str] = msgspec.field(default_factory=list)


class ErpLineAnswer(Answer, kw_only=True):
    """An order line."""

    line_id: str
    version: int
    order_id: str
    kind: str
    state: str
    """settled, pending or failed."""
    organization_id: str
    product_id: str
    dimensions: dict[str, str]
    quantity: Quantity
    reservation_id: str
    hold_ids: list[str]
    inventory_service_auto_offset: bool
    is_soft_reserved_externally: bool
    transactions: list[ErpTransaction]
    offsets: list[ErpOffsetState]
    pending: list[ErpLineEvent]
    history: list[ErpLineEvent]
    soft_reservation: ErpBuckets
    refused: str | UnsetType = UNSET
    """Why the synchronisation could not post it."""
    due_at: datetime | UnsetType = UNSET
    source: str | UnsetType = UNSET
    sequence: int | UnsetType = UNSET


class ErpLinePage(Answer, kw_only=True):
    """Newest first; `next` is the cursor of the next page."""

    items: list[ErpLineAnswer]
    next: str | None = None


class ErpFailure(Answer, kw_only=True):
    """An entry of the failed list."""

    line_id: str
    order_id: str
    organization_id: str
    product_id: str
    refused: str | UnsetType = UNSET
    """Why the whole line could not be posted."""
    offset: ErpOffsetState | UnsetType = UNSET


class ErpFailures(Answer, kw_only=True):
    """Newest lines first."""

    items: list[ErpFailure]
    next: str | None = None


class ErpRetryRequest(Request, kw_only=True):
    """Try a failed offset again; without `offset` all of the line."""

    offset: int | None = None


class ErpDismissRequest(Request, kw_only=True):
    """Take a failed offset off the list; the reservation stays as it is."""

    offset: int
    reason: str = ""


class ErpSoftRequest(Request, kw_only=True):
    """Soft-reserve from the ERP, or revert that."""

    quantity: Decimal | None = None
    """Default: everything that is not reserved, or everything that is."""
    batch: bool = False
    """Leave it to the next synchronisation."""


class ErpOrderSoftRequest(Request, kw_only=True):
    """The same for all lines of an order."""

    batch: bool = False


class ErpSoftResult(Answer, kw_only=True):
    """What became of one line of an order."""

    line_id: str
    accepted: bool
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class ErpSoftAnswer(Answer, kw_only=True):
    """One result per line, newest line first."""

    results: list[ErpSoftResult]


class ErpRefused(Answer, kw_only=True):
    """A message of a source that was refused."""

    sequence: int
    line_id: str
    code: str
    message: str
    at: datetime


class ErpSourceAnswer(Answer, kw_only=True):
    """A source of messages."""

    source: str
    next: int
    """Number of the message that it has to send next."""
    missing: list[int] | UnsetType = UNSET
    """First and last number that are missing."""
    last_at: datetime | UnsetType = UNSET
    refused: list[ErpRefused]
    """The latest 100."""
    refused_forgotten: int = 0
    """Refused before those, and not remembered any more."""


class ErpSourcePage(Answer, kw_only=True):
    """Newest first."""

    items: list[ErpSourceAnswer]
    next: str | None = None


class ErpSourceRequest(Request, kw_only=True):
    """Let a source go on at another number; what it sent before that is taken for known."""

    next: int


class ErpRun(Answer, kw_only=True):
    """What a synchronisation did."""

    posted: int
    failed: int
    waiting: int
    """Lines that a fault left waiting."""


class ErpFinding(Answer, kw_only=True):
    """Something to know about the parameters."""

    path: str
    message: str
    severity: str


class ErpParametersAnswer(Answer, kw_only=True):
    """Parameters in force, and what the lint says about them."""

    version: int
    """0: the defaults, never saved."""
    parameters: Parameters
    findings: list[ErpFinding]
