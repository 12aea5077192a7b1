"""Shipments over HTTP: what is reserved follows the goods (D26)."""

from __future__ import annotations

from tests.e2e.orders.order_calls import Desk, line, order, shipment

PLAIN = {"orderType": "Plain"}


def places(order: dict) -> dict[str, list[str]]:
    found = {
        one["shipmentId"]: [part["lineItemId"] for part in one["lineItems"]]
        for one in order["orderForm"]["shipments"]
    }
    there = {part for parts in found.values() for part in parts}
    loose = [
        part["lineItemId"] for part in order["orderForm"]["lineItems"] if part["lineItemId"] not in there
    ]
    return found | ({"-": loose} if loose else {})


async def test_another_warehouse_takes_the_reservation_along(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3)))
    done = await desk.ok("PATCH", "orders/O1/shipments", {"shipmentId": "S1", "warehouseCode": "WH2"})
    assert done["orderForm"]["shipments"][0]["warehouseCode"] == "WH2"
    assert await desk.levels() == (10, 0)
    assert await desk.levels(location="WH2") == (0, 3)
    back = await desk.ok("PATCH", "orders/O1/shipments", [{"shipmentId": "S1", "warehouseCode": "WH1"}])
    assert back["orderForm"]["lineItems"][0]["reservedInventoryQuantity"] == 3
    assert await desk.levels() == (10, 3)
    assert await desk.levels(location="WH2") == (0, 0)
    await desk.audit()


async def test_an_unknown_warehouse_is_refused_where_goods_are_reserved(desk: Desk) -> None:
    made = await desk.create("O1", shipment("S1", line("L1", 3)))
    patch = {"shipmentId": "S1", "warehouseCode": "NOWHERE"}
    assert "NOWHERE" in await desk.refused(400, "ValidationFailed", "PATCH", "orders/O1/shipments", patch)
    assert await desk.ok("GET", "orders/O1") == made
    assert await desk.levels() == (10, 3)


async def test_put_adds_and_replaces(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line()), **PLAIN)
    body = [{"shipmentId": "S1", "status": "Packing"}, shipment("S2", line("L2", 1))]
    done = await desk.ok("PUT", "orders/O1/shipments", body)
    assert places(done) == {"S1": ["L1"], "S2": ["L2"]}
    assert done["orderForm"]["shipments"][0]["status"] == "Packing"
    await desk.refused(400, "ValidationFailed", "PUT", "orders/O1/shipments", [])
    await desk.refused(400, "ValidationFailed", "PUT", "orders/O1/shipments", [{"status": "Packing"}])
    await desk.refused(404, "NotFound", "PUT", "orders/O9/shipments", body)


async def test_lines_move_with_what_is_reserved_for_them(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3), line("L2", 1)), shipment("S2"))
    body = [{"shipmentId": "S2", "lineItemIds": ["L1"]}]
    done = await desk.ok("PUT", "orders/O1/shipments/order-lines", body)
    assert places(done) == {"S1": ["L2"], "S2": ["L1"]}
    assert done["orderForm"]["shipments"][1]["lineItems"][0]["reservedInventoryQuantity"] == 3
    assert await desk.levels() == (10, 4)
    await desk.ok("PATCH", "orders/O1/shipments", {"shipmentId": "S2", "warehouseCode": "WH2"})
    await desk.ok("PUT", "orders/O1/shipments/order-lines", [{"shipmentId": "S2", "lineItemIds": ["L2"]}])
    assert await desk.levels() == (10, 0)
    assert await desk.levels(location="WH2") == (0, 4)
    back = await desk.ok(
        "PUT", "orders/O1/shipments/order-lines", [{"shipmentId": "S1", "lineItemIds": ["L1", "L2"]}]
    )
    assert places(back) == {"S1": ["L2", "L1"], "S2": []} or places(back) == {"S1": ["L1", "L2"], "S2": []}
    assert await desk.levels() == (10, 4)
    await desk.refused(400, "ValidationFailed", "PUT", "orders/O1/shipments/order-lines", body * 2 + [{}])
    await desk.audit()


async def test_a_removed_shipment_gives_back_what_was_reserved(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3)), shipment("S2", line("L2", 1)))
    assert await desk.levels() == (10, 4)
    done = await desk.ok("DELETE", "orders/O1/shipments?shipmentId=S1")
    assert places(done) == {"S2": ["L2"], "-": ["L1"]}
    assert await desk.levels() == (10, 1)
    loose = next(part for part in done["orderForm"]["lineItems"] if part["lineItemId"] == "L1")
    assert (loose["reservedInventory"], loose["reservedInventoryQuantity"]) == (False, 0)
    await desk.refused(404, "NotFound", "DELETE", "orders/O1/shipments?shipmentId=S9")
    await desk.refused(400, "ValidationFailed", "DELETE", "orders/O1/shipments")
    await desk.audit()


async def test_goods_that_left_stay_with_their_shipment(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3)), shipment("S2"))
    await desk.ok("POST", "orders/O1/status", {"status": "Ship", "shipmentInfo": {"shipmentId": "S1"}})
    body = [{"shipmentId": "S2", "lineItemIds": ["L1"]}]
    detail = await desk.refused(400, "ValidationFailed", "PUT", "orders/O1/shipments/order-lines", body)
    assert "was taken from stock already" in detail
    assert await desk.levels() == (7, 0)


def parted(*there: int, warehouse: str = "WH2") -> dict:
    """A line of four: what is not in another shipment, which may leave from another warehouse, stays."""
    rest = [
        shipment(f"S{number}", line("L1", quantity), warehouse=warehouse)
        for number, quantity in enumerate(there, 2)
    ]
    return order("O1", shipment("S1", line("L1", 4 - sum(there))), *rest)


async def test_a_part_that_went_elsewhere_is_given_back_where_it_is(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 4)))
    await desk.ok("PUT", "orders/O1", parted(2))
    assert (await desk.levels(), await desk.levels(location="WH2")) == ((10, 2), (0, 2))
    await desk.ok("DELETE", "orders/O1?permanently=true")
    assert (await desk.levels(), await desk.levels(location="WH2")) == ((10, 0), (0, 0))
    await desk.audit()


async def test_a_part_that_went_elsewhere_comes_back(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 4)))
    await desk.ok("PUT", "orders/O1", parted(2))
    await desk.ok("PUT", "orders/O1", parted(2, warehouse="WH1"))
    assert (await desk.levels(), await desk.levels(location="WH2")) == ((10, 4), (0, 0))
    await desk.ok("PUT", "orders/O1", order("O1", shipment("S1", line("L1", 4))))
    assert (await desk.levels(), await desk.levels(location="WH2")) == ((10, 4), (0, 0))
    await desk.audit()
