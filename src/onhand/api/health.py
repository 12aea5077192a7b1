"""Liveness, readiness, metrics."""

from __future__ import annotations

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.services import Services


async def ping(_call: Call, _services: Services) -> Reply:
    """Answer."""
    return Reply(200, b"Healthy", b"text/plain; charset=utf-8")


async def live(_call: Call, _services: Services) -> Reply:
    """Answer as long as the event loop turns."""
    return json_reply({"status": "alive"})


async def ready(_call: Call, services: Services) -> Reply:
    """200 when requests can be taken, 503 with the parts that are not ready otherwise."""
    problems = await services.ready()
    if problems:
        return json_reply({"status": "not ready", "parts": problems}, 503)
    return json_reply({"status": "ready"})


async def metrics(_call: Call, services: Services) -> Reply:
    """Metrics of this process."""
    body, content_type = services.metrics()
    return Reply(200, body, content_type.encode())
