"""Packages and bundles: their components are what moves."""

from __future__ import annotations

from typing import Final

import msgspec

from onhand.core.orders.entities import ID_MAX
from onhand.core.orders.lines import with_shipments
from onhand.core.orders.model import Component, Order, OrderLine
from onhand.core.orders.moves import ZERO
from onhand.core.orders.numbers import product
from onhand.core.quantities import MAX_UNITS, PLACES
from onhand.steps import scope
from onhand.steps.contract import Case, Facts, Plan, Result, StepSpec, error, success
from onhand.steps.status import edited


def _is_whole(line: OrderLine) -> bool:
    """Whether it is a package that was not broken down."""
    return line.is_parent and not line.is_package_broke_down


def plan(facts: Facts) -> Result | Plan:
    """Give each package of the order its components as lines."""
    packages = [line for line in scope.lines(facts) if _is_whole(line)]
    if not packages:
        return success("no packages")
    for line in packages:
        for component in line.components:
            refused = _unusable(line, component)
            if refused is not None:
                return refused
    return edited(lambda order: _broken_down(order, facts.shipment_id), success(f"packages: {len(packages)}"))


def sku(component: Component) -> str:
    """SKU of a component."""
    found = (component.sku_id, component.product_id, component.component_id)
    return next((one.strip() for one in found if one and one.strip()), "")


def _unusable(line: OrderLine, component: Component) -> Result | None:
    if component.quantity < ZERO or not sku(component):
        return error(
            f"A component of line {line.line_item_id} has no skuId or a negative quantity. Nothing was changed.",
            "InvalidComponent",
        )
    for quantity in (line.quantity, line.canceled_quantity):
        total = product(component.quantity, quantity)
        exponent = total.normalize().as_tuple().exponent
        if abs(total) > MAX_UNITS or (isinstance(exponent, int) and exponent < -PLACES):
            return error(
                f"{sku(component)} for line {line.line_item_id} would be {total:f}, which is too large or too precise. "
                "Nothing was changed.",
                "InvalidComponent",
            )
    return None


def _broken_down(order: Order, shipment_id: str | None) -> Order:
    taken = {line.line_item_id for one in order.shipments for line in one.line_items}
    taken |= {line.line_item_id for line in order.order_form.unassigned}
    named: dict[tuple[str, int], str] = {}

    def expanded(lines: tuple[OrderLine, ...]) -> tuple[OrderLine, ...]:
        result: list[OrderLine] = []
        for line in lines:
            if not _is_whole(line):
                result.append(line)
                continue
            result.append(msgspec.structs.replace(line, is_package_broke_down=True))
            for number, component in enumerate(line.components, start=1):
                # The parts of one line in several shipments have components of the same id, as they have themselves.
                if component.quantity > ZERO:
                    place = (line.line_item_id, number)
                    named[place] = named.get(place) or _free_id(taken, line, number)
                    result.append(_component_line(line, component, named[place]))
        return tuple(result)

    shipments = tuple(
        msgspec.structs.replace(one, line_items=expanded(one.line_items))
        if shipment_id in (None, one.shipment_id)
        else one
        for one in order.shipments
    )
    changed = with_shipments(order, shipments)
    if shipment_id is not None or not order.order_form.unassigned:
        return changed
    form = msgspec.structs.replace(changed.order_form, unassigned=expanded(order.order_form.unassigned))
    return msgspec.structs.replace(changed, order_form=form)


def _free_id(taken: set[str], line: OrderLine, number: int) -> str:
    base = candidate = f"{line.line_item_id[: ID_MAX - 20]}-{number}"
    turn = 1
    while candidate in taken:
        turn += 1
        candidate = f"{base}-{turn}"
    taken.add(candidate)
    return candidate


def _component_line(line: OrderLine, component: Component, key: str) -> OrderLine:
    return OrderLine(
        line_item_id=key,
        code=sku(component),
        quantity=product(component.quantity, line.quantity),
        canceled_quantity=product(component.quantity, line.canceled_quantity),
        is_awaiting_purchase_order=line.is_awaiting_purchase_order,
        expected_delivery_date=line.expected_delivery_date,
        requested_delivery_date=line.requested_delivery_date,
        package_line_item_id=line.line_item_id,
        package_sku_id=line.code,
    )


BREAK_DOWN: Final = StepSpec(
    key="ProductPackageBreakDown",
    title="Product package breakdown",
    group="Modify",
    tier=2,
    applicable_statuses=("New",),
    behaviour=(
        "Gives each package or bundle its components as lines of their own, in the same shipment: the component's quantity times "
        "the quantity of the package. The package is marked `isPackageBrokeDown` and moves nothing any more. Run it before the "
        "steps that reserve."
    ),
    prerequisites=("`components` with `skuId` and `quantity` on the package's line",),
    side_effects=("New lines, with `packageLineItemId` and `packageSkuId`",),
    error_table=(
        Case(condition="done, or no packages", result="Success", continues="yes"),
        Case(
            condition="a component without SKU", result="Error, nothing written", continues="per stopOnError"
        ),
    ),
    related=("IncreaseReservedInventory", "ReduceInventoryOnlyOnReservedOrderLines"),
    plan=plan,
)

STEPS: Final = (BREAK_DOWN,)
