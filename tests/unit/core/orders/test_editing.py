"""Changes of lines and shipments: what they make of an order, and what they refuse."""

from __future__ import annotations

import pytest

from onhand.core.orders import editing
from onhand.core.orders.refusals import Refused
from tests.unit.core.orders.order_values import line, order, shipment


def places(of) -> dict[str, list[tuple[str, int]]]:
    assert not isinstance(of, Refused), of
    found = {
        one.shipment_id: [(part.line_item_id, int(part.quantity)) for part in one.line_items]
        for one in of.shipments
    }
    loose = [(part.line_item_id, int(part.quantity)) for part in of.order_form.unassigned]
    return found | ({"-": loose} if loose else {})


def message(of) -> str:
    assert isinstance(of, Refused), of
    return of.message


ONE = order(shipment("S1", line("L1", 2)))
TWO = order(shipment("S1", line("L1", 2)), shipment("S2", line("L1", 1), line("L2", 4)))


@pytest.mark.parametrize(
    ("before", "where", "after"),
    [
        (ONE, None, {"S1": [("L1", 2), ("N", 3)]}),
        (TWO, None, {"S1": [("L1", 2)], "S2": [("L1", 1), ("L2", 4)], "-": [("N", 3)]}),
        (TWO, "S2", {"S1": [("L1", 2)], "S2": [("L1", 1), ("L2", 4), ("N", 3)]}),
        (order(), None, {"-": [("N", 3)]}),
    ],
)
def test_new_lines_go_to_the_named_or_the_only_shipment(before, where, after) -> None:
    assert places(editing.with_new_lines(before, line("N", 3), where)) == after
    assert places(editing.with_new_lines(before, [line("N", 3)], where)) == after


@pytest.mark.parametrize(
    ("value", "where", "says"),
    [
        (line("L1"), None, "has a line 'L1' already"),
        ([line("N"), line("N")], None, "occurs twice"),
        (line("N"), "S9", "no shipment 'S9'"),
        ([], None, "at least one line"),
        ([{"code": "A"}], None, "lineItemId is required"),
        ("nonsense", None, "lineItemId is required"),
    ],
)
def test_new_lines_that_do_not_fit_are_refused(value, where, says) -> None:
    assert says in message(editing.with_new_lines(ONE, value, where))


def test_a_patch_changes_what_it_names() -> None:
    after = editing.with_patched_lines(ONE, {"LINEITEMID": "L1", "quantity": 7, "note": "x"})
    assert not isinstance(after, Refused)
    part = after.shipments[0].line_items[0]
    assert (part.quantity, part.code, part.extra) == (7, "A", {"note": "x"})


def test_a_patch_of_a_line_in_several_shipments_says_which_when_it_counts() -> None:
    both = editing.with_patched_lines(TWO, [{"lineItemId": "L1", "cost": 5}])
    assert not isinstance(both, Refused)
    assert [part.cost for one in both.shipments for part in one.line_items] == [5, 5, None]
    assert "is in 2 shipments" in message(
        editing.with_patched_lines(TWO, [{"lineItemId": "L1", "quantity": 5}])
    )
    one = editing.with_patched_lines(TWO, [{"lineItemId": "L1", "shipmentId": "S2", "quantity": 5}])
    assert places(one) == {"S1": [("L1", 2)], "S2": [("L1", 5), ("L2", 4)]}


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"lineItemId": "L9", "cost": 1}, "no line 'L9'"),
        ({"lineItemId": "L1", "shipmentId": "S9", "cost": 1}, "no line 'L1' in shipment 'S9'"),
        ({"cost": 1}, "no line ''"),
        ({"lineItemId": "L1", "cost": "dear"}, "cost"),
    ],
)
def test_patches_that_do_not_fit_are_refused(patch, says) -> None:
    assert says in message(editing.with_patched_lines(ONE, [patch]))


def test_a_patch_reaches_a_line_in_no_shipment() -> None:
    after = editing.with_patched_lines(order(loose=[line("L1", 2)]), {"lineItemId": "L1", "quantity": 3})
    assert places(after) == {"-": [("L1", 3)]}


