"""Steps that look for a warehouse for the order, and move its reservations there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import msgspec

from onhand.core.orders.lines import with_shipments
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ZERO, ItemRef
from onhand.core.orders.promising import levels
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
    error,
    success,
)
from onhand.steps.moving import at_warehouse, candidates, has_role, is_movable, relocations
from onhand.steps.promises import Promises

ROLES: Final = "storeRoles"


def demanded(shipment: Shipment) -> Iterator[OrderLine]:
    """Lines that need stock of a warehouse."""
    return (line for line in shipment.line_items if scope.is_reservable(line) and line.effective > ZERO)


def roles(facts: Facts) -> tuple[str, ...]:
    """Roles one of which a warehouse must have."""
    return scope.settings(facts).texts(ROLES)


def movable(facts: Facts) -> tuple[Shipment, ...]:
    """Shipments of the run that the step's filters include and of which nothing has left."""
    return tuple(one for one in scope.moving_shipments(facts) if is_movable(facts, one))


# TryAllocateOrderToCurrentWarehouses -------------------------------------------------------------------------


def current_needs(facts: Facts) -> Iterator[ItemRef]:
    """The lines' items where they are."""
    for shipment in scope.shipments(facts):
        for line in demanded(shipment):
            yield from levels(scope.item(facts, shipment, line))


def allocate(facts: Facts) -> Result | Plan:
    """Mark shipments whose warehouse has all they need as allocated."""
    promises = Promises(facts)
    wanted = roles(facts)
    found = []
    for shipment in scope.shipments(facts):
        code = scope.sender(facts, shipment)
        lines = list(demanded(shipment))
        if not code or not lines or not is_movable(facts, shipment) or not has_role(facts, code, wanted):
            continue
        covered = [promises.cover(shipment, line, scope.item(facts, shipment, line)) for line in lines]
        if all(covered):
            found.append(shipment.shipment_id)
    result = success(f"allocated shipments: {len(found)}")
    marked = partial(_allocated, tuple(found))
    if marked(facts.order) == facts.order:
        return result
    return Plan(units=(Unit(key="order", edit=marked),), conclude=lambda done: scope.refusal(done) or result)


def _allocated(ids: tuple[str, ...], order: Order) -> Order:
    change = partial(msgspec.structs.replace, is_allocated=True)
    return with_shipments(order, scope.replaced_shipments(order, ids, change))


# TryReallocateEntireOrder, ...ToSpecificWarehouse ------------------------------------------------------------


def _targets(facts: Facts) -> tuple[str, ...]:
    """Warehouses for the whole order; the one where everything is already comes first."""
    found = candidates(facts, roles(facts))
    present = {scope.sender(facts, one) for one in movable(facts)}
    stays = tuple(one for one in present if len(present) == 1 and one in found)
    return tuple(dict.fromkeys((*stays, *found)))


def _specific(facts: Facts) -> tuple[str, ...]:
    code = scope.warehouse_code(facts, scope.settings(facts).text("warehouseCode"))
    return (code,) if code and has_role(facts, code, roles(facts)) else ()


def needs_at(facts: Facts, codes: Sequence[str]) -> Iterator[ItemRef]:
    """All lines' items at these warehouses."""
    for shipment in movable(facts):
        for line in demanded(shipment):
            for code in codes:
                yield from levels(scope.item_at(line, code))


def entire_needs(facts: Facts) -> Iterator[ItemRef]:
    """All lines at all candidates."""
    return needs_at(facts, _targets(facts))


def specific_needs(facts: Facts) -> Iterator[ItemRef]:
    """All lines at the one warehouse."""
    return needs_at(facts, _specific(facts))


def entire(facts: Facts) -> Result | Plan:
    """Move all shipments to the first warehouse that has everything."""
    return _whole(facts, _targets(facts))


def specific(facts: Facts) -> Result | Plan:
    """Move all shipments to one warehouse, if it has everything."""
    if not scope.settings(facts).has("warehouseCode"):
        return error("The step needs the property warehouseCode; nothing was changed.", "WarehouseMissing")
    return _whole(facts, _specific(facts))


def _whole(facts: Facts, targets: Sequence[str]) -> Result | Plan:
    if facts.shipment_id is not None:
        return success("a run of one shipment does not move the order")
    off = scope.reservations_off(facts)
    if off is not None:
        return off
    found = movable(facts)
    lines = [(shipment, line) for shipment in found for line in demanded(shipment)]
    if not lines:
        return success(scope.NOTHING_TO_DO)
    target = next((code for code in targets if _has_all(facts, code, lines)), None)
    if target is None:
        return success("no warehouse has everything")
    moves = tuple(move for one in found for move in relocations(facts, one, target, check=True))
    edit = partial(sent_from, target, tuple(one.shipment_id for one in found))
    if not moves and edit(facts.order) == facts.order:
        return success(f"stays at {target}")
    unit = Unit(key="order", moves=moves, edit=edit)
    return Plan(units=(unit,), conclude=partial(moved, f"moved to {target}"))


