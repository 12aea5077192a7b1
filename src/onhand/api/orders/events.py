"""The event log of orders over HTTP (order specification 2.8, 8.2)."""

from __future__ import annotations

import msgspec

from onhand.api.exchange import Call, Reply
from onhand.api.orders import answers, reading
from onhand.api.services import Services
from onhand.core.orders.events import Event
from onhand.core.orders.queries import EventQuery, read_strictly
from onhand.core.orders.refusals import Refused
from onhand.service.workflow.orders import no_order


class EventPage(msgspec.Struct, rename="camel", kw_only=True):
    """One page of events, newest first."""

    result: list[Event]
    total_hits: int
    """Counted up to 10,000."""
    next_cursor: str | None = None


async def of_order(call: Call, services: Services) -> Reply:
    """GET `/orders/{orderId}/events`; also of an order that is deleted for ever."""
    query = reading.search_of_query(call, EventQuery)
    if isinstance(query, Refused):
        return answers.refused(query)
    order_id = call.parameters["orderId"]
    query = msgspec.structs.replace(query, object_id=order_id)
    return await _found(call, services, query, order_id)


async def search(call: Call, services: Services) -> Reply:
    """POST `/events/search`."""
    query = read_strictly(EventQuery, answers.body(call))
    if isinstance(query, Refused):
        return answers.refused(query)
    return await _found(call, services, query, None)


async def _found(call: Call, services: Services, query: EventQuery, order_id: str | None) -> Reply:
    found = await services.orders.searching.events(call.environment, query)
    if isinstance(found, Refused):
        return answers.refused(found)
    known = found.total_hits or order_id is None
    if not known and await services.orders.searching.order(call.environment, order_id or "") is None:
        return answers.refused(no_order(order_id or ""))
    return answers.page(found.result, found.total_hits, found.cursor)
