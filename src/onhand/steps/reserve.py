"""Steps that reserve: the counter of the item, and what the lines say about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from onhand.core.orders.lines import with_lines
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ZERO, ItemRef, Move, Relocate, Reserve
from onhand.core.orders.promising import levels
from onhand.core.orders.statuses import is_completed
from onhand.steps import scope
from onhand.steps.contract import (
    Case,
    Done,
    Effects,
    Facts,
    Plan,
    Property,
    Result,
    StepSpec,
    Unit,
    success,
)
from onhand.steps.moving import marked
from onhand.steps.promises import Promises

# IncreaseReservedInventory -----------------------------------------------------------------------------------


@scope.configured
def increase(facts: Facts) -> Result | Plan:
    """Reserve what the lines have not reserved yet, without asking what is available."""
    selective = scope.settings(facts).flag("onlyReservedLines")
    off = scope.reservations_off(facts)
    if off is not None:
        return off
    if facts.shipment_id is not None and len(facts.order.shipments) > 1:
        return success("one of several shipments: nothing is reserved in part")
    found = [one for one in scope.moving_shipments(facts) if _takes_reservations(facts, one)]
    if not found:
        return success("no shipments to reserve for")
    refused = scope.unsafe(facts, found, partial(_wanted, selective))
    if refused is not None:
        return refused
    units = []
    for shipment in found:
        if shipment.shipment_id not in facts.done:
            unit = _increase_unit(facts, shipment, selective=selective)
            units += [unit] if unit is not None else []
    return Plan(units=tuple(units), conclude=_increased) if units else success(scope.NOTHING_TO_DO)


def _takes_reservations(facts: Facts, shipment: Shipment) -> bool:
    return not is_completed(shipment) and not scope.is_virtual(facts, scope.sender(facts, shipment))


def _wanted(selective: bool, line: OrderLine) -> bool:  # noqa: FBT001 - bound by name where it is used
    if not scope.is_reservable(line):
        return False
    return not selective or (line.reserved_inventory and line.reserved_inventory_quantity > ZERO)


def _increase_unit(facts: Facts, shipment: Shipment, *, selective: bool) -> Unit | None:
    moves: list[Move] = []
    shown: dict[str, Decimal] = {}
    for line in shipment.line_items:
        row = facts.row(shipment, line)
        if not _wanted(selective, line) or scope.reduced(row):
            continue
        target = min(line.effective, line.reserved_inventory_quantity) if selective else line.effective
        item = scope.item(facts, shipment, line)
        if row is not None and row.remaining > ZERO and scope.held_item(row) != item:
            moves.append(Relocate(line=row.line, source=scope.held_item(row), target=item))
        already = row.shown if row is not None else ZERO
        if target > already:
            moves.append(Reserve(line=scope.ref(shipment, line), item=item, quantity=target - already))
        elif row is not None and (already != line.reserved_inventory_quantity or line.forced_reservation):
            shown[line.line_item_id] = already
    if not moves and not shown:
        return None
    edit = partial(_mirror, shipment.shipment_id, shown) if shown else None
    return Unit(key=shipment.shipment_id, moves=tuple(moves), edit=edit)


def _mirror(shipment_id: str, shown: dict[str, Decimal], order: Order) -> Order:
    """Lines that need no further reservation say what their row says (A39), and are not forced any more (C9)."""

    def change(_shipment: Shipment, line: OrderLine) -> OrderLine:
        quantity = shown.get(line.line_item_id)
        return line if quantity is None else marked(line, quantity, forced=False)

    return with_lines(order, change, shipment_id)


def _increased(done: Sequence[Done]) -> Result:
    reserves = [one for unit in done for one in unit.applied if isinstance(one.move, Reserve)]
    over = sorted(
        {
            one.move.item.sku
            for one in reserves
            if one.new_reserved > one.new_inventory and isinstance(one.move, Reserve)
        }
    )
    message = f"reserved lines: {len(reserves)}"
    if over:
        message += f"; more is reserved than there is: {', '.join(over)}"
    return scope.refusal(done) or success(message)


# UpdateOrderLineReservedInventory ----------------------------------------------------------------------------


def _asked(facts: Facts) -> Iterator[tuple[Shipment, OrderLine]]:
    """Lines whose availability is asked for: what has left or stays virtual is not."""
    skips = scope.settings(facts).flag("IgnoreOrdersToBePurchased")
    for shipment in scope.shipments(facts):
        if is_completed(shipment):
            continue
        for line in shipment.line_items:
            skipped = skips and scope.awaits_purchase(line)
            if line.moves_stock and not skipped and not scope.reduced(facts.row(shipment, line)):
                yield shipment, line


def update_needs(facts: Facts) -> Iterator[ItemRef]:
    """Items of the lines."""
    for shipment, line in _asked(facts):
        item = scope.item(facts, shipment, line)
        if item.sku and item.warehouse:
            yield from levels(item)


@scope.configured
def update(facts: Facts) -> Result | Plan:
    """Mark lines as reserved as far as stock is available; nothing is reserved."""
    if not facts.inventory.is_enabled:
        return success(scope.INVENTORY_OFF, invisible=True)
    promises = Promises(facts)
    changes: dict[str, dict[str, Decimal]] = {}
    for shipment, line in _asked(facts):
        row = facts.row(shipment, line)
        own = row.shown if row is not None else ZERO
        missing = max(ZERO, line.effective - own)
        quantity = own + promises.take(scope.item(facts, shipment, line), missing)
        if quantity != line.reserved_inventory_quantity or line.reserved_inventory != (quantity > ZERO):
            changes.setdefault(shipment.shipment_id, {})[line.line_item_id] = quantity
    result = success(f"lines changed: {sum(map(len, changes.values()))}", invisible=True)
    if not changes:
        return result
    units = tuple(Unit(key=key, edit=partial(_flag, key, lines)) for key, lines in changes.items())
    return Plan(units=units, conclude=lambda done: scope.refusal(done) or result)


def _flag(shipment_id: str, quantities: dict[str, Decimal], order: Order) -> Order:
    def change(_shipment: Shipment, line: OrderLine) -> OrderLine:
        quantity = quantities.get(line.line_item_id)
        return line if quantity is None else marked(line, quantity, forced=line.forced_reservation)

    return with_lines(order, change, shipment_id)


# SetAllOrderLinesToReserved ----------------------------------------------------------------------------------


def set_all(facts: Facts) -> Result | Plan:
    """Mark every line as reserved in full, whatever is in stock."""
    changed = sum(
        1
        for shipment in scope.shipments(facts)
        for line in shipment.line_items
        if _forced(facts, shipment, line) != line
    )
    unassigned = facts.order.order_form.unassigned if facts.shipment_id is None else ()
    changed += sum(1 for line in unassigned if _forced(facts, None, line) != line)
    result = success(f"lines set to reserved: {len(list(scope.lines(facts)))}")
    if not changed:
        return result
    edit = partial(_force, facts)
    return Plan(units=(Unit(key="order", edit=edit),), conclude=lambda done: scope.refusal(done) or result)


def _force(facts: Facts, order: Order) -> Order:
    changed = with_lines(order, partial(_forced, facts), facts.shipment_id)
    if facts.shipment_id is not None or not order.order_form.unassigned:
        return changed
    unassigned = tuple(_forced(facts, None, line) for line in order.order_form.unassigned)
    form = msgspec.structs.replace(changed.order_form, unassigned=unassigned)
    return msgspec.structs.replace(changed, order_form=form)


def _forced(facts: Facts, shipment: Shipment | None, line: OrderLine) -> OrderLine:
    """The line as if it were reserved; the stamp says where nothing stands behind the quantity (D19)."""
    row = facts.row(shipment, line) if shipment is not None else None
    real = row is not None and row.shown >= line.effective
    return msgspec.structs.replace(
        line,
        reserved_inventory=True,
        reserved_inventory_quantity=line.effective,
        forced_reservation=not real,
    )


# What people read --------------------------------------------------------------------------------------------

INCREASE: Final = StepSpec(
    key="IncreaseReservedInventory",
    title="Increase reserved inventory",
    group="Inventory",
    tier=1,
    applicable_statuses=("New", "Returned", "PartiallyReturned"),
    properties=(
        Property(
            name="onlyReservedLines",
            type="Boolean",
            default="false",
            meaning="Ours. True leaves lines alone that are not marked as reserved, and reserves of the others at most "
            "the quantity they are marked with: the mixed workflow, after `UpdateOrderLineReservedInventory`.",
        ),
    ),
    effects=Effects(reserved_inventory="+", line_flag="="),
    behaviour=(
        "Reserves the effective quantity of each line at its shipment's warehouse. Completed shipments, shipments of virtual "
        "warehouses, virtual products, packages (their components are reserved) and lines that wait for a purchase order are "
        "left out. Whether the stock is there is **not** asked: more may be reserved than there is. "
        "`ChangeStatusIfOutOfStock` before, or the task ResolveOverReserved after it, deal with that.\n\n"
        "A second run reserves only what is still missing and never lowers anything. Afterwards each line shows what the "
        "ledger has for it.\n\n"
        "A run of one shipment does nothing when the order has several, so that no order is reserved in part."
    ),
    prerequisites=("Shipments with lines and a warehouse",),
    side_effects=(
        "The stock is not available to other orders any more",
        "One transaction `Reserve` for each line",
    ),
    error_table=(
        Case(condition="reserved", result="Success", continues="yes"),
        Case(condition="run of one of several shipments", result="Success (no action)", continues="yes"),
        Case(
            condition="no shipments, or virtual warehouses only",
            result="Success (no action)",
            continues="yes",
        ),
        Case(
            condition="a shipment without a warehouse",
            result="Error, nothing written",
            continues="per stopOnError",
        ),
        Case(condition="the reservation was refused", result="Error", continues="per stopOnError"),
    ),
    related=(
        "UpdateOrderLineReservedInventory",
        "ReduceReservedInventory",
        "ReduceInventoryAndReservedInventory",
    ),
    plan=increase,
)

UPDATE: Final = StepSpec(
    key="UpdateOrderLineReservedInventory",
    title="Update reserved inventory of order lines",
    group="Inventory",
    tier=1,
    applicable_statuses=("New",),
    properties=(
        Property(
            name="IgnoreOrdersToBePurchased",
            type="Boolean",
            default="false",
            meaning="True leaves lines alone that wait for a purchase order.",
        ),
    ),
    effects=Effects(line_flag="="),
    behaviour=(
        "Asks for each line how much of it is available at its warehouse, and marks the line with that much: "
        "`reservedInventoryQuantity = min(available, needed)`. Nothing is reserved; that is what "
        "`IncreaseReservedInventory` does afterwards. Lines of one SKU share what is available in line order, and what a "
        "line already holds counts as available to it. Lines that were shipped keep their mark as history."
    ),
    prerequisites=("Shipments with lines and a warehouse",),
    side_effects=("The marks of the lines; no stock moves",),
    error_table=(
        Case(condition="updated", result="Success (invisible)", continues="yes"),
        Case(
            condition="no inventory data",
            result="Success (invisible), line marked unreserved",
            continues="yes",
        ),
    ),
    related=("IncreaseReservedInventory", "TrySplitUnreservedOrderLines"),
    plan=update,
    needs=update_needs,
)

SET_ALL: Final = StepSpec(
    key="SetAllOrderLinesToReserved",
    title="Set all order lines to reserved",
    group="Reallocate",
    tier=1,
    applicable_statuses=("New",),
    effects=Effects(line_flag="= all"),
    behaviour=(
        "Marks every line as reserved in full and touches no stock: for an external stock system, or to override an "
        "allocation that failed. A line with nothing behind its mark is stamped as forced; what is reserved for "
        "others is never lowered for it when it ships."
    ),
    side_effects=("The marks of the lines; no stock moves",),
    error_table=(Case(condition="updated", result="Success", continues="yes"),),
    related=("IncreaseReservedInventory", "ReduceInventoryOnlyOnReservedOrderLines"),
    plan=set_all,
)

STEPS: Final = (INCREASE, UPDATE, SET_ALL)
