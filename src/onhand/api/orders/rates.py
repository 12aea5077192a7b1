"""Exchange rates: GET and PUT `/exchange-rates`."""

from __future__ import annotations

from typing import Any

import msgspec

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import Query
from onhand.api.orders import answers
from onhand.api.problems import of_rejection
from onhand.api.services import Services
from onhand.core.costing.currencies import code_of
from onhand.core.orders.entities import show
from onhand.core.orders.exchange import read_rates
from onhand.core.orders.refusals import Refused


class RatesEntered(msgspec.Struct):
    """How many rates were entered."""

    rates: int


async def listing(call: Call, services: Services) -> Reply:
    """GET `/exchange-rates`: by pair and time; `validAt` lists those in force then."""
    query = Query(call)
    which = answers.paging(services, query.text("cursor"), query.text("limit"))
    found = await services.rates.listing(
        call.of.environment,
        code_of(query.text("fromCurrency")),
        code_of(query.text("toCurrency")),
        query.moment("validAt"),
    )
    start = 0 if which.cursor is None else answers.of_cursor(which.cursor, int)
    if start < 0:
        raise answers.unknown_cursor()
    end = start + which.limit
    rows: list[dict[str, Any]] = [show(rate) for rate in found[start:end]]
    return answers.page(rows, len(found), answers.to_cursor(end) if end < len(found) else None)


async def put(call: Call, services: Services) -> Reply:
    """PUT `/exchange-rates`: enter rates, all or none."""
    rates = read_rates(answers.body(call))
    if isinstance(rates, Refused):
        return answers.refused(rates)
    why = await services.rates.put(call.of, rates)
    return json_reply(RatesEntered(len(rates))) if why is None else of_rejection(why)
