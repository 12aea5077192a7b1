"""Lines of orders over HTTP: add, change, cancel, deliver in parts, take reductions back."""

from __future__ import annotations

import pytest

from tests.e2e.orders.order_calls import Desk, line, shipment

PLAIN = {"orderType": "Plain"}


def quantities(order: dict) -> dict[str, dict[str, float]]:
    return {
        one["shipmentId"]: {part["lineItemId"]: part["quantity"] for part in one["lineItems"]}
        for one in order["orderForm"]["shipments"]
    }


def reserved(order: dict) -> dict[str, float]:
    return {
        one["shipmentId"]: sum(part["reservedInventoryQuantity"] for part in one["lineItems"])
        for one in order["orderForm"]["shipments"]
    }


async def test_lines_are_added_to_a_shipment(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line()), **PLAIN)
    one = await desk.ok("POST", "orders/O1/order-lines", line("L2", 3))
    assert quantities(one) == {"S1": {"L1": 2, "L2": 3}}
    two = await desk.ok(
        "POST", "orders/O1/order-lines?shipmentId=S1", [line("L3", 1)], If_Match=f'"{one["versionId"]}"'
    )
    assert quantities(two) == {"S1": {"L1": 2, "L2": 3, "L3": 1}}
    await desk.refused(400, "ValidationFailed", "POST", "orders/O1/order-lines", line("L3", 1))
    await desk.refused(400, "ValidationFailed", "POST", "orders/O1/order-lines?shipmentId=S9", line("L4"))
    await desk.refused(404, "NotFound", "POST", "orders/O9/order-lines", line("L4"))
    await desk.refused(412, "VersionConflict", "POST", "orders/O1/order-lines", line("L4"), If_Match='"1"')
    assert (await desk.ok("GET", "orders/O1"))["versionId"] == two["versionId"]


async def test_patched_lines(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line()), **PLAIN)
    done = await desk.ok(
        "PATCH", "orders/O1/order-lines",
        [{"lineItemId": "L1", "cost": "12.5", "isAwaitingPurchaseOrder": True, "reservedInventoryQuantity": 2}],
    )  # fmt: skip
    part = done["orderForm"]["lineItems"][0]
    assert (part["cost"], part["isAwaitingPurchaseOrder"], part["reservedInventoryQuantity"]) == (
        12.5,
        True,
        2,
    )
    await desk.refused(
        400, "ValidationFailed", "PATCH", "orders/O1/order-lines", [{"lineItemId": "L9", "cost": 1}]
    )


async def test_what_the_ledger_says_is_not_patched(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 2)))
    patch = [{"lineItemId": "L1", "reservedInventoryQuantity": 9, "reservedInventory": False, "holdId": "x"}]
    part = (await desk.ok("PATCH", "orders/O1/order-lines", patch))["orderForm"]["lineItems"][0]
    assert (part["reservedInventory"], part["reservedInventoryQuantity"]) == (True, 2)
    assert part["holdId"] != "x"
    await desk.refused(
        400, "ValidationFailed", "PATCH", "orders/O1/order-lines", [{"lineItemId": "L1", "code": "B"}]
    )
    assert await desk.levels() == (10, 2)


async def test_a_cancelled_line_keeps_its_reservation_until_the_workflow_gives_it_back(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 2), line("L2", 3)))
    done = await desk.ok("POST", "orders/O1/order-lines/L1/cancel?sendNotifications=false")
    parts = {part["lineItemId"]: part["canceledQuantity"] for part in done["orderForm"]["lineItems"]}
    assert parts == {"L1": 2, "L2": 0}
    assert await desk.levels() == (10, 5)
    again = await desk.ok("POST", "orders/O1/order-lines/L1/cancel")
    assert again["versionId"] == done["versionId"]
    events = await desk.ok("GET", "orders/O1/events?operationId=310106")
    assert [one["category"] for one in events["result"]] == ["Canceled"]
    await desk.refused(400, "ValidationFailed", "POST", "orders/O1/order-lines/L9/cancel")
    await desk.ok("POST", "orders/O1/status", {"status": "OrderCanceled"})
    assert await desk.levels() == (10, 0)
    await desk.audit()


async def test_lines_of_many_orders_are_cancelled_each_by_itself(desk: Desk) -> None:
    for order_id in ("O1", "O2"):
        await desk.create(order_id, shipment("S1", line()), **PLAIN)
    body = [{"orderId": one, "lineItemIds": [two]} for one, two in (("O1", "L1"), ("O9", "L1"), ("O2", "L9"))]
    results = (await desk.ok("POST", "orders/order-lines/cancel", body))["results"]
    assert [(one["orderId"], one["status"]) for one in results] == [("O1", 200), ("O9", 404), ("O2", 400)]
    assert results[0]["versionId"]
    await desk.refused(400, "ValidationFailed", "POST", "orders/order-lines/cancel", body * 34)
    await desk.refused(400, "ValidationFailed", "POST", "orders/order-lines/cancel", {})


