"""All steps by key, in the order of the catalogue. Lint and the engine look them up here."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from onhand.core.orders.configuration import folded
from onhand.steps import (
    allocation,
    http_action,
    packages,
    pickup,
    reallocation,
    recalculate,
    reduce,
    release,
    reserve,
    returns,
    splits,
    status,
    stock,
    unbuilt,
)
from onhand.steps.contract import StepSpec

CATALOGUE: Final[tuple[StepSpec, ...]] = (
    reserve.INCREASE,
    *release.STEPS,
    *reduce.STEPS,
    *recalculate.STEPS,
    reserve.UPDATE,
    reserve.SET_ALL,
    stock.SET_OUT_OF_STOCK,
    stock.CHANGE_STATUS_IF_OUT_OF_STOCK,
    returns.CHECK_POS_ORDER,
    status.CHANGE_STATUS,
    status.CHANGE_SHIPMENT_ORDER_STATUS,
    status.UPDATE_SHIPMENT_STATUS,
    status.COMPLETE_SHIPMENT,
    stock.CALCULATE_ATP,
    stock.UPDATE_PRODUCT_INVENTORY,
    *pickup.STEPS,
    *allocation.STEPS,
    *reallocation.STEPS,
    *splits.STEPS,
    *packages.STEPS,
    status.SET_UPDATE_STATUS_DATE,
    returns.UPDATE_INVENTORY,
    returns.UPDATE_ORDER_STATUS,
    *http_action.STEPS,
    *unbuilt.STEPS,
)

STEPS: Final = MappingProxyType({folded(spec.key): spec for spec in CATALOGUE})
"""By folded key."""


def find(key: str | None) -> StepSpec | None:
    """The step of this key, compared trimmed and without case; None for an unknown one."""
    return STEPS.get(folded(key))
