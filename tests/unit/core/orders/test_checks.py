from __future__ import annotations

import pytest

from onhand.core.configuration import compile_rules, declared_measures, parse_switches
from onhand.core.orders import checks, entities
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    ScheduledTask,
    Warehouse,
    Workflows,
    by_name,
)
from onhand.core.presets import document


def rules(profile="standalone", **changes):
    made = document(profile, "e")
    changes.get("change", lambda _: None)(made)
    measures = dict(enumerate(declared_measures(made), 1))
    return compile_rules(1, "e", 1, made, parse_switches({}), measures)


def read(shape, value):
    found = entities.read(shape, value)
    assert isinstance(found, shape), found
    return found


def of_inventory(value, its_rules=None, workflows=None):
    found = checks.check_inventory(
        read(InventorySettings, value), its_rules or rules(), workflows or Workflows()
    )
    return [(one.rule, one.path, one.severity) for one in found]


def test_the_defaults_fit_a_new_environment():
    assert of_inventory({}) == []


@pytest.mark.parametrize(
    ("value", "rule", "path"),
    [
        ({"inventoryMeasure": "iv.gone"}, "UnknownMeasure", "inventoryMeasure"),
        ({"reservedMeasure": "onhand"}, "UnknownMeasure", "reservedMeasure"),
        ({"reservedMeasure": "IV.OnHand"}, "NoReservationMapping", "reservedMeasure"),
        ({"inventoryMeasure": "iv.softreserved"}, "FormulaDoesNotFit", "reservedMeasure"),
        ({"valueProvider": "X"}, "UnknownValueProvider", "valueProvider"),
        ({"defaultPhysicalOwner": "X"}, "UnknownOwner", "defaultPhysicalOwner"),
        ({"virtualStockDimension": "X"}, "UnknownDimension", "virtualStockDimension"),
    ],
)
def test_inventory_settings_that_do_not_fit_are_refused(value, rule, path):
    assert of_inventory(value) == [(rule, path, "error")]


def test_names_in_settings_are_compared_without_case():
    assert (
        of_inventory({"inventoryMeasure": "IV.OnHand", "valueProvider": "fifoinventoryvalueprovider"}) == []
    )


def test_a_formula_with_further_terms_warns():
    def more(made):
        source = made["inventorySystemConfigurations"]["iv"]
        (target,) = source["reservMappings"].values()
        source["physicalMeasures"].append("safety")
        source["calculatedMeasures"][target.partition(".")[2]]["subtractionModifiers"].append("iv.safety")

    found = checks.check_inventory(InventorySettings(), rules(change=more), Workflows())
    assert [one.rule for one in found] == ["AvailabilityDiffers"]
    assert "- iv.safety" in found[0].message


def test_virtual_stock_locations_need_a_reservation_dimension():
    assert of_inventory({"useVirtualStockLocations": True}) == [
        ("DimensionNotReserved", "virtualStockDimension", "warning")
    ]
    assert of_inventory({"useVirtualStockLocations": True, "virtualStockDimension": "colorId"}) == []


def test_a_reservation_on_creation_warns_about_steps_that_reserve_again():
    reserving = read(
        OrderType,
        {
            "name": "Online",
            "orderStatuses": [
                {"name": "New", "order": 0, "workflowSteps": [{"name": "IncreaseReservedInventory"}]}
            ],
        },
    )
    found = of_inventory(
        {"isInventoryReservationTriggeredOnOrderCreation": True},
        workflows=Workflows(order_types=by_name((reserving,))),
    )
    assert [rule for rule, _, _ in found] == ["ReservedTwice"]


def test_a_warehouse_needs_an_address_to_move_stock():
    def of(value, settings=None):
        workflows = Workflows(
            inventory=read(InventorySettings, settings or {}), warehouses=by_name((Warehouse(code="WH1"),))
        )
        found = checks.check_warehouse(read(Warehouse, value), rules(), workflows)
        return [(one.rule, one.path) for one in found]

    assert of({"code": "W", "organizationId": "org", "siteId": "1"}) == []
    assert of({"code": "W", "siteId": "1"}, {"organizationId": "org"}) == []
    assert of({"code": "W", "siteId": "1"}) == [("NoStockAddress", "organizationId")]
    assert of({"code": "W", "organizationId": "org"}) == [("NoStockAddress", "siteId")]
    virtual = {"code": "V", "organizationId": "org", "siteId": "1"}
    assert of({**virtual, "physicalWarehouseCode": "wh1"}) == []
    assert of({**virtual, "physicalWarehouseCode": "WH9"}) == [("UnknownWarehouse", "physicalWarehouseCode")]
    assert of({**virtual, "owner": "me"}) == [("UnknownOwner", "owner")]


def test_steps_that_can_be_run_by_hand_have_ids_of_their_own():
    settings = {
        "availableManualWorkflowSteps": [{"name": "x", "id": "1", "groupId": "G"}, {"name": "y", "id": " 1"}]
    }
    found = checks.check_order_settings(read(OrderSettings, settings), {}, Workflows())
    assert [one.rule for one in found] == ["UnknownGroup", "UnknownStep", "DuplicateStep"]


@pytest.mark.parametrize(
    ("days", "rules"), [(None, []), (1, []), (0, ["InvalidPreservation"]), (-3, ["InvalidPreservation"])]
)
def test_events_are_kept_for_a_day_at_least(days, rules):
    settings = read(OrderSettings, {"eventLogOrderPreservationDays": days})
    assert [one.rule for one in checks.check_order_settings(settings, {}, Workflows())] == rules


def test_the_return_workflow_is_checked():
    settings = {
        "returnSettings": {"returnStatuses": [{"name": "Done", "order": 0, "workflowSteps": [{"name": "x"}]}]}
    }
    (found,) = checks.check_order_settings(read(OrderSettings, settings), {}, Workflows())
    assert (found.rule, found.path) == (
        "UnknownStep",
        "returnSettings.returnStatuses[0].workflowSteps[0].name",
    )


def test_a_task_is_known_and_has_a_schedule():
    def of(**value):
        found = checks.check_task(read(ScheduledTask, value))
        return [(one.rule, one.severity) for one in found]

    assert of(implementationType="updateorderstatusscheduledtask", schedule="* * * * *") == []
    assert of(implementationType="CancelExpiredClickCollectScheduledTask", schedule="* * * * *") == [
        ("NotImplemented", "warning")
    ]
    assert of(implementationType="Mine", schedule="daily") == [
        ("UnknownTask", "error"),
        ("UnreadableSchedule", "error"),
    ]
