"""Goods that come back: into stock once for each return and line, and what the order's status becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from onhand.core.orders.configuration import same
from onhand.core.orders.lines import all_lines, with_shipments
from onhand.core.orders.model import Order, OrderLine, ReturnForm, ReturnLine, Shipment
from onhand.core.orders.moves import ZERO, Restock
from onhand.core.orders.statuses import COMPLETED, with_order_status
from onhand.steps import scope
from onhand.steps.contract import (
    Case,
    Done,
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

NO_RETURNS: Final = "no returns"

Allowed = Callable[[ReturnForm, ReturnLine], bool]


def _original(facts: Facts, returned: ReturnLine) -> OrderLine | None:
    """The order's line that came back."""
    every = [line for _, line in all_lines(facts.order)] + list(facts.order.order_form.unassigned)
    return next((one for one in every if one.line_item_id == returned.line_item_id), None)


def _restocks(facts: Facts, form: ReturnForm, code: str, allowed: Allowed) -> Result | tuple[Restock, ...]:
    """What goes back into stock of one return: the line's quantity at the store, once."""
    moves: dict[str, Restock] = {}
    for returned in form.line_items:
        key = returned.line_item_id
        if returned.return_quantity <= ZERO or (form.return_id, key) in facts.restocked:
            continue
        if not allowed(form, returned) or not returned.moves_stock:
            continue
        line = _original(facts, returned)
        if line is not None and not line.moves_stock:
            continue
        named: OrderLine = returned if returned.code.strip() or line is None else line
        if not named.code.strip():
            return error(f"Returned line {key} has no code (SKU). Nothing was changed.", "SkuMissing")
        before = moves[key].quantity if key in moves else ZERO
        moves[key] = Restock(
            line_item_id=key,
            return_id=form.return_id,
            item=scope.item_at(named, code),
            quantity=before + returned.return_quantity,
        )
    return tuple(moves.values())


def _restock(
    facts: Facts, forms: Iterable[ReturnForm], code: Callable[[ReturnForm], str], allowed: Allowed
) -> Result | Plan:
    if not scope.writes_stock(facts):
        return success(scope.WRITES_OFF)
    units = []
    for form in forms:
        if form.return_id in facts.done:
            continue
        moves = _restocks(facts, form, code(form), allowed)
        if isinstance(moves, Result):
            return moves
        if moves and not code(form):
            return error("The return has no store to go back to; nothing was changed.", "WarehouseMissing")
        if moves:
            units.append(Unit(key=form.return_id, moves=moves))
    return Plan(units=tuple(units), conclude=_restocked) if units else success(scope.NOTHING_TO_DO)


def _restocked(done: Sequence[Done]) -> Result:
    back = [one for unit in done for one in unit.applied if not one.already]
    return scope.refusal(done) or success(f"returned lines in stock: {len(back)}")


# CheckPosOrderForReturnAndIncreaseInventory ------------------------------------------------------------------


def check_pos_order(facts: Facts) -> Result | Plan:
    """Put the returned lines of a completed order back into the stock of its store."""
    if not same(facts.order.status, COMPLETED):
        return success("the order is not completed")
    forms = facts.order.return_order_forms
    if not forms:
        return success(NO_RETURNS)
    return _restock(
        facts, forms, lambda _form: scope.store(facts), lambda _form, line: line.update_stock is not False
    )


# Return workflow ---------------------------------------------------------------------------------------------


def _forms(facts: Facts) -> tuple[ReturnForm, ...]:
    """The return of the run, otherwise all of the order."""
    return tuple(one for one in facts.order.return_order_forms if facts.return_id in (None, one.return_id))


def update_inventory(facts: Facts) -> Result | Plan:
    """Put returned lines back into the stock of the store that took them."""
    forms = _forms(facts)
    if not forms:
        return success(NO_RETURNS)
    rules = facts.orders.return_settings

    def allowed(form: ReturnForm, line: ReturnLine) -> bool:
        wanted = rules.default_update_stock if line.update_stock is None else line.update_stock
        return wanted and rules.updates_inventory(line.return_type or form.return_type)

    def code(form: ReturnForm) -> str:
        return scope.warehouse_code(facts, form.store_id) or scope.store(facts)

    return _restock(facts, forms, code, allowed)


def _returned(order: Order) -> dict[str, Decimal]:
    """Returned quantity by line."""
    found: dict[str, Decimal] = {}
    for form in order.return_order_forms:
        for line in form.line_items:
            found[line.line_item_id] = found.get(line.line_item_id, ZERO) + max(ZERO, line.return_quantity)
    return found


def _share(pairs: Iterable[tuple[str, Decimal]], returned: dict[str, Decimal]) -> str:
    """`all`, `some` or nothing of these lines has come back."""
    wanted: dict[str, Decimal] = {}
    for line, quantity in pairs:
        wanted[line] = wanted.get(line, ZERO) + quantity
    delivered = {line: quantity for line, quantity in wanted.items() if quantity > ZERO}
    back = [returned.get(line, ZERO) for line in delivered]
    if delivered and all(found >= wanted for found, wanted in zip(back, delivered.values(), strict=True)):
        return "all"
    return "some" if any(back) else ""


