"""Goods of a purchase order come: what is reserved for the lines that waited."""

from __future__ import annotations

from decimal import Decimal

import pytest

from onhand.core.orders.configuration import Workflows
from onhand.core.orders.moves import LineRef, Reserve
from onhand.service.workflow.handing import handed
from onhand.service.workflow.saving import Stored
from onhand.service.workflow.searching import order_key
from tests.unit.core.orders.order_values import line, order, record, row, shipment


@pytest.mark.parametrize(("reduced", "reserved"), [(False, [2]), (True, [])])
def test_a_line_that_left_before_its_goods_came_has_nothing_reserved(
    *, reduced: bool, reserved: list[int]
) -> None:
    """A waiting line that is shipped lowers the inventory only (A28); a reservation would never be consumed."""
    waiting = line(isAwaitingPurchaseOrder=True, reservedInventoryPurchaseOrderLineId="P1")
    of = record(order(shipment("S1", waiting)), row(reserved=0, reduced=reduced))
    done = handed(Stored(order_key(1, "O1"), 1, of), Workflows(), "P1", [LineRef("S1", "L1")])
    assert done is not None
    assert [one.quantity for one in done.moves if isinstance(one, Reserve)] == [
        Decimal(one) for one in reserved
    ]
