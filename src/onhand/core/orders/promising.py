"""What is left to promise while lines are looked at one after the other.

Nothing is reserved here: it answers like a checked reservation would, and never promises a unit to two lines (D25).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from onhand.core.orders.moves import ZERO, ItemRef


def levels(item: ItemRef) -> Iterator[ItemRef]:
    """The item and the coarser ones that contain it: a promise lowers them all."""
    for virtual in {item.virtual, ""}:
        for dimensions in {item.dimensions, ()}:
            yield ItemRef(item.sku, item.warehouse, virtual, dimensions)


class Left:
    """What is available of each item, less what was promised since."""

    def __init__(self, available: Callable[[ItemRef], Decimal]) -> None:
        """`available` says what could be promised before anything was; it is asked once for an item."""
        self._available = available
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

    def put_back(self, item: ItemRef, quantity: Decimal) -> None:
        """Withdraw a promise."""
        for one in levels(item):
            self._left[one] = self._of(one) + quantity

    def _of(self, item: ItemRef) -> Decimal:
        found = self._left.get(item)
        return self._available(item) if found is None else found
