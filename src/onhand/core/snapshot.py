"""What a batch reads and what it writes: the contract between `decide` and the store.

`Reads` says what to lock and fetch, `Snapshot` is what was found under the locks, `Decision` is what is to be
written. All quantities are scaled integers, all times microseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from onhand.core.commands import Document, DocumentKey, DocumentWrite, Kind, Owner
from onhand.core.keys import Position, ProductKey
from onhand.core.outcomes import Accepted, GroupOutcome, Outcome, Reason

CommandId = tuple[int, Kind, str]
"""(environment, kind, id)."""


class HoldQuery(msgspec.Struct, frozen=True):
    """Open holds to read, oldest first, until their remaining quantities reach `quantity`.

    Due holds and holds that `Reads.holds` asks for do not count towards the quantity: the batch may close them
    otherwise, and what is drawn must still be covered by those that are left.
    """

    product: ProductKey
    position: str
    measure: int
    owner: str
    """`Owner.key`."""
    quantity: int


@dataclass(slots=True)
class Reads:
    """What a batch needs. The store locks documents, then products, each in ascending order, then reads."""

    products: dict[ProductKey, tuple[str, str]] = field(default_factory=dict)
    """Product -> (organization, product) as shown; a missing product row is created."""
    places: set[tuple[ProductKey, str]] = field(default_factory=set)
    """Read all cells of these places, with their stock."""
    whole: set[ProductKey] = field(default_factory=set)
    """Read all cells of all places."""
    positions: set[tuple[ProductKey, str]] = field(default_factory=set)
    """Read these positions and their stock, cells or not."""
    holds: set[tuple[ProductKey, int]] = field(default_factory=set)
    """Read these holds by number, open or closed, with the stock of their position, of its cell and of its place."""
    hold_queries: dict[HoldQuery, None] = field(default_factory=dict)
    all_holds: set[tuple[ProductKey, str | None]] = field(default_factory=set)
    """Read every open hold of the product (at one place, or at all); for clean-up and wipe only."""
    records: set[tuple[ProductKey, str | None]] = field(default_factory=set)
    """Read every position, cell or not, with its stock (at one place, or at all); for clean-up and wipe only."""
    ids: list[CommandId] = field(default_factory=list)
    documents: set[DocumentKey] = field(default_factory=set)


@dataclass(slots=True)
class Level:
    """Stock of one measure at one position."""

    own: int = 0
    """Quantity of the record with exactly these dimensions; equals the fold of its movements (I3)."""
    finer: int = 0
    """Cells only: sum over the records below that name further dimensions. A projection; it has no movements."""
    held: int = 0
    """Part of `own` that open holds account for; `own - held` is the unattributed balance (I2)."""


@dataclass(slots=True)
class PositionState:
    """A stored position."""

    number: int
    key: str
    place: str
    cell: str
    set_at: int | None = None
    """Latest `modified_at` of a set-on-hand."""


@dataclass(slots=True)
class HoldState:
    """A stored hold."""

    number: int
    position: str
    measure: int
    quantity: int
    """As first reserved."""
    remaining: int
    owner: str = ""
    expires_at: int | None = None
    created_at: int = 0
    counted: bool = True
    """Whether the order it belongs to is open (decisions 28); only a recalculation looks at it."""


@dataclass(slots=True)
class ProductState:
    """What is known of one product under its lock."""

    product_id: int
    version: int
    """Number of the last movement; the next one is `version + 1`."""
    next_position: int
    next_hold: int
    positions: dict[str, PositionState] = field(default_factory=dict)
    stock: dict[tuple[str, int], Level] = field(default_factory=dict)
    """(position key, measure id) -> level. A missing key was never stored."""
    holds: dict[int, HoldState] = field(default_factory=dict)
    """Those asked for, and always every hold that is due (`expires_at <= now`) and still open, with the stock of
    its position and of its cell."""
    next_due: int | None = None
    """When the first open hold lapses; None: none does. Only `Unit.look` says so."""


class Seen(msgspec.Struct, frozen=True):
    """An accepted command id."""

    fingerprint: int
    accepted: Accepted


@dataclass(slots=True)
class Snapshot:
    """What the store found, all of it read after the locks were taken."""

    configuration: dict[int, int] = field(default_factory=dict)
    """Environment -> version of its configuration, fenced until the commit."""
    products: dict[ProductKey, ProductState] = field(default_factory=dict)
    ids: dict[CommandId, Seen] = field(default_factory=dict)
    documents: dict[DocumentKey, Document] = field(default_factory=dict)


class Movement(msgspec.Struct, frozen=True):
    """One row of the ledger: one change of one measure at one position (I5).

    Or the trace of an accepted command that changed no quantity: a delta of zero.
    """

    product: ProductKey
    sequence: int
    """Gap-free per product."""
    position: int
    """Number of the position."""
    measure: int
    delta: int
    level: int
    """`Level.own` after the change."""
    kind: Kind
    command_id: str
    caller: str
    hold: int | None = None
    reason: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """A business refusal with the numbers that were seen."""

    product: ProductKey
    kind: Kind
    command_id: str
    caller: str
    channel: str
    position: str
    measure: int
    requested: int
    available: int
    reason: Reason
    nodes: tuple[str, ...] = ()


class NewHold(msgspec.Struct, frozen=True):
    """A hold to insert. `remaining` is what is left at the end of the batch (0: already closed)."""

    product: ProductKey
    number: int
    position: int
    place: str
    measure: int
    quantity: int
    remaining: int
    reference: str
    channel: str
    order: str
    owner: str
    expires_at: int | None
    caller: str
    command_id: str
    closed_by: Kind | None = None
    counted: bool = True


class HoldTerms(msgspec.Struct, frozen=True):
    """New quantity, owner and mark of a stored hold; what remains of it is a `HoldChange`."""

    product: ProductKey
    number: int
    quantity: int
    owner: Owner
    counted: bool


class HoldChange(msgspec.Struct, frozen=True):
    """New state of a stored hold."""

    product: ProductKey
    number: int
    remaining: int
    expires_at: int | None
    closed_by: Kind | None
    """Kind that took the last of it; None while open."""


class NewPosition(msgspec.Struct, frozen=True):
    """A position to insert."""

    product: ProductKey
    number: int
    position: Position


class LevelChange(msgspec.Struct, frozen=True):
    """Absolute new level of a measure at a position; written by upsert."""

    product: ProductKey
    position: int
    measure: int
    own: int
    finer: int
    held: int
    key: str
    """Of the position."""
    stored: bool
    """Whether the row was read; otherwise it is the first of its kind."""


class ProductChange(msgspec.Struct, frozen=True):
    """New counters of a product row."""

    product: ProductKey
    version: int
    next_position: int
    next_hold: int


class NewId(msgspec.Struct, frozen=True):
    """An accepted command id to insert. A wipe finds it through the movements of the product."""

    environment: int
    kind: Kind
    id: str
    fingerprint: int
    accepted: Accepted


@dataclass(slots=True)
class Decision:
    """What a batch decided. Lists are in the order of decision; nothing here depends on the clock but `now`."""

    now: int
    outcomes: list[Outcome | GroupOutcome] = field(default_factory=list)
    """One per submitted work, in order."""
    products: list[ProductChange] = field(default_factory=list)
    positions: list[NewPosition] = field(default_factory=list)
    levels: list[LevelChange] = field(default_factory=list)
    set_at: list[tuple[ProductKey, int, int]] = field(default_factory=list)
    """(product, position number, time) of set-on-hand; the time 0 forgets it after a wipe."""
    new_holds: list[NewHold] = field(default_factory=list)
    terms: list[HoldTerms] = field(default_factory=list)
    holds: list[HoldChange] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)
    ids: list[NewId] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    documents: list[DocumentWrite] = field(default_factory=list)
    """In order; a document that two groups of the batch write stands here twice, its versions one apart."""
    wipes: list[tuple[ProductKey, str]] = field(default_factory=list)
    """(product, place): delete stock rows, and the command ids of its stored movements; close nothing else.

    Applied before the rest of the decision: `levels` and `ids` hold what came after the wipe.
    """

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return bool(
            self.products
            or self.levels
            or self.terms
            or self.holds
            or self.ids
            or self.refusals
            or self.documents
            or self.wipes
            or self.positions
        )
