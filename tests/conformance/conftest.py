"""One running service a test, and environments made from the fixtures of the specification."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.conformance.fixtures import FIXTURES
from tests.serving import Running, Tenant, serving

Make = Callable[..., Awaitable[Tenant]]


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Running]:
    async with serving(database_url) as service:
        yield service


@pytest.fixture
def tenant(running: Running) -> Make:
    """Make an environment from a fixture by name; keyword arguments are switches."""

    async def make(fixture: str, name: str = "e1", **switches: Any) -> Tenant:
        return await running.environment(name, FIXTURES[fixture](), **switches)

    return make
