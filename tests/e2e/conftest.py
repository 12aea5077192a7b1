"""One running service a test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.fixtures import FIXTURES
from tests.serving import Running, Tenant, serving


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Running]:
    async with serving(database_url) as service:
        yield service


@pytest.fixture
async def shop(running: Running) -> Tenant:
    """An environment of the standalone profile with 10 pieces of product P at site 1, location 11."""
    made = await running.environment("shop")
    await made.on_hand(
        id="seed",
        organizationId="org",
        productId="P",
        dimensions={"siteId": "1", "locationId": "11"},
        quantities={"iv": {"onhand": 10}},
    )
    return made


@pytest.fixture
async def fx_r(running: Running) -> Tenant:
    return await running.environment("r", FIXTURES["FX-R"]())
