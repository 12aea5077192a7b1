"""Schedules run in one process at a time, survive the database's death, and stop at once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from onhand.storage.postgres import migrate
from onhand.storage.postgres.embedded import EmbeddedServer
from onhand.storage.postgres.pool import Database, open_pool
from onhand.storage.postgres.schedule import EVERY_DAY, STOP_LIMIT_S, Schedule, Schedules

AT_ONCE = timedelta(0)
WAIT_S = 30.0


class Runs:
    """Counts runs, and lets a test wait for the next one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.count = 0
        self._ran = asyncio.Event()
        self._error = error

    async def __call__(self) -> None:
        self.count += 1
        self._ran.set()
        if self._error:
            raise self._error

    async def next(self) -> None:
        self._ran.clear()
        async with asyncio.timeout(WAIT_S):
            await self._ran.wait()


class Endless:
    """Runs until it is cancelled."""

    def __init__(self) -> None:
        self.begun, self.cancelled = asyncio.Event(), asyncio.Event()
        self.count = 0

    async def __call__(self) -> None:
        self.count += 1
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def begin(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.begun.wait()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Database]:
    pool = await open_pool(database_url)
    yield pool
    await pool.close()


def schedules(pool: Database, *wanted: Schedule, claim_s: float = 60.0) -> Schedules:
    return Schedules(pool, wanted, poll_s=0.01, claim_s=claim_s)


async def test_a_schedule_runs_again_and_again(pool: Database) -> None:
    runs = Runs()
    service = schedules(pool, Schedule("tick", AT_ONCE, runs))
    await service.start()
    for _ in range(3):
        await runs.next()
    await service.stop()
    assert runs.count >= 3
    assert await pool.fetchval("SELECT count(*) FROM schedule WHERE claim IS NOT NULL") == 0


async def test_daily_work_runs_with_the_first_start_and_not_with_the_second(pool: Database) -> None:
    daily, often = Runs(), Runs()
    for _ in range(2):
        service = schedules(pool, Schedule("daily", EVERY_DAY, daily), Schedule("often", AT_ONCE, often))
        await service.start()
        for _ in range(3):
            await often.next()
        await service.stop()
    assert daily.count == 1
    left = await pool.fetchval("SELECT due_at - started_at FROM schedule WHERE name = 'daily'")
    assert left == EVERY_DAY


class Unheard:
    """A pool whose statements are carried out and whose answers do not come."""

    def __init__(self, pool: Database) -> None:
        self.execute = pool.execute
        self._pool = pool
        self.carried_out = asyncio.Event()

    async def fetchval(self, text: str, *parameters: object) -> None:
        await self._pool.fetchval(text, *parameters)
        self.carried_out.set()
        await asyncio.Event().wait()


async def test_a_stop_while_a_claim_is_answered_gives_it_back(pool: Database) -> None:
    runs, unheard = Runs(), Unheard(pool)
    service = schedules(unheard, Schedule("tick", AT_ONCE, runs))  # type: ignore[arg-type]
    await service.start()
    async with asyncio.timeout(WAIT_S):
        await unheard.carried_out.wait()
    assert await pool.fetchval("SELECT count(*) FROM schedule WHERE claim IS NOT NULL") == 1
    await service.stop()
    assert await pool.fetchval("SELECT count(*) FROM schedule WHERE claim IS NOT NULL") == 0


async def test_two_services_never_run_a_schedule_at_the_same_time(pool: Database) -> None:
    running, most, total = 0, 0, 0
    enough = asyncio.Event()

    async def count() -> None:
        nonlocal running, most, total
        running += 1
        most, total = max(most, running), total + 1
        await pool.fetchval("SELECT pg_sleep(0.01)")
        running -= 1
        if total >= 10:
            enough.set()

    services = [schedules(pool, Schedule("count", AT_ONCE, count)) for _ in range(2)]
    for service in services:
        await service.start()
    async with asyncio.timeout(WAIT_S):
        await enough.wait()
    for service in services:
        await service.stop()
    assert most == 1


@pytest.mark.parametrize("every", [AT_ONCE, EVERY_DAY])
async def test_failed_work_is_repeated_soon(pool: Database, every: timedelta) -> None:
    runs = Runs(ValueError("on purpose"))
    service = schedules(pool, Schedule("fail", every, runs))
    await service.start()
    await runs.next()
    if every == AT_ONCE:
        await runs.next()
    else:
        ended = "SELECT due_at - started_at FROM schedule WHERE name = 'fail' AND claim IS NULL"
        async with asyncio.timeout(WAIT_S):
            while (pause := await pool.fetchval(ended)) is None:
                continue
        assert pause <= timedelta(minutes=2)
    await service.stop()


async def test_stop_cancels_and_gives_back(pool: Database) -> None:
    endless = Endless()
    service = schedules(pool, Schedule("endless", EVERY_DAY, endless))
    await service.start()
    await endless.begin()
    started = time.monotonic()
    await service.stop()
    assert endless.cancelled.is_set()
    assert time.monotonic() - started < STOP_LIMIT_S
    again = Runs()
    service = schedules(pool, Schedule("endless", EVERY_DAY, again))
    await service.start()
    await again.next()  # at once: it was not done
    await service.stop()


async def test_a_killed_process_holds_a_schedule_up_only_for_a_while(pool: Database) -> None:
    claimed_to = await pool.fetchval(
        "INSERT INTO schedule (name, claim, claimed_to) VALUES ('tick', gen_random_uuid(), now() + interval '0.2 s') "
        "RETURNING claimed_to"
    )
    runs = Runs()
    service = schedules(pool, Schedule("tick", AT_ONCE, runs))
    await service.start()
    await runs.next()
    assert await pool.fetchval("SELECT started_at FROM schedule") > claimed_to
    await service.stop()


async def test_long_work_keeps_its_claim(pool: Database) -> None:
    first, second = Endless(), Runs()
    holder = schedules(pool, Schedule("long", EVERY_DAY, first), claim_s=0.3)
    await holder.start()
    await first.begin()
    other = schedules(pool, Schedule("long", EVERY_DAY, second))
    await other.start()
    renewed = "SELECT claimed_to - started_at > interval '0.9 s' FROM schedule WHERE name = 'long'"
    async with asyncio.timeout(WAIT_S):
        while not await pool.fetchval(renewed):
            continue
    assert (first.count, second.count) == (1, 0)
    await holder.stop()
    await other.stop()


@pytest.mark.chaos
async def test_it_goes_on_after_the_database_was_killed(postgres_server: EmbeddedServer) -> None:
    migrate.upgrade(postgres_server.url)
    pool = await open_pool(postgres_server.url)
    runs = Runs()
    service = schedules(pool, Schedule("tick", AT_ONCE, runs), claim_s=0.5)
    await service.start()
    await runs.next()
    assert postgres_server.process_id is not None
    os.kill(postgres_server.process_id, signal.SIGKILL)
    for _ in range(3):
        await runs.next()
    await service.stop()
    await pool.close()


async def test_stop_does_not_wait_for_a_database_that_is_away(postgres_server: EmbeddedServer) -> None:
    migrate.upgrade(postgres_server.url)
    pool = await open_pool(postgres_server.url)
    endless = Endless()
    service = schedules(pool, Schedule("endless", EVERY_DAY, endless))
    await service.start()
    await endless.begin()
    await asyncio.to_thread(postgres_server.stop)
    started = time.monotonic()
    await service.stop()
    assert endless.cancelled.is_set()
    assert time.monotonic() - started < STOP_LIMIT_S
    await pool.close()
