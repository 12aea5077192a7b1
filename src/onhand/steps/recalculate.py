"""Repairing what is reserved of a product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from onhand.core.orders.moves import ZERO, Recalculate
from onhand.steps import scope
from onhand.steps.contract import Case, Done, Effects, Facts, Plan, Result, StepSpec, Unit, success

ALL_VIRTUAL: Final = "all lines are virtual"


def plan(facts: Facts) -> Result | Plan:
    """Recalculate each product of the order once."""
    off = scope.reservations_off(facts)
    if off is not None:
        return off
    skus = {line.code.strip() for line in scope.lines(facts) if not line.is_virtual_product}
    moves = tuple(Recalculate(sku=sku) for sku in sorted(skus) if sku)
    if not moves:
        return success(ALL_VIRTUAL, invisible=True)
    if "order" in facts.done:
        return success("recalculated")
    return Plan(units=(Unit(key="order", moves=moves),), conclude=_conclude)


def _conclude(done: Sequence[Done]) -> Result:
    refused = scope.refusal(done)
    if refused is not None:
        return refused
    changed = [one for unit in done for one in unit.applied if one.reserved_change != ZERO]
    return success(f"recalculated; changed: {len(changed)}")


RECALCULATE: Final = StepSpec(
    key="RecalculateReservedInventory",
    title="Recalculate reserved inventory",
    group="Shipments",
    tier=1,
    effects=Effects(reserved_inventory="="),
    behaviour=(
        "Makes what is reserved of each product of the order, **in all warehouses**, equal to what is really held: by the "
        "lines of open orders, and by the reservations of the reservation API, which are kept. The value may move up or down. "
        "An order is open while its status is flagged neither `isDeliveredStatus` nor `isCanceledStatus`.\n\n"
        "Run it after the order is saved (`runAfterOrderIsSaved`), so that it sees the order's own new status."
    ),
    prerequisites=(
        "Correct `isDeliveredStatus` and `isCanceledStatus` flags on the statuses of all order types",
    ),
    side_effects=(
        "A transaction `RecalculateReserved` where the value changed",
        "Rows of closed orders are closed",
    ),
    error_table=(
        Case(condition="recalculated", result="Success", continues="yes"),
        Case(condition="all lines virtual", result="Success (invisible)", continues="yes"),
        Case(condition="the recalculation was refused", result="Error", continues="per stopOnError"),
    ),
    related=("IncreaseReservedInventory", "ReduceReservedInventory", "ReduceInventory"),
    plan=plan,
)

STEPS: Final = (RECALCULATE,)
