"""Reserving, and what lines say about it: scenarios 84 to 87, 106, 107 and the decisions D13, D19, D25, A39, C4 to C9."""

from __future__ import annotations

import pytest

from onhand.core.orders.configuration import InventorySettings
from onhand.core.orders.model import Component
from onhand.core.orders.moves import ItemRef, Relocate, Reserve
from onhand.steps.contract import Status
from tests.unit.steps.shelf import NOW, D, Shelf, codes, flagged, line, order, replaced, shipment

INCREASE = "IncreaseReservedInventory"
UPDATE = "UpdateOrderLineReservedInventory"
SET_ALL = "SetAllOrderLinesToReserved"
STEP = "ReduceInventoryOnlyOnReservedOrderLines"
ONLY_RESERVED = {"onlyReservedLines": True}


def new(*lines, **given):
    return order(shipment(*lines, status="AwaitingInventory", **given), status="New")


def said(shelf, key="L1", of="S1"):
    found = shelf.line(key, of)
    return found.reserved_inventory, found.reserved_inventory_quantity


# IncreaseReservedInventory -----------------------------------------------------------------------------------


def test_84_the_effective_quantity_is_reserved_and_the_line_says_so():
    shelf = Shelf(new(line(quantity=3, canceled_quantity=1)), A=(10, 0))
    result = shelf.run(INCREASE)
    assert (result.status, result.message) == (Status.SUCCESS, "reserved lines: 1")
    assert (shelf.counts(), said(shelf)) == ((10, 2), (True, 2))


def test_4_1_availability_is_not_asked():
    shelf = Shelf(new(line(quantity=3)), A=(1, 0))
    assert shelf.run(INCREASE).message == "reserved lines: 1; more is reserved than there is: A"
    assert shelf.counts() == (1, 3)


def test_d13_a_second_run_reserves_only_the_difference_and_never_lowers():
    shelf = Shelf(new(line(quantity=3)), A=(10, 0))
    shelf.run(INCREASE)
    shelf.order = new(replaced(shelf.line(), quantity=D(5)))
    shelf.run(INCREASE)
    assert shelf.counts() == (10, 5)
    shelf.order = new(replaced(shelf.line(), quantity=D(2)))
    assert shelf.run(INCREASE).message == "nothing to do"
    assert shelf.counts() == (10, 5)


def test_86_a_run_of_one_of_several_shipments_does_nothing():
    of = order(shipment(line(), status="New"), shipment(line("L2"), key="S2", status="New"))
    shelf = Shelf(of, A=(10, 0))
    assert shelf.run(INCREASE, shipment_id="S1").status is Status.SUCCESS
    assert shelf.counts() == (10, 0)


def test_a_run_of_the_only_shipment_reserves():
    shelf = Shelf(new(line()), A=(10, 0))
    shelf.run(INCREASE, shipment_id="S1")
    assert shelf.counts() == (10, 1)


@pytest.mark.parametrize(
    ("of", "warehouses"),
    [
        (new(line()), codes("WH1", is_virtual=True)),
        (new(line(is_virtual_product=True)), ()),
        (new(line(is_awaiting_purchase_order=True)), ()),
        (new(line(is_package_product=True, components=(Component(sku_id="B", quantity=D(1)),))), ()),
        (new(line(is_package_broke_down=True)), ()),
        (new(line(), completed=NOW), ()),
        (order(shipment(line(), status="Shipped")), ()),
        (new(line(quantity=2, canceled_quantity=2)), ()),
        (order(), ()),
        (order(unassigned=(line(),)), ()),
    ],
    ids=[
        "87-warehouse",
        "87-line",
        "87-purchase-order",
        "package",
        "parent",
        "C8-completed",
        "C8-shipped",
        "cancelled",
        "no-shipments",
        "unassigned",
    ],
)
def test_what_is_left_out(of, warehouses):
    shelf = Shelf(of, warehouses=warehouses, A=(10, 0))
    assert shelf.run(INCREASE).status is Status.SUCCESS
    assert (shelf.counts(), shelf.rows) == ((10, 0), {})


