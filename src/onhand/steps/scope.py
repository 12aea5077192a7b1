"""What a run is about: shipments, lines, the item that a line moves, and what may be written.

Pure look-ups that the steps share. Names are compared folded, ids exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import wraps
from typing import Final

from onhand.core.orders.configuration import Warehouse, folded, same
from onhand.core.orders.filters import matching_shipments
from onhand.core.orders.filters import scope as shipments_of
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ZERO, ItemRef, LineRef
from onhand.core.orders.properties import PropertyError, Settings
from onhand.core.orders.record import LedgerRow
from onhand.steps.contract import Done, Facts, Plan, Result, error, success

POS: Final = "Pos"

INVENTORY_OFF: Final = "inventory is disabled"
WRITES_OFF: Final = "inventory writes are disabled"
RESERVATIONS_OFF: Final = "reservation writes are disabled"
NO_SHIPMENTS: Final = "no shipments"
NOTHING_TO_DO: Final = "nothing to do"

INVALID_SETTING: Final = "InvalidStepProperty"
REFUSED: Final = "InventoryRefused"


# What may be written -----------------------------------------------------------------------------------------


def writes_stock(facts: Facts) -> bool:
    """Whether steps change physical quantities."""
    return facts.inventory.is_enabled and facts.inventory.is_write_enabled


def writes_reservations(facts: Facts) -> bool:
    """Whether steps change reserved quantities."""
    return facts.inventory.is_enabled and (
        facts.inventory.is_write_enabled or facts.inventory.is_reservation_write_enabled
    )


def reservations_off(facts: Facts) -> Result | None:
    """The answer of a reserving step when nothing may be reserved."""
    if not facts.inventory.is_enabled:
        return success(INVENTORY_OFF)
    return None if writes_reservations(facts) else success(RESERVATIONS_OFF)


# Which shipments ---------------------------------------------------------------------------------------------


def shipments(facts: Facts) -> tuple[Shipment, ...]:
    """The shipment of a shipment-level run, otherwise all."""
    return shipments_of(facts.order, facts.shipment_id)


def moving_shipments(facts: Facts) -> tuple[Shipment, ...]:
    """The same, without those that the step's own filters exclude: a filter must not move foreign stock (D4)."""
    return matching_shipments(facts.step, facts.order, facts.shipment_id)


def lines(facts: Facts) -> Iterator[OrderLine]:
    """All lines that the run is about; in a run of the order also those that are in no shipment."""
    for shipment in shipments(facts):
        yield from shipment.line_items
    if facts.shipment_id is None:
        yield from facts.order.order_form.unassigned


# Which item --------------------------------------------------------------------------------------------------


def ref(shipment: Shipment, line: OrderLine) -> LineRef:
    """The line as it stands in the shipment."""
    return LineRef(shipment.shipment_id, line.line_item_id)


def warehouse(facts: Facts, code: str | None) -> Warehouse | None:
    """The configured warehouse of this code."""
    return facts.warehouses.get(folded(code))


def warehouse_code(facts: Facts, code: str | None) -> str:
    """The code as it is configured, or as it was written; empty for none."""
    found = warehouse(facts, code)
    return found.code if found is not None else (code or "").strip()


def sender(facts: Facts, shipment: Shipment) -> str:
    """Code of the warehouse whose stock the shipment takes; empty when nobody named one.

    An order of a point of sale without one takes the stock of its store; otherwise it is never guessed (A9).
    """
    if folded(shipment.warehouse_code):
        return warehouse_code(facts, shipment.warehouse_code)
    return store(facts) if same(facts.order.order_type, POS) else ""


def store(facts: Facts) -> str:
    """Code of the order's store."""
    return warehouse_code(facts, facts.order.store_id)


def is_virtual(facts: Facts, code: str) -> bool:
    """Whether it is a virtual warehouse, in which nothing is reserved."""
    found = warehouse(facts, code)
    return found is not None and found.is_virtual


