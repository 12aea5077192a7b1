"""Steps about the items of an order rather than its lines: out of stock, and what readers are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from onhand.core.orders.configuration import folded, same
from onhand.core.orders.moves import ZERO, ItemRef, SetOutOfStock
from onhand.steps import scope
from onhand.steps.contract import (
    Case,
    Done,
    Effects,
    Facts,
    Note,
    Plan,
    Property,
    Result,
    Status,
    StepSpec,
    Unit,
    error,
    success,
    warning,
)
from onhand.steps.status import missing

NO_LINES: Final = "no lines"
AVAILABILITY_CHANGED: Final = "availability.changed"


def _skus(facts: Facts) -> list[str]:
    """SKUs of the lines that are no virtual products."""
    found = {line.code.strip() for line in scope.lines(facts) if not line.is_virtual_product}
    return sorted(found - {""})


# SetItemsOutOfStock ------------------------------------------------------------------------------------------


def empty_needs(facts: Facts) -> Iterator[ItemRef]:
    """The items at the store: the engine empties the records that it is shown."""
    if scope.store(facts):
        yield from (ItemRef(sku, scope.store(facts)) for sku in _skus(facts))


def set_out_of_stock(facts: Facts) -> Result | Plan:
    """Set the inventory of the order's items at its store to zero."""
    if not scope.writes_stock(facts):
        return success(scope.WRITES_OFF)
    skus = _skus(facts)
    if not skus:
        return success(NO_LINES)
    if not scope.store(facts):
        return error("The order has no storeId; nothing was changed.", "WarehouseMissing")
    if "order" in facts.done:
        return success("set out of stock")
    moves = tuple(SetOutOfStock(item=ItemRef(sku, scope.store(facts))) for sku in skus)
    return Plan(units=(Unit(key="order", moves=moves),), conclude=_emptied)


def _emptied(done: Sequence[Done]) -> Result:
    changed = sum(one.inventory_change != ZERO for unit in done for one in unit.applied)
    return scope.refusal(done) or success(f"items set out of stock: {changed}")


# ChangeStatusIfOutOfStock ------------------------------------------------------------------------------------


def _demands(facts: Facts) -> Iterator[tuple[str, tuple[str, ...], Decimal]]:
    """Each SKU, the warehouses one of which has to have it, and the quantity that has not left yet."""
    needed: dict[str, Decimal] = {}
    for shipment in scope.shipments(facts):
        for line in shipment.line_items:
            if line.moves_stock and line.code.strip() and not scope.reduced(facts.row(shipment, line)):
                needed[line.code.strip()] = needed.get(line.code.strip(), ZERO) + line.effective
    if facts.shipment_id is None:
        for line in facts.order.order_form.unassigned:
            if line.moves_stock and line.code.strip():
                needed[line.code.strip()] = needed.get(line.code.strip(), ZERO) + line.effective
    places = _warehouses(facts)
    for sku, quantity in sorted(needed.items()):
        if quantity > ZERO:
            yield sku, places, quantity


def _warehouses(facts: Facts) -> tuple[str, ...]:
    """Where to look: the shipment's warehouse, else the store's warehouses, else those of the shipments, else the store."""
    senders = tuple(dict.fromkeys(scope.sender(facts, one) for one in scope.shipments(facts)))
    known = tuple(one for one in senders if one)
    if facts.shipment_id is not None:
        return known
    store = scope.warehouse(facts, facts.order.store_id)
    listed = sorted(store.available_warehouses, key=lambda one: one.priority) if store is not None else []
    codes = [scope.warehouse_code(facts, one.warehouse_code) for one in listed]
    if codes and store is not None and store.is_warehouse:
        codes = [store.code, *codes]
    return tuple(dict.fromkeys(codes)) or known or tuple(filter(None, [scope.store(facts)]))


def out_of_stock_needs(facts: Facts) -> Iterator[ItemRef]:
    """Every SKU at every warehouse in question."""
    for sku, places, _ in _demands(facts):
        for place in places:
            yield ItemRef(sku, place)


def _suffices(facts: Facts, sku: str, place: str, quantity: Decimal) -> bool:
    """Whether the warehouse has enough, counting what this order itself holds there as available (D21)."""
    found = facts.stocked(ItemRef(sku, place))
    if facts.inventory.is_available_inventory_ignoring_reserved:
        return found.inventory >= quantity
    own = sum(
        (one.remaining for one in facts.rows.values() if one.sku == sku and same(one.warehouse, place)), ZERO
    )
    return found.available + own >= quantity


@scope.configured
def change_status_if_out_of_stock(facts: Facts) -> Result | Plan:
    """Let the order enter another status when some SKU does not suffice."""
    settings = scope.settings(facts)
    target = settings.text("orderStatus")
    without = settings.flag("triggerNewStatusWithoutWorkflow", default=True)
    if not target:
        return missing("orderStatus")
    if not facts.inventory.is_enabled:
        return success(scope.INVENTORY_OFF)
    short = [
        sku
        for sku, places, quantity in _demands(facts)
        if not any(_suffices(facts, sku, place, quantity) for place in places)
    ]
    if not short:
        return success("in stock")
    message = f"out of stock: {', '.join(short)}"
    if folded(facts.order.status) == folded(target):
        return success(message)
    return Result(
        status=Status.SUCCESS,
        message=message,
        trigger_new_status=target,
        trigger_new_status_without_workflow=without,
    )


