"""Order specification 11, rows of tier 2: 83 and 98 to 103, with what the scheduled tasks promise beside them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from onhand.core.orders.events import Operation
from onhand.service.workflow.tasks import RESOLVE, TRY_RESERVE, UPDATE_STATUS
from tests.conformance.orders.conftest import Shop, only, properties, released, results
from tests.e2e.orders.order_calls import line, shipment

WEEK = timedelta(days=7)
ORDERS = ("O1", "O2", "O3")


async def tasks(shop: Shop, **more: Any) -> None:
    """The three tasks of tier 2, under short ids."""
    await shop.ok(
        "PUT",
        "scheduled-tasks",
        [
            {"id": name, "implementationType": kind, "schedule": "0 3 * * *", **more.get(name, {})}
            for name, kind in (("status", UPDATE_STATUS), ("reserve", TRY_RESERVE), ("resolve", RESOLVE))
        ],
    )


async def task(shop: Shop, name: str) -> tuple[int, int, int]:
    """(orders, lines, skipped orders) of a run that must succeed."""
    done = await shop.ok("POST", f"scheduled-tasks/{name}/run")
    assert done["status"] == "Succeeded", done
    return done.get("ordersChanged", 0), done.get("linesChanged", 0), done.get("ordersSkipped", 0)


async def waiting(shop: Shop, *quantities: int, code: str = "F") -> None:
    """Orders O1, O2 … of one item, oldest first; the youngest is entered first."""
    for number, quantity in reversed(list(enumerate(quantities, 1))):
        await shop.given(
            released("S1", line("L1", quantity, code, createPurchaseOrder=True)),
            order_id=f"O{number}",
            created=f"2026-01-0{number}T00:00:00Z",
        )


async def shown(shop: Shop) -> list[tuple[bool, int, bool]]:
    """(reserved, quantity, createPurchaseOrder) of the line of each order."""
    lines = [await shop.line(order_id=name) for name in ORDERS]
    return [
        (one["reservedInventory"], one["reservedInventoryQuantity"], one["createPurchaseOrder"])
        for one in lines
    ]


async def later(shop: Shop, span: timedelta) -> None:
    """Time passes; the caller has a fresh token then."""
    shop.running.clock.ahead_s += span.total_seconds()
    shop.tenant.token = await shop.running.token("shop", client=f"client of {shop.running.clock.ahead_s}")


async def task_events(shop: Shop, order_id: str) -> list[str]:
    found = (await shop.ok("GET", f"orders/{order_id}/events"))["result"]
    return [one["message"] for one in found if one.get("operationId") == Operation.SCHEDULED_TASK]


# 83 ----------------------------------------------------------------------------------------------------------


async def scheduled(shop: Shop, *steps: Any) -> None:
    later = {
        "name": "SetUpdateStatusDate",
        "properties": properties(TimeSpan="7.00:00:00", Status="Completed"),
    }
    await shop.workflow(Step=[later], Completed={"steps": list(steps), "is_delivered_status": True})
    await tasks(shop)
    await shop.given(shipment("S1", line("L1", 1)))
    await shop.run()


async def entered(shop: Shop) -> int:
    """How often the workflow of Completed has ended."""
    found = (await shop.ok("GET", "orders/O1/events"))["result"]
    return [one["message"] for one in found].count("The workflow of status Completed has ended.")


async def test_83_a_status_after_seven_days(shop: Shop) -> None:
    await scheduled(shop, "ReduceInventory")
    assert await task(shop, "status") == (0, 0, 0)
    await later(shop, WEEK - timedelta(minutes=1))
    assert await task(shop, "status") == (0, 0, 0)
    assert (await shop.order())["nextOrderStatus"] == "Completed"
    await later(shop, timedelta(minutes=2))
    assert await task(shop, "status") == (1, 0, 0)
    found = await shop.order()
    assert (found["status"], found.get("updateStatusDate"), found.get("nextOrderStatus")) == (
        "Completed",
        None,
        None,
    )
    assert await entered(shop) == 1
    assert await task(shop, "status") == (0, 0, 0)


async def test_83_two_instances_enter_it_once(shop: Shop) -> None:
    await scheduled(shop, "SetAllOrderLinesToReserved")
    await later(shop, WEEK + timedelta(minutes=1))
    overdue = shop.running.services.orders.overdue

    async def alive() -> None:
        """No heart beat is needed here."""

    await asyncio.gather(
        *(overdue.scheduled("shop", alive) for _ in range(3)), *(overdue.take_up() for _ in range(3))
    )
    assert (await shop.order())["status"] == "Completed"
    assert await entered(shop) == 1


async def test_83_a_status_that_does_not_exist_is_given_up(shop: Shop) -> None:
    await tasks(shop)
    await shop.given(updateStatusDate="2026-01-01T00:00:00Z", nextOrderStatus="Nowhere")
    assert await task(shop, "status") == (1, 0, 0) or await entered(shop) == 0
    found = await shop.order()
    assert (found["status"], found.get("nextOrderStatus")) == ("New", None)
    assert [one["key"] for one in found["errors"]] == ["UnknownStatus"]
    assert await task(shop, "status") == (0, 0, 0)


# 98 to 100, 103 ----------------------------------------------------------------------------------------------


async def test_98_a_return_that_does_not_go_back(shop: Shop) -> None:
    await shop.workflow(Completed=["ReduceInventory"], Done=["UpdateInventory"])
    types = [{"id": "Claim", "updateInventory": False}, {"id": "Regret"}]
    await shop.ok(
        "PUT", "order-settings", {"returnSettings": {"defaultUpdateStock": True, "returnTypes": types}}
    )
    await shop.given(released("S1", line("L1", 2)))
    await shop.run("Completed")
    for number, (kind, level) in enumerate((("Claim", 8), ("Regret", 9)), 1):
        await shop.ok(
            "POST",
            "orders/O1/returns",
            {
                "returnId": f"R{number}",
                "storeId": "WH1",
                "returns": [{"lineItemId": "L1", "returnQuantity": 1, "returnType": kind}],
            },
        )
        await shop.ok("POST", f"orders/O1/returns/R{number}/status", {"status": "Done"})
        assert await shop.levels() == (level, 0), kind


async def test_99_ready_for_pickup(shop: Shop) -> None:
    await shop.workflow(
        New=["IncreaseReservedInventory"], ReadyForPickup=["SetShipmentOrOrderReadyForPickup"]
    )
    await shop.given(
        shipment("S1", line("L1", 2), pickUpWarehouseCode="ST1"),
        shipment("S2", line("L2", 1), status="Transit"),
        storePickDate="2026-01-01T00:00:00Z",
    )
    assert await shop.levels() == (10, 3)
    assert only(await shop.run("ReadyForPickup", shipment_id="S1"))["actionStatus"] == "Success"
    found = await shop.order()
    first = found["orderForm"]["shipments"][0]
    assert (first["warehouseCode"], first.get("pickUpWarehouseCode")) == ("ST1", None)
    assert (await shop.levels(), await shop.levels("A", "ST1")) == ((10, 1), (0, 2))
    one = first["lineItems"][0]
    assert (one["reservedInventory"], one["reservedInventoryQuantity"]) == (True, 2)
    assert (found.get("customerPickupDeadline"), found.get("storePickDate")) == (None, None)
    await shop.ok("PATCH", "orders/O1/shipments", [{"shipmentId": "S2", "status": "Released"}])
    await shop.run("ReadyForPickup", shipment_id="S1")
    assert (await shop.order())["customerPickupDeadline"]
    await shop.audit()


async def test_100_a_reception_counts_once(shop: Shop) -> None:
    await shop.ok(
        "POST",
        "purchase-orders",
        {
            "id": "P1",
            "storeId": "WH1",
            "purchaseOrderForm": {
                "lineItems": [{"lineItemId": "P1-1", "code": "A", "quantity": 10, "warehouseCode": "WH1"}]
            },
        },
    )
    came = [{"lineItemId": "P1-1", "deliveredQuantity": 4, "goodsReceptionId": "G1"}]
    await shop.ok("POST", "goods-receptions", came)
    detail = await shop.refused(400, "DuplicateGoodsReception", "POST", "goods-receptions", came)
    assert "G1" in detail
    assert await shop.levels() == (14, 0)


async def test_103_nothing_is_on_a_purchase_order(shop: Shop) -> None:
    await shop.workflow(Step=["CalculateAtp"])
    await shop.given()
    assert results(await shop.run()) == [("CalculateAtp", "Success")]
    assert await shop.levels() == (10, 0)


# 101 ---------------------------------------------------------------------------------------------------------


async def test_101_the_oldest_order_gets_them(shop: Shop) -> None:
    await tasks(shop)
    await waiting(shop, 5, 5, 5)
    assert await task(shop, "reserve") == (0, 0, 0)
    await shop.stock(5, "F")
    assert await task(shop, "reserve") == (1, 1, 0)
    assert await shown(shop) == [(True, 5, False), (False, 0, True), (False, 0, True)]
    assert await shop.levels("F") == (5, 5)
    assert await task_events(shop, "O1") == ["Reserved 5 of F at WH1 (line L1)."]
    assert await task_events(shop, "O2") == []
    assert await task(shop, "reserve") == (0, 0, 0)
    await shop.stock(5, "F")
    assert await task(shop, "reserve") == (1, 1, 0)
    assert await shown(shop) == [(True, 5, False), (True, 5, False), (False, 0, True)]
    assert await shop.levels("F") == (10, 10)
    await shop.audit()


async def test_101_what_is_too_little_for_one_is_enough_for_the_next(shop: Shop) -> None:
    await tasks(shop)
    await waiting(shop, 5, 3, 2)
    await shop.stock(5, "F")
    await shop.reserved_by_others("F", 1)
    assert await task(shop, "reserve") == (1, 1, 0)
    assert await shown(shop) == [(False, 0, True), (True, 3, False), (False, 0, True)]
    assert await shop.levels("F") == (5, 4)


async def test_101_lines_that_are_not_for_stock_are_left_alone(shop: Shop) -> None:
    await tasks(shop)
    await shop.stock(50, "F")
    await shop.given(
        released(
            "S1",
            line("L1", 1, "F"),
            line("L2", 1, "F", isVirtualProduct=True),
            line("L3", 1, "F", isAwaitingPurchaseOrder=True),
            line("L4", 1, "F", isPackageProduct=True),
            line("L5", 1, "F", isBundle=True),
            line("L6", 2, "F", canceledQuantity=2),
        ),
        shipment("S2", line("L7", 1, "F"), warehouse="VIRT"),
        shipment("S3", line("L8", 1, "F"), status="Shipped"),
    )
    assert await task(shop, "reserve") == (1, 1, 0)
    assert await shop.levels("F") == (50, 1)


async def test_101_two_runs_at_once_reserve_once(shop: Shop) -> None:
    await tasks(shop)
    await waiting(shop, 1, 1, 1)
    await shop.stock(2, "F")
    answers = await asyncio.gather(*(shop.send("POST", "scheduled-tasks/reserve/run") for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert sum(answer.json().get("ordersChanged", 0) for answer in answers if answer.is_success) == 2
    assert await shop.levels("F") == (2, 2)


async def test_101_delivered_orders_and_switched_off_reservations(shop: Shop) -> None:
    await tasks(shop)
    await shop.workflow(Completed={"is_delivered_status": True})
    await waiting(shop, 1, 1, 1)
    await shop.run("Completed", "O1")
    await shop.stock(5, "F")
    await shop.inventory_settings(is_enabled=False)
    assert await task(shop, "reserve") == (0, 0, 0)
    await shop.inventory_settings()
    assert await task(shop, "reserve") == (2, 2, 0)
    assert [one[1] for one in await shown(shop)] == [0, 1, 1]


# 102 ---------------------------------------------------------------------------------------------------------


async def oversold(shop: Shop, *quantities: int, stock: int = 5, **settings: str) -> None:
    """Orders that reserved without asking, of an item of which there is not enough."""
    await tasks(shop, resolve={"properties": properties(**settings)})
    await shop.workflow(New=["IncreaseReservedInventory"])
    await shop.stock(stock, "F")
    for number, quantity in reversed(list(enumerate(quantities, 1))):
        await shop.given(
            released("S1", line("L1", quantity, "F")),
            order_id=f"O{number}",
            created=f"2026-01-0{number}T00:00:00Z",
        )


@pytest.mark.parametrize("buys", [False, True])
async def test_102_the_newest_order_loses(shop: Shop, *, buys: bool) -> None:
    await oversold(shop, 5, 5, **({"EnableCreatePurchaseOrder": "true"} if buys else {}))
    assert await shop.levels("F") == (5, 10)
    assert await task(shop, "resolve") == (1, 1, 0)
    assert await shop.levels("F") == (5, 5)
    lines = [await shop.line(order_id=name) for name in ("O1", "O2")]
    assert [(one["reservedInventoryQuantity"], one["createPurchaseOrder"]) for one in lines] == [
        (5, False),
        (0, buys),
    ]
    assert await task_events(shop, "O2") == [
        "More was reserved than there is: 5 of F at WH1 (line L1) was taken back."
    ]
    assert await task(shop, "resolve") == (0, 0, 0)
    await shop.audit()


async def test_102_no_more_than_necessary(shop: Shop) -> None:
    await oversold(shop, 2, 2, 4)
    await shop.reserved_by_others("F", 1)
    assert await task(shop, "resolve") == (1, 1, 0)
    assert [one[1] for one in await shown(shop)] == [2, 2, 1]
    assert await shop.levels("F") == (5, 6)


@pytest.mark.parametrize("too", ["false", "true"])
async def test_102_goods_that_were_bought_for_a_line(shop: Shop, too: str) -> None:
    await oversold(shop, 5, 5, EnablePurchaseOrderReduction=too)
    await shop.ok(
        "PATCH",
        "orders/O2/order-lines",
        [{"lineItemId": "L1", "reservedInventoryPurchaseOrderLineId": "P1-1"}],
    )
    await task(shop, "resolve")
    quantities = [(await shop.line(order_id=name))["reservedInventoryQuantity"] for name in ("O1", "O2")]
    assert quantities == ([5, 0] if too == "true" else [0, 5])


async def test_102_lines_of_an_import_that_only_show_it(shop: Shop) -> None:
    await tasks(shop)
    await shop.stock(1, "F")
    shown_line = line("L1", 3, "F", reservedInventory=True, reservedInventoryQuantity=3)
    await shop.ok(
        "POST",
        "orders/bulk?mode=import",
        [
            {"id": "O1", "orderType": "Online", "status": "New", "marketId": "NO", "storeId": "ST1",
             "orderForm": {"shipments": [shipment("S1", shown_line)]}},
        ],
    )  # fmt: skip
    await shop.counter("F", 3)
    assert await task(shop, "resolve") == (1, 1, 0)
    assert (await shop.line())["reservedInventoryQuantity"] == 1
    assert await shop.levels("F") == (1, 1)


async def test_102_a_property_that_cannot_be_read_fails_the_run(shop: Shop) -> None:
    await oversold(shop, 5, 5, EnableCreatePurchaseOrder="perhaps")
    done = await shop.ok("POST", "scheduled-tasks/resolve/run")
    assert done["status"] == "Failed"
    assert "EnableCreatePurchaseOrder" in done["message"]
    assert await shop.levels("F") == (5, 10)


# The clock and the calls -------------------------------------------------------------------------------------


async def test_a_task_runs_by_its_schedule(shop: Shop) -> None:
    await tasks(shop, resolve={"isDisabled": True})
    await waiting(shop, 1)
    await shop.stock(1, "F")
    orders = shop.running.services.orders
    assert await orders.tasks.start_due() == 0
    assert await orders.tasks.start_due() == 0
    await later(shop, timedelta(days=1))
    assert await orders.tasks.start_due() == 2
    await orders.background.drain()
    assert await shop.levels("F") == (1, 1)
    last = await shop.ok("GET", "scheduled-tasks/reserve/run")
    assert (last["status"], last["ordersChanged"]) == ("Succeeded", 1)
    assert await orders.tasks.start_due() == 0
    await shop.refused(404, "NotFound", "GET", "scheduled-tasks/resolve/run")


async def test_calls_of_tasks_that_cannot_run(shop: Shop) -> None:
    await tasks(shop)
    detail = await shop.refused(404, "NotFound", "POST", "scheduled-tasks/other/run")
    assert "status" in detail
    await shop.refused(404, "NotFound", "GET", "scheduled-tasks/status/run")
    later = {"implementationType": "TryReallocateOrdersScheduledTask", "schedule": "* * * * *"}
    await shop.ok("PUT", "scheduled-tasks", [later])
    await shop.refused(400, "ValidationFailed", "POST", f"scheduled-tasks/{later['implementationType']}/run")


# 3.2 ---------------------------------------------------------------------------------------------------------


async def test_an_order_may_reserve_when_it_is_created(shop: Shop) -> None:
    await shop.inventory_settings(is_inventory_reservation_triggered_on_order_creation=True)
    await shop.given(released("S1", line("L1", 3), line("L2", 1, isVirtualProduct=True)))
    assert await shop.levels() == (10, 3)
    one = await shop.line()
    assert (one["reservedInventory"], one["reservedInventoryQuantity"]) == (True, 3)
    await shop.run()
    assert await shop.levels() == (7, 0)
    body = {
        "name": "Other",
        "orderStatuses": [
            {"name": "New", "order": 1, "workflowSteps": [{"name": "IncreaseReservedInventory"}]}
        ],
    }
    saved = await shop.ok("PUT", "order-types/Other", body)
    assert "ReservedTwice" in [one["rule"] for one in saved["lintWarnings"]]
    await shop.audit()
