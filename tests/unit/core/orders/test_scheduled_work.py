"""Which lines get stock and which lose it, from values; and when a task is due."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from onhand.core.orders.allotting import allotted, supplied, turn, wanted
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderStatus,
    OrderType,
    ScheduledTask,
    Warehouse,
    Workflows,
)
from onhand.core.orders.lines import all_lines
from onhand.core.orders.moves import ItemRef, Release, Reserve
from onhand.core.orders.promising import Left
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.scheduling import TaskState, is_due
from onhand.core.orders.withdrawing import held, losses, moves_of
from tests.unit.core.orders.order_values import NOW, line, order, record, row, shipment

WORKFLOWS = Workflows(
    order_types={
        "online": OrderType(
            name="Online",
            order_statuses=(
                OrderStatus(name="New", order=1, workflow_steps=()),
                OrderStatus(name="Done", order=2, workflow_steps=(), is_delivered_status=True),
            ),
        )
    },
    warehouses={"wh1": Warehouse(code="WH1"), "virt": Warehouse(code="VIRT", is_virtual=True)},
    inventory=InventorySettings(organization_id="org"),
)


def wishes(*shipments, rows=(), **more):
    return wanted(record(order(*shipments, **more), *rows), WORKFLOWS)


def quantities(found):
    return [(one.line.line_item_id, one.quantity) for one in found]


def test_what_a_line_lacks_is_wanted_at_its_warehouse():
    (found,) = wishes(shipment("S1", line("L1", 5), warehouse="wh1"), rows=(row(reserved=2),))
    assert found == Reserve(line=found.line, item=ItemRef("A", "WH1"), quantity=Decimal(3), check=True), (
        "with the warehouse as it is configured"
    )


@pytest.mark.parametrize(
    ("shown", "more"),
    [
        (shipment("S1", line()), {"status": "Done"}),
        (shipment("S1", line()), {"isReadOnly": True}),
        (shipment("S1", line(), status="Shipped"), {}),
        (shipment("S1", line(), warehouse="VIRT"), {}),
        (shipment("S1", line(), warehouse="UNKNOWN"), {}),
    ],
)
def test_nothing_is_wanted_for_what_cannot_be_served(shown, more):
    assert wishes(shown, **more) == ()


def test_a_line_whose_hold_is_elsewhere_waits_for_the_move():
    assert wishes(shipment("S1", line("L1", 5)), rows=(row(reserved=2, warehouse="WH2"),)) == ()


def test_a_shipped_line_wants_nothing():
    assert wishes(shipment("S1", line("L1", 5)), rows=(row(reserved=2, reduced=True),)) == ()


def test_a_line_gets_all_or_nothing_and_no_unit_is_promised_twice():
    left = Left({ItemRef("A", "WH1"): Decimal(6)}.__getitem__)
    first = wishes(shipment("S1", line("L1", 4), line("L2", 3), line("L3", 1)))
    assert quantities(allotted(first, left)) == [("L1", 4), ("L3", 1)]
    assert quantities(allotted(wishes(shipment("S1", line("L1", 2), line("L2", 1))), left)) == [("L2", 1)]
    left.put_back(ItemRef("A", "WH1"), Decimal(4))
    assert quantities(allotted(wishes(shipment("S1", line("L1", 4))), left)) == [("L1", 4)]


def test_only_lines_that_got_something_need_no_purchase_order():
    bought = order(shipment("S1", line("L1", createPurchaseOrder=True), line("L2", createPurchaseOrder=True)))
    (first, _) = wanted(OrderRecord(order=bought), WORKFLOWS)
    marks = [one.create_purchase_order for _, one in all_lines(supplied(bought, [first]))]
    assert marks == [False, True]


def test_the_oldest_order_comes_first_whatever_its_id():
    turns = [
        turn(order(id=name, created=f"2026-01-0{day}T00:00:00Z")) for name, day in (("A", 2), ("B", 1), ("C", 2))
    ]  # fmt: skip
    assert [one.order_id for one in sorted(turns)] == ["B", "A", "C"]


def holders(*quantities_held, **more):
    return [
        one
        for number, quantity in enumerate(quantities_held, 1)
        for one in held(
            record(
                order(
                    shipment("S1", line("L1", quantity, **more)),
                    id=f"O{number}",
                    created=f"2026-01-0{number}T00:00:00Z",
                ),
                row(reserved=quantity),
            ),
            WORKFLOWS,
        )
    ]


@pytest.mark.parametrize(
    ("inventory", "lost"),
    [
        (10, []),
        (9, [("O3", 1)]),
        (6, [("O3", 4)]),
        (5, [("O3", 4), ("O2", 1)]),
        (-3, [("O3", 4), ("O2", 3), ("O1", 3)]),
    ],
)
def test_the_newest_lose_first_and_no_more_than_is_missing(inventory, lost):
    found = losses(holders(3, 3, 4), Decimal(inventory))
    assert [(one.order_id, quantity) for one, quantity in found] == lost


def test_lines_for_which_something_was_bought_keep_theirs():
    bought = holders(3, 3, reservedInventoryPurchaseOrderLineId="P1")
    assert losses(bought, Decimal(0)) == []
    assert len(losses(bought, Decimal(0), purchased_too=True)) == 2


def test_what_was_shipped_is_not_held():
    gone = row(reserved=2, consumed=Decimal(2), reduced=True)
    assert list(held(record(order(shipment("S1", line())), gone), WORKFLOWS)) == []
    assert list(held(record(order(shipment("S1", line()), status="Done"), row()), WORKFLOWS)) == []


def test_a_line_that_only_shows_it_gets_a_hold_for_what_it_keeps():
    shown = order(shipment("S1", line("L1", 3, reservedInventoryQuantity=3)))
    lost = losses(held(OrderRecord(order=shown), WORKFLOWS), Decimal(1))
    assert [(type(one), one.quantity) for one in moves_of(lost)] == [(Release, 3), (Reserve, 1)]


@pytest.mark.parametrize(
    ("schedule", "more", "hours", "due"),
    [
        ("0 13 * * *", {}, 0.5, False),
        ("0 13 * * *", {}, 1, True),
        ("0 13 * * *", {}, 100, True),
        ("0 13 * * *", {"is_disabled": True}, 1, False),
        ("no schedule", {}, 1, False),
        ("0 0 30 2 *", {}, 1, False),
    ],
)
def test_a_task_is_due_by_its_schedule(schedule, more, hours, due):
    task = ScheduledTask(implementation_type="T", schedule=schedule, **more)
    assert is_due(task, TaskState(since=NOW), NOW + timedelta(hours=hours)) is due


def test_a_task_is_not_due_while_it_runs():
    task = ScheduledTask(implementation_type="T", schedule="* * * * *")
    state = TaskState(since=NOW, claim="c", claimed_to=NOW + timedelta(minutes=5))
    assert not is_due(task, state, NOW + timedelta(minutes=4))
    assert is_due(task, state, NOW + timedelta(minutes=5))
