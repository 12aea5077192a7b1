"""Operations of the original that are not built: an honest answer instead of a wrong one."""

from __future__ import annotations

from onhand.api import problems
from onhand.api.exchange import Call, Reply
from onhand.api.services import Services


def not_implemented(what: str) -> Reply:
    """501 with a body that says what is missing; nothing changed."""
    return problems.plain(501, f"{what} is not implemented by this service. Nothing changed.")


async def change_schedule(_call: Call, _services: Services) -> Reply:
    """On-hand change schedules."""
    return not_implemented("On-hand change schedule")


async def allocation(_call: Call, _services: Services) -> Reply:
    """Allocation."""
    return not_implemented("Allocation")


async def product_search(_call: Call, _services: Services) -> Reply:
    """Product search."""
    return not_implemented("Product search")


async def adjustment(_call: Call, _services: Services) -> Reply:
    """Adjustments of the business layer."""
    return not_implemented("The adjustment of inventory transactions")


async def log_details(_call: Call, _services: Services) -> Reply:
    """Extraction of the request log."""
    return not_implemented("The extraction of the request log")
