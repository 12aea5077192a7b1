"""Order specification 11.6: duplicates, crashes, concurrency. Rows 57 needs stock in another service, which onhand has not."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from onhand.core.orders.requests import StatusUpdate
from onhand.service.faults import Fault
from onhand.service.workflow.leading import LEASE
from onhand.storage.postgres.pool import open_pool
from tests.conformance.orders.conftest import STEP, Shop, only, properties, released
from tests.e2e.orders.order_calls import line
from tests.orders import TESTER, Death, Process

FIVE = ("A", "B", "C", "D", "E")


async def five(shop: Shop) -> None:
    await shop.given(released("S1", *(line(f"L{code}", 1, code) for code in FIVE)))


async def dying(
    shop: Shop, database_url: str, status: str, commits: int, death: Death = Death.BEFORE_COMMIT
) -> None:
    """A process enters a status and dies after so many commits, and the claim on its run has run out."""
    pool = await open_pool(database_url, connections_max=4)
    try:
        process = Process(pool, shop.running.clock)
        await process.start()
        process.store.commits_left, process.store.death = commits, death
        try:
            await process.desk.parts.status("shop", "O1", StatusUpdate(status=status), TESTER, None)
        except Fault:
            assert process.store.dead
        await process.desk.background.drain()
        assert process.store.dead
        await process.stop()
    finally:
        await pool.close()
    shop.running.clock.ahead_s += LEASE.total_seconds() + 1


async def test_51_two_workers_at_the_same_instant(shop: Shop) -> None:
    await five(shop)
    answers = await asyncio.gather(
        *(shop.send("POST", "orders/O1/status", {"status": "Step"}) for _ in range(2))
    )
    codes = sorted(answer.status_code for answer in answers)
    assert codes in ([200, 200], [200, 409])
    assert await shop.both(*FIVE) == dict.fromkeys(FIVE, (9, 0))
    assert len(await shop.transactions()) == 5
    statuses = [only(one.json())["actionStatus"] for one in answers if one.status_code == 200]
    assert statuses.count("Success") == 1


async def test_52_two_status_updates(shop: Shop) -> None:
    await shop.workflow(Ship={"steps": [STEP], "shipment_status_update": "Released"})
    await shop.given()
    answers = await asyncio.gather(
        *(shop.send("POST", "orders/O1/status", {"status": "Ship"}) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert await shop.levels() == (9, 0)


async def test_54_fifty_orders_of_one_item(shop: Shop) -> None:
    await shop.workflow(New=["IncreaseReservedInventory"], Step=[STEP])
    await shop.stock(90)
    names = [f"O{number}" for number in range(50)]
    await asyncio.gather(*(shop.given(released("S1", line("L1", 1)), order_id=name) for name in names))
    assert await shop.levels() == (100, 50)
    await asyncio.gather(*(shop.run(order_id=name) for name in names))
    assert await shop.levels() == (50, 0)
    levels = [one["newInventory"] for name in names for one in await shop.transactions(name)]
    assert sorted(levels) == list(range(50, 100))
    await shop.audit()


async def test_56_a_process_dies_between_units(shop: Shop, database_url: str) -> None:
    await shop.given(
        released("S1", *(line(f"L{code}", 1, code) for code in "AB")),
        released("S2", *(line(f"M{code}", 1, code) for code in "CDE")),
    )
    pool = await open_pool(database_url, connections_max=4)
    try:
        process = Process(pool, shop.running.clock)
        await process.start()
        process.store.commits_left, process.store.death = 2, Death.BEFORE_COMMIT
        try:
            await process.desk.parts.status("shop", "O1", StatusUpdate(status="Step"), TESTER, None)
        except Fault:
            assert process.store.dead
        await process.stop()
    finally:
        await pool.close()
    assert await shop.both(*FIVE) == {**dict.fromkeys("AB", (9, 0)), **dict.fromkeys("CDE", (10, 0))}
    shop.running.clock.ahead_s += LEASE.total_seconds() + 1
    await shop.running.services.orders.overdue.take_up()
    assert await shop.both(*FIVE) == dict.fromkeys(FIVE, (9, 0))
    assert len(await shop.transactions()) == 5
    assert only(await shop.run())["actionStatus"] == "Warning"


async def test_59_the_database_fails_on_a_line(shop: Shop, database_url: str) -> None:
    await shop.given(
        released("S1", *(line(f"L{code}", 1, code) for code in "ABC")),
        released("S2", line("M1", 1, "D"), line("M2", 1, "F")),
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE stock ADD CONSTRAINT trouble CHECK (own >= 0) NOT VALID")
        done = only(await shop.run())
        connection.execute("ALTER TABLE stock DROP CONSTRAINT trouble")
    assert done["actionStatus"] == "Error"
    assert await shop.both("A", "B", "C", "D", "F") == {
        **dict.fromkeys("ABC", (9, 0)),
        "D": (10, 0),
        "F": (0, 0),
    }
    assert only(await shop.run())["actionStatus"] == "Warning"
    assert await shop.both("D", "F") == {"D": (9, 0), "F": (-1, 0)}
    assert len(await shop.transactions()) == 5
    await shop.audit()


async def test_60_another_step_of_the_family_came_first(shop: Shop) -> None:
    await shop.workflow(New=["IncreaseReservedInventory"], Ship=["ReduceInventory"], Step=[STEP])
    await shop.given()
    await shop.run("Ship")
    assert await shop.levels() == (9, 1)
    assert only(await shop.run())["actionStatus"] == "Warning"
    assert await shop.levels() == (9, 1)


async def test_61_another_step_of_the_family_comes_later(shop: Shop) -> None:
    await shop.workflow(
        New=["IncreaseReservedInventory"], Step=[STEP], Completed=["ReduceInventoryAndReservedInventory"]
    )
    await shop.given()
    await shop.run()
    assert only(await shop.run("Completed"))["actionStatus"] == "Warning"
    assert await shop.levels() == (9, 0)


async def test_63_a_shipment_named_return(shop: Shop) -> None:
    await shop.workflow(Completed=[STEP, "CheckPosOrderForReturnAndIncreaseInventory"])
    await shop.given(released("return", line("L1", 1)))
    await shop.run("Completed")
    await shop.ok(
        "POST",
        "orders/O1/returns",
        {"storeId": "ST1", "returns": [{"lineItemId": "L1", "returnQuantity": 1}]},
    )
    await shop.run("Completed")
    assert (await shop.levels(), await shop.levels("A", "ST1")) == ((9, 0), (1, 0))
    assert [one["inventoryChange"] for one in await shop.transactions()] == [-1, 1]


async def test_64_an_order_is_imported_again(shop: Shop) -> None:
    await shop.workflow(Ship={"steps": [STEP], "shipment_status_update": "Released"})
    made = await shop.given()
    await shop.run("Ship")
    again = {key: value for key, value in made.items() if key != "versionId"} | {"status": "Ship"}
    await shop.ok("POST", "orders/bulk?mode=upsert&runWorkflow=true", [again])
    assert await shop.levels() == (9, 0)
    assert len(await shop.transactions()) == 1


async def test_66_a_second_worker_starts_after_the_claim_ran_out(shop: Shop, database_url: str) -> None:
    await five(shop)
    pool = await open_pool(database_url, connections_max=4)
    try:
        process = Process(pool, shop.running.clock)
        await process.start()
        process.store.commits_left, process.store.death = 1, Death.AFTER_COMMIT
        try:
            await process.desk.parts.status("shop", "O1", StatusUpdate(status="Step"), TESTER, None)
        except Fault:
            assert process.store.dead
        await process.stop()
    finally:
        await pool.close()
    await shop.refused(409, "OrderLocked", "POST", "orders/O1/status", {"status": "Step"})
    shop.running.clock.ahead_s += LEASE.total_seconds() + 1
    await shop.run()
    assert await shop.both(*FIVE) == dict.fromkeys(FIVE, (9, 0))
    assert len(await shop.transactions()) == 5


async def test_steps_after_the_save_do_not_outlive_their_order(shop: Shop, database_url: str) -> None:
    await shop.workflow(Step=[{"name": "ReduceInventory", "runAfterOrderIsSaved": True}])
    await shop.given()
    await dying(shop, database_url, "Step", 2)  # before what comes after the save
    await shop.ok("DELETE", "orders/O1?permanently=true")
    await shop.given(released("S1", line("L1", 3)))  # another order under the id
    await shop.running.services.orders.overdue.take_up()
    assert await shop.levels() == (10, 0)


@pytest.mark.parametrize("commits", [2, 4])
async def test_a_status_that_a_step_wants_survives_a_crash(
    shop: Shop, database_url: str, commits: int
) -> None:
    change = {
        "name": "ChangeStatus",
        "runAfterOrderIsSaved": commits == 4,
        "properties": properties(orderStatus="Completed"),
    }
    await shop.workflow(Step=[change], Completed=["ReduceInventory"])
    await shop.given()
    await dying(shop, database_url, "Step", commits)
    assert (await shop.order())["status"] == "Step"
    await shop.running.services.orders.overdue.take_up()
    assert (await shop.order())["status"] == "Completed"
    assert await shop.levels() == (9, 0)
    assert await shop.running.services.orders.overdue.take_up() == 0


async def test_a_status_that_a_step_after_the_save_wants_is_entered(shop: Shop) -> None:
    change = {
        "name": "ChangeStatus",
        "runAfterOrderIsSaved": True,
        "properties": properties(orderStatus="Completed"),
    }
    await shop.workflow(Step=[change], Completed=["ReduceInventory"])
    await shop.given()
    assert (await shop.run())["order"]["status"] == "Step"
    assert (await shop.order())["status"] == "Completed"
    assert await shop.levels() == (9, 0)


async def test_another_status_instead_voids_the_one_that_was_wanted(shop: Shop, database_url: str) -> None:
    change = {"name": "ChangeStatus", "properties": properties(orderStatus="Completed")}
    await shop.workflow(Step=[change], Completed=["ReduceInventory"], Cancelled=[])
    await shop.given()
    await dying(shop, database_url, "Step", 2)
    await shop.run("Cancelled")
    await shop.running.services.orders.overdue.take_up()
    assert (await shop.order())["status"] == "Cancelled"
    assert await shop.levels() == (10, 0)


async def test_the_steps_of_an_interrupted_run_are_not_passed_over(shop: Shop, database_url: str) -> None:
    await shop.workflow(Step=[STEP], Completed=[])
    await shop.given()
    await dying(shop, database_url, "Step", 1)
    await shop.refused(409, "OrderLocked", "POST", "orders/O1/status", {"status": "Completed"})
    await shop.running.services.orders.overdue.take_up()
    await shop.run("Completed")
    assert await shop.levels() == (9, 0)