def _has_all(facts: Facts, code: str, lines: Sequence[tuple[Shipment, OrderLine]]) -> bool:
    promises = Promises(facts)
    return all(promises.cover(shipment, line, scope.item_at(line, code)) for shipment, line in lines)


def sent_from(code: str, ids: tuple[str, ...], order: Order) -> Order:
    """The order whose shipments of these ids leave from the warehouse."""

    def change(shipment: Shipment) -> Shipment:
        if (shipment.warehouse_code, shipment.is_allocated) == (code, True):
            return shipment
        return at_warehouse(shipment, code)

    return with_shipments(order, scope.replaced_shipments(order, ids, change))


def moved(message: str, done: Sequence[Done]) -> Result:
    """A refused move is no error: somebody else was faster, and the order stays where it is."""
    refused = [one for one in done if one.refused is not None]
    if not refused:
        return success(message)
    reason = refused[0].refused
    return success(f"not moved: {reason.message if reason is not None else ''}")


# What people read --------------------------------------------------------------------------------------------

ROLES_PROPERTY: Final = Property(
    name=ROLES,
    type="List",
    meaning="Only warehouses with one of these roles (`storeRoleIds`); empty means any.",
)

ALLOCATE: Final = StepSpec(
    key="TryAllocateOrderToCurrentWarehouses",
    title="Try to allocate the order to its current warehouses",
    group="Reallocate",
    tier=2,
    applicable_statuses=("New",),
    properties=(ROLES_PROPERTY,),
    behaviour=(
        "Marks each shipment as allocated (`isAllocated`) whose warehouse, or virtual stock location, has all that the shipment "
        "needs. Shipments share what is available in their order. The warehouse never changes and nothing is reserved."
    ),
    side_effects=("`isAllocated` of the shipments",),
    error_table=(Case(condition="all, some or none allocated", result="Success", continues="yes"),),
    related=("TryReallocateEntireOrder", "TryReallocateToOtherWarehouse"),
    plan=allocate,
    needs=current_needs,
)

_WHOLE_EFFECTS: Final = Effects(reserved_inventory="moved")
_WHOLE_SIDE: Final = (
    "`warehouseCode` and `isAllocated` of the shipments",
    "What was reserved moves from the old warehouses to the new one, in the same transaction",
)

ENTIRE: Final = StepSpec(
    key="TryReallocateEntireOrder",
    title="Try to reallocate the entire order",
    group="Reallocate",
    tier=2,
    applicable_statuses=("New",),
    properties=(ROLES_PROPERTY,),
    effects=_WHOLE_EFFECTS,
    behaviour=(
        "Looks for one warehouse that has everything and moves all shipments there: where they are already, if that is one; then "
        "the store's `availableWarehouses` by priority; for a store that names none, all warehouses, primary ones first. What the "
        "order has reserved at a warehouse counts as available there. If none has everything, nothing changes. A run of one "
        "shipment does nothing."
    ),
    side_effects=_WHOLE_SIDE,
    error_table=(
        Case(condition="moved, or no warehouse has everything", result="Success", continues="yes"),
        Case(
            condition="somebody else took the stock meanwhile", result="Success (not moved)", continues="yes"
        ),
    ),
    related=("TryReallocateEntireOrderToSpecificWarehouse", "TryReallocateToOtherWarehouse"),
    plan=entire,
    needs=entire_needs,
)

SPECIFIC: Final = StepSpec(
    key="TryReallocateEntireOrderToSpecificWarehouse",
    title="Try to reallocate the entire order to one warehouse",
    group="Reallocate",
    tier=2,
    applicable_statuses=("New",),
    properties=(
        Property(name="warehouseCode", required=True, meaning="The warehouse."),
        ROLES_PROPERTY,
    ),
    effects=_WHOLE_EFFECTS,
    behaviour="Like `TryReallocateEntireOrder`, but looks at this one warehouse only. If it has not enough, nothing changes.",
    side_effects=_WHOLE_SIDE,
    error_table=(
        Case(condition="moved, or not enough", result="Success", continues="yes"),
        Case(condition="`warehouseCode` is missing", result="Error", continues="per stopOnError"),
    ),
    related=("TryReallocateEntireOrder",),
    plan=specific,
    needs=specific_needs,
)

STEPS: Final = (ALLOCATE, ENTIRE, SPECIFIC)