async def test_a_part_is_delivered_and_then_the_rest(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 5)))
    body = {"status": "Ship", "lineItemUpdates": [{"lineItemId": "L1", "deliveredQuantity": 2}]}
    done = await desk.ok("POST", "orders/O1/order-lines/updates", body)
    assert done["order"]["status"] == "PartiallyShipped"
    shipped, rest = done["order"]["orderForm"]["shipments"]
    assert (shipped["shipmentId"], shipped["orderStatus"], rest["status"]) == (
        "S1",
        "Ship",
        "AwaitingInventory",
    )
    assert [sum(part["quantity"] for part in one["lineItems"]) for one in (shipped, rest)] == [2, 3]
    assert await desk.levels() == (8, 3)
    body = {
        "status": "Ship",
        "shipmentInfo": {"shipmentId": rest["shipmentId"]},
        "lineItemUpdates": [{"lineItemId": "L1", "deliveredQuantity": 3}],
    }
    done = await desk.ok("POST", "orders/O1/order-lines/updates", body)
    assert done["order"]["status"] == "Ship"
    assert await desk.levels() == (5, 0)
    await desk.audit()


async def test_a_part_that_is_delivered_twice_with_one_key_leaves_once(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 5)))
    path = "orders/O1/order-lines/updates"
    body = {"status": "Ship", "lineItemUpdates": [{"lineItemId": "L1", "deliveredQuantity": 2}]}
    first = await desk.send("POST", path, body, Idempotency_Key="k1")
    assert (first.status_code, "idempotency-replayed" in first.headers) == (200, False)
    await desk.ok("PATCH", "orders/O1", {"tags": ["changed"]})
    again = await desk.send("POST", path, body, Idempotency_Key="k1", If_Match='"1"')
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert quantities(again.json()["order"]) == quantities(first.json()["order"])
    assert await desk.levels() == (8, 3)
    other = {"status": "Ship", "lineItemUpdates": [{"lineItemId": "L1", "deliveredQuantity": 3}]}
    await desk.refused(422, "PayloadMismatch", "POST", path, other, Idempotency_Key="k1")
    back = {"returns": [{"lineItemId": "L1", "returnQuantity": 1}]}
    await desk.refused(422, "PayloadMismatch", "POST", "orders/O1/returns", back, Idempotency_Key="k1")
    assert await desk.levels() == (8, 3)


async def test_more_than_was_ordered_is_refused_and_changes_nothing(desk: Desk) -> None:
    made = await desk.create("O1", shipment("S1", line("L1", 5)))
    body = {"status": "Ship", "lineItemUpdates": [{"lineItemId": "L1", "deliveredQuantity": 6}]}
    await desk.refused(400, "OverDelivery", "POST", "orders/O1/order-lines/updates", body)
    for updates in (
        [],
        [{"lineItemId": "L9", "deliveredQuantity": 1}],
        [{"lineItemId": "L1", "deliveredQuantity": -1}],
    ):
        body = {"status": "Ship", "lineItemUpdates": updates}
        await desk.refused(400, "ValidationFailed", "POST", "orders/O1/order-lines/updates", body)
    body = {"status": "Nope", "lineItemUpdates": [{"lineItemId": "L1", "deliveredQuantity": 1}]}
    await desk.refused(400, "UnknownStatus", "POST", "orders/O1/order-lines/updates", body)
    assert await desk.ok("GET", "orders/O1") == made
    assert await desk.levels() == (10, 5)


async def test_a_split_takes_its_part_of_the_reservation(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 5)))
    body = {
        "lineItemUpdates": [{"lineItemId": "L1", "splitQuantity": 2}],
        "shipmentInfo": {"shipmentId": "S2"},
    }
    done = await desk.ok("POST", "orders/O1/order-lines/updates", body)
    assert quantities(done["order"]) == {"S1": {"L1": 3}, "S2": {"L1": 2}}
    assert reserved(done["order"]) == {"S1": 3, "S2": 2}
    assert done["order"]["status"] == "New"
    assert await desk.levels() == (10, 5)
    holds = await desk.ok("GET", "reservations?limit=10")
    assert sorted(one["remaining"] for one in holds["items"]) == [2, 3]
    await desk.audit()


async def test_a_reduction_is_taken_back_once(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3), line("L2", 1)))
    body = {"shipmentId": "S1", "lineItemIds": ["L1"]}
    await desk.refused(400, "ValidationFailed", "POST", "orders/O1/reverse-reduction", body)
    await desk.ok("POST", "orders/O1/status", {"status": "Ship"})
    assert await desk.levels() == (6, 0)
    done = await desk.ok("POST", "orders/O1/reverse-reduction", body)
    assert await desk.levels() == (9, 0)
    again = await desk.ok("POST", "orders/O1/reverse-reduction", body)
    assert again["versionId"] == done["versionId"]
    assert await desk.levels() == (9, 0)
    await desk.refused(404, "NotFound", "POST", "orders/O9/reverse-reduction", body)
    await desk.audit()


@pytest.mark.parametrize(
    "body", [{}, {"shipmentId": "S1"}, {"shipmentId": "S1", "lineItemIds": ["L1"], "x": 1}]
)
async def test_a_reversal_says_what_it_means(desk: Desk, body) -> None:
    await desk.refused(400, "ValidationFailed", "POST", "orders/O1/reverse-reduction", body)
