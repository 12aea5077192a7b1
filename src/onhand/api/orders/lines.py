"""Lines of orders over HTTP (order specification 8.2)."""

from __future__ import annotations

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.orders import answers, reading, wire
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services
from onhand.core.orders.actions import CancelRequest, ReverseRequest
from onhand.core.orders.model import Order
from onhand.core.orders.queries import read_strictly
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.requests import LinesUpdate
from onhand.service.workflow.order_parts import ORDERS_MAX


async def add(call: Call, services: Services) -> Reply:
    """POST `/orders/{orderId}/order-lines?shipmentId=`: one line or a list."""
    done = await services.orders.parts.add_lines(
        call.environment,
        call.parameters["orderId"],
        answers.body(call),
        reading.text(call, "shipmentId") or None,
        reading.actor(call),
        reading.expected(call),
    )
    return wire.order_reply(done)


async def patch(call: Call, services: Services) -> Reply:
    """PATCH `/orders/{orderId}/order-lines`: one patch or a list."""
    done = await services.orders.parts.patch_lines(
        call.environment,
        call.parameters["orderId"],
        answers.body(call),
        reading.actor(call),
        reading.expected(call),
    )
    return wire.order_reply(done)


async def cancel(call: Call, services: Services) -> Reply:
    """POST `/orders/{orderId}/order-lines/{lineItemId}/cancel`; `sendNotifications` is taken and sends none."""
    reading.flag(call, "sendNotifications")
    done = await services.orders.parts.cancel_lines(
        call.environment,
        call.parameters["orderId"],
        [call.parameters["lineItemId"]],
        reading.actor(call),
        reading.expected(call),
    )
    return wire.order_reply(done)


async def cancel_many(call: Call, services: Services) -> Reply:
    """POST `/orders/order-lines/cancel`: each order by itself."""
    value = answers.body(call)
    if not isinstance(value, list) or len(value) > ORDERS_MAX:
        raise EdgeProblem(
            400, Code.VALIDATION_FAILED, f"The body must be an array of at most {ORDERS_MAX} orders."
        )
    requests = []
    for one in value:
        request = read_strictly(CancelRequest, one)
        if isinstance(request, Refused):
            return answers.refused(request)
        requests.append(request)
    results = await services.orders.parts.cancel_many(call.environment, requests, reading.actor(call))
    shown = [
        wire.result_of(order_id, 200, done.version_id or "" if isinstance(done, Order) else done)
        for order_id, done in results
    ]
    return json_reply(wire.OrderResults(results=shown))


async def update(call: Call, services: Services) -> Reply:
    """POST `/orders/{orderId}/order-lines/updates`: deliver, cancel or split parts, then run the workflow."""
    request = reading.read_loosely(LinesUpdate, answers.body(call))
    if isinstance(request, Refused):
        return answers.refused(request)
    done = await services.orders.parts.update_lines(
        call.environment,
        call.parameters["orderId"],
        request,
        reading.actor(call, request.user_id),
        reading.expected(call, reading.version_in(request)),
        reading.mark(call, "order-lines/updates"),
    )
    return wire.run_reply(done)


async def reverse(call: Call, services: Services) -> Reply:
    """POST `/orders/{orderId}/reverse-reduction`."""
    request = read_strictly(ReverseRequest, answers.body(call))
    if isinstance(request, Refused):
        return answers.refused(request)
    done = await services.orders.parts.reverse(
        call.environment,
        call.parameters["orderId"],
        request,
        reading.actor(call, request.user_id),
        reading.expected(call),
    )
    return wire.order_reply(done)
