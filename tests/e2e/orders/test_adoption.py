"""Reservations that were made before the order came become its own (A38)."""

from __future__ import annotations

from typing import Any

from tests.e2e.orders.order_calls import Desk, line, order, shipment

PLAIN = {"orderType": "Plain"}


async def reserve(desk: Desk, quantity: Any, location: str = "WH1", product: str = "A", **more: Any) -> Any:
    body = {
        "organizationId": "org",
        "productId": product,
        "dimensions": {"siteId": "1", "locationId": location},
        "quantity": quantity,
        "check": False,
        **more,
    }
    return await desk.ok("POST", "reservations", body)


async def messages(desk: Desk, order_id: str = "O1") -> list[str]:
    events = await desk.ok("GET", f"orders/{order_id}/events?category=Information")
    return [one["message"] for one in events["result"]]


async def test_a_hold_becomes_the_lines_own(desk: Desk) -> None:
    hold = (await reserve(desk, 3, reference="cart", ttlSeconds=600))["holdId"]
    made = await desk.create("O1", shipment("S1", line("L1", 3, holdId=hold)))
    part = made["orderForm"]["lineItems"][0]
    assert (part["reservedInventoryQuantity"], part["holdId"]) == (3, hold)
    assert await desk.levels() == (10, 3)
    kept = await desk.ok("GET", f"reservations/{hold}")
    assert (kept["remaining"], kept.get("expiresAt"), kept["order"]) == (3, None, "O1")
    await desk.ok("POST", "orders/O1/status", {"status": "Ship"})
    assert await desk.levels() == (7, 0)
    await desk.audit()


async def test_only_what_the_line_needs_is_taken_from_a_hold(desk: Desk) -> None:
    hold = (await reserve(desk, 5))["holdId"]
    made = await desk.create("O1", shipment("S1", line("L1", 2, holdId=hold)))
    part = made["orderForm"]["lineItems"][0]
    assert part["reservedInventoryQuantity"] == 2
    assert await desk.levels() == (10, 5)
    assert (await desk.ok("GET", f"reservations/{hold}"))["remaining"] == 3
    await desk.audit()


async def test_what_a_hold_lacks_is_reserved_by_the_workflow(desk: Desk) -> None:
    hold = (await reserve(desk, 1))["holdId"]
    made = await desk.create("O1", shipment("S1", line("L1", 3, holdId=hold)))
    part = made["orderForm"]["lineItems"][0]
    assert (part["reservedInventoryQuantity"], part["holdId"]) == (3, hold)
    assert await desk.levels() == (10, 3)
    await desk.audit()


async def test_the_shared_id_gives_what_nobody_owns(desk: Desk) -> None:
    shared = (await reserve(desk, 2))["reservationId"]
    await reserve(desk, 1, reference="somebody")
    await reserve(desk, 1)
    lines = [
        line("L1", 2, softReservationId=shared),
        line("L2", 5, properties=[{"key": "softReservationId", "value": shared}]),
    ]
    made = await desk.create("O1", shipment("S1", *lines), **PLAIN)
    assert [part["reservedInventoryQuantity"] for part in made["orderForm"]["lineItems"]] == [2, 1]
    assert await desk.levels() == (10, 4)
    await desk.audit()


async def test_what_cannot_be_taken_over_is_said_and_keeps_no_order_away(desk: Desk) -> None:
    elsewhere = (await reserve(desk, 1, location="WH2"))["holdId"]
    other = (await reserve(desk, 1, product="B"))["holdId"]
    closed = (await reserve(desk, 1))["holdId"]
    await desk.ok("DELETE", f"reservations/{closed}")
    named = (elsewhere, other, closed, "0000000000000000-1-1", "6f1c2b0e-8f0a-5d4e-9b51-0c7d3f2a9e64")
    lines = [line(f"L{n}", 1, holdId=one) for n, one in enumerate(named)]
    await desk.create("O1", shipment("S1", *lines), **PLAIN)
    said = await messages(desk)
    assert len(said) == len(named)
    for words in ("is elsewhere", "of product 'B'", "is closed", "no such reservation"):
        assert any(words in one for one in said), said
    assert await desk.levels() == (10, 0)
    await desk.audit()


async def test_a_hold_has_one_owner(desk: Desk) -> None:
    hold = (await reserve(desk, 2))["holdId"]
    await desk.create("O1", shipment("S1", line("L1", 2, holdId=hold), line("L2", 2, holdId=hold)), **PLAIN)
    await desk.create("O2", shipment("S1", line("L1", 2, holdId=hold)), **PLAIN)
    assert len(await messages(desk)) == 1
    assert "belongs to another order" in (await messages(desk, "O2"))[0]
    assert await desk.levels() == (10, 2)


async def test_an_imported_order_adopts_too_and_only_once(desk: Desk) -> None:
    hold = (await reserve(desk, 2))["holdId"]
    body = [order("O1", shipment("S1", line("L1", 2, holdId=hold)), **PLAIN)]
    for _ in range(2):
        await desk.ok("POST", "orders/bulk?mode=import", body)
    found = await desk.ok("GET", "orders/O1")
    assert found["orderForm"]["lineItems"][0]["reservedInventoryQuantity"] == 2
    assert await desk.levels() == (10, 2)
    await desk.audit()


async def test_an_added_line_brings_its_reservation(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 1)), **PLAIN)
    hold = (await reserve(desk, 2))["holdId"]
    done = await desk.ok("POST", "orders/O1/order-lines", line("L2", 2, holdId=hold))
    part = done["orderForm"]["lineItems"][1]
    assert (part["holdId"], part["reservedInventoryQuantity"]) == (hold, 2)
    assert await desk.levels() == (10, 2)
    await desk.audit()
