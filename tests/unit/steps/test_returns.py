"""Returns: scenarios 63, 95, 97, 98 and decision D24."""

from __future__ import annotations

import pytest

from onhand.core.orders.configuration import InventorySettings, OrderSettings, ReturnSettings, ReturnType
from onhand.steps.contract import Status
from tests.unit.steps.shelf import Shelf, line, order, returned, returns, shipment

CHECK = "CheckPosOrderForReturnAndIncreaseInventory"
RESTOCK = "UpdateInventory"
STATUS = "UpdateOrderStatus"


def completed(*forms, **given):
    given = {"status": "Completed", **given}
    return order(shipment(line(quantity=5)), return_order_forms=forms, **given)


# CheckPosOrderForReturnAndIncreaseInventory ------------------------------------------------------------------


def test_95_a_returned_line_goes_back_once():
    shelf = Shelf(completed(returns(returned(quantity=2))))
    shelf.stock("A", "ST1", 3)
    result = shelf.run(CHECK)
    assert (result.status, result.message) == (Status.SUCCESS, "returned lines in stock: 1")
    assert shelf.counts("A", "ST1") == (5, 0)
    assert shelf.run(CHECK).message == "nothing to do"
    assert (shelf.counts("A", "ST1"), shelf.transactions) == ((5, 0), 1)


def test_d24_a_second_return_of_the_line_is_not_swallowed():
    shelf = Shelf(completed(returns(returned(quantity=2))))
    shelf.run(CHECK)
    shelf.order = completed(returns(returned(quantity=2)), returns(returned(quantity=1), key="R2"))
    shelf.run(CHECK)
    assert shelf.counts("A", "ST1") == (3, 0)


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (completed(returns(returned()), status="Ship"), "the order is not completed"),
        (completed(), "no returns"),
        (completed(returns(returned(quantity=0))), "nothing to do"),
        (completed(returns(returned(quantity=-1))), "nothing to do"),
        (completed(returns(returned(update_stock=False))), "nothing to do"),
        (completed(returns(returned(is_virtual_product=True))), "nothing to do"),
    ],
    ids=["97", "4.17", "zero", "negative", "D24-explicitly-not", "virtual"],
)
def test_nothing_goes_back(of, message):
    shelf = Shelf(of)
    result = shelf.run(CHECK)
    assert (result.status, result.message, shelf.transactions) == (Status.SUCCESS, message, 0)


@pytest.mark.parametrize("wanted", [None, True])
def test_d24_settings_of_returns_are_not_asked(wanted):
    shelf = Shelf(completed(returns(returned(update_stock=wanted), return_type="Scrap"), status="completed"))
    kept = ReturnSettings(return_types=(ReturnType(id="Scrap", update_inventory=False),))
    shelf.settings = OrderSettings(return_settings=kept)
    shelf.run(CHECK)
    assert shelf.counts("A", "ST1") == (1, 0)


def test_a_line_that_occurs_twice_in_a_return_is_summed():
    shelf = Shelf(completed(returns(returned(quantity=2), returned(quantity=1))))
    shelf.run(CHECK)
    assert (shelf.counts("A", "ST1"), shelf.transactions) == ((3, 0), 1)


def test_the_sku_of_a_returned_line_is_that_of_the_order():
    shelf = Shelf(completed(returns(returned(code=""))))
    shelf.run(CHECK)
    assert shelf.counts("A", "ST1") == (1, 0)


def test_a_returned_line_that_nobody_knows_is_an_error_before_any_write():
    shelf = Shelf(completed(returns(returned()), returns(returned("L9", ""), key="R2")))
    result = shelf.run(CHECK)
    assert (result.status, result.error_key, shelf.transactions) == (Status.ERROR, "SkuMissing", 0)


def test_disabled_writes_leave_the_return_for_later():
    shelf = Shelf(completed(returns(returned())))
    shelf.inventory = InventorySettings(is_write_enabled=False)
    assert shelf.run(CHECK).message == "inventory writes are disabled"
    shelf.inventory = InventorySettings()
    shelf.run(CHECK)
    assert shelf.counts("A", "ST1") == (1, 0)


def test_63_a_shipment_named_return_is_no_return():
    of = order(
        shipment(line(), key="return", warehouse_code="ST1"),
        return_order_forms=(returns(returned()),),
        status="Completed",
    )
    shelf = Shelf(of)
    shelf.stock("A", "ST1", 10)
    shelf.run("ReduceInventory")
    shelf.run(CHECK)
    assert (shelf.counts("A", "ST1"), shelf.transactions) == ((10, 0), 2)


