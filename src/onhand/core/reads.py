"""What a batch must lock and read.

Whatever is accepted and refused, the snapshot must suffice. The argument, by what is written:

- A level is written absolutely, so it must have been read: each command names its position (and the cell above
  it, whose `finer` follows), a hold brings its position and cell, and due holds are always read with theirs.
- A checked reservation needs all cells of its place. Whatever else the batch changes there is read as above.
- A draw by owner takes oldest holds first, at most its own quantity. Of one (position, measure, owner) the draws
  of a batch take at most the sum of their quantities from stored holds. Holds that can shrink otherwise are those
  named by number and those due; the query does not count them, so those that are counted suffice. Holds that grow,
  open again or come to another owner are named by number too: they may join a pool, wherever their age puts them, and
  a draw that takes from them takes less from those counted. A clean-up, recalculation or wipe reads every hold it
  closes. A hold made in the batch is younger than all stored ones.
- The totals that a group asks for are sums over the cells of a place, which are read like those of a check.
- A refused command or group takes nothing, which only leaves more.
"""

from __future__ import annotations

from collections.abc import Sequence

from onhand.core.commands import (
    ANYONE,
    AnyCommand,
    AttachHold,
    ChangeOnHand,
    ClearReserved,
    ExtendHold,
    Group,
    LowerReserved,
    MarkHold,
    Offset,
    ReleaseDue,
    ReleaseHold,
    Reserve,
    Reverse,
    SetOnHand,
    SettleReserved,
    TopUpHold,
    Wipe,
    Work,
)
from onhand.core.keys import Position, ProductKey
from onhand.core.snapshot import CommandId, HoldQuery, Reads

Pool = tuple[ProductKey, str, int, str]


def reads(works: Sequence[Work]) -> Reads:
    """What must be locked and read so that `decide` can answer these works, whatever is accepted. O(commands)."""
    needed = Reads()
    draws: dict[Pool, int] = {}
    ids: dict[CommandId, None] = {}
    for work in works:
        if isinstance(work, Group):
            needed.documents.update(work.documents)
            needed.places.update(work.places)
            for command in work.commands:
                _add(needed, draws, ids, command)
        else:
            _add(needed, draws, ids, work)
    for product, _ in needed.places:  # a group may look at a product that no command names
        if product not in needed.products:
            needed.products[product] = (product.organization, product.product)
    needed.ids = list(ids)
    for (product, position, measure, owner), quantity in draws.items():
        needed.hold_queries[HoldQuery(product, position, measure, owner, quantity)] = None
    return needed


def _add(  # noqa: C901 - one case a command
    needed: Reads, draws: dict[Pool, int], ids: dict[CommandId, None], command: AnyCommand
) -> None:
    product = command.product
    if product not in needed.products:
        needed.products[product] = (command.organization_shown, command.product_shown)
    ids[product.environment, command.kind, command.id] = None
    match command:
        case Reserve():
            position = command.position
            if command.check:
                needed.places.add((product, position.place))
            if not command.check or position.cell != position.key:
                _position(needed, product, position)
        case ChangeOnHand() | SetOnHand():
            _position(needed, product, command.position)
        case ReleaseHold() | ExtendHold() | TopUpHold() | AttachHold() | MarkHold():
            needed.holds.add((product, command.hold))
        case Offset(hold=int(number)):
            _position(needed, product, command.position)
            needed.holds.add((product, number))
        case ReleaseDue():
            pass
        case LowerReserved():
            _position(needed, product, command.position)
        case ClearReserved() | SettleReserved():
            needed.records.add((product, None))
            needed.all_holds.add((product, None))
        case Wipe():
            needed.records.add((product, command.place))
            needed.all_holds.add((product, command.place))
        case _:
            _position(needed, product, command.position)
            owner = command.owner if isinstance(command, Reverse) else ANYONE
            pool = (product, command.position.key, command.measure, owner.key)
            draws[pool] = draws.get(pool, 0) + max(0, command.quantity)


def _position(needed: Reads, product: ProductKey, position: Position) -> None:
    needed.positions.add((product, position.key))
    if position.cell != position.key:
        needed.positions.add((product, position.cell))
