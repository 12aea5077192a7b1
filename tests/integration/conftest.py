"""Two processes of the service, each with lanes and a pool of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from onhand.rows import ConfigurationRow
from onhand.storage.postgres.pool import open_pool
from onhand.storage.postgres.store import lines_for
from tests.memory import StillClock
from tests.processes import SHOP, Process


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[list[Process]]:
    clock = StillClock()
    made = [
        Process(await open_pool(database_url, connections_max=4), lines_for(database_url), clock)
        for _ in range(2)
    ]
    assert isinstance(await made[0].environments.create(SHOP, "standalone", "ops"), ConfigurationRow)
    for process in made:
        await process.batcher.start()
        await process.environments.load()
    yield made
    for process in made:
        await process.close()
