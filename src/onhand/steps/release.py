"""Giving reservations back when an order, or a part of it, is cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Final

from onhand.core.orders.lines import with_lines
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ZERO, LineRef, Release
from onhand.core.orders.record import LedgerRow
from onhand.core.orders.statuses import is_completed
from onhand.steps import scope
from onhand.steps.contract import Case, Done, Effects, Facts, Plan, Result, StepSpec, Unit, success, warning
from onhand.steps.moving import marked

NOTHING_RESERVED: Final = "nothing was reserved"


def plan(facts: Facts) -> Result | Plan:
    """Give back what the lines hold."""
    off = scope.reservations_off(facts)
    if off is not None:
        return off
    found = [one for one in scope.moving_shipments(facts) if not is_completed(one)]
    partly = _only_cancelled_units(facts, found)
    units = []
    already = 0
    for shipment in found:
        if shipment.shipment_id in facts.done:
            continue
        moves = _releases(facts, shipment, partly=partly)
        if moves:
            bare = frozenset(line.line_item_id for line in moves if line not in facts.rows)
            edit = partial(_cleared, shipment.shipment_id, bare) if bare else None
            units.append(Unit(key=shipment.shipment_id, moves=tuple(moves.values()), edit=edit))
        already += sum(_given_back(facts.row(shipment, line), partly=partly) for line in shipment.line_items)
    if units:
        return Plan(units=tuple(units), conclude=_conclude)
    if facts.done:
        return success("released")
    return warning(f"already released: {already}") if already else success(NOTHING_RESERVED)


def _releases(facts: Facts, shipment: Shipment, *, partly: bool) -> dict[LineRef, Release]:
    """The releases by line; a line that occurs twice is released once."""
    moves: dict[LineRef, Release] = {}
    virtual = scope.is_virtual(facts, scope.sender(facts, shipment))
    for line in shipment.line_items:
        row = facts.row(shipment, line)
        if row is None and (virtual or not scope.is_reservable(line)):
            continue
        item = scope.held_item(row) if row is not None else scope.item(facts, shipment, line)
        held = _held(facts, line, row)
        canceled = partly and line.effective > ZERO
        quantity = _canceled(line, row, held) if canceled else held
        if quantity > ZERO and item.sku and item.warehouse:
            reference = scope.ref(shipment, line)
            moves[reference] = Release(line=reference, item=item, quantity=quantity, canceled=canceled)
    return moves


def _given_back(row: LedgerRow | None, *, partly: bool) -> bool:
    """Whether an earlier run gave back what this one is about."""
    if row is None or scope.reduced(row):
        return False
    return row.remaining == ZERO or (partly and row.canceled > ZERO)


def _only_cancelled_units(facts: Facts, shipments: Sequence[Shipment]) -> bool:
    """Whether the order lives on and lost some units: then only those are given back.

    In a status that is flagged as cancelled, or when no line lost anything, all that is held is given back.
    """
    level = scope.shipments(facts)[0].order_status if facts.shipment_id is not None and shipments else ""
    status = facts.order_type.status(level or facts.order.status)
    if status is not None and status.is_canceled_status:
        return False
    return any(line.canceled_quantity > ZERO for shipment in shipments for line in shipment.line_items)


def _canceled(line: OrderLine, row: LedgerRow | None, held: Decimal) -> Decimal:
    """The cancelled units that were not given back yet, as far as more is held than is still wanted (D14).

    What was held beyond the quantity stays: a cancellation of the line, or a recalculation, gives that back (A4).
    """
    fresh = line.canceled_quantity - (ZERO if row is None else row.canceled)
    return max(ZERO, min(fresh, held - line.effective))


def _held(facts: Facts, line: OrderLine, row: LedgerRow | None) -> Decimal:
    """What the line still holds (D14)."""
    if row is not None:
        if row.reduction is None:
            return row.remaining
        # Shipped: at most what was reserved beyond what left, whether or not the reduction lowered it (A4).
        return min(row.remaining, max(ZERO, row.shown - row.reduction.quantity))
    if line.forced_reservation and not facts.orders.forced_reservations_consume_counter:
        return ZERO
    if line.reserved_inventory_quantity > ZERO:
        return line.reserved_inventory_quantity
    if facts.rows:
        return ZERO  # the ledger knows this order, and nothing of this line
    return max(ZERO, line.quantity - line.delivered_quantity)


def _cleared(shipment_id: str, lines: frozenset[str], order: Order) -> Order:
    """Lines whose reservation came with an import do not show it any more."""

    def change(_shipment: Shipment, line: OrderLine) -> OrderLine:
        return marked(line, ZERO, forced=False) if line.line_item_id in lines else line

    return with_lines(order, change, shipment_id)


def _conclude(done: Sequence[Done]) -> Result:
    refused = scope.refusal(done)
    if refused is not None:
        return refused
    released = [one for unit in done for one in unit.applied if one.reserved_change < ZERO]
    return success(f"released lines: {len(released)}" if released else NOTHING_RESERVED)


RELEASE: Final = StepSpec(
    key="ReduceReservedInventory",
    title="Reduce reserved inventory",
    group="Inventory",
    tier=1,
    applicable_statuses=(
        "OrderCanceled",
        "OrderCanceledByCustomer",
        "OrderCanceledByStore",
        "Expired",
        "NotCollected",
    ),
    effects=Effects(reserved_inventory="-", line_flag="="),
    behaviour=(
        "Gives back what the lines still hold; the mirror of `IncreaseReservedInventory`. Completed shipments, virtual "
        "warehouses, virtual products and lines that wait for a purchase order are left out.\n\n"
        "How much a line holds says its row in the ledger. An imported line without a row gives back what it is marked "
        "with, or, if nothing of the whole order is in the ledger, `quantity - deliveredQuantity`; at most what is "
        "reserved and belongs to nobody, never a reservation of somebody else.\n\n"
        "When the status is not flagged as cancelled and some units were cancelled, only the lines concerned give something "
        "back: the cancelled units, each once, as far as the line holds more than is still wanted. Lines that were shipped give back only what was reserved beyond "
        "what left."
    ),
    prerequisites=("`isCanceledStatus` on the statuses that cancel an order",),
    side_effects=("The stock is available again", "One transaction `Unreserve` for each line"),
    error_table=(
        Case(condition="released", result="Success", continues="yes"),
        Case(condition="nothing reserved", result="Success (no action)", continues="yes"),
        Case(condition="already released", result="Warning", continues="yes"),
    ),
    related=("IncreaseReservedInventory", "RecalculateReservedInventory"),
    plan=plan,
)

STEPS: Final = (RELEASE,)
