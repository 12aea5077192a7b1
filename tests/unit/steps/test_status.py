"""Statuses and dates: scenarios 72 and 83, decisions D6, D33, D34."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onhand.core.orders.configuration import OrderSettings
from onhand.steps.contract import Result, Status
from tests.unit.steps.shelf import NOW, Shelf, line, order, shipment


def two(**given):
    return Shelf(
        order(
            shipment(line(), status="AwaitingInventory", order_status="New"),
            shipment(line("L2"), key="S2", status="Packing", order_status="InProgress"),
            **given,
        )
    )


def statuses(shelf):
    return [one.status for one in shelf.order.shipments]


def order_statuses(shelf):
    return [one.order_status for one in shelf.order.shipments]


@pytest.mark.parametrize(
    ("properties", "trigger", "without"),
    [
        ({"orderStatus": "Completed"}, "Completed", False),
        ({"orderStatus": "Completed", "triggerNewStatusWithoutWorkflow": "true"}, "Completed", True),
        ({"orderStatus": " ship "}, "ship", True),
        ({"orderStatus": "Ship", "orderType": "Pos"}, "Ship", False),
        ({"orderStatus": "Ship", "orderType": "online"}, "Ship", True),
    ],
    ids=["other", "without-workflow", "72-same", "same-of-another-type", "same-type-named"],
)
def test_change_status(properties, trigger, without):
    result = two().run("ChangeStatus", properties=properties)
    assert (result.status, result.trigger_new_status) == (Status.SUCCESS, trigger)
    assert result.trigger_new_status_without_workflow is without
    assert result.trigger_order_type == properties.get("orderType", "")


def test_change_status_in_a_run_of_a_shipment_that_has_it():
    result = two().run("ChangeStatus", shipment_id="S2", properties={"orderStatus": "InProgress"})
    assert result.trigger_new_status_without_workflow


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ChangeStatus", "orderStatus"),
        ("ChangeShipmentOrderStatus", "ToStatus"),
        ("UpdateShipmentStatus", "shipmentStatus"),
    ],
)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_status_is_an_error(key, name, value):
    shelf = two()
    before = shelf.order
    result = shelf.run(key, properties={} if value is None else {name: value})
    assert (result.status, result.error_key) == (Status.ERROR, "StatusMissing")
    assert name in result.error_reason
    assert shelf.order == before


@pytest.mark.parametrize(
    ("shipment_id", "source", "after"),
    [
        (None, "", ["Delayed", "Delayed"]),
        (None, " inprogress", ["New", "Delayed"]),
        (None, "Unheard", ["New", "InProgress"]),
        ("S1", "InProgress", ["Delayed", "InProgress"]),
    ],
    ids=["all", "matching", "none", "run-of-one"],
)
def test_change_shipment_order_status(shipment_id, source, after):
    shelf = two()
    result = shelf.run(
        "ChangeShipmentOrderStatus",
        shipment_id=shipment_id,
        properties={"ToStatus": "Delayed", "FromStatus": source},
    )
    assert (result.status, result.trigger_new_status) == (Status.SUCCESS, "")
    assert order_statuses(shelf) == after
    assert shelf.order.status == "Ship"
    assert [one.prev_status for one in shelf.order.shipments] == [
        before if status == "Delayed" else None
        for before, status in zip(("New", "InProgress"), after, strict=True)
    ]


def test_change_shipment_order_status_keeps_the_log_where_it_is_kept():
    shelf = two()
    shelf.settings = OrderSettings(use_order_status_log=True)
    shelf.run("ChangeShipmentOrderStatus", properties={"ToStatus": "Delayed"})
    assert [one.order_status_log[-1].timestamp for one in shelf.order.shipments] == [NOW, NOW]


def test_change_shipment_order_status_without_shipments_is_an_error():
    result = Shelf(order()).run("ChangeShipmentOrderStatus", properties={"ToStatus": "Delayed"})
    assert result.status is Status.ERROR


@pytest.mark.parametrize(
    ("shipment_id", "after"),
    [(None, ["Released", "Released"]), ("S2", ["AwaitingInventory", "Released"])],
)
def test_update_shipment_status(shipment_id, after):
    shelf = two()
    properties = {"shipmentStatus": "Released"}
    assert (
        shelf.run("UpdateShipmentStatus", shipment_id=shipment_id, properties=properties).status
        is Status.SUCCESS
    )
    assert statuses(shelf) == after
    assert isinstance(
        shelf.plan(shelf.facts("UpdateShipmentStatus", shipment_id=shipment_id, properties=properties)),
        Result,
    )


def test_complete_shipment():
    earlier = NOW - timedelta(days=1)
    shelf = Shelf(
        order(
            shipment(line()),
            shipment(line("L2"), key="S2", completed=earlier),
            shipment(line("L3"), key="S3", status="cancelled"),
        )
    )
    assert shelf.run("CompleteShipment").message == "shipments completed: 2"
    assert [(one.status, one.completed) for one in shelf.order.shipments] == [
        ("Shipped", NOW),
        ("Shipped", earlier),
        ("cancelled", None),
    ]
    assert shelf.run("CompleteShipment").message == "shipments completed: 0"


def test_83_a_status_is_planned():
    shelf = two()
    properties = {"TimeSpan": "7.00:00:00", "Status": "Completed"}
    result = shelf.run("SetUpdateStatusDate", properties=properties)
    assert (result.status, result.is_invisible) == (Status.SUCCESS, True)
    assert shelf.order.update_status_date == NOW + timedelta(days=7)
    assert shelf.order.next_order_status == "Completed"


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"TimeSpan": "7.00:00:00"},
        {"Status": "Completed"},
        {"TimeSpan": "soon", "Status": "Completed"},
        {"TimeSpan": "-1.00:00:00", "Status": "Completed"},
    ],
)
def test_an_unplanned_status_is_an_error_that_never_halts(properties):
    shelf = two()
    result = shelf.run("SetUpdateStatusDate", properties=properties)
    assert (result.status, result.is_invisible, result.never_halts) == (Status.ERROR, True, True)
    assert shelf.order.update_status_date is None
