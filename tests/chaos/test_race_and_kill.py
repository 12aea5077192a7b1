"""Many channels, two service processes, one last piece: exactly what was there is sold, whatever is killed."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.chaos

CLIENTS = 200
STOCK = {("red", "S"): 40, ("red", "L"): 25, ("blue", "S"): 35}
LEVELS = {
    "location": [{}],
    "color": [{"colorId": "red"}, {"colorId": "blue"}],
    "size": [{"sizeId": "S"}, {"sizeId": "L"}],
    "exact": [{"colorId": color, "sizeId": size} for color, size in STOCK],
}
LEVELS["mixed"] = [
    node for nodes in (LEVELS[name] for name in ("location", "color", "size", "exact")) for node in nodes
]


def reserve_body(event: str, node: dict[str, str]) -> dict[str, Any]:
    return {
        "id": event,
        "organizationId": "usmf",
        "productId": "LAST-PIECE",
        "dimensions": {"siteId": "1", "locationId": "11"} | node,
        "quantityDataSource": "iv",
        "modifier": "softreserved",
        "quantity": 1,
        "ifCheckAvailForReserv": True,
    }


async def stock_up(channel) -> None:
    for (color, size), quantity in STOCK.items():
        answer = await channel.post(
            "/onhand",
            {
                "id": f"stock-{color}-{size}",
                "organizationId": "usmf",
                "productId": "LAST-PIECE",
                "dimensions": {"siteId": "1", "locationId": "11", "colorId": color, "sizeId": size},
                "quantities": {"iv": {"onhand": quantity}},
            },
        )
        assert answer["processingStatus"] == "success", answer


async def shop(channel, client: int, nodes: list[dict[str, str]], holds: dict[str, str], started) -> int:
    """Reserve single pieces at random nodes until every node has refused once; returns the refusals."""
    rng = random.Random(f"shopper {client}")
    open_nodes = list(nodes)
    for turn in itertools.count():
        if not open_nodes:
            return turn
        node = rng.choice(open_nodes)
        event = f"c{client:03}-{turn:04}"
        answer = await channel.post("/onhand/reserve", reserve_body(event, node))
        started()
        if answer["processingStatus"] == "success":
            assert event not in holds
            holds[event] = answer["holdId"]
        else:
            assert answer["statusCode"] == 500, answer
            assert answer["afrFailure"] is True
            assert answer["afrQuantity"] == 0
            open_nodes.remove(node)
    raise AssertionError


async def race(services, make_channel, nodes, *, kill: bool) -> tuple[dict[str, str], int]:
    """All clients shop at once; returns hold ids by event and how often an event was sent again."""
    holds: dict[str, str] = {}
    answered = 0
    half_time = asyncio.Event()

    def count() -> None:
        nonlocal answered
        answered += 1
        if answered == CLIENTS // 2:
            half_time.set()

    async def kill_one() -> None:
        await half_time.wait()
        services[0].kill()
        services[0].start()

    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx.AsyncClient(timeout=60, limits=limits) as http:
        await stock_up(make_channel(http, 0))
        channels = [make_channel(http, number) for number in range(CLIENTS)]
        shoppers = [shop(channel, number, nodes, holds, count) for number, channel in enumerate(channels)]
        if kill:
            await asyncio.gather(kill_one(), *shoppers)
        else:
            await asyncio.gather(*shoppers)
        for event in random.Random(1).sample(sorted(holds), 20):
            known = [await replays(channels[0], event, node, holds[event]) for node in nodes]
            assert known.count(True) == 1, "one body is the accepted one, any other is refused"
    return holds, sum(channel.resent for channel in channels)


async def replays(channel, event: str, node: dict[str, str], hold: str) -> bool:
    """Whether the same event with this node is the one that was accepted: then it names the same hold."""
    answer = await channel.post("/onhand/reserve", reserve_body(event, node))
    if answer["statusCode"] == 409:
        return False
    assert answer["processingStatus"] == "success"
    assert answer["holdId"] == hold
    return True


@pytest.mark.parametrize("level", sorted(LEVELS))
@pytest.mark.parametrize("kill", [False, True], ids=["undisturbed", "killed"])
def test_exactly_the_stock_is_sold(two_services, make_channel, books, run_command, level, kill):
    nodes = LEVELS[level]
    holds, resent = asyncio.run(race(two_services, make_channel, nodes, kill=kill))
    total = sum(STOCK.values())
    assert len(holds) == total
    assert len(set(holds.values())) == total
    assert books(two_services[0].database_url) == {
        "open holds": total,
        "reserved": total,
        "reserve movements": total,
        "ids": total,
    }
    if kill:
        assert resent > 0
    verified = run_command("verify", database_url=two_services[0].database_url)
    assert verified.returncode == 0, verified.stdout + verified.stderr
