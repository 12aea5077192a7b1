"""Requests about orders that come twice, lose their answer, or lose their process: each is carried out once, and whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from onhand.core.keys import product_key
from onhand.core.orders.entities import read
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.repeating import Mark, mark_of, remembered
from onhand.core.orders.requests import LinesUpdate, LineUpdate, StatusUpdate
from onhand.core.orders.returning import ReturnRequest
from onhand.service.faults import Fault
from onhand.service.workflow.engine import RunAnswer
from onhand.service.workflow.leading import LEASE
from onhand.service.workflow.orders import Created
from onhand.storage.postgres.pool import Database, open_pool
from tests.orders import TESTER, Death, Process, an_order, configure, configured
from tests.serving import MovableClock
from tests.shop import change

WH1 = {"siteId": "1", "locationId": "WH1"}
SHOP = "shop"


class House:
    """One database, and as many processes as a test wants."""

    def __init__(self, pool: Database) -> None:
        self.pool = pool
        self._processes: list[Process] = []
        self.clock = MovableClock()

    async def process(self, settle_seconds: float = 0.0) -> Process:
        process = Process(self.pool, self.clock, settle_seconds=settle_seconds)
        await process.start()
        self._processes.append(process)
        return process

    async def close(self) -> None:
        for process in self._processes:
            await process.stop()

    async def settle(self, process: Process) -> None:
        """What is due is done, as the clock would have it."""
        self.clock.ahead_s += LEASE.total_seconds() + 1
        for _ in range(10):
            if not await process.desk.overdue.take_up():
                return
            await process.desk.background.drain()
        raise AssertionError("orders stay due for ever")


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    pool = await open_pool(database_url, connections_max=10)
    house = House(pool)
    first = await house.process()
    await first.environments.create(SHOP, "standalone", "tests")
    await configure(first, SHOP, configured())
    await first.batcher.submit(SHOP, change("A", 20, "in", dimensions=WH1))
    yield house
    await house.close()
    await pool.close()


async def on_hand(process: Process) -> int:
    """The inventory of A, by its ledger."""
    rules = await process.environments.current(SHOP)
    key = product_key(rules.environment, "usmf", "a")
    page = await process.reader.movements(key, None, rules.measures["iv", "onhand"], None, 1_000)
    return int(unscaled(sum(row.delta for row in page.rows)))


def an_update(units: int = 2, **more: Any) -> LinesUpdate:
    return LinesUpdate(
        line_item_updates=(LineUpdate(line_item_id="L1", delivered_quantity=Decimal(units)),), **more
    )


def a_mark(key: str = "k", body: bytes = b"{}") -> Mark:
    return mark_of("client", key, "orders", body)


# A key belongs to one request --------------------------------------------------------------------------------


async def test_one_key_makes_one_order_in_two_processes(house: House) -> None:
    """Each names another order; whoever commits first has the key."""
    desks = [(await house.process()).desk, (await house.process()).desk]
    for number in range(5):
        made = await asyncio.gather(
            *(
                desk.orders.create(
                    SHOP,
                    an_order(f"O{number}-{at}", {"S1": [("L1", "A", 1)]}),
                    TESTER,
                    a_mark(f"k{number}", b"%d" % at),
                )
                for at, desk in enumerate(desks)
            )
        )
        refused = [one for one in made if isinstance(one, Refused)]
        assert [one.code for one in refused] == [Code.PAYLOAD_MISMATCH]
        ids = [f"O{number}-{at}" for at in range(2)]
        assert len(await desks[0].searching.existing(SHOP, ids)) == 1


async def test_a_creation_whose_answer_is_lost_is_made_once(house: House) -> None:
    """Somebody else changes the order before the process that made it looks again."""
    first, other = await house.process(settle_seconds=10.0), await house.process()

    async def meanwhile() -> None:
        await house.settle(other)
        changed = await other.desk.orders.patch(SHOP, "O1", {"tags": ["changed"]}, TESTER)
        assert not isinstance(changed, Refused)

    order = an_order("O1", {})
    first.store.meanwhile = meanwhile
    made = await first.desk.orders.create(SHOP, order, TESTER, a_mark())
    assert isinstance(made, Created)
    again = await other.desk.orders.create(SHOP, order, TESTER, a_mark())
    assert isinstance(again, Created)
    assert (again.order.id, again.replayed) == ("O1", True)


# An increment counts once ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [None, a_mark()], ids=["own-retry", "key"])
async def test_a_lines_update_whose_answer_is_lost_counts_once(house: House, mark: Mark | None) -> None:
    first, other = await house.process(settle_seconds=10.0), await house.process()
    # Nothing of B is there to reserve, so that no command of the engine tells that the commit landed.
    await first.desk.orders.create(SHOP, an_order("O1", {"S1": [("L1", "B", 5)]}), TESTER)

    async def meanwhile() -> None:
        changed = await other.desk.orders.patch(SHOP, "O1", {"tags": ["changed"]}, TESTER)
        assert not isinstance(changed, Refused)

    first.store.meanwhile = meanwhile
    done = await first.desk.parts.update_lines(SHOP, "O1", an_update(), TESTER, None, mark)
    assert isinstance(done, RunAnswer)
    assert done.order.tags == ("changed",)
    delivered = [line.delivered_quantity for one in done.order.shipments for line in one.line_items]
    assert sorted(delivered) == [0, 2]


async def test_a_return_whose_answer_is_lost_is_registered_once(house: House) -> None:
    first, other = await house.process(settle_seconds=10.0), await house.process()
    await first.desk.orders.create(SHOP, an_order("O1", {"S1": [("L1", "A", 5)]}), TESTER)

    async def meanwhile() -> None:
        await other.desk.orders.patch(SHOP, "O1", {"tags": ["changed"]}, TESTER)

    request = read(ReturnRequest, {"returns": [{"lineItemId": "L1", "returnQuantity": 1}]})
    assert isinstance(request, ReturnRequest)
    first.store.meanwhile = meanwhile
    done = await first.desk.returns.create(SHOP, "O1", request, TESTER, None)
    assert isinstance(done, RunAnswer)
    assert [one.return_id for one in done.order.return_order_forms] == ["R1"]


async def test_the_run_of_a_change_whose_answer_is_lost_is_led_by_who_began_it(house: House) -> None:
    """Its own retry goes on with the run; the same request from elsewhere gets the order and leads nothing."""
    first, other = await house.process(settle_seconds=10.0), await house.process()
    await first.desk.orders.create(SHOP, an_order("O1", {"S1": [("L1", "A", 5)]}), TESTER)
    answers: list[Any] = []

    async def meanwhile() -> None:
        update = an_update(status="Ship")
        answers.append(await other.desk.parts.update_lines(SHOP, "O1", update, TESTER, None, a_mark()))

    first.store.meanwhile = meanwhile
    done = await first.desk.parts.update_lines(SHOP, "O1", an_update(status="Ship"), TESTER, None, a_mark())
    assert isinstance(done, RunAnswer)
    assert done.results[0].message.startswith("reduced: 1")
    (replayed,) = answers
    assert (replayed.replayed, replayed.results) == (True, ())
    assert await on_hand(first) == 18


async def test_the_same_update_from_two_processes_at_once_counts_once(house: House) -> None:
    desks = [(await house.process()).desk, (await house.process()).desk]
    await desks[0].orders.create(SHOP, an_order("O1", {"S1": [("L1", "B", 5)]}), TESTER)
    done = await asyncio.gather(
        *(desk.parts.update_lines(SHOP, "O1", an_update(), TESTER, None, a_mark()) for desk in desks)
    )
    assert [isinstance(one, RunAnswer) for one in done] == [True, True]
    found = await desks[0].searching.order(SHOP, "O1")
    assert found is not None
    delivered = [line.delivered_quantity for one in found.shipments for line in one.line_items]
    assert sorted(delivered) == [0, 2]


def test_an_order_remembers_a_bounded_number_of_requests() -> None:
    marks: tuple[Mark, ...] = ()
    for number in range(100):
        marks = remembered(remembered(marks, Mark(f"k{number}", "d")), Mark(f"own{number}"))
    assert [one.key for one in marks if one.digest] == [f"k{number}" for number in range(68, 100)]
    assert [one.key for one in marks if not one.digest] == [f"own{number}" for number in range(92, 100)]


# What was accepted is finished -------------------------------------------------------------------------------


async def three_shipments(process: Process) -> None:
    shipments = {name: [("L1", "A", 2), (f"M-{name}", "A", 1)] for name in ("S1", "S2", "S3")}
    made = await process.desk.orders.create(SHOP, an_order("O1", shipments), TESTER)
    assert isinstance(made, Created)


async def test_a_lines_update_ships_each_shipment_in_a_run_of_its_own(house: House) -> None:
    process = await house.process()
    await three_shipments(process)
    done = await process.desk.parts.update_lines(SHOP, "O1", an_update(6, status="Ship"), TESTER, None)
    assert isinstance(done, RunAnswer)
    messages = [one.message for one in done.results if one.action_type.startswith("ReduceInventory")]
    assert messages == ["reduced: 1; no cost known: A"] * 3
    assert await on_hand(process) == 14
    shipped = [one.shipment_id for one in done.order.shipments if one.order_status == "Ship"]
    assert shipped == ["S1", "S2", "S3"]


@pytest.mark.parametrize("death", list(Death))
async def test_a_lines_update_over_several_shipments_is_finished_wherever_its_process_dies(
    house: House, death: Death, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies at the first commit, at the second, and so on, until it lives through the request."""
    monkeypatch.setattr("onhand.service.workflow.leading.PAUSE_S", 0.0)
    clean, doomed = await house.process(), await house.process()
    for commits in range(30):
        order_id = f"O{commits}"
        await clean.desk.orders.create(
            SHOP, an_order(order_id, {name: [("L1", "A", 1)] for name in ("S1", "S2", "S3")}), TESTER
        )
        before = await on_hand(clean)
        doomed.store.dead, doomed.store.commits_left, doomed.store.death = False, commits, death
        update = an_update(3, status="Ship")
        try:
            await doomed.desk.parts.update_lines(SHOP, order_id, update, TESTER, None)
        except Fault:
            assert doomed.store.dead
        await doomed.desk.background.drain()
        died = doomed.store.dead
        await house.settle(clean)
        accepted = commits > 0 or death is Death.AFTER_COMMIT
        assert before - await on_hand(clean) == (3 if accepted else 0), commits
        found = await clean.desk.searching.order(SHOP, order_id)
        assert found is not None
        status = "Ship" if accepted else "New"
        assert {one.order_status for one in found.shipments} == {status}, commits
        assert found.status == status
        if not died:
            break
    else:
        raise AssertionError("the request never ends")
    assert commits > 6, "each shipment has its own reduction and its own end"


