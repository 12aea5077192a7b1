"""Environments with warehouses, with and without order types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from onhand.core.orders import entities
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderStatus,
    OrderType,
    Warehouse,
    WorkflowStep,
)
from onhand.core.orders.entities import Entity
from tests.e2e.orders.order_calls import Desk
from tests.serving import Running, Tenant


async def put(tenant: Tenant, path: str, value: Entity) -> None:
    """A part of the configuration, over HTTP."""
    answer = await tenant.native("PUT", path, json.loads(entities.to_json(entities.show(value))))
    assert answer.is_success, answer.text


async def configure(tenant: Tenant, *warehouses: dict[str, Any], **settings: Any) -> None:
    """Warehouses, and inventory settings beside those that every test has."""
    inventory = InventorySettings(
        **({"organization_id": "org", "default_product_cost_currency": "NOK"} | settings)
    )
    await put(tenant, "inventory-settings", inventory)
    for one in warehouses:
        await put(tenant, f"warehouses/{one['code']}", Warehouse(**one))


WAREHOUSES = (
    {"code": "WH1", "name": "First", "site_id": "1"},
    {
        "code": "WH2",
        "site_id": "1",
        "location_id": "12",
        "is_web_warehouse": True,
        "available_on_markets": ("NOR",),
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
    await configure(shop.tenant, *({"code": code, "site_id": "1"} for code in ("WH1", "WH2", "ST1")))
    await put(shop.tenant, "order-settings", OrderSettings(use_order_status_log=True))
    for one in TYPES:
        await put(shop.tenant, f"order-types/{one.name}", one)
    return shop
