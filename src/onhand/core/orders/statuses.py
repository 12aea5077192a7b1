"""How an order, or one of its shipments, enters a status (order specification 2.4, items 1 to 5).

Pure: an order goes in, the changed order or a refusal comes out. Statuses are compared trimmed and without case;
what is stored has the spelling of the order type. The steps of the status run afterwards (`service/workflow`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from onhand.core.orders.configuration import OrderStatus, OrderType, Workflows, folded, same
from onhand.core.orders.lines import with_shipments
from onhand.core.orders.model import DELETED, QUEUED, RELEASED, SHIPPED, Order, Shipment, StatusLogEntry
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.requests import ShipmentInfo, informed

PARTIALLY_SHIPPED: Final = "PartiallyShipped"
"""Status of an order of which a part has left; it needs no definition in the order type."""
COMPLETED: Final = "Completed"


class WarehouseChange(msgspec.Struct, frozen=True):
    """A shipment that delivers from another warehouse now; its reservations must move in the same transaction."""

    shipment_id: str
    before: str | None
    after: str | None


class Entered(msgspec.Struct, frozen=True):
    """An order that entered a status; no step has run yet."""

    order: Order
    status: OrderStatus
    shipment_id: str | None
    """The shipment that entered it; None: the order."""
    previous: str
    """Status before, of the order or of the shipment."""
    changes: tuple[WarehouseChange, ...] = ()


# Words for states --------------------------------------------------------------------------------------------


def is_released(shipment: Shipment) -> bool:
    """Whether it may be taken from stock."""
    return same(shipment.status, RELEASED)


def is_completed(shipment: Shipment) -> bool:
    """Whether it has left (C8)."""
    return shipment.completed is not None or same(shipment.status, SHIPPED)


def is_open(order: Order, order_type: OrderType | None) -> bool:
    """Whether the order may still hold reservations; one in a status that its type does not know does (4.6)."""
    if same(order.status, DELETED):
        return False
    status = order_type.status(order.status) if order_type else None
    return status is None or status.is_open


def is_due(order: Order, now: datetime) -> bool:
    """Whether the order was to enter a status by now."""
    return (
        order.update_status_date is not None
        and order.update_status_date <= now
        and bool(order.next_order_status)
    )


# Entering ----------------------------------------------------------------------------------------------------


def writable(order: Order) -> Refused | None:
    """Why the order cannot be changed now."""
    if same(order.status, QUEUED):
        return Refused(
            Code.ORDER_QUEUED, f"Order {order.id!r} is still being taken in (status Queued). Try again later."
        )
    if order.is_read_only:
        return Refused(Code.ORDER_READ_ONLY, f"Order {order.id!r} is read-only. Clear isReadOnly first.")
    return None


def resolve(workflows: Workflows, order_type: str | None) -> OrderType | Refused:
    """The order type of this name, or the default one when there is no name."""
    found = workflows.order_type(order_type)
    if found is not None:
        return found
    known = ", ".join(sorted(one.name for one in workflows.order_types.values())) or "none"
    if not folded(order_type):
        return Refused(
            Code.UNKNOWN_ORDER_TYPE, f"orderType is missing and no order type is the default. Known: {known}."
        )
    return Refused(Code.UNKNOWN_ORDER_TYPE, f"There is no order type {order_type!r}. Known: {known}.")


def target(order_type: OrderType, status: str | None) -> OrderStatus | Refused:
    """The status of this name of an order type."""
    if not folded(status):
        return Refused(Code.VALIDATION_FAILED, "status is required.")
    found = order_type.status(status)
    if found is not None:
        return found
    known = ", ".join(one.name for one in order_type.order_statuses) or "none"
    return Refused(
        Code.UNKNOWN_STATUS, f"Order type {order_type.name!r} has no status {status!r}. It has: {known}."
    )


def allowed(order_type: OrderType, current: str, wanted: OrderStatus) -> Refused | None:
    """Why the current status does not lead to this one; to enter the same status again is always allowed."""
    status = order_type.status(current)
    if status is None or not status.enforce_available_steps_policy or same(status.name, wanted.name):
        return None
    if any(same(one, wanted.name) for one in status.available_steps):
        return None
    known = ", ".join(status.available_steps) or "none"
    return Refused(
        Code.STATUS_NOT_AVAILABLE,
        f"Status {status.name!r} does not lead to {wanted.name!r}. Available from it: {known}.",
    )


def enter(  # noqa: PLR0913 - what a status update consists of
    order: Order,
    order_type: OrderType,
    status: str,
    now: datetime,
    *,
    info: ShipmentInfo | None = None,
    log: bool = False,
    enforced: bool = True,
) -> Entered | Refused:
    """Enter a status with the order, or with the one shipment that the info names.

    `log` keeps the order status log of the shipments; without `enforced` the policy of available statuses is not
    asked, as when an order is created. Whether the order may be written at all is `writable`.
    """
    wanted = target(order_type, status)
    if isinstance(wanted, Refused):
        return wanted
    shipment_id = info.shipment_id if info else None
    shipment = order.shipment(shipment_id) if shipment_id else None
    if shipment_id and shipment is None:
        return _no_shipment(order, shipment_id)
    if info is not None and shipment is None and info.says_something and len(order.shipments) != 1:
        return Refused(
            Code.VALIDATION_FAILED,
            "shipmentInfo names no shipmentId and the order has not just one shipment.",
        )
    current = (shipment.order_status if shipment else "") or order.status
    refusal = allowed(order_type, current, wanted) if enforced else None
    if refusal is not None:
        return refusal
    renamed = order if same(order.order_type, order_type.name) else _of_type(order, order_type)
    if shipment is not None:
        changed = _changed(informed(shipment, info), wanted, now, log=log)
        entered = _with(renamed, changed)
        entered = follow_shipments(entered, order_type)
    else:
        entered = msgspec.structs.replace(
            with_shipments(
                renamed,
                tuple(
                    _order_level(order_type, informed(one, info), wanted, now, log=log)
                    for one in order.shipments
                ),
            ),
            status=wanted.name,
        )
    return Entered(entered, wanted, shipment_id, current, moved(order, entered))


def unscheduled(order: Order, status: str) -> Order:
    """The order without its schedule when the status is the one that it waited for."""
    if order.next_order_status is None or not same(order.next_order_status, status):
        return order
    return msgspec.structs.replace(order, update_status_date=None, next_order_status=None)


def moved(before: Order, after: Order) -> tuple[WarehouseChange, ...]:
    """Shipments of both orders whose warehouse differs, in the order of the second."""
    known = {one.shipment_id: one.warehouse_code for one in before.shipments}
    return tuple(
        WarehouseChange(one.shipment_id, known[one.shipment_id], one.warehouse_code)
        for one in after.shipments
        if one.shipment_id in known and not same(known[one.shipment_id], one.warehouse_code)
    )


def with_order_status(shipment: Shipment, status: str, now: datetime, *, log: bool) -> Shipment:
    """The shipment in an order status, with the one before it and, if kept, its log; each status is logged once."""
    if not same(shipment.order_status, status):
        shipment = msgspec.structs.replace(
            shipment, order_status=status, prev_status=shipment.order_status or shipment.prev_status
        )
    if not log or any(same(one.status, status) for one in shipment.order_status_log):
        return shipment
    last = next((one.timestamp for one in reversed(shipment.order_status_log) if one.timestamp), None)
    entry = StatusLogEntry(
        status=status,
        timestamp=now,
        duration_since_previous_ms=None if last is None else (now - last) // timedelta(milliseconds=1),
    )
    return msgspec.structs.replace(shipment, order_status_log=(*shipment.order_status_log, entry))


def _order_level(
    order_type: OrderType, shipment: Shipment, wanted: OrderStatus, now: datetime, *, log: bool
) -> Shipment:
    if not _is_further(order_type, shipment, wanted):
        return _changed(shipment, wanted, now, log=log)
    return _updated(shipment, wanted)


def _changed(shipment: Shipment, wanted: OrderStatus, now: datetime, *, log: bool) -> Shipment:
    return _updated(with_order_status(shipment, wanted.name, now, log=log), wanted)


def _updated(shipment: Shipment, wanted: OrderStatus) -> Shipment:
    if not wanted.shipment_status_update:
        return shipment
    return msgspec.structs.replace(shipment, status=wanted.shipment_status_update)


def _is_further(order_type: OrderType, shipment: Shipment, wanted: OrderStatus) -> bool:
    own = order_type.status(shipment.order_status)
    return own is not None and own.order > wanted.order


def _of_type(order: Order, order_type: OrderType) -> Order:
    return msgspec.structs.replace(order, order_type=order_type.name)


def _with(order: Order, shipment: Shipment) -> Order:
    return with_shipments(
        order, tuple(shipment if one.shipment_id == shipment.shipment_id else one for one in order.shipments)
    )


def _no_shipment(order: Order, shipment_id: str) -> Refused:
    known = ", ".join(one.shipment_id for one in order.shipments) or "none"
    return Refused(
        Code.VALIDATION_FAILED, f"Order {order.id!r} has no shipment {shipment_id!r}. It has: {known}."
    )


# The order follows its shipments -----------------------------------------------------------------------------


def follow_shipments(order: Order, order_type: OrderType) -> Order:
    """The order in the status that its shipments lead to; unchanged when they lead to none."""
    status = status_of_shipments(order, order_type)
    if status is None or same(status, order.status):
        return order
    return msgspec.structs.replace(order, status=status)


def status_of_shipments(order: Order, order_type: OrderType) -> str | None:
    """Order status that the shipments lead to; None when they lead to none.

    All in one status: its main status, or that status itself. Otherwise, where the order type derives the order's
    status from its shipments: the main status of the shipment that is furthest by sort index, among those whose
    status has one. Shipments without lines count only when no shipment has any.
    """
    counted = [one for one in order.shipments if one.line_items] or list(order.shipments)
    statuses = [order_type.status(one.order_status) for one in counted]
    known = [one for one in statuses if one is not None]
    if not known:
        return None
    if len(known) == len(statuses) and len({folded(one.name) for one in known}) == 1:
        return known[0].main_order_status or known[0].name
    if not order_type.derive_order_status_from_shipments:
        return None
    qualifying = [one for one in known if one.main_order_status]
    return max(qualifying, key=lambda one: one.order).main_order_status if qualifying else None
