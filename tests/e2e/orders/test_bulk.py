"""Many orders in one call."""

from __future__ import annotations

import pytest

from tests.e2e.orders.order_calls import Desk, line, order, shipment

PLAIN = {"orderType": "Plain"}


async def bulk(desk: Desk, query: str, *orders: dict) -> list[tuple[str, int, str]]:
    answer = await desk.ok("POST", f"orders/bulk?{query}", list(orders))
    return [(one["orderId"], one["status"], one.get("code", "")) for one in answer["results"]]


async def test_add_never_overwrites_and_runs_workflows(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 1)))
    results = await bulk(
        desk, "mode=add",
        order("O1", shipment("S1", line("L1", 9))),
        order("O2", shipment("S1", line("L1", 2))),
        order("O2", shipment("S1", line("L1", 3))),
        order("O3", orderType="Nope"),
        {"id": "O4"},
        order("O5"),
    )  # fmt: skip
    assert results == [
        ("O1", 409, "DuplicateId"),
        ("O2", 201, ""),
        ("O2", 409, "DuplicateId"),
        ("O3", 400, "UnknownOrderType"),
        ("", 400, "ValidationFailed"),
        ("O5", 201, ""),
    ]
    assert await desk.levels() == (10, 3)
    await desk.audit()


async def test_import_overwrites_and_runs_nothing(desk: Desk) -> None:
    flagged = line("L1", 2, reservedInventory=True, reservedInventoryQuantity=2)
    assert await bulk(desk, "mode=import", order("O1", shipment("S1", flagged), status="Old", note="a")) == [
        ("O1", 201, "")
    ]
    first = await desk.ok("GET", "orders/O1")
    assert (first["status"], first["orderForm"]["lineItems"][0]["reservedInventoryQuantity"]) == ("Old", 2)
    assert await bulk(desk, "mode=import", order("O1", shipment("S1", flagged), note="b")) == [
        ("O1", 200, "")
    ]
    second = await desk.ok("GET", "orders/O1")
    assert (second["note"], second["status"]) == ("b", "Old")
    assert await desk.levels() == (10, 0)
    events = await desk.ok("GET", "orders/O1/events")
    assert {one["category"] for one in events["result"]} == {"Imported"}


async def test_upsert_runs_workflows_when_asked(desk: Desk) -> None:
    body = order("O1", shipment("S1", line("L1", 2)))
    assert await bulk(desk, "mode=upsert", body) == [("O1", 201, "")]
    assert await desk.levels() == (10, 0)
    assert await bulk(desk, "mode=upsert&runWorkflow=true", body) == [("O1", 200, "")]
    assert await desk.levels() == (10, 2)


async def test_an_upsert_of_a_stale_version_is_refused_an_import_is_not(desk: Desk) -> None:
    made = await desk.create("O1", **PLAIN)
    await desk.ok("PATCH", "orders/O1", {"note": "x"})
    stale = order("O1", versionId=made["versionId"], **PLAIN)
    assert await bulk(desk, "mode=upsert", stale) == [("O1", 412, "VersionConflict")]
    assert await bulk(desk, "mode=import", stale) == [("O1", 200, "")]


async def test_goods_leave_once_however_often_an_order_is_imported(desk: Desk) -> None:
    body = order("O1", shipment("S1", line("L1", 2), status="Released"), status="Ship")
    for _ in range(2):
        await bulk(desk, "mode=upsert&runWorkflow=true", body)
    assert await desk.levels() == (8, 0)
    await desk.ok("DELETE", "orders/O1?permanently=true")
    await bulk(desk, "mode=upsert&runWorkflow=true", body)
    assert await desk.levels() == (8, 0)
    await desk.audit()


@pytest.mark.parametrize(
    "query", ["", "mode=replace", "mode=import&runWorkflow=true", "mode=add&runWorkflow=x"]
)
async def test_a_bulk_says_what_it_does(desk: Desk, query) -> None:
    await desk.refused(400, "ValidationFailed", "POST", f"orders/bulk?{query}", [])


async def test_a_bulk_is_a_bounded_list(desk: Desk) -> None:
    assert await bulk(desk, "mode=add") == []
    await desk.refused(400, "ValidationFailed", "POST", "orders/bulk?mode=add", {})
    await desk.refused(400, "ValidationFailed", "POST", "orders/bulk?mode=add", [{}] * 513)
