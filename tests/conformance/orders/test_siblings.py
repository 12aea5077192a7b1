"""Order specification 11.8: the sibling steps of tier 1."""

from __future__ import annotations

from typing import Any

from tests.conformance.orders.conftest import STEP, Shop, only, properties, released
from tests.e2e.orders.order_calls import line, shipment

INCREASE = "IncreaseReservedInventory"


async def test_84_reserve_what_is_to_be_delivered(shop: Shop) -> None:
    await shop.workflow(New=[INCREASE])
    await shop.given(shipment("S1", line("L1", 3, canceledQuantity=1)))
    assert await shop.levels() == (10, 2)
    assert (await shop.line())["reservedInventoryQuantity"] == 2


async def test_86_no_partial_reservation(shop: Shop) -> None:
    await shop.workflow(Reserve=[INCREASE])
    await shop.given(shipment("S1", line("L1", 1)), shipment("S2", line("L2", 1)))
    assert only(await shop.run("Reserve", shipment_id="S1"))["actionStatus"] == "Success"
    assert await shop.levels() == (10, 0)


async def test_87_nothing_to_reserve(shop: Shop) -> None:
    await shop.workflow(New=[INCREASE])
    await shop.given(
        shipment("S1", line("L1", 1), warehouse="VIRT"),
        shipment("S2", line("L2", 1, isVirtualProduct=True), line("L3", 1, isAwaitingPurchaseOrder=True)),
    )
    assert (await shop.levels(), await shop.levels("A", "VIRT")) == ((10, 0), (0, 0))


async def test_88_a_cancelled_order(shop: Shop) -> None:
    await shop.workflow(
        New=[INCREASE], OrderCanceled={"steps": ["ReduceReservedInventory"], "is_canceled_status": True}
    )
    await shop.given(shipment("S1", line("L1", 3)))
    assert await shop.levels() == (10, 3)
    await shop.ok("POST", "orders/O1/order-lines/L1/cancel", None)
    assert await shop.levels() == (10, 3)
    assert only(await shop.run("OrderCanceled"))["actionStatus"] == "Success"
    assert await shop.levels() == (10, 0)
    assert only(await shop.run("OrderCanceled"))["actionStatus"] == "Warning"
    await shop.audit()


async def test_90_a_counter_that_drifted(shop: Shop) -> None:
    await shop.workflow(New=[INCREASE], Repair=["RecalculateReservedInventory"])
    await shop.given(shipment("S1", line("L1", 4)))
    await shop.counter("A", 5)
    assert await shop.levels() == (10, 9)
    await shop.run("Repair")
    assert await shop.levels() == (10, 4)
    rows = await shop.transactions(reductions=False)
    (repair,) = [one for one in rows if one["transactionType"] == "RecalculateReserved"]
    assert repair["reservedInventoryChange"] == -5
    await shop.run("Repair")
    assert len(await shop.transactions(reductions=False)) == len(rows)
    await shop.audit()


async def test_90_lines_that_came_with_an_import(shop: Shop) -> None:
    await shop.workflow(New=[], Repair=["RecalculateReservedInventory"])
    flagged = line("L1", 4, reservedInventory=True, reservedInventoryQuantity=4)
    await shop.ok(
        "POST",
        "orders/bulk?mode=import",
        [
            {
                "id": "IMPORTED",
                "orderType": "Online",
                "status": "New",
                "marketId": "NO",
                "storeId": "ST1",
                "orderForm": {"shipments": [shipment("S1", flagged)]},
            }
        ],
    )
    await shop.counter("A", 9)
    await shop.given(shipment("S1", line("L1", 1)))
    await shop.run("Repair")
    assert await shop.levels() == (10, 4)
    await shop.audit()


async def test_91_a_delivered_order_holds_nothing(shop: Shop) -> None:
    await shop.workflow(
        New=[INCREASE], Repair=["RecalculateReservedInventory"], Completed={"is_delivered_status": True}
    )
    await shop.given(shipment("S1", line("L1", 2)))
    await shop.run("Completed")
    assert await shop.levels() == (10, 2)
    await shop.given(shipment("S1", line("L1", 1)), order_id="O2")
    await shop.run("Repair", order_id="O2")
    assert await shop.levels() == (10, 1)
    await shop.audit()


