"""Work that comes back by the clock: sweeping, resuming, partitions, pruning.

Theory of operation. Several processes may serve one database, and each runs `Schedules`. procrastinate decides in the
database which of them takes a tick (one row per schedule and time), keeps a schedule from piling up (one waiting
job each, `queueing_lock`) and from running twice at once (`lock`). What runs is given by the composition root, must
be idempotent and may be late: nothing here decides about stock.

The worker ends when the database goes away. A supervisor starts it again with growing delays, so a restart of the
database needs no restart of the service. A job whose process was killed is recognised by its worker's silence and
forgotten; the next tick runs it again.

Cost: two queries every `POLL_S`, a heartbeat every 10 s, up to three connections. It needs a direct connection to
the database or a pooler in session mode, because the tables are found by `search_path`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import DeleteJobCondition, Status
from psycopg_pool import PoolTimeout

from onhand.storage.postgres.schedule_schema import SCHEMA

EVERY_MINUTE = "* * * * *"
EVERY_HOUR = "7 * * * *"
EVERY_DAY = "23 0 * * *"
"""Cron lines, UTC; off the full hour, when everybody else's jobs run."""

POLL_S = 5.0
"""A tick starts at most so much late."""

CATCH_UP_S = 2 * 86_400
"""A tick missed while nothing ran is made up for when it is not older; so the daily work runs after each first start."""

GRACE_S = 3.0
"""What runs at a stop may finish for so long, and is cancelled then."""

STOP_LIMIT_S = 10.0
"""Longest stop, whatever the database does."""

CONNECT_LIMIT_S = 5.0
RESTART_DELAY_S = 0.5
RESTART_DELAY_MAX_S = 15.0
CONNECTIONS_MAX = 3
CONCURRENCY = 4

log = structlog.get_logger("onhand.schedule")


@dataclass(frozen=True)
class Schedule:
    """Something to do by the clock."""

    name: str
    """Stable: the database knows the schedule by it."""
    cron: str
    """Five fields, UTC; a sixth one would be seconds."""
    run: Callable[[], Awaitable[object]]
    """Idempotent. An exception is logged, and the next tick comes all the same."""


class Schedules:
    """Runs schedules until it is stopped."""

    def __init__(self, url: str, schedules: Sequence[Schedule], *, poll_s: float = POLL_S) -> None:
        """`url` is that of the migrated database. Connects nowhere before `start`."""
        self._url = url
        self._schedules = schedules
        self._poll_s = poll_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, in the background; returns at once, even when the database is away."""
        if self._task is None:
            # The libraries report each job and each failed connection; what matters is logged here.
            for name in ("procrastinate", "psycopg.pool"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
            self._task = asyncio.create_task(self._supervise(), name="schedules")

    async def stop(self) -> None:
        """End within `STOP_LIMIT_S`; what runs has `GRACE_S` to finish."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=STOP_LIMIT_S)
        if not done:
            log.warning("schedules_abandoned", after_seconds=STOP_LIMIT_S)
        elif not task.cancelled() and (error := task.exception()) is not None:
            log.warning("schedules_stopped_badly", fault=str(error))

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        delay = RESTART_DELAY_S
        while True:
            started = loop.time()
            try:
                await self._work()
            except (ConnectorException, PoolTimeout, OSError) as error:
                log.warning("schedules_interrupted", fault=str(error.__cause__ or error))
            except Exception:
                log.exception("schedules_failed")
            if loop.time() - started > RESTART_DELAY_MAX_S:
                delay = RESTART_DELAY_S
            await asyncio.sleep(delay)
            delay = min(2 * delay, RESTART_DELAY_MAX_S)

    async def _work(self) -> None:
        """One life of a worker: until it is cancelled, or the database goes away."""
        app = App(connector=self._connector(), periodic_defaults={"max_delay": CATCH_UP_S})
        for schedule in (
            *self._schedules,
            Schedule("forget_stalled", EVERY_MINUTE, lambda: _forget_stalled(app)),
        ):
            _register(app, schedule)
        async with app.open_async():
            await _forget_stalled(app)
            await app.run_worker_async(
                name="onhand",
                concurrency=CONCURRENCY,
                listen_notify=False,
                install_signal_handlers=False,
                fetch_job_polling_interval=self._poll_s,
                shutdown_graceful_timeout=GRACE_S,
                delete_jobs=DeleteJobCondition.ALWAYS,
            )

    def _connector(self) -> PsycopgConnector:
        return PsycopgConnector(
            conninfo=self._url,
            kwargs={
                "options": f"-c search_path={SCHEMA}",
                "application_name": "onhand schedules",
                "connect_timeout": int(CONNECT_LIMIT_S),
            },
            min_size=1,
            max_size=CONNECTIONS_MAX,
            timeout=CONNECT_LIMIT_S,
        )


def _register(app: App, schedule: Schedule) -> None:
    async def run(timestamp: int) -> None:
        try:
            await schedule.run()
        except Exception:
            log.exception("schedule_failed", schedule=schedule.name, tick=timestamp)

    task = app.task(name=schedule.name, queueing_lock=schedule.name, lock=schedule.name)(run)
    app.periodic(cron=schedule.cron)(task)


async def _forget_stalled(app: App) -> None:
    """Free the locks of jobs whose process was killed."""
    for job in await app.job_manager.get_stalled_jobs():
        with contextlib.suppress(ConnectorException):  # another process was faster
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
