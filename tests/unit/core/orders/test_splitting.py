from __future__ import annotations

from decimal import Decimal

import pytest

from onhand.core.orders import entities, splitting
from onhand.core.orders.configuration import OrderType
from onhand.core.orders.dividing import Split
from onhand.core.orders.lines import form_lines, read_order
from onhand.core.orders.model import Order
from onhand.core.orders.parting import Parted
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.requests import LinesUpdate

REVISION = 7


def line(line_id="L1", quantity=5, **more):
    return {"lineItemId": line_id, "code": "A", "quantity": quantity, **more}


def shipment(*its_lines, shipment_id="S1", **more):
    return {"shipmentId": shipment_id, "warehouseCode": "WH1", "lineItems": list(its_lines), **more}


def order(*shipments, lines=()):
    found = read_order(
        {
            "id": "O1",
            "marketId": "NO",
            "storeId": "ST1",
            "orderForm": {"shipments": list(shipments), "lineItems": list(lines)},
        }
    )
    assert isinstance(found, Order), found
    return found


def ask(*updates, shipment_id=None, **info):
    given = {"lineItemUpdates": list(updates), "status": "Completed"}
    if shipment_id or info:
        given["shipmentInfo"] = {"shipmentId": shipment_id, **info}
    found = entities.read(LinesUpdate, given)
    assert isinstance(found, LinesUpdate), found
    return found


def update(an_order, *updates, shipment_id=None, reduced=(), over=False, **info):
    found = splitting.update_lines(
        an_order,
        ask(*updates, shipment_id=shipment_id, **info),
        REVISION,
        reduced=reduced,
        allow_over_delivery=over,
    )
    assert isinstance(found, Parted), found
    return found


def refused(an_order, *updates, **more):
    found = splitting.update_lines(an_order, ask(*updates, **more), REVISION)
    assert isinstance(found, Refused)
    return found


def parts(an_order):
    return {
        one.shipment_id: {
            each.line_item_id: (each.quantity, each.canceled_quantity, each.delivered_quantity)
            for each in one.line_items
        }
        for one in an_order.shipments
    }


def test_what_is_delivered_of_a_line_stays_in_its_shipment_and_the_rest_goes_to_a_new_one():
    before = order(
        shipment(line(reservedInventoryQuantity=5, reservedInventory=True, holdId="h"), orderStatus="Ship")
    )
    found = update(before, {"lineItemId": "L1", "deliveredQuantity": 2}, shipment_id="S1")
    assert parts(found.order) == {"S1": {"L1": (2, 0, 2)}, "S1-7": {"L1": (3, 0, 0)}}
    leaves, rest = found.order.shipments
    assert (rest.status, rest.warehouse_code, rest.order_status) == ("AwaitingInventory", "WH1", "Ship")
    assert [one.line_items[0].reserved_inventory_quantity for one in (leaves, rest)] == [2, 3]
    assert [one.line_items[0].hold_id for one in (leaves, rest)] == ["h", None]
    assert found.runs == ("S1",)
    assert found.delivered
    split = Split(
        line_item_id="L1", source="S1", target="S1-7", quantity=Decimal(3), kept=Decimal(2), goes_first=False
    )
    assert found.splits == (split,)


def test_the_rest_can_leave_with_a_shipment_that_nobody_knew():
    first = update(
        order(shipment(line())), {"lineItemId": "L1", "deliveredQuantity": 2}, shipment_id="S1"
    ).order
    found = update(first, {"lineItemId": "L1", "deliveredQuantity": 3}, shipment_id="S2", trackingNumber="T")
    assert parts(found.order) == {"S1": {"L1": (2, 0, 2)}, "S2": {"L1": (3, 0, 3)}}
    assert found.order.shipments[1].extra == {"trackingNumber": "T"}
    assert found.runs == ("S2",)
    assert [(one.source, one.target, one.whole) for one in found.splits] == [("S1-7", "S2", True)]


def test_a_line_that_leaves_as_a_whole_is_not_divided():
    found = update(order(shipment(line(canceledQuantity=2))), {"lineItemId": "L1", "deliveredQuantity": 3})
    assert parts(found.order) == {"S1": {"L1": (5, 2, 3)}}
    assert (found.runs, found.splits) == (("S1",), ())


