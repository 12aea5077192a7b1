"""Steps that change statuses and dates; none moves stock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec

from onhand.core.orders.configuration import same
from onhand.core.orders.lines import with_shipments
from onhand.core.orders.model import CANCELLED, SHIPPED, Order, Shipment
from onhand.core.orders.properties import PropertyError
from onhand.core.orders.statuses import with_order_status
from onhand.steps import scope
from onhand.steps.contract import (
    Case,
    Effects,
    Facts,
    Plan,
    Property,
    Result,
    Status,
    StepSpec,
    Unit,
    error,
    success,
)

STATUS_MISSING: Final = "StatusMissing"


def missing(name: str) -> Result:
    """The error for a required property that is not configured."""
    return error(f"The step needs the property {name}. Configure it; nothing was changed.", STATUS_MISSING)


def edited(change: Callable[[Order], Order], result: Result) -> Plan:
    """A plan that edits the order and moves nothing."""
    return Plan(units=(Unit(key="order", edit=change),), conclude=lambda done: scope.refusal(done) or result)


def _with_changed(ids: tuple[str, ...], change: Callable[[Shipment], Shipment], order: Order) -> Order:
    return with_shipments(order, scope.replaced_shipments(order, ids, change))


def _ids(shipments: list[Shipment]) -> tuple[str, ...]:
    return tuple(one.shipment_id for one in shipments)


@scope.configured
def change_status(facts: Facts) -> Result | Plan:
    """Let the order enter another status, or type, after this run."""
    settings = scope.settings(facts)
    target = settings.text("orderStatus")
    order_type = settings.text("orderType")
    without = settings.flag("triggerNewStatusWithoutWorkflow")
    if not target:
        return missing("orderStatus")
    present = [facts.order.status]
    if facts.shipment_id is not None:
        present += [one.order_status for one in scope.shipments(facts)]
    stays = any(same(one, target) for one in present)
    other_type = bool(order_type) and not same(order_type, facts.order.order_type)
    return Result(
        status=Status.SUCCESS,
        message=f"next status: {target}",
        trigger_new_status=target,
        trigger_order_type=order_type,
        # Entering the present status with its workflow would run this step again (loop guard).
        trigger_new_status_without_workflow=without or (stays and not other_type),
    )


def change_shipment_order_status(facts: Facts) -> Result | Plan:
    """Set the order status of shipments, without a workflow."""
    settings = scope.settings(facts)
    target, source = settings.text("ToStatus"), settings.text("FromStatus")
    if not target:
        return missing("ToStatus")
    found = scope.shipments(facts)
    if not found:
        return error("The order has no shipments.", "NoShipments")
    matching = [
        one for one in found if facts.shipment_id is not None or not source or same(one.order_status, source)
    ]
    changing = [one for one in matching if not same(one.order_status, target)]
    result = success(f"shipments changed: {len(changing)}")
    if not changing:
        return result

    def change(shipment: Shipment) -> Shipment:
        return with_order_status(shipment, target, facts.now, log=facts.orders.use_order_status_log)

    return edited(partial(_with_changed, _ids(changing), change), result)


def update_shipment_status(facts: Facts) -> Result | Plan:
    """Set the status of shipments."""
    target = scope.settings(facts).text("shipmentStatus")
    if not target:
        return missing("shipmentStatus")
    changing = [one for one in scope.shipments(facts) if one.status != target]
    result = success(f"shipments changed: {len(changing)}")
    if not changing:
        return result
    change = partial(msgspec.structs.replace, status=target)
    return edited(partial(_with_changed, _ids(changing), change), result)


def complete_shipment(facts: Facts) -> Result | Plan:
    """Mark shipments as shipped."""
    changing = [
        one
        for one in scope.shipments(facts)
        if not same(one.status, CANCELLED) and not (one.completed is not None and same(one.status, SHIPPED))
    ]
    result = success(f"shipments completed: {len(changing)}")
    if not changing:
        return result

    def change(shipment: Shipment) -> Shipment:
        return msgspec.structs.replace(shipment, status=SHIPPED, completed=shipment.completed or facts.now)

    return edited(partial(_with_changed, _ids(changing), change), result)


def set_update_status_date(facts: Facts) -> Result | Plan:
    """Plan a status for later."""
    settings = scope.settings(facts)
    status = settings.text("Status")
    try:
        span = settings.span("TimeSpan")
    except PropertyError as fault:
        return _unplanned(str(fault))
    if span is None or not status:
        return _unplanned("The step needs the properties TimeSpan (d.hh:mm:ss) and Status.")
    try:
        at = facts.now + span
    except OverflowError:
        return _unplanned(f"TimeSpan {settings.text('TimeSpan')} leads out of the calendar.")
    if span < timedelta():
        return _unplanned("TimeSpan must not be negative.")
    change = partial(msgspec.structs.replace, update_status_date=at, next_order_status=status)
    return edited(change, success(f"{status} at {at.isoformat()}", invisible=True))


def _unplanned(reason: str) -> Result:
    result = error(reason, scope.INVALID_SETTING, invisible=True)
    return msgspec.structs.replace(result, never_halts=True)


# What people read --------------------------------------------------------------------------------------------

_CHANGING: Final = (
    "New",
    "InProgress",
    "Completed",
    "OrderCanceled",
    "Ship",
    "Returned",
    "ReadyForPickup",
)

CHANGE_STATUS: Final = StepSpec(
    key="ChangeStatus",
    title="Change status",
    group="Modify",
    tier=1,
    applicable_statuses=_CHANGING,
    properties=(
        Property(name="orderStatus", required=True, meaning="Status to enter."),
        Property(name="orderType", meaning="Order type to change to; empty keeps it."),
        Property(
            name="triggerNewStatusWithoutWorkflow",
            type="Boolean",
            default="false",
            meaning="True enters the status without running its steps.",
        ),
    ),
    behaviour=(
        "Lets the order enter another status **after** the present workflow has completed. If it is the present "
        "status, its workflow is not run again. Of several steps that ask for a status in one run the last one counts, and "
        "a run that was halted enters none."
    ),
    side_effects=("A further run, unless it is without workflow",),
    error_table=(
        Case(condition="done", result="Success", continues="yes"),
        Case(condition="`orderStatus` is missing", result="Error", continues="per stopOnError"),
    ),
    related=("ChangeStatusIfOutOfStock", "ChangeShipmentOrderStatus", "SetUpdateStatusDate"),
    plan=change_status,
)

CHANGE_SHIPMENT_ORDER_STATUS: Final = StepSpec(
    key="ChangeShipmentOrderStatus",
    title="Change order status of shipments",
    group="Modify",
    tier=1,
    applicable_statuses=_CHANGING,
    properties=(
        Property(name="ToStatus", required=True, meaning="New `orderStatus` of the shipments."),
        Property(name="FromStatus", meaning="In a run of the order: only shipments that have this one."),
    ),
    behaviour=(
        "Sets the `orderStatus` of the shipment of a shipment-level run, or of all shipments of the order, or of those that "
        "have `FromStatus`. No workflow runs for it."
    ),
    side_effects=("`orderStatus` and `prevStatus` of the shipments",),
    error_table=(
        Case(condition="done", result="Success", continues="yes"),
        Case(condition="no shipments, or `ToStatus` is missing", result="Error", continues="per stopOnError"),
    ),
    related=("ChangeStatus", "UpdateShipmentStatus"),
    plan=change_shipment_order_status,
)

UPDATE_SHIPMENT_STATUS: Final = StepSpec(
    key="UpdateShipmentStatus",
    title="Update shipment status",
    group="Shipments",
    tier=1,
    applicable_statuses=("Ship", "InProgress", "ReadyForPickup", "Completed"),
    properties=(Property(name="shipmentStatus", required=True, meaning="New `status`, such as `Released`."),),
    behaviour=(
        "Sets the `status` of the shipment of a shipment-level run, or of all shipments of the order. `Released` is what the "
        "reduce steps wait for; put this step before them, or set `shipmentStatusUpdate` on the order status."
    ),
    side_effects=("`status` of the shipments",),
    error_table=(
        Case(condition="done, or no shipments", result="Success", continues="yes"),
        Case(condition="`shipmentStatus` is missing", result="Error", continues="per stopOnError"),
    ),
    related=("ReduceInventoryOnlyOnReservedOrderLines", "CompleteShipment"),
    plan=update_shipment_status,
)

COMPLETE_SHIPMENT: Final = StepSpec(
    key="CompleteShipment",
    title="Complete shipment",
    group="Shipments",
    tier=1,
    applicable_statuses=("Ship",),
    behaviour=(
        "Marks the shipment of a shipment-level run, or all shipments of the order that are not cancelled, as `Shipped` and "
        "sets `completed`. No carrier is told. Put it after the reduce step, which does not look at shipped shipments."
    ),
    side_effects=("`status` and `completed` of the shipments",),
    error_table=(Case(condition="done, or no shipments", result="Success", continues="yes"),),
    related=("UpdateShipmentStatus", "ReduceInventoryAndReservedInventory"),
    plan=complete_shipment,
)

SET_UPDATE_STATUS_DATE: Final = StepSpec(
    key="SetUpdateStatusDate",
    title="Set date of next status",
    group="Modify",
    tier=2,
    applicable_statuses=(
        "New",
        "Ship",
        "PickedUp",
        "Completed",
        "InProgress",
        "OrderCanceled",
        "Returned",
        "ReadyForPickup",
    ),
    properties=(
        Property(name="TimeSpan", type="TimeSpan", required=True, meaning="From now, `d.hh:mm:ss`."),
        Property(name="Status", required=True, meaning="Status that the order then enters."),
    ),
    effects=Effects(),
    behaviour=(
        "Plans a status: `updateStatusDate` is now plus the time span, `nextOrderStatus` the status. The task "
        "`UpdateOrderStatusScheduledTask` enters it when the date has passed."
    ),
    side_effects=("`updateStatusDate` and `nextOrderStatus` of the order",),
    error_table=(
        Case(condition="done", result="Success (invisible)", continues="yes"),
        Case(
            condition="a property is missing or invalid", result="Error (invisible)", continues="yes, always"
        ),
    ),
    related=("ChangeStatus",),
    plan=set_update_status_date,
)

STEPS: Final = (
    CHANGE_STATUS,
    CHANGE_SHIPMENT_ORDER_STATUS,
    UPDATE_SHIPMENT_STATUS,
    COMPLETE_SHIPMENT,
    SET_UPDATE_STATUS_DATE,
)
