"""What is available for reservation when reservations name different sets of dimensions.

Theory of operation
-------------------
A reservation may name any subset of the reservation dimensions: two red ones of any size at 1/11 while somebody
else holds three small ones of any colour. A plain sum sees only part of the conflict, so the question is asked
of all reservations together: can every unit that is reserved still be given a unit of stock that lies where it
was reserved? (Specification 3.10; the marriage theorem of Hall.)

The stock of a product at one place is a set of *cells*: each has a net stock, and a quantity that is reserved
with exactly the cell's values. A positive net stock is *supply*. The reserved quantity, and a negative net
stock, are *demand* of the *node* that names the cell's values; all cells that agree with the node lie in it.
`available(n)` is the smaller of the plain sum over the cells in n and of what could be served at n without taking
anything from a demand that can be served now.

Nested demands, the usual case, need no flow. If for each cell with supply the demands around it form a chain,
they are a tree, and what is *left* at a node after serving everything in it is

    left(a) = supply that lies in a and in no child - demand of a + sum over the children c of max(0, left(c))

and what can be had at a node of the tree is the least `left` from there up. For a node n that has no demand
itself, the supply in n is offered upwards and cut at each node by max(0, left); n need not fit into the tree.
The tree is built on the first question. A change of q at a cell then costs O(levels): it moves `left` by q on the
way up, as far as max(0, left) changes. A change that alters the shape (supply or demand appears where there was
none) drops the tree; it is built again, O(demands x cells), at the next question. A reservation at a node that
has no demand yet, and below which there is none, is hung into the tree instead.

Crossing demands (red any size, small any colour, with stock of red/small) need the maximum flow of `flow.py`,
over classes of cells that lie in the same demands. It grows with each reservation and is dropped by any other
change. It is bounded (`Limits`); above the bound nothing can be promised and `too_complex` says so.

`Stand` answers by the rule above, `Plain` exactly as the original does, level by level.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

import msgspec

from onhand.core.flow import Network
from onhand.core.outcomes import Shortage
from onhand.core.rules import Switches

Cell = tuple[str, int, int]
"""(cell key, net stock, reserved at exactly this cell); scaled."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of the flow; nested demands are not bounded (decisions 13)."""

    cells_max: int = 2_000
    """Cells with stock of one product at one place, while demands cross."""
    nodes_max: int = 64
    """Nodes with demand of one product at one place, while demands cross."""


LIMITS = Limits()


@lru_cache(maxsize=200_000)
def parts(key: str) -> frozenset[str]:
    """The `name=value` parts of a position key; a node is coarser when its parts are a proper subset."""
    return frozenset(key.split("&")) if key else frozenset()


class Stand:
    """Supply and demand of one product at one place for one measure, kept up to date as reservations are taken.

    `node` is always a position key over the reservation dimensions. The constructor costs O(cells) and answers
    nothing yet.
    """

    def __init__(
        self, reservation_dimensions: tuple[str, ...], cells: Iterable[Cell], limits: Limits = LIMITS
    ) -> None:
        self.reservation_dimensions = reservation_dimensions

    def afr(self, node: str) -> int:
        """The plain sum over the cells in the node: net stock less reservations."""
        raise NotImplementedError

    def available(self, node: str) -> int:
        """The largest quantity that a checked reservation at the node would be given; not above zero: none."""
        raise NotImplementedError

    def available_on(self, cells: Collection[str]) -> int:
        """The same for any set of cells (specification 3.10.4); keys that are no cells count nothing."""
        raise NotImplementedError

    def shortage(self, node: str, quantity: int) -> Shortage | None:
        """None if `quantity` (above zero) can be reserved at the node, else how much could be and what limits it."""
        raise NotImplementedError

    def too_complex(self, node: str) -> bool:
        """Whether demands cross and exceed the bound; then `available` is not above zero."""
        raise NotImplementedError

    def reserve(self, node: str, quantity: int) -> None:
        """Take a reservation at the node, checked before or not; below zero gives one back."""
        self.move(node, 0, quantity)

    def move(self, cell: str, net: int, reserved: int) -> None:
        """Change the net stock and the reserved quantity of one cell, which may be new."""
        raise NotImplementedError


class Plain:
    """The same questions answered as the original does: each level for itself (`reservationLevels=independent`)."""

    def __init__(self, cells: Iterable[Cell], *, exact: bool = False) -> None:
        """`exact`: only the record with exactly the node's values counts (`afrAggregation=exactRecord`)."""
        self.exact = exact


def stand_of(
    switches: Switches, reservation_dimensions: tuple[str, ...], cells: Iterable[Cell], limits: Limits = LIMITS
) -> Stand | Plain:
    """The stand that the environment's switches ask for."""
    if switches.reservation_levels == "feasible":
        return Stand(reservation_dimensions, cells, limits)
    return Plain(cells, exact=switches.afr_aggregation == "exactRecord")
