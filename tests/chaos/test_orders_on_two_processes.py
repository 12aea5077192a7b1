"""Order specification 11.6, row 54, on two processes: fifty orders of one item ship at once, and one process may die."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx
import psycopg
import pytest

from onhand.core.orders import presets
from tests.chaos.conftest import ENVIRONMENT, START_SECONDS, Service
from tests.e2e.orders.order_calls import line, order, shipment

pytestmark = pytest.mark.chaos

ORDERS, STOCK = 50, 100
ANSWERED = 10
"""Orders that have shipped when one of the processes is killed."""
NATIVE = f"/v1/environments/{ENVIRONMENT}"
PLACE = {"organizationId": "org", "productId": "A", "siteId": "1", "locationId": "WH1"}


@pytest.fixture
def service_settings() -> dict[str, str]:
    """A run is taken over soon after its process died."""
    return {"ONHAND_WORKFLOW_LEASE_SECONDS": "2"}


@dataclass
class Caller:
    """Sends each request until somebody answers it, at one process after the other."""

    http: httpx.AsyncClient
    services: Iterator[Service]
    resent: int = 0
    locked: int = 0
    answered: int = 0
    half_time: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of the answer. An order whose run somebody else has, dead or alive, is asked for again."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            service = next(self.services)
            try:
                answer = await self.http.request(method, f"{service.url}{path}", json=body)
            except httpx.TransportError:
                self.resent += 1
                await asyncio.sleep(0)
                continue
            if answer.is_success:
                return answer.json()
            if answer.status_code == 409:
                assert answer.json()["code"] == "OrderLocked", answer.text
                self.locked += 1
            else:
                assert answer.status_code in {429, 503}, answer.text
        pytest.fail(f"nobody did {method} {path} within {START_SECONDS} s")

    async def ship(self, order_id: str) -> None:
        done = await self.send("POST", f"{NATIVE}/orders/{order_id}/status", {"status": "Ship"})
        assert not done["isAborted"], done
        assert done["order"]["status"] == "Ship", done
        self.answered += 1
        if self.answered == ANSWERED:
            self.half_time.set()

    async def levels(self) -> tuple[int, int]:
        """(inventory, reserved)."""
        query = "&".join(f"{name}={value}" for name, value in PLACE.items())
        found = (await self.send("GET", f"{NATIVE}/availability?{query}"))["quantities"]["iv"]
        return found["onhand"], found["softreserved"]

    async def reductions(self) -> list[dict[str, Any]]:
        found = await self.send("GET", f"{NATIVE}/inventory-transactions?sku=A&take=1000")
        return [one for one in found["result"] if one.get("inventoryChange") and one.get("orderId")]


async def furnish(caller: Caller, names: list[str]) -> None:
    """The ready-made workflow, the stock, and the orders, each with one reserved piece."""
    kind = presets.show(presets.PRESETS[1])["orderType"]
    assert kind["name"] == "OnlineMixed"
    await caller.send("PUT", f"{NATIVE}/warehouses/WH1", {"code": "WH1", "siteId": "1"})
    await caller.send("PUT", f"{NATIVE}/inventory-settings", {"organizationId": "org"})
    await caller.send("PUT", f"{NATIVE}/order-types/OnlineMixed", kind)
    await caller.send(
        "POST",
        f"/api/environment/{ENVIRONMENT}/onhand",
        {
            "id": "opening",
            "organizationId": "org",
            "productId": "A",
            "dimensions": {"siteId": "1", "locationId": "WH1"},
            "quantities": {"iv": {"onhand": STOCK}},
        },
    )
    bodies = [order(name, shipment("S1", line("L1", 1)), orderType="OnlineMixed") for name in names]
    await asyncio.gather(*(caller.send("POST", f"{NATIVE}/orders", body) for body in bodies))


async def race(services: list[Service], *, kill: bool) -> Caller:
    names = [f"O{number:02}" for number in range(ORDERS)]
    limits = httpx.Limits(max_connections=ORDERS, max_keepalive_connections=ORDERS)
    async with httpx.AsyncClient(timeout=START_SECONDS, limits=limits) as http:
        caller = Caller(http, cycle(services))
        await furnish(caller, names)
        assert await caller.levels() == (STOCK, ORDERS)

        async def kill_one() -> None:
            await caller.half_time.wait()
            services[0].kill()

        await asyncio.gather(*(caller.ship(name) for name in names), *([kill_one()] if kill else []))
        assert await caller.levels() == (STOCK - ORDERS, 0)
        made = await caller.reductions()
        assert sorted(one["newInventory"] for one in made) == list(range(STOCK - ORDERS, STOCK))
        assert sorted(one["orderId"] for one in made) == names
        again = await asyncio.gather(*(caller.send("GET", f"{NATIVE}/orders/{name}") for name in names))
        assert {one["status"] for one in again} == {"Ship"}
    return caller


def unfinished(database_url: str) -> int:
    """Orders that somebody still has to look at."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM document WHERE kind = 'order' AND due_at IS NOT NULL"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("kill", [False, True], ids=["undisturbed", "killed"])
def test_54_fifty_orders_of_one_item_ship_at_once(two_services, run_command, kill):
    caller = asyncio.run(race(two_services, kill=kill))
    assert bool(caller.resent) == kill
    url = two_services[0].database_url
    assert unfinished(url) == 0, "every run has ended"
    verified = run_command("verify", database_url=url)
    assert verified.returncode == 0, verified.stdout + verified.stderr
