"""The route table of the order side. It ends up in `routes.ROUTES`."""

from __future__ import annotations

from typing import Final

from onhand.api.exchange import Json
from onhand.api.orders import rates
from onhand.api.orders.answers import ResultPage
from onhand.api.route import NATIVE, Handler, Route

READ, STOCK = "onhand:read", "onhand:write"
"""Scopes; what they allow is said in `service.access.SCOPES`."""


def _order(  # noqa: PLR0913 - the columns of the table
    method: str, path: str, handler: Handler, scope: str, tag: str, summary: str, **more: Json
) -> Route:
    return Route(
        method=method,
        path=f"{NATIVE}/{path}",
        handler=handler,
        scope=scope,
        summary=summary,
        surface="native",
        tag=tag,
        **more,
    )


RATES: Final[tuple[Route, ...]] = (
    _order("GET", "exchange-rates", rates.listing, READ, "Exchange rates",
           "List exchange rates; validAt: those in force then.", answer=ResultPage,
           query=("fromCurrency", "toCurrency", "validAt", "cursor", "limit")),
    _order("PUT", "exchange-rates", rates.put, STOCK, "Exchange rates",
           "Enter exchange rates, all or none; one of the same pair and moment is replaced.", answer=rates.RatesEntered),
)  # fmt: skip

ORDER_ROUTES: Final[tuple[Route, ...]] = RATES
