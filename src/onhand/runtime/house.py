"""Everything that stands on the database, built and taken down in reverse order.

`opened` is for the service, which owns the embedded database of its data directory. `visited` is for administrative
commands, which may come while the service runs: they join its database, and start and stop it only if they are
alone. The schema of the embedded database is brought up to date without asking; that of your own server only when
asked to (`onhand migrate`, or the setting `migrate`), because other processes may use it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg

from onhand.core.rules import Limits as FlowLimits
from onhand.outside import HttpOutside
from onhand.ports import Clock, Documents, Reader
from onhand.service.access import Access, AccessSettings
from onhand.service.auditor import Auditor
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.erp.side import ErpSide, erp_side
from onhand.service.external_issuer import ExternalIssuer, ExternalIssuerSettings
from onhand.service.faults import StoreUnavailable
from onhand.service.jobs import Jobs
from onhand.service.queries import Queries
from onhand.service.workflow.desk import OrderDesk, open_desk
from onhand.service.workflow.handing import Handing
from onhand.service.workflow.item_reading import ItemReading
from onhand.service.workflow.items import InventoryItems
from onhand.service.workflow.purchasing import Purchasing
from onhand.service.workflow.rates import Rates
from onhand.service.workflow.receptions import Receptions
from onhand.service.workflow.transactions import Transactions
from onhand.settings import Settings
from onhand.storage.postgres import migrate
from onhand.storage.postgres.catalogue import PostgresCatalogue
from onhand.storage.postgres.documents import PostgresDocuments
from onhand.storage.postgres.embedded import EmbeddedServer, EmbeddedServerError, reachable_data_directory
from onhand.storage.postgres.items import PostgresItems
from onhand.storage.postgres.lines import Lines
from onhand.storage.postgres.pool import Database, open_pool
from onhand.storage.postgres.reader import PostgresReader
from onhand.storage.postgres.store import PostgresStore, lines_for
from onhand.telemetry import Metrics

Tell = Callable[[str], None]
"""Is told, a line at a time, what takes long."""

VISITOR_CONNECTIONS = 3
"""Connections of an administrative command: it works on one thing at a time."""


class SystemClock:
    """The machine's clock; implements `ports.Clock`."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""
        return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The services over an open database. Lanes and schedules are not running yet."""

    settings: Settings
    url: str
    """URL of the database, with its password if it has one: never to be shown."""
    pool: Database
    """For everything but the lanes, which have connections of their own."""
    clock: Clock
    reader: Reader
    documents: Documents
    environments: Environments
    batcher: Batcher
    queries: Queries
    jobs: Jobs
    auditor: Auditor
    access: Access
    erp: ErpSide
    rates: Rates
    items: InventoryItems
    transactions: Transactions
    purchasing: Purchasing
    receptions: Receptions
    orders: OrderDesk
    metrics: Metrics


@asynccontextmanager
async def opened(settings: Settings, tell: Tell) -> AsyncIterator[House]:
    """The services for the process that serves.

    Raises:
        StoreUnavailable: the database cannot be reached, belongs to another service, or its schema does not fit.
    """
    async with _database(settings, tell, visitor=False) as url:
        await _fit_schema(url, upgrade=settings.embedded or settings.migrate)
        async with _built(settings, url, settings.pool_max - settings.lanes, settings.lanes) as house:
            yield house


@asynccontextmanager
async def visited(settings: Settings, tell: Tell) -> AsyncIterator[House]:
    """The services for an administrative command, beside a running service or alone.

    Raises:
        StoreUnavailable: the database cannot be reached, or its schema does not fit.
    """
    async with _database(settings, tell, visitor=True) as url:
        await _fit_schema(url, upgrade=settings.embedded)
        async with _built(settings, url, VISITOR_CONNECTIONS, 0) as house:
            yield house


async def migrated(settings: Settings, tell: Tell) -> str:
    """Bring the schema up to date and return its version.

    Raises:
        StoreUnavailable: the database cannot be reached, or its schema is newer than this program.
    """
    async with _database(settings, tell, visitor=True) as url:
        return await _fit_schema(url, upgrade=True)


def described(settings: Settings) -> str:
    """The database in words, without user and password."""
    if settings.database_url is None:
        return f"embedded PostgreSQL in {reachable_data_directory(settings.data_directory)}"
    parts = urlsplit(settings.database_url.get_secret_value())
    return f"PostgreSQL at {parts.netloc.rpartition('@')[2]}{parts.path}"


@asynccontextmanager
async def _database(settings: Settings, tell: Tell, *, visitor: bool) -> AsyncIterator[str]:
    """URL of a database that accepts connections."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    try:
        server = EmbeddedServer(
            reachable_data_directory(settings.data_directory),
            bin_directory=settings.pg_bindir,
            on_progress=tell,
            visitor=visitor,
        )
        url = await asyncio.to_thread(server.start)
    except EmbeddedServerError as error:
        raise StoreUnavailable(str(error)) from error
    try:
        yield url
    finally:
        await asyncio.to_thread(server.stop)


