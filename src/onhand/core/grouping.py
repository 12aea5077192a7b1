"""Query rows: how stock is grouped, and which measures a row shows.

Theory of operation
-------------------
Stock of a product comes as rows of (position, measure). Each position that passes the query's filters falls
into the group of its values in the row's dimensions; a group sums physical measures. Then each calculated
measure with at least one stored component is computed and its missing components are shown as zero.

A measure that reservations are checked against is not a sum over the group's own stock but what a checked
reservation would get (specification 3.10.4). That depends on all cells of the product at the place, also on
those that the filters leave out, and on reservations at coarser and crossing levels. So a row is also read as a
set of cells, those that match its filters and its non-empty values in the reservation dimensions, and the
availability function is asked about that set.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from onhand.core.availability import Plain, stand_of
from onhand.core.dimensions import display
from onhand.core.keys import decode
from onhand.core.query import ORGANIZATION, Query, needs_records, row_dimensions
from onhand.core.rules import Availability, MeasureName, Rules
from onhand.core.stock import ProductStock


class Row(msgspec.Struct, frozen=True):
    """One row of an answer; quantities are scaled."""

    organization: str
    product: str
    dimensions: dict[str, str]
    """Output spelling -> value as first seen; `""` for none."""
    quantities: dict[str, dict[str, int]]
    """Data source -> measure -> quantity."""


def evaluate(rules: Rules, query: Query, stocks: Iterable[ProductStock]) -> list[Row]:
    """Rows of the query, in the order of the products, then of first appearance.

    `stocks` are the wanted products with *all* their cells at the wanted places, and the records below if
    `needs_records` says so. Cost: O(rows of stock), and per group what `availability` costs.
    """
    plan = _Plan(rules, query)
    return [row for stock in stocks for row in _Product(plan, stock).rows()]


Cells = dict[str, dict[int, int]]
"""Cell key -> measure id -> quantity of the whole cell."""


def _stand(rules: Rules, availability: Availability, cells: Cells) -> Plain:
    net, reserved = availability.net, availability.reserved
    return stand_of(
        rules.switches,
        rules.reservation_dimensions,
        [
            (
                key,
                sum(net[measure] * quantity for measure, quantity in levels.items() if measure in net),
                sum(quantity for measure, quantity in levels.items() if measure in reserved),
            )
            for key, levels in cells.items()
        ],
        rules.limits,
    )


def _cells(rules: Rules, stock: ProductStock) -> dict[str, Cells]:
    """Place -> its cells."""
    places: dict[str, Cells] = {}
    for row in stock.rows:
        if row.position == row.cell:
            cells = places.setdefault(_place(row.cell, rules.partition), {})
            cells.setdefault(row.cell, {})[row.measure] = row.own + row.finer
    return places


@lru_cache(maxsize=10_000)
def _place(key: str, partition: tuple[str, ...]) -> str:
    return "&".join(part for part in key.split("&") if part.partition("=")[0] in partition)


@lru_cache(maxsize=10_000)
def _values(key: str) -> dict[str, str]:
    """Folded values of a position; shared, never changed."""
    return dict(decode(key))


class _Plan:
    """What is the same for all products of a query."""

    def __init__(self, rules: Rules, query: Query) -> None:
        self.rules = rules
        self.query = query
        self.records = needs_records(rules, query)
        self.dimensions = row_dimensions(rules, query)
        self.shown = tuple(display(name) for name in self.dimensions)
        self.filters = tuple(query.filters.items())
        exact = query.exact_dimensions or ()
        self.exact = tuple(name for name in exact if name != ORGANIZATION)
        self.exact_organization = exact.index(ORGANIZATION) if ORGANIZATION in exact else None
        self.exact_values = query.exact_values
        within = set(rules.reservation_dimensions)
        self.cell_filters = tuple((name, values) for name, values in self.filters if name in within)
        self.restricted = any(name not in within for name in query.filters)
        """Filters reach below the cells."""
        self.in_cells = tuple(name in within for name in self.dimensions)
        targets = {one.formula.name: one for one in rules.mapped.values()}
        feasible = rules.switches.reservation_levels == "feasible"
        self.formulas = [
            (name, formula.signs, targets.get(name) if feasible else None)
            for name, formula in rules.calculated.items()
        ]

    def tuples_of(self, organization: str) -> frozenset[tuple[str, ...]]:
        """Exact tuples of an organization, without it."""
        at = self.exact_organization
        if at is None:
            return self.exact_values
        return frozenset((*one[:at], *one[at + 1 :]) for one in self.exact_values if one[at] == organization)


class _Group:
    """One row in the making."""

    __slots__ = ("first", "key", "levels", "place")

    def __init__(self, key: tuple[str, ...], first: str, place: str) -> None:
        self.key = key
        self.first = first
        """Position that is spelled in the row."""
        self.place = place
        self.levels: dict[int, int] = {}


class _Product:
    """The rows of one product."""

    def __init__(self, plan: _Plan, stock: ProductStock) -> None:
        self._plan = plan
        self._stock = stock
        self._tuples = plan.tuples_of(stock.product.organization)
        self._places: dict[str, Cells] | None = None
        self._stands: dict[tuple[str, MeasureName], Plain] = {}
        self._matching: dict[tuple[str, tuple[str, ...]], dict[tuple[str, ...], list[str]]] = {}

    def rows(self) -> list[Row]:
        """All rows that have something to show."""
        made = []
        for group in self._groups():
            quantities = self._quantities(group)
            if quantities:
                shown = dict(self._stock.shown.get(group.first, ()))
                folded = _values(group.first)
                dimensions = {
                    output: shown.get(name) or folded.get(name, "")
                    for name, output in zip(self._plan.dimensions, self._plan.shown, strict=True)
                }
                made.append(Row(self._stock.organization, self._stock.name, dimensions, quantities))
        return made

    def _groups(self) -> Iterable[_Group]:
        plan = self._plan
        groups: dict[tuple[str, ...], _Group] = {}
        of: dict[str, _Group | None] = {}
        projected = self._projected() if plan.records else frozenset[tuple[str, int]]()
        for row in self._stock.rows:
            position = row.position
            if position in of:
                group = of[position]
            else:
                group = of[position] = self._group(position, groups)
            if group is None:
                continue
            quantity = row.own
            if not plan.records:
                if position != row.cell:
                    continue
                quantity += row.finer
            elif not quantity and (position, row.measure) in projected:
                continue
            levels = group.levels
            levels[row.measure] = levels.get(row.measure, 0) + quantity
        return groups.values()

    def _projected(self) -> frozenset[tuple[str, int]]:
        """(cell, measure) with records below: an own level of zero there may never have been posted."""
        return frozenset((row.cell, row.measure) for row in self._stock.rows if row.position != row.cell)

    def _group(self, position: str, groups: dict[tuple[str, ...], _Group]) -> _Group | None:
        plan = self._plan
        values = _values(position)
        for name, wanted in plan.filters:
            if values.get(name, "") not in wanted:
                return None
        if (
            plan.query.exact_dimensions is not None
            and tuple(values.get(name, "") for name in plan.exact) not in self._tuples
        ):
            return None
        key = tuple(values.get(name, "") for name in plan.dimensions)
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(key, position, _place(position, plan.rules.partition))
        return group

    # Measures

    def _quantities(self, group: _Group) -> dict[str, dict[str, int]]:
        plan = self._plan
        stored = group.levels
        levels = dict(stored)
        computed: list[tuple[MeasureName, int]] = []
        for formula, signs, availability in plan.formulas:
            if stored.keys().isdisjoint(signs):
                continue
            total = 0
            for measure, sign in signs.items():
                total += sign * levels.setdefault(measure, 0)
            if availability is not None:
                total = self._available(group, availability, total)
            if total < 0 and not plan.query.return_negative:
                if plan.rules.switches.hide_negative == "remove":
                    continue
                total = 0
            computed.append((formula, total))
        quantities: dict[str, dict[str, int]] = {}
        names, hidden = plan.rules.names, plan.rules.hidden_sources
        shown = [
            (names[measure], quantity) for measure, quantity in sorted(levels.items()) if measure in names
        ]
        for (source, name), quantity in (*shown, *computed):
            if source not in hidden:
                quantities.setdefault(source, {})[name] = quantity
        return quantities

    def _available(self, group: _Group, availability: Availability, plain: int) -> int:
        """What the row shows for a measure that reservations are checked against; `plain` is its own sum."""
        plan = self._plan
        stand = self._stand(group.place, availability)
        value = stand.available_on(self._cells_of(group))
        below = any(value and not within for value, within in zip(group.key, plan.in_cells, strict=True))
        return min(plain, value) if plan.restricted or below else value

    def _stand(self, place: str, availability: Availability) -> Plain:
        key = (place, availability.formula.name)
        stand = self._stands.get(key)
        if stand is None:
            stand = self._stands[key] = _stand(self._plan.rules, availability, self._cells_at(place))
        return stand

    def _cells_at(self, place: str) -> Cells:
        if self._places is None:
            self._places = _cells(self._plan.rules, self._stock)
        return self._places.get(place, {})

    def _cells_of(self, group: _Group) -> list[str]:
        """Cells that the row stands for; an empty value leaves its dimension open."""
        plan = self._plan
        pinned = [
            (name, value)
            for name, value, within in zip(plan.dimensions, group.key, plan.in_cells, strict=True)
            if value and within
        ]
        names = tuple(name for name, _ in pinned)
        index = self._matching.get((group.place, names))
        if index is None:
            index = self._matching[group.place, names] = self._index(group.place, names)
        return index.get(tuple(value for _, value in pinned), [])

    def _index(self, place: str, names: tuple[str, ...]) -> dict[tuple[str, ...], list[str]]:
        """Cells of a place that pass the filters, by their values in these dimensions."""
        index: dict[tuple[str, ...], list[str]] = {}
        for cell in self._cells_at(place):
            values = _values(cell)
            if all(values.get(name, "") in wanted for name, wanted in self._plan.cell_filters):
                index.setdefault(tuple(values.get(name, "") for name in names), []).append(cell)
        return index
