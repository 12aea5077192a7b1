"""Looking for a warehouse: the allocation steps of 4.16, and D26."""

from __future__ import annotations

import pytest

from onhand.core.orders.configuration import AvailableWarehouse, InventorySettings, Warehouse
from onhand.core.orders.moves import ItemRef, Relocate, SplitRow
from onhand.steps.contract import Status
from tests.unit.steps.shelf import NOW, Shelf, codes, flagged, line, order, replaced, shipment

HERE = "TryAllocateOrderToCurrentWarehouses"
ENTIRE = "TryReallocateEntireOrder"
SPECIFIC = "TryReallocateEntireOrderToSpecificWarehouse"
OTHER = "TryReallocateToOtherWarehouse"
PLACES = codes("WH1", "WH2", "WH3")


def new(*shipments, **given):
    return order(*(replaced(one, status="AwaitingInventory") for one in shipments), status="New", **given)


def shelf_of(of, *, warehouses=PLACES, **stock):
    """Stock by warehouse: `WH1={"A": 5}`."""
    shelf = Shelf(of, warehouses=warehouses)
    for place, items in stock.items():
        for sku, inventory in items.items():
            shelf.stock(sku, place, inventory)
    return shelf


def senders(shelf):
    return [(one.shipment_id, one.warehouse_code) for one in shelf.order.shipments]


# TryAllocateOrderToCurrentWarehouses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stock", "marks"),
    [(6, [True, True]), (5, [True, None]), (2, [None, True]), (1, [None, None])],
    ids=["full", "partial", "the-second-fits", "none"],
)
def test_shipments_whose_warehouse_has_everything_are_marked(stock, marks):
    of = new(shipment(line(quantity=4)), shipment(line("L2", quantity=2), key="S2"))
    shelf = shelf_of(of, WH1={"A": stock})
    assert shelf.run(HERE).status is Status.SUCCESS
    assert [one.is_allocated for one in shelf.order.shipments] == marks
    assert senders(shelf) == [("S1", "WH1"), ("S2", "WH1")]


def test_what_the_order_holds_counts_for_it():
    shelf = shelf_of(new(shipment(flagged(quantity=4))), WH1={"A": 4})
    shelf.hold("L1", 4)
    shelf.run(HERE)
    assert shelf.order.shipments[0].is_allocated


def test_a_virtual_stock_location_has_to_have_it():
    shelf = shelf_of(new(shipment(line(quantity=4), virtual_warehouse_code="V1")), WH1={"A": 9})
    shelf.inventory = InventorySettings(use_virtual_stock_locations=True)
    assert shelf.run(HERE).message == "allocated shipments: 0"


@pytest.mark.parametrize(
    ("roles", "marked"), [("", True), ("web", True), ("shop, WEB", True), ("shop", None)]
)
def test_roles(roles, marked):
    places = (Warehouse(code="WH1", store_role_ids=("Web",)),)
    shelf = shelf_of(new(shipment(line())), warehouses=places, WH1={"A": 1})
    shelf.run(HERE, properties={"storeRoles": roles})
    assert shelf.order.shipments[0].is_allocated is marked


# TryReallocateEntireOrder ------------------------------------------------------------------------------------


def test_the_whole_order_moves_to_the_first_warehouse_that_has_everything():
    of = new(shipment(flagged("L1", quantity=2)), shipment(line("L2", "B"), key="S2", warehouse_code="WH3"))
    shelf = shelf_of(of, WH1={"A": 2}, WH2={"A": 2, "B": 1}, WH3={"A": 9, "B": 1})
    shelf.hold("L1", 2)
    result = shelf.run(ENTIRE)
    assert (result.status, result.message) == (Status.SUCCESS, "moved to WH2")
    assert senders(shelf) == [("S1", "WH2"), ("S2", "WH2")]
    assert all(one.is_allocated for one in shelf.order.shipments)
    assert (shelf.counts("A", "WH1"), shelf.counts("A", "WH2")) == ((2, 0), (2, 2))
    assert shelf.run(ENTIRE).message == "stays at WH2"


