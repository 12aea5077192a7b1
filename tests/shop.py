"""A small shop for tests of the service: builds of commands over the profile `standalone`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from onhand.core.commands import ANYONE, ChangeOnHand, Owner, Reserve
from onhand.core.dimensions import fold, name_dimensions, record_position, reservation_node
from onhand.core.keys import Position, ProductKey, product_key
from onhand.core.outcomes import Rejected
from onhand.core.quantities import SCALE
from onhand.core.rules import MeasureName, Rules

PLACE = {"siteId": "1", "locationId": "11"}
RED = {**PLACE, "colorId": "red"}
ON_HAND = ("iv", "onhand")


def key(rules: Rules, product: str, organization: str = "usmf") -> ProductKey:
    """Key of a product."""
    return product_key(rules.environment, fold(rules, organization), fold(rules, product))


def position(rules: Rules, dimensions: Mapping[str, str]) -> Position:
    """Position of an on-hand record."""
    named = name_dimensions(rules, dimensions, None)
    assert not isinstance(named, Rejected)
    return record_position(rules, named)


def reserved_measure(rules: Rules) -> int:
    """The measure that reservations are counted in."""
    return min(rules.mapped)


def change(
    product: str,
    units: int,
    command_id: str,
    *,
    dimensions: Mapping[str, str] = PLACE,
    measure: MeasureName = ON_HAND,
    fingerprint: int = 0,
) -> Callable[[Rules], ChangeOnHand]:
    """Post a quantity."""
    return lambda rules: ChangeOnHand(
        id=command_id,
        fingerprint=fingerprint or units,
        caller="tester",
        product=key(rules, product),
        organization_shown="USMF",
        product_shown=product,
        position=position(rules, dimensions),
        changes=((rules.measures[measure], units * SCALE),),
    )


def reserve(
    product: str,
    units: int,
    command_id: str,
    *,
    dimensions: Mapping[str, str] = PLACE,
    check: bool = True,
    lives_us: int | None = None,
    owner: Owner = ANYONE,
) -> Callable[[Rules], Reserve | Rejected]:
    """Reserve a quantity, checked."""

    def build(rules: Rules) -> Reserve | Rejected:
        named = name_dimensions(rules, dimensions, None)
        node = named if isinstance(named, Rejected) else reservation_node(rules, named)
        if isinstance(node, Rejected):
            return node
        return Reserve(
            id=command_id,
            fingerprint=units,
            caller="tester",
            product=key(rules, product),
            organization_shown="USMF",
            product_shown=product,
            position=node,
            measure=reserved_measure(rules),
            quantity=units * SCALE,
            check=check,
            lives_us=lives_us,
            owner=owner,
        )

    return build
