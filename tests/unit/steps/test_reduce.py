"""The reduce family: scenarios 1 to 61 of the specification, and the decisions A1 to A37 behind them."""

from __future__ import annotations

import pytest

from onhand.core.orders.configuration import InventorySettings, OrderSettings
from onhand.core.orders.model import Component
from onhand.core.orders.moves import ItemRef, Reduce, RepairCost
from onhand.steps.contract import Plan, Status
from tests.unit.steps.shelf import D, Shelf, codes, flagged, line, order, replaced, shipment

STEP = "ReduceInventoryOnlyOnReservedOrderLines"
PHYSICAL = "ReduceInventory"
BOTH = "ReduceInventoryAndReservedInventory"
FAMILY = (STEP, PHYSICAL, BOTH)


def keys(result):
    return [note.key for note in result.notes]


# 11.1 --------------------------------------------------------------------------------------------------------


def mixed():
    """Scenario 1: A, B, C reserved by this order; D, E by others."""
    lines = [flagged(f"L{sku}", sku) if sku in "ABC" else line(f"L{sku}", sku) for sku in "ABCDE"]
    shelf = Shelf(order(shipment(*lines)), A=(10, 0), B=(10, 0), C=(10, 0), D=(10, 4), E=(10, 4))
    for sku in "ABC":
        shelf.hold(f"L{sku}", 1)
    return shelf


def test_1_only_what_is_reserved_lowers_the_reservation():
    shelf = mixed()
    result = shelf.run(STEP)
    assert (result.status, result.message) == (Status.SUCCESS, "reduced: 5")
    assert [shelf.counts(sku) for sku in "ABCDE"] == [(9, 0)] * 3 + [(9, 4)] * 2
    assert shelf.transactions == 5


def test_5_a_second_run_warns_and_changes_nothing():
    shelf = mixed()
    shelf.run(STEP)
    result = shelf.run(STEP)
    assert (result.status, result.message) == (Status.WARNING, "already reduced: 5; reduced now: 0")
    assert shelf.transactions == 5


def test_3_a_point_of_sale_takes_from_its_stock_alone():
    shelf = Shelf(order(shipment(line(quantity=2)), order_type="Pos", status="Completed"), A=(10, 4))
    assert shelf.run(STEP).status is Status.SUCCESS
    assert shelf.counts() == (8, 4)


def test_4_goods_that_came_without_a_reservation():
    shelf = Shelf(order(shipment(line(quantity=5))), A=(5, 0))
    shelf.run(STEP)
    assert shelf.counts() == (0, 0)


@pytest.mark.parametrize("key", FAMILY)
@pytest.mark.parametrize(
    "of",
    [
        order(shipment(line(), status="AwaitingInventory")),
        order(),
        order(shipment(line(), status="Shipped")),
        order(shipment(line(), status="")),
    ],
    ids=["6-awaiting", "7-no-shipments", "8-shipped", "blank"],
)
def test_without_a_released_shipment_nothing_happens(key, of):
    shelf = Shelf(of, A=(10, 0))
    result = shelf.run(key)
    assert (result.status, result.message) == (Status.SUCCESS, "no released shipments")
    assert (shelf.counts(), shelf.transactions) == ((10, 0), 0)


@pytest.mark.parametrize("status", ["released", " RELEASED ", "Released"])
def test_9_a33_statuses_are_compared_trimmed_and_without_case(status):
    shelf = Shelf(order(shipment(line(), status=status)), A=(10, 0))
    shelf.run(STEP)
    assert shelf.counts() == (9, 0)


