"""Purchase orders, deliveries and goods receptions over HTTP."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from onhand.core.orders.arrivals import Receiving, moves_of
from onhand.core.orders.configuration import OrderStatus, OrderType
from onhand.core.orders.purchasing import ReceptionLine
from onhand.core.outcomes import GroupOutcome
from tests.e2e.orders.conftest import WAREHOUSES, configure, put
from tests.e2e.orders.test_items import bulk, item, levels
from tests.serving import Running, Tenant


def purchase(identity: str = "P1", **more: Any) -> dict[str, Any]:
    line = {"lineItemId": f"{identity}-1", "code": "A", "quantity": 10, "warehouseCode": "WH1",
            "discountedPriceExclTax": 200, "currency": "NOK"}  # fmt: skip
    return {
        "id": identity,
        "storeId": "WH1",
        "supplierId": "ACME",
        "purchaseOrderForm": {"lineItems": [line]},
        **more,
    }


async def bought(store: Tenant, **more: Any) -> dict[str, Any]:
    answer = await store.native("POST", "purchase-orders", purchase(**more))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def receive(
    store: Tenant, *lines: tuple[str, Any, str], path: str = "goods-receptions", status: int = 200
) -> Any:
    body = [
        {"lineItemId": line, "deliveredQuantity": units, "goodsReceptionId": reception}
        for line, units, reception in lines
    ]
    answer = await store.native("POST", path, body)
    assert answer.status_code == status, answer.text
    return answer.json()


def line_of(order: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = order["purchaseOrderForm"]["lineItems"][0]
    return found


async def test_a_purchase_order_lives(store: Tenant) -> None:
    made = await bought(store)
    assert (made["id"], made["status"], made["versionId"]) == ("P1", "New", "1")
    again = await store.native("POST", "purchase-orders", purchase())
    assert (again.status_code, again.json()["code"]) == (409, "DuplicateId")
    stolen = purchase("P2")
    stolen["purchaseOrderForm"]["lineItems"][0]["lineItemId"] = "P1-1"
    assert (await store.native("POST", "purchase-orders", stolen)).status_code == 409
    patched = await store.native("PATCH", "purchase-orders/P1", {"supplierName": "Acme"}, If_Match='"1"')
    assert (patched.json()["supplierName"], patched.headers["etag"]) == ("Acme", '"2"')
    stale = await store.native("PATCH", "purchase-orders/P1", {"supplierName": "X"}, If_Match='"1"')
    assert (stale.status_code, stale.json()["code"]) == (412, "VersionConflict")
    status = await store.native("POST", "purchase-orders/P1/status", {"status": "Confirmed"})
    assert status.json()["status"] == "Confirmed"
    part = {"lineItemId": "P1-1", "quantity": 4, "newLineItemId": "P1-2"}
    split = (await store.native("POST", "purchase-orders/P1/order-lines/split", part)).json()
    lines = split["purchaseOrderForm"]["lineItems"]
    assert [(one["quantity"], one["discountedPriceExclTax"]) for one in lines] == [(6, 120), (4, 80)]
    gone = await store.native("POST", "purchase-orders/P1/order-lines/P1-2/cancel")
    assert gone.json()["purchaseOrderForm"]["lineItems"][1]["canceledQuantity"] == 4
    for query, count in (("status=confirmed", 1), ("sku=a", 1), ("supplierId=none", 0), ("open=true", 1)):
        found = (await store.native("GET", f"purchase-orders?{query}")).json()
        assert (found["totalHits"], len(found["result"])) == (count, count), query
    assert (await store.native("DELETE", "purchase-orders/P1")).status_code == 204
    assert (await store.native("GET", "purchase-orders/P1")).status_code == 404
    assert (await bought(store))["versionId"] == "1"


async def test_100_a_reception_counts_once(store: Tenant) -> None:
    await bought(store)
    done = await receive(store, ("P1-1", 4, "G1"))
    (order,) = done["purchaseOrders"]
    assert (line_of(order)["deliveredQuantity"], order["status"]) == (4, "New")
    again = await receive(store, ("P1-1", 4, "G1"), status=400)
    assert (again["code"], "G1" in again["detail"]) == ("DuplicateGoodsReception", True)
    mixed = await receive(store, ("P1-1", 1, "G2"), ("P1-1", 1, "G1"), status=400)
    assert "G2" not in mixed["detail"]
    assert await levels(store) == {"WH1": (4, 0)}
    (done,) = (await receive(store, ("P1-1", 6, "G2")))["purchaseOrders"]
    assert done["status"] == "Completed"
    assert await levels(store) == {"WH1": (10, 0)}
    rows = (await store.native("GET", "inventory-transactions?purchaseOrderId=P1")).json()["result"]
    assert [
        (one["goodsReceptionId"], one["inventoryChange"], one["unitCost"], one["newInventory"])
        for one in rows
    ] == [
        ("G2", 6, 20, 10),
        ("G1", 4, 20, 4),
    ]
    (item_,) = (await store.native("GET", "inventory-items/A")).json()["result"]
    assert (item_["cost"], item_["costCurrency"]) == (20, "NOK")


async def test_the_same_reception_at_the_same_time_counts_once(store: Tenant) -> None:
    await bought(store)
    body = [{"lineItemId": "P1-1", "deliveredQuantity": 3, "goodsReceptionId": "G1"}]
    answers = await asyncio.gather(*(store.native("POST", "goods-receptions", body) for _ in range(6)))
    assert sorted(one.status_code for one in answers) == [200, 400, 400, 400, 400, 400]
    assert await levels(store) == {"WH1": (3, 0)}


@pytest.mark.parametrize(
    "line",
    [
        {"lineItemId": "nobody", "deliveredQuantity": 1, "goodsReceptionId": "G"},
        {"lineItemId": "P1-1", "deliveredQuantity": -1, "goodsReceptionId": "G"},
        {"lineItemId": "P1-1", "deliveredQuantity": 1},
        {"lineItemId": "P1-1", "deliveredQuantity": 1, "goodsReceptionId": "G", "warehouseCode": "NOWHERE"},
    ],
)
async def test_a_wrong_line_refuses_the_reception(store: Tenant, line: dict[str, Any]) -> None:
    await bought(store)
    good = {"lineItemId": "P1-1", "deliveredQuantity": 1, "goodsReceptionId": "G"}
    answer = await store.native("POST", "goods-receptions", [good, line])
    assert (answer.status_code, answer.json()["code"]) == (400, "ValidationFailed"), answer.text
    assert await levels(store) == {}
    assert (await store.native("POST", "goods-receptions", [])).status_code == 400


async def test_a_transfer_leaves_when_it_is_delivered_and_comes_when_it_is_received(running: Running) -> None:
    store = await running.environment("transfers")
    await configure(store, *WAREHOUSES, value_provider="FifoInventoryValueProvider")
    await bulk(store, item("A", "WH2", inventory=12, cost=3), query="mode=add")
    order = purchase(supplierWarehouseCode="WH2")
    del order["purchaseOrderForm"]["lineItems"][0]["discountedPriceExclTax"]
    assert (await store.native("POST", "purchase-orders", order)).status_code == 201
    made = await store.native("POST", "purchase-orders/P1/deliveries", {"id": "D1"})
    assert (made.status_code, made.json()["orderType"]) == (201, "InternalTransfer"), made.text
    assert (await store.native("POST", "purchase-orders/P1/deliveries", {"id": "D1"})).status_code == 409
    assert await levels(store) == {"WH2": (2, 0)}
    wrong = await store.native(
        "POST",
        "deliveries/D9/goods-receptions",
        [{"lineItemId": "P1-1", "deliveredQuantity": 1, "goodsReceptionId": "G"}],
    )
    assert wrong.status_code == 404
    await receive(store, ("P1-1", 4, "G1"), path="deliveries/D1/goods-receptions")
    assert (await store.native("GET", "deliveries/D1")).json()["deliveryStatus"] == "InProgress"
    await receive(store, ("P1-1", 7, "G2"), path="deliveries/D1/goods-receptions")
    assert (await store.native("GET", "deliveries/D1")).json()["deliveryStatus"] == "Completed"
    # One more came than was sent: it left WH2 as well.
    assert await levels(store) == {"WH1": (11, 0), "WH2": (1, 0)}
    rows = (await store.native("GET", "inventory-items/A?warehouseCodes=WH1")).json()["result"]
    assert [batch["costPrice"] for batch in rows[0]["batches"]] == [3, 3]
    assert (await store.native("POST", "deliveries/D1/status", {"status": "nonsense"})).status_code == 400
    assert (await store.native("POST", "deliveries/D1/status", {"status": "OnHold"})).json()[
        "deliveryStatus"
    ] == "OnHold"


async def test_goods_in_another_currency_without_a_rate_come_in_without_their_cost(store: Tenant) -> None:
    await configure(store, *WAREHOUSES, value_provider="AverageInventoryValueProvider")
    await bought(store, billingCurrency="EUR")
    order = purchase("P2")
    order["purchaseOrderForm"]["lineItems"][0]["currency"] = "EUR"
    await store.native("POST", "purchase-orders", order)
    assert (await receive(store, ("P2-1", 1, "G1")))["ratesMissing"] == ["A"]
    rates = [{"fromCurrency": "EUR", "toCurrency": "NOK", "rate": 11.5, "validFrom": "2020-01-01T00:00:00Z"}]
    await store.native("PUT", "exchange-rates", rates)
    assert (await receive(store, ("P2-1", 1, "G2")))["ratesMissing"] == []
    assert await levels(store) == {"WH1": (2, 0)}


async def with_orders(store: Tenant) -> None:
    """The order type Online with two statuses that run nothing."""
    statuses = tuple(
        OrderStatus(name=name, order=n, workflow_steps=()) for n, name in enumerate(("New", "Ready"))
    )
    kind = OrderType(name="Online", order_statuses=statuses, default_order_type=True)
    await put(store, "order-types/Online", kind)


async def ordered(store: Tenant, identity: str, quantity: int) -> None:
    line = {
        "lineItemId": "L1",
        "code": "A",
        "quantity": quantity,
        "isAwaitingPurchaseOrder": True,
        "reservedInventoryPurchaseOrderId": "P1",
        "reservedInventoryPurchaseOrderLineId": "P1-1",
        "expectedDeliveryDate": "2027-01-01T00:00:00Z",
    }
    shipment = {"shipmentId": "S1", "warehouseCode": "WH1", "lineItems": [line]}
    order = {
        "id": identity,
        "orderType": "Online",
        "marketId": "NOR",
        "storeId": "WH1",
        "orderForm": {"shipments": [shipment]},
    }
    answer = await store.native("POST", "orders", order)
    assert answer.status_code == 201, answer.text


async def line_in(store: Tenant, identity: str) -> dict[str, Any]:
    order = (await store.native("GET", f"orders/{identity}")).json()
    found: dict[str, Any] = order["orderForm"]["shipments"][0]["lineItems"][0]
    return found


async def test_what_is_reserved_on_the_purchase_order_moves_to_the_warehouse(store: Tenant) -> None:
    await with_orders(store)
    await bought(store)
    await ordered(store, "O1", 6)
    await ordered(store, "O2", 3)
    assert await levels(store) == {}
    await receive(store, ("P1-1", 5, "G1"))
    # The oldest order needs six and waits on; the younger one can be served.
    assert await levels(store) == {"WH1": (5, 3)}
    waiting, served = await line_in(store, "O1"), await line_in(store, "O2")
    assert waiting["isAwaitingPurchaseOrder"] is True
    assert served.get("isAwaitingPurchaseOrder") is not True
    assert (served["reservedInventory"], served["reservedInventoryQuantity"]) == (True, 3)
    assert "expectedDeliveryDate" not in served
    assert served["reservedInventoryPurchaseOrderLineId"] == "P1-1"
    await receive(store, ("P1-1", 5, "G2"))
    assert await levels(store) == {"WH1": (10, 9)}
    assert (await line_in(store, "O1"))["reservedInventoryQuantity"] == 6
    assert await total_reserved(store) == 9


async def test_what_can_be_promised(store: Tenant) -> None:
    await with_orders(store)
    await bought(store, requestedDeliveryDate="2027-01-02T00:00:00Z")
    await ordered(store, "O1", 6)
    await receive(store, ("P1-1", 1, "G1"))
    (item_,) = (await store.native("GET", "inventory-items/A")).json()["result"]
    expected = {
        "date": "2027-01-02T00:00:00Z",
        "quantity": 9,
        "reservedQuantity": 6,
        "availableQuantity": 3,
        "purchaseOrderId": "P1",
        "purchaseOrderLineId": "P1-1",
    }
    assert (item_["inventory"], item_["atp"]) == (1, [expected])
    assert (await store.native("POST", "purchase-orders/P1/atp")).json()["result"] == [expected]
    assert (await store.native("POST", "purchase-orders/none/atp")).status_code == 404
    await store.native("POST", "purchase-orders/P1/order-lines/P1-1/cancel")
    (item_,) = (await store.native("GET", "inventory-items/A")).json()["result"]
    assert "atp" not in item_


async def total_reserved(store: Tenant) -> int:
    rows = (await store.native("GET", "inventory-transactions?skuId=A")).json()["result"]
    assert sum(one["inventoryChange"] for one in rows) == (await levels(store))["WH1"][0]
    return int(sum(one["reservedInventoryChange"] for one in rows))


async def test_the_clock_finishes_what_a_reception_left(store: Tenant) -> None:
    await with_orders(store)
    await bought(store)
    await ordered(store, "O1", 2)
    services = store.running.services
    await only_received(
        store, ReceptionLine(line_item_id="P1-1", delivered_quantity=Decimal(4), goods_reception_id="G1")
    )
    await services.receptions.handing.settle_due()
    assert (await line_in(store, "O1"))["isAwaitingPurchaseOrder"] is True  # not due yet
    store.running.clock.ahead_s += 120
    await services.receptions.handing.settle_due()
    assert (await line_in(store, "O1")).get("isAwaitingPurchaseOrder") is not True
    assert await levels(store) == {"WH1": (4, 2)}
    await services.receptions.handing.settle_due()
    assert await levels(store) == {"WH1": (4, 2)}


async def only_received(store: Tenant, line: ReceptionLine) -> None:
    """The first half of a reception, as of a process that dies then."""
    services = store.running.services
    around = await services.receptions._around(store.environment, "tests", "")
    stored = await services.purchasing.stored(around.rules, "P1")
    assert stored is not None
    moves = moves_of(around, stored.record, line, "")
    assert isinstance(moves, list)
    group = Receiving(around, [line], moves, {line.line_item_id: stored}, "")
    done = await services.batcher.submit(around.rules, group)
    assert isinstance(done, GroupOutcome)
    assert done.accepted


async def test_a_shipment_moves_on_when_its_goods_came(store: Tenant) -> None:
    await configure(store, *WAREHOUSES, extra={"goodsReceptionShipmentOrderStatusUpdate": "Ready"})
    await with_orders(store)
    await bought(store)
    await ordered(store, "O1", 2)
    await receive(store, ("P1-1", 2, "G1"))
    order = (await store.native("GET", "orders/O1")).json()
    assert order["orderForm"]["shipments"][0]["orderStatus"] == "Ready"


async def test_goods_for_virtual_locations(store: Tenant) -> None:
    await configure(store, *WAREHOUSES, use_virtual_stock_locations=True)
    order = purchase()
    line = order["purchaseOrderForm"]["lineItems"][0]
    line["virtualWarehouseAllocations"] = [{"warehouseCode": "WEB", "quantity": 4}]
    assert (await store.native("POST", "purchase-orders", order)).status_code == 201
    done = await receive(store, ("P1-1", 6, "G1"))
    assert line_of(done["purchaseOrders"][0])["virtualWarehouseAllocations"][0]["deliveredQuantity"] == 4
    rows = (await store.native("GET", "inventory-items/A")).json()["result"]
    assert [(one["warehouseCode"], one["inventory"], one["isVirtual"]) for one in rows] == [
        ("WH1", 6, False),
        ("web", 4, True),
    ]
    found = (await store.native("GET", "inventory-transactions?skuId=A")).json()["result"]
    assert sorted(
        (one["warehouseCode"], one["inventoryChange"], one.get("isVirtual", False)) for one in found
    ) == [
        ("WEB", 4, True),
        ("WH1", 2, False),
        ("WH1", 4, False),
    ]
