"""Environments with warehouses, with and without order types."""

from __future__ import annotations

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
from tests.e2e.orders.order_calls import Desk
from tests.serving import Running, Tenant


async def configure(tenant: Tenant, *warehouses: dict[str, Any], **settings: Any) -> None:
    """Warehouses, and inventory settings beside those that every test has."""
    running = tenant.running
    rules = await running.services.environments.current(tenant.environment)
    inventory = InventorySettings(
        **({"organization_id": "org", "default_product_cost_currency": "NOK"} | settings)
    )
    sites = tuple(Warehouse(**one) for one in warehouses)

    def edit(old: Configured) -> Configured:
        return msgspec.structs.replace(old, warehouses=sites, inventory=inventory)

    done = await running.services.orders.configurations.change(rules, "warehouse", "all", edit)
    assert isinstance(done, Configured), done


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
    services = running.services
    configured = Configured(
        order_types=TYPES,
        warehouses=tuple(
            Warehouse(code=code, organization_id="org", site_id="1") for code in ("WH1", "WH2", "ST1")
        ),
        settings=OrderSettings(use_order_status_log=True),
        inventory=InventorySettings(organization_id="org"),
    )
    rules = await services.environments.current("shop")
    done = await services.orders.configurations.change(rules, "all", "", lambda _: configured)
    assert isinstance(done, Configured), done
    return shop