# 11.2 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "holds", "before", "after", "events"),
    [
        pytest.param(flagged(quantity=10, reserved=8, canceled_quantity=2), 8, (10, 0), (2, 0), [], id="10"),
        pytest.param(line(quantity=3, canceled_quantity=3), 0, (10, 0), (10, 0), [], id="11-A18"),
        pytest.param(
            line(quantity=2, canceled_quantity=5),
            0,
            (10, 0),
            (10, 0),
            ["InvalidCanceledQuantity"],
            id="12-A17",
        ),
        pytest.param(flagged(quantity=3), 0, (10, 1), (7, 0), [], id="15-A6"),
        pytest.param(line(quantity=5), 0, (2, 0), (-3, 0), [], id="16-A7"),
        pytest.param(flagged(quantity="1.25", reserved=D("1.25")), "1.25", (10, 0), ("8.75", 0), [], id="18"),
        pytest.param(flagged(quantity=5, reserved=2), 2, (10, 3), (5, 3), [], id="A3-partly-reserved"),
        pytest.param(flagged(quantity=2, reserved=5), 5, (10, 0), (8, 3), [], id="A4-reserved-more"),
        pytest.param(
            line(quantity=2, reserved_inventory=True), 0, (10, 3), (8, 3), [], id="the-boolean-does-not-count"
        ),
        pytest.param(
            line(quantity=2, reserved_inventory_quantity=2), 2, (10, 0), (8, 0), [], id="the-quantity-does"
        ),
    ],
)
def test_quantities(of, holds, before, after, events):
    shelf = Shelf(order(shipment(of)), A=before)
    if holds:
        shelf.hold("L1", holds)
    result = shelf.run(STEP)
    assert result.status is Status.SUCCESS
    assert shelf.counts() == (D(after[0]), D(after[1]))
    assert keys(result) == events


def test_12_a_line_without_quantity_writes_no_transaction():
    shelf = Shelf(order(shipment(line(quantity=2, canceled_quantity=5))), A=(10, 0))
    shelf.run(STEP)
    assert shelf.transactions == 0


def test_17_an_item_that_was_never_stored_is_created_below_zero():
    shelf = Shelf(order(shipment(line(code="F", quantity=4))))
    result = shelf.run(STEP)
    assert shelf.counts("F") == (-4, 0)
    assert "negative inventory: F at WH1 -4" in result.message


def test_a6_the_message_says_that_less_was_reserved():
    shelf = Shelf(order(shipment(flagged(quantity=3))), A=(10, 1))
    result = shelf.run(STEP)
    assert (result.status, result.message) == (
        Status.SUCCESS,
        "reduced: 1; less was reserved than the line said: A at WH1",
    )


def test_a4_the_message_names_the_stale_reservation():
    shelf = Shelf(order(shipment(flagged(quantity=2, reserved=5))), A=(10, 0))
    shelf.hold("L1", 5)
    assert "staleReservation: L1 3" in shelf.run(STEP).message


def test_22_a_forced_flag_steals_nothing():
    shelf = Shelf(order(shipment(line(quantity=2))), A=(10, 5))
    shelf.run("SetAllOrderLinesToReserved")
    assert shelf.line().reserved_inventory_quantity == 2
    shelf.run(STEP)
    assert shelf.counts() == (8, 5)


def test_a5_a_forced_flag_does_not_hide_what_the_line_really_holds():
    shelf = Shelf(order(shipment(flagged(quantity=5, forced_reservation=True))), A=(10, 5))
    shelf.hold("L1", 2)
    shelf.run(STEP)
    assert shelf.counts() == (5, 5)


def test_a5_the_switch_lets_forced_flags_consume():
    shelf = Shelf(order(shipment(flagged(quantity=2, forced_reservation=True))), A=(10, 5))
    shelf.settings = OrderSettings(forced_reservations_consume_counter=True)
    shelf.run(STEP)
    assert shelf.counts() == (8, 3)


def test_a5_an_imported_flag_is_honoured():
    shelf = Shelf(order(shipment(flagged(quantity=2))), A=(10, 5))
    shelf.run(STEP)
    assert shelf.counts() == (8, 3)


@pytest.mark.parametrize(
    ("key", "after"), [(PHYSICAL, (8, 5)), (BOTH, (8, 3)), (STEP, (8, 5))], ids=["4.3", "4.4", "4.5"]
)
def test_three_settings_for_an_unreserved_line(key, after):
    shelf = Shelf(order(shipment(line(quantity=2))), A=(10, 5))
    assert shelf.run(key).status is Status.SUCCESS
    assert shelf.counts() == after


@pytest.mark.parametrize(("key", "after"), [(PHYSICAL, (8, 2)), (BOTH, (8, 0)), (STEP, (8, 0))])
def test_three_settings_for_a_reserved_line(key, after):
    shelf = Shelf(order(shipment(flagged(quantity=2))), A=(10, 0))
    shelf.hold("L1", 2)
    shelf.run(key)
    assert shelf.counts() == after