def test_the_part_for_another_shipment_takes_the_reservation_first_and_the_rest_stays():
    before = order(shipment(line(reservedInventoryQuantity=3, reservedInventory=True, holdId="h")))
    found = update(
        before, {"lineItemId": "L1", "deliveredQuantity": 4}, shipment_id="S2", warehouseCode="WH2"
    )
    rest, leaves = found.order.shipments
    assert (leaves.shipment_id, leaves.warehouse_code) == ("S2", "WH2")
    assert [one.line_items[0].reserved_inventory_quantity for one in (rest, leaves)] == [0, 3]
    assert [one.line_items[0].reserved_inventory for one in (rest, leaves)] == [False, True]
    assert [one.line_items[0].hold_id for one in (rest, leaves)] == ["h", None]
    assert found.splits[0].reservation(Decimal(3)) == 3
    assert found.splits[0].reservation(Decimal(10)) == 4


def test_lines_that_are_not_delivered_leave_the_shipment_before_it_goes():
    gift = line("G", 1, isVirtualProduct=True)
    before = order(shipment(line(), line("L2", 1, holdId="h2"), gift, line("L3", 2, canceledQuantity=2)))
    found = update(before, {"lineItemId": "L1", "deliveredQuantity": 5})
    assert parts(found.order) == {
        "S1": {"L1": (5, 0, 5), "G": (1, 0, 0), "L3": (2, 2, 0)},
        "S1-7": {"L2": (1, 0, 0)},
    }
    assert found.order.shipments[1].line_items[0].hold_id == "h2"
    assert [(one.line_item_id, one.whole, one.reservation(Decimal(1))) for one in found.splits] == [
        ("L2", True, 1)
    ]


def test_units_are_cancelled_before_others_leave():
    found = update(
        order(shipment(line())), {"lineItemId": "L1", "deliveredQuantity": 2, "canceledQuantity": 3}
    )
    assert parts(found.order) == {"S1": {"L1": (5, 3, 2)}}
    found = update(
        order(shipment(line())), {"lineItemId": "L1", "deliveredQuantity": 2, "canceledQuantity": 1}
    )
    assert parts(found.order) == {"S1": {"L1": (2, 0, 2)}, "S1-7": {"L1": (3, 1, 0)}}


def test_a_cancelled_line_runs_the_workflow_of_its_shipment():
    before = order(shipment(line()), shipment(line("L2"), shipment_id="S2"))
    found = update(before, {"lineItemId": "L2", "canceledQuantity": 1})
    assert (found.runs, found.delivered, found.splits) == (("S2",), False, ())


def test_units_are_split_off_without_leaving():
    found = update(order(shipment(line())), {"lineItemId": "L1", "splitQuantity": 2})
    assert parts(found.order) == {"S1": {"L1": (3, 0, 0)}, "S1-7": {"L1": (2, 0, 0)}}
    assert (found.runs, found.delivered) == (("S1", "S1-7"), False)
    named = update(order(shipment(line())), {"lineItemId": "L1", "splitQuantity": 5}, shipment_id="S2")
    assert parts(named.order) == {"S2": {"L1": (5, 0, 0)}}
    assert (
        "can be split off"
        in refused(order(shipment(line())), {"lineItemId": "L1", "splitQuantity": 5}).message
    )


def test_a_line_of_several_shipments_leaves_with_each_of_them():
    before = order(shipment(line(quantity=2)), shipment(line(quantity=3), shipment_id="S2"))
    found = update(before, {"lineItemId": "L1", "deliveredQuantity": 4})
    assert parts(found.order) == {"S1": {"L1": (2, 0, 2)}, "S2": {"L1": (2, 0, 2)}, "S2-7": {"L1": (1, 0, 0)}}
    assert found.runs == ("S1", "S2")
    found = update(before, {"lineItemId": "L1", "deliveredQuantity": 4}, shipment_id="S2")
    assert parts(found.order) == {"S1": {"L1": (1, 0, 0)}, "S2": {"L1": (4, 0, 4)}}


def test_a_line_without_a_shipment_leaves_with_a_new_one():
    found = update(order(lines=[line()]), {"lineItemId": "L1", "deliveredQuantity": 2}, shipment_id="S2")
    assert parts(found.order) == {"S2": {"L1": (2, 0, 2)}}
    assert [one.quantity for one in found.order.order_form.unassigned] == [3]
    assert found.splits == ()
    found = update(order(lines=[line()]), {"lineItemId": "L1", "deliveredQuantity": 5})
    assert parts(found.order) == {"S-7": {"L1": (5, 0, 5)}}


@pytest.mark.parametrize("more", [{}, {"shipment_id": "S1"}, {"shipment_id": "S2"}])
def test_more_than_was_ordered_is_refused(more):
    found = refused(order(shipment(line())), {"lineItemId": "L1", "deliveredQuantity": 6}, **more)
    assert found.code is Code.OVER_DELIVERY
    assert "only 5" in found.message


