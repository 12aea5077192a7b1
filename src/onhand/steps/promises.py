"""What is left to promise while the lines of one order are looked at one after the other.

Nothing is reserved here: it answers like a checked reservation would, and never promises a unit to two lines (D25).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from onhand.core.orders.model import OrderLine, Shipment
from onhand.core.orders.moves import ZERO, ItemRef
from onhand.steps import scope
from onhand.steps.contract import Facts


def levels(item: ItemRef) -> Iterator[ItemRef]:
    """The item and the coarser ones that contain it: a promise lowers them all."""
    for virtual in {item.virtual, ""}:
        for dimensions in {item.dimensions, ()}:
            yield ItemRef(item.sku, item.warehouse, virtual, dimensions)


def available(facts: Facts, item: ItemRef) -> Decimal:
    """What a checked reservation could have; where reserved stock counts as available, not what the order itself holds."""
    found = facts.stocked(item)
    if not facts.inventory.is_available_inventory_ignoring_reserved:
        return found.available
    own = sum((row.remaining for row in facts.rows.values() if item in levels(scope.held_item(row))), ZERO)
    return found.inventory - own


class Promises:
    """What is available of each item, less what was promised since."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._left: dict[ItemRef, Decimal] = {}

    def left(self, item: ItemRef) -> Decimal:
        """What can still be promised; zero when nothing is known of the item."""
        return max(ZERO, min(self._of(one) for one in levels(item)))

    def take(self, item: ItemRef, quantity: Decimal) -> Decimal:
        """Promise up to the quantity; how much of it there was."""
        taken = min(self.left(item), max(ZERO, quantity))
        if taken > ZERO:
            for one in levels(item):
                self._left[one] = self._of(one) - taken
        return taken

    def cover(self, shipment: Shipment, line: OrderLine, item: ItemRef) -> bool:
        """Promise all that the line needs at the item beyond what it holds there, or nothing."""
        needed = missing(self._facts, shipment, line, item)
        if needed > self.left(item):
            return False
        self.take(item, needed)
        return True

    def _of(self, item: ItemRef) -> Decimal:
        found = self._left.get(item)
        return available(self._facts, item) if found is None else found


def missing(facts: Facts, shipment: Shipment, line: OrderLine, item: ItemRef) -> Decimal:
    """What the line needs at the item beyond what it already holds there."""
    row = facts.row(shipment, line)
    held = row.remaining if row is not None and scope.held_item(row) == item else ZERO
    return max(ZERO, line.effective - held)
