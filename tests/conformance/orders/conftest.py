"""A warehouse, items A to F and order types made for one case (order specification 11, defaults)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderStatus,
    OrderType,
    Warehouse,
    WorkflowStep,
)
from onhand.core.orders.configured import Configured
from onhand.core.orders.entities import read
from tests.e2e.orders.order_calls import Desk, line, shipment
from tests.serving import Running, serving

STEP = "ReduceInventoryOnlyOnReservedOrderLines"
ITEMS = ("A", "B", "C", "D", "E")


@dataclass
class Shop(Desk):
    """An environment whose workflow a test configures, and short ways to say what a case needs."""

    running: Running = field(kw_only=True)

    async def workflow(self, **statuses: Any) -> None:
        """Order type Online with these statuses: a list of steps (key, or a dict as the client writes it), or a whole status."""
        await self._types({"Online": {"New": [], **statuses}})

    async def types(self, **types: dict[str, Any]) -> None:
        """Several order types."""
        await self._types(types)

    async def _types(self, types: dict[str, dict[str, Any]]) -> None:
        made = tuple(_order_type(name, statuses) for name, statuses in types.items())
        await self.configure(order_types=made)

    async def configure(self, **parts: Any) -> None:
        rules = await self.running.services.environments.current("shop")
        done = await self.running.services.orders.configurations.change(
            rules, "tests", "", lambda old: msgspec.structs.replace(old, **parts)
        )
        assert isinstance(done, Configured), done

    async def settings(self, **settings: Any) -> None:
        await self.configure(settings=OrderSettings(**settings))

    async def inventory_settings(self, **settings: Any) -> None:
        await self.configure(inventory=inventory_settings(**settings))

    async def given(self, *shipments: dict[str, Any], order_id: str = "O1", **more: Any) -> dict[str, Any]:
        """An order in status New; one shipment S1, Released, with one piece of A unless said otherwise."""
        chosen = shipments or (released("S1", line("L1", 1)),)
        made: dict[str, Any] = await self.create(order_id, *chosen, billingCurrency="NOK", **more)
        return made

    async def run(
        self, status: str = "Step", order_id: str = "O1", shipment_id: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """The result of a status update."""
        info = {} if shipment_id is None else {"shipmentInfo": {"shipmentId": shipment_id}}
        done: dict[str, Any] = await self.ok(
            "POST", f"orders/{order_id}/status", {"status": status, **info, **more}
        )
        await self.running.services.orders.background.drain()
        return done

    async def reserved_by_others(self, code: str, quantity: Any, location: str = "WH1") -> None:
        """Somebody else's reservation, unchecked."""
        answer = await self.tenant.post(
            "onhand/reserve",
            {
                "organizationId": "org",
                "productId": code,
                "dimensions": {"siteId": "1", "locationId": location},
                "quantityDataSource": "iv",
                "modifier": "softreserved",
                "quantity": quantity,
                "ifCheckAvailForReserv": False,
            },
        )
        assert answer["processingStatus"] == "success", answer

    async def counter(self, code: str, quantity: Any) -> None:
        """A reserved counter that nothing accounts for, as an import or a drift leaves it."""
        await self.tenant.on_hand(
            organizationId="org",
            productId=code,
            dimensions={"siteId": "1", "locationId": "WH1"},
            quantities={"iv": {"softreserved": quantity}},
        )

    async def transactions(self, order_id: str = "O1", *, reductions: bool = True) -> list[dict[str, Any]]:
        """Transactions of an order, oldest first; those that changed the inventory unless told otherwise."""
        found = await self.ok("GET", f"inventory-transactions?orderId={order_id}&take=1000")
        rows = list(reversed(found["result"]))
        return [row for row in rows if row.get("inventoryChange")] if reductions else rows

    async def both(self, *codes: str, location: str = "WH1") -> dict[str, tuple[Decimal, Decimal]]:
        """Code -> (inventory, reserved)."""
        return {code: await self.levels(code, location) for code in codes}

    async def order(self, order_id: str = "O1") -> dict[str, Any]:
        found: dict[str, Any] = await self.ok("GET", f"orders/{order_id}")
        return found

    async def line(self, line_id: str = "L1", order_id: str = "O1", at: int = 0) -> dict[str, Any]:
        """A line of a shipment."""
        lines = (await self.order(order_id))["orderForm"]["shipments"][at]["lineItems"]
        found: dict[str, Any] = next(one for one in lines if one["lineItemId"] == line_id)
        return found

    async def event_names(self, order_id: str = "O1") -> list[str]:
        found = await self.ok("GET", f"orders/{order_id}/events")
        return [one["message"].partition(":")[0] for one in found["result"]]


def released(shipment_id: str, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A shipment that may leave."""
    return shipment(shipment_id, *lines, **{"status": "Released", **more})


def results(done: dict[str, Any]) -> list[tuple[str, str]]:
    """(step, result) of a run."""
    return [(one["actionType"], one["actionStatus"]) for one in done["orderActionExecutionResults"]]


def only(done: dict[str, Any]) -> dict[str, Any]:
    """The one result of a run."""
    (found,) = done["orderActionExecutionResults"]
    return dict(found)


def inventory_settings(**settings: Any) -> InventorySettings:
    return InventorySettings(**{"organization_id": "org", "default_product_cost_currency": "NOK", **settings})


def _order_type(name: str, statuses: dict[str, Any]) -> OrderType:
    more = {key: value for key, value in statuses.items() if isinstance(value, bool)}
    made = [
        _status(one, number, value)
        for number, (one, value) in enumerate(statuses.items(), 1)
        if not isinstance(value, bool)
    ]
    return OrderType(name=name, order_statuses=tuple(made), default_order_type=name == "Online", **more)


def _status(name: str, number: int, value: Any) -> OrderStatus:
    flags = {"steps": value} if isinstance(value, list) else dict(value)
    steps = flags.pop("steps", [])
    return OrderStatus(name=name, order=number, workflow_steps=tuple(_step(one) for one in steps), **flags)


def _step(value: Any) -> WorkflowStep:
    step = read(WorkflowStep, {"name": value} if isinstance(value, str) else value)
    assert isinstance(step, WorkflowStep), step
    return step


def properties(**values: str) -> list[dict[str, str]]:
    """Properties of a step as the client writes them."""
    return [{"key": key, "value": value} for key, value in values.items()]


WAREHOUSES = (
    Warehouse(code="WH1", site_id="1"),
    Warehouse(code="WH2", site_id="1"),
    Warehouse(code="ST1", site_id="1"),
    Warehouse(code="VIRT", site_id="1", is_virtual=True),
)


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Running]:
    async with serving(database_url) as service:
        yield service


@pytest.fixture
async def shop(running: Running) -> Shop:
    """Ten pieces of A to E at WH1, order type Online with status Step that runs the selective reduce step."""
    made = Shop(await running.environment("shop"), running=running)
    for code in ITEMS:
        await made.stock(10, code)
    await made.configure(warehouses=WAREHOUSES, inventory=inventory_settings())
    await made.workflow(Step=[STEP])
    return made
