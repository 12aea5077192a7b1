"""Returns over HTTP."""

from __future__ import annotations

from onhand.core.orders import presets
from tests.e2e.orders.order_calls import Desk, line, shipment

PLAIN = {"orderType": "Plain"}
RETURN = {
    "returns": [{"lineItemId": "L1", "returnQuantity": 1, "returnReason": "small"}],
    "comment": "too small",
}


async def test_a_return_is_registered(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 2)), **PLAIN)
    answer = await desk.send("POST", "orders/O1/returns", RETURN)
    assert answer.status_code == 201
    (form,) = answer.json()["order"]["returnOrderForms"]
    assert (form["returnId"], form["storeId"], form["returnComment"]) == ("R1", "ST1", "too small")
    assert form["lineItems"][0]["returnQuantity"] == 1
    assert answer.json()["order"]["orderForm"]["lineItems"][0]["returnQuantity"] == 1
    second = {"returns": [{"lineItemId": "L1", "returnQuantity": 2}]}
    assert "At most 1" in await desk.refused(400, "ValidationFailed", "POST", "orders/O1/returns", second)
    await desk.refused(404, "NotFound", "POST", "orders/O9/returns", RETURN)
    await desk.refused(400, "ValidationFailed", "POST", "orders/O1/returns", {"returns": []})
    await desk.refused(409, "DuplicateId", "POST", "orders/O1/returns", {**RETURN, "returnId": "R1"})


async def test_a_return_is_changed_and_found(desk: Desk) -> None:
    for order_id, store in (("O1", "ST1"), ("O2", "ST2"), ("O3", "ST3")):
        await desk.create(order_id, shipment("S1", line("L1", 2)), **PLAIN)
        if order_id != "O3":
            await desk.ok("POST", f"orders/{order_id}/returns", {**RETURN, "storeId": store})
    done = await desk.ok("PATCH", "orders/O1/returns/R1", {"rmaNumber": "RMA-1"})
    assert done["returnOrderForms"][0]["rmaNumber"] == "RMA-1"
    await desk.refused(404, "NotFound", "PATCH", "orders/O1/returns/R9", {})
    found = await desk.ok("POST", "returns/search", {})
    assert [(one["orderId"], one["returnOrderForm"]["returnId"]) for one in found["result"]] == [
        ("O2", "R1"),
        ("O1", "R1"),
    ]
    assert found["totalHits"] == 2
    one = await desk.ok("POST", "returns/search", {"storeIds": ["st2"], "statuses": ["Completed"]})
    assert [row["orderId"] for row in one["result"]] == ["O2"]
    await desk.refused(400, "ValidationFailed", "POST", "returns/search", {"store": "ST2"})


async def test_replacements_are_not_built(desk: Desk) -> None:
    await desk.refused(501, "not-implemented", "POST", "orders/O1/replacement", {})


async def test_a_return_of_an_unknown_status_is_refused(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 2)), **PLAIN)
    await desk.ok("POST", "orders/O1/returns", RETURN)
    await desk.refused(404, "NotFound", "POST", "orders/O1/returns/R9/status", {"status": "Completed"})
    await desk.refused(400, "UnknownStatus", "POST", "orders/O1/returns/R1/status", {"status": "Nope"})
    await desk.refused(400, "ValidationFailed", "POST", "orders/O1/returns/R1/status", {})


async def test_the_return_workflow_restocks_and_tells_the_order(desk: Desk) -> None:
    made = presets.preset("return")
    assert made is not None
    shown = presets.show(made)
    await desk.ok("PUT", "order-types/OnlineWithReturns", shown["orderType"])
    await desk.ok("PUT", "order-settings", {"returnSettings": shown["returnSettings"]})
    await desk.create("O1", shipment("S1", line("L1", 2)), orderType="OnlineWithReturns", storeId="WH1")
    await desk.ok("POST", "orders/O1/status", {"status": "Ship"})
    assert await desk.levels() == (8, 0)
    unknown = {**RETURN, "status": "Ship"}
    detail = await desk.refused(400, "UnknownStatus", "POST", "orders/O1/returns", unknown)
    assert "It has: Completed." in detail
    done = await desk.ok("POST", "orders/O1/returns", {**RETURN, "status": "completed"})
    assert done["order"]["status"] == "PartiallyReturned"
    assert await desk.levels() == (9, 0)
    again = await desk.ok("POST", "orders/O1/returns/R1/status", {"status": "Completed"})
    assert [one["status"] for one in again["order"]["returnOrderForms"]] == ["Completed"]
    assert await desk.levels() == (9, 0)
    await desk.ok("POST", "orders/O1/returns", {**RETURN, "status": "Completed"})
    assert (await desk.ok("GET", "orders/O1"))["status"] == "Returned"
    assert await desk.levels() == (10, 0)
    await desk.audit()
