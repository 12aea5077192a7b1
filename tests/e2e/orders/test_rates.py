"""Exchange rates over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from onhand.service.workflow.rates import Rates
from tests.serving import Running, Tenant


def rate(source: str, target: str, value: Any, valid_from: str) -> dict[str, Any]:
    return {"fromCurrency": source, "toCurrency": target, "rate": value, "validFrom": valid_from}


JANUARY = rate("EUR", "NOK", 11.5, "2026-01-01T00:00:00Z")
MARCH = rate("eur", "nok", "12.000001", "2026-03-01")
DOLLAR = rate("USD", "NOK", 10, "2026-01-01T00:00:00Z")


async def listed(shop: Tenant, query: str = "") -> list[tuple[Any, ...]]:
    answer = await shop.native("GET", f"exchange-rates?{query}")
    assert answer.status_code == 200, answer.text
    return [(one["fromCurrency"], one["rate"], one["validFrom"]) for one in answer.json()["result"]]


async def test_rates_are_entered_listed_and_replaced(shop: Tenant) -> None:
    march = {**MARCH, "VALIDFROM": "2026-03-01T00:00:00Z"}
    del march["validFrom"]
    answer = await shop.native("PUT", "exchange-rates", [JANUARY, march, DOLLAR])
    assert (answer.status_code, answer.json()) == (200, {"rates": 3})
    assert await listed(shop) == [
        ("EUR", 11.5, "2026-01-01T00:00:00Z"),
        ("EUR", 12.000001, "2026-03-01T00:00:00Z"),
        ("USD", 10, "2026-01-01T00:00:00Z"),
    ]
    assert await listed(shop, "fromCurrency=eur&toCurrency=NOK&validAt=2026-02-01T00:00:00Z") == [
        ("EUR", 11.5, "2026-01-01T00:00:00Z")
    ]
    assert await listed(shop, "validAt=2025-01-01T00:00:00Z") == []
    again = {"rates": [{**JANUARY, "rate": 11.25}]}
    assert (await shop.native("PUT", "exchange-rates", again)).status_code == 200
    assert (await listed(shop, "fromCurrency=EUR"))[0][1] == 11.25


async def test_listing_is_paged(shop: Tenant) -> None:
    rates = [rate("EUR", "NOK", day, f"2026-01-{day:02}T00:00:00Z") for day in range(1, 6)]
    await shop.native("PUT", "exchange-rates", rates)
    found, cursor = [], ""
    for _ in range(3):
        page = (await shop.native("GET", f"exchange-rates?limit=2&cursor={cursor}")).json()
        assert page["totalHits"] == 5
        found += [one["rate"] for one in page["result"]]
        cursor = page["nextCursor"] or ""
    assert (found, cursor) == ([1, 2, 3, 4, 5], "")
    wrong = await shop.native("GET", "exchange-rates?cursor=nonsense")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "ValidationFailed")


async def test_a_wrong_rate_refuses_all(shop: Tenant) -> None:
    body = [JANUARY, rate("NOK", "NOK", 0, "2026-01-01T00:00:00Z"), rate("EURO", "NOK", 1, "yesterday")]
    answer = await shop.native("PUT", "exchange-rates", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "ValidationFailed")
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["path"] for one in answer.json()["errors"]] == ["[2].validFrom", "[1]", "[1].rate"]
    assert await listed(shop) == []
    for nonsense in ("text", {"rates": 1}, [1], [{"fromCurrency": "EUR"}]):
        assert (await shop.native("PUT", "exchange-rates", nonsense)).status_code == 400


async def test_environments_and_scopes_are_apart(running: Running, shop: Tenant) -> None:
    await shop.native("PUT", "exchange-rates", [JANUARY])
    other = await running.environment("other")
    assert await listed(other) == []
    shop.token = await running.token("shop", ("onhand:read",), client="reader")
    assert (await shop.native("PUT", "exchange-rates", [DOLLAR])).status_code == 403
    assert len(await listed(shop)) == 1


async def test_every_process_sees_a_rate_at_once(running: Running, shop: Tenant) -> None:
    services = running.services
    rules = await services.environments.current("shop")
    other = Rates(services.rates._documents, services.batcher)  # as another process has it
    for value in (11, 12):
        await shop.native("PUT", "exchange-rates", [{**JANUARY, "rate": value}])
        for rates in (services.rates, other, other):
            table = await rates.whole(rules.environment)
            found = table.in_force("EUR", "NOK", datetime(2026, 2, 1, tzinfo=UTC))
            assert found is not None
            assert found.rate == value
