"""Availability as a plain sum, each reservation level for itself: the original's rule.

The sum of a node is taken once, over the cells in it, and then kept up to date by each change of a cell. The rule
of joint feasibility (`availability.Stand`) starts from the same sums.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from onhand.core.outcomes import Shortage

Cell = tuple[str, int, int]
"""(cell key, net stock, reserved at exactly this cell); scaled."""


@lru_cache(maxsize=10_000)
def parts(key: str) -> frozenset[str]:
    """The `name=value` parts of a position key; a node is coarser when its parts are a proper subset."""
    return frozenset(key.split("&")) if key else frozenset()


class View:
    """A node that was asked about, and its plain sum."""

    __slots__ = ("afr", "key", "parts", "supply")

    def __init__(self, key: str) -> None:
        self.key = key
        self.parts = parts(key)
        self.afr = 0
        self.supply: list[str] | None = None
        """Cells with positive net stock in the node; None until needed."""


class Plain:
    """Supply and reservations of one product at one place for one measure, each level for itself.

    This is the original's own rule (`reservationLevels=independent`). `node` is always a position key over the
    reservation dimensions. The constructor costs O(cells), the first question about a node too, a change O(nodes
    that were asked about and hold the cell).
    """

    def __init__(self, cells: Iterable[Cell], *, exact: bool = False) -> None:
        """`exact`: only the record with exactly the node's values counts (`afrAggregation=exactRecord`)."""
        self._net: dict[str, int] = {}
        self._reserved: dict[str, int] = {}
        for key, net, reserved in cells:
            self._net[key] = net
            self._reserved[key] = reserved
        self._views: dict[str, View] = {}
        self._over: dict[str, list[View]] = {}
        self._exact = exact

    def afr(self, node: str) -> int:
        """The plain sum over the cells in the node: net stock less reservations."""
        return (self._views.get(node) or self._view(node)).afr

    def available(self, node: str) -> int:
        """The largest quantity that a checked reservation at the node would be given; not above zero: none."""
        return self.afr(node)

    def available_on(self, cells: Collection[str]) -> int:
        """The same for any set of cells (specification 3.10.4); keys that are no cells count nothing."""
        return sum(self._net[key] - self._reserved[key] for key in cells if key in self._net)

    def shortage(self, node: str, quantity: int) -> Shortage | None:
        """None if `quantity` (above zero) can be reserved at the node, else how much could be and what limits it."""
        available = self.available(node)
        if quantity <= available:
            return None
        return Shortage(quantity, available, self.limiting(node))

    def limiting(self, node: str) -> tuple[str, ...]:
        """The nodes that limit what is available at the node, in the order of their keys."""
        return (node,)

    def too_complex(self) -> bool:
        """Whether demands cross and exceed the bound; then `available` is never above zero."""
        return False

    def reserve(self, node: str, quantity: int) -> None:
        """Take a reservation at the node, checked before or not; below zero gives one back."""
        self.move(node, 0, quantity)

    def move(self, cell: str, net: int, reserved: int) -> None:
        """Change the net stock and the reserved quantity of one cell, which may be new."""
        if cell in self._net:
            self._net[cell] += net
            self._reserved[cell] += reserved
        else:
            self._net[cell] = net
            self._reserved[cell] = reserved
            for view in self._views.values():
                if self._holds(view, cell):
                    self._over.setdefault(cell, []).append(view)
        for view in self._over.get(cell, ()):
            view.afr += net - reserved

    def _holds(self, view: View, cell: str) -> bool:
        return view.key == cell if self._exact else view.parts <= parts(cell)

    def _view(self, node: str) -> View:
        view = self._views[node] = View(node)
        reserved = self._reserved
        over = self._over
        total = 0
        for cell, net in self._net.items():
            if self._holds(view, cell):
                total += net - reserved[cell]
                over.setdefault(cell, []).append(view)
        view.afr = total
        return view