def test_a_shipment_without_a_warehouse_is_an_error_before_any_write():
    of = order(shipment(line(), status="New"), shipment(line("L2"), key="S2", warehouse_code=None))
    shelf = Shelf(of, A=(10, 0))
    result = shelf.run(INCREASE)
    assert (result.status, result.error_key, shelf.counts()) == (Status.ERROR, "WarehouseMissing", (10, 0))


def test_a39_the_mark_follows_the_ledger():
    shelf = Shelf(new(line(quantity=4)), A=(10, 0))
    shelf.run(INCREASE)
    shelf.order = new(replaced(shelf.line(), reserved_inventory=False, reserved_inventory_quantity=D(1)))
    shelf.run(INCREASE)
    assert (shelf.counts(), said(shelf)) == ((10, 4), (True, 4))


def test_c9_a_forced_line_that_is_reserved_is_forced_no_more():
    shelf = Shelf(new(line(quantity=2)), A=(10, 0))
    shelf.run(SET_ALL)
    assert shelf.line().forced_reservation
    shelf.run(INCREASE)
    assert (shelf.line().forced_reservation, shelf.counts()) == (False, (10, 2))


def test_c9_also_when_nothing_more_is_to_be_reserved():
    shelf = Shelf(new(flagged(quantity=2, forced_reservation=True)), A=(10, 0))
    shelf.hold("L1", 2)
    shelf.run(INCREASE)
    assert (shelf.line().forced_reservation, said(shelf)) == (False, (True, 2))


@pytest.mark.parametrize(
    ("of", "reserved"),
    [
        (flagged(quantity=5, reserved=2), 2),
        (flagged(quantity=5, reserved=9), 5),
        (flagged(quantity=5, reserved=0), 0),
        (line(quantity=5, reserved_inventory_quantity=3), 0),
        (line(quantity=5), 0),
    ],
    ids=["C4-partly", "C4-at-most-effective", "quantity-0", "flag-false", "unflagged"],
)
def test_only_reserved_lines(of, reserved):
    shelf = Shelf(new(of), A=(10, 0))
    shelf.run(INCREASE, properties=ONLY_RESERVED)
    assert shelf.counts() == (10, reserved)
    assert said(shelf)[1] == (reserved or of.reserved_inventory_quantity)


def test_a_line_that_left_is_not_reserved_again():
    shelf = Shelf(order(shipment(flagged(quantity=3))), A=(10, 0))
    shelf.hold("L1", 3)
    shelf.run(STEP)
    shelf.run(INCREASE)
    assert shelf.counts() == (7, 0)


def test_d26_a_reservation_elsewhere_is_moved_before_it_grows():
    shelf = Shelf(new(line(quantity=3)), A=(10, 0))
    shelf.hold("L1", 2, item=ItemRef("A", "WH2"))
    found = shelf.plan(shelf.facts(INCREASE))
    assert [type(move) for move in found.units[0].moves] == [Relocate, Reserve]
    shelf.run(INCREASE)
    assert (shelf.counts(), shelf.counts("A", "WH2")) == ((10, 3), (0, 0))


def test_what_was_released_can_be_reserved_again():
    shelf = Shelf(new(line(quantity=3)), A=(10, 0))
    shelf.hold("L1", 3, released=3)
    shelf.run(INCREASE)
    assert (shelf.counts(), said(shelf)) == ((10, 3), (True, 3))


@pytest.mark.parametrize(
    ("settings", "reserved"),
    [
        (InventorySettings(is_enabled=False), 0),
        (InventorySettings(is_write_enabled=False, is_reservation_write_enabled=False), 0),
        (InventorySettings(is_write_enabled=False, is_reservation_write_enabled=True), 1),
    ],
)
def test_3_2_switches(settings, reserved):
    shelf = Shelf(new(line()), A=(10, 0))
    shelf.inventory = settings
    assert shelf.run(INCREASE).status is Status.SUCCESS
    assert shelf.counts() == (10, reserved)


