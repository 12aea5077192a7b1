"""The service as a process: lanes, HTTP edge and signals around the house.

A stop goes against the direction of a request: the server takes no more connections and finishes the requests in
progress, then the lanes drain, then the jobs, the pool and the embedded database stop. A second signal does not
wait for the requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import uvicorn

from onhand.api.app import create_app
from onhand.api.hot import HotProtocol
from onhand.api.services import Limits, Services
from onhand.runtime.house import House, Tell, described, opened
from onhand.runtime.housekeeping import schedules
from onhand.service.faults import Fault, StoreUnavailable
from onhand.settings import Settings
from onhand.storage.postgres.errors import faults
from onhand.storage.postgres.maintenance import ensure_partitions
from onhand.storage.postgres.schedule import Schedules

GC_THRESHOLDS = (50_000, 20, 50)
"""Allocations per collection. Requests leave no cycles, and the default of 700 would scan the caches all the time."""

READY_TIMEOUT_S = 2.0
"""How long a readiness check waits for the database."""


@dataclass(frozen=True, slots=True)
class Started:
    """What `serve` announces once it takes requests."""

    url: str
    database: str
    """The database in words, without a password."""
    environments: int
    clients: int


async def serve(settings: Settings, announce: Callable[[Started], None], tell: Tell) -> None:
    """Serve until SIGTERM or SIGINT; returns after everything has stopped.

    Raises:
        StoreUnavailable: the database cannot be used, or the port is taken.
    """
    with _listening(settings) as listener:
        # With port 0 the real one is known from here on; the issuer of the tokens names it.
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        async with opened(settings, tell) as house, _running(house):
            edge = _Edge(_configuration(settings, house))
            with edge.stopped_by_signals():
                address = listener.getsockname()
                host = f"[{address[0]}]" if ":" in address[0] else address[0]
                edge.on_started = announce
                edge.started_facts = Started(
                    url=f"http://{host}:{address[1]}",
                    database=described(settings),
                    environments=len(await house.environments.list_environments()),
                    clients=len(await house.access.clients()),
                )
                await edge.serve(sockets=[listener])


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, taken before the database starts: a taken port must change nothing."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server(
            (settings.host, settings.port), family=family, backlog=settings.backlog
        )
    except OSError as error:
        raise StoreUnavailable(
            f"Cannot listen on {settings.host}:{settings.port}: {os.strerror(error.errno) if error.errno else error}. "
            "Is onhand running already? Choose another port with --port (0 takes a free one)."
        ) from error
    with listener:
        yield listener


@asynccontextmanager
async def _running(house: House) -> AsyncIterator[None]:
    """Keys, lanes and schedules, for as long as requests may come."""
    await ensure_partitions(house.pool, datetime.now(UTC))
    await house.access.start()
    await house.batcher.start()
    clockwork = Schedules(house.pool, schedules(house))
    await clockwork.start()
    try:
        yield
    finally:
        await clockwork.stop()
        await house.jobs.stop()
        await house.erp.consistency.stop()
        await house.orders.background.stop()
        await house.batcher.stop()


def _configuration(settings: Settings, house: House) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(_services(settings, house)),
        loop="none",
        http=HotProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=settings.backlog,
        limit_concurrency=settings.connections_max,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def _services(settings: Settings, house: House) -> Services:
    async def ready() -> dict[str, str]:
        return await _not_ready(house)

    def metrics() -> tuple[bytes, str]:
        content_type, body = house.metrics.exposition()
        return body, content_type

    return Services(
        batcher=house.batcher,
        environments=house.environments,
        queries=house.queries,
        jobs=house.jobs,
        auditor=house.auditor,
        access=house.access,
        erp=house.erp,
        rates=house.rates,
        items=house.items,
        transactions=house.transactions,
        purchasing=house.purchasing,
        receptions=house.receptions,
        orders=house.orders,
        reader=house.reader,
        clock=house.clock,
        metrics=metrics,
        ready=ready,
        on_request=house.metrics.request,
        limits=Limits(
            body_bytes_max=settings.body_bytes_max,
            items_max=settings.bulk_items_max,
            products_max=settings.query_products_max,
            page_max=settings.page_rows_max,
            requests_per_second_max=float(settings.rate_per_second),
            burst_requests=settings.rate_burst,
        ),
    )


async def _not_ready(house: House) -> dict[str, str]:
    """What cannot serve, by part, with the reason."""
    problems: dict[str, str] = {}
    if not house.batcher.healthy:
        problems["lanes"] = "A lane does not run."
    try:
        with faults():
            async with asyncio.timeout(READY_TIMEOUT_S):
                await house.pool.fetchval("SELECT 1")
    except TimeoutError:
        problems["database"] = f"No answer within {READY_TIMEOUT_S:g} s."
    except Fault as fault:
        problems["database"] = str(fault)
    return problems


class _Edge(uvicorn.Server):
    """The HTTP server; signals are ours, and it says when it listens."""

    on_started: Callable[[Started], None]
    started_facts: Started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, set up the collector for a long life, and say so."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.on_started(self.started_facts)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: uvicorn would raise them again at its end, before the lanes have drained."""
        yield

    @contextlib.contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop the server; the second one does not wait for the requests in progress."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