def update_order_status(facts: Facts) -> Result | Plan:
    """Let the order become returned, or partially returned."""
    settings = scope.settings(facts)
    order = facts.order
    returned = _returned(order)
    every = [(line.line_item_id, line.effective) for _, line in all_lines(order)]
    every += [(line.line_item_id, line.effective) for line in order.order_form.unassigned]
    share = _share(every, returned)
    if not share:
        return success("nothing was returned")
    target = (
        settings.text("ReturnedStatus", "Returned")
        if share == "all"
        else settings.text("PartiallyReturnedStatus", "PartiallyReturned")
    )
    names = {
        "all": settings.text("ShipmentReturnedStatus"),
        "some": settings.text("ShipmentPartiallyReturnedStatus"),
    }
    trigger = "" if same(order.status, target) else target
    result = Result(status=Status.SUCCESS, message=f"order status: {target}", trigger_new_status=trigger)
    edit = partial(_with_returned, facts, returned, names, settings.text("SetTag"))
    if edit(order) == order:
        return result
    return Plan(units=(Unit(key="order", edit=edit),), conclude=lambda done: scope.refusal(done) or result)


def _with_returned(
    facts: Facts, returned: dict[str, Decimal], names: dict[str, str], tag: str, order: Order
) -> Order:
    """The order with the tag, and with the shipment statuses that are configured."""

    def change(shipment: Shipment) -> Shipment:
        share = _share([(line.line_item_id, line.effective) for line in shipment.line_items], returned)
        status = names.get(share, "")
        if not status or same(shipment.order_status, status):
            return shipment
        return with_order_status(shipment, status, facts.now, log=facts.orders.use_order_status_log)

    changed = with_shipments(order, tuple(change(one) for one in order.shipments))
    if not tag or any(same(one, tag) for one in order.tags):
        return changed
    return msgspec.structs.replace(changed, tags=(*order.tags, tag))


# What people read --------------------------------------------------------------------------------------------

CHECK_POS_ORDER: Final = StepSpec(
    key="CheckPosOrderForReturnAndIncreaseInventory",
    title="Check POS order for return and increase inventory",
    group="Modify",
    tier=1,
    applicable_statuses=("New",),
    effects=Effects(inventory="+"),
    behaviour=(
        "Raises the inventory at the order's store by each returned quantity, once for each return and line. The order has to "
        "be in the status `Completed`. Return settings are not asked; only a line that says `updateStock: false` stays out."
    ),
    prerequisites=("Order status `Completed`", "Return forms with `returnQuantity` above zero"),
    side_effects=("A transaction `ReturnIncrease` for each returned line",),
    error_table=(
        Case(condition="no return forms", result="Success: no returns", continues="yes"),
        Case(condition="the order is not completed", result="Success (no action)", continues="yes"),
        Case(condition="done before", result="Success (no action)", continues="yes"),
    ),
    related=("UpdateInventory", "ReduceInventoryOnlyOnReservedOrderLines"),
    plan=check_pos_order,
)

UPDATE_INVENTORY: Final = StepSpec(
    key="UpdateInventory",
    title="Update inventory (return workflow)",
    group="Inventory",
    tier=2,
    effects=Effects(inventory="+"),
    behaviour=(
        "Raises the inventory at the store that took the return, for lines whose return type allows it (`updateInventory`, by "
        "default yes) and that say `updateStock`; a line that says nothing follows `defaultUpdateStock` of the return settings. "
        "It shares its reference with `CheckPosOrderForReturnAndIncreaseInventory`: a returned line goes back once."
    ),
    prerequisites=("A return",),
    side_effects=("A transaction `ReturnIncrease` for each returned line",),
    error_table=(
        Case(condition="done, nothing to do, or no returns", result="Success", continues="yes"),
        Case(
            condition="a returned line without SKU",
            result="Error, nothing written",
            continues="per stopOnError",
        ),
    ),
    related=("CheckPosOrderForReturnAndIncreaseInventory", "UpdateOrderStatus"),
    plan=update_inventory,
)

UPDATE_ORDER_STATUS: Final = StepSpec(
    key="UpdateOrderStatus",
    title="Update order status (return workflow)",
    group="Status",
    tier=2,
    properties=(
        Property(name="ReturnedStatus", default="Returned", meaning="When all that was delivered came back."),
        Property(name="PartiallyReturnedStatus", default="PartiallyReturned", meaning="When some of it did."),
        Property(
            name="ShipmentReturnedStatus",
            meaning="For shipments that came back as a whole; empty leaves them.",
        ),
        Property(name="ShipmentPartiallyReturnedStatus", meaning="For shipments of which some came back."),
        Property(name="SetTag", meaning="Tag to add to the order."),
    ),
    behaviour=(
        "Compares what was returned with `quantity - canceledQuantity` of each line, and lets the order enter the one status or "
        "the other after the run."
    ),
    side_effects=("A further status", "`orderStatus` of shipments and a tag, where configured"),
    error_table=(Case(condition="done, or nothing returned", result="Success", continues="yes"),),
    related=("UpdateInventory", "ChangeStatus"),
    plan=update_order_status,
)

STEPS: Final = (CHECK_POS_ORDER, UPDATE_INVENTORY, UPDATE_ORDER_STATUS)
