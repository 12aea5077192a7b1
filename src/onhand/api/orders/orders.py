"""Orders over HTTP: create, replace, change, delete, read, search, statuses (order specification 8.2)."""

from __future__ import annotations

from typing import Final, cast

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.orders import answers, reading, wire
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services
from onhand.core.orders.actions import DryRunRequest, ManualStepRequest
from onhand.core.orders.entities import Json
from onhand.core.orders.lines import read_order, show_order
from onhand.core.orders.queries import OrderQuery, read_strictly
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.requests import StatusUpdate
from onhand.service.workflow.bulk import Mode
from onhand.service.workflow.orders import no_order

MODES: Final = ("add", "import", "upsert")
IDS_MAX: Final = 1_000
"""Ids of one question whether orders exist."""


async def create(call: Call, services: Services) -> Reply:
    """POST `/orders`: the workflow of the initial status has run when the answer comes."""
    order = read_order(answers.body(call))
    if isinstance(order, Refused):
        return answers.refused(order)
    done = await services.orders.orders.create(
        call.environment, order, reading.actor(call), reading.mark(call, "orders")
    )
    if isinstance(done, Refused):
        return answers.refused(done)
    return wire.created_reply(call, done.order, replayed=done.replayed)


async def create_pos(call: Call, services: Services) -> Reply:
    """POST `/orders/pos`: an order of a till, Completed at once."""
    order = read_order(answers.body(call))
    if isinstance(order, Refused):
        return answers.refused(order)
    done = await services.orders.orders.create_pos(
        call.environment, order, reading.actor(call), reading.mark(call, "orders/pos")
    )
    if isinstance(done, Refused):
        return answers.refused(done)
    return wire.created_reply(call, done.order, replayed=done.replayed)


async def bulk(call: Call, services: Services) -> Reply:
    """POST `/orders/bulk?mode=`: each order by itself."""
    mode = reading.text(call, "mode").lower()
    if mode not in MODES:
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "mode must be add, import or upsert.")
    runs = reading.flag(call, "runWorkflow")
    if runs and mode == "import":
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "An import runs no workflow. Use mode=upsert.")
    items = _listed(answers.body(call), services.limits.items_max)
    orders = [read_order(one) for one in items]
    results = await services.orders.bulk.apply(
        call.environment, orders, cast("Mode", mode), reading.actor(call), runs=runs
    )
    shown = [
        wire.result_of(one.order_id, 201 if one.outcome == "created" else 200, one.version_id)
        if isinstance(one.outcome, str)
        else wire.result_of(one.order_id, 0, one.outcome)
        for one in results
    ]
    return json_reply(wire.OrderResults(results=shown))


async def put(call: Call, services: Services) -> Reply:
    """PUT `/orders/{orderId}?runWorkflow=`: replace an order."""
    order = read_order(answers.body(call))
    if isinstance(order, Refused):
        return answers.refused(order)
    order_id = call.parameters["orderId"]
    if order.id and order.id != order_id:
        raise EdgeProblem(
            400, Code.VALIDATION_FAILED, f"The path names order {order_id!r}, the body {order.id!r}."
        )
    done = await services.orders.orders.put(
        call.environment,
        order_id,
        order,
        reading.actor(call),
        runs=reading.flag(call, "runWorkflow"),
        expected=reading.expected(call, order.version_id),
    )
    return wire.run_reply(done)


async def patch(call: Call, services: Services) -> Reply:
    """PATCH `/orders/{orderId}`: never runs a workflow."""
    value = answers.body(call)
    if not isinstance(value, dict):
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "The body must be a JSON object.")
    version, change = _without_version(value)
    done = await services.orders.orders.patch(
        call.environment,
        call.parameters["orderId"],
        change,
        reading.actor(call),
        reading.expected(call, version),
    )
    return wire.order_reply(done)


async def delete(call: Call, services: Services) -> Reply:
    """DELETE `/orders/{orderId}?permanently=`."""
    refusal = await services.orders.orders.delete(
        call.environment,
        call.parameters["orderId"],
        reading.actor(call),
        permanently=reading.flag(call, "permanently"),
        expected=reading.expected(call),
    )
    return Reply(204) if refusal is None else answers.refused(refusal)


