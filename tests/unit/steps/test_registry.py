"""The registry and the catalogue: every key of 4.16 once, with what people need to know about it."""

from __future__ import annotations

import msgspec
import pytest

from onhand.steps.catalogue import entries, entry_of
from onhand.steps.contract import Result, Status
from onhand.steps.registry import CATALOGUE, find
from tests.unit.steps.shelf import Shelf, line, order, shipment

TIERS = {
    1: """
        IncreaseReservedInventory ReduceReservedInventory ReduceInventory ReduceInventoryAndReservedInventory
        ReduceInventoryOnlyOnReservedOrderLines RecalculateReservedInventory UpdateOrderLineReservedInventory
        SetAllOrderLinesToReserved SetItemsOutOfStock ChangeStatusIfOutOfStock
        CheckPosOrderForReturnAndIncreaseInventory ChangeStatus ChangeShipmentOrderStatus UpdateShipmentStatus
        CompleteShipment
    """,
    2: """
        CalculateAtp CalculateAndUpdateProductInventory SetShipmentOrOrderReadyForPickup
        TryAllocateOrderToCurrentWarehouses TryReallocateEntireOrder TryReallocateEntireOrderToSpecificWarehouse
        TryReallocateToOtherWarehouse TrySplitUnreservedOrderLines ProductPackageBreakDown SetUpdateStatusDate
        UpdateInventory UpdateOrderStatus HttpAction
    """,
    3: """
        MarkOrderLinesForCrossDock AllocateToWarehouse SetWarehouseBasedOnZip TryReallocateToPurchaseOrder
        TryReallocateOnCancel TrySplitUnreservedOrderLinesToNewShipment TrySplitUnreservedOrderLinesToClosestZip
        TrySplitUnreservedOrderLinesToNearestCoordinates TrySplitOrderToWarehouse SplitAllLineItems
        SplitOrderLinesToBePurchasedToShipment TrySplitShipmentByCategoryId SplitShipmentCost CreateDefaultShipment
        UpdateShipmentStatusForInTransit RemoveUpdateStatusDate ChangeStatusBasedOnProductProperties
    """,
}


@pytest.mark.parametrize(("tier", "keys"), [(tier, keys.split()) for tier, keys in TIERS.items()])
def test_every_key_of_the_catalogue_is_known_with_its_tier(tier, keys):
    assert [key for key in keys if find(key) is None or find(key).tier != tier] == []


def test_keys_are_unique_and_compared_without_case():
    assert len({spec.key.lower() for spec in CATALOGUE}) == len(CATALOGUE)
    assert find(" calculateATP ") is find("CalculateAtp")
    assert find("Unheard") is None
    assert find(None) is None


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.key)
def test_what_people_read_is_complete(spec):
    assert spec.title
    assert spec.group
    assert spec.behaviour
    assert spec.error_table
    assert all(case.condition and case.result and case.continues for case in spec.error_table)
    assert [one for one in spec.related if find(one) is None or one == spec.key] == []
    assert all(one.name for one in spec.properties)


@pytest.mark.parametrize("tier", [1, 2])
def test_tiers_1_and_2_are_built(tier):
    missing = [spec.key for spec in CATALOGUE if spec.tier == tier and not spec.implemented]
    assert missing == []


def test_the_hidden_steps():
    assert {spec.key for spec in CATALOGUE if spec.hidden} == {
        "ChangeStatusIfOutOfStock",
        "SetShipmentOrOrderReadyForPickup",
        "MarkOrderLinesForCrossDock",
    }