# CalculateAndUpdateProductInventory, CalculateAtp ------------------------------------------------------------


def update_product_inventory(facts: Facts) -> Result | Plan:
    """Tell readers that the availability of the order's items has changed."""
    if not any(True for _ in scope.lines(facts)):
        return warning(NO_LINES)
    skus = _skus(facts)
    notes = tuple(
        Note(key=AVAILABILITY_CHANGED, message=f"availability of {sku}", reference_id=sku) for sku in skus
    )
    return Result(status=Status.SUCCESS, message=f"products updated: {len(skus)}", notes=notes)


@scope.configured
def calculate_atp(facts: Facts) -> Result | Plan:
    """Refresh what is promised from purchase orders."""
    scope.settings(facts).flag(
        "SkipProductUpdate"
    )  # nothing is denormalised here; a value that is no flag is an error
    linked = {line.code for line in scope.lines(facts) if line.reserved_inventory_purchase_order_line_id}
    if not linked:
        return success("no line is reserved on a purchase order")
    return success("no ATP provider is configured")


# What people read --------------------------------------------------------------------------------------------

SET_OUT_OF_STOCK: Final = StepSpec(
    key="SetItemsOutOfStock",
    title="Set items out of stock",
    group="Inventory",
    tier=1,
    effects=Effects(inventory="= 0"),
    behaviour=(
        "Sets the inventory of each item of the order to zero at the order's store, in all its dimensions. What is reserved "
        "stays, and so do other warehouses. A second run changes nothing."
    ),
    prerequisites=("`storeId` on the order",),
    side_effects=("A transaction `SetOutOfStock` for each item that had any inventory",),
    error_table=(
        Case(condition="done", result="Success", continues="yes"),
        Case(condition="no lines", result="Success (no action)", continues="yes"),
    ),
    related=("ChangeStatusIfOutOfStock",),
    plan=set_out_of_stock,
    needs=empty_needs,
)

CHANGE_STATUS_IF_OUT_OF_STOCK: Final = StepSpec(
    key="ChangeStatusIfOutOfStock",
    title="Change status if out of stock",
    group="Inventory",
    tier=1,
    applicable_statuses=("New",),
    hidden=True,
    properties=(
        Property(name="orderStatus", required=True, meaning="Status to enter when something is missing."),
        Property(
            name="triggerNewStatusWithoutWorkflow",
            type="Boolean",
            default="true",
            meaning="False runs the steps of that status.",
        ),
    ),
    behaviour=(
        "Asks for each SKU of the order whether one warehouse has all that is needed of it; what the order itself has "
        "reserved there counts as available, so that the answer is right before and after reserving. In a shipment-level run "
        "the shipment's warehouse is asked, otherwise the warehouses of the order's store (`availableWarehouses`), or, when it "
        "names none, those of the shipments. If a SKU does not suffice anywhere, the order enters the configured status after "
        "the run."
    ),
    side_effects=("A further status, by default without its workflow",),
    error_table=(
        Case(condition="in stock, or out of stock", result="Success", continues="yes"),
        Case(condition="`orderStatus` is missing", result="Error", continues="per stopOnError"),
    ),
    related=("ChangeStatus", "IncreaseReservedInventory"),
    plan=change_status_if_out_of_stock,
    needs=out_of_stock_needs,
)

CALCULATE_ATP: Final = StepSpec(
    key="CalculateAtp",
    title="Calculate ATP",
    group="Inventory",
    tier=2,
    applicable_statuses=("New", "OrderCanceled"),
    properties=(
        Property(
            name="SkipProductUpdate",
            type="Boolean",
            default="false",
            meaning="Accepted; nothing about products is stored here that could be skipped.",
        ),
    ),
    behaviour=(
        "For lines that are reserved on a purchase order line. What can be promised is computed when it is asked for, so there "
        "is no index to refresh; without a provider the step has no effect."
    ),
    error_table=(Case(condition="done, or nothing to do", result="Success", continues="yes"),),
    related=("CalculateAndUpdateProductInventory",),
    plan=calculate_atp,
)

UPDATE_PRODUCT_INVENTORY: Final = StepSpec(
    key="CalculateAndUpdateProductInventory",
    title="Calculate and update product inventory",
    group="Inventory",
    tier=2,
    applicable_statuses=("New",),
    behaviour=(
        "Tells readers that the availability of each SKU of the order has changed, with an event `availability.changed`. "
        "Readers of the service itself always see the present availability."
    ),
    prerequisites=("Lines; run it after `IncreaseReservedInventory`",),
    side_effects=("An event for each SKU",),
    error_table=(
        Case(condition="no lines", result="Warning", continues="yes"),
        Case(condition="updated", result="Success", continues="yes"),
    ),
    related=("CalculateAtp", "IncreaseReservedInventory"),
    plan=update_product_inventory,
)

STEPS: Final = (SET_OUT_OF_STOCK, CHANGE_STATUS_IF_OUT_OF_STOCK, CALCULATE_ATP, UPDATE_PRODUCT_INVENTORY)
