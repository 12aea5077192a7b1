"""Where an item of the order side is kept: product and positions behind SKU, warehouse and further dimensions.

An item is a product at the stock address of a warehouse (order specification 9.1). Its physical quantity is written at
the record with the dimensions that the line names; a reservation is kept at the cell of those of them that can be reserved.
The numbers of the item are the sums over all records at its place.
"""

from __future__ import annotations

import msgspec

from onhand.core.dimensions import fold, name_dimensions, record_position, reservation_node
from onhand.core.keys import Position, ProductKey, decode, product_key
from onhand.core.orders.configuration import Warehouse, Workflows, stock_address
from onhand.core.orders.moves import ItemRef
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """An item, resolved."""

    item: ItemRef
    warehouse: Warehouse
    product: ProductKey
    organization: str
    """As it is shown."""
    place: str
    record: Position
    """Where its physical quantity is written."""
    node: Position
    """Where its reservations are kept; a cell."""


def resolve(rules: Rules, workflows: Workflows, item: ItemRef) -> Address | Rejected:
    """The item's product and positions.

    Rejections: `INVALID_VALUE` for a warehouse that is not configured, and those of the dimensions.
    """
    warehouse = workflows.warehouse(item.warehouse)
    if warehouse is None:
        return Rejected(
            Reason.INVALID_VALUE,
            f"Warehouse {item.warehouse!r} is not configured; set it up with PUT warehouses/{item.warehouse}.",
        )
    address = stock_address(warehouse, workflows.inventory)
    dimensions: dict[str, str | None] = {**dict(item.dimensions), **address.dimensions}
    if item.virtual:
        dimensions[workflows.inventory.virtual_stock_dimension] = item.virtual
    named = name_dimensions(rules, dimensions, None)
    if isinstance(named, Rejected):
        return named
    node = reservation_node(rules, tuple(pair for pair in named if pair[0] in rules.reservation_dimensions))
    if isinstance(node, Rejected):
        return node
    record = record_position(rules, named)
    return Address(
        item=item,
        warehouse=warehouse,
        product=product_key(rules.environment, fold(rules, address.organization_id), fold(rules, item.sku)),
        organization=address.organization_id,
        place=record.place,
        record=record,
        node=node,
    )


def position_of(rules: Rules, key: str) -> Position:
    """The position behind a stored key."""
    return record_position(rules, decode(key))