def test_put_shipments_adds_replaces_and_keeps_lines_that_are_not_named() -> None:
    after = editing.with_put_shipments(
        TWO,
        [
            {"shipmentId": "S1", "warehouseCode": "WH9"},
            {"shipmentId": "S2", "lineItems": [line("L2", 4)]},
            {"shipmentId": "S3", "lineItems": []},
        ],
    )
    assert places(after) == {"S1": [("L1", 2)], "S2": [("L2", 4)], "S3": []}
    assert [one.warehouse_code for one in after.shipments] == ["WH9", None, None]


def test_patch_shipments_changes_what_is_named() -> None:
    after = editing.with_patched_shipments(TWO, {"shipmentId": "S2", "warehouseCode": "WH3"})
    assert [one.warehouse_code for one in after.shipments] == ["WH1", "WH3"]
    assert "no shipment 'S9'" in message(editing.with_patched_shipments(TWO, {"shipmentId": "S9"}))
    twice = [{"shipmentId": "S1", "status": "Packing"}, {"shipmentId": "S1", "status": "OnHold"}]
    assert "'S1' occurs twice" in message(editing.with_patched_shipments(TWO, twice))
    assert "at least one shipment" in message(editing.with_patched_shipments(TWO, []))


def test_a_line_that_gets_a_shipment_is_no_longer_unassigned() -> None:
    before = order(shipment("S1"), loose=[line("L1", 2)])
    after = editing.with_put_shipments(before, {"shipmentId": "S1", "lineItems": [line("L1", 2)]})
    assert places(after) == {"S1": [("L1", 2)]}


def test_lines_of_a_removed_shipment_are_in_none_or_where_they_also_are() -> None:
    assert places(editing.without_shipments(TWO, ["S2"])) == {"S1": [("L1", 2)], "-": [("L2", 4)]}
    assert places(editing.without_shipments(TWO, ["S1", "S2"])) == {"-": [("L1", 3), ("L2", 4)]}
    assert "no shipment 'S9'" in message(editing.without_shipments(TWO, ["S9"]))


def test_assigned_lines_move_as_a_whole() -> None:
    after = editing.with_assigned_lines(TWO, [{"shipmentId": "S1", "lineItemIds": ["L1", "L2"]}])
    assert places(after) == {"S1": [("L1", 3), ("L2", 4)], "S2": []}
    loose = order(shipment("S1"), loose=[line("L1", 2)])
    assert places(editing.with_assigned_lines(loose, {"shipmentId": "S1", "lineItemIds": ["L1"]})) == {
        "S1": [("L1", 2)]
    }


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"shipmentId": "S9", "lineItemIds": ["L1"]}, "no shipment 'S9'"),
        ({"shipmentId": "S1", "lineItemIds": ["L9"]}, "no line 'L9'"),
        ({"shipmentId": "S1", "lineItemIds": "L1"}, "must be an array"),
        ({"shipmentId": "S1", "lineItemIds": []}, "at least one line"),
        (
            [{"shipmentId": "S1", "lineItemIds": ["L1"]}, {"shipmentId": "S2", "lineItemIds": ["L1"]}],
            "named for two shipments",
        ),
    ],
)
def test_assignments_that_do_not_fit_are_refused(value, says) -> None:
    assert says in message(editing.with_assigned_lines(TWO, value))


def test_an_order_is_bounded_and_has_no_line_twice_in_a_shipment() -> None:
    assert "occurs twice" in message(editing.bounded(order(shipment("S1", line("L1"), line("L1")))))
    many = [line(f"L{n}") for n in range(editing.LINES_MAX + 1)]
    assert "at most 1000" in message(editing.bounded(order(shipment("S1", *many))))
    crowd = [shipment(f"S{n}") for n in range(editing.SHIPMENTS_MAX + 1)]
    assert "at most 500 shipments" in message(editing.bounded(order(*crowd)))
