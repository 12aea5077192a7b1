from __future__ import annotations

import pytest

from onhand.core.orders import entities, filters
from onhand.core.orders.configuration import WorkflowStep
from onhand.core.orders.lines import read_order
from onhand.core.orders.model import Order


def step(**more):
    found = entities.read(WorkflowStep, {"name": "X", **more})
    assert isinstance(found, WorkflowStep)
    return found


def order(*shipments, **more):
    found = read_order(
        {"id": "O1", "marketId": "NO", "storeId": "ST1", "orderForm": {"shipments": list(shipments)}, **more}
    )
    assert isinstance(found, Order)
    return found


S1 = {"shipmentId": "S1", "warehouseCode": "WH1", "shippingMethodName": "Post"}
S2 = {"shipmentId": "S2", "warehouseCode": "WH2", "shippingMethodName": "PickUp"}


@pytest.mark.parametrize(
    "filters_",
    [
        {},
        {"enabledForMarkets": [" no "]},
        {"enabledForStores": ["st1", "other"]},
        {"enabledForTags": ["pos"]},
        {"disabledForTags": ["web"]},
        {"enabledForWarehouses": ["wh2"]},
        {"disabledForWarehouses": ["WH2"]},
        {"enabledForShipmentOptions": ["post"], "enabledForWarehouses": ["WH1"]},
        {"enabledForStoreGroups": ["North"]},
    ],
)
def test_a_step_runs_when_its_filters_match(filters_):
    assert filters.skip_reason(step(**filters_), order(S1, S2, tags=["POS"]), store_groups=["north"]) is None


@pytest.mark.parametrize(
    ("filters_", "reason"),
    [
        ({"active": False}, "not active"),
        ({"enabledForMarkets": ["SE"]}, "enabled only for market SE, not NO"),
        ({"disabledForMarkets": ["no"], "enabledForMarkets": ["NO"]}, "disabled for market no"),
        ({"enabledForStores": ["x"]}, "enabled only for store x"),
        ({"enabledForTags": ["web"]}, "enabled only for tags web, not POS"),
        ({"disabledForTags": ["pos"]}, "disabled for tags pos"),
        ({"enabledForWarehouses": ["WH3"]}, "no shipment matches: enabled only for warehouse WH3"),
        ({"disabledForWarehouses": ["WH1", "WH2"]}, "no shipment matches: disabled for warehouse"),
        ({"enabledForShipmentOptions": ["post"], "enabledForWarehouses": ["WH2"]}, "no shipment matches"),
        ({"enabledForStoreGroups": ["North"]}, "enabled only for store group North, not without one"),
    ],
)
def test_a_step_is_skipped_with_its_reason(filters_, reason):
    found = filters.skip_reason(step(**filters_), order(S1, S2, tags=["POS"]))
    assert found is not None
    assert reason in found


def test_what_the_order_lacks_is_not_enabled_and_not_disabled():
    bare = order({"shipmentId": "S1"})
    assert filters.skip_reason(step(enabledForWarehouses=["WH1"]), bare) is not None
    assert filters.skip_reason(step(disabledForWarehouses=["WH1"]), bare) is None
    assert filters.skip_reason(step(enabledForTags=["a"]), bare) is not None
    assert filters.skip_reason(step(enabledForWarehouses=["WH1"]), order()) is not None
    assert filters.skip_reason(step(disabledForWarehouses=["WH1"]), order()) is None


def test_a_run_of_one_shipment_looks_at_that_shipment():
    only = step(enabledForWarehouses=["WH1"])
    assert filters.skip_reason(only, order(S1, S2), "S1") is None
    assert filters.skip_reason(only, order(S1, S2), "S2") is not None


def test_a_step_that_moves_stock_acts_on_the_matching_shipments_only():
    only = step(enabledForWarehouses=["WH1"])
    assert [one.shipment_id for one in filters.matching_shipments(only, order(S1, S2), None)] == ["S1"]
    assert filters.matching_shipments(only, order(S1, S2), "S2") == ()
    assert filters.matching_shipments(step(), order(S1, S2), "S9") == ()


@pytest.mark.parametrize(
    ("conditions", "so_far", "runs"),
    [
        ([], ["Error"], True),
        (["Success"], [], True),
        (["Success"], ["Success", "Success"], True),
        (["Success"], ["Success", "Warning"], False),
        (["Warning"], ["Success", "Warning"], True),
        (["Warning"], ["Error"], False),
        (["error "], ["Success", "Error", "Success"], True),
        (["Error"], ["Success"], False),
        (["Error"], [], False),
        (["Warning", "Error"], ["Error"], True),
        (["Success", "Error"], ["Warning"], False),
        (["Never"], ["Error"], False),
    ],
)
def test_conditions_are_ored_and_look_at_the_results_so_far(conditions, so_far, runs):
    found = step(workflowStepConditions=[{"type": one} for one in conditions])
    reason = filters.condition_reason(found, so_far)
    assert (reason is None) is runs