async def test_a_halted_run_does_not_keep_the_next_shipment_away(house: House) -> None:
    """The first shipment has no warehouse: its run ends in an error, the second one is shipped."""
    process = await house.process()
    order = an_order("O1", {"S1": [("L1", "A", 1)], "S2": [("L1", "A", 1)]})
    first, second = order.shipments
    await process.desk.orders.create(SHOP, order, TESTER)
    await process.desk.orders.patch(SHOP, "O1", {"orderForm": _without_warehouse(first, second)}, TESTER)
    done = await process.desk.parts.update_lines(SHOP, "O1", an_update(2, status="Ship"), TESTER, None)
    assert isinstance(done, RunAnswer)
    said = [one.action_status for one in done.results if one.action_type.startswith("ReduceInventory")]
    assert said == ["Error", "Success"]
    assert await on_hand(process) == 19


def _without_warehouse(first: Any, second: Any) -> dict[str, Any]:
    return {
        "shipments": [
            {
                "shipmentId": one.shipment_id,
                "warehouseCode": code,
                "lineItems": [{"lineItemId": "L1", "code": "A", "quantity": 1}],
            }
            for one, code in ((first, ""), (second, "WH1"))
        ]
    }


async def test_a_queued_run_is_not_pushed_out_by_another_status(house: House) -> None:
    """The process died in the first shipment: until the rest is done, no other status can be entered."""
    clean = await house.process()
    await three_shipments(clean)
    doomed = await house.process()
    doomed.store.commits_left = 2
    with pytest.raises(Fault):
        await doomed.desk.parts.update_lines(SHOP, "O1", an_update(6, status="Ship"), TESTER, None)
    await doomed.stop()
    house.clock.ahead_s += LEASE.total_seconds() + 1
    refused = await clean.desk.parts.status(SHOP, "O1", StatusUpdate(status="Completed"), TESTER, None)
    assert isinstance(refused, Refused)
    assert refused.code is Code.ORDER_LOCKED
    priced = LinesUpdate(line_item_updates=(LineUpdate(line_item_id="L1", cost=Decimal(1)),), status="Ship")
    refused = await clean.desk.parts.update_lines(SHOP, "O1", priced, TESTER, None)
    assert isinstance(refused, Refused), "it begins with the same run, but queues others"
    assert refused.code is Code.ORDER_LOCKED
    await house.settle(clean)
    assert await on_hand(clean) == 14


