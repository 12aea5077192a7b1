"""The whole service in this process, over real HTTP and a real database, for tests of the edge."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from onhand.api.app import create_app
from onhand.api.hot import HotProtocol
from onhand.api.services import Limits, Services
from onhand.outside import HttpOutside
from onhand.service.access import Access, AccessSettings
from onhand.service.auditor import Auditor
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.erp.side import erp_side
from onhand.service.jobs import Jobs
from onhand.service.principals import SCOPES
from onhand.service.queries import Queries
from onhand.service.workflow.desk import open_desk
from onhand.service.workflow.handing import Handing
from onhand.service.workflow.item_reading import ItemReading
from onhand.service.workflow.items import InventoryItems
from onhand.service.workflow.purchasing import Purchasing
from onhand.service.workflow.rates import Rates
from onhand.service.workflow.receptions import Receptions
from onhand.service.workflow.transactions import Transactions
from onhand.storage.postgres.catalogue import PostgresCatalogue
from onhand.storage.postgres.documents import PostgresDocuments
from onhand.storage.postgres.items import PostgresItems
from onhand.storage.postgres.pool import open_pool
from onhand.storage.postgres.reader import PostgresReader
from onhand.storage.postgres.store import PostgresStore, lines_for
from onhand.telemetry import Metrics

ISSUER = "http://onhand.test"
EVERYTHING = tuple(SCOPES)


class MovableClock:
    """The system's clock, moved by as much as a test says."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now_us(self) -> int:
        return time.time_ns() // 1_000 + int(self.ahead_s * 1_000_000)


@dataclass
class Running:
    """A service that listens."""

    url: str
    services: Services
    clock: MovableClock
    http: httpx.AsyncClient
    server: uvicorn.Server

    async def token(
        self, environment: str, scopes: tuple[str, ...] = EVERYTHING, client: str = "tests"
    ) -> str:
        """An access token of a client made for the purpose."""
        secret = await self.services.access.create_client(client, (environment,), scopes)
        issued = await self.services.access.client_credentials(client, secret)
        return issued.access_token

    async def environment(
        self, environment: str, document: dict[str, Any] | None = None, **switches: Any
    ) -> Tenant:
        """A new environment, with a caller that may do everything in it."""
        made = await self.services.environments.create(environment, "standalone", "tests", document, switches)
        assert hasattr(made, "version"), made
        return Tenant(self, environment, await self.token(environment, client=f"client of {environment}"))


@dataclass
class Tenant:
    """A caller of the compatible surface in one environment."""

    running: Running
    environment: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def path(self, rest: str) -> str:
        return f"/api/environment/{self.environment}/{rest}"

    async def send(self, method: str, rest: str, body: Any = None, **headers: str) -> httpx.Response:
        """A request to a path of the compatible surface, with a JSON body if there is one."""
        return await self.running.http.request(
            method,
            self.path(rest),
            json=body,
            headers={**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}},
        )

    async def post(self, rest: str, body: Any, **headers: str) -> Any:
        """The JSON answer of a post that must answer 2xx."""
        answer = await self.send("POST", rest, body, **headers)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json()

    async def native(self, method: str, rest: str, body: Any = None, **headers: str) -> httpx.Response:
        """A request to a native path of the environment."""
        return await self.running.http.request(
            method,
            f"/v1/environments/{self.environment}/{rest}",
            json=body,
            headers={**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}},
        )

    async def erp(self, *events: dict[str, Any]) -> list[dict[str, Any]]:
        """Events of the ERP; all must be accepted."""
        answer = await self.native("POST", "erp/sync", list(events))
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        assert all(result["accepted"] for result in results), results
        return results

    async def on_hand(self, **body: Any) -> dict[str, Any]:
        """An on-hand change that must succeed."""
        answer: dict[str, Any] = await self.post("onhand", body)
        assert answer["processingStatus"] == "success", answer
        return answer

    async def rows(
        self, filters: dict[str, Any], group_by: tuple[str, ...] = (), **more: Any
    ) -> list[dict[str, Any]]:
        """Rows of an index query that must succeed; negatives are returned unless told otherwise."""
        body = {"filters": filters, "groupByValues": list(group_by), "returnNegative": True, **more}
        found: list[dict[str, Any]] = await self.post("onhand/indexquery", body)
        return found


@asynccontextmanager
async def serving(
    database_url: str,
    *,
    limits: Limits | None = None,
    access: AccessSettings | None = None,
    http: type[asyncio.Protocol] = HotProtocol,
    http_actions: Sequence[str] = (),
) -> AsyncIterator[Running]:
    """A service over this database, on a free port of the loopback interface."""
    clock, metrics = MovableClock(), Metrics()
    pool, lines = await open_pool(database_url, connections_max=6), lines_for(database_url)
    catalogue, reader = PostgresCatalogue(pool), PostgresReader(pool)
    environments = Environments(catalogue, refresh_seconds=0.0)
    batcher = Batcher(PostgresStore(lines), environments, clock, probe=metrics)
    documents = PostgresDocuments(pool)
    jobs = Jobs(reader, catalogue, batcher, environments, clock, probe=metrics)
    rates, rows = Rates(documents, batcher), PostgresItems(pool)
    orders = open_desk(
        documents=documents,
        reader=reader,
        batcher=batcher,
        environments=environments,
        clock=clock,
        exchange=rates,
        outside=HttpOutside(http_actions),
    )
    purchasing = Purchasing(documents, batcher)
    handing = Handing(orders.around, environments, purchasing, documents, batcher, orders.orders, clock)

    def page() -> tuple[bytes, str]:
        content_type, body = metrics.exposition()
        return body, content_type

    async def ready() -> dict[str, str]:
        return {} if batcher.healthy else {"lanes": "a lane has stopped"}

    services = Services(
        batcher=batcher,
        environments=environments,
        queries=Queries(reader, environments, clock),
        jobs=jobs,
        auditor=Auditor(reader, environments, probe=metrics),
        erp=erp_side(documents, reader, batcher, environments, clock, probe=metrics, refresh_seconds=0.0),
        access=Access(catalogue, clock, access or AccessSettings(issuer=ISSUER)),
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
        reader=reader,
        clock=clock,
        metrics=page,
        ready=ready,
        on_request=metrics.request,
        limits=limits or Limits(),
    )
    await environments.load()
    await batcher.start()
    await services.access.start()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(services),
            http=http,
            log_level="warning",
            lifespan="off",
            ws="none",
            proxy_headers=False,
        )
    )
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            yield Running(url, services, clock, client, server)
    finally:
        await server.shutdown(sockets=[listener])
        await jobs.stop()
        await services.erp.consistency.stop()
        await services.orders.background.stop()
        await batcher.stop()
        await lines.close()
        await pool.close()
