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

from collections.abc import Collection, Iterable, Sequence

from onhand.core.flow import Network
from onhand.core.plain import Cell, Plain, View, parts
from onhand.core.rules import LIMITS, Limits, Switches

__all__ = ["LIMITS", "Cell", "Limits", "Plain", "Stand", "parts", "stand_of"]


class _Demand:
    """A node with demand in the tree."""

    __slots__ = ("key", "left", "parent", "parts")

    def __init__(self, key: str, left: int) -> None:
        self.key = key
        self.parts = parts(key)
        self.left = left
        """What is left in the node once everything in it is served; below zero: so much is short."""
        self.parent: _Demand | None = None
        """The next coarser node with demand; None also for a node without any supply in it."""


_UNKNOWN, _NESTED, _CROSSING = range(3)


class Stand(Plain):
    """The same under joint feasibility (`reservationLevels=feasible`, specification 3.10).

    A checked reservation among nested demands costs O(levels) after the first question.
    """

    def __init__(
        self, reservation_dimensions: tuple[str, ...], cells: Iterable[Cell], limits: Limits = LIMITS
    ) -> None:
        super().__init__(cells)
        self.reservation_dimensions = reservation_dimensions
        self._limits = limits
        self._shape = _UNKNOWN
        self._tree: dict[str, _Demand] = {}
        self._home: dict[str, _Demand] = {}
        """Cell with supply -> finest demand around it; absent when there is none."""
        self._network: Network | None = None
        self._rows: dict[str, int] = {}
        """Node -> row of the network."""
        self._rises: dict[str, int] = {}
        """Node -> what could be served there in addition, while demands cross."""

    def available(self, node: str) -> int:
        """The largest quantity that a checked reservation at the node would be given; not above zero: none."""
        if len(self._net) == 1 and node in self._net:
            return self._alone(node)
        view = self._views.get(node) or self._view(node)
        afr = view.afr
        if afr <= 0:
            return afr
        rise = self._rise(view)
        return min(afr, rise)

    def _alone(self, cell: str) -> int:
        """`available` at the only cell there is: nothing else has a demand or a supply, so no tree is needed."""
        net = self._net[cell]
        afr = net - self._reserved[cell]
        if afr <= net or afr <= 0:
            return afr
        return net if net > 0 else 0  # noqa: FURB136 - max() costs a call on the hot path

    def available_on(self, cells: Collection[str]) -> int:
        """The same for any set of cells (specification 3.10.4); keys that are no cells count nothing."""
        afr = super().available_on(cells)
        if afr <= 0:
            return afr
        supply = [key for key in cells if self._net.get(key, 0) > 0]
        if self._known_shape() == _NESTED:
            return min(afr, self._offer(supply)[0])
        if self.too_complex():
            return 0
        network, rows = self._draw(sorted(self._demands()), supply)
        return min(afr, network.push(len(rows), sum(self._net[key] for key in supply)))

    def too_complex(self) -> bool:
        """Whether demands cross and exceed the bound; then `available` is never above zero."""
        if self._known_shape() == _NESTED:
            return False
        cells = sum(1 for net in self._net.values() if net > 0)
        return cells > self._limits.cells_max or len(self._demands()) > self._limits.nodes_max

    def limiting(self, node: str) -> tuple[str, ...]:
        """The nodes that limit what is available at the node, in the order of their keys (3.10.5).

        Nested: the one with least left, of equal ones the finest. Crossing: the demands that compete with the
        node in the residual network, without those that have a coarser one among them.
        """
        view = self._views.get(node) or self._view(node)
        if self.too_complex() or view.afr < self._rise(view):
            return (node,)
        if self._shape == _NESTED:
            return self._nested_limit(view)
        demands = self._demands()
        network, rows = self._draw(sorted({*demands, node}))
        network.push(rows[node], self._total(view))
        competing = network.reachable(rows[node])
        return _coarsest(key for key, row in rows.items() if row in competing)

    def move(self, cell: str, net: int, reserved: int) -> None:
        """Change the net stock and the reserved quantity of one cell, which may be new."""
        net_was = self._net.get(cell, 0)
        reserved_was = self._reserved.get(cell, 0)
        super().move(cell, net, reserved)
        net_now = net_was + net
        if (net_was > 0) != (net_now > 0):
            for view in self._views.values():
                view.supply = None
            self._shape = _UNKNOWN
        if self._shape == _UNKNOWN:
            return
        was = _demand(net_was, reserved_was)
        more = _demand(net_now, reserved_was + reserved) - was
        if self._shape == _CROSSING:
            self._grow(cell, net, more)
            return
        if net and net_now > 0 and (home := self._home.get(cell)) is not None:
            _raise(home, net)
        if more:
            node = self._tree.get(cell)
            if node is not None:
                _raise(node, -more)
            elif not self._hang(cell, more):
                self._shape = _UNKNOWN

    # Nested demands

    def _known_shape(self) -> int:
        if self._shape == _UNKNOWN:
            self._network = None
            self._shape = _NESTED if self._plant() else _CROSSING
        return self._shape

    def _demands(self) -> dict[str, int]:
        reserved = self._reserved
        return {
            key: _demand(net, reserved[key]) for key, net in self._net.items() if net < 0 or reserved[key] > 0
        }

    def _plant(self) -> bool:
        """Build the tree; False when two demands cross on a cell with supply."""
        nodes = [_Demand(key, -quantity) for key, quantity in self._demands().items()]
        nodes.sort(key=_finest_first)
        self._tree = {node.key: node for node in nodes}
        self._home = {}
        if not nodes:
            return True
        for key, net in self._net.items():
            if net <= 0:
                continue
            around = parts(key)
            below: _Demand | None = None
            for node in nodes:
                if not node.parts <= around:
                    continue
                if below is None:
                    self._home[key] = node
                    node.left += net
                elif node.parts < below.parts:
                    below.parent = node
                else:
                    return False
                below = node
        for node in nodes:
            if node.parent is not None and node.left > 0:
                node.parent.left += node.left
        return True

    def _hang(self, key: str, quantity: int) -> bool:
        """Add a node with demand below which there is none; False when the tree must be built again."""
        node = _Demand(key, -quantity)
        supply = self._supply(self._views.get(key) or self._view(key))
        if supply:
            parent = self._home.get(supply[0])
            for cell in supply:
                if self._home.get(cell) is not parent:
                    return False
                node.left += self._net[cell]
            if parent is not None:
                if not parent.parts < node.parts:
                    return False
                node.parent = parent
                _raise(parent, (max(0, node.left)) - node.left - quantity)
            for cell in supply:
                self._home[cell] = node
        self._tree[key] = node
        return True

    def _supply(self, view: View) -> list[str]:
        if view.supply is None:
            within = view.parts
            view.supply = [key for key, net in self._net.items() if net > 0 and within <= parts(key)]
        return view.supply

    def _total(self, view: View) -> int:
        return sum(self._net[key] for key in self._supply(view))

    def _rise(self, view: View) -> int:
        """How much more could be served at the node, unlimited demand there; never below zero."""
        if (self._shape or self._known_shape()) == _CROSSING:
            return self._pushed(view)
        node = self._tree.get(view.key)
        if node is None:
            return self._offer(self._supply(view))[0]
        low = node.left
        while low > 0 and (node := node.parent) is not None:
            low = min(low, node.left)
        return low if low > 0 else 0  # noqa: FURB136 - max() costs a call on the hot path

    def _offer(
        self, supply: Sequence[str], within: frozenset[str] | None = None
    ) -> tuple[int, list[_Demand]]:
        """Offer the cells' supply upwards; what gets through, and the topmost nodes that cut it.

        `within` limits the cutting to demands finer than these parts.
        """
        through = 0
        offers: dict[str, int] = {}
        for key in supply:
            home = self._home.get(key)
            if home is None:
                through += self._net[key]
            else:
                offers[home.key] = offers.get(home.key, 0) + self._net[key]
        cuts: dict[str, list[_Demand]] = {}
        cut: list[_Demand] = []
        if not offers:
            return through, cut
        for node in sorted(self._tree.values(), key=_finest_first):
            offer = offers.get(node.key)
            if offer is None:
                continue
            below = cuts.get(node.key, [])
            if within is None or within < node.parts:
                left = max(0, node.left)
                if offer > left:
                    offer, below = left, [node]
            if node.parent is None:
                through += offer
                cut += below
            else:
                above = node.parent.key
                offers[above] = offers.get(above, 0) + offer
                cuts[above] = cuts.get(above, []) + below
        return through, cut

    def _nested_limit(self, view: View) -> tuple[str, ...]:
        node = self._tree.get(view.key)
        supply = self._supply(view)
        _, cut = self._offer(supply)
        apart = [other.key for other in cut if not (other.parts <= view.parts or view.parts <= other.parts)]
        if apart:
            return _coarsest([view.key, *apart])
        low, limit = (self._offer(supply, view.parts)[0], view.key) if node is None else (node.left, node.key)
        for other in sorted(self._tree.values(), key=_finest_first):
            if supply and other.parts < view.parts and other.left < low:
                low, limit = other.left, other.key
        return (limit,)

    # Crossing demands

    def _pushed(self, view: View) -> int:
        node = view.key
        rise = self._rises.get(node) if self._network is not None else None
        if rise is not None:
            return rise
        if self.too_complex():
            return 0
        if self._network is None or node not in self._rows:
            asked = self._rows if self._network is not None else {}
            self._network, self._rows = self._draw(sorted({*self._demands(), *asked, node}))
            self._rises = {}
        rise = self._rises[node] = self._network.copy().push(self._rows[node], self._total(view))
        return rise

    def _draw(self, nodes: Sequence[str], offered: Sequence[str] = ()) -> tuple[Network, dict[str, int]]:
        """A network with all demands served as far as possible; `offered` cells get a last row of their own."""
        wanted = [(row, parts(node)) for row, node in enumerate(nodes)]
        special = frozenset(offered)
        classes: dict[tuple[int, ...], int] = {}
        for key, net in self._net.items():
            if net > 0:
                around = parts(key)
                rows = tuple(row for row, node in wanted if node <= around)
                if key in special:
                    rows = (*rows, len(nodes))
                classes[rows] = classes.get(rows, 0) + net
        served: list[list[int]] = [[] for _ in range(len(nodes) + 1)]
        for column, rows in enumerate(classes):
            for row in rows:
                served[row].append(column)
        network = Network(list(classes.values()), served)
        demands = self._demands()
        for row, node in enumerate(nodes):
            network.push(row, demands.get(node, 0))
        return network, {node: row for row, node in enumerate(nodes)}

    def _grow(self, cell: str, net: int, more: int) -> None:
        """Keep the flow when a demand grew; drop it, and the knowledge that demands cross, otherwise."""
        if net or more < 0:
            self._shape = _UNKNOWN
        elif more and self._network is not None:
            if cell not in self._rows:
                self._network = None
                return
            pushed = self._network.push(self._rows[cell], more)
            rise = self._rises.get(cell)
            self._rises = {} if rise is None else {cell: rise - pushed}


def _demand(net: int, reserved: int) -> int:
    """Reservations, a balance below zero counting as none, and the standing demand of a negative stock."""
    return (max(0, reserved)) - (min(0, net))


def _raise(node: _Demand | None, by: int) -> None:
    """Change what is left at a node and, as far as it shows, at the coarser ones."""
    while node is not None and by:
        was = node.left
        now = node.left = was + by
        by = (max(0, now)) - (max(0, was))
        node = node.parent


def _finest_first(node: _Demand) -> tuple[int, str]:
    return -len(node.parts), node.key


def _coarsest(nodes: Iterable[str]) -> tuple[str, ...]:
    """Those nodes that have no coarser one among them."""
    keys = sorted(nodes)
    return tuple(key for key in keys if not any(parts(other) < parts(key) for other in keys))


def stand_of(
    switches: Switches,
    reservation_dimensions: tuple[str, ...],
    cells: Iterable[Cell],
    limits: Limits = LIMITS,
) -> Plain:
    """The stand that the environment's switches ask for: a `Stand` or a `Plain`."""
    if switches.reservation_levels == "feasible":
        return Stand(reservation_dimensions, cells, limits)
    return Plain(cells, exact=switches.afr_aggregation == "exactRecord")
