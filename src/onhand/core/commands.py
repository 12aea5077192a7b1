"""What can be asked of the engine: every change of stock is one of these values.

A command is complete: names are resolved, quantities are scaled (`quantities.SCALE`), dimensions are mapped
and filtered. It holds no clock; lives relative to now (`lives_us`) are resolved by `decide`.

Idempotency: (environment, kind, id) names a command for ever within the retention (invariant I4). The
`fingerprint` is a 64-bit digest of what the caller asked, taken before anything of the configuration is
applied to it, so that an honest retry always has the same one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from onhand.core import documents
from onhand.core.keys import Position, ProductKey

if TYPE_CHECKING:
    from onhand.core.concluding import Concluded
    from onhand.core.outcomes import Rejected


class Kind(enum.IntEnum):
    """Event type of a command: the scope of its id (specification 2.4) and a column of the ledger."""

    CHANGE = 1
    SET = 2
    RESERVE = 3
    REVERSE = 4
    UNRESERVE = 5
    RELEASE = 6
    EXTEND = 7
    OFFSET = 8
    EXPIRE = 9
    CLEAR = 10
    WIPE = 11
    ERP = 12
    TOP_UP = 13
    ATTACH = 14
    MARK = 15
    LOWER = 16
    SETTLE = 17


class Owner(msgspec.Struct, frozen=True):
    """Who a hold belongs to. The empty owner is the shared pool that `Unreserve` draws from."""

    reference: str = ""
    channel: str = ""
    order: str = ""
    """Key of an order line once the workflow attached the hold; such a hold moves only by its hold id."""

    @property
    def key(self) -> str:
        """One text for the index; empty for the shared pool."""
        if not (self.reference or self.channel or self.order):
            return ""
        return f"{self.reference}\x1f{self.channel}\x1f{self.order}"

    @classmethod
    def of(cls, key: str) -> Owner:
        """The owner that a `key` stands for."""
        reference, channel, order = (*key.split("\x1f", 2), "", "")[:3]
        return cls(reference, channel, order)


ANYONE = Owner()
DocumentKey = documents.DocumentKey
Document = documents.Document
DocumentWrite = documents.DocumentWrite


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What all commands share."""

    id: str
    """The caller's id of the event, or a generated one."""
    fingerprint: int = 0
    """Signed 64 bits."""
    caller: str
    """Client that asked; each movement names it."""
    product: ProductKey
    organization_shown: str = ""
    """The caller's spelling; stored when the product is new."""
    product_shown: str = ""


class ChangeOnHand(Command, frozen=True, kw_only=True):
    """Add each delta to its measure at the position, all or nothing."""

    kind: Kind = Kind.CHANGE
    """`CHANGE`, or `ERP` for the internal synchronisation, which has a scope of ids of its own."""
    position: Position
    changes: tuple[tuple[int, int], ...]
    """(measure id, scaled delta); distinct measures."""
    reason: str = ""


class SetOnHand(Command, frozen=True, kw_only=True):
    """Assign each value to its measure at the position; a time older than the stored one changes nothing."""

    position: Position
    values: tuple[tuple[int, int], ...]
    """(measure id, scaled value)."""
    modified_at: int | None = None
    """Microseconds since 1970, UTC."""
    reason: str = ""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.SET


class Reserve(Command, frozen=True, kw_only=True):
    """Take a soft reservation: a new hold of `quantity` on the measure at the position (a cell)."""

    position: Position
    measure: int
    quantity: int
    """Scaled, above zero."""
    check: bool = True
    """False: accept whatever is available."""
    expires_at: int | None = None
    """Microseconds since 1970."""
    lives_us: int | None = None
    """Life from the moment of the decision; used when `expires_at` is not given."""
    owner: Owner = ANYONE

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.RESERVE


class Reverse(Command, frozen=True, kw_only=True):
    """A reservation with a negative quantity: takes back what was reserved with the same information.

    Draws on the unattributed balance, then on holds of the same owner, oldest first; the rest makes the
    unattributed balance negative (switch `clampReserved` stops at zero).
    """

    position: Position
    measure: int
    quantity: int
    """Scaled, above zero: how much is taken back."""
    check: bool = False
    """True is refused (specification 3.2)."""
    owner: Owner = ANYONE

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.REVERSE


class Unreserve(Command, frozen=True, kw_only=True):
    """Release by the shared reservation id: unattributed balance first, then holds without owner, oldest first."""

    position: Position
    measure: int
    quantity: int
    """Scaled, above zero. What exceeds the reservation is reported, not an error."""
    reservation_id: str = ""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.UNRESERVE


class ReleaseHold(Command, frozen=True, kw_only=True):
    """Give one hold back, whole or in part."""

    hold: int
    """Number of the hold within its product."""
    quantity: int | None = None
    """Scaled; None releases what remains. More than remains is refused."""
    at_most: bool = False
    """True: what is asked for beyond what remains is reported, and a hold with nothing left is no refusal."""
    reason: str = ""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.RELEASE


