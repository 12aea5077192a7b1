"""The service over PostgreSQL: fence, batching, duplicates over processes, audit, wipe, sweep, resync."""

from __future__ import annotations

import asyncio
import random

import psycopg
import pytest

from onhand.core import presets
from onhand.core.outcomes import Accepted, Rejected, Replayed
from onhand.core.quantities import SCALE
from onhand.rows import ConfigurationRow
from onhand.service.faults import Fault, UnknownEnvironment
from onhand.storage.postgres.pool import open_pool
from onhand.storage.postgres.store import lines_for
from tests.memory import StillClock
from tests.processes import SHOP, Process
from tests.shop import change, reserve

PLACE = "usmf/1/11"
PLACE_OF_BIKE = {"siteId": "1", "locationId": "11"}


async def test_two_processes_never_sell_the_last_piece_twice(processes):
    first, second = processes
    await first.batcher.submit(SHOP, change("bike", 10, "c"))
    outcomes = await asyncio.gather(
        *(
            process.batcher.submit(SHOP, reserve("bike", 1, f"{name}-{number}"))
            for name, process in (("a", first), ("b", second))
            for number in range(15)
        )
    )
    assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, Rejected) for outcome in outcomes) == 20
    assert await first.stock() == {"bike": (10, 0)}
    assert (await second.auditor.audit(SHOP)).clean


async def test_the_same_id_at_two_processes_has_one_effect(processes):
    first, second = processes
    outcomes = await asyncio.gather(
        *(
            process.batcher.submit(SHOP, change("bike", 3, f"c{n}"))
            for n in range(10)
            for process in processes
        )
    )
    assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, Replayed) for outcome in outcomes) == 10
    assert await first.stock() == {"bike": (30, 30)}
    assert (await second.auditor.audit(SHOP)).clean


