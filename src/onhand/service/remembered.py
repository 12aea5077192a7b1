"""Products as this process last saw or left them: what a batch may be decided on before the database is asked (ADR 27).

Nothing here is true; it is what was true after the last commit that this process made. Whatever is decided on it stands
only if the database finds, under its locks, every product at the version that is remembered here. So nothing has to be
told to anybody when a product changes: whoever remembers an old version is refused once, forgets it and reads again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from onhand.core.keys import ProductKey
from onhand.core.snapshot import Decision, Level, ProductState

CELLS_MAX = 256
"""Cells of a product that is remembered; one with more is read each time."""


class Memory:
    """A product as it was left."""

    __slots__ = ("configuration", "places", "state")

    def __init__(self, state: ProductState, configuration: int, places: tuple[str, ...]) -> None:
        self.state = state
        self.configuration = configuration
        """Version of the configuration under which it was so: another one may cut cells otherwise."""
        self.places = places
        """Those whose cells are all in the state."""

    def holds_at(self, place: str, configuration: int, now: int) -> bool:
        """Whether a reservation at the place can be decided on it: no hold is due, all cells are here."""
        return self.configuration == configuration and place in self.places and not self.lapses_by(now)

    def lapses_by(self, now: int) -> bool:
        """Whether a hold is due, so that the product has to be locked first."""
        due = self.state.next_due
        return due is not None and due <= now


class Remembered:
    """Products up to a number of cells; those that changed longest ago are forgotten first."""

    def __init__(self, cells_max: int) -> None:
        self._cells_max = cells_max
        self._cells = 0
        self._products: OrderedDict[ProductKey, Memory] = OrderedDict()

    def recall(self, product: ProductKey) -> Memory | None:
        """The product as it was left."""
        return self._products.get(product)

    def keep(self, product: ProductKey, memory: Memory) -> None:
        """Remember a product in place of what was remembered of it."""
        products = self._products
        if products.get(product) is memory:
            products.move_to_end(product)
            return
        before = products.pop(product, None)
        if before is not None:
            self._cells -= _weight(before)
        if len(memory.state.positions) > CELLS_MAX:
            return
        products[product] = memory
        self._cells += _weight(memory)
        while self._cells > self._cells_max:
            _, oldest = products.popitem(last=False)
            self._cells -= _weight(oldest)

    def clear(self) -> None:
        """Read everything anew."""
        self._products.clear()
        self._cells = 0

    def forget(self, products: Iterable[ProductKey]) -> None:
        """Read these anew when they are asked for."""
        for product in products:
            before = self._products.pop(product, None)
            if before is not None:
                self._cells -= _weight(before)


def follow(states: Mapping[ProductKey, ProductState], decision: Decision) -> None:
    """Bring states to where a decision that only takes reservations left them.

    The version comes last: what is only half done is of an old version, and refused.
    """
    for level in decision.levels:
        states[level.product].stock[level.key, level.measure] = Level(level.own, level.finer, level.held)
    for hold in decision.new_holds:
        if hold.expires_at is not None:
            state = states[hold.product]
            due = state.next_due
            state.next_due = hold.expires_at if due is None else min(due, hold.expires_at)
    for change in decision.products:
        state = states[change.product]
        state.next_hold = change.next_hold
        state.version = change.version


def _weight(memory: Memory) -> int:
    return max(1, len(memory.state.positions))