# Return workflow: UpdateInventory ----------------------------------------------------------------------------


def rules(*, default, scrap=False):
    types = (ReturnType(id="Scrap", update_inventory=scrap),)
    return OrderSettings(return_settings=ReturnSettings(default_update_stock=default, return_types=types))


@pytest.mark.parametrize(
    ("default", "wanted", "kind", "back"),
    [
        (False, True, None, 1),
        (False, None, None, 0),
        (True, None, None, 1),
        (True, False, None, 0),
        (True, True, "Scrap", 0),
        (True, True, "Other", 1),
    ],
    ids=["line", "default-no", "default-yes", "line-wins", "98-type", "unknown-type"],
)
def test_what_goes_back_into_stock(default, wanted, kind, back):
    shelf = Shelf(completed(returns(returned(update_stock=wanted), return_type=kind)))
    shelf.settings = rules(default=default)
    assert shelf.run(RESTOCK).status is Status.SUCCESS
    assert shelf.counts("A", "ST1") == (back, 0)


def test_the_type_of_the_line_wins_over_that_of_the_return():
    shelf = Shelf(completed(returns(returned(return_type="Scrap", update_stock=True), return_type="Other")))
    shelf.settings = rules(default=True)
    shelf.run(RESTOCK)
    assert shelf.counts("A", "ST1") == (0, 0)


def test_it_goes_back_where_it_was_returned_and_only_the_return_of_the_run():
    forms = (
        returns(returned(update_stock=True), store_id="ST7"),
        returns(returned(update_stock=True), key="R2"),
    )
    shelf = Shelf(completed(*forms))
    shelf.run(RESTOCK, return_id="R1")
    assert (shelf.counts("A", "ST7"), shelf.counts("A", "ST1")) == ((1, 0), (0, 0))
    shelf.run(RESTOCK)
    assert (shelf.counts("A", "ST7"), shelf.counts("A", "ST1")) == ((1, 0), (1, 0))


def test_both_steps_share_one_reference():
    shelf = Shelf(completed(returns(returned(update_stock=True))))
    shelf.run(RESTOCK)
    shelf.run(CHECK)
    assert shelf.counts("A", "ST1") == (1, 0)


# Return workflow: UpdateOrderStatus --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forms", "trigger"),
    [
        ((), ""),
        ((returns(returned(quantity=0)),), ""),
        ((returns(returned(quantity=2)),), "PartiallyReturned"),
        ((returns(returned(quantity=5)),), "Returned"),
        ((returns(returned(quantity=2)), returns(returned(quantity=3), key="R2")), "Returned"),
        ((returns(returned("L9", quantity=9)),), ""),
    ],
    ids=["none", "zero", "some", "all", "all-in-two-returns", "foreign-line"],
)
def test_the_status_follows_what_came_back(forms, trigger):
    result = Shelf(completed(*forms)).run(STATUS)
    assert (result.status, result.trigger_new_status) == (Status.SUCCESS, trigger)


def test_cancelled_units_need_not_come_back():
    of = order(
        shipment(line(quantity=5, canceled_quantity=2), line("L2", canceled_quantity=1)),
        return_order_forms=(returns(returned(quantity=3)),),
        status="Completed",
    )
    assert Shelf(of).run(STATUS).trigger_new_status == "Returned"


def test_statuses_and_a_tag_can_be_named():
    of = order(
        shipment(line("L1"), order_status="Completed"),
        shipment(line("L2", quantity=2), key="S2", order_status="Completed"),
        shipment(line("L3"), key="S3", order_status="Completed"),
        return_order_forms=(returns(returned("L1"), returned("L2")),),
        status="Completed",
        tags=("web",),
    )
    shelf = Shelf(of)
    properties = {
        "PartiallyReturnedStatus": "Some",
        "ShipmentReturnedStatus": "AllBack",
        "ShipmentPartiallyReturnedStatus": "SomeBack",
        "SetTag": "returned",
    }
    assert shelf.run(STATUS, properties=properties).trigger_new_status == "Some"
    assert [one.order_status for one in shelf.order.shipments] == ["AllBack", "SomeBack", "Completed"]
    assert shelf.order.tags == ("web", "returned")
    before = shelf.order
    shelf.run(STATUS, properties=properties)
    assert shelf.order == before


def test_an_order_that_has_the_status_does_not_enter_it_again():
    of = completed(returns(returned(quantity=5)), status="returned")
    assert Shelf(of).run(STATUS).trigger_new_status == ""
