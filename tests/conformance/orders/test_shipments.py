"""Order specification 11.4: several shipments, partial shipment."""

from __future__ import annotations

from tests.conformance.orders.conftest import STEP, Shop, only, released
from tests.e2e.orders.order_calls import line, shipment

SHIP = {"steps": [STEP, "CompleteShipment"], "shipment_status_update": "Released"}


async def test_32_only_the_released_shipment(shop: Shop) -> None:
    await shop.given(
        released("S1", line("L1", 1)), shipment("S2", line("L2", 1, "B"), status="AwaitingInventory")
    )
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.both("A", "B") == {"A": (9, 0), "B": (10, 0)}


async def test_33_a_run_of_one_shipment(shop: Shop) -> None:
    await shop.given(released("S1", line("L1", 1)), released("S2", line("L2", 1, "B")))
    await shop.run(shipment_id="S2")
    assert await shop.both("A", "B") == {"A": (10, 0), "B": (9, 0)}


async def test_35_a_run_of_a_shipment_that_waits(shop: Shop) -> None:
    await shop.given(
        shipment("S1", line("L1", 1), status="AwaitingInventory"), released("S2", line("L2", 1, "B"))
    )
    assert only(await shop.run(shipment_id="S1"))["actionStatus"] == "Success"
    assert await shop.both("A", "B") == {"A": (10, 0), "B": (10, 0)}


async def test_37_a_line_that_leaves_in_two_parts(shop: Shop) -> None:
    await shop.workflow(Completed=SHIP)
    await shop.given(shipment("S1", line("L1", 5)))

    async def deliver(quantity: int, shipment_id: str) -> dict[str, object]:
        done = await shop.ok(
            "POST",
            "orders/O1/order-lines/updates",
            {
                "status": "Completed",
                "lineItemUpdates": [{"lineItemId": "L1", "deliveredQuantity": quantity}],
                "shipmentInfo": {"shipmentId": shipment_id},
            },
        )
        order: dict[str, object] = done["order"]
        return order

    assert (await deliver(2, "S1"))["status"] == "PartiallyShipped"
    assert await shop.levels() == (8, 0)
    assert (await deliver(3, "S2"))["status"] == "Completed"
    assert await shop.levels() == (5, 0)
    assert sum(one["inventoryChange"] for one in await shop.transactions()) == -5


async def test_38_more_is_delivered_than_was_ordered(shop: Shop) -> None:
    await shop.workflow(Completed=SHIP)
    before = await shop.given(shipment("S1", line("L1", 5)))
    body = {"status": "Completed", "lineItemUpdates": [{"lineItemId": "L1", "deliveredQuantity": 6}]}
    await shop.refused(400, "OverDelivery", "POST", "orders/O1/order-lines/updates", body)
    assert await shop.order() == before
    assert await shop.levels() == (10, 0)


async def test_39_the_order_follows_its_shipments(shop: Shop) -> None:
    await shop.workflow(Completed=SHIP)
    await shop.given(shipment("S1", line("L1", 1)), shipment("S2", line("L2", 1)))
    first = await shop.run("Completed", shipment_id="S1")
    assert first["order"]["status"] != "Completed"
    last = await shop.run("Completed", shipment_id="S2")
    assert last["order"]["status"] == "Completed"


async def test_40_a_shipment_without_lines(shop: Shop) -> None:
    await shop.given(released("S1", line("L1", 1)), released("S2"))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert len(await shop.transactions()) == 1
