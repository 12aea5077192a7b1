"""Stock for lines that lack it, oldest order first (order specification 2.11, `TryReserveOrderlinesScheduledTask`).

Pure. One `Left` lives as long as a run of the task, so that no run promises a unit to two orders; the engine checks each
reservation again under its locks. A line gets all that it lacks or nothing, and what is too little for an older
order may be enough for a younger one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from onhand.core.orders.configuration import InventorySettings, Workflows, folded
from onhand.core.orders.lines import all_lines, with_lines
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ZERO, ItemRef, LineRef, Reserve
from onhand.core.orders.promising import Left
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.shortage import lacking
from onhand.core.orders.statuses import is_completed, is_open, writable

_FIRST: Final = datetime.min.replace(tzinfo=UTC)


class Turn(msgspec.Struct, frozen=True, order=True):
    """An order that waits for stock, and its place in the queue: the oldest comes first."""

    created: datetime
    order_id: str


def turn(order: Order) -> Turn:
    """The order's place in the queue."""
    return Turn(order.created or _FIRST, order.id)


def may_reserve(settings: InventorySettings) -> bool:
    """Whether anything may be reserved in the environment."""
    return settings.is_enabled and (settings.is_write_enabled or settings.is_reservation_write_enabled)


def wanted(record: OrderRecord, workflows: Workflows) -> tuple[Reserve, ...]:
    """What the lines of an open order lack, as checked reservations at the warehouses of their shipments."""
    order = record.order
    if order is None or writable(order) is not None:
        return ()
    if not is_open(order, workflows.order_type(order.order_type)):
        return ()
    return tuple(_wanted(record, order, workflows))


def _wanted(record: OrderRecord, order: Order, workflows: Workflows) -> Iterator[Reserve]:
    for shipment, line in all_lines(order):
        ref = LineRef(shipment.shipment_id, line.line_item_id)
        row = record.row(ref)
        quantity = lacking(line, row)
        item = None if quantity <= ZERO or is_completed(shipment) else item_of(workflows, shipment, line)
        if item is None:
            continue
        if (
            row is not None
            and row.remaining > ZERO
            and _item(row.sku, row.warehouse, row.virtual) != _item(item.sku, item.warehouse, item.virtual)
        ):
            continue  # its hold is elsewhere; the change that moved the shipment moves it
        yield Reserve(line=ref, item=item, quantity=quantity, check=True)


def item_of(workflows: Workflows, shipment: Shipment, line: OrderLine) -> ItemRef | None:
    """The item that a line takes from its shipment's warehouse; None where no real warehouse is known."""
    warehouse = workflows.warehouse(shipment.warehouse_code)
    if warehouse is None or warehouse.is_virtual or not line.code.strip():
        return None
    virtual = shipment.virtual_warehouse_code if workflows.inventory.use_virtual_stock_locations else None
    named = {folded(name): value.strip() for name, value in line.dimensions.items()}
    return ItemRef(line.code.strip(), warehouse.code, (virtual or "").strip(), tuple(sorted(named.items())))


def _item(*names: str) -> tuple[str, ...]:
    return tuple(folded(one) for one in names)


def allotted(wishes: Sequence[Reserve], left: Left) -> tuple[Reserve, ...]:
    """Those that can be had, in line order; what they take is promised."""
    return tuple(one for one in wishes if _covered(left, one))


def _covered(left: Left, wish: Reserve) -> bool:
    return wish.quantity <= left.left(wish.item) and left.take(wish.item, wish.quantity) == wish.quantity


def supplied(order: Order, moves: Sequence[Reserve]) -> Order:
    """The order whose lines need no purchase order any more, since these reservations are made for them."""
    got = {one.line: one.quantity for one in moves}
    return with_lines(order, partial(_supplied, got))


def _supplied(got: Mapping[LineRef, Decimal], shipment: Shipment, line: OrderLine) -> OrderLine:
    if LineRef(shipment.shipment_id, line.line_item_id) not in got or not line.create_purchase_order:
        return line
    return msgspec.structs.replace(line, create_purchase_order=False)


def told(moves: Sequence[Reserve]) -> str:
    """What is said of it in the log."""
    parts = [
        f"{one.quantity} of {one.item.sku} at {one.item.warehouse} (line {one.line.line_item_id})"
        for one in moves
    ]
    return f"Reserved {', '.join(parts)}."
