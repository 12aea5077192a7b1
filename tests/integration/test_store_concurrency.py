"""Locks, fences and lost connections, with several units at once."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import psycopg
import pytest

from onhand.core import presets
from onhand.core.commands import Kind
from onhand.core.snapshot import Decision, Reads
from onhand.service.faults import Conflict, Fault, InvariantViolation, OutcomeUnknown, StoreUnavailable
from onhand.storage.postgres.errors import commit_fault_of, fault_of
from onhand.storage.postgres.line import Line
from onhand.storage.postgres.pool import open_pool
from onhand.storage.postgres.store import PostgresStore, lines_for
from tests.hand_made import NOW, PIECE, STOCKED, Hand, at, database, do, sku, wanting

RED = at(colorid="red")
PRODUCTS = [sku(f"p{number}") for number in range(12)]


@pytest.fixture
async def house(database_url):
    async with database(database_url, connections_max=16) as opened:
        yield opened


async def test_units_over_many_products_never_deadlock_and_lose_no_update(house):
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")  # noqa: T201
    dice = random.Random(seed)

    async def one(number: int) -> None:
        chosen = dice.sample(PRODUCTS, 4)

        def act(hand: Hand) -> None:
            for key in chosen:
                hand.post(key, RED, PIECE, f"{number}-{key.product}")

        await do(house.store, wanting(*chosen, positions={(key, RED.key) for key in chosen}), act)

    await asyncio.gather(*(one(number) for number in range(100)))
    totals = await house.pool.fetchrow(
        "SELECT (SELECT sum(own) FROM stock) AS own, (SELECT sum(version) FROM product) AS version,"
        " (SELECT count(*) FROM movement) AS rows"
    )
    assert tuple(totals) == (400 * PIECE, 400, 400), f"seed {seed}"


async def test_what_another_unit_wrote_while_this_one_waited_for_its_lock_is_seen(house):
    key = PRODUCTS[0]
    await do(house.store, wanting(key), lambda _hand: None)
    async with house.store.unit() as first:
        hand = Hand(await first.gather(wanting(key), NOW))
        hand.post(key, RED, PIECE, "first")

        async def second():
            reads = wanting(key, positions={(key, RED.key)}, ids=[(1, Kind.CHANGE, "first")])
            async with house.store.unit() as unit:
                return await unit.gather(reads, NOW)

        waiting = asyncio.create_task(second())
        await blocked(house.pool)
        await first.commit(hand.decide())
    found = await waiting
    assert found.products[key].stock[RED.key, STOCKED].own == PIECE
    assert set(found.ids) == {(1, Kind.CHANGE, "first")}


async def blocked(pool) -> None:
    """Return once a session of the database waits for a lock."""
    while not await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ):
        pass


async def test_a_configuration_waits_for_batches_in_flight_and_they_read_its_version(house):
    document = presets.document("standalone", "env")
    async with house.store.unit() as unit:
        hand = Hand(await unit.gather(wanting(PRODUCTS[0]), NOW))
        hand.post(PRODUCTS[0], RED, PIECE, "before")
        applying = asyncio.create_task(
            house.catalogue.apply_configuration(
                1, 1, document, {}, ("siteid", "locationid"), ("siteid", "locationid"), "tester", ""
            )
        )
        await blocked(house.pool)
        assert not applying.done()
        await unit.commit(hand.decide())
    assert (await applying).version == 2
    async with house.store.unit() as unit:
        assert (await unit.gather(wanting(PRODUCTS[0]), NOW)).configuration == {1: 2}


async def test_a_stale_version_is_not_applied(house):
    document = presets.document("standalone", "env")
    assert await house.catalogue.apply_configuration(1, 7, document, {}, (), (), "tester", "") is None
    assert len(await house.catalogue.history(1)) == 1


async def test_a_killed_session_is_unavailable_before_the_commit_is_sent_and_unknown_after(house):
    async with house.store.unit() as unit:
        hand = Hand(await unit.gather(wanting(PRODUCTS[0]), NOW))
        await kill_others(house.pool)
        hand.post(PRODUCTS[0], RED, PIECE, "p")
        with pytest.raises(StoreUnavailable):
            await unit.commit(hand.decide())
    async with house.pool.acquire() as holder, holder.transaction():
        await holder.execute("LOCK TABLE movement IN EXCLUSIVE MODE")
        async with house.store.unit() as unit:
            hand = Hand(await unit.gather(wanting(PRODUCTS[0]), NOW))
            hand.post(PRODUCTS[0], RED, PIECE, "p")
            committing = asyncio.create_task(unit.commit(hand.decide()))
            await blocked(house.pool)
            await holder.fetch(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            with pytest.raises(OutcomeUnknown):
                await committing
    await do(house.store, wanting(PRODUCTS[0]), lambda hand: hand.post(PRODUCTS[0], RED, PIECE, "p"))


async def kill_others(pool) -> None:
    await pool.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def test_a_cancelled_unit_gives_its_locks_back(house):
    key = PRODUCTS[0]
    async with house.store.unit() as holder:
        await holder.gather(wanting(key), NOW)
        waiting = asyncio.create_task(do(house.store, wanting(key), lambda _hand: None))
        await blocked(house.pool)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await asyncio.wait_for(do(house.store, wanting(key), lambda hand: hand.post(key, RED, PIECE, "p")), 5)


async def test_a_level_that_does_not_fit_is_a_violation(house):
    def overflow(hand: Hand) -> None:
        hand.post(PRODUCTS[0], RED, PIECE, "p")
        hand.reserve(PRODUCTS[0], RED, 0, "zero")

    with pytest.raises(InvariantViolation):
        await do(house.store, wanting(PRODUCTS[0]), overflow)


async def test_a_statement_that_takes_too_long_is_unavailable(database_url):
    async with database(database_url) as slow, database(database_url, statement_timeout_ms=200) as quick:
        await do(slow.store, wanting(PRODUCTS[0]), lambda _hand: None)
        async with slow.store.unit() as unit:
            await unit.gather(wanting(PRODUCTS[0]), NOW)
            with pytest.raises(StoreUnavailable):
                await do(quick.store, wanting(PRODUCTS[0]), lambda _hand: None)


async def test_without_statement_cache_the_store_works_the_same(database_url):
    async with database(database_url, statement_cache=False) as opened:
        for number in range(3):
            await do(
                opened.store,
                wanting(PRODUCTS[0], positions={(PRODUCTS[0], RED.key)}),
                lambda hand, number=number: hand.post(PRODUCTS[0], RED, PIECE, f"p{number}"),
            )
        assert await opened.pool.fetchval("SELECT own FROM stock") == 3 * PIECE


async def test_a_unit_takes_two_round_trips(house, monkeypatch):
    key = PRODUCTS[0]
    await do(house.store, wanting(key), lambda hand: hand.post(key, RED, PIECE, "first"))
    trips: list[list[bytes]] = []
    send = Line.send

    def noted(line, *statements):
        trips.append([statement.name for statement, _ in statements])
        return send(line, *statements)

    monkeypatch.setattr(Line, "send", noted)
    await do(
        house.store,
        wanting(key, positions={(key, RED.key)}),
        lambda hand: hand.post(key, RED, PIECE, "second"),
    )
    assert trips == [[b"begin", b"gather"], [b"commit_batch", b"commit"]]


async def test_what_follows_a_refused_statement_is_not_executed(house):
    """A `commit_batch` that fails must not be committed by the COMMIT behind it, and the line goes on."""
    key = PRODUCTS[0]
    await do(house.store, wanting(key), lambda hand: hand.post(key, RED, PIECE, "same"))
    for _ in range(3):
        with pytest.raises(Conflict):
            await do(house.store, wanting(key), lambda hand: hand.post(key, RED, PIECE, "same"))
    await do(
        house.store,
        wanting(key, positions={(key, RED.key)}),
        lambda hand: hand.post(key, RED, PIECE, "other"),
    )
    assert await house.pool.fetchval("SELECT count(*) FROM movement") == 2


async def test_an_unreachable_server_is_unavailable(tmp_path):
    url = f"postgresql://nobody@/none?host={tmp_path}"
    with pytest.raises(StoreUnavailable):
        await open_pool(url, connect_timeout_s=1)
    with pytest.raises(StoreUnavailable):
        await do(PostgresStore(lines_for(url, connect_timeout_s=1)), wanting(PRODUCTS[0]), lambda _hand: None)


@pytest.mark.parametrize(
    ("state", "fault", "at_commit"),
    [
        ("40001", Conflict, Conflict),
        ("40P01", Conflict, Conflict),
        ("23505", Conflict, Conflict),
        ("08006", StoreUnavailable, OutcomeUnknown),
        ("57P01", StoreUnavailable, OutcomeUnknown),
        ("57P02", StoreUnavailable, OutcomeUnknown),
        ("57P03", StoreUnavailable, OutcomeUnknown),
        ("25006", StoreUnavailable, OutcomeUnknown),
        ("23514", InvariantViolation, InvariantViolation),
        ("42601", type(None), type(None)),
    ],
)
def test_faults_follow_the_sqlstate(state, fault, at_commit):
    error = asyncpg.PostgresError("whatever the message says")
    error.sqlstate = state
    assert type(fault_of(error)) is fault
    assert type(commit_fault_of(error)) is at_commit
    other = psycopg.Error("likewise")
    other.sqlstate = state
    assert type(fault_of(other)) is fault
    assert type(commit_fault_of(other)) is at_commit
    assert fault_of(ValueError()) is None
    assert issubclass(StoreUnavailable, Fault)


async def test_reads_alone_write_nothing(house):
    async with house.store.unit() as unit:
        await unit.gather(Reads(), NOW)
        await unit.commit(Decision(NOW))
    assert await house.pool.fetchval("SELECT count(*) FROM product") == 0


async def test_a_process_that_hangs_within_a_unit_loses_its_locks(database_url):
    """A stopped process, or one whose network is gone, holds its rows only as long as a statement may take."""
    key = PRODUCTS[0]
    async with (
        database(database_url) as healthy,
        database(database_url, statement_timeout_ms=300) as hanging,
    ):
        await do(healthy.store, wanting(key), lambda hand: hand.post(key, RED, PIECE, "before"))
        with pytest.raises(Fault):  # noqa: PT012 - the fault comes with the commit, or with the end of the unit
            async with hanging.store.unit() as unit:
                hand = Hand(await unit.gather(wanting(key, positions={(key, RED.key)}), NOW))
                await do(
                    healthy.store,
                    wanting(key, positions={(key, RED.key)}),
                    lambda other: other.post(key, RED, PIECE, "healthy"),
                )
                hand.post(key, RED, PIECE, "late")
                await unit.commit(hand.decide())
        ids = await healthy.pool.fetch("SELECT id FROM command_id ORDER BY id")
        assert [row["id"] for row in ids] == ["before", "healthy"]
