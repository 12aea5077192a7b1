"""Giving back: scenario 88 and the decisions D14, A4, C2."""

from __future__ import annotations

import pytest

from onhand.core.orders.configuration import InventorySettings
from onhand.core.orders.moves import ItemRef
from onhand.steps.contract import Status
from tests.unit.steps.shelf import NOW, Shelf, codes, flagged, line, order, shipment

RELEASE = "ReduceReservedInventory"
STEP = "ReduceInventoryOnlyOnReservedOrderLines"


def cancelled(*lines, status="OrderCanceled", **given):
    given = {"status": "AwaitingInventory", **given}
    return order(shipment(*lines, **given), status=status)


def test_88_what_the_line_holds_is_given_back_once():
    shelf = Shelf(cancelled(flagged(quantity=3, canceled_quantity=3)), A=(10, 0))
    shelf.hold("L1", 3)
    result = shelf.run(RELEASE)
    assert (result.status, result.message) == (Status.SUCCESS, "released lines: 1")
    assert (shelf.counts(), shelf.line().reserved_inventory_quantity) == ((10, 0), 0)
    again = shelf.run(RELEASE)
    assert (again.status, again.message) == (Status.WARNING, "already released: 1")
    assert shelf.counts() == (10, 0)


@pytest.mark.parametrize(
    ("status", "quantity", "gone", "held", "left"),
    [
        ("InProgress", 5, 2, 5, 3),
        ("InProgress", 5, 2, 9, 7),
        ("InProgress", 5, 5, 9, 0),
        ("InProgress", 5, 2, 4, 3),
        ("InProgress", 5, 2, 3, 3),
        ("InProgress", 5, 2, 2, 2),
        ("InProgress", 5, 5, 5, 0),
        ("InProgress", 5, 0, 5, 0),
        ("OrderCanceled", 5, 2, 5, 0),
        ("OrderCanceled", 5, 0, 5, 0),
        ("Unheard", 5, 2, 5, 3),
    ],
)
def test_d14_a_partial_cancellation_gives_back_what_is_not_wanted_any_more(
    status, quantity, gone, held, left
):
    shelf = Shelf(
        cancelled(flagged(quantity=quantity, reserved=held, canceled_quantity=gone), status=status), A=(10, 0)
    )
    shelf.hold("L1", held)
    shelf.run(RELEASE)
    assert shelf.counts() == (10, left)
    assert shelf.line().reserved_inventory_quantity == left
    again = shelf.run(RELEASE)
    assert again.status is (Status.WARNING if left < held else Status.SUCCESS)
    assert shelf.counts() == (10, left)


def test_d14_units_that_are_cancelled_later_are_given_back_too():
    shelf = Shelf(
        cancelled(flagged(quantity=5, reserved=9, canceled_quantity=2), status="InProgress"), A=(10, 0)
    )
    shelf.hold("L1", 9)
    shelf.run(RELEASE)
    shelf.order = cancelled(flagged(quantity=5, reserved=7, canceled_quantity=3), status="InProgress")
    shelf.run(RELEASE)
    assert shelf.counts() == (10, 6)


def test_d14_other_lines_of_a_partial_cancellation_keep_what_they_hold():
    lines = (flagged(quantity=5, canceled_quantity=2), flagged("L2", "B", quantity=3))
    shelf = Shelf(cancelled(*lines, status="InProgress"), A=(10, 0), B=(10, 0))
    shelf.hold("L1", 5)
    shelf.hold("L2", 3)
    shelf.run(RELEASE)
    assert (shelf.counts("A"), shelf.counts("B")) == ((10, 3), (10, 3))


def test_a_shipment_level_run_asks_the_shipments_status():
    of = order(
        shipment(flagged(quantity=2, canceled_quantity=1), status="New", order_status="OrderCanceled"),
        shipment(flagged("L2"), key="S2", status="New", order_status="InProgress"),
        status="InProgress",
    )
    shelf = Shelf(of, A=(10, 0))
    shelf.hold("L1", 2)
    shelf.hold("L2", 1, of="S2")
    shelf.run(RELEASE, shipment_id="S1")
    assert shelf.counts() == (10, 1)


