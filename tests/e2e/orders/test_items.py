"""Inventory items over HTTP: their quantities are the stock records, whoever changes them."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from tests.e2e.orders.conftest import WAREHOUSES, configure
from tests.serving import Running, Tenant

WH1 = {"siteId": "1", "locationId": "WH1"}


def item(sku: str = "A", warehouse: str = "WH1", **more: Any) -> dict[str, Any]:
    return {"sku": sku, "warehouseCode": warehouse, **more}


async def bulk(
    store: Tenant, *items: dict[str, Any], query: str = "", status: int = 200
) -> list[dict[str, Any]]:
    answer = await store.native("POST", f"inventory-items/bulk?{query}", list(items))
    assert answer.status_code == status, answer.text
    found: list[dict[str, Any]] = answer.json().get("result", answer.json())
    return found


async def levels(store: Tenant, sku: str = "A") -> dict[str, tuple[Any, Any]]:
    answer = await store.native("GET", f"inventory-items/{sku}")
    assert answer.status_code == 200, answer.text
    return {
        one["warehouseCode"]: (one["inventory"], one["reservedInventory"])
        for one in answer.json()["result"]
        if one["inventory"] or one["reservedInventory"] or "atp" not in one  # only expected so far
    }


async def reserve(store: Tenant, quantity: int, sku: str = "A", **more: Any) -> str:
    body = {"organizationId": "org", "productId": sku, "dimensions": WH1, "quantity": quantity, **more}
    answer = await store.native("POST", "reservations", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["holdId"])


async def post(store: Tenant, quantity: Any, sku: str = "A", **dimensions: str) -> None:
    body = {
        "organizationId": "org",
        "productId": sku,
        "dimensions": WH1 | dimensions,
        "quantities": {"iv": {"onhand": quantity}},
    }
    answer = await store.native("POST", "on-hand", body)
    assert answer.status_code == 200, answer.text


async def test_one_item_is_added_changed_and_read(store: Tenant) -> None:
    body = item(inventory=10, cost="19.5", costCurrency="nok", location="A-1", minQuantity=2)
    made = await store.native("POST", "inventory-items", body)
    assert made.status_code == 201, made.text
    assert made.json()["costTotal"] == 195
    assert (made.json()["warehouseName"], made.json()["costCurrency"]) == ("First", "NOK")
    again = await store.native("POST", "inventory-items", body)
    assert (again.status_code, again.json()["code"]) == (409, "DuplicateId")
    changed = await store.native(
        "PUT", "inventory-items/a/wh1", {"inventory": 7.5, "COST": 0, "location": ""}
    )
    assert changed.status_code == 200, changed.text
    found = changed.json()
    assert (found["sku"], found["inventory"], found["cost"], found["location"], found["minQuantity"]) == (
        "A", 7.5, 19.5, "A-1", 2,
    )  # fmt: skip


async def test_the_quantities_are_the_stock_records(store: Tenant) -> None:
    await post(store, 10)
    await post(store, 3, colorId="red", batchId="L1")
    await reserve(store, 4)
    assert await levels(store) == {"WH1": (13, 4)}
    await bulk(store, item(inventory=20, reservedInventory=0))
    assert await levels(store) == {"WH1": (20, 4)}
    query = "organizationId=org&productId=A&siteId=1&locationId=WH1"
    found = (await store.native("GET", f"availability?{query}")).json()
    assert found["quantities"]["iv"] == {"availabletoreserve": 16, "onhand": 20, "softreserved": 4}


async def test_a_bulk_update_leaves_what_does_not_change_alone(store: Tenant) -> None:
    first = await bulk(store, item(inventory=10, cost=5), item("B", "WH2", inventory=1))
    assert [(one["status"], "transactionId" in one) for one in first] == [("Added", True)] * 2
    second = await bulk(store, item(inventory=10, cost=5), item("B", "WH2", inventory=2))
    assert [(one["sku"], one["status"]) for one in second] == [("A", "Unchanged"), ("B", "Updated")]
    label = await bulk(store, item(inventory=10, location="X"))
    assert (label[0]["status"], "transactionId" in label[0]) == ("Updated", False)
    imported = await bulk(store, item(inventory=10, cost=5), query="mode=add")
    assert (imported[0]["status"], "transactionId" in imported[0]) == ("Updated", True)


async def test_reserved_is_kept_unless_it_is_overwritten(store: Tenant) -> None:
    await bulk(store, item(inventory=10))
    hold = await reserve(store, 4)
    await bulk(store, item(inventory=8, reservedInventory=1))
    assert await levels(store) == {"WH1": (8, 4)}
    await bulk(store, item(inventory=8, reservedInventory=1), query="isReservedInventoryOverwritten=true")
    assert await levels(store) == {"WH1": (8, 1)}
    started = await store.native("POST", "inventory-items/recalculate-reserved")
    assert started.status_code == 202, started.text
    await _finished(store, started.headers["location"])
    assert await levels(store) == {"WH1": (8, 4)}
    await store.native("DELETE", f"reservations/{hold}")
    assert await levels(store) == {"WH1": (8, 0)}


async def _finished(store: Tenant, location: str) -> None:
    for _ in range(200):
        job = (await store.running.http.get(location, headers=store.headers)).json()
        if job["status"] not in ("Queued", "Running"):
            assert job["status"] == "Succeeded", job
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the job does not end")


async def test_deltas_add_up_and_count_once(store: Tenant) -> None:
    delta = {"skuId": "A", "warehouseCode": "WH1", "inventoryChange": 5, "reason": "found"}
    both = [delta, {**delta, "inventoryChange": "-1.5", "adjustReservedInventory": True, "orderId": "O7"}]
    answer = await store.native("POST", "inventory-items/deltas", both, Idempotency_Key="k1")
    assert [one["status"] for one in answer.json()["result"]] == ["Added", "Updated"]
    await store.native("POST", "inventory-items/deltas", both, Idempotency_Key="k1")
    assert await levels(store) == {"WH1": (3.5, 0)}
    up = [{**delta, "inventoryChange": 2, "adjustReservedInventory": True}]
    await store.native("POST", "inventory-items/deltas", up)
    assert await levels(store) == {"WH1": (5.5, 2)}
    found = (await store.native("GET", "inventory-transactions?orderId=O7")).json()["result"]
    assert [(one["inventoryChange"], one["reason"]) for one in found] == [(-1.5, "found")]


async def test_an_item_with_open_reservations_is_not_deleted(store: Tenant) -> None:
    await bulk(store, item(inventory=10, cost=3), item("A", "WH2", inventory=1))
    hold = await reserve(store, 4)
    refused = await store.native("DELETE", "inventory-items/A?warehouseCodes=WH1,WH2")
    assert (refused.status_code, refused.json()["code"]) == (409, "ItemReserved")
    assert await levels(store) == {"WH1": (10, 4), "WH2": (1, 0)}
    await store.native("DELETE", f"reservations/{hold}")
    done = await store.native("DELETE", "inventory-items/A?warehouseCodes=WH1")
    assert [one["status"] for one in done.json()["result"]] == ["Deleted"]
    assert await levels(store) == {"WH2": (1, 0)}
    body = {"skus": ["A", "nothing"], "warehouseCodes": ["WH2"]}
    assert (await store.native("POST", "inventory-items/delete", body)).json()["totalHits"] == 1
    assert await levels(store) == {}
    assert (await store.native("DELETE", "inventory-items/A")).status_code == 400


async def test_search(store: Tenant) -> None:
    await bulk(
        store,
        item(inventory=10),
        item("B", inventory=0),
        item("A", "WH2", inventory=3),
        item("C", "WH2", inventory=1),
    )

    async def find(**filters: Any) -> list[tuple[str, str]]:
        found, cursor = [], None
        while True:
            answer = await store.native(
                "POST", "inventory-items/search", {"limit": 1, "cursor": cursor, **filters}
            )
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += [(one["sku"], one["warehouseCode"]) for one in page["result"]]
            cursor = page["nextCursor"]
            if cursor is None:
                assert page["totalHits"] == len(found)
                return sorted(found)

    everything = [("A", "WH1"), ("A", "WH2"), ("B", "WH1"), ("C", "WH2")]
    assert await find(warehouseCodes=["wh1", "WH2"]) == everything
    assert await find(productCodes=["a"]) == [("A", "WH1"), ("A", "WH2")]
    assert await find(isInStock=True) == [("A", "WH1"), ("A", "WH2"), ("C", "WH2")]
    assert await find(isWebWarehouse=True) == [("A", "WH2"), ("C", "WH2")]
    assert await find(marketId="nor", productCodes=["C"]) == [("C", "WH2")]
    assert await find(marketId="SWE") == []
    assert await find(lastModified="2020-01-01T00:00:00Z") == everything
    assert await find(lastModified="2999-01-01T00:00:00Z") == []
    none = await store.native("POST", "inventory-items/search", {})
    assert (none.status_code, none.json()["code"]) == (400, "ValidationFailed")


async def test_bad_items_refuse_the_whole_call(store: Tenant) -> None:
    good = item(inventory=1)
    for wrong in (
        item("A", "NOWHERE", inventory=1),
        item(inventory="x"),
        item("B", cost=-1),
        item("", inventory=1),
        good,
        item("B", costCurrency="crowns"),
    ):
        answer = await store.native("POST", "inventory-items/bulk", [good, wrong])
        assert (answer.status_code, answer.json()["code"]) == (400, "ValidationFailed"), answer.text
    assert await levels(store) == {}
    many = [item(f"S{n}", inventory=1) for n in range(1_001)]
    assert (await store.native("POST", "inventory-items/bulk", many)).status_code == 400
    assert (await store.native("POST", "inventory-items/bulk?mode=maybe", [good])).status_code == 400


async def test_fifo_batches_follow_the_stock(running: Running) -> None:
    store = await running.environment("fifo")
    await configure(store, *WAREHOUSES, value_provider="FifoInventoryValueProvider")
    await bulk(store, item(inventory=10, cost=4), query="mode=add")
    delta = {"skuId": "A", "warehouseCode": "WH1"}
    await store.native("POST", "inventory-items/deltas", [{**delta, "inventoryChange": -3}])
    (found,) = (await store.native("GET", "inventory-items/A")).json()["result"]
    assert [(one["quantity"], one["costPrice"], one["costValue"]) for one in found["batches"]] == [(7, 4, 28)]
    assert (found["costTotal"], found["cost"]) == (28, 4)
    (last, _) = (await store.native("GET", "inventory-transactions?skuId=A")).json()["result"]
    assert (last["unitCost"], last["inventoryChangeValue"], last["totalInventoryValue"]) == (4, -12, 28)


async def test_counts_at_the_same_time_lose_nothing(store: Tenant) -> None:
    await bulk(store, item(inventory=100))
    delta = {"skuId": "A", "warehouseCode": "WH1", "inventoryChange": -1}
    calls = [store.native("POST", "inventory-items/deltas", [delta, delta]) for _ in range(10)]
    holds = [reserve(store, 1) for _ in range(10)]
    updates = [bulk(store, item(cost=n + 1)) for n in range(5)]
    await asyncio.gather(*calls, *holds, *updates)
    assert await levels(store) == {"WH1": (80, 10)}


async def total(store: Tenant, sku: str = "A") -> tuple[Decimal, Decimal]:
    """Sum of the changes of all transactions of a SKU."""
    answer = await store.native("GET", f"inventory-transactions?skuId={sku}&limit=1000")
    rows = answer.json()["result"]
    assert len({one["id"] for one in rows}) == len(rows) == answer.json()["totalHits"]
    inventory = sum((Decimal(str(one["inventoryChange"])) for one in rows), Decimal(0))
    reserved = sum((Decimal(str(one["reservedInventoryChange"])) for one in rows), Decimal(0))
    return inventory, reserved


async def test_levels_are_the_sum_of_the_transactions(store: Tenant) -> None:
    await bulk(store, item(inventory=10))
    await post(store, 5)
    await post(store, 2, colorId="red")
    hold = await reserve(store, 4)
    await bulk(store, item(inventory=9, reservedInventory=6), query="isReservedInventoryOverwritten=true")
    await store.native("DELETE", f"reservations/{hold}")
    delta = {"skuId": "A", "warehouseCode": "WH1", "inventoryChange": -3, "adjustReservedInventory": True}
    await store.native("POST", "inventory-items/deltas", [delta, {**delta, "inventoryChange": 1}])
    await reserve(store, 1, check=False)
    expected = (await levels(store))["WH1"]
    assert await total(store) == tuple(Decimal(str(one)) for one in expected)


async def test_a_virtual_location_is_a_part_of_its_warehouse(running: Running) -> None:
    store = await running.environment("virtual")
    await configure(store, *WAREHOUSES, use_virtual_stock_locations=True)
    web = {"isVirtual": True, "physicalWarehouseCode": "WH1"}
    await bulk(store, item(inventory=10))
    await bulk(store, item("A", "WEB", inventory=4, reservedInventory=9, **web))
    assert await levels(store) == {"WH1": (14, 0), "web": (4, 0)}
    await bulk(store, item("A", "WEB", inventory=1, **web), query="mode=add")
    delta = {"skuId": "A", "warehouseCode": "WH1", "virtualWarehouseCode": "WEB", "inventoryChange": 2}
    await store.native("POST", "inventory-items/deltas", [delta])
    assert await levels(store) == {"WH1": (13, 0), "web": (3, 0)}
    for code, level in (("WH1", 13), ("WEB", 3)):
        rows = (await store.native("GET", f"inventory-transactions?searchText={code}")).json()["result"]
        assert sum(one["inventoryChange"] for one in rows) == level, rows
