"""What a message of the ERP asks of a line, and what is said to it."""

from __future__ import annotations

import msgspec

from onhand.core.erp.lines import AdjustmentSource, Dimensions, Event, Figures, Line, Reservation
from onhand.core.erp.parameters import BlockLevel, LineKind, Parameters
from onhand.core.erp.statuses import Status
from onhand.core.outcomes import Rejected


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What all messages share."""

    id: str
    """Repeated with the same fingerprint it is answered and has no effect."""
    fingerprint: int = 0
    line_id: str
    source: str = ""
    sequence: int | None = None
    caller: str = ""


class LineAsked(Message, frozen=True, kw_only=True):
    """Open a line, or change one: its quantity, where it stands, what it was reserved with."""

    order_id: str = ""
    kind: LineKind = "salesOrder"
    organization: str
    product: str
    dimensions: Dimensions
    quantity: int
    """Scaled, above zero; what the line has from now on."""
    status: Status | None = None
    """Where a new line begins; None: on order."""
    transaction: str = ""
    reservation: Reservation = msgspec.field(default_factory=Reservation)
    block_level: BlockLevel | None = None
    release_on_cancel: bool | None = None
    adjustment: AdjustmentSource | None = None
    figures: Figures | None = None


class MoveAsked(Message, frozen=True, kw_only=True):
    """Move a quantity of a line to a status."""

    to: Status
    origin: Status | None = None
    """None: whatever stands before it, the nearest status first."""
    transaction: str = ""
    """Empty: of all transactions."""
    new_transaction: str = ""
    """Id of what is split off."""
    quantity: int | None = None
    """Scaled; None: all of it."""
    dimensions: Dimensions = {}
    """What the ERP knows more precisely now, such as the batch."""
    figures: Figures | None = None


class Spoiled(Message, frozen=True, kw_only=True):
    """A message that cannot be understood. It uses its number up like any other that is refused."""

    why: Rejected


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a message is decided under."""

    parameters: Parameters
    reservations_enabled: bool
    now: int


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message."""

    line: Line
    event: Event | None = None
    """None: no figure and no offset came of it."""
    changed: bool = True
    """False: the line was as asked already, or the message came before."""
    replayed: bool = False
    warnings: tuple[str, ...] = ()
