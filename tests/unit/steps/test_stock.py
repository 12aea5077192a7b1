"""Out of stock, recalculation and what readers are told: scenarios 90, 92, 93, 103 and decisions D16 to D21."""

from __future__ import annotations

import pytest

from onhand.core.orders.configuration import AvailableWarehouse, InventorySettings, Warehouse
from onhand.core.orders.moves import ItemRef, Recalculate
from onhand.steps.contract import Result, Status
from tests.unit.steps.shelf import Shelf, flagged, line, order, shipment

RECALCULATE = "RecalculateReservedInventory"
EMPTY = "SetItemsOutOfStock"
ASK = "ChangeStatusIfOutOfStock"
BACKORDER = {"orderStatus": "Backorder"}


# RecalculateReservedInventory --------------------------------------------------------------------------------


def test_90_each_product_is_recalculated_once():
    of = order(
        shipment(line("L1", "B"), line("L2", "A"), line("L3", "A")),
        unassigned=(line("L4", "C"), line("L5", "")),
    )
    shelf = Shelf(of, A=(10, 5), B=(10, 0))
    found = shelf.plan(shelf.facts(RECALCULATE))
    assert [unit.moves for unit in found.units] == [tuple(Recalculate(sku=sku) for sku in "ABC")]
    result = shelf.run(RECALCULATE)
    assert (result.status, result.message) == (Status.SUCCESS, "recalculated; changed: 1")
    assert shelf.run(RECALCULATE).message == "recalculated; changed: 0"


def test_virtual_products_only():
    result = Shelf(order(shipment(line(is_virtual_product=True)))).run(RECALCULATE)
    assert (result.status, result.message, result.is_invisible) == (
        Status.SUCCESS,
        "all lines are virtual",
        True,
    )


def test_a_shipment_level_run_recalculates_its_products():
    of = order(shipment(line()), shipment(line("L2", "B"), key="S2"), unassigned=(line("L3", "C"),))
    shelf = Shelf(of)
    found = shelf.plan(shelf.facts(RECALCULATE, shipment_id="S2"))
    assert found.units[0].moves == (Recalculate(sku="B"),)


def test_a_refused_recalculation_is_an_error():
    shelf = Shelf(order(shipment(line())))
    shelf.refuses = {"order"}
    assert shelf.run(RECALCULATE).status is Status.ERROR


# SetItemsOutOfStock ------------------------------------------------------------------------------------------


def test_92_the_store_is_emptied_and_nothing_else():
    of = order(shipment(line("L1"), line("L2"), line("L3", "B", is_virtual_product=True)))
    shelf = Shelf(of, A=(10, 0), B=(10, 0))
    shelf.stock("A", "ST1", 7, 2)
    result = shelf.run(EMPTY)
    assert (result.status, result.message) == (Status.SUCCESS, "items set out of stock: 1")
    assert (shelf.counts("A", "ST1"), shelf.counts("A"), shelf.counts("B")) == ((0, 2), (10, 0), (10, 0))
    assert shelf.run(EMPTY).message == "items set out of stock: 0"
    assert shelf.transactions == 1


@pytest.mark.parametrize(
    ("of", "message"),
    [(order(), "no lines"), (order(shipment(line(is_virtual_product=True))), "no lines")],
)
def test_without_lines_there_is_nothing_to_empty(of, message):
    result = Shelf(of).run(EMPTY)
    assert (result.status, result.message) == (Status.SUCCESS, message)


def test_an_order_without_a_store_is_an_error():
    result = Shelf(order(shipment(line()), store_id=" ")).run(EMPTY)
    assert (result.status, result.error_key) == (Status.ERROR, "WarehouseMissing")


def test_disabled_writes_empty_nothing():
    shelf = Shelf(order(shipment(line())))
    shelf.stock("A", "ST1", 7)
    shelf.inventory = InventorySettings(is_write_enabled=False)
    assert shelf.run(EMPTY).message == "inventory writes are disabled"
    assert shelf.counts("A", "ST1") == (7, 0)


# ChangeStatusIfOutOfStock ------------------------------------------------------------------------------------


def test_93_out_of_stock_enters_the_status_without_its_workflow():
    result = Shelf(order(shipment(line()), status="New"), A=(0, 0)).run(ASK, properties=BACKORDER)
    assert (result.status, result.message) == (Status.SUCCESS, "out of stock: A")
    assert (result.trigger_new_status, result.trigger_new_status_without_workflow) == ("Backorder", True)


@pytest.mark.parametrize(
    ("stock", "short"),
    [((5, 0), False), ((4, 0), True), ((9, 4), False), ((9, 5), True), (None, True)],
    ids=["exactly", "too-few", "others-leave-enough", "others-leave-too-few", "no-row"],
)
def test_d21_what_is_needed_of_a_sku_is_the_sum_of_its_lines(stock, short):
    shelf = Shelf(order(shipment(line("L1", quantity=3), line("L2", quantity=2)), status="New"))
    if stock:
        shelf.stock("A", "WH1", *stock)
    assert bool(shelf.run(ASK, properties=BACKORDER).trigger_new_status) is short


