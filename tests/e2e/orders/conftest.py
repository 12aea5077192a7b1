"""An environment with two warehouses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from onhand.core.orders.configuration import InventorySettings, Warehouse
from onhand.core.orders.configured import Configured
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