def test_4_4_forced_lines_do_not_touch_the_reservation():
    shelf = Shelf(order(shipment(flagged(quantity=2, forced_reservation=True))), A=(10, 5))
    shelf.run(BOTH)
    assert shelf.counts() == (8, 5)


def test_lines_of_one_sku_count_each_for_itself():
    shelf = Shelf(order(shipment(flagged("L1", quantity=2), line("L2", quantity=3))), A=(10, 0))
    shelf.hold("L1", 2)
    assert shelf.run(STEP).message == "reduced: 2"
    assert shelf.counts() == (5, 0)


# 11.3 --------------------------------------------------------------------------------------------------------


def test_23_virtual_products_move_nothing():
    shelf = Shelf(order(shipment(line("L1", is_virtual_product=True), line("L2", "B"))), A=(10, 0), B=(10, 0))
    result = shelf.run(STEP)
    assert (result.message, shelf.counts("A"), shelf.counts("B")) == ("reduced: 1", (10, 0), (9, 0))


def test_24_an_order_of_virtual_products_only():
    shelf = Shelf(order(shipment(line(is_virtual_product=True, code=""), warehouse_code=None)))
    assert shelf.run(STEP).status is Status.SUCCESS
    assert shelf.transactions == 0


def test_26_a31_a_whole_package_is_skipped_with_a_warning():
    package = line(is_package_product=True, components=(Component(sku_id="B", quantity=D(2)),))
    shelf = Shelf(order(shipment(package)), A=(10, 0))
    result = shelf.run(STEP)
    assert result.status is Status.WARNING
    assert keys(result) == ["PackageNotBrokenDown"]
    assert shelf.counts() == (10, 0)


def test_a31_a_broken_down_package_is_skipped_without_a_word():
    package = line(is_package_product=True, is_package_broke_down=True)
    shelf = Shelf(order(shipment(package, line("L2", "B", 2))), A=(10, 0), B=(10, 0))
    assert shelf.run(STEP).status is Status.SUCCESS
    assert (shelf.counts("A"), shelf.counts("B")) == ((10, 0), (8, 0))


@pytest.mark.parametrize("key", FAMILY)
@pytest.mark.parametrize(
    ("of", "error"),
    [
        (order(shipment(line(), warehouse_code=None)), "WarehouseMissing"),
        (order(shipment(line(), warehouse_code="  ")), "WarehouseMissing"),
        (order(shipment(line(code=" "))), "SkuMissing"),
        (order(shipment(line(), line(code="B"))), "DuplicateLine"),
        (order(shipment(line()), shipment(line(), key="S2", warehouse_code=None)), "WarehouseMissing"),
    ],
    ids=["28-A9", "blank-warehouse", "A34-sku", "A34-twice", "second-shipment"],
)
def test_an_unsafe_order_is_refused_before_any_write(key, of, error):
    shelf = Shelf(of, A=(10, 0))
    result = shelf.run(key)
    assert (result.status, result.error_key) == (Status.ERROR, error)
    assert result.error_reason
    assert (shelf.counts(), shelf.transactions) == ((10, 0), 0)


def test_29_a_point_of_sale_without_a_warehouse_uses_its_store():
    shelf = Shelf(order(shipment(line(), warehouse_code=None), order_type="pos"))
    shelf.stock("A", "ST1", 5)
    assert shelf.run(STEP).status is Status.SUCCESS
    assert shelf.counts("A", "ST1") == (4, 0)


def test_30_each_shipment_takes_from_its_own_warehouse():
    shelf = Shelf(order(shipment(line()), shipment(line("L2"), key="S2", warehouse_code="WH2")), A=(10, 0))
    shelf.stock("A", "WH2", 10)
    shelf.run(STEP)
    assert (shelf.counts(), shelf.counts("A", "WH2")) == ((9, 0), (9, 0))


def test_a28_a_line_on_a_purchase_order_lowers_the_inventory_only():
    shelf = Shelf(order(shipment(flagged(quantity=2, is_awaiting_purchase_order=True))), A=(10, 5))
    result = shelf.run(STEP)
    assert (result.status, keys(result)) == (Status.WARNING, ["AwaitingPurchaseOrder"])
    assert shelf.counts() == (8, 5)


