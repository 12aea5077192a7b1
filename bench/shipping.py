"""Orders that ship: the status Ship of the ready-made workflow "mixed reservation", over HTTP, closed loop.

Each order has five lines of different products, three of them reserved: the products of the other two are held as a whole
while the orders are made, and free again before they ship. So a status update runs all steps of the workflow: the shipment
is released, five stocks and three reservations fall, costs and five transactions are written, the shipment is completed.
The service is one process with its settings at their defaults.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Iterable
from typing import Any

import asyncpg
import httpx
import msgspec

from bench.histogram import Histogram
from bench.onhand_system import ENVIRONMENT, Onhand
from bench.processes import say
from bench.session import Session
from bench.workload import COLOR, LOCATION, ORGANIZATION, SITE, SIZE, product
from onhand.core.orders import presets

SKUS, HELD = 1_000, 400
"""Products, and those of them (the last ones) of which nothing is left while the orders are made."""
RESERVED, UNRESERVED = 3, 2
"""Lines of an order."""
PIECES = 1_000_000
CONNECTIONS = 32
BULK = 400
CALL_S = 120.0
DIMENSIONS = {"ColorId": COLOR, "SizeId": SIZE}

WRONG = """
    SELECT abs($1 - (SELECT count(*) FROM document
                     WHERE kind = 'inventory-transaction' AND id LIKE '["REDUCE",%'))
         + (SELECT count(*) FROM hold WHERE remaining <> 0)
         + abs($2 - (SELECT sum(s.own) / 1000000 FROM stock AS s
             JOIN position AS q USING (k, product_id, position_no)
             JOIN measure AS m ON m.environment_no = q.environment_no AND m.measure_id = s.measure_id
            WHERE (m.source, m.name) = ('iv', 'onhand')))
"""
"""Reductions that are missing or too many, reservations that are left, pieces that are missing or too many; 0 is right."""


async def shipping(session: Session, _: set[str]) -> None:
    """Ship: status updates per second, their latency, and the books afterwards."""
    orders = session.scale.orders
    onhand = Onhand(session.cluster, session.folder, "onhand_ship", PIECES)
    await session.start(onhand, SKUS)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{onhand.port}", headers=onhand.headers, timeout=CALL_S
    ) as http:
        await _configure(http)
        holds = await _hold(http)
        say(f"  {orders:,} orders are made")
        dice = random.Random(1)
        await _by_many(_ask(http, "POST", "orders", _order(number, dice)) for number in range(orders))
        await _by_many(_ask(http, "DELETE", f"reservations/{hold}") for hold in holds)
        times, seconds = await _ship(http, orders)
    latency = times.summary((0.5, 0.99))
    session.note("onhand_ship", "orders shipped/s", orders / seconds, result={"latency_us": latency})
    wrong = await _wrong(onhand.url, orders)
    session.report.figures["ship_rate"] = round(orders / seconds, 1)
    session.report.figures["ship_p50_ms"] = round(latency["p50"] / 1_000, 1)
    session.report.figures["ship_p99_ms"] = round(latency["p99"] / 1_000, 1)
    session.report.figures["ship_wrong"] = wrong
    session.report.medians |= {"ship: orders": orders, "ship: connections": CONNECTIONS}
    onhand.accepted = RESERVED * orders + HELD
    await session.audit(onhand)
    session.end(onhand)


async def _wrong(url: str, orders: int) -> int:
    lines = (RESERVED + UNRESERVED) * orders
    database = await asyncpg.connect(url)
    try:
        return int(await database.fetchval(WRONG, lines, SKUS * PIECES - lines))
    finally:
        await database.close()


async def _configure(http: httpx.AsyncClient) -> None:
    kind = next(one.order_type for one in presets.PRESETS if one.key == "mixed-reservation")
    shown = next(presets.show(one)["orderType"] for one in presets.PRESETS if one.order_type is kind)
    settings = {"organizationId": ORGANIZATION, "defaultProductCostCurrency": "EUR"}
    await _ask(http, "PUT", "inventory-settings", settings)
    await _ask(http, "PUT", f"warehouses/{LOCATION}", {"code": LOCATION, "siteId": SITE})
    await _ask(http, "PUT", f"order-types/{kind.name}", shown)


async def _hold(http: httpx.AsyncClient) -> list[str]:
    """Everything of the products whose lines are to stay unreserved."""
    bodies = [
        {
            "id": f"held-{number}",
            "organizationId": ORGANIZATION,
            "productId": product(number),
            "dimensions": {"SiteId": SITE, "LocationId": LOCATION, **DIMENSIONS},
            "quantityDataSource": "iv",
            "modifier": "softreserved",
            "quantity": PIECES,
            "ifCheckAvailForReserv": True,
        }
        for number in range(SKUS - HELD, SKUS)
    ]
    done = await _ask(http, "POST", f"/api/environment/{ENVIRONMENT}/onhand/reserve/bulk", bodies)
    return [str(one["holdId"]) for one in done["success"]]


def _order(number: int, dice: random.Random) -> dict[str, Any]:
    free = dice.sample(range(SKUS - HELD), RESERVED)
    held = dice.sample(range(SKUS - HELD, SKUS), UNRESERVED)
    lines = [
        {"lineItemId": f"L{at}", "code": product(sku), "quantity": 1, "dimensions": DIMENSIONS}
        for at, sku in enumerate((*free, *held), 1)
    ]
    shipment = {"shipmentId": "S1", "warehouseCode": LOCATION, "lineItems": lines}
    return {
        "id": f"order-{number:06d}",
        "orderType": "OnlineMixed",
        "marketId": "DE",
        "storeId": LOCATION,
        "billingCurrency": "EUR",
        "orderForm": {"shipments": [shipment]},
    }


async def _ship(http: httpx.AsyncClient, orders: int) -> tuple[Histogram, float]:
    times = Histogram()

    async def one(number: int) -> None:
        begun = time.perf_counter_ns()
        done = await _ask(http, "POST", f"orders/order-{number:06d}/status", {"status": "Ship"})
        times.record((time.perf_counter_ns() - begun) // 1_000)
        if done["isAborted"]:
            raise RuntimeError(f"order {number} did not ship: {done['orderActionExecutionResults']}")

    begun = time.perf_counter()
    await _by_many(one(number) for number in range(orders))
    return times, time.perf_counter() - begun


async def _by_many(work: Iterable[Awaitable[Any]]) -> None:
    """Do all of it, a fixed number at a time."""
    left = iter(work)

    async def worker() -> None:
        for one in left:
            await one

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(worker())


async def _ask(http: httpx.AsyncClient, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    where = path if path.startswith("/") else f"/v1/environments/{ENVIRONMENT}/{path}"
    content = None if body is None else msgspec.json.encode(body)
    answer = await http.request(method, where, content=content, headers={"Content-Type": "application/json"})
    if not answer.is_success:
        raise RuntimeError(f"{method} {where}: {answer.status_code} {answer.text[:500]}")
    return msgspec.json.decode(answer.content) if answer.content else None
