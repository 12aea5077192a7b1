"""What is compared: each system prepares its stock, starts, and can be asked afterwards whether its books agree."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

import asyncpg

from bench.cluster import Cluster, free_port
from bench.load import Load
from bench.processes import Server, uvicorn
from bench.workload import COLOR, LOCATION, ORGANIZATION, SITE, SIZE, product

TOKEN = "bench"  # noqa: S105 - guards a server of this benchmark on the loopback interface
PLENTY = 1_000_000_000
"""Pieces of each product on hand, so that throughput is measured on accepted, fully written reservations."""
RIVALS = Path(__file__).parent / "rivals"


class NotMeasured(Exception):  # noqa: N818 - not an error: the report says so
    """The system cannot run here; the text says why."""


class Books:
    """What the audit of one system found."""

    def __init__(self, *, accepted: int, holds: int, faults: dict[str, int]) -> None:
        self.accepted = accepted
        """Accepted answers that the clients saw."""
        self.holds = holds
        """Reservations that are stored."""
        self.faults = faults
        """Named contradictions and how often each was found."""

    @property
    def agree(self) -> bool:
        """Whether nothing was lost, doubled or oversold."""
        return self.accepted == self.holds and not any(self.faults.values())

    def facts(self) -> dict[str, object]:
        """For the report."""
        return {"agree": self.agree, "accepted": self.accepted, "stored": self.holds} | dict(self.faults)


class System(ABC):
    """One system under test."""

    name: str
    title: str
    durability: str
    path = "/reserve"

    def __init__(self) -> None:
        self.port = free_port()
        self.accepted = 0
        """Accepted answers seen so far, in all runs."""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of each request."""
        return {"Authorization": f"Bearer {TOKEN}"}

    @abstractmethod
    async def start(self, skus: int) -> None:
        """Prepare the stock and start serving."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""

    @abstractmethod
    async def books(self) -> Books:
        """Audit what is stored against what was answered."""

    def load(self, **more: object) -> Load:
        """A load for this system."""
        return Load(**({"port": self.port, "path": self.path, "headers": self.headers} | more))  # type: ignore[arg-type]


class SqlRival(System):
    """A rival on PostgreSQL; all of them use one schema, each in a database of its own."""

    durability = "PostgreSQL as configured for all: a reply follows a flushed commit"
    application = ""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        super().__init__()
        self._cluster = cluster
        self._folder = folder
        self._server: Server | None = None
        self.url = ""

    async def start(self, skus: int) -> None:
        """Create and fill the database, start the server if it is one."""
        self.url = await self._cluster.create(self.name)
        session = await asyncpg.connect(self.url)
        try:
            await session.execute((RIVALS / "schema.sql").read_text())
            rows = ((ORGANIZATION, product(n), SITE, LOCATION, COLOR, SIZE, PLENTY, 0) for n in range(skus))
            await session.copy_records_to_table("stock", records=rows)
            await session.execute("VACUUM ANALYZE")
        finally:
            await session.close()
        if self.application:
            self._server = Server(
                self.name,
                uvicorn(self.application, self.port),
                self.port,
                self._folder / f"{self.name}.log",
                {"RIVAL_DATABASE": self.url, "RIVAL_TOKEN": TOKEN},
            )
            self._server.start()

    def stop(self) -> None:
        """End the server; the database goes with the cluster."""
        if self._server:
            self._server.stop()

    async def books(self) -> Books:
        """Holds, ledger and levels must tell the same story."""
        session = await asyncpg.connect(self.url)
        try:
            holds = await session.fetchval("SELECT count(*) FROM hold")
            faults = {
                "oversold": "SELECT count(*) FROM stock WHERE reserved > on_hand",
                "ledger_differs": (
                    "SELECT count(*) FROM stock s LEFT JOIN (SELECT organization, product, site, location, color,"
                    " size, sum(delta) AS total FROM ledger GROUP BY 1, 2, 3, 4, 5, 6) l"
                    " USING (organization, product, site, location, color, size)"
                    " WHERE s.reserved <> coalesce(l.total, 0)"
                ),
                "ids_differ": "SELECT abs((SELECT count(*) FROM request) - (SELECT count(*) FROM hold))",
            }
            found = {name: int(await session.fetchval(text)) for name, text in faults.items()}
        finally:
            await session.close()
        return Books(accepted=self.accepted, holds=holds, faults=found)


class RawFunction(SqlRival):
    """Rival (a)."""

    name = "raw_function"
    title = "raw ASGI + one PL/pgSQL call a request"
    application = "bench.rivals.raw_function:app"


class FastApiTransaction(SqlRival):
    """Rival (b)."""

    name = "fastapi_transaction"
    title = "FastAPI + asyncpg, a transaction a request"
    application = "bench.rivals.fastapi_transaction:app"


class PgBench(SqlRival):
    """Rival (d): the same function without any HTTP, driven by pgbench."""

    name = "pgbench"
    title = "pgbench + the same PL/pgSQL function, no HTTP"
    CLIENTS = 32

    def measure(self, binaries: Path, distribution: str, skus: int, seconds: float) -> float:
        """Transactions per second."""
        draw = {
            "zipf": f"random_zipfian(1, {skus}, 1.001) - 1",
            "uniform": f"random(0, {skus - 1})",
            "hot": "0",
        }[distribution]
        script = self._folder / f"pgbench-{distribution}.sql"
        run = f"{distribution}{self.accepted}"
        script.write_text(
            f"\\set n :n + 1\n\\set s {draw}\n"
            f"SELECT accepted, available, hold FROM reserve('{run}-' || :client_id || '-' || :n, '{ORGANIZATION}',"
            f" 'sku-' || lpad((:s)::text, 7, '0'), '{SITE}', '{LOCATION}', '{COLOR}', '{SIZE}', 1)\n"
        )
        made = subprocess.run(
            [
                binaries / "pgbench", "-n", "-M", "prepared", "-c", str(self.CLIENTS), "-j", "1",
                "-T", str(max(1, round(seconds))), "-D", "n=1000000000", "-f", script, self.url,
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"pgbench failed: {made.stderr[-500:]}")
        for line in made.stdout.splitlines():
            if line.startswith("number of transactions actually processed:"):
                self.accepted += int(line.partition(":")[2].split("/")[0])
            if line.startswith("tps = "):
                return float(line.split()[2])
        raise RuntimeError(f"pgbench printed no rate: {made.stdout[-500:]}")


class FastApiRedis(System):
    """Rival (c)."""

    name = "fastapi_redis"
    title = "FastAPI + Redis Lua, append-only file flushed always"
    durability = "Redis appendonly yes, appendfsync always: a reply follows a flushed write"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder / "redis"
        self._redis_port = free_port()
        self._redis: Server | None = None
        self._server: Server | None = None
        self._skus = 0

    async def start(self, skus: int) -> None:
        """Start a Redis of its own, fill it, start the server."""
        program = shutil.which("redis-server")
        if program is None:
            raise NotMeasured("no redis-server on this machine")
        self._skus = skus
        self._folder.mkdir(parents=True)
        options = {
            "port": str(self._redis_port), "bind": "127.0.0.1", "dir": str(self._folder), "save": "",
            "appendonly": "yes", "appendfsync": "always", "auto-aof-rewrite-percentage": "0", "daemonize": "no",
        }  # fmt: skip
        command = [program, *(part for name, value in options.items() for part in (f"--{name}", value))]
        self._redis = Server("redis", command, self._redis_port, self._folder / "redis.log")
        self._redis.start()
        async with self._client() as redis:
            for first in range(0, skus, 10_000):
                pipe = redis.pipeline(transaction=False)
                for number in range(first, min(first + 10_000, skus)):
                    levels = {f"c:{COLOR}:{SIZE}": PLENTY, f"g:{COLOR}": PLENTY, "p": PLENTY}
                    pipe.hset(_place(number), mapping=levels)
                await pipe.execute()
        self._server = Server(
            self.name,
            uvicorn("bench.rivals.fastapi_redis:app", self.port),
            self.port,
            self._folder / "server.log",
            {"RIVAL_REDIS_PORT": str(self._redis_port), "RIVAL_TOKEN": TOKEN},
        )
        self._server.start()

    def _client(self):  # noqa: ANN202 - redis is only there where it can be measured
        from redis.asyncio import Redis  # noqa: PLC0415

        return Redis(host="127.0.0.1", port=self._redis_port, decode_responses=True)

    def stop(self) -> None:
        """End both."""
        for server in (self._server, self._redis):
            if server:
                server.stop()

    async def books(self) -> Books:
        """What is gone from each level must be what the ledger says."""
        async with self._client() as redis:
            holds = int(await redis.get("holds") or 0)
            lines = await redis.xlen("ledger")
            taken = negative = 0
            for first in range(0, self._skus, 10_000):
                pipe = redis.pipeline(transaction=False)
                for number in range(first, min(first + 10_000, self._skus)):
                    pipe.hmget(_place(number), f"c:{COLOR}:{SIZE}", "p")
                for cell, place in await pipe.execute():
                    taken += PLENTY - int(cell)
                    negative += int(cell) < 0 or cell != place
        faults = {"oversold": negative, "ledger_differs": abs(lines - taken)}
        return Books(accepted=self.accepted, holds=holds, faults=faults)


def _place(number: int) -> str:
    return f"stock:{ORGANIZATION}:{product(number)}:{SITE}:{LOCATION}"
