"""Environments with warehouses, with and without order types."""

from __future__ import annotations

from typing import Any

import pytest

from onhand.core.orders.configuration import OrderStatus, OrderType, WorkflowStep
from onhand.core.orders.entities import show
from tests.e2e.orders.order_calls import Desk
from tests.serving import Running, Tenant


async def configure(tenant: Tenant, *warehouses: dict[str, Any], **settings: Any) -> None:
    """Warehouses, and inventory settings beside those that every test has."""
    await save(
        tenant,
        "inventory-settings",
        {"organizationId": "org", "defaultProductCostCurrency": "NOK"} | settings,
    )
    for one in warehouses:
        await save(tenant, f"warehouses/{one['code']}", one)


async def save(tenant: Tenant, path: str, body: Any) -> None:
    """Save a part of the workflow configuration, whatever it was before."""
    answer = await tenant.native("PUT", path, body, If_Match="*")
    assert answer.status_code == 200, answer.text


WAREHOUSES = (
    {"code": "WH1", "name": "First", "siteId": "1"},
    {
        "code": "WH2",
        "siteId": "1",
        "locationId": "12",
        "isWebWarehouse": True,
        "availableOnMarkets": ["NOR"],
    },
)


@pytest.fixture
async def store(running: Running) -> Tenant:
    """An environment of the standalone profile with the warehouses WH1 and WH2, costs in NOK, no stock."""
    made = await running.environment("store")
    await configure(made, *WAREHOUSES)
    return made


def status(name: str, order: int, *steps: str, **more) -> OrderStatus:
    return OrderStatus(
        name=name,
        order=order,
        workflow_steps=tuple(WorkflowStep(name=one, index=n) for n, one in enumerate(steps)),
        **more,
    )


TYPES = (
    OrderType(
        name="Online",
        order_statuses=(
            status("New", 1, "IncreaseReservedInventory"),
            status("InProgress", 2),
            status(
                "Ship", 3, "ReduceInventoryAndReservedInventory", "CompleteShipment",
                shipment_status_update="Released",
            ),
            status("Completed", 4, is_delivered_status=True),
            status("OrderCanceled", 5, "ReduceReservedInventory", is_canceled_status=True),
        ),
    ),
    OrderType(
        name="Plain",
        default_order_type=True,
        order_statuses=(
            status("New", 1, available_steps=("Packed",), enforce_available_steps_policy=True),
            status("Packed", 2),
            status("Completed", 3, is_delivered_status=True),
        ),
    ),
    OrderType(
        name="Pos",
        order_statuses=(
            status("Completed", 1, "ReduceInventory", shipment_status_update="Released", is_delivered_status=True),
        ),
    ),
)  # fmt: skip


@pytest.fixture
async def desk(running: Running) -> Desk:
    shop = Desk(await running.environment("shop"))
    await shop.stock(10)
    await save(shop.tenant, "inventory-settings", {"organizationId": "org"})
    await save(shop.tenant, "order-settings", {"useOrderStatusLog": True})
    for code in ("WH1", "WH2", "ST1"):
        await save(shop.tenant, f"warehouses/{code}", {"code": code, "organizationId": "org", "siteId": "1"})
    for one in TYPES:
        await save(shop.tenant, f"order-types/{one.name}", show(one))
    return shop
