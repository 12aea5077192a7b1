"""A client's order as it is stored first: its type, its status, its times."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final

import msgspec

from onhand.core.orders import statuses
from onhand.core.orders.configuration import Workflows, same
from onhand.core.orders.events import Category, Entry
from onhand.core.orders.following import POS, item_of_line
from onhand.core.orders.lines import all_lines, with_shipments
from onhand.core.orders.model import DELETED, QUEUED, Order
from onhand.core.orders.moves import ZERO, Adopt, LineRef, Move, Reserve
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.refusals import Code, Refused

COMPLETED: Final = "Completed"
ID_MAX: Final = 128


def prepared(order: Order, workflows: Workflows, now: datetime, *, imported: bool = False) -> Order | Refused:
    """The order with its type, its initial status, that of its shipments, and the time of its creation.

    An imported order may be of a type or in a status that is not configured; another one is refused then.
    """
    order_type = statuses.resolve(workflows, order.order_type)
    if isinstance(order_type, Refused):
        if not imported or not order.order_type:
            return order_type
        return _stamped(order, now)
    status = order.status
    if not status.strip():
        first = order_type.initial
        if first is None:
            return Refused(
                Code.UNKNOWN_STATUS, f"Order type {order_type.name!r} has no status. Configure one first."
            )
        status = first.name
    elif not (imported or same(status, QUEUED)):
        if same(status, DELETED):
            return Refused(Code.UNKNOWN_STATUS, "An order cannot be created as deleted.")
        wanted = statuses.target(order_type, status)
        if isinstance(wanted, Refused):
            return wanted
    named = order_type.status(status)
    return _stamped(
        msgspec.structs.replace(
            order, order_type=order_type.name, status=status.strip() if named is None else named.name
        ),
        now,
    )


def _stamped(order: Order, now: datetime) -> Order:
    shipments = tuple(
        one if one.order_status else msgspec.structs.replace(one, order_status=order.status)
        for one in order.shipments
    )
    return msgspec.structs.replace(
        with_shipments(order, shipments), created=order.created or now, version_id=None
    )


def as_pos(order: Order) -> Order | Refused:
    """An order of a till: of type Pos and Completed. Its id comes from what it must have, so that it counts once."""
    if not order.order_number:
        return Refused(Code.VALIDATION_FAILED, "An order of a till needs orderNumber, marketId and storeId.")
    order_id = order.id or ":".join(
        part.replace("%", "%25").replace(":", "%3A")
        for part in (order.market_id, order.store_id, order.order_number)
    )
    if len(order_id) > ID_MAX:
        return Refused(
            Code.VALIDATION_FAILED,
            f"The id that is made of marketId, storeId and orderNumber has more than {ID_MAX} characters. Send an id.",
        )
    return msgspec.structs.replace(order, id=order_id, order_type=POS, status=COMPLETED)


def left_before(order: Order, record: OrderRecord) -> tuple[LineRef, ...]:
    """Lines of a new order that were taken from stock under its id before: that happens once for ever (scenario 64)."""
    left = {row.line for row in record.rows if row.reduction is not None}
    refs = (LineRef(shipment.shipment_id, line.line_item_id) for shipment, line in all_lines(order))
    return tuple(ref for ref in refs if ref in left)


def told_of(left: Collection[LineRef]) -> Iterator[Entry]:
    """What the events say about such lines."""
    if left:
        named = ", ".join(f"{one.line_item_id} of shipment {one.shipment_id}" for one in left)
        yield Entry(
            message=f"Taken from stock before under this order id, so neither reserved nor reduced again: {named[:500]}. "
            "Goods that leave anew need another order, shipment or line id.",
            category=Category.INFORMATION,
        )


def reservations_at_creation(
    order: Order, workflows: Workflows, adopted: tuple[Move, ...], left: Collection[LineRef] = ()
) -> Iterator[Reserve]:
    """What a new order reserves where the environment reserves at creation.

    Not for lines that bring a reservation, nor for those that `left` before: nothing would ever consume theirs.
    """
    settings = workflows.inventory
    if not (settings.is_enabled and settings.is_inventory_reservation_triggered_on_order_creation):
        return
    if not (settings.is_write_enabled or settings.is_reservation_write_enabled):
        return
    brought = {move.line for move in adopted if isinstance(move, Adopt)}
    for shipment, line in all_lines(order):
        ref, item = LineRef(shipment.shipment_id, line.line_item_id), item_of_line(order, shipment, line)
        if (
            ref in brought
            or ref in left
            or item is None
            or line.is_awaiting_purchase_order
            or not line.moves_stock
        ):
            continue
        warehouse = workflows.warehouse(item.warehouse)
        if warehouse is None or warehouse.is_virtual or statuses.is_completed(shipment):
            continue
        if line.effective > ZERO:
            yield Reserve(line=ref, item=item, quantity=line.effective)