def item_at(line: OrderLine, code: str, virtual: str = "") -> ItemRef:
    """The item of the line's SKU at a warehouse."""
    named = {folded(name): value.strip() for name, value in line.dimensions.items()}
    return ItemRef(line.code.strip(), code, virtual, tuple(sorted(named.items())))


def item(facts: Facts, shipment: Shipment, line: OrderLine) -> ItemRef:
    """The item that the line moves; its warehouse is empty when nobody named one."""
    uses_virtual = facts.inventory.use_virtual_stock_locations
    virtual = (shipment.virtual_warehouse_code or "").strip() if uses_virtual else ""
    return item_at(line, sender(facts, shipment), virtual)


def held_item(row: LedgerRow) -> ItemRef:
    """The item that a ledger row reserves."""
    return ItemRef(row.sku, row.warehouse, row.virtual, row.dimensions)


# What a line says --------------------------------------------------------------------------------------------


def awaits_purchase(line: OrderLine) -> bool:
    """Whether it is reserved on an incoming purchase order and not in the warehouse."""
    return line.is_awaiting_purchase_order is True


def is_reservable(line: OrderLine) -> bool:
    """Whether a reservation of the line is one of its SKU in the warehouse."""
    return line.moves_stock and not awaits_purchase(line)


def remaining(row: LedgerRow | None) -> Decimal:
    """What a line still has reserved."""
    return row.remaining if row is not None else ZERO


def reduced(row: LedgerRow | None) -> bool:
    """Whether the line's inventory was reduced; that it was reversed does not undo the reference (A20)."""
    return row is not None and row.reduction is not None


# Refusals before any write -----------------------------------------------------------------------------------


def unsafe(facts: Facts, found: Iterable[Shipment], moves: Callable[[OrderLine], bool]) -> Result | None:
    """Why stock of these shipments cannot be moved safely: no warehouse (A9), no SKU, or one line twice (A34)."""
    for shipment in found:
        name = shipment.shipment_id
        moving = [line for line in shipment.line_items if moves(line)]
        if moving and not sender(facts, shipment):
            return error(
                f"Shipment {name} has no warehouseCode. Set it and run the step again; nothing was changed.",
                "WarehouseMissing",
            )
        blank = next((line for line in moving if not line.code.strip()), None)
        if blank is not None:
            return error(
                f"Line {blank.line_item_id} of shipment {name} has no code (SKU). Nothing was changed.",
                "SkuMissing",
            )
        ids = [line.line_item_id for line in shipment.line_items]
        twice = sorted({one for one in ids if ids.count(one) > 1}) if len(set(ids)) < len(ids) else []
        if twice:
            return error(
                f"Shipment {name} has line {twice[0]} more than once, so that neither can be referred to. "
                "Nothing was changed.",
                "DuplicateLine",
            )
    return None


def refusal(done: Iterable[Done]) -> Result | None:
    """The error for units that the rules refused; nothing of those was changed."""
    refused = [one for one in done if one.refused is not None]
    if not refused:
        return None
    first = refused[0]
    reason = first.refused.message if first.refused is not None else ""
    return error(f"{first.unit.key}: {reason}", REFUSED)


# Settings of a step ------------------------------------------------------------------------------------------


def settings(facts: Facts) -> Settings:
    """The properties of the step."""
    return Settings(facts.step.properties)


def configured(plan: Callable[[Facts], Result | Plan]) -> Callable[[Facts], Result | Plan]:
    """A property that cannot be read is an error of the step, before anything is changed."""

    @wraps(plan)
    def checked(facts: Facts) -> Result | Plan:
        try:
            return plan(facts)
        except PropertyError as fault:
            return error(str(fault), INVALID_SETTING)

    return checked


def replaced_shipments(
    order: Order, ids: Iterable[str], change: Callable[[Shipment], Shipment]
) -> tuple[Shipment, ...]:
    """The order's shipments, those of these ids changed."""
    wanted = frozenset(ids)
    return tuple(change(one) if one.shipment_id in wanted else one for one in order.shipments)
