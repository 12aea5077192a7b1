"""Costs of lines over HTTP, with the reduce step of a real workflow (scenarios 41 to 50 of the order specification)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.orders.conftest import WAREHOUSES, configure
from tests.e2e.orders.test_books_agree import order, with_workflow
from tests.e2e.orders.test_items import bulk, item
from tests.serving import Running, Tenant


@pytest.fixture
async def costs(store: Tenant) -> Tenant:
    """Ten pieces of A, and a workflow that ships."""
    await with_workflow(store)
    return store


async def ship(costs: Tenant, quantity: int = 1, identity: str = "O1", **facts: Any) -> dict[str, Any]:
    """The answer of the run of Ship of a new order."""
    body = order(identity, quantity, billingCurrency="NOK") | facts
    made = await costs.native("POST", "orders", body)
    assert made.status_code == 201, made.text
    return await enter(costs, identity)


async def enter(costs: Tenant, identity: str = "O1", status: str = "Ship") -> dict[str, Any]:
    answer = await costs.native("POST", f"orders/{identity}/status", {"status": status})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def line(run: dict[str, Any]) -> tuple[Any, Any]:
    found = run["order"]["orderForm"]["shipments"][0]["lineItems"][0]
    return found.get("cost"), found.get("costTotal")


def statuses(run: dict[str, Any]) -> list[str]:
    return [one["actionStatus"] for one in run["orderActionExecutionResults"]]


async def reduction(costs: Tenant, identity: str = "O1") -> dict[str, Any]:
    rows = (await costs.native("GET", f"inventory-transactions?orderId={identity}")).json()["result"]
    (found,) = [one for one in rows if one["inventoryChange"]]
    return dict(found)


async def rate(costs: Tenant, source: str, target: str, value: Any) -> None:
    body = [
        {"fromCurrency": source, "toCurrency": target, "rate": value, "validFrom": "2020-01-01T00:00:00Z"}
    ]
    assert (await costs.native("PUT", "exchange-rates", body)).status_code == 200


async def test_41_the_same_currency(costs: Tenant) -> None:
    await bulk(costs, item(inventory=10, cost=19))
    run = await ship(costs, 3)
    assert (line(run), run["order"]["lineItemsCost"]) == ((19, 57), 57)
    found = await reduction(costs)
    assert (found["unitCost"], found["unitCostCurrency"], "exchangeRate" in found) == (19, "NOK", False)


async def test_42_another_default_currency(costs: Tenant) -> None:
    await configure(costs, *WAREHOUSES, default_product_cost_currency="EUR")
    await with_workflow(costs)
    await bulk(costs, item(inventory=10, cost=10))
    await rate(costs, "EUR", "NOK", "11.50")
    assert line(await ship(costs, 2)) == (115, 230)
    found = await reduction(costs)
    assert (found["unitCost"], found["unitCostCurrency"], found["exchangeRate"]) == (10, "EUR", 11.5)
    assert found["rateDate"] == "2020-01-01T00:00:00Z"


async def test_44_an_order_in_another_currency(costs: Tenant) -> None:
    await bulk(costs, item(inventory=10, cost=100))
    await rate(costs, "NOK", "SEK", "0.98")
    assert line(await ship(costs, billingCurrency="SEK"))[0] == 98


async def test_45_no_cost_leaves_the_line_alone(costs: Tenant) -> None:
    await bulk(costs, item(inventory=10))
    body = order("O1", 1, billingCurrency="NOK")
    body["orderForm"]["shipments"][0]["lineItems"][0] |= {"cost": 12, "costTotal": 12}
    run = await ship(costs, **body)
    assert (line(run), statuses(run)) == ((12, 12), ["Success"])
    assert (await reduction(costs))["newInventory"] == 9


async def test_46_a_missing_rate_is_repaired_once_it_is_there(costs: Tenant) -> None:
    await bulk(costs, item(inventory=10, cost=10, costCurrency="EUR"))
    run = await ship(costs, 2)
    assert (line(run)[1], statuses(run)) == (None, ["Warning"])
    (wrong,) = [one for one in run["order"]["errors"] if one["key"] == "CurrencyRateMissing"]
    assert wrong["referenceId"] == "L1"
    assert ((await reduction(costs))["unitCost"], (await reduction(costs))["newInventory"]) == (10, 8)
    await rate(costs, "EUR", "NOK", 11)
    again = await enter(costs)
    assert (line(again), statuses(again)) == ((110, 220), ["Warning"])
    assert (await reduction(costs))["newInventory"] == 8


async def test_47_cancelled_units_cost_nothing(costs: Tenant) -> None:
    await bulk(costs, item(inventory=20, cost=19))
    body = order("O1", 10, billingCurrency="NOK")
    body["orderForm"]["shipments"][0]["lineItems"][0]["canceledQuantity"] = 2
    assert line(await ship(costs, **body)) == (19, 152)


async def test_50_a_later_cost_does_not_change_what_was_shipped(costs: Tenant) -> None:
    await bulk(costs, item(inventory=10, cost=19))
    assert line(await ship(costs, 2)) == (19, 38)
    await bulk(costs, item(inventory=8, cost=25))
    run = await enter(costs)
    assert (line(run), statuses(run)) == ((19, 38), ["Warning"])


async def test_fifo_values_what_is_shipped_by_its_batches(running: Running) -> None:
    costs = await running.environment("batches")
    await configure(costs, *WAREHOUSES, value_provider="FifoInventoryValueProvider")
    await with_workflow(costs)
    batches = [{"quantity": 2, "costPrice": 10}, {"quantity": 8, "costPrice": 13}]
    await bulk(costs, item(inventory=10, batches=batches), query="mode=add")
    assert line(await ship(costs, 3)) == (11, 33)
    (found,) = (await costs.native("GET", "inventory-items/A")).json()["result"]
    assert [(one["quantity"], one["costPrice"]) for one in found["batches"]] == [(7, 13)]
    assert line(await ship(costs, 9, "O2")) == (13, 117)
    assert (await reduction(costs, "O2"))["newInventory"] == -2