async def read(call: Call, services: Services) -> Reply:
    """GET and HEAD `/orders/{orderId}`."""
    order_id = call.parameters["orderId"]
    found = await services.orders.searching.order(call.environment, order_id)
    return wire.order_reply(no_order(order_id) if found is None else found)


async def version(call: Call, services: Services) -> Reply:
    """GET `/orders/{orderId}/versions/{versionId}`."""
    order_id, version_id = call.parameters["orderId"], call.parameters["versionId"]
    found = await services.orders.searching.version(call.environment, order_id, version_id)
    if found is None:
        return answers.refused(
            Refused(Code.NOT_FOUND, f"There is no version {version_id[:40]!r} of order {order_id!r}.")
        )
    return wire.order_reply(found)


async def listing(call: Call, services: Services) -> Reply:
    """GET `/orders?…`."""
    return await _found(call, services, reading.search_of_query(call, OrderQuery))


async def search(call: Call, services: Services) -> Reply:
    """POST `/orders/search`."""
    return await _found(call, services, read_strictly(OrderQuery, answers.body(call)))


async def exists(call: Call, services: Services) -> Reply:
    """POST `/orders/exists`: those of the ids that are orders."""
    ids = _listed(answers.body(call), IDS_MAX)
    if not all(isinstance(one, str) for one in ids):
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "The body must be an array of order ids.")
    return json_reply(await services.orders.searching.existing(call.environment, ids))


async def status(call: Call, services: Services) -> Reply:
    """POST `/orders/{orderId}/status`: the workflow has run when the answer comes."""
    update = reading.read_loosely(StatusUpdate, answers.body(call))
    if isinstance(update, Refused):
        return answers.refused(update)
    done = await services.orders.parts.status(
        call.environment,
        call.parameters["orderId"],
        update,
        reading.actor(call, update.user_id),
        reading.expected(call, reading.version_in(update)),
    )
    return wire.run_reply(done)


async def dry_run(call: Call, services: Services) -> Reply:
    """POST `/orders/{orderId}/dry-run`: changes nothing, also not the version."""
    request = read_strictly(DryRunRequest, answers.body(call))
    if isinstance(request, Refused):
        return answers.refused(request)
    done = await services.orders.workflow.dry_run(
        call.environment, call.parameters["orderId"], request, reading.actor(call)
    )
    return wire.run_reply(done)


async def manual_step(call: Call, services: Services) -> Reply:
    """POST `/orders/{orderId}/manual-steps/{stepId}`."""
    value: Json = answers.body(call) if call.body.strip() else {}
    request = read_strictly(ManualStepRequest, value)
    if isinstance(request, Refused):
        return answers.refused(request)
    done = await services.orders.workflow.manual_step(
        call.environment,
        call.parameters["orderId"],
        call.parameters["stepId"],
        request,
        reading.actor(call, request.user_id),
    )
    return wire.run_reply(done)


async def _found(call: Call, services: Services, query: OrderQuery | Refused) -> Reply:
    if isinstance(query, Refused):
        return answers.refused(query)
    found = await services.orders.searching.orders(call.environment, query)
    if isinstance(found, Refused):
        return answers.refused(found)
    return answers.page([show_order(order) for order in found.result], found.total_hits, found.cursor)


def _listed(value: Json, most: int) -> list[Json]:
    if not isinstance(value, list):
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "The body must be a JSON array.")
    if len(value) > most:
        raise EdgeProblem(
            400, Code.VALIDATION_FAILED, f"At most {most} items are allowed. Send them in parts."
        )
    return value


def _without_version(value: dict[str, Json]) -> tuple[str | None, dict[str, Json]]:
    """(version that the client changed, the rest of a patch)."""
    found = [content for name, content in value.items() if name.strip().lower() == "versionid"]
    rest = {name: content for name, content in value.items() if name.strip().lower() != "versionid"}
    if found and found[0] is not None and not isinstance(found[0], str):
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "versionId must be a text.")
    return (found[0] if found else None), rest
