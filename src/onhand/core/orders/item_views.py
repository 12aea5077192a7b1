"""Inventory items as clients see them: quantities of the stock records beside what the item's record keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from onhand.core.costing.arithmetic import to_places
from onhand.core.costing.batches import Batch
from onhand.core.costing.currencies import minor_units
from onhand.core.costing.lines import COST_PLACES, EXTRA_PLACES
from onhand.core.keys import ProductKey, decode
from onhand.core.orders.addresses import Address
from onhand.core.orders.item_updates import Levels
from onhand.core.orders.items import ItemRecord
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.working import Surroundings
from onhand.core.stock import ProductStock

ZERO: Final = Decimal(0)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item: where it is, what there is of it, and what is kept of it."""

    address: Address
    levels: Levels
    record: ItemRecord | None
    shown_sku: str = ""

    @property
    def exists(self) -> bool:
        """An item of which nothing is there and nothing is kept is none."""
        return (
            self.record is not None
            or any(self.levels.inventory.values())
            or any(self.levels.reserved.values())
        )

    @property
    def inventory(self) -> Decimal:
        """Physical quantity."""
        return unscaled(self.levels.total[0])

    @property
    def reserved(self) -> Decimal:
        """Reserved quantity."""
        return unscaled(self.levels.total[1])


def levels_of(
    around: Surroundings, stocks: Iterable[ProductStock]
) -> Mapping[tuple[ProductKey, str], Levels]:
    """The records of the two measures, by product and place."""
    found: dict[tuple[ProductKey, str], tuple[dict[str, int], dict[str, int]]] = {}
    for stock in stocks:
        for row in stock.rows:
            if row.measure not in (around.inventory_measure, around.reserved_measure):
                continue
            spot = (stock.product, place_of(around, row.position))
            inventory, reserved = found.setdefault(spot, ({}, {}))
            kept = inventory if row.measure == around.inventory_measure else reserved
            kept[row.position] = kept.get(row.position, 0) + row.own
    return {spot: Levels(*both) for spot, both in found.items()}


def place_of(around: Surroundings, position: str) -> str:
    """The place of a position, from its key."""
    pairs = [part for part in position.split("&") if part.partition("=")[0] in around.rules.partition]
    return "&".join(pairs)


def virtual_locations(around: Surroundings, levels: Levels) -> dict[str, Levels]:
    """The virtual stock locations inside an item, by their folded codes; none where they are not used."""
    if not around.workflows.inventory.use_virtual_stock_locations:
        return {}
    name = around.workflows.inventory.virtual_stock_dimension.lower()
    found: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    for index, records in enumerate((levels.inventory, levels.reserved)):
        for key, own in records.items():
            code = dict(decode(key)).get(name)
            if code:
                found.setdefault(code, ({}, {}))[index][key] = own
    return {code: Levels(*both) for code, both in sorted(found.items())}


def shown(around: Surroundings, item: Item, *, batches: bool = True) -> dict[str, Any]:
    """The item's JSON as plain values."""
    record = item.record or ItemRecord(sku="", warehouse_code="")
    currency = record.cost_currency or around.default_currency
    worth = around.provider.value(record, item.inventory)
    facts: dict[str, Any] = {
        "sku": record.sku or item.shown_sku or item.address.item.sku,
        "warehouseCode": item.address.warehouse.code,
        "warehouseName": item.address.warehouse.name,
        "inventory": item.inventory,
        "reservedInventory": item.reserved,
        "calculatedInventory": ZERO,
        "cost": None if record.cost is None else to_places(record.cost, COST_PLACES),
        "costCurrency": record.cost_currency or None,
        "costTotal": None if worth is None else to_places(worth, minor_units(currency) + EXTRA_PLACES),
        "location": record.location or None,
        "isVirtual": False,
        "minQuantity": record.min_quantity,
        "maxQuantity": record.max_quantity,
        "reorderMinQuantity": record.reorder_min_quantity,
        "created": record.created,
        "modified": record.modified,
        "properties": list(record.properties) or None,
    }
    if batches:
        facts["batches"] = [_batch(one, currency) for one in record.batches] or None
    return {name: value for name, value in facts.items() if value is not None}


def shown_virtual(item: Item, code: str, levels: Levels) -> dict[str, Any]:
    """The JSON of a virtual stock location of an item; its cost is that of the physical item (C1)."""
    inventory, reserved = (unscaled(total) for total in levels.total)
    return {
        "sku": (item.record.sku if item.record else item.shown_sku) or item.address.item.sku,
        "warehouseCode": code,
        "inventory": inventory,
        "reservedInventory": reserved,
        "calculatedInventory": ZERO,
        "isVirtual": True,
        "physicalWarehouseCode": item.address.warehouse.code,
    }


def _batch(batch: Batch, currency: str) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(batch, builtin_types=(Decimal,))
    made["costPrice"] = to_places(batch.cost_price, COST_PLACES)
    made["costValue"] = to_places(batch.cost_value, minor_units(currency) + EXTRA_PLACES)
    return made