def test_a29_a_virtual_warehouse_is_reduced_like_any_other():
    shelf = Shelf(order(shipment(line(quantity=2))), warehouses=codes("WH1", is_virtual=True), A=(10, 0))
    assert shelf.run(STEP).status is Status.SUCCESS
    assert shelf.counts() == (8, 0)


def test_a30_a_virtual_stock_location_is_part_of_the_item():
    shelf = Shelf(order(shipment(line(dimensions={"ColorId": "red"}), virtual_warehouse_code="V1")))
    shelf.inventory = InventorySettings(use_virtual_stock_locations=True)
    found = shelf.plan(shelf.facts(STEP))
    assert isinstance(found, Plan)
    (move,) = found.units[0].moves
    assert isinstance(move, Reduce)
    assert move.item == ItemRef("A", "WH1", "V1", (("colorid", "red"),))
    shelf.inventory = InventorySettings()
    (move,) = shelf.plan(shelf.facts(STEP)).units[0].moves
    assert move.item.virtual == ""


def test_the_warehouse_is_spelled_as_it_is_configured():
    shelf = Shelf(order(shipment(line(), warehouse_code="wh1")), warehouses=codes("WH1"), A=(10, 0))
    shelf.run(STEP)
    assert shelf.counts() == (9, 0)


# 11.4 --------------------------------------------------------------------------------------------------------


def two(first="Released", second="Released"):
    of = order(shipment(line(), status=first), shipment(line("L2", "B"), key="S2", status=second))
    return Shelf(of, A=(10, 0), B=(10, 0))


@pytest.mark.parametrize(
    ("shelf", "shipment_id", "after"),
    [
        (two(second="AwaitingInventory"), None, (9, 10)),
        (two(), "S2", (10, 9)),
        (two(first="AwaitingInventory"), "S1", (10, 10)),
        (two(), "unknown", (10, 10)),
    ],
    ids=["32", "33", "35", "unknown"],
)
def test_a1_which_shipments(shelf, shipment_id, after):
    assert shelf.run(STEP, shipment_id=shipment_id).status is Status.SUCCESS
    assert (shelf.counts("A")[0], shelf.counts("B")[0]) == after


def test_40_a_shipment_without_lines_needs_no_warehouse():
    shelf = Shelf(order(shipment(line()), shipment(key="S2", warehouse_code=None)), A=(10, 0))
    assert shelf.run(STEP).message == "reduced: 1"


def test_a2_a_late_shipment_is_reduced_and_the_early_one_reported():
    shelf = two(second="AwaitingInventory")
    shelf.run(STEP)
    late = replaced(shelf.order.shipments[1], status="Released")
    shelf.order = order(shelf.order.shipments[0], late)
    result = shelf.run(STEP)
    assert (result.status, result.message) == (Status.WARNING, "already reduced: 1; reduced now: 1")


def test_d4_a_filter_moves_no_foreign_stock():
    shelf = Shelf(order(shipment(line()), shipment(line("L2"), key="S2", warehouse_code="WH2")), A=(10, 0))
    shelf.stock("A", "WH2", 10)
    shelf.run(STEP, enabled_for_warehouses=("wh2",))
    assert (shelf.counts(), shelf.counts("A", "WH2")) == ((10, 0), (9, 0))


def test_each_shipment_is_one_atomic_unit_in_the_order_of_the_ids():
    of = order(shipment(line("L1"), key="S2"), shipment(line("L2"), line("L3"), key="S1"))
    found = Shelf(of).plan(Shelf(of).facts(STEP))
    assert [(unit.key, len(unit.moves)) for unit in found.units] == [("S1", 2), ("S2", 1)]


def test_59_a_refused_shipment_is_an_error_and_the_others_stay():
    shelf = two()
    shelf.refuses = {"S2"}
    result = shelf.run(STEP)
    assert (result.status, result.error_key) == (Status.ERROR, "InventoryRefused")
    assert "S2" in result.message
    assert (shelf.counts("A"), shelf.counts("B")) == ((9, 0), (10, 0))
    shelf.refuses = set()
    assert shelf.run(STEP).message == "already reduced: 1; reduced now: 1"


