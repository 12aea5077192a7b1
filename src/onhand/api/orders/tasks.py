"""Scheduled tasks on demand (order specification 2.11, 8.3)."""

from __future__ import annotations

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.orders import answers
from onhand.api.services import Services
from onhand.core.orders.refusals import Refused


async def run(call: Call, services: Services) -> Reply:
    """POST `/scheduled-tasks/{id}/run`: answers when the run has ended."""
    done = await services.orders.tasks.run(call.of.environment_id, call.parameters["id"])
    return answers.refused(done) if isinstance(done, Refused) else json_reply(done)


async def last_run(call: Call, services: Services) -> Reply:
    """GET `/scheduled-tasks/{id}/run`."""
    found = await services.orders.tasks.last(call.of.environment_id, call.parameters["id"])
    return answers.refused(found) if isinstance(found, Refused) else json_reply(found)
