from __future__ import annotations

import json

import pytest

from onhand.core.orders import entities
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    Warehouse,
    WorkflowGroup,
    Workflows,
    by_name,
    stock_address,
)
from onhand.core.orders.refusals import Refused


def order_type(**more):
    return {"name": "Online", "orderStatuses": [], **more}


def read(shape, value):
    found = entities.read(shape, value)
    assert isinstance(found, shape), found
    return found


def test_an_order_type_is_read_without_regard_to_case_and_shown_in_camel_case():
    found = read(
        OrderType,
        {
            "Name": "Online",
            "DisableWorkflow": "true",
            "OrderStatuses": [
                {
                    "Name": " New ",
                    "Order": 0,
                    "WorkflowSteps": [
                        {
                            "Name": "ChangeStatus",
                            "Properties": [{"Key": "orderStatus", "Value": "Ship"}],
                            "acceptText": "ok",
                        }
                    ],
                }
            ],
            "orderNumberType": "Web",
        },
    )
    assert found.disable_workflow
    status = found.status("NEW ")
    assert status is not None
    step = status.workflow_steps[0]
    assert (step.active, step.stop_on_error, step.run_after_order_is_saved) == (True, False, False)
    shown = json.loads(entities.to_json(entities.show(found)))
    assert shown["orderNumberType"] == "Web"
    assert shown["orderStatuses"][0]["workflowSteps"][0]["acceptText"] == "ok"
    assert read(OrderType, shown) == found


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ({}, ["name", "orderStatuses"]),
        (
            order_type(orderStatuses=[{"name": "New"}]),
            ["orderStatuses[0].order", "orderStatuses[0].workflowSteps"],
        ),
        (
            order_type(orderStatuses=[{"name": "New", "order": 1, "workflowSteps": [{}]}]),
            ["orderStatuses[0].workflowSteps[0].name"],
        ),
    ],
)
def test_a_missing_required_field_is_refused(value, paths):
    found = entities.read(OrderType, value)
    assert isinstance(found, Refused)
    assert [one.path for one in found.problems] == paths


def test_the_initial_status_is_the_first_by_sort_index():
    statuses = [
        {"name": "Ship", "order": 2, "workflowSteps": []},
        {"name": "New", "order": 0, "workflowSteps": []},
    ]
    found = read(OrderType, order_type(orderStatuses=statuses))
    assert found.initial is not None
    assert found.initial.name == "New"
    assert read(OrderType, order_type()).initial is None


def test_a_status_is_open_until_it_is_flagged_delivered_or_cancelled():
    def opened(**flags):
        status = {"name": "X", "order": 0, "workflowSteps": [], **flags}
        return read(OrderType, order_type(orderStatuses=[status])).order_statuses[0].is_open

    assert opened()
    assert opened(isPicked=True)
    assert not opened(isDeliveredStatus=True)
    assert not opened(isCanceledStatus=True)


def test_what_a_run_sees_is_found_without_regard_to_case():
    workflows = Workflows(
        order_types=by_name(
            (read(OrderType, order_type(defaultOrderType=True)), read(OrderType, order_type(name="Pos")))
        ),
        groups=by_name((read(WorkflowGroup, {"id": "G1"}),)),
        warehouses=by_name((read(Warehouse, {"warehouseCode": "WH1"}),)),
    )
    assert workflows.order_type(" pos ") is not None
    found = workflows.order_type("")
    assert found is not None
    assert found.name == "Online"
    assert workflows.order_type("PreOrder") is None
    assert workflows.group("g1") is not None
    assert workflows.warehouse("wh1") is not None
    assert workflows.warehouse(None) is None


def test_the_stock_of_a_warehouse_is_at_its_code_unless_it_says_otherwise():
    settings = read(InventorySettings, {"organizationId": "usmf"})
    address = stock_address(read(Warehouse, {"code": "WH1", "siteId": "1"}), settings)
    assert (address.organization_id, address.dimensions) == ("usmf", {"SiteId": "1", "LocationId": "WH1"})
    own = read(Warehouse, {"code": "WH1", "organizationId": "demf", "locationId": "11"})
    address = stock_address(own, settings)
    assert (address.organization_id, address.dimensions) == ("demf", {"LocationId": "11"})


def test_the_owner_of_a_warehouse_is_its_own_or_the_environments():
    settings = InventorySettings()
    assert read(Warehouse, {"code": "W"}).owned_by(settings) == "workflow"
    assert read(Warehouse, {"code": "W", "owner": "ERP"}).owned_by(settings) == "erp"
    assert (
        read(Warehouse, {"code": "W"}).owned_by(read(InventorySettings, {"defaultPhysicalOwner": "erp"}))
        == "erp"
    )


def test_the_defaults_of_the_settings_let_orders_move_stock():
    settings = InventorySettings()
    assert settings.is_enabled
    assert settings.is_write_enabled
    assert settings.is_reservation_write_enabled
    assert (settings.inventory_measure, settings.reserved_measure) == ("iv.onhand", "iv.softreserved")
    assert not OrderSettings().allow_over_delivery


def test_returns_go_back_into_stock_unless_their_type_says_otherwise():
    settings = read(
        OrderSettings, {"returnSettings": {"returnTypes": [{"id": "Broken", "updateInventory": False}]}}
    )
    assert not settings.return_settings.updates_inventory("broken")
    assert settings.return_settings.updates_inventory("Exchange")
    assert settings.return_settings.updates_inventory(None)