@pytest.mark.parametrize(
    ("of", "before", "after"),
    [
        (flagged(quantity=5, reserved=2), 4, 2),
        (line(quantity=5), 7, 2),
        (line(quantity=5, delivered_quantity=4), 7, 6),
        (line(quantity=5), 3, 0),
        (flagged(quantity=5, forced_reservation=True), 4, 4),
    ],
    ids=["flag", "never-seen", "delivered", "never-below-zero", "forced"],
)
def test_d14_an_imported_order_without_rows(of, before, after):
    shelf = Shelf(cancelled(of), A=(10, before))
    shelf.run(RELEASE)
    assert shelf.counts() == (10, after)
    shelf.run(RELEASE)
    assert shelf.counts() == (10, after)


def test_c2_an_imported_line_does_not_show_what_was_given_back():
    shelf = Shelf(cancelled(flagged(quantity=5, reserved=2)), A=(10, 4))
    shelf.run(RELEASE)
    assert (shelf.line().reserved_inventory, shelf.line().reserved_inventory_quantity) == (False, 0)
    assert shelf.run(RELEASE).status is Status.WARNING


def test_a_line_that_the_ledger_knows_nothing_of_holds_nothing_when_it_knows_the_order():
    shelf = Shelf(cancelled(flagged("L1", quantity=2), line("L2", quantity=3)), A=(10, 4))
    shelf.hold("L1", 2)
    shelf.run(RELEASE)
    assert shelf.counts() == (10, 4)


def test_nothing_reserved_is_no_action():
    shelf = Shelf(cancelled(line(quantity=3)), A=(10, 0))
    result = shelf.run(RELEASE)
    assert (result.status, result.message) == (Status.SUCCESS, "nothing was reserved")


@pytest.mark.parametrize(
    ("of", "warehouses"),
    [
        (cancelled(flagged(), completed=NOW), ()),
        (cancelled(flagged(is_virtual_product=True)), ()),
        (cancelled(flagged(is_awaiting_purchase_order=True)), ()),
        (cancelled(flagged()), codes("WH1", is_virtual=True)),
        (cancelled(flagged(), warehouse_code=None), ()),
        (order(), ()),
    ],
    ids=["completed", "virtual-line", "purchase-order", "virtual-warehouse", "no-warehouse", "no-shipments"],
)
def test_what_is_left_out(of, warehouses):
    shelf = Shelf(of, warehouses=warehouses, A=(10, 4))
    assert shelf.run(RELEASE).status is Status.SUCCESS
    assert shelf.counts() == (10, 4)


@pytest.mark.parametrize(
    ("key", "held", "left"),
    [(STEP, 3, 0), (STEP, 5, 0), ("ReduceInventory", 3, 3), ("ReduceInventory", 5, 3)],
    ids=["all-left", "A4-surplus", "4.2-reduced-lines-release-nothing", "A4-surplus-physical"],
)
def test_a_line_that_left_gives_back_only_its_surplus(key, held, left):
    shelf = Shelf(order(shipment(flagged(quantity=3, reserved=held)), status="OrderCanceled"), A=(10, 0))
    shelf.hold("L1", held)
    shelf.run(key)
    shelf.run(RELEASE)
    assert shelf.counts() == (7, left)


def test_it_is_given_back_where_it_is_held():
    shelf = Shelf(cancelled(flagged(quantity=2), warehouse_code=None), A=(10, 0))
    shelf.hold("L1", 2, item=ItemRef("A", "WH9"))
    shelf.run(RELEASE)
    assert shelf.counts("A", "WH9") == (0, 0)


def test_a_line_that_occurs_twice_is_released_once():
    shelf = Shelf(cancelled(flagged(quantity=2), flagged(quantity=2)), A=(10, 0))
    shelf.hold("L1", 2)
    assert shelf.run(RELEASE).message == "released lines: 1"


@pytest.mark.parametrize(
    "settings", [InventorySettings(is_enabled=False), InventorySettings(is_write_enabled=False)]
)
def test_switches(settings):
    shelf = Shelf(cancelled(flagged()), A=(10, 0))
    shelf.hold("L1", 1)
    shelf.inventory = settings
    writes = settings.is_enabled and settings.is_reservation_write_enabled
    shelf.run(RELEASE)
    assert shelf.counts() == (10, 0 if writes else 1)


def test_a_refused_release_is_an_error():
    shelf = Shelf(cancelled(flagged()), A=(10, 0))
    shelf.hold("L1", 1)
    shelf.refuses = {"S1"}
    assert shelf.run(RELEASE).status is Status.ERROR
    assert shelf.counts() == (10, 1)
