"""A batcher over memory, for tests of the service."""

from __future__ import annotations

import asyncio
from typing import Any

from onhand.core import presets
from onhand.core.quantities import SCALE
from onhand.core.rules import Rules
from onhand.rows import ConfigurationRow
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from tests.memory import Ear, MemoryCatalogue, MemoryStore, StillClock
from tests.shop import ON_HAND, key

SHOP = "shop"


class House:
    """A batcher over memory, with its parts at hand."""

    def __init__(self) -> None:
        self.catalogue = MemoryCatalogue()
        self.store = MemoryStore(self.catalogue.versions)
        self.environments = Environments(self.catalogue)
        self.ear = Ear()
        self.clock = StillClock()
        self.batchers: list[Batcher] = []

    async def batcher(self, **bounds: Any) -> Batcher:
        settings = {"lanes": 1, "retry_pause_seconds": 0.0, "settle_seconds": 5.0, **bounds}
        made = Batcher(self.store, self.environments, self.clock, probe=self.ear, **settings)
        await made.start()
        self.batchers.append(made)
        return made

    @property
    def rules(self) -> Rules:
        return self.environments.rules(SHOP)

    def on_hand(self, product: str) -> int:
        at = "siteid=1&locationid=11"
        return self.store.own(key(self.rules, product), at, self.rules.measures[ON_HAND]) // SCALE

    async def apply_elsewhere(self, measure: str) -> None:
        """Another process adds a measure to the configuration."""
        document = presets.document("standalone", SHOP)
        document["inventorySystemConfigurations"]["iv"]["physicalMeasures"].append(measure)
        other = Environments(self.catalogue)
        assert isinstance(await other.apply(SHOP, document, None, "ops", ""), ConfigurationRow)


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(20):
        await asyncio.sleep(0)
