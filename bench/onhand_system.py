"""The system under test: `onhand serve`, as it is started by anybody, on the database that all share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

import asyncpg

from bench.cluster import Cluster
from bench.fill import fill
from bench.processes import Server, say
from bench.systems import PLENTY, TOKEN, Books, System
from onhand.runtime import opened
from onhand.settings import Settings

ENVIRONMENT = "bench"

CONTRADICTIONS = {
    "oversold": """
        SELECT count(*) FROM (
            SELECT s.k, s.product_id, q.place,
                   sum(CASE WHEN m.name = 'onhand' THEN s.own + s.finer ELSE 0 END)
                 - sum(CASE WHEN m.name = 'softreserved' THEN s.own + s.finer ELSE 0 END) AS available
            FROM stock s
            JOIN position q USING (k, product_id, position_no)
            JOIN measure m ON m.environment_no = q.environment_no AND m.measure_id = s.measure_id AND m.source = 'iv'
            GROUP BY 1, 2, 3) levels
        WHERE available < 0""",
    "ledger_differs": """
        SELECT count(*) FROM stock s FULL JOIN (
            SELECT k, product_id, position_no, measure_id, sum(delta) AS own FROM movement GROUP BY 1, 2, 3, 4) l
            USING (k, product_id, position_no, measure_id)
        WHERE coalesce(s.own, 0) <> coalesce(l.own, 0)""",
    "holds_differ": """
        SELECT count(*) FROM stock s FULL JOIN (
            SELECT k, product_id, position_no, measure_id, sum(remaining) AS held FROM hold GROUP BY 1, 2, 3, 4) h
            USING (k, product_id, position_no, measure_id)
        WHERE coalesce(s.held, 0) <> coalesce(h.held, 0)""",
    "ids_differ": """
        SELECT abs((SELECT count(*) FROM command_id WHERE kind = 3) - (SELECT count(*) FROM hold))""",
    "sequence_gaps": """
        SELECT count(*) FROM product p LEFT JOIN (
            SELECT k, product_id, count(*) AS rows, max(sequence) AS last FROM movement GROUP BY 1, 2) l
            USING (k, product_id)
        WHERE p.version <> coalesce(l.last, 0) OR p.version <> coalesce(l.rows, 0)""",
}
"""Audit from outside, in SQL of its own: it shares no code with the engine or with `onhand verify`."""


class Onhand(System):
    """One `onhand serve` over a filled database."""

    COMMAND: ClassVar[list[str]] = [sys.executable, "-m", "onhand", "serve"]
    name = "onhand"
    title = "onhand"
    durability = "PostgreSQL as configured for all: a reply follows a flushed commit"
    path = f"/api/environment/{ENVIRONMENT}/onhand/reserve"

    def __init__(
        self, cluster: Cluster, folder: Path, name: str = "onhand", pieces: int = PLENTY, movements: int = 0
    ) -> None:
        super().__init__()
        self.name = name
        self._cluster = cluster
        self._pieces = pieces
        self._movements = movements
        self._log = folder / f"{name}.log"
        self.url = ""
        self.server: Server | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Settings of the service, all others at their defaults."""
        return {
            "ONHAND_DATABASE_URL": self.url,
            "ONHAND_PORT": str(self.port),
            "ONHAND_AUTH": "static",
            "ONHAND_STATIC_TOKEN": TOKEN,
            "ONHAND_LOG_LEVEL": "warning",
        }

    async def prepare(self, skus: int) -> float:
        """Create the database, the environment and its stock; returns the seconds of the fill."""
        self.url = await self._cluster.create(self.name)
        settings = Settings(database_url=self.url, migrate=True, log_level="warning")  # type: ignore[arg-type]
        async with opened(settings, say) as house:
            await house.environments.create(ENVIRONMENT, "standalone", "bench")
        return await fill(self.url, ENVIRONMENT, skus, self._pieces, self._movements)

    def serve(self) -> Server:
        """Start the service."""
        self.server = Server(self.name, self.COMMAND, self.port, self._log, self.environment)
        self.server.start()
        return self.server

    async def start(self, skus: int) -> None:
        """Prepare and serve."""
        await self.prepare(skus)
        self.serve()

    def stop(self) -> None:
        """End the service."""
        if self.server:
            self.server.stop()

    async def books(self) -> Books:
        """Audit from outside."""
        session = await asyncpg.connect(self.url)
        try:
            await session.execute("SET work_mem = '256MB'")
            holds = await session.fetchval("SELECT count(*) FROM hold")
            faults = {name: int(await session.fetchval(text)) for name, text in CONTRADICTIONS.items()}
        finally:
            await session.close()
        return Books(accepted=self.accepted, holds=holds, faults=faults)
