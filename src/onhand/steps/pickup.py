"""Click & collect: a shipment waits for its customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec

from onhand.core.orders.configuration import folded, same
from onhand.core.orders.lines import with_shipments
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ZERO
from onhand.core.orders.properties import format_span
from onhand.steps import scope
from onhand.steps.contract import Case, Done, Effects, Facts, Plan, Property, Result, StepSpec, Unit, success
from onhand.steps.moving import is_movable, relocations

DEADLINE: Final = timedelta(days=7)
UNDERWAY: Final = ("Transit", "Open")


@scope.configured
def plan(facts: Facts) -> Result | Plan:
    """Move the shipments to the store of pickup and set the customer's deadline."""
    if not facts.inventory.is_enabled:
        return success(scope.INVENTORY_OFF)
    settings = scope.settings(facts)
    span = settings.span("customerPickupTime")
    start = settings.moment("saleStartDate")
    tags = {folded(one) for one in settings.texts("tagFilter")}
    special = not tags or bool(tags & {folded(one) for one in facts.order.tags})
    begins = max(facts.now, start) if start is not None and special else facts.now
    try:
        deadline = begins + (DEADLINE if span is None else span)
    except OverflowError:
        deadline = begins
    waiting = [
        one
        for one in scope.moving_shipments(facts)
        if folded(one.pick_up_warehouse_code) and is_movable(facts, one)
    ]
    units = [_unit(facts, one) for one in waiting if one.shipment_id not in facts.done]
    underway = any(same(one.status, status) for one in facts.order.shipments for status in UNDERWAY)
    if not underway:
        dates = partial(msgspec.structs.replace, customer_pickup_deadline=deadline, store_pick_date=None)
    else:
        dates = partial(msgspec.structs.replace, store_pick_date=None)
    if dates(facts.order) != facts.order:
        units.append(Unit(key="order", edit=dates))
    message = f"shipments at their store: {len(waiting)}"
    if not units:
        return success(message)
    return Plan(units=tuple(units), conclude=partial(_conclude, message))


def _conclude(message: str, done: Sequence[Done]) -> Result:
    return scope.refusal(done) or success(message)


def _unit(facts: Facts, shipment: Shipment) -> Unit:
    code = scope.warehouse_code(facts, shipment.pick_up_warehouse_code)
    moves = tuple(relocations(facts, shipment, code, check=False))
    return Unit(
        key=shipment.shipment_id, moves=moves, edit=partial(_arrived, facts, shipment.shipment_id, code)
    )


def _arrived(facts: Facts, shipment_id: str, code: str, order: Order) -> Order:
    def change(shipment: Shipment) -> Shipment:
        return msgspec.structs.replace(
            shipment,
            warehouse_code=code,
            virtual_warehouse_code=None,
            pick_up_warehouse_code=None,
            line_items=tuple(_reserved(facts, shipment, line) for line in shipment.line_items),
        )

    return with_shipments(order, scope.replaced_shipments(order, (shipment_id,), change))


def _reserved(facts: Facts, shipment: Shipment, line: OrderLine) -> OrderLine:
    """The line as reserved in full; a quantity with nothing behind it never touches the counter (D19)."""
    if not line.moves_stock or line.effective == ZERO:
        return line
    row = facts.row(shipment, line)
    real = row is not None and row.shown >= line.effective
    return msgspec.structs.replace(
        line,
        reserved_inventory=True,
        reserved_inventory_quantity=line.effective,
        forced_reservation=not real,
    )


READY_FOR_PICKUP: Final = StepSpec(
    key="SetShipmentOrOrderReadyForPickup",
    title="Set shipment or order ready for pickup",
    group="Inventory",
    tier=2,
    applicable_statuses=("ReadyForPickup",),
    hidden=True,
    properties=(
        Property(
            name="tagFilter",
            type="List",
            meaning="Orders with one of these tags start at `saleStartDate`; empty means all.",
        ),
        Property(name="saleStartDate", type="DateTime", meaning="The customer's time starts not before it."),
        Property(
            name="customerPickupTime",
            type="TimeSpan",
            default=format_span(DEADLINE),
            meaning="Ours. How long the customer has.",
        ),
    ),
    effects=Effects(reserved_inventory="moved", line_flag="= all"),
    behaviour=(
        "A shipment with `pickUpWarehouseCode` is now at that store: it becomes the shipment's `warehouseCode`, its lines are "
        "marked as reserved, and what they have reserved moves from the old warehouse to the store in the same transaction. "
        "In a run of the order that is done for all shipments.\n\n"
        "When no shipment of the order is in `Transit` or `Open` any more, the order gets its `customerPickupDeadline`. The "
        "store's own deadline is cleared, so that the expiry task leaves the order alone."
    ),
    prerequisites=("`pickUpWarehouseCode` on shipments that come from another warehouse",),
    side_effects=(
        "`warehouseCode`, `pickUpWarehouseCode` and the marks of the lines",
        "The order's deadlines",
    ),
    error_table=(
        Case(condition="done", result="Success", continues="yes"),
        Case(
            condition="a property that cannot be read",
            result="Error, nothing written",
            continues="per stopOnError",
        ),
    ),
    related=("UpdateShipmentStatus", "IncreaseReservedInventory"),
    plan=plan,
)

STEPS: Final = (READY_FOR_PICKUP,)
