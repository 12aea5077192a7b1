"""Whatever happens in whatever order: levels are the sum of the transactions, and each change has one (order specification 3.6)."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from onhand.core.orders.configuration import OrderStatus, OrderType, WorkflowStep
from onhand.core.orders.configured import Configured
from tests.e2e.orders.test_items import bulk, item, levels, post
from tests.e2e.orders.test_purchasing import purchase
from tests.serving import Tenant

STATUSES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "New": (("IncreaseReservedInventory",), {}),
    "Ship": (("ReduceInventoryOnlyOnReservedOrderLines",), {"shipment_status_update": "Released"}),
    "Completed": ((), {"is_delivered_status": True}),
    "OrderCanceled": (
        ("ReduceReservedInventory", "RecalculateReservedInventory"),
        {"is_canceled_status": True},
    ),
}


async def with_workflow(store: Tenant) -> None:
    """The order type Online, which reserves, ships and cancels."""
    rules = await store.running.services.environments.current(store.environment)
    statuses = tuple(
        OrderStatus(name=name, order=n, workflow_steps=tuple(WorkflowStep(name=key) for key in steps), **more)
        for n, (name, (steps, more)) in enumerate(STATUSES.items())
    )
    kind = OrderType(name="Online", order_statuses=statuses, default_order_type=True)

    def edit(old: Configured) -> Configured:
        return msgspec.structs.replace(old, order_types=(kind,))

    done = await store.running.services.orders.configurations.change(rules, "order-type", "Online", edit)
    assert isinstance(done, Configured)


def order(identity: str, quantity: int, warehouse: str = "WH1", **more: Any) -> dict[str, Any]:
    line = {"lineItemId": "L1", "code": "A", "quantity": quantity}
    shipment = {"shipmentId": "S1", "warehouseCode": warehouse, "lineItems": [line]}
    facts = {"id": identity, "orderType": "Online", "marketId": "NOR", "storeId": "WH1"}
    return facts | {"orderForm": {"shipments": [shipment]}} | more


class Day:
    """A random day: some of what people and machines do."""

    def __init__(self, store: Tenant, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.number = 0
        self.orders: list[str] = []
        self.holds: list[str] = []

    def next(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.number}"

    async def act(self) -> None:
        await self.random.choice(
            [self.order, self.order, self.status, self.status, self.reserve, self.release, self.post, self.delta,
             self.count, self.goods]
        )()  # fmt: skip

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.store.native(method, path, body)
        assert answer.status_code < 500, answer.text
        return answer

    async def order(self) -> None:
        identity = self.next("O")
        warehouse = self.random.choice(["WH1", "WH2"])
        made = await self.send("POST", "orders", order(identity, self.random.randint(1, 5), warehouse))
        assert made.status_code == 201, made.text
        self.orders.append(identity)

    async def status(self) -> None:
        if self.orders:
            status = self.random.choice(["Ship", "Ship", "OrderCanceled", "New", "Completed"])
            await self.send("POST", f"orders/{self.random.choice(self.orders)}/status", {"status": status})

    async def reserve(self) -> None:
        location = self.random.choice(["WH1", "12"])
        body = {"organizationId": "org", "productId": "A", "dimensions": {"siteId": "1", "locationId": location},
                "quantity": self.random.randint(1, 4), "check": self.random.random() < 0.5}  # fmt: skip
        made = await self.send("POST", "reservations", body)
        if made.status_code == 201:
            self.holds.append(made.json()["holdId"])

    async def release(self) -> None:
        if self.holds:
            await self.send("DELETE", f"reservations/{self.random.choice(self.holds)}")

    async def post(self) -> None:
        further = self.random.choice([{}, {"colorId": "red"}, {"batchId": "L1"}])
        await post(self.store, self.random.randint(-3, 6), "A", **further)

    async def delta(self) -> None:
        change = {"skuId": "A", "warehouseCode": self.random.choice(["WH1", "WH2"]),
                  "inventoryChange": self.random.randint(-3, 5),
                  "adjustReservedInventory": self.random.random() < 0.2}  # fmt: skip
        await self.send("POST", "inventory-items/deltas", [change])

    async def count(self) -> None:
        form = item("A", self.random.choice(["WH1", "WH2"]), inventory=self.random.randint(0, 20))
        form["reservedInventory"] = self.random.randint(0, 5)
        overwritten = self.random.choice(["true", "false"])
        await bulk(self.store, form, query=f"isReservedInventoryOverwritten={overwritten}")

    async def goods(self) -> None:
        identity = self.next("P")
        await self.send(
            "POST",
            "purchase-orders",
            purchase(identity, supplierWarehouseCode=self.random.choice(["", "WH2"])),
        )
        line = {
            "lineItemId": f"{identity}-1",
            "deliveredQuantity": self.random.randint(0, 5),
            "goodsReceptionId": f"G{identity}",
        }
        await self.send("POST", "goods-receptions", [line])


@pytest.mark.parametrize("seed", range(4))
async def test_levels_are_the_sum_of_the_transactions(store: Tenant, seed: int) -> None:
    await with_workflow(store)
    day = Day(store, seed)
    for _ in range(45):
        await day.act()
    found = await levels(store)
    for code, (inventory, reserved) in found.items():
        query = f"skuId=A&warehouseCodes={code}&limit=1000"
        page = (await store.native("GET", f"inventory-transactions?{query}")).json()
        rows = page["result"]
        assert len({one["id"] for one in rows}) == len(rows) == page["totalHits"]
        for name, level in (("inventoryChange", inventory), ("reservedInventoryChange", reserved)):
            assert sum((Decimal(str(one[name])) for one in rows), Decimal(0)) == Decimal(str(level)), (
                code,
                name,
            )
        assert (rows[0]["newInventory"], rows[0]["newReservedInventory"]) == (inventory, reserved)
        assert all(one["inventoryChange"] or one["reservedInventoryChange"] for one in rows)
    report = (await store.native("POST", "verify")).json()
    assert report["clean"], report
