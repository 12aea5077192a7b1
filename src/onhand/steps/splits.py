"""Lines without a full reservation go to shipments of their own."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from onhand.core.orders.configuration import folded, same
from onhand.core.orders.lines import with_shipments
from onhand.core.orders.model import Order, OrderLine, Shipment, property_value
from onhand.core.orders.moves import ZERO, Move
from onhand.core.orders.properties import PropertyError
from onhand.core.orders.statuses import with_order_status
from onhand.steps import scope
from onhand.steps.allocation import ROLES_PROPERTY, moved, roles
from onhand.steps.contract import Case, Effects, Facts, Plan, Property, Result, StepSpec, Unit, success
from onhand.steps.moving import (
    Leaving,
    candidates,
    free_shipment_id,
    is_movable,
    leaving,
    new_shipment,
    relocations,
    row_moves,
    taken_ids,
    transferred,
)

Units = dict[str, Decimal | None]
"""By line: how many units go; None: the whole line."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the step."""

    warehouse: str = ""
    status: str = ""
    method: str = ""
    only_future: bool = False
    ignores_reservation: bool = False
    splits_lines: bool = False
    properties: tuple[tuple[str, str], ...] = ()


def _options(facts: Facts) -> Options:
    settings = scope.settings(facts)
    warehouse = scope.warehouse_code(facts, settings.text("WarehouseCode"))
    wanted = roles(facts)
    if not warehouse and wanted:
        warehouse = next(iter(candidates(facts, wanted)), "")
    return Options(
        warehouse=warehouse,
        status=settings.text("SplitToStatus"),
        method=settings.text("ShippingMethodName"),
        only_future=settings.flag("HasFutureRequestedDeliveryDate"),
        ignores_reservation=settings.flag("IgnoreInventory"),
        splits_lines=settings.flag("AllowLineSplitting"),
        properties=tuple(_wanted_properties(settings.json("OrderLineProperties"))),
    )