def test_a_refused_reservation_is_an_error():
    shelf = Shelf(new(line()), A=(10, 0))
    shelf.refuses = {"S1"}
    assert (result := shelf.run(INCREASE)).status is Status.ERROR
    assert result.error_key == "InventoryRefused"


def test_a_property_that_is_no_flag_is_an_error():
    shelf = Shelf(new(line()), A=(10, 0))
    result = shelf.run(INCREASE, properties={"onlyReservedLines": "perhaps"})
    assert (result.status, result.error_key) == (Status.ERROR, "InvalidStepProperty")
    assert "onlyReservedLines" in result.error_reason


# UpdateOrderLineReservedInventory ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stock", "wants", "marks"),
    [
        ((10, 0), (3,), [3]),
        ((2, 0), (3,), [2]),
        ((0, 0), (3,), [0]),
        ((5, 9), (3,), [0]),
        ((4, 0), (3, 3), [3, 1]),
        ((3, 0), (3, 3), [3, 0]),
    ],
    ids=["all", "D25-part", "none", "over-reserved", "D25-shared", "D25-nothing-left"],
)
def test_marks_by_availability(stock, wants, marks):
    lines = [line(f"L{number}", quantity=wanted) for number, wanted in enumerate(wants)]
    shelf = Shelf(new(*lines), A=stock)
    result = shelf.run(UPDATE)
    assert (result.status, result.is_invisible) == (Status.SUCCESS, True)
    assert [said(shelf, one.line_item_id) for one in lines] == [(mark > 0, mark) for mark in marks]
    assert shelf.counts() == stock


def test_no_inventory_data_marks_the_line_unreserved():
    shelf = Shelf(new(flagged(code="new")))
    shelf.run(UPDATE)
    assert said(shelf) == (False, 0)


def test_no_warehouse_marks_the_line_unreserved():
    shelf = Shelf(new(flagged(), warehouse_code=None), A=(10, 0))
    assert shelf.run(UPDATE).status is Status.SUCCESS
    assert said(shelf) == (False, 0)


def test_c6_a_second_run_does_not_flag_its_own_goods_unreserved():
    shelf = Shelf(new(line(quantity=3), line("L2", quantity=2)), A=(5, 0))
    shelf.run(UPDATE)
    shelf.run(INCREASE)
    assert shelf.counts() == (5, 5)
    shelf.run(UPDATE)
    assert (said(shelf), said(shelf, "L2")) == ((True, 3), (True, 2))


def test_c6_its_own_goods_stay_its_own_when_others_take_too_much():
    shelf = Shelf(new(flagged(quantity=3)), A=(5, 4))
    shelf.hold("L1", 3)
    shelf.run(UPDATE)
    assert said(shelf) == (True, 3)


def test_a_line_that_holds_a_part_shares_the_rest():
    shelf = Shelf(new(line("L1", quantity=4), flagged("L2", quantity=3, reserved=2)), A=(5, 0))
    shelf.hold("L2", 2)
    shelf.run(UPDATE)
    assert (said(shelf), said(shelf, "L2")) == ((True, 3), (True, 2))


def test_lines_at_one_warehouse_share_across_shipments_and_locations():
    of = order(
        shipment(line("L1", quantity=4), virtual_warehouse_code="V1"),
        shipment(line("L2", quantity=4), key="S2"),
        status="New",
    )
    shelf = Shelf(of)
    shelf.inventory = InventorySettings(use_virtual_stock_locations=True)
    shelf._item(ItemRef("A", "WH1", "V1")).inventory = D(5)
    shelf.run(UPDATE)
    assert (said(shelf), said(shelf, "L2", "S2")) == ((True, 4), (True, 1))


@pytest.mark.parametrize(("ignore", "mark"), [("true", 7), ("false", 1)])
def test_lines_to_be_purchased(ignore, mark):
    shelf = Shelf(new(flagged(quantity=1, reserved=7, is_awaiting_purchase_order=True)), A=(10, 0))
    shelf.run(UPDATE, properties={"IgnoreOrdersToBePurchased": ignore})
    assert said(shelf)[1] == mark