async def test_the_same_id_with_two_products_has_one_effect(processes):
    """The unit locks different rows, so the second commit meets the id: a conflict, then an answer."""
    first, second = processes
    for number in range(8):
        answers = await asyncio.gather(
            first.batcher.submit(SHOP, change("bike", 1, f"c{number}")),
            second.batcher.submit(SHOP, change("helmet", 1, f"c{number}", fingerprint=77)),
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["Accepted", "Rejected"]
    stock = await first.stock()
    assert sum(on_hand for on_hand, _ in stock.values()) == 8


async def test_a_configuration_applied_under_load_is_seen_by_every_batch(processes):
    first, second = processes
    applied = asyncio.Event()

    def damaged(number: int, product: str):
        def build(rules):
            if ("iv", "damaged") in rules.measures:
                return change(product, 1, f"{product}-{number}", measure=("iv", "damaged"))(rules)
            return change(product, 1, f"{product}-{number}")(rules)

        return build

    async def load(process: Process, name: str) -> int:
        number = 0
        while not applied.is_set() or number < 40:
            outcome = await process.batcher.submit(SHOP, damaged(number, f"{name}{number % 3}"))
            assert isinstance(outcome, Accepted)
            number += 1
        return number

    async def apply() -> None:
        document = presets.document("standalone", SHOP)
        document["inventorySystemConfigurations"]["iv"]["physicalMeasures"].append("damaged")
        assert isinstance(
            await second.environments.apply(SHOP, document, None, "ops", "count damage"), ConfigurationRow
        )
        applied.set()

    *counts, _ = await asyncio.gather(load(first, "a"), load(first, "b"), load(second, "c"), apply())
    outcome = await first.batcher.submit(SHOP, damaged(10**6, "a0"))
    assert isinstance(outcome, Accepted)
    assert first.environments.rules(SHOP).version == 2, "the fence renewed the rules of the other process"
    async with first.pool.acquire() as session:
        posted = await session.fetchval("SELECT sum(own) FROM stock")
    assert posted == (sum(counts) + 1) * SCALE
    assert (await first.auditor.audit(SHOP)).clean


async def test_how_batches_are_cut_changes_no_outcome(database_url):
    """I6: the same submissions one by one, in bulk and in small batches, in environments of their own."""
    rng = random.Random(20_26)
    script = []
    for number in range(60):
        product = rng.choice(["bike", "helmet"])
        make = rng.choice([change, reserve, reserve])
        script.append(
            make(product, rng.randint(1, 4), f"{product}-{number % 50}", dimensions=_somewhere(rng))
        )
    script += script[:10]

    async def play(environment: str, batch_max: int, *, bulk: bool) -> list[tuple[str, int]]:
        process = Process(
            await open_pool(database_url), lines_for(database_url), StillClock(), batch_max=batch_max
        )
        assert isinstance(
            await process.environments.create(environment, "standalone", "ops"), ConfigurationRow
        )
        await process.batcher.start()
        rules = process.environments.rules(environment)
        if bulk:
            outcomes = await process.batcher.submit_all(rules, script)
        else:
            outcomes = [await process.batcher.submit(environment, build) for build in script]
        assert (await process.auditor.audit(environment)).clean
        await process.close()
        return [_comparable(outcome) for outcome in outcomes]

    one_by_one = await play("singles", 1, bulk=False)
    assert {kind for kind, _ in one_by_one} == {"Accepted", "Rejected", "Replayed"}
    assert await play("bulk", 1_000, bulk=True) == one_by_one
    assert await play("pieces", 7, bulk=True) == one_by_one


def _somewhere(rng: random.Random) -> dict[str, str]:
    where = {"siteId": "1", "locationId": "11"}
    if rng.random() < 0.6:
        where["colorId"] = rng.choice(["red", "blue"])
    return where


def _comparable(outcome: Accepted | Replayed | Rejected | Fault) -> tuple[str, int]:
    assert not isinstance(outcome, Fault)
    facts = outcome.original if isinstance(outcome, Replayed) else outcome
    return type(outcome).__name__, facts.available


@pytest.mark.parametrize(
    ("damage", "invariant"),
    [
        ("UPDATE stock SET own = own + 1000000 WHERE held = 0 AND own > 0", "I3"),
        ("UPDATE stock SET held = held - 1000000 WHERE held > 0", "I2"),
        ("UPDATE hold SET remaining = remaining - 1000000 WHERE remaining > 0", "I2"),
        ("UPDATE stock SET finer = finer + 1000000 WHERE held = 0", "I3"),
        ("DELETE FROM movement WHERE sequence = 1", "I5"),
    ],
)
async def test_an_audit_finds_planted_drift(processes, database_url, damage, invariant):
    first, _ = processes
    await first.batcher.submit(SHOP, change("bike", 10, "c"))
    await first.batcher.submit(SHOP, reserve("bike", 3, "r"))
    assert (await first.auditor.audit(SHOP)).clean
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute(damage)
    report = await first.auditor.audit(SHOP)
    assert invariant in {drift.invariant for drift in report.drifts}
    assert {drift.product for drift in report.drifts} == {"bike"}
    assert first.ear.audits[-1][2] == report.drift_count > 0


async def test_a_wiped_partition_is_empty_and_its_ids_count_again(processes):
    first, second = processes
    for number in range(7):
        await first.batcher.submit(SHOP, change(f"p{number}", 5, f"c{number}"))
        await first.batcher.submit(SHOP, reserve(f"p{number}", 2, f"r{number}"))
    assert [one.partition_id for one in await second.queries.partitions(SHOP)] == [PLACE]
    assert await second.jobs.wipe(SHOP, [PLACE], "ops") == 7
    assert await first.queries.partitions(SHOP) == []
    assert await first.stock() == {}
    assert isinstance(await first.batcher.submit(SHOP, change("p0", 5, "c0")), Accepted)
    assert await first.stock() == {"p0": (5, 5)}
    assert (await first.auditor.audit(SHOP)).clean


async def test_the_sweeper_writes_down_what_expired(processes):
    first, second = processes
    for number in range(6):
        await first.batcher.submit(SHOP, change(f"p{number}", 5, f"c{number}"))
        await first.batcher.submit(SHOP, reserve(f"p{number}", 2, f"r{number}", lives_us=1_000_000))
    assert (await first.stock())["p0"] == (5, 3)
    first.clock.now += 1_000_000
    assert (await first.stock())["p0"] == (5, 5), "expired holds do not count before the sweep either"
    assert await second.jobs.sweep() == 6
    assert await second.jobs.sweep() == 0
    assert (await first.queries.holds(SHOP)).rows == []
    assert (await first.auditor.audit(SHOP)).clean


async def test_a_clean_up_job_is_resumed_by_another_process(processes):
    first, second = processes
    for number in range(12):
        await first.batcher.submit(SHOP, change(f"p{number}", 5, f"c{number}"))
        await first.batcher.submit(SHOP, reserve(f"p{number}", 2, f"r{number}"))
    job_id = await first.jobs.start_resync(SHOP, [], "ops")
    assert isinstance(job_id, str)
    await first.jobs.stop()
    await second.jobs.run_unfinished()
    job = await first.jobs.progress(job_id)
    assert job is not None
    assert (job.status, job.progress) == ("Succeeded", 100)
    assert set((await first.stock()).values()) == {(5, 5)}
    assert (await first.queries.holds(SHOP)).rows == []
    assert (await second.auditor.audit(SHOP)).clean


async def test_the_ledger_says_why(processes):
    first, _ = processes
    await first.batcher.submit(SHOP, change("bike", 10, "c"))
    await first.batcher.submit(SHOP, reserve("bike", 3, "r"))
    await first.batcher.submit(SHOP, reserve("bike", 9, "too many"))
    page = await first.queries.movements(SHOP, "USMF", "BIKE", dimensions={"siteId": "1", "locationId": "11"})
    assert not isinstance(page, Rejected)
    assert [(row.command_id, row.delta // SCALE, row.level // SCALE) for row in page.rows] == [
        ("r", 3, 3),
        ("c", 10, 10),
    ]
    (hold,) = (await first.queries.holds(SHOP, organization="usmf", product="Bike")).rows
    assert (await first.queries.hold(SHOP, hold.id)) == hold


async def test_a_renamed_environment_takes_nothing_under_its_old_id(processes):
    """The second process knows the old id only; meanwhile another environment has got it."""
    first, second = processes
    await first.batcher.submit(SHOP, change("bike", 5, "c1"))
    assert await first.environments.rename(SHOP, "store") is None
    with pytest.raises(UnknownEnvironment):
        await second.batcher.submit(SHOP, change("bike", 3, "c2"))

    await second.environments.refresh("store")
    assert await first.environments.rename("store", "outlet") is None
    assert isinstance(await first.environments.create("store", "standalone", "ops"), ConfigurationRow)
    assert isinstance(await second.batcher.submit("store", change("bike", 3, "c3")), Accepted)
    for environment_id, expected in (("outlet", 5), ("store", 3)):
        found = await first.queries.availability(environment_id, "usmf", "bike", PLACE_OF_BIKE)
        assert found.quantities["iv"]["onhand"] == expected * SCALE
