"""By which labels orders are found, and that searches ask for the same ones."""

from __future__ import annotations

import msgspec
import pytest

from onhand.core.orders.labels import LABEL_MAX, OrderSearch, exact, label, order_labels
from tests.unit.core.orders.order_values import line, order, record, row, shipment


def found(search: OrderSearch, labels: tuple[str, ...]) -> bool:
    every, some = search.wanted()
    return set(every) <= set(labels) and all(set(labels) & set(choices) for choices in some)


def labels_of(of, *rows, is_open: bool = True) -> tuple[str, ...]:
    return order_labels(record(of, *rows), is_open=is_open)


def test_an_order_is_labelled_by_what_people_search_for() -> None:
    one = order(
        shipment("S1", line("L1", code="a 1"), status="Released"),
        customerId="C 7",
        orderNumber="1001",
        salesChannel="Web",
        tags=["Gift", "gift "],
    )
    assert set(labels_of(one)) == {
        "status=new",
        "type=online",
        "store=st1",
        "market=no",
        "open=yes",
        "live=yes",
        "customer=c 7",
        "number=1001",
        "channel=web",
        "tag=gift",
        "shipmentstatus=released",
        "warehouse=wh1",
        "sku=a 1",
        "short=yes",
    }


@pytest.mark.parametrize(
    ("more", "reserved"),
    [
        ({}, 2),
        ({"canceledQuantity": 2}, 0),
        ({"reservedInventoryQuantity": 1}, 0),
        ({"isVirtualProduct": True}, 0),
        ({"isBundle": True}, 0),
        ({"isAwaitingPurchaseOrder": True}, 0),
        ({"forcedReservation": True}, 0),
    ],
)
def test_an_order_that_lacks_nothing_is_not_short(more, reserved) -> None:
    one = order(shipment("S1", line("L1", 2, **more)))
    rows = (row(reserved=reserved),) if reserved else ()
    assert "short=yes" not in labels_of(one, *rows)
    assert "short=yes" in labels_of(order(shipment("S1", line("L1", 2))), row(reserved=1))


@pytest.mark.parametrize("shipped", [{"status": "Shipped"}, {"completed": "2026-01-01T00:00:00Z"}])
def test_an_order_that_has_left_is_not_short(shipped) -> None:
    assert "short=yes" not in labels_of(order(shipment("S1", line(), **shipped)))


def test_an_order_with_a_status_to_enter_is_found_by_it() -> None:
    one = order(updateStatusDate="2026-01-01T00:00:00Z", nextOrderStatus="Completed")
    assert "scheduled=yes" in labels_of(one)
    assert "scheduled=yes" not in labels_of(order(updateStatusDate="2026-01-01T00:00:00Z"))


@pytest.mark.parametrize(
    "search",
    [
        OrderSearch(),
        OrderSearch(statuses=(" NEW ",)),
        OrderSearch(statuses=("Ship", "New")),
        OrderSearch(order_types=("online",), stores=("ST1",), markets=("no",)),
        OrderSearch(warehouses=("wh1", "wh2"), skus=("A",)),
        OrderSearch(tags=("a", "B")),
        OrderSearch(open=True),
    ],
)
def test_a_search_that_fits_finds_it(search: OrderSearch) -> None:
    assert found(search, labels_of(order(shipment("S1", line()), tags=["A", "b"])))


@pytest.mark.parametrize(
    "search",
    [
        OrderSearch(statuses=("Ship",)),
        OrderSearch(statuses=("New",), stores=("ST2", "ST3")),
        OrderSearch(tags=("a", "c")),
        OrderSearch(open=False),
        OrderSearch(with_returns=True),
    ],
)
def test_a_search_that_does_not_fit_does_not(search: OrderSearch) -> None:
    assert not found(search, labels_of(order(shipment("S1", line()), tags=["A", "b"])))


def test_deleted_orders_are_found_only_when_asked_for() -> None:
    labels = labels_of(order(status="Deleted"), is_open=False)
    assert not found(OrderSearch(), labels)
    assert found(OrderSearch(deleted=True), labels)
    assert found(OrderSearch(statuses=("deleted",)), labels)


def test_an_order_that_is_gone_for_ever_has_no_labels() -> None:
    assert order_labels(record(None, row()), is_open=False) == ()


def test_a_line_that_shows_a_reservation_without_a_row_is_unbacked() -> None:
    shown = {"reservedInventory": True, "reservedInventoryQuantity": 1}
    one = order(shipment("S1", line("L1", code="A", **shown), line("L2", code="B", **shown)))
    assert [label_ for label_ in labels_of(one, row(line_id="L1")) if "unbacked" in label_] == ["unbacked=b"]
    assert not any("unbacked" in label_ for label_ in labels_of(one, is_open=False))


@pytest.mark.parametrize(
    "more",
    [
        {"isVirtualProduct": True},
        {"isAwaitingPurchaseOrder": True},
        {"forcedReservation": True},
        {"reservedInventoryQuantity": 0},
    ],
)
def test_lines_that_hold_nothing_of_the_warehouse_are_not_unbacked(more) -> None:
    one = order(shipment("S1", line("L1", **{"reservedInventoryQuantity": 1, **more})))
    assert "unbacked=a" not in labels_of(one)


@pytest.mark.parametrize("more", [{"status": "Shipped"}, {"completed": "2026-01-01T00:00:00Z"}])
def test_lines_of_a_completed_shipment_are_not_unbacked(more) -> None:
    one = order(shipment("S1", line("L1", reservedInventoryQuantity=1), **more))
    assert "unbacked=a" not in labels_of(one)


def test_returns_are_found_by_their_status_and_store() -> None:
    one = order(
        shipment("S1", line()),
        returnOrderForms=[{"returnId": "R1", "status": "Completed", "storeId": "ST9"}],
    )
    labels = labels_of(one)
    assert found(OrderSearch(with_returns=True, return_statuses=("completed",)), labels)
    search = OrderSearch(with_returns=True, return_stores=("st9",))
    assert found(search, labels)
    form = one.return_order_forms[0]
    assert search.fits_return(form, "ST1")
    assert not search.fits_return(msgspec.structs.replace(form, store_id=None), "ST1")


def test_a_label_has_no_control_characters_and_is_bounded() -> None:
    assert label("tag", " A\tb\x01\u001fC ") == "tag=a b c"
    assert exact("object", "A b") == "object=A b"
    assert len(label("tag", "x" * 5_000)) == LABEL_MAX
