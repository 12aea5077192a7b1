"""What a change of an order moves of its reservations (D26, A38)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from onhand.core.orders.dividing import Split
from onhand.core.orders.following import moves_of_change, settled
from onhand.core.orders.moves import Adopt, ItemRef, LineRef, Release, Relocate, Reserve, SplitRow
from onhand.core.orders.refusals import Refused
from tests.unit.core.orders.order_values import line, order, record, row, shipment

A1, A2 = ItemRef("A", "WH1"), ItemRef("A", "WH2")
S1, S2 = LineRef("S1", "L1"), LineRef("S2", "L1")


def moves(before, after, *rows, splits=()):
    found = moves_of_change(record(before, *rows), after, splits)
    assert not isinstance(found, Refused), found
    return list(found)


def refused(before, after, *rows) -> str:
    found = moves_of_change(record(before, *rows), after)
    assert isinstance(found, Refused), found
    return found.message


BEFORE = order(shipment("S1", line("L1", 5)))
EMPTY = shipment("S1")


def test_nothing_moves_when_goods_stay_where_they_are() -> None:
    assert moves(BEFORE, order(shipment("S1", line("L1", 9, canceledQuantity=9))), row()) == []


def test_another_warehouse_takes_the_reservation_along() -> None:
    after = order(shipment("S1", line("L1", 5), warehouse="WH2"))
    assert moves(BEFORE, after, row()) == [Relocate(line=S1, source=A1, target=A2)]


def test_the_same_warehouse_in_another_spelling_is_the_same() -> None:
    assert moves(BEFORE, order(shipment("S1", line("L1", 5), warehouse=" wh1 ")), row()) == []


@pytest.mark.parametrize(
    "after",
    [
        order(shipment("S1", line("L1", 5), warehouse="")),
        order(EMPTY),
        order(),
        order(EMPTY, loose=[line("L1", 5)]),
    ],
    ids=["no warehouse", "line gone", "shipment gone", "line in no shipment"],
)
def test_what_no_shipment_holds_is_given_back(after) -> None:
    assert moves(BEFORE, after, row()) == [Release(line=S1, item=A1, quantity=Decimal(2))]


def test_a_line_that_moves_as_a_whole_takes_its_row_along() -> None:
    after = order(EMPTY, shipment("S2", line("L1", 5)))
    assert moves(BEFORE, after, row()) == [SplitRow(line=S1, target=S2, quantity=Decimal(2))]


def test_a_line_that_moves_to_another_warehouse_is_reserved_there() -> None:
    after = order(shipment("S2", line("L1", 5), warehouse="WH2"))
    assert moves(BEFORE, after, row()) == [
        SplitRow(line=S1, target=S2, quantity=Decimal(2)),
        Relocate(line=S2, source=A1, target=A2),
    ]
    assert moves(BEFORE, after, row(), row("S2", reserved=0)) == [
        Release(line=S1, item=A1, quantity=Decimal(2)),
        Reserve(line=S2, item=A2, quantity=Decimal(2)),
    ]


def test_the_part_that_moves_takes_what_it_needs_first() -> None:
    after = order(shipment("S1", line("L1", 4)), shipment("S2", line("L1", 1)))
    assert moves(BEFORE, after, row()) == [SplitRow(line=S1, target=S2, quantity=Decimal(1))]


def test_a_split_may_leave_the_reservation_with_what_stays() -> None:
    split = Split(
        line_item_id="L1", source="S1", target="S2", quantity=Decimal(1), kept=Decimal(4), goes_first=False
    )
    after = order(shipment("S1", line("L1", 4)), shipment("S2", line("L1", 1)))
    assert moves(BEFORE, after, row(reserved=2), splits=[split]) == []
    assert moves(BEFORE, after, row(reserved=5), splits=[split]) == [
        SplitRow(line=S1, target=S2, quantity=Decimal(1))
    ]


def test_a_part_that_only_grows_elsewhere_takes_nothing() -> None:
    after = order(shipment("S1", line("L1", 5)), shipment("S2", line("L1", 3)))
    assert moves(BEFORE, after, row()) == []


def test_a_part_joins_one_that_is_there() -> None:
    before = order(shipment("S1", line("L1", 5)), shipment("S2", line("L1", 1)))
    after = order(EMPTY, shipment("S2", line("L1", 6)))
    both = (row(), row("S2", reserved=1, hold_id="aaaaaaaaaaaaaaaa-1-2"))
    assert moves(before, after, *both) == [
        Release(line=S1, item=A1, quantity=Decimal(2)),
        Reserve(line=S2, item=A1, quantity=Decimal(2)),
    ]


def test_a_reservation_goes_one_way_only() -> None:
    scattered = order(
        shipment("S1", line("L1", 3)), shipment("S2", line("L1", 1)), shipment("S3", line("L1", 1))
    )
    assert "Change one shipment at a time" in refused(BEFORE, scattered, row())
    both = order(shipment("S1", line("L1", 3), warehouse="WH2"), shipment("S2", line("L1", 2)))
    assert "Change one shipment at a time" in refused(BEFORE, both, row())


def test_two_rows_never_move_into_one_line_at_once() -> None:
    before = order(shipment("S1", line("L1", 1)), shipment("S2", line("L1", 1)))
    after = order(shipment("S3", line("L1", 2)))
    both = (row(), row("S2", hold_id="aaaaaaaaaaaaaaaa-1-2"))
    assert "Change one shipment at a time" in refused(before, after, *both)


def test_reserved_goods_cannot_become_another_product() -> None:
    assert "cannot become 'B'" in refused(BEFORE, order(shipment("S1", line("L1", 5, code="B"))), row())
    assert moves(BEFORE, order(shipment("S1", line("L1", 5, code="B"))), row(reserved=0)) == []


def test_goods_that_left_cannot_go_elsewhere() -> None:
    after = order(EMPTY, shipment("S2", line("L1", 5)))
    assert "was taken from stock already" in refused(BEFORE, after, row(reduced=True))
    assert moves(BEFORE, order(), row(reduced=True)) == []


def test_an_order_that_goes_for_ever_gives_all_back() -> None:
    rows = (row(), row(line_id="L2", reserved=0), row(line_id="L3", sku="C", reserved=1))
    assert moves(BEFORE, None, *rows) == [
        Release(line=S1, item=A1, quantity=Decimal(2)),
        Release(line=LineRef("S1", "L3"), item=ItemRef("C", "WH1"), quantity=Decimal(1)),
    ]


def test_a_new_line_takes_over_the_reservation_that_it_names() -> None:
    hold, shared = "00000000000000aa-1-1", "6f1c2b0e-8f0a-5d4e-9b51-0c7d3f2a9e64"
    after = order(
        shipment(
            "S1",
            line("L1", 2, holdId=hold),
            line("L2", 1, softReservationId=shared),
            line("L3", 1, properties=[{"key": "SoftReservationId", "value": shared}]),
            line("L4", 0, holdId=hold),
            line("L5", 1),
        )
    )
    assert moves(None, after) == [
        Adopt(line=S1, item=A1, quantity=Decimal(2), hold_id=hold),
        Adopt(line=LineRef("S1", "L2"), item=A1, quantity=Decimal(1), reservation_id=shared),
        Adopt(line=LineRef("S1", "L3"), item=A1, quantity=Decimal(1), reservation_id=shared),
    ]
    assert moves(after, after) == []


def test_an_order_that_comes_back_adopts_nothing_for_lines_that_have_rows() -> None:
    after = order(shipment("S1", line("L1", 2, holdId="00000000000000aa-1-1")))
    assert moves(None, after, row(reserved=0)) == []


def test_what_is_reserved_is_said_by_the_ledger_alone() -> None:
    lies = {
        "reservedInventory": True,
        "reservedInventoryQuantity": 99,
        "forcedReservation": True,
        "holdId": "x",
    }
    after = order(shipment("S1", line("L1", 5, **lies), line("L2", 1, **lies)), loose=[line("L3", 1, **lies)])
    shown = settled(record(BEFORE, row(released=Decimal(1), reservation_id="r")), after)
    one, other = shown.shipments[0].line_items
    assert (one.reserved_inventory, one.reserved_inventory_quantity) == (True, 1)
    assert (one.hold_id, one.soft_reservation_id) == ("aaaaaaaaaaaaaaaa-1-1", "r")
    assert not one.forced_reservation
    assert (other.reserved_inventory_quantity, other.forced_reservation) == (99, False)
    (loose,) = shown.order_form.unassigned
    assert (loose.reserved_inventory, loose.reserved_inventory_quantity, loose.hold_id) == (False, 0, None)


def test_a_forced_mark_stays_with_its_line() -> None:
    before = order(shipment("S1", line("L1", 5, forcedReservation=True, reservedInventoryQuantity=5)))
    after = order(shipment("S1", line("L1", 5, reservedInventoryQuantity=5)))
    assert settled(record(before), after).shipments[0].line_items[0].forced_reservation
