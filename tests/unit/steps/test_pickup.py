"""SetShipmentOrOrderReadyForPickup: scenario 99 and decision D22."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onhand.core.orders.configuration import InventorySettings
from onhand.steps.contract import Status
from tests.unit.steps.shelf import NOW, Shelf, flagged, line, order, shipment

KEY = "SetShipmentOrOrderReadyForPickup"
WEEK = timedelta(days=7)


def arriving(*lines, key="S1", status="Packing", **given):
    return shipment(*lines, key=key, status=status, **{"pick_up_warehouse_code": "ST1", **given})


def test_99_the_goods_and_their_reservation_are_at_the_store_now():
    of = order(arriving(flagged(quantity=2)), status="ReadyForPickup", store_pick_date=NOW)
    shelf = Shelf(of, A=(2, 0))
    shelf.hold("L1", 2)
    result = shelf.run(KEY, shipment_id="S1")
    assert (result.status, result.message) == (Status.SUCCESS, "shipments at their store: 1")
    (found,) = shelf.order.shipments
    assert (found.warehouse_code, found.pick_up_warehouse_code) == ("ST1", None)
    assert (shelf.counts()[1], shelf.counts("A", "ST1")[1]) == (0, 2)
    assert (shelf.line().reserved_inventory_quantity, shelf.line().forced_reservation) == (2, False)
    assert (shelf.order.customer_pickup_deadline, shelf.order.store_pick_date) == (NOW + WEEK, None)


@pytest.mark.parametrize("status", ["Transit", "open"])
def test_no_deadline_while_a_shipment_is_underway(status):
    of = order(arriving(line()), shipment(line("L2"), key="S2", status=status), store_pick_date=NOW)
    shelf = Shelf(of)
    shelf.run(KEY, shipment_id="S1")
    assert (shelf.order.customer_pickup_deadline, shelf.order.store_pick_date) == (None, None)


def test_a_shipment_level_run_leaves_the_others():
    shelf = Shelf(order(arriving(line()), arriving(line("L2"), key="S2")))
    shelf.run(KEY, shipment_id="S1")
    assert [one.warehouse_code for one in shelf.order.shipments] == ["ST1", "WH1"]
    shelf.run(KEY)
    assert [one.warehouse_code for one in shelf.order.shipments] == ["ST1", "ST1"]


def test_what_was_never_reserved_is_marked_and_takes_nothing_from_others():
    shelf = Shelf(order(arriving(line(quantity=2), line("L2", "B", is_virtual_product=True))))
    shelf.stock("A", "ST1", 5, 5)
    shelf.run(KEY)
    assert (shelf.line().reserved_inventory_quantity, shelf.line().forced_reservation) == (2, True)
    assert not shelf.line("L2").reserved_inventory
    shelf.run("UpdateShipmentStatus", properties={"shipmentStatus": "Released"})
    shelf.run("ReduceInventoryAndReservedInventory")
    assert shelf.counts("A", "ST1") == (3, 5)


def test_a_second_run_moves_nothing():
    shelf = Shelf(order(arriving(flagged(quantity=2))), A=(2, 0))
    shelf.hold("L1", 2)
    shelf.run(KEY)
    before = shelf.order
    shelf.run(KEY)
    assert (shelf.order, shelf.counts("A", "ST1")[1]) == (before, 2)


@pytest.mark.parametrize(
    ("properties", "deadline"),
    [
        ({}, NOW + WEEK),
        ({"customerPickupTime": "2.00:00:00"}, NOW + timedelta(days=2)),
        ({"saleStartDate": "2026-03-05"}, NOW.replace(day=5, hour=0) + WEEK),
        ({"saleStartDate": "2026-02-05"}, NOW + WEEK),
        ({"saleStartDate": "2026-03-05", "tagFilter": "presale, other"}, NOW.replace(day=5, hour=0) + WEEK),
        ({"saleStartDate": "2026-03-05", "tagFilter": "other"}, NOW + WEEK),
    ],
    ids=["default", "span", "sale-starts-later", "sale-has-started", "tagged", "not-tagged"],
)
def test_the_deadline(properties, deadline):
    shelf = Shelf(order(arriving(line()), tags=("PreSale",)))
    shelf.run(KEY, properties=properties)
    assert shelf.order.customer_pickup_deadline == deadline


@pytest.mark.parametrize(
    "properties", [{"customerPickupTime": "soon"}, {"saleStartDate": "tomorrow"}], ids=["span", "date"]
)
def test_a_property_that_cannot_be_read_is_an_error(properties):
    of = order(arriving(line()))
    shelf = Shelf(of)
    result = shelf.run(KEY, properties=properties)
    assert (result.status, result.error_key, shelf.order) == (Status.ERROR, "InvalidStepProperty", of)


def test_a_deadline_beyond_the_calendar_is_no_failure():
    shelf = Shelf(order(arriving(line())))
    properties = {"customerPickupTime": "36500.00:00:00", "saleStartDate": "9990-01-01"}
    assert shelf.run(KEY, properties=properties).status is Status.SUCCESS


def test_with_inventory_disabled_nothing_happens():
    of = order(arriving(line()))
    shelf = Shelf(of)
    shelf.inventory = InventorySettings(is_enabled=False)
    assert shelf.run(KEY).status is Status.SUCCESS
    assert shelf.order == of