async def _fit_schema(url: str, *, upgrade: bool) -> str:
    try:
        if upgrade:
            return await asyncio.to_thread(migrate.upgrade, url)
        await asyncio.to_thread(migrate.check, url)
    except migrate.SchemaError as error:
        raise StoreUnavailable(str(error)) from error
    except psycopg.OperationalError as error:
        raise StoreUnavailable(f"The database cannot be reached: {error}") from error
    return migrate.head()


@asynccontextmanager
async def _built(settings: Settings, url: str, connections: int, lanes: int) -> AsyncIterator[House]:
    """The services over a pool for queries and lines for the lanes, which a crowd of queries never keeps waiting."""
    lines = lines_for(
        url,
        most=max(1, lanes),
        statement_timeout_ms=settings.statement_timeout_ms,
        statement_cache=settings.statement_cache,
    )
    async with _pool(settings, url, min(2, connections), connections) as pool:
        house = _build(settings, url, pool, lines)
        await house.environments.load()
        try:
            yield house
        finally:
            await lines.close()


@asynccontextmanager
async def _pool(settings: Settings, url: str, at_once: int, at_most: int) -> AsyncIterator[Database]:
    pool = await open_pool(
        url,
        connections_min=at_once,
        connections_max=at_most,
        statement_timeout_ms=settings.statement_timeout_ms,
        statement_cache=settings.statement_cache,
    )
    try:
        yield pool
    finally:
        await pool.close()


def _build(settings: Settings, url: str, pool: Database, lines: Lines) -> House:
    clock, metrics = SystemClock(), Metrics()
    reader, catalogue, store = PostgresReader(pool), PostgresCatalogue(pool), PostgresStore(lines)
    limits = FlowLimits(settings.feasibility_cells_max, settings.feasibility_nodes_max)
    environments = Environments(catalogue, limits=limits)
    batcher = Batcher(
        store,
        environments,
        clock,
        probe=metrics,
        lanes=settings.lanes,
        batch_max=settings.batch_max,
        lane_queue_max=settings.lane_queue_max,
        deadline_seconds=settings.deadline_ms / 1_000,
        conflict_retries=settings.conflict_retries,
        drain_seconds=settings.shutdown_seconds,
        cells_remembered=settings.cells_remembered,
    )
    documents = PostgresDocuments(pool)
    rates = Rates(documents, batcher)
    jobs = Jobs(reader, catalogue, batcher, environments, clock, probe=metrics)
    rows = PostgresItems(pool)
    orders = open_desk(
        documents=documents,
        reader=reader,
        batcher=batcher,
        environments=environments,
        clock=clock,
        exchange=rates,
        outside=HttpOutside(settings.http_actions),
        lease=timedelta(seconds=settings.workflow_lease_seconds),
    )
    purchasing = Purchasing(documents, batcher)
    handing = Handing(orders.around, environments, purchasing, documents, batcher, orders.orders, clock)
    return House(
        settings=settings,
        url=url,
        pool=pool,
        clock=clock,
        reader=reader,
        documents=documents,
        environments=environments,
        batcher=batcher,
        queries=Queries(reader, environments, clock),
        jobs=jobs,
        auditor=Auditor(reader, environments, probe=metrics),
        access=Access(catalogue, clock, _access_settings(settings), _external_issuer(settings, clock)),
        rates=rates,
        items=InventoryItems(
            orders.around,
            ItemReading(orders.around, reader, documents, rows, clock),
            reader,
            batcher,
            jobs,
            clock,
        ),
        transactions=Transactions(orders.around, documents, rows),
        purchasing=purchasing,
        receptions=Receptions(orders.around, purchasing, documents, batcher, handing),
        orders=orders,
        erp=erp_side(documents, reader, batcher, environments, clock, probe=metrics),
        metrics=metrics,
    )


def _access_settings(settings: Settings) -> AccessSettings:
    return AccessSettings(
        mode=settings.auth,
        issuer=settings.issuer,
        any_issuer=settings.public_url is None,
        token_life_s=settings.token_seconds,
        static_key=settings.static_token.get_secret_value() if settings.static_token else "",
    )


def _external_issuer(settings: Settings, clock: Clock) -> ExternalIssuer | None:
    if settings.oidc_issuer is None:
        return None
    return ExternalIssuer(
        ExternalIssuerSettings(issuer=settings.oidc_issuer, audience=settings.oidc_audience or ""), clock
    )