@pytest.mark.parametrize(
    ("key", "group", "statuses"),
    [
        ("ReduceInventoryOnlyOnReservedOrderLines", "Shipments", ("Ship", "ReadyForPickup", "Completed")),
        ("ReduceInventoryAndReservedInventory", "Inventory", ("Ship", "ReadyForPickup", "Completed")),
        ("IncreaseReservedInventory", "Inventory", ("New", "Returned", "PartiallyReturned")),
        ("CheckPosOrderForReturnAndIncreaseInventory", "Modify", ("New",)),
        ("SetAllOrderLinesToReserved", "Reallocate", ("New",)),
        ("SetItemsOutOfStock", "Inventory", ()),
    ],
)
def test_groups_and_statuses_are_those_of_the_original(key, group, statuses):
    spec = find(key)
    assert (spec.group, spec.applicable_statuses) == (group, statuses)


@pytest.mark.parametrize(
    ("key", "name", "required", "default"),
    [
        ("IncreaseReservedInventory", "onlyReservedLines", False, "false"),
        ("UpdateOrderLineReservedInventory", "IgnoreOrdersToBePurchased", False, "false"),
        ("ChangeStatusIfOutOfStock", "orderStatus", True, ""),
        ("ChangeStatusIfOutOfStock", "triggerNewStatusWithoutWorkflow", False, "true"),
        ("ChangeStatus", "triggerNewStatusWithoutWorkflow", False, "false"),
        ("ChangeShipmentOrderStatus", "ToStatus", True, ""),
        ("UpdateShipmentStatus", "shipmentStatus", True, ""),
        ("SetUpdateStatusDate", "TimeSpan", True, ""),
        ("UpdateOrderStatus", "ReturnedStatus", False, "Returned"),
        ("TryReallocateEntireOrderToSpecificWarehouse", "warehouseCode", True, ""),
    ],
)
def test_properties(key, name, required, default):
    found = next(one for one in find(key).properties if one.name == name)
    assert (found.required, found.default) == (required, default)


def test_8_3_the_entry_of_a_client():
    entry = msgspec.to_builtins(entry_of("ReduceInventoryOnlyOnReservedOrderLines"))
    assert list(entry) == [
        "key",
        "title",
        "group",
        "hidden",
        "applicableStatuses",
        "properties",
        "effects",
        "errorTable",
        "relatedSteps",
        "tier",
        "implemented",
        "behaviour",
    ]
    assert entry["effects"] == {
        "inventory": "-",
        "reservedInventory": "- if reserved",
        "lineFlag": "",
        "cost": True,
    }
    assert (entry["tier"], entry["implemented"]) == (1, True)
    assert {"condition", "result", "continues"} == set(entry["errorTable"][0])
    assert set(msgspec.to_builtins(entry_of("ChangeStatus"))["properties"][0]) >= {
        "name",
        "type",
        "required",
        "default",
    }
    assert entry_of("Unheard") is None
    assert [one.key for one in entries()] == [spec.key for spec in CATALOGUE]


@pytest.mark.parametrize(
    "spec", [one for one in CATALOGUE if one.plan is not None], ids=lambda spec: spec.key
)
def test_a_step_asks_for_nothing_and_fails_in_nothing_on_an_empty_order(spec):
    shelf = Shelf(order())
    assert isinstance(shelf.run(spec.key), Result)


@pytest.mark.parametrize(
    ("key", "counters"),
    [
        ("ReduceInventory", (9, 2)),
        ("ReduceInventoryAndReservedInventory", (9, 1)),
        ("IncreaseReservedInventory", (10, 3)),
        ("ReduceReservedInventory", (10, 1)),
        ("RecalculateReservedInventory", (10, 0)),
        ("UpdateOrderLineReservedInventory", (10, 2)),
        ("SetAllOrderLinesToReserved", (10, 2)),
        ("ChangeStatusIfOutOfStock", (10, 2)),
        ("CalculateAtp", (10, 2)),
        ("CalculateAndUpdateProductInventory", (10, 2)),
    ],
)
def test_3_1_what_a_step_touches(key, counters):
    shelf = Shelf(order(shipment(line())), A=(10, 2))
    result = shelf.run(key, properties={"orderStatus": "Backorder"})
    assert result.status is Status.SUCCESS
    assert shelf.counts() == counters
