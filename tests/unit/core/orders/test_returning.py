"""Registering returns: what the form says, and what cannot come back."""

from __future__ import annotations

from typing import Any

import pytest

from onhand.core.orders.configuration import OrderStatus, ReturnSettings
from onhand.core.orders.entities import read
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.returning import ReturnRequest, patched_return, registered
from tests.unit.core.orders.order_values import NOW, line, order, shipment

TWO = order(shipment("S1", line("L1", 2)), shipment("S2", line("L1", 3, canceledQuantity=1)))


def request(*lines: tuple[str, Any], **more: Any) -> ReturnRequest:
    found = read(
        ReturnRequest, {"returns": [{"lineItemId": one, "returnQuantity": n} for one, n in lines], **more}
    )
    assert not isinstance(found, Refused), found
    return found


def returned(of, asked, settings=ReturnSettings()):  # noqa: B008 - a frozen value
    found = registered(of, asked, settings, NOW)
    assert not isinstance(found, Refused), found
    return found


def test_a_return_takes_what_it_needs_from_the_order() -> None:
    after, form = returned(TWO, request(("L1", "3"), comment="too big", creditAmount=5))
    assert (form.return_id, form.status, form.store_id, form.created) == ("R1", "Completed", "ST1", NOW)
    assert (form.return_comment, form.extra) == ("too big", {"creditAmount": 5})
    (one,) = form.line_items
    assert (one.code, one.return_quantity, one.update_stock) == ("A", 3, None)
    assert [part.return_quantity for s in after.shipments for part in s.line_items] == [2, 1]


def test_the_next_return_has_the_next_id_and_only_what_is_left() -> None:
    after, _ = returned(TWO, request(("L1", 3)))
    found = registered(after, request(("L1", 2)), ReturnSettings(), NOW)
    assert isinstance(found, Refused)
    assert "At most 1 of line 'L1'" in found.message
    _, form = returned(after, request(("L1", 1), returnId="mine"))
    assert form.return_id == "mine"


def test_the_first_configured_status_is_the_initial_one() -> None:
    statuses = tuple(OrderStatus(name=name, order=n, workflow_steps=()) for name, n in (("B", 2), ("A", 1)))
    assert returned(TWO, request(("L1", 1)), ReturnSettings(return_statuses=statuses))[1].status == "A"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (request(), "at least one line"),
        (request(("L9", 1)), "no line 'L9'"),
        (request(("L1", 0)), "above zero"),
        (request(("L1", -1)), "above zero"),
        (request(("L1", 5)), "At most 4"),
        (request(("L1", 1), ("L1", 1)), "named twice"),
    ],
)
def test_what_cannot_come_back_is_refused(asked, says) -> None:
    found = registered(TWO, asked, ReturnSettings(), NOW)
    assert isinstance(found, Refused)
    assert says in found.message


def test_an_id_is_given_once() -> None:
    after, _ = returned(TWO, request(("L1", 1), returnId="R1"))
    found = registered(after, request(("L1", 1), returnId="R1"), ReturnSettings(), NOW)
    assert isinstance(found, Refused)
    assert found.code is Code.DUPLICATE_ID


def test_a_patch_changes_neither_id_nor_quantities() -> None:
    after, _ = returned(TWO, request(("L1", 1)))
    changed = patched_return(after, "R1", {"rmaNumber": "RMA-1"}, NOW)
    assert not isinstance(changed, Refused)
    assert changed.return_order_forms[0].rma_number == "RMA-1"
    for patch, says in (
        ({"returnId": "R2"}, "returnId cannot be changed"),
        ({"lineItems": [{"lineItemId": "L1", "returnQuantity": 2}]}, "Register another return"),
    ):
        found = patched_return(after, "R1", patch, NOW)
        assert isinstance(found, Refused)
        assert says in found.message
    missing = patched_return(after, "R9", {}, NOW)
    assert isinstance(missing, Refused)
    assert missing.code is Code.NOT_FOUND
