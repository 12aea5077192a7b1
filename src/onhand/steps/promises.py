"""What is left to promise while the lines of one order are looked at one after the other."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from onhand.core.orders.model import OrderLine, Shipment
from onhand.core.orders.moves import ZERO, ItemRef
from onhand.core.orders.promising import Left, levels
from onhand.steps import scope
from onhand.steps.contract import Facts


def available(facts: Facts, item: ItemRef) -> Decimal:
    """What a checked reservation could have; where reserved stock counts as available, not what the order itself holds."""
    found = facts.stocked(item)
    if not facts.inventory.is_available_inventory_ignoring_reserved:
        return found.available
    own = sum((row.remaining for row in facts.rows.values() if item in levels(scope.held_item(row))), ZERO)
    return found.inventory - own


class Promises(Left):
    """What is available of each item to the order, less what was promised since."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(partial(available, facts))
        self._facts = facts

    def cover(self, shipment: Shipment, line: OrderLine, item: ItemRef) -> bool:
        """Promise all that the line needs at the item beyond what it holds there, or nothing."""
        needed = missing(self._facts, shipment, line, item)
        if needed > self.left(item):
            return False
        self.take(item, needed)
        return True


def missing(facts: Facts, shipment: Shipment, line: OrderLine, item: ItemRef) -> Decimal:
    """What the line needs at the item beyond what it already holds there."""
    row = facts.row(shipment, line)
    held = row.remaining if row is not None and scope.held_item(row) == item else ZERO
    return max(ZERO, line.effective - held)
