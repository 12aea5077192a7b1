"""Two processes of the service on one PostgreSQL, for integration tests."""

from __future__ import annotations

from typing import Any

from onhand.core.quantities import SCALE
from onhand.service.auditor import Auditor
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.jobs import Jobs
from onhand.service.queries import IndexQuery, OnHandPage, Queries
from onhand.storage.postgres.catalogue import PostgresCatalogue
from onhand.storage.postgres.lines import Lines
from onhand.storage.postgres.pool import Database
from onhand.storage.postgres.reader import PostgresReader
from onhand.storage.postgres.store import PostgresStore
from tests.memory import Ear, StillClock

SHOP = "shop"


class Process:
    """What one process of the service has."""

    def __init__(self, pool: Database, lines: Lines, clock: StillClock, **bounds: Any) -> None:
        self.pool = pool
        self.lines = lines
        self.clock = clock
        self.ear = Ear()
        self.catalogue = PostgresCatalogue(pool)
        self.reader = PostgresReader(pool)
        self.environments = Environments(self.catalogue)
        self.batcher = Batcher(
            PostgresStore(lines), self.environments, clock, probe=self.ear, **{"lanes": 2, **bounds}
        )
        self.queries = Queries(self.reader, self.environments, clock)
        self.jobs = Jobs(
            self.reader, self.catalogue, self.batcher, self.environments, clock, probe=self.ear, page=5
        )
        self.auditor = Auditor(self.reader, self.environments, probe=self.ear, page=5)

    async def close(self) -> None:
        await self.jobs.stop()
        await self.batcher.stop()
        await self.lines.close()
        await self.pool.close()

    async def stock(self) -> dict[str, tuple[int, int]]:
        """Product -> (on hand, available) at the place, in units."""
        found = await self.queries.index(
            SHOP,
            IndexQuery(
                organizations=("usmf",),
                dimensions={"siteId": ("1",), "locationId": ("11",)},
                return_negative=True,
            ),
        )
        assert isinstance(found, OnHandPage)
        (available,) = {one.formula.name for one in self.environments.rules(SHOP).mapped.values()}
        return {
            row.product: (
                row.quantities["iv"].get("onhand", 0) // SCALE,
                row.quantities.get(available[0], {}).get(available[1], 0) // SCALE,
            )
            for row in found.rows
        }