def test_d26_the_reservation_moves_checked_in_one_unit_with_the_order():
    shelf = shelf_of(new(shipment(flagged(quantity=2))), WH2={"A": 2})
    shelf.hold("L1", 2)
    found = shelf.plan(shelf.facts(SPECIFIC, properties={"warehouseCode": "wh2"}))
    (unit,) = found.units
    (move,) = unit.moves
    assert isinstance(move, Relocate)
    assert (move.source, move.target, move.check) == (ItemRef("A", "WH1"), ItemRef("A", "WH2"), True)


def test_where_everything_is_already_it_stays():
    of = new(shipment(line(), warehouse_code="WH3"))
    shelf = shelf_of(of, WH1={"A": 1}, WH3={"A": 1})
    shelf.run(ENTIRE)
    assert senders(shelf) == [("S1", "WH3")]


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (new(shipment(line(quantity=9))), "no warehouse has everything"),
        (new(shipment(line(quantity=9, is_virtual_product=True))), "nothing to do"),
        (new(shipment(line(is_awaiting_purchase_order=True))), "nothing to do"),
        (new(shipment(line(), completed=NOW)), "nothing to do"),
        (new(), "nothing to do"),
    ],
)
def test_nothing_moves(of, message):
    shelf = shelf_of(of, WH2={"A": 5})
    result = shelf.run(ENTIRE)
    assert (result.status, result.message) == (Status.SUCCESS, message)
    assert shelf.order == of


def test_a_shipment_level_run_moves_nothing():
    of = new(shipment(line()))
    shelf = shelf_of(of, WH2={"A": 5})
    assert shelf.run(ENTIRE, shipment_id="S1").status is Status.SUCCESS
    assert shelf.order == of


@pytest.mark.parametrize(
    ("warehouses", "target"),
    [
        ((Warehouse(code="WH2"), Warehouse(code="WH3", is_primary_warehouse=True)), "WH3"),
        ((Warehouse(code="WH2", is_virtual=True), Warehouse(code="WH3")), "WH3"),
        ((Warehouse(code="WH2", is_warehouse=False), Warehouse(code="WH3")), "WH3"),
        ((Warehouse(code="WH2", available_on_markets=("SE",)), Warehouse(code="WH3")), "WH3"),
        ((Warehouse(code="WH2", available_on_markets=("no",)), Warehouse(code="WH3")), "WH2"),
        (
            (
                Warehouse(
                    code="ST1",
                    available_warehouses=(
                        AvailableWarehouse(warehouse_code="WH2", priority=2),
                        AvailableWarehouse(warehouse_code="wh3", priority=1),
                    ),
                ),
                Warehouse(code="WH2"),
                Warehouse(code="WH3"),
            ),
            "WH3",
        ),
    ],
    ids=["primary-first", "not-virtual", "not-a-store", "other-market", "own-market", "store-priorities"],
)
def test_which_warehouse_comes_first(warehouses, target):
    shelf = shelf_of(new(shipment(line())), warehouses=warehouses, WH2={"A": 5}, WH3={"A": 5})
    shelf.run(ENTIRE)
    assert senders(shelf) == [("S1", target)]


def test_somebody_else_took_it_meanwhile():
    shelf = shelf_of(new(shipment(line())), WH2={"A": 5})
    shelf.refuses = {"order"}
    result = shelf.run(ENTIRE)
    assert (result.status, result.message) == (Status.SUCCESS, "not moved: There is not enough of it.")
    assert senders(shelf) == [("S1", "WH1")]


# TryReallocateEntireOrderToSpecificWarehouse -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "roles", "sender"), [(5, "", "WH2"), (6, "", "WH1"), (5, "shop", "WH1")]
)
def test_a_specific_warehouse(quantity, roles, sender):
    shelf = shelf_of(new(shipment(line(quantity=quantity))), WH2={"A": 5}, WH3={"A": 99})
    result = shelf.run(SPECIFIC, properties={"warehouseCode": "wh2", "storeRoles": roles})
    assert result.status is Status.SUCCESS
    assert senders(shelf) == [("S1", sender)]


def test_no_specific_warehouse_is_an_error():
    result = shelf_of(new(shipment(line()))).run(SPECIFIC)
    assert (result.status, result.error_key) == (Status.ERROR, "WarehouseMissing")


# TryReallocateToOtherWarehouse -------------------------------------------------------------------------------


