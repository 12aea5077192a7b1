"""Work that comes back by the clock: sweeping, resuming jobs, partitions, pruning.

Theory of operation. Several processes may serve one database, and each runs `Schedules`. A row per schedule says when
it is next due. A process that finds it due claims it for `CLAIM_S` in one statement, keeps renewing the claim while
it runs, and at the end sets the next time, `every` after this start. A process that is killed renews no more, so
another one takes over after `CLAIM_S`. What runs is given by the composition root, must be idempotent and may be
late: the claim saves work, and nothing depends on it.

While the database is away the attempts fail, are logged once, and go on; nothing needs to be restarted. There is no
state in a session, so a transaction pooler may sit between. (Why not a library: docs/adr/0006-periodic-work.md.)

Cost: one short statement per schedule each `POLL_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from onhand.service.faults import Fault
from onhand.storage.postgres.errors import faults
from onhand.storage.postgres.pool import Database

EVERY_MINUTE = timedelta(minutes=1)
EVERY_HOUR = timedelta(hours=1)
EVERY_DAY = timedelta(days=1)

POLL_S = 5.0
"""Work starts at most so much late."""

CLAIM_S = 60.0
"""A killed process holds a schedule up for at most so long."""

RETRY_AFTER = timedelta(minutes=1)
"""Longest pause after a failure; shorter for what comes more often."""

STOP_LIMIT_S = 5.0
"""Longest wait, at a stop, for work that was cancelled."""

log = structlog.get_logger("onhand.schedule")

_REGISTER = "INSERT INTO schedule (name) VALUES ($1) ON CONFLICT DO NOTHING"
_CLAIM = """
UPDATE schedule SET claim = $2, claimed_to = now() + $3::interval, started_at = now()
WHERE name = $1 AND due_at <= now() AND (claimed_to IS NULL OR claimed_to < now())
RETURNING true
"""
_RENEW = "UPDATE schedule SET claimed_to = now() + $3::interval WHERE name = $1 AND claim = $2"
_DONE = """
UPDATE schedule
SET claim = NULL, claimed_to = NULL, ended_at = now(), due_at = greatest(now(), started_at + $3::interval)
WHERE name = $1 AND claim = $2
"""
_FAILED = """
UPDATE schedule SET claim = NULL, claimed_to = NULL, due_at = now() + $3::interval
WHERE name = $1 AND claim = $2
"""
_GIVE_BACK = "UPDATE schedule SET claim = NULL, claimed_to = NULL WHERE name = $1 AND claim = $2"


@dataclass(frozen=True)
class Schedule:
    """Something to do by the clock."""

    name: str
    """Stable: the database knows the schedule by it."""
    every: timedelta
    """From one start to the next. The first run comes with the first start of a service."""
    run: Callable[[], Awaitable[object]]
    """Idempotent. An exception is logged, and it runs again after `RETRY_AFTER`."""


class Schedules:
    """Runs schedules until it is stopped."""

    def __init__(
        self,
        pool: Database,
        schedules: Sequence[Schedule],
        *,
        poll_s: float = POLL_S,
        claim_s: float = CLAIM_S,
    ) -> None:
        """`pool` is on the migrated database and outlives this object."""
        self._pool = pool
        self._schedules = schedules
        self._poll_s = poll_s
        self._claim_s = claim_s
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin, in the background; returns at once, even when the database is away."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._repeat(schedule), name=f"schedule {schedule.name}")
                for schedule in self._schedules
            ]

    async def stop(self) -> None:
        """Cancel what runs and give it back, so that another process may take it at once; bounded by `STOP_LIMIT_S`."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_LIMIT_S)
            if late:
                log.warning("schedules_abandoned", names=sorted(task.get_name() for task in late))

    async def _repeat(self, schedule: Schedule) -> None:
        away = False
        while True:
            try:
                with faults():
                    await self._pool.execute(_REGISTER, schedule.name)
                    await self._run_if_due(schedule)
                away = False
            except Fault as fault:
                if not away:
                    log.warning("schedule_waits_for_database", schedule=schedule.name, fault=str(fault))
                away = True
            except Exception:
                log.exception("schedule_defect", schedule=schedule.name)
            await asyncio.sleep(self._poll_s)

    async def _run_if_due(self, schedule: Schedule) -> None:
        claim = uuid.uuid4()
        try:
            await self._run_claimed(schedule, claim)
        except asyncio.CancelledError:
            # Also when it was not seen to be claimed: the statement may have been carried out, its answer not yet read.
            with contextlib.suppress(Exception):  # the claim runs out by itself
                await self._pool.execute(_GIVE_BACK, schedule.name, claim)
            raise

    async def _run_claimed(self, schedule: Schedule, claim: uuid.UUID) -> None:
        if not await self._pool.fetchval(_CLAIM, schedule.name, claim, self._claim_for):
            return
        renewing = asyncio.create_task(self._renew(schedule.name, claim))
        try:
            completed = await _completed(schedule)
        finally:
            renewing.cancel()
        if completed:
            await self._pool.execute(_DONE, schedule.name, claim, schedule.every)
        else:
            await self._pool.execute(_FAILED, schedule.name, claim, min(schedule.every, RETRY_AFTER))

    async def _renew(self, name: str, claim: uuid.UUID) -> None:
        while True:
            await asyncio.sleep(self._claim_s / 3)
            try:
                with faults():
                    await self._pool.execute(_RENEW, name, claim, self._claim_for)
            except Fault as fault:  # the claim may run out; the work is idempotent
                log.warning("schedule_claim_not_renewed", schedule=name, fault=str(fault))

    @property
    def _claim_for(self) -> timedelta:
        return timedelta(seconds=self._claim_s)


async def _completed(schedule: Schedule) -> bool:
    try:
        await schedule.run()
    except Fault as fault:
        log.warning("schedule_failed", schedule=schedule.name, fault=str(fault))
        return False
    except Exception:
        log.exception("schedule_failed", schedule=schedule.name)
        return False
    return True