# What is stuck keeps nobody waiting --------------------------------------------------------------------------


def scheduled(order_id: str, day: int, **more: Any) -> Any:
    return an_order(
        order_id, {}, updateStatusDate=f"2020-01-{day:02}T00:00:00Z", nextOrderStatus="Ship", **more
    )


async def test_orders_that_cannot_be_taken_up_keep_no_newer_one_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a page of them is due for longer; each look passes over a bounded number of pages."""
    process = await house.process()
    for number in range(1, 8):
        stuck = await process.desk.orders.create(
            SHOP, scheduled(f"O{number}", number, status="Queued"), TESTER
        )
        assert isinstance(stuck, Created)
    monkeypatch.setattr("onhand.service.workflow.overdue.OVERDUE", 3)
    made = await process.desk.orders.create(SHOP, scheduled("New", 20), TESTER)
    assert isinstance(made, Created)
    assert await process.desk.overdue.take_up() == 8
    found = await process.desk.searching.order(SHOP, "New")
    assert found is not None
    assert found.status == "Ship"

    monkeypatch.setattr("onhand.service.workflow.overdue.PAGES", 1)
    await process.desk.orders.create(SHOP, scheduled("Newer", 21), TESTER)
    assert [await process.desk.overdue.take_up() for _ in range(3)] == [3, 3, 2]
    found = await process.desk.searching.order(SHOP, "Newer")
    assert found is not None
    assert found.status == "Ship"
    assert await process.desk.overdue.take_up() == 3, "from the beginning again"


async def test_an_order_that_cannot_be_read_keeps_no_other_one_out(house: House) -> None:
    process = await house.process()
    await process.desk.orders.create(SHOP, scheduled("Broken", 1, status="Queued"), TESTER)
    await process.desk.orders.create(SHOP, scheduled("New", 2), TESTER)
    await house.pool.execute("UPDATE document SET body = '{}' WHERE kind = 'order' AND id = 'Broken'")
    await process.desk.overdue.take_up()
    found = await process.desk.searching.order(SHOP, "New")
    assert found is not None
    assert found.status == "Ship"
