"""Inventory transactions over HTTP: two sources, one list, no change twice."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.e2e.orders.test_items import bulk, item, post, reserve
from tests.serving import Tenant


@pytest.fixture
async def history(store: Tenant) -> Tenant:
    """Changes of A and B from everywhere, in this order."""
    await bulk(store, item(inventory=10))
    await post(store, 5)
    await reserve(store, 4)
    delta = {
        "skuId": "A",
        "warehouseCode": "WH1",
        "inventoryChange": -2,
        "orderId": "O1",
        "reason": "=broken",
    }
    await store.native("POST", "inventory-items/deltas", [delta])
    await post(store, 1, "B")
    await bulk(store, item("A", "WH2", inventory=7))
    return store


async def found(store: Tenant, query: str) -> list[dict[str, Any]]:
    answer = await store.native("GET", f"inventory-transactions?{query}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    rows: list[dict[str, Any]] = page["result"]
    assert page["totalHits"] >= len(rows)
    return rows


OF_A = [
    ("AbsoluteUpdate", "WH2", 7, 7, 0, 0),
    ("Adjustment", "WH1", -2, 13, 0, 4),
    ("Reserve", "WH1", 0, 15, 4, 4),
    ("Adjustment", "WH1", 5, 15, 0, 0),
    ("AbsoluteUpdate", "WH1", 10, 10, 0, 0),
]


def short(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            one["transactionType"],
            one["warehouseCode"],
            one["inventoryChange"],
            one["newInventory"],
            one["reservedInventoryChange"],
            one["newReservedInventory"],
        )
        for one in rows
    ]


async def test_whoever_changed_it(history: Tenant) -> None:
    assert short(await found(history, "skuId=a")) == OF_A
    assert short(await found(history, "skuId=A&warehouseCodes=WH2")) == OF_A[:1]
    everything = await found(history, "from=2020-01-01T00:00:00Z")
    assert len(everything) == 6
    assert short([one for one in everything if one["variant"] == "A"]) == OF_A
    (ours,) = {one["userId"] for one in everything}
    assert ours == "client of store"


@pytest.mark.parametrize("query", ["skuId=A", "from=2020-01-01T00:00:00Z&warehouseCodes=WH1,WH2"])
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_have_every_change_once(history: Tenant, query: str, limit: int) -> None:
    whole = await found(history, query)
    rows, cursor = [], ""
    for _ in range(20):
        answer = await history.native("GET", f"inventory-transactions?{query}&limit={limit}&cursor={cursor}")
        page = answer.json()
        assert len(page["result"]) <= limit
        assert page["totalHits"] == len(whole)
        rows += page["result"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert rows == whole


async def test_filters(history: Tenant) -> None:
    (of_order,) = await found(history, "orderId=O1")
    assert (of_order["reason"], of_order["orderId"]) == ("=broken", "O1")
    assert await found(history, "purchaseOrderId=P1") == []
    assert short(await found(history, "searchText=O1")) == OF_A[1:2]
    assert len(await found(history, "searchText=a")) == 3  # what the API did is not searched by text
    assert await found(history, "skuId=A&userId=somebody") == []
    assert len(await found(history, "skuId=A&userId=CLIENT%20OF%20STORE")) == 5
    assert await found(history, "skuId=A&to=2020-01-01T00:00:00Z") == []
    assert await found(history, "skuId=A&from=2999-01-01T00:00:00Z") == []
    assert await found(history, "skuId=never") == []
    answer = await history.native("POST", "inventory-transactions/search", {"SkuId": "A", "take": 2})
    assert short(answer.json()["result"]) == OF_A[:2]


async def test_a_search_without_bounds_is_refused(history: Tenant) -> None:
    for query in (
        "",
        "warehouseCodes=WH1",
        "skuId=A&cursor=nonsense",
        "nonsense=1",
        "skuId=A&limit=0",
        "from=x",
    ):
        answer = await history.native("GET", f"inventory-transactions?{query}")
        assert answer.status_code == 400, (query, answer.text)


async def test_export(history: Tenant) -> None:
    answer = await history.native("GET", "inventory-transactions?skuId=A&format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["inventoryChange"] for row in rows] == ["7", "-2", "0", "5", "10"]
    assert rows[1]["transactionDate"].endswith("Z")
    part = await history.native("GET", "inventory-transactions?skuId=A&limit=2", Accept="text/csv")
    assert len(list(csv.DictReader(io.StringIO(part.text)))) == 2
    rest = await history.native(
        "GET", f"inventory-transactions?skuId=A&format=csv&cursor={part.headers['x-next-cursor']}"
    )
    assert len(list(csv.DictReader(io.StringIO(rest.text)))) == 3
    assert "x-next-cursor" not in rest.headers
