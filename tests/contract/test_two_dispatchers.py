"""The light dispatcher and the framework's router give identical answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from onhand.api.app import create_app, framework
from onhand.api.pipeline import Pipeline
from onhand.api.routes import COMPATIBLE, ROUTES
from tests.conformance.fixtures import FIXTURES
from tests.serving import Tenant, serving

DIMENSIONS = {"siteId": "1", "locationId": "11"}
STOCK = {
    "organizationId": "o",
    "productId": "P",
    "dimensions": DIMENSIONS,
    "quantities": {"iv": {"onhand": 5}},
}
RESERVE = {"organizationId": "o", "productId": "P", "dimensions": DIMENSIONS, "quantityDataSource": "@iv",
           "modifier": "@softreserved", "quantity": 1, "id": "r"}  # fmt: skip
CASES: list[tuple[str, str, Any]] = [
    ("POST", "onhand", {**STOCK, "id": "a"}),
    ("POST", "onhand", {**STOCK, "id": "a"}),
    ("POST", "onhand", {**STOCK, "id": "a", "productId": "Q"}),
    ("POST", "onhand", {**STOCK, "ID": "b", "quantities": {"iv": {"nothing": 1}}}),
    ("POST", "onhand/bulk", [{**STOCK, "id": "c"}, 7]),
    ("POST", "onhand/bulk", {}),
    ("POST", "onhand/reserve", RESERVE),
    ("POST", "onhand/reserve", {**RESERVE, "id": "s", "quantity": 99}),
    ("POST", "onhand/reserve", "text"),
    ("POST", "onhand/reserve/bulk", [RESERVE, {**RESERVE, "quantity": 2}]),
    ("POST", "onhand/unreserve", {**RESERVE, "reservationId": "x", "OffsetQty": 1}),
    ("POST", "onhand/indexquery", {"filters": {"organizationId": ["o"], "productId": ["P"]}}),
    ("POST", "onhand/exactquery", {"filters": {"organizationId": ["o"]}}),
    ("GET", "onhand?organizationId=o&productId=P&groupBy=colorId", None),
    ("GET", "configuration", None),
    ("GET", "allpartitionids", None),
    ("POST", "setonhand/iv/bulk", [{**STOCK, "id": "set"}]),
    ("POST", "allocation/allocate", {}),
]


@pytest.fixture
async def tenant(database_url: str) -> AsyncIterator[Tenant]:
    async with serving(database_url) as running:
        yield await running.environment("e1", FIXTURES["FX-S"]())


def seen(answer: httpx.Response) -> tuple[Any, ...]:
    headers = {name: value for name, value in answer.headers.items() if not name.startswith("x-ms-")}
    return answer.status_code, answer.content, headers, "x-ms-correlation-id" in answer.headers


async def test_identical_answers(tenant: Tenant) -> None:
    services = tenant.running.services
    apps = {"light": create_app(services), "framework": framework(Pipeline(services))}
    clients = {
        name: httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x")
        for name, app in apps.items()
    }
    for method, rest, body in CASES:
        answers = {}
        # The first answer of an id is an acceptance, the second a replay: they are the same by contract.
        for name, client in clients.items():
            content = None if body is None else json.dumps(body)
            for headers in (tenant.headers, {}, {"Authorization": "Bearer x"}):
                answer = await client.request(method, tenant.path(rest), content=content, headers=headers)
                answers[name, str(headers)] = seen(answer)
        for headers in (tenant.headers, {}, {"Authorization": "Bearer x"}):
            assert answers["light", str(headers)] == answers["framework", str(headers)], (method, rest)
    for client in clients.values():
        await client.aclose()


def test_every_compatible_route_is_exercised_or_a_variant() -> None:
    """Each operation has one route, one scope and a distinct path."""
    keys = [(route.method, route.path.lower()) for route in ROUTES]
    assert len(keys) == len(set(keys))
    assert all(route.scope for route in COMPATIBLE)