def test_more_than_was_ordered_raises_the_line_where_it_is_allowed():
    before = order(shipment(line(reservedInventoryQuantity=5)))
    for target in (None, "S1", "S2"):
        found = update(before, {"lineItemId": "L1", "deliveredQuantity": 6}, shipment_id=target, over=True)
        (only,) = found.order.shipments
        assert (only.line_items[0].quantity, only.line_items[0].delivered_quantity) == (6, 6)
        assert only.line_items[0].reserved_inventory_quantity == 5


def test_more_of_a_line_that_has_left_leaves_in_another_shipment_unreserved():
    before = order(shipment(line(reservedInventoryQuantity=5, holdId="h"), status="Shipped"))
    found = update(before, {"lineItemId": "L1", "deliveredQuantity": 1}, over=True)
    assert parts(found.order) == {"S1": {"L1": (5, 0, 0)}, "S1-7": {"L1": (1, 0, 1)}}
    assert found.order.shipments[1].line_items[0].reserved_inventory_quantity == 0
    assert found.order.shipments[1].line_items[0].hold_id is None
    assert found.splits == ()
    again = splitting.update_lines(
        before,
        ask({"lineItemId": "L1", "deliveredQuantity": 1}, shipment_id="S1"),
        REVISION,
        allow_over_delivery=True,
    )
    assert isinstance(again, Refused)
    assert "has left" in again.message


def test_what_was_taken_from_stock_does_not_leave_again():
    before = order(shipment(line()))
    found = splitting.update_lines(
        before, ask({"lineItemId": "L1", "deliveredQuantity": 1}), REVISION, reduced={("S1", "L1")}
    )
    assert isinstance(found, Refused)
    assert found.code is Code.OVER_DELIVERY


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ([], "at least one line"),
        ([{"lineItemId": "L9", "deliveredQuantity": 1}], "no line 'L9'"),
        ([{"lineItemId": "L1"}, {"lineItemId": "L1"}], "named twice"),
        ([{"lineItemId": "L1", "deliveredQuantity": -1}], "must not be below zero"),
        ([{"lineItemId": "L1", "canceledQuantity": 6}], "only 5"),
    ],
)
def test_a_bad_update_is_refused(updates, message):
    found = refused(order(shipment(line())), *updates)
    assert found.code is Code.VALIDATION_FAILED
    assert message in found.message


def test_a_shipment_that_has_a_line_twice_cannot_be_updated():
    assert "occurs twice" in refused(order(shipment(line(), line())), {"lineItemId": "L1"}).message


def test_costs_are_divided_with_the_line_and_set_where_they_are_named():
    before = order(shipment(line(cost=10, costTotal=50)))
    found = update(before, {"lineItemId": "L1", "deliveredQuantity": 2})
    assert [one.line_items[0].cost_total for one in found.order.shipments] == [20, 30]
    found = update(before, {"lineItemId": "L1", "cost": 12, "readyForPickupQuantity": 1})
    assert [(one.cost, one.ready_for_pickup_quantity) for one in form_lines(found.order)] == [(12, 1)]


def test_an_order_is_partially_shipped_until_its_shipments_say_more():
    def order_type():
        statuses = [
            {"name": name, "order": n, "workflowSteps": []} for n, name in enumerate(("New", "Completed"))
        ]
        found = entities.read(OrderType, {"name": "Online", "orderStatuses": statuses})
        assert isinstance(found, OrderType)
        return found

    some = order(
        shipment(line(), orderStatus="Completed"), shipment(line("L2"), shipment_id="S2", orderStatus="New")
    )
    assert splitting.status_after(some, order_type(), delivered=True) == "PartiallyShipped"
    assert splitting.status_after(some, order_type(), delivered=False) == ""
    every = order(
        shipment(line(), orderStatus="Completed"),
        shipment(line("L2"), shipment_id="S2", orderStatus="completed"),
    )
    assert splitting.status_after(every, order_type(), delivered=True) == "Completed"


def test_lines_are_cancelled_as_far_as_they_have_not_left():
    before = order(
        shipment(line(quantity=2), status="Shipped"),
        shipment(line(canceledQuantity=1), line("L2"), shipment_id="S2"),
        lines=[line("L3")],
    )
    found = splitting.cancelled(before, ["L1", "L3"])
    assert isinstance(found, Order)
    assert parts(found) == {"S1": {"L1": (2, 0, 0)}, "S2": {"L1": (5, 5, 0), "L2": (5, 0, 0)}}
    assert found.order_form.unassigned[0].effective == 0
    unknown = splitting.cancelled(before, ["L9"])
    assert isinstance(unknown, Refused)
    assert "L9" in unknown.message
