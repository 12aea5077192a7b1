"""Moving the lines that their warehouse cannot deliver."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import msgspec

from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ItemRef, Move
from onhand.steps import scope
from onhand.steps.allocation import (
    ROLES_PROPERTY,
    current_needs,
    demanded,
    movable,
    moved,
    needs_at,
    roles,
    sent_from,
)
from onhand.steps.contract import Case, Effects, Facts, Plan, Result, StepSpec, Unit, success
from onhand.steps.moving import (
    Leaving,
    candidates,
    free_shipment_id,
    leaving,
    new_shipment,
    relocations,
    row_moves,
    taken_ids,
    transferred,
)
from onhand.steps.promises import Promises

Groups = dict[str, dict[str, list[OrderLine]]]
"""Lines by shipment and by the warehouse that has them."""


def needs(facts: Facts) -> Iterator[ItemRef]:
    """All lines where they are, and at all candidates."""
    yield from current_needs(facts)
    yield from needs_at(facts, candidates(facts, roles(facts)))


def plan(facts: Facts) -> Result | Plan:
    """Move the lines that are short to another warehouse, in shipments of their own where others stay."""
    off = scope.reservations_off(facts)
    if off is not None:
        return off
    promises = Promises(facts)
    found = [one for one in movable(facts) if one.shipment_id not in facts.done]
    short: list[tuple[Shipment, OrderLine]] = []
    for shipment in found:
        for line in demanded(shipment):
            item = scope.item(facts, shipment, line)
            if not item.warehouse or not promises.cover(shipment, line, item):
                short.append((shipment, line))
    groups = _grouped(facts, promises, short)
    taken = taken_ids(facts)
    units = [_unit(facts, one, groups[one.shipment_id], taken) for one in found if one.shipment_id in groups]
    lines = sum(len(group) for by_code in groups.values() for group in by_code.values())
    left = f"; no warehouse has: {len(short) - lines}" if len(short) > lines else ""
    if not units:
        return success(f"nothing was moved{left}")
    return Plan(units=tuple(units), conclude=partial(moved, f"moved lines: {lines}{left}"))


def _grouped(facts: Facts, promises: Promises, short: list[tuple[Shipment, OrderLine]]) -> Groups:
    codes = candidates(facts, roles(facts))
    groups: Groups = {}
    for shipment, line in short:
        present = scope.sender(facts, shipment)
        for code in codes:
            if code != present and promises.cover(shipment, line, scope.item_at(line, code)):
                groups.setdefault(shipment.shipment_id, {}).setdefault(code, []).append(line)
                break
    return groups


def _unit(facts: Facts, shipment: Shipment, groups: dict[str, list[OrderLine]], taken: set[str]) -> Unit:
    """A shipment all of whose lines go to one warehouse is sent from there; otherwise each group gets a shipment."""
    key = shipment.shipment_id
    if len(groups) == 1:
        ((code, lines),) = groups.items()
        if len(lines) == len(shipment.line_items):
            moves = tuple(relocations(facts, shipment, code, check=True))
            return Unit(key=key, moves=moves, edit=partial(sent_from, code, (key,)))
    moving: list[Move] = []
    made: list[tuple[Shipment, dict[str, Leaving]]] = []
    for code, lines in groups.items():
        target = new_shipment(shipment, free_shipment_id(taken, key), code)
        for line in lines:
            moving += row_moves(facts, shipment, line, target)
        target = msgspec.structs.replace(target, is_allocated=True)
        made.append((target, {line.line_item_id: leaving(facts, shipment, line) for line in lines}))
    return Unit(key=key, moves=tuple(moving), edit=partial(_dispersed, key, tuple(made)))


def _dispersed(
    source_id: str, groups: tuple[tuple[Shipment, dict[str, Leaving]], ...], order: Order
) -> Order:
    for target, gone in groups:
        order = transferred(order, source_id, target, gone)
    return order


# What people read --------------------------------------------------------------------------------------------

OTHER: Final = StepSpec(
    key="TryReallocateToOtherWarehouse",
    title="Try to reallocate to another warehouse",
    group="Reallocate",
    tier=2,
    applicable_statuses=("New",),
    properties=(ROLES_PROPERTY,),
    effects=Effects(reserved_inventory="moved"),
    behaviour=(
        "Finds the lines that their warehouse cannot deliver as a whole and moves each to the first warehouse that can, in the "
        "order of `TryReallocateEntireOrder`. If all lines of a shipment go to the same one, the shipment changes its warehouse; "
        "otherwise the lines get a new shipment. Lines that no warehouse has stay where they are."
    ),
    side_effects=(
        "New shipments, status `AwaitingInventory`",
        "What was reserved moves along, in the same transaction",
    ),
    error_table=(
        Case(condition="moved, or nothing to move", result="Success", continues="yes"),
        Case(
            condition="somebody else took the stock meanwhile", result="Success (not moved)", continues="yes"
        ),
    ),
    related=("TryReallocateEntireOrder", "TrySplitUnreservedOrderLines"),
    plan=plan,
    needs=needs,
)

STEPS: Final = (OTHER,)