def test_the_rest_of_a_run_does_not_call_its_own_work_a_repetition():
    shelf = two()
    shelf.refuses = {"S2"}
    shelf.run(STEP)
    shelf.refuses = set()
    found = shelf.plan(shelf.facts(STEP, done=["S1"]))
    result = found.conclude([shelf.apply(unit) for unit in found.units])
    assert [unit.key for unit in found.units] == ["S2"]
    assert (result.status, result.message) == (Status.SUCCESS, "reduced: 2")


# 11.5, 11.6 --------------------------------------------------------------------------------------------------


def test_45_a10_an_unknown_cost_is_no_warning():
    shelf = Shelf(order(shipment(line())), A=(10, 0))
    shelf.costless = {"A"}
    result = shelf.run(STEP)
    assert (result.status, result.message) == (Status.SUCCESS, "reduced: 1; no cost known: A")


def test_46_a11_a_missing_rate_is_a_warning_on_the_line():
    shelf = Shelf(order(shipment(line())), A=(10, 0))
    shelf.rateless = True
    result = shelf.run(STEP)
    assert result.status is Status.WARNING
    assert "CurrencyRateMissing (L1)" in result.message
    assert shelf.counts() == (9, 0)
    again = shelf.run(STEP)
    assert (again.status, "CurrencyRateMissing (L1)" in again.message) == (Status.WARNING, True)
    shelf.rateless = False
    assert shelf.run(STEP).message == "already reduced: 1; reduced now: 0"
    assert shelf.counts() == (9, 0)


def test_50_a22_a_second_run_repairs_the_cost_and_moves_nothing():
    shelf = mixed()
    shelf.run(STEP)
    found = shelf.plan(shelf.facts(STEP))
    assert {type(move) for unit in found.units for move in unit.moves} == {RepairCost}


def test_a20_a_reversed_reduction_stays_done_and_is_not_repaired():
    shelf = Shelf(order(shipment(line())), A=(10, 0))
    shelf.run(STEP)
    (ref,) = shelf.rows
    row = shelf.rows[ref]
    shelf.rows[ref] = replaced(row, reduction=replaced(row.reduction, reversed_by="t9"))
    result = shelf.run(STEP)
    assert (result.status, result.message) == (Status.WARNING, "already reduced: 1; reduced now: 0")
    assert shelf.counts() == (9, 0)


def test_a19_a_raised_quantity_is_named_and_not_reduced():
    shelf = Shelf(order(shipment(line(quantity=2))), A=(10, 0))
    shelf.run(STEP)
    shelf.order = order(shipment(line(quantity=5)))
    result = shelf.run(STEP)
    assert result.status is Status.WARNING
    assert "L1 was raised by 3" in result.message
    assert shelf.counts() == (8, 0)


@pytest.mark.parametrize("first", FAMILY)
@pytest.mark.parametrize("second", FAMILY)
def test_60_61_the_family_shares_one_reference(first, second):
    shelf = mixed()
    shelf.run(first)
    before = [shelf.counts(sku) for sku in "ABCDE"]
    result = shelf.run(second)
    assert result.status is Status.WARNING
    assert [shelf.counts(sku) for sku in "ABCDE"] == before
    hint = "RecalculateReservedInventory" in result.message
    assert hint == (first == PHYSICAL and second != PHYSICAL)


def test_a23_the_loser_of_a_race_reports_a_warning():
    shelf = mixed()
    late = shelf.plan(shelf.facts(STEP))
    shelf.run(STEP)
    result = late.conclude([shelf.apply(unit) for unit in late.units])
    assert (result.status, result.message) == (Status.WARNING, "already reduced: 5; reduced now: 0")
    assert shelf.transactions == 5


@pytest.mark.parametrize("key", FAMILY)
@pytest.mark.parametrize(
    "off",
    [
        InventorySettings(is_write_enabled=False),
        InventorySettings(is_enabled=False),
        InventorySettings(is_write_enabled=False, is_reservation_write_enabled=True),
    ],
)
def test_105_disabled_writes_leave_the_lines_for_a_later_run(key, off):
    shelf = mixed()
    shelf.inventory = off
    result = shelf.run(key)
    assert (result.status, result.message) == (Status.SUCCESS, "inventory writes are disabled")
    assert shelf.transactions == 0
    shelf.inventory = InventorySettings()
    assert shelf.run(key).message == "reduced: 5"
