"""Stock of the items that a step looks at, read without locks.

What is available is answered by the same function that decides a checked reservation, so a step and the reservation API can
never disagree (order specification 9.1).
"""

from __future__ import annotations

from collections.abc import Iterable

from onhand.core.availability import stand_of
from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.configuration import Workflows
from onhand.core.orders.moves import ItemRef
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.stocked import NOTHING_STOCKED, Stocked
from onhand.core.rules import MeasureName, Rules
from onhand.core.stock import ProductStock, StockRow
from onhand.ports import Clock, Reader
from onhand.rows import StockFilter


class Stocks:
    """Reads items."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def of(
        self, rules: Rules, workflows: Workflows, items: Iterable[ItemRef]
    ) -> dict[ItemRef, Stocked]:
        """The items that are stored; one statement for all of them. An item without an address is missing."""
        addresses = [
            address
            for item in dict.fromkeys(items)
            if isinstance(address := resolve(rules, workflows, item), Address)
        ]
        if not addresses:
            return {}
        found = await self._reader.stock(
            StockFilter(
                environment=rules.environment,
                organizations=tuple({one.product.organization for one in addresses}),
                products=tuple({one.product.product for one in addresses}),
                places=tuple({one.place for one in addresses}),
                records=True,
            ),
            self._clock.now_us(),
        )
        by_product = {stock.product: stock for stock in found}
        return {one.item: stocked(rules, workflows, one, by_product.get(one.product)) for one in addresses}


def stocked(rules: Rules, workflows: Workflows, address: Address, stock: ProductStock | None) -> Stocked:
    """An item, from what is stored of its product."""
    rows = [row for row in (() if stock is None else stock.rows) if _within(row.position, address.place)]
    if not rows:
        return NOTHING_STOCKED
    inventory_measure, reserved_measure = measures_of(rules, workflows)
    inventory = sum(row.own for row in rows if row.measure == inventory_measure)
    reserved = sum(row.own for row in rows if row.measure == reserved_measure)
    available = inventory
    if not workflows.inventory.is_available_inventory_ignoring_reserved:
        available = _available(rules, address, rows, reserved_measure, inventory - reserved)
    return Stocked(
        inventory=unscaled(inventory),
        reserved=unscaled(reserved),
        available=unscaled(available),
        records=tuple(row.position for row in rows if row.measure == inventory_measure and row.own),
    )


def measures_of(rules: Rules, workflows: Workflows) -> tuple[int, int]:
    """Ids of the measures of inventory and of what is reserved; 0 for one that is not configured."""
    settings = workflows.inventory
    return (
        rules.measures.get(_measure(settings.inventory_measure), 0),
        rules.measures.get(_measure(settings.reserved_measure), 0),
    )


def _measure(text: str) -> MeasureName:
    source, _, name = text.lower().partition(".")
    return source, name


def _available(
    rules: Rules, address: Address, rows: list[StockRow], reserved_measure: int, otherwise: int
) -> int:
    availability = rules.mapped.get(reserved_measure)
    if availability is None:
        return otherwise
    net: dict[str, int] = {}
    reserved: dict[str, int] = {}
    for row in rows:
        if row.position != row.cell:
            continue
        quantity = row.own + row.finer
        net[row.cell] = net.get(row.cell, 0) + availability.net.get(row.measure, 0) * quantity
        reserved[row.cell] = reserved.get(row.cell, 0) + (
            quantity if row.measure in availability.reserved else 0
        )
    cells = [(cell, quantity, reserved[cell]) for cell, quantity in net.items()]
    stand = stand_of(rules.switches, rules.reservation_dimensions, cells, rules.limits)
    return stand.available(address.node.cell)


def _within(position: str, place: str) -> bool:
    """Whether a position is at a place; the place's pairs are the first ones of the key."""
    return position == place or position.startswith(f"{place}&") or not place