def test_only_lines_that_are_short_go_to_another_warehouse():
    of = new(shipment(line("L1"), line("L2", "B", 3), line("L3", "C")))
    shelf = shelf_of(of, WH1={"A": 1, "B": 2}, WH2={"B": 3}, WH3={"C": 1})
    result = shelf.run(OTHER)
    assert (result.status, result.message) == (Status.SUCCESS, "moved lines: 2")
    assert senders(shelf) == [("S1", "WH1"), ("S1-2", "WH2"), ("S1-3", "WH3")]
    assert [[one.line_item_id for one in each.line_items] for each in shelf.order.shipments] == [
        ["L1"],
        ["L2"],
        ["L3"],
    ]
    assert shelf.order.shipments[1].status == "AwaitingInventory"
    before = shelf.order
    assert shelf.run(OTHER).message == "nothing was moved"
    assert shelf.order == before


def test_a_shipment_of_which_everything_goes_is_sent_from_there():
    shelf = shelf_of(new(shipment(line("L1"), line("L2", "B"))), WH2={"A": 1, "B": 1})
    shelf.run(OTHER)
    assert senders(shelf) == [("S1", "WH2")]


def test_a_shipment_that_is_dispersed_is_no_more():
    shelf = shelf_of(new(shipment(line("L1"), line("L2", "B"))), WH2={"A": 1}, WH3={"B": 1})
    shelf.run(OTHER)
    assert senders(shelf) == [("S1-2", "WH2"), ("S1-3", "WH3")]


def test_lines_that_no_warehouse_has_stay():
    shelf = shelf_of(new(shipment(line("L1"), line("L2", "B"))), WH1={"A": 1})
    assert shelf.run(OTHER).message == "nothing was moved; no warehouse has: 1"


def test_d26_the_reservation_goes_along():
    shelf = shelf_of(
        new(shipment(line("L1"), flagged("L2", "B", 3, reserved=1))), WH1={"A": 1, "B": 1}, WH2={"B": 3}
    )
    shelf.hold("L2", 1)
    found = shelf.plan(shelf.facts(OTHER))
    assert [type(move) for move in found.units[0].moves] == [SplitRow, Relocate]
    shelf.run(OTHER)
    assert (shelf.counts("B", "WH1"), shelf.counts("B", "WH2")) == ((1, 0), (3, 1))
    assert shelf.line("L2", "S1-2").reserved_inventory_quantity == 1


def test_a_line_that_holds_all_it_needs_is_not_short():
    shelf = shelf_of(new(shipment(flagged(quantity=2))), WH1={"A": 0}, WH2={"A": 9})
    shelf.hold("L1", 2)
    assert shelf.run(OTHER).message == "nothing was moved"


def test_two_lines_do_not_get_the_same_units():
    of = new(shipment(line("L1", quantity=2), line("L2", quantity=2)))
    shelf = shelf_of(of, WH2={"A": 3})
    assert shelf.run(OTHER).message == "moved lines: 1; no warehouse has: 1"


def test_a_shipment_level_run_moves_its_own_lines():
    of = new(shipment(line("L1")), shipment(line("L2"), key="S2"))
    shelf = shelf_of(of, WH2={"A": 9})
    shelf.run(OTHER, shipment_id="S2")
    assert senders(shelf) == [("S1", "WH1"), ("S2", "WH2")]


def test_an_id_that_the_ledger_knows_is_not_used_again():
    of = new(shipment(line("L1"), line("L2", "B")), shipment(line("L9"), key="S1-2"))
    shelf = shelf_of(of, WH1={"A": 9}, WH2={"B": 1})
    shelf.hold("L9", 1, of="S1-2")
    shelf.order = new(shipment(line("L1"), line("L2", "B")))
    shelf.run(OTHER)
    assert senders(shelf) == [("S1", "WH1"), ("S1-3", "WH2")]


def test_a_reduced_line_keeps_its_shipment_where_it_is():
    shelf = shelf_of(order(shipment(line(quantity=2))), WH1={"A": 2}, WH2={"A": 9})
    shelf.run("ReduceInventory")
    for key in (ENTIRE, OTHER):
        shelf.run(key)
    assert senders(shelf) == [("S1", "WH1")]


def test_a_shipment_with_one_line_twice_stays_where_it_is():
    of = new(shipment(line("L1", quantity=2), line("L1", "B")))
    shelf = shelf_of(of, WH2={"A": 9, "B": 9})
    for key in (ENTIRE, OTHER):
        shelf.run(key)
    assert shelf.order == of