def test_d21_the_answer_is_the_same_after_the_own_reservation():
    shelf = Shelf(order(shipment(flagged(quantity=5)), status="New"), A=(5, 0))
    assert not shelf.run(ASK, properties=BACKORDER).trigger_new_status
    shelf.run("IncreaseReservedInventory")
    assert shelf.counts() == (5, 5)
    assert not shelf.run(ASK, properties=BACKORDER).trigger_new_status


def test_what_has_left_is_not_needed_any_more():
    shelf = Shelf(order(shipment(line(quantity=5))), A=(5, 0))
    shelf.run("ReduceInventory")
    assert not shelf.run(ASK, properties=BACKORDER).trigger_new_status


@pytest.mark.parametrize(
    ("warehouses", "shipment_id", "short"),
    [
        ((), None, False),
        ((Warehouse(code="ST1", is_warehouse=True),), None, False),
        (
            (
                Warehouse(
                    code="ST1",
                    is_warehouse=False,
                    available_warehouses=(AvailableWarehouse(warehouse_code="WH2"),),
                ),
            ),
            None,
            True,
        ),
        (
            (
                Warehouse(
                    code="ST1",
                    is_warehouse=False,
                    available_warehouses=(
                        AvailableWarehouse(warehouse_code="WH2"),
                        AvailableWarehouse(warehouse_code="wh1"),
                    ),
                ),
                Warehouse(code="WH1"),
            ),
            None,
            False,
        ),
        (
            (
                Warehouse(
                    code="ST1",
                    is_warehouse=False,
                    available_warehouses=(AvailableWarehouse(warehouse_code="WH2"),),
                ),
            ),
            "S1",
            False,
        ),
    ],
    ids=["shipments", "store-names-none", "store-names-another", "one-of-several-is-enough", "shipment-run"],
)
def test_which_warehouses_are_asked(warehouses, shipment_id, short):
    shelf = Shelf(order(shipment(line()), status="New"), warehouses=warehouses, A=(1, 0))
    result = shelf.run(ASK, shipment_id=shipment_id, properties=BACKORDER)
    assert bool(result.trigger_new_status) is short


def test_lines_in_no_shipment_are_looked_for_in_the_store():
    shelf = Shelf(order(unassigned=(line(),), status="New"))
    assert shelf.run(ASK, properties=BACKORDER).trigger_new_status == "Backorder"
    shelf.stock("A", "ST1", 1)
    assert not shelf.run(ASK, properties=BACKORDER).trigger_new_status


def test_the_workflow_of_the_status_can_be_asked_for():
    shelf = Shelf(order(shipment(line()), status="New"))
    properties = {**BACKORDER, "triggerNewStatusWithoutWorkflow": "false"}
    assert not shelf.run(ASK, properties=properties).trigger_new_status_without_workflow


def test_an_order_that_is_in_the_status_stays_there():
    shelf = Shelf(order(shipment(line()), status="backorder"))
    assert shelf.run(ASK, properties=BACKORDER).trigger_new_status == ""


def test_d21_a_missing_status_is_an_error():
    result = Shelf(order(shipment(line()))).run(ASK)
    assert (result.status, result.error_key) == (Status.ERROR, "StatusMissing")


def test_own_goods_at_another_warehouse_do_not_count():
    shelf = Shelf(order(shipment(flagged(quantity=2)), status="New"), A=(0, 0))
    shelf.hold("L1", 2, item=ItemRef("A", "WH9"))
    assert shelf.run(ASK, properties=BACKORDER).trigger_new_status == "Backorder"


# CalculateAtp, CalculateAndUpdateProductInventory ------------------------------------------------------------


def test_103_no_line_on_a_purchase_order():
    result = Shelf(order(shipment(line()))).run("CalculateAtp")
    assert (result.status, result.message) == (Status.SUCCESS, "no line is reserved on a purchase order")


def test_without_a_provider_there_is_no_effect():
    of = order(shipment(line(reserved_inventory_purchase_order_line_id="P1")))
    assert Shelf(of).run("calculateATP").message == "no ATP provider is configured"


def test_d18_readers_are_told_of_each_sku():
    of = order(shipment(line("L1", "B"), line("L2", "A"), line("L3", "A")))
    result = Shelf(of).run("CalculateAndUpdateProductInventory")
    assert isinstance(result, Result)
    assert result.status is Status.SUCCESS
    assert [(note.key, note.reference_id) for note in result.notes] == [
        ("availability.changed", "A"),
        ("availability.changed", "B"),
    ]


def test_4_17_no_lines_is_a_warning():
    assert Shelf(order()).run("CalculateAndUpdateProductInventory").status is Status.WARNING


def test_the_engine_is_shown_what_it_has_to_empty():
    shelf = Shelf(order(shipment(line("L1"), line("L2", "B"))))
    assert set(shelf.facts(EMPTY).stock) == {ItemRef("A", "ST1"), ItemRef("B", "ST1")}
