"""What the `finish` of a group sees: outcomes, documents, totals and holds, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from onhand.core.commands import Document
from onhand.core.keys import ProductKey
from onhand.core.outcomes import Outcome
from onhand.core.snapshot import HoldState

Totals = Mapping[tuple[ProductKey, str], Mapping[int, int]]
"""(product, place) -> measure id -> sum over the cells of the place; a measure that was never stored is missing."""


class Concluded(msgspec.Struct, frozen=True):
    """What came of the commands of a group."""

    outcomes: Sequence[Outcome]
    """One per command, none of them a rejection."""
    documents: Sequence[Document]
    """In the order of `Group.documents`, as earlier groups of the batch left them."""
    now: int
    """Microseconds since 1970."""
    totals_before: Totals = {}
    totals_after: Totals = {}
    holds: Mapping[tuple[ProductKey, int], HoldState] = {}

    def before(self, product: ProductKey, place: str, measure: int) -> int:
        """Scaled total of a measure at a place when the group began: the sum over its cells, finer records included.

        Raises:
            LookupError: the place is not among `Group.places`.
        """
        return _total(self.totals_before, product, place, measure)

    def total(self, product: ProductKey, place: str, measure: int) -> int:
        """The same after the commands of the group.

        Raises:
            LookupError: the place is not among `Group.places`.
        """
        return _total(self.totals_after, product, place, measure)

    def hold(self, product: ProductKey, number: int) -> HoldState | None:
        """A hold that a command named or made, as it is after all of them.

        None for any other one, also for one that a replayed command made.
        """
        return self.holds.get((product, number))


def _total(totals: Totals, product: ProductKey, place: str, measure: int) -> int:
    measures = totals.get((product, place))
    if measures is None:
        raise LookupError(
            f"The totals of {product.product!r} at {place!r} were not asked for: add it to Group.places."
        )
    return measures.get(measure, 0)