async def test_91_an_order_that_is_opened_again_keeps_what_it_reserves(shop: Shop) -> None:
    await shop.workflow(
        New=[INCREASE],
        OrderCanceled={"is_canceled_status": True, "steps": ["ReduceReservedInventory"]},
        Repair=["RecalculateReservedInventory"],
    )
    await shop.given(shipment("S1", line("L1", 2)))
    await shop.run("OrderCanceled")
    assert await shop.levels() == (10, 0)
    await shop.run("New")
    assert await shop.levels() == (10, 2)
    await shop.run("Repair")
    assert await shop.levels() == (10, 2)
    await shop.audit()


async def test_92_out_of_stock_in_the_store(shop: Shop) -> None:
    await shop.workflow(Out=["SetItemsOutOfStock"])
    await shop.stock(7, "A", "ST1")
    await shop.reserved_by_others("A", 2, "ST1")
    await shop.given()
    await shop.run("Out")
    assert (await shop.levels("A", "ST1"), await shop.levels()) == ((0, 2), (10, 0))
    (one,) = await shop.transactions()
    assert (one["transactionType"], one["inventoryChange"]) == ("SetOutOfStock", -7)
    await shop.run("Out")
    assert len(await shop.transactions()) == 1


async def test_93_out_of_stock_changes_the_status(shop: Shop) -> None:
    change: dict[str, Any] = {
        "name": "ChangeStatusIfOutOfStock",
        "properties": properties(orderStatus="Backorder"),
    }
    await shop.workflow(Check=[change], Backorder=["CompleteShipment"])
    await shop.given(shipment("S1", line("L1", 1, "F")))
    done = await shop.run("Check")
    assert only(done)["actionStatus"] == "Success"
    assert only(done)["triggerNewStatus"] == "Backorder"
    assert done["order"]["status"] == "Backorder"


async def test_95_a_return_at_a_till(shop: Shop) -> None:
    await shop.types(
        Online={"New": []},
        Pos={
            "Completed": {
                "steps": ["CheckPosOrderForReturnAndIncreaseInventory"],
                "is_delivered_status": True,
            }
        },
    )
    body = {
        "id": "O1",
        "orderNumber": "1",
        "marketId": "NO",
        "storeId": "ST1",
        "orderForm": {"shipments": [released("S1", line("L1", 3))]},
    }
    await shop.ok("POST", "orders/pos", body)
    await shop.ok(
        "POST",
        "orders/O1/returns",
        {"storeId": "ST1", "returns": [{"lineItemId": "L1", "returnQuantity": 2}]},
    )
    await shop.run("Completed")
    assert await shop.levels("A", "ST1") == (2, 0)
    await shop.run("Completed")
    assert await shop.levels("A", "ST1") == (2, 0)


async def test_97_a_return_before_completion(shop: Shop) -> None:
    await shop.workflow(Ship=["CheckPosOrderForReturnAndIncreaseInventory"])
    await shop.given(shipment("S1", line("L1", 3)))
    await shop.ok(
        "POST",
        "orders/O1/returns",
        {"storeId": "ST1", "returns": [{"lineItemId": "L1", "returnQuantity": 2}]},
    )
    assert only(await shop.run("Ship"))["actionStatus"] == "Success"
    assert await shop.levels("A", "ST1") == (0, 0)


async def test_105_writes_are_disabled(shop: Shop) -> None:
    await shop.inventory_settings(is_write_enabled=False)
    await shop.given()
    done = only(await shop.run())
    assert (done["actionStatus"], "disabled" in done["message"]) == ("Success", True)
    assert (await shop.levels(), await shop.transactions()) == ((10, 0), [])
    await shop.inventory_settings()
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.levels() == (9, 0)


async def no_leak(shop: Shop, increase: Any) -> None:
    await shop.workflow(New=["UpdateOrderLineReservedInventory", increase], Step=[STEP])
    await shop.given(released("S1", line("L1", 2, "F")))


async def test_106_flags_first_counters_afterwards(shop: Shop) -> None:
    await no_leak(shop, INCREASE)
    assert await shop.levels("F") == (0, 2)
    assert (await shop.line())["reservedInventoryQuantity"] == 2
    await shop.stock(2, "F")
    await shop.run()
    assert await shop.levels("F") == (0, 0)


async def test_107_only_flagged_lines_are_reserved(shop: Shop) -> None:
    await no_leak(shop, {"name": INCREASE, "properties": properties(onlyReservedLines="true")})
    assert await shop.levels("F") == (0, 0)
    assert (await shop.line()).get("reservedInventoryQuantity", 0) == 0
    await shop.stock(2, "F")
    await shop.run()
    assert await shop.levels("F") == (0, 0)