def _wanted_properties(value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON of a client
    """Pairs of `{"key": value}` or `[{"key": …, "value": …}]`."""
    if value is None:
        return
    if isinstance(value, dict):
        yield from ((str(key), str(wanted)) for key, wanted in value.items())
        return
    pairs = value if isinstance(value, list) else [value]
    for pair in pairs:
        if not isinstance(pair, dict):
            raise PropertyError(
                'OrderLineProperties must be JSON such as [{"key": "gift", "value": "true"}].'
            )
        named = {folded(str(key)): wanted for key, wanted in pair.items()}
        yield str(named.get("key", "")), str(named.get("value", ""))


@scope.configured
def plan(facts: Facts) -> Result | Plan:
    """Split each shipment in what is reserved and what is not."""
    off = scope.reservations_off(facts)
    if off is not None:
        return off
    options = _options(facts)
    taken = taken_ids(facts)
    units = []
    lines = 0
    for shipment in scope.moving_shipments(facts):
        if shipment.shipment_id in facts.done or not is_movable(facts, shipment):
            continue
        units_of = _units(facts, shipment, options)
        unit = _unit(facts, shipment, units_of, options, taken) if units_of else None
        if unit is not None:
            units.append(unit)
            lines += len(units_of)
    if not units:
        return success("nothing was split")
    return Plan(units=tuple(units), conclude=partial(moved, f"split lines: {lines}"))


def _units(facts: Facts, shipment: Shipment, options: Options) -> Units:
    found: Units = {}
    for line in shipment.line_items:
        if not line.moves_stock or line.effective == ZERO or not _matches(facts, line, options):
            continue
        reserved = _reserved_part(line)
        if reserved == line.effective and not options.ignores_reservation:
            continue
        if options.splits_lines and not options.ignores_reservation and reserved > ZERO:
            found[line.line_item_id] = line.effective - reserved
        else:
            found[line.line_item_id] = None
    return found


def _reserved_part(line: OrderLine) -> Decimal:
    return max(ZERO, min(line.reserved_inventory_quantity, line.effective))


def _matches(facts: Facts, line: OrderLine, options: Options) -> bool:
    if options.only_future and not (
        line.requested_delivery_date and line.requested_delivery_date > facts.now
    ):
        return False
    return all(same(property_value(line.properties, key), value) for key, value in options.properties)


def _unit(facts: Facts, shipment: Shipment, units: Units, options: Options, taken: set[str]) -> Unit | None:
    """A new shipment for the lines, or the shipment itself when nothing of it would stay."""
    key = shipment.shipment_id
    if all(units.get(line.line_item_id, ZERO) is None for line in shipment.line_items):
        dressed = _dressed(facts, shipment, options)
        code = scope.sender(facts, dressed)
        moves = tuple(relocations(facts, shipment, code, check=True)) if options.warehouse else ()
        edit = partial(_changed, facts, options, key)
        return Unit(key=key, moves=moves, edit=edit) if moves or edit(facts.order) != facts.order else None
    made = new_shipment(shipment, free_shipment_id(taken, key), options.warehouse)
    target = _dressed(facts, made, options)
    moving: list[Move] = []
    gone: dict[str, Leaving] = {}
    for line in shipment.line_items:
        if line.line_item_id in units:
            part = leaving(facts, shipment, line, units[line.line_item_id])
            kept = part.stays.effective if part.stays is not None else ZERO
            moving += row_moves(facts, shipment, line, target, kept)
            gone[line.line_item_id] = part
    return Unit(key=key, moves=tuple(moving), edit=partial(_split, options.status, key, target, gone))


def _dressed(facts: Facts, shipment: Shipment, options: Options) -> Shipment:
    """The shipment with the configured status, method and warehouse."""
    if options.method:
        shipment = msgspec.structs.replace(shipment, shipping_method_name=options.method)
    if options.warehouse and not same(shipment.warehouse_code, options.warehouse):
        shipment = msgspec.structs.replace(
            shipment, warehouse_code=options.warehouse, virtual_warehouse_code=None
        )
    if options.status:
        log = facts.orders.use_order_status_log
        shipment = with_order_status(shipment, options.status, facts.now, log=log)
    return shipment


def _changed(facts: Facts, options: Options, key: str, order: Order) -> Order:
    shipments = scope.replaced_shipments(order, (key,), lambda one: _dressed(facts, one, options))
    return _agreed(with_shipments(order, shipments), options.status)


def _split(status: str, key: str, target: Shipment, gone: dict[str, Leaving], order: Order) -> Order:
    return _agreed(transferred(order, key, target, gone), status)


def _agreed(order: Order, status: str) -> Order:
    """The order in the status of the split when all shipments agree on it."""
    agree = bool(status) and all(same(one.order_status, status) for one in order.shipments)
    if not agree or same(order.status, status):
        return order
    return msgspec.structs.replace(order, status=status)


# What people read --------------------------------------------------------------------------------------------

SPLIT: Final = StepSpec(
    key="TrySplitUnreservedOrderLines",
    title="Try to split unreserved order lines",
    group="Reallocate",
    tier=2,
    applicable_statuses=("New",),
    properties=(
        Property(name="WarehouseCode", meaning="Warehouse of the new shipment; empty keeps the old one."),
        ROLES_PROPERTY,
        Property(
            name="OrderLineProperties",
            type="Json",
            meaning='Only lines with all of these properties: `[{"key": "gift", "value": "true"}]`.',
        ),
        Property(
            name="HasFutureRequestedDeliveryDate",
            type="Boolean",
            default="false",
            meaning="Only lines whose `requestedDeliveryDate` lies in the future.",
        ),
        Property(name="SplitToStatus", meaning="`orderStatus` of the new shipment."),
        Property(name="ShippingMethodName", meaning="Shipping method of the new shipment."),
        Property(name="AllocationScheme", meaning="Accepted and not used."),
        Property(
            name="IgnoreInventory",
            type="Boolean",
            default="false",
            meaning="True splits off every line that the other settings match, reserved or not.",
        ),
        Property(
            name="AllowLineSplitting",
            type="Boolean",
            default="false",
            meaning="True splits off only the unreserved part of a line; false the whole line.",
        ),
    ),
    effects=Effects(reserved_inventory="moved"),
    behaviour=(
        "Moves the lines of each shipment that are not reserved in full to one new shipment, so that the rest can leave. A part "
        "that stays keeps what is reserved; a line that goes as a whole takes its reservation along. When no line would "
        "stay, the shipment itself gets the configured warehouse, status and method. When all shipments have `SplitToStatus` "
        "then, so has the order; no workflow runs for it."
    ),
    prerequisites=("Marks of `UpdateOrderLineReservedInventory` or `IncreaseReservedInventory`",),
    side_effects=("New shipments, status `AwaitingInventory`",),
    error_table=(
        Case(condition="split, or nothing to split", result="Success", continues="yes"),
        Case(
            condition="a property that cannot be read",
            result="Error, nothing written",
            continues="per stopOnError",
        ),
    ),
    related=("UpdateOrderLineReservedInventory", "TryReallocateToOtherWarehouse"),
    plan=plan,
)

STEPS: Final = (SPLIT,)
