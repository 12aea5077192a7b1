"""What a move would do, for a dry run: from the stock as it was read, with nothing locked and nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from onhand.core.orders.moves import (
    Applied,
    ItemRef,
    Move,
    Recalculate,
    Reduce,
    Release,
    Reserve,
    Restock,
    SetOutOfStock,
)
from onhand.core.orders.stocked import NOTHING_STOCKED, Stocked

ZERO = Decimal(0)


def simulated(move: Move, stock: Mapping[ItemRef, Stocked]) -> Applied:
    """The move as if it had been applied to this stock."""
    item = getattr(move, "item", None)
    stocked = stock.get(item, NOTHING_STOCKED) if isinstance(item, ItemRef) else NOTHING_STOCKED
    inventory, reserved = _changes(move, stocked)
    return Applied(
        move=move,
        inventory_change=inventory,
        reserved_change=reserved,
        new_inventory=stocked.inventory + inventory,
        new_reserved=stocked.reserved + reserved,
        already=isinstance(move, Recalculate),
    )


def _changes(move: Move, stocked: Stocked) -> tuple[Decimal, Decimal]:
    match move:
        case Reserve():
            return ZERO, move.quantity
        case Release():
            return ZERO, -min(move.quantity, max(ZERO, stocked.reserved))
        case Reduce():
            return -move.quantity, -min(move.reserved, max(ZERO, stocked.reserved))
        case Restock():
            return move.quantity, ZERO
        case SetOutOfStock():
            return -stocked.inventory, ZERO
        case _:
            return ZERO, ZERO
