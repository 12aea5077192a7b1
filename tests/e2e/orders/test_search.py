"""Finding orders and events over HTTP."""

from __future__ import annotations

import pytest

from tests.e2e.orders.order_calls import Desk, line, shipment

PLAIN = {"orderType": "Plain"}


@pytest.fixture
async def three(desk: Desk) -> Desk:
    await desk.create("O1", shipment("S1", line("L1", 1, "A")), customerId="C1", tags=["Gift"], **PLAIN)
    await desk.create("O2", shipment("S1", line("L1", 1, "B"), warehouse="WH2"), storeId="ST2", **PLAIN)
    await desk.create("O3", shipment("S1", line("L1", 1, "B")), orderNumber="77", customerId="C1", **PLAIN)
    await desk.ok("POST", "orders/O3/status", {"status": "Packed"})
    return desk


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "O3 O2 O1"),
        ("?oldestFirst=true", "O1 O2 O3"),
        ("?status=packed", "O3"),
        ("?status=New,Packed&storeId=st1", "O3 O1"),
        ("?status=New&status=Packed", "O3 O2 O1"),
        ("?orderType=PLAIN&customerId=c1", "O3 O1"),
        ("?sku=B&warehouseCode=wh2", "O2"),
        ("?tag=gift", "O1"),
        ("?tag=gift,red", ""),
        ("?orderNumber=77", "O3"),
        ("?open=false", ""),
        ("?orderId=O2,O9,O1", "O2 O1"),
        ("?from=2000-01-01T00:00:00Z&to=2001-01-01T00:00:00Z", ""),
        ("?from=2000-01-01T00:00:00Z", "O3 O2 O1"),
    ],
)
async def test_orders_are_found_by_query_string(three: Desk, query, found) -> None:
    page = await three.ok("GET", f"orders{query}")
    assert [one["id"] for one in page["result"]] == found.split()
    assert page["totalHits"] == len(found.split())
    assert page.get("nextCursor") is None


async def test_orders_are_found_by_body_in_pages(three: Desk) -> None:
    seen = []
    body = {"storeIds": ["ST1", "ST2"], "limit": 2}
    while True:
        page = await three.ok("POST", "orders/search", body)
        seen += [one["id"] for one in page["result"]]
        assert page["totalHits"] == 3
        if not page.get("nextCursor"):
            break
        body = body | {"cursor": page["nextCursor"]}
    assert seen == ["O3", "O2", "O1"]


async def test_deleted_orders_are_found_when_asked_for(three: Desk) -> None:
    await three.ok("DELETE", "orders/O1")
    await three.ok("DELETE", "orders/O2?permanently=true")
    for query, found in (("", ["O3"]), ("?includeDeleted=true", ["O3", "O1"]), ("?status=Deleted", ["O1"])):
        page = await three.ok("GET", f"orders{query}")
        assert [one["id"] for one in page["result"]] == found


@pytest.mark.parametrize(
    "query",
    ["?state=New", "?limit=0", "?limit=1001", "?limit=x", "?open=maybe", "?cursor=xyz", "?from=today"],
)
async def test_a_search_that_does_not_fit_is_refused(three: Desk, query) -> None:
    await three.refused(400, "ValidationFailed", "GET", f"orders{query}")


async def test_events_tell_what_happened(three: Desk) -> None:
    page = await three.ok("GET", "orders/O3/events")
    assert {one["objectId"] for one in page["result"]} == {"O3"}
    assert page["result"][-1]["category"] == "Created"
    assert {one["user"] for one in page["result"]} == {"client of shop"}
    times = [one["timestamp"] for one in page["result"]]
    assert times == sorted(times, reverse=True)
    entered = await three.ok("GET", "orders/O3/events?status=packed&category=Workflow")
    assert {one["status"] for one in entered["result"]} == {"Packed"}
    await three.refused(404, "NotFound", "GET", "orders/O9/events")
    await three.refused(400, "ValidationFailed", "GET", "orders/O3/events?kind=Workflow")


async def test_events_are_searched_over_all_orders(three: Desk) -> None:
    page = await three.ok("POST", "events/search", {"categories": ["Created"], "limit": 2})
    assert [one["objectId"] for one in page["result"]] == ["O3", "O2"]
    assert page["totalHits"] == 3
    rest = await three.ok(
        "POST", "events/search", {"categories": ["Created"], "limit": 2, "cursor": page["nextCursor"]}
    )
    assert [one["objectId"] for one in rest["result"]] == ["O1"]
    one = await three.ok("POST", "events/search", {"orderId": "O2", "categories": ["created"]})
    assert one["totalHits"] == 1
    await three.refused(400, "ValidationFailed", "POST", "events/search", {"kinds": ["Created"]})
