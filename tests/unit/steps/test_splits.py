"""TrySplitUnreservedOrderLines (4.16) and the reservation's share of a split (3.5, D26)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onhand.core.orders.configuration import Warehouse
from onhand.core.orders.model import Property
from onhand.steps.contract import Status
from tests.unit.steps.shelf import NOW, Shelf, codes, flagged, line, order, shipment

KEY = "TrySplitUnreservedOrderLines"


def new(*lines, **given):
    return order(shipment(*lines, status="AwaitingInventory", order_status="New", **given), status="New")


def seen(shelf):
    return [
        (
            one.shipment_id,
            [(part.line_item_id, part.quantity, part.reserved_inventory_quantity) for part in one.line_items],
        )
        for one in shelf.order.shipments
    ]


def test_lines_without_a_full_reservation_get_a_shipment_of_their_own():
    lines = (flagged("L1", quantity=2), line("L2", "B", 3), flagged("L3", "C", 4, reserved=1))
    shelf = Shelf(new(*lines))
    shelf.hold("L1", 2)
    shelf.hold("L3", 1)
    result = shelf.run(KEY)
    assert (result.status, result.message) == (Status.SUCCESS, "split lines: 2")
    assert seen(shelf) == [("S1", [("L1", 2, 2)]), ("S1-2", [("L2", 3, 0), ("L3", 4, 1)])]
    assert shelf.order.shipments[1].status == "AwaitingInventory"
    assert (shelf.counts("A")[1], shelf.counts("C")[1]) == (2, 1)
    assert [row.shipment_id for row in shelf.rows.values() if row.remaining] == ["S1", "S1-2"]


def test_a_second_run_splits_nothing():
    shelf = Shelf(new(flagged("L1"), line("L2", "B")))
    shelf.run(KEY)
    before = shelf.order
    assert shelf.run(KEY).message == "nothing was split"
    assert shelf.order == before


@pytest.mark.parametrize("held", [2, 0], ids=["reserved", "marked-only"])
def test_line_splitting_leaves_the_reserved_part(held):
    shelf = Shelf(new(flagged("L1", quantity=5, reserved=2, canceled_quantity=1)))
    if held:
        shelf.hold("L1", held)
    shelf.run(KEY, properties={"AllowLineSplitting": "true"})
    assert seen(shelf) == [("S1", [("L1", 3, 2)]), ("S1-2", [("L1", 2, 0)])]
    assert [one.effective for one in (shelf.line("L1"), shelf.line("L1", "S1-2"))] == [2, 2]
    assert not shelf.line("L1", "S1-2").reserved_inventory
    assert shelf.counts()[1] == held


def test_d26_more_than_what_stays_needs_goes_along():
    shelf = Shelf(new(flagged("L1", quantity=5, reserved=2)))
    shelf.hold("L1", 3)
    shelf.run(KEY, properties={"AllowLineSplitting": "true"})
    assert [(row.shipment_id, row.remaining) for row in shelf.rows.values()] == [("S1", 2), ("S1-2", 1)]


@pytest.mark.parametrize(
    "of",
    [
        flagged(quantity=2),
        line(is_virtual_product=True),
        line(quantity=1, canceled_quantity=1),
        line(is_package_broke_down=True),
    ],
    ids=["reserved", "virtual", "cancelled", "package"],
)
def test_lines_that_stay(of):
    shelf = Shelf(new(of, flagged("L2", "B")))
    assert shelf.run(KEY).message == "nothing was split"


def test_when_nothing_would_stay_the_shipment_itself_is_changed():
    shelf = Shelf(new(line("L1"), line("L2", "B")))
    properties = {"SplitToStatus": "Backorder", "ShippingMethodName": "Slow", "WarehouseCode": "wh2"}
    shelf.warehouses = codes("WH2")
    shelf.run(KEY, properties=properties)
    (only,) = shelf.order.shipments
    assert (only.shipment_id, only.order_status, only.shipping_method_name, only.warehouse_code) == (
        "S1",
        "Backorder",
        "Slow",
        "WH2",
    )
    assert shelf.order.status == "Backorder"
    assert shelf.run(KEY, properties=properties).message == "nothing was split"


def test_the_order_keeps_its_status_while_shipments_disagree():
    shelf = Shelf(new(flagged("L1"), line("L2", "B")))
    shelf.run(KEY, properties={"SplitToStatus": "Backorder"})
    assert [one.order_status for one in shelf.order.shipments] == ["New", "Backorder"]
    assert shelf.order.status == "New"


@pytest.mark.parametrize(
    ("properties", "sender"),
    [
        ({}, "WH1"),
        ({"WarehouseCode": "WH3"}, "WH3"),
        ({"StoreRoles": "web"}, "WH2"),
        ({"StoreRoles": "none"}, "WH1"),
    ],
)
def test_the_warehouse_of_the_new_shipment(properties, sender):
    places = (Warehouse(code="WH1"), Warehouse(code="WH2", store_role_ids=("Web",)))
    shelf = Shelf(new(flagged("L1"), line("L2", "B")), warehouses=places)
    shelf.run(KEY, properties=properties)
    assert [one.warehouse_code for one in shelf.order.shipments] == ["WH1", sender]


@pytest.mark.parametrize(
    ("properties", "gone"),
    [
        ({"HasFutureRequestedDeliveryDate": "true"}, ["L2"]),
        ({"OrderLineProperties": '[{"key": "Gift", "value": "TRUE"}]'}, ["L3"]),
        ({"OrderLineProperties": '{"gift": "true"}'}, ["L3"]),
        ({"IgnoreInventory": "true", "OrderLineProperties": '{"keep": "no"}'}, ["L1"]),
    ],
)
def test_which_lines(properties, gone):
    lines = (
        flagged("L1", properties=(Property(key="keep", value="no"),)),
        line("L2", "B", requested_delivery_date=NOW + timedelta(days=1)),
        line("L3", "C", properties=(Property(key="gift", value="true"),), requested_delivery_date=NOW),
    )
    shelf = Shelf(new(*lines))
    shelf.run(KEY, properties=properties)
    assert [one.line_item_id for one in shelf.order.shipments[1].line_items] == gone


@pytest.mark.parametrize("value", ["[1]", "3", "{", '"gift"'])
def test_properties_that_cannot_be_read_are_an_error(value):
    of = new(line())
    shelf = Shelf(of)
    result = shelf.run(KEY, properties={"OrderLineProperties": value})
    assert (result.status, result.error_key, shelf.order) == (Status.ERROR, "InvalidStepProperty", of)