def test_a_shipment_level_run_marks_its_shipment_only():
    of = order(shipment(line()), shipment(line("L2"), key="S2"))
    shelf = Shelf(of, A=(10, 0))
    shelf.run(UPDATE, shipment_id="S2")
    assert (said(shelf), said(shelf, "L2", "S2")) == ((False, 0), (True, 1))


def test_a32_what_left_keeps_its_mark():
    shelf = Shelf(order(shipment(flagged(quantity=3))), A=(3, 0))
    shelf.hold("L1", 3)
    shelf.run(STEP)
    shelf.run(UPDATE)
    assert said(shelf) == (True, 3)


@pytest.mark.parametrize(("ignoring", "mark"), [(True, 3), (False, 0)])
def test_available_may_ignore_what_is_reserved(ignoring, mark):
    shelf = Shelf(new(line(quantity=3)), A=(5, 5))
    shelf.inventory = InventorySettings(is_available_inventory_ignoring_reserved=ignoring)
    shelf.run(UPDATE)
    assert said(shelf)[1] == mark


def test_available_ignoring_reserved_never_promises_a_held_unit_to_another_line():
    shelf = Shelf(new(flagged("L1", quantity=3), line("L2", quantity=3)), A=(4, 0))
    shelf.inventory = InventorySettings(is_available_inventory_ignoring_reserved=True)
    shelf.hold("L1", 3)
    shelf.run(UPDATE)
    assert (said(shelf)[1], said(shelf, "L2")[1]) == (3, 1)


# SetAllOrderLinesToReserved ----------------------------------------------------------------------------------


def test_4_9_every_line_is_marked_and_nothing_moves():
    of = order(
        shipment(line(quantity=3, canceled_quantity=1), line("L2", "B", is_virtual_product=True)),
        unassigned=(line("L3", quantity=2),),
    )
    shelf = Shelf(of, A=(10, 0))
    result = shelf.run(SET_ALL)
    assert (result.status, result.message) == (Status.SUCCESS, "lines set to reserved: 3")
    lines = [*shelf.order.shipments[0].line_items, *shelf.order.order_form.unassigned]
    assert [(one.reserved_inventory, one.reserved_inventory_quantity) for one in lines] == [
        (True, 2),
        (True, 1),
        (True, 2),
    ]
    assert all(one.forced_reservation for one in lines)
    assert (shelf.counts(), shelf.rows) == ((10, 0), {})


def test_d19_what_is_really_reserved_is_not_stamped():
    shelf = Shelf(order(shipment(line("L1", quantity=2), line("L2", quantity=2))), A=(10, 0))
    shelf.hold("L1", 2)
    shelf.hold("L2", 1)
    shelf.run(SET_ALL)
    assert [shelf.line(key).forced_reservation for key in ("L1", "L2")] == [False, True]


def test_set_all_in_a_shipment_level_run():
    shelf = Shelf(order(shipment(line()), shipment(line("L2"), key="S2"), unassigned=(line("L3"),)))
    shelf.run(SET_ALL, shipment_id="S2")
    assert (said(shelf), said(shelf, "L2", "S2")) == ((False, 0), (True, 1))
    assert not shelf.order.order_form.unassigned[0].reserved_inventory


def test_set_all_works_with_an_external_stock_system():
    shelf = Shelf(order(shipment(line())))
    shelf.inventory = InventorySettings(is_enabled=False)
    shelf.run(SET_ALL)
    assert said(shelf) == (True, 1)


# Through a whole life ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "between"),
    [pytest.param({}, (2, 2), id="106"), pytest.param(ONLY_RESERVED, (0, 0), id="107")],
)
def test_106_107_nothing_leaks(properties, between):
    shelf = Shelf(new(line(quantity=2)), A=(0, 0))
    shelf.run(UPDATE)
    assert said(shelf) == (False, 0)
    shelf.run(INCREASE, properties=properties)
    assert (shelf.counts()[1], said(shelf)[1]) == between
    shelf._item(ItemRef("A", "WH1")).inventory += D(2)
    shelf.run("UpdateShipmentStatus", properties={"shipmentStatus": "Released"})
    shelf.run(STEP)
    assert shelf.counts() == (0, 0)
