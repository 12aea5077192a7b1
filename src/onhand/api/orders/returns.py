"""Returns over HTTP (order specification 6.7, 8.2)."""

from __future__ import annotations

from onhand.api.exchange import Call, Reply
from onhand.api.orders import answers, reading, wire
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services
from onhand.core.orders.entities import show
from onhand.core.orders.queries import ReturnQuery, read_strictly
from onhand.core.orders.refusals import Refused
from onhand.core.orders.returning import ReturnRequest, ReturnStatusRequest


async def create(call: Call, services: Services) -> Reply:
    """POST `/orders/{orderId}/returns`: register a return; with a status its workflow runs."""
    request = reading.read_loosely(ReturnRequest, answers.body(call))
    if isinstance(request, Refused):
        return answers.refused(request)
    done = await services.orders.returns.create(
        call.environment,
        call.parameters["orderId"],
        request,
        reading.actor(call, request.user_id),
        reading.expected(call),
        reading.mark(call, "returns"),
    )
    return wire.run_reply(done, 201)


async def status(call: Call, services: Services) -> Reply:
    """POST `/orders/{orderId}/returns/{returnId}/status`: the return workflow has run when the answer comes."""
    request = read_strictly(ReturnStatusRequest, answers.body(call))
    if isinstance(request, Refused):
        return answers.refused(request)
    done = await services.orders.returns.status(
        call.environment,
        call.parameters["orderId"],
        call.parameters["returnId"],
        request,
        reading.actor(call, request.user_id),
        reading.expected(call),
    )
    return wire.run_reply(done)


async def patch(call: Call, services: Services) -> Reply:
    """PATCH `/orders/{orderId}/returns/{returnId}`: runs nothing."""
    done = await services.orders.returns.patch(
        call.environment,
        call.parameters["orderId"],
        call.parameters["returnId"],
        answers.body(call),
        reading.actor(call),
        reading.expected(call),
    )
    return wire.order_reply(done)


async def search(call: Call, services: Services) -> Reply:
    """POST `/returns/search`: a page has the fitting returns of up to `limit` orders."""
    query = read_strictly(ReturnQuery, answers.body(call))
    if isinstance(query, Refused):
        return answers.refused(query)
    found = await services.orders.searching.returns(call.environment, query)
    if isinstance(found, Refused):
        return answers.refused(found)
    rows = [
        {
            "orderId": one.order.id,
            "orderNumber": one.order.order_number or "",
            "marketId": one.order.market_id,
            "returnOrderForm": show(one.form),
        }
        for one in found.result
    ]
    return answers.page(rows, found.total_hits, found.cursor)


async def replacement(_call: Call, _services: Services) -> Reply:
    """POST `/orders/{orderId}/replacement`: not built.

    Raises:
        EdgeProblem: always.
    """
    raise EdgeProblem(
        501, "not-implemented", "Replacement orders are not implemented. Create an order instead."
    )