class ExtendHold(Command, frozen=True, kw_only=True):
    """Move the expiry of an open hold; an expired hold is not revived."""

    hold: int
    expires_at: int | None = None
    """Microseconds since 1970; None with `lives_us` None makes the hold permanent."""
    lives_us: int | None = None

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.EXTEND


class Offset(Command, frozen=True, kw_only=True):
    """Consume a reservation because the goods moved: by hold, or by node like `Unreserve`.

    Consumes at most what remains; the surplus is reported in the outcome and nothing else is touched.
    """

    position: Position
    measure: int
    quantity: int
    """Scaled, above zero."""
    hold: int | None = None
    reservation_id: str = ""
    reason: str = ""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.OFFSET


class ReleaseDue(Command, frozen=True, kw_only=True):
    """Release the expired holds of the product now (the sweeper's command)."""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.EXPIRE


class ClearReserved(Command, frozen=True, kw_only=True):
    """Set the reserved measures of the whole product to zero and close their holds (clean-up job)."""

    measures: frozenset[int]
    reason: str = ""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.CLEAR


class Wipe(Command, frozen=True, kw_only=True):
    """Forget the product's stock, holds and command ids at one place (partition clean-up).

    It ends its batch, only further wipes may follow it: which stored ids it takes with it only the store can tell.
    """

    place: str
    reason: str = ""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.WIPE


class TopUpHold(Command, frozen=True, kw_only=True):
    """Add to a hold; one that was used up or has expired is opened again, and counts like a new one.

    A hold that belongs to an order loses its expiry; another one that has expired stays closed.
    """

    hold: int
    quantity: int
    """Scaled, above zero."""
    check: bool = False
    """True: only if it is available, as for a reservation at the node of the hold."""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.TOP_UP


class AttachHold(Command, frozen=True, kw_only=True):
    """Give an open hold to an order line, whole or in part; it no longer expires.

    The hold keeps its reference and channel where the new owner names none. In part, a new hold is split off.
    """

    hold: int
    owner: Owner
    """With an order."""
    quantity: int | None = None
    """Scaled; None attaches what remains. More than remains is refused."""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.ATTACH


class MarkHold(Command, frozen=True, kw_only=True):
    """Say whether the order of a hold is open, so that a recalculation keeps the hold (decisions 28)."""

    hold: int
    counted: bool

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.MARK


class LowerReserved(Command, frozen=True, kw_only=True):
    """Lower what is reserved at a position, at most to zero, without touching a hold (the unattributed balance)."""

    position: Position
    measure: int
    quantity: int
    """Scaled, above zero. What exceeds the reservation is reported."""
    unattributed: bool = False
    """True: at most what no hold accounts for."""
    reason: str = ""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.LOWER


class SettleReserved(Command, frozen=True, kw_only=True):
    """Recalculate what is reserved of the whole product: the sum of its open holds, and nothing else.

    Holds of orders that are not open are closed first, unattributed balances are set to zero.
    """

    measures: frozenset[int]
    reason: str = ""

    @property
    def kind(self) -> Kind:
        """Scope of the id."""
        return Kind.SETTLE


GroupMember = (
    ChangeOnHand
    | SetOnHand
    | Reserve
    | Reverse
    | Unreserve
    | ReleaseHold
    | ExtendHold
    | Offset
    | ReleaseDue
    | ClearReserved
    | TopUpHold
    | AttachHold
    | MarkHold
    | LowerReserved
    | SettleReserved
)

AnyCommand = GroupMember | Wipe


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Commands over several products, and documents, all accepted or none.

    Replayed members count as accepted and change nothing. A stale document version refuses the group. It may have
    documents alone.
    """

    commands: tuple[GroupMember, ...]
    documents: tuple[DocumentKey, ...] = ()
    """Locked and read with the rest. `finish` may write these, and new ones that nobody has to look at before."""
    places: tuple[tuple[ProductKey, str], ...] = ()
    """(product, place) whose totals `finish` asks for; their cells are read. A product that is new is made."""
    finish: Callable[[Concluded], Sequence[DocumentWrite] | Rejected] | None = None
    """Pure; called once all commands are accepted, inside the unit. A rejection refuses the whole group."""

    @property
    def products(self) -> list[ProductKey]:
        """The products of its commands and places, each once."""
        named = (command.product for command in self.commands)
        return list(dict.fromkeys([*named, *(product for product, _ in self.places)]))

    def __post_init__(self) -> None:
        """A wipe cannot be taken back, and ends its batch."""
        if any(isinstance(command, Wipe) for command in self.commands):
            raise ValueError("A wipe cannot be part of a group: submit it by itself.")


Work = AnyCommand | Group
"""What is submitted: one command or one group."""
