"""What a unit must know of the world, gathered for one request."""

from __future__ import annotations

from typing import Protocol

from onhand.core.costing.currencies import code_of
from onhand.core.costing.providers import provider_of
from onhand.core.costing.rates import RateTable
from onhand.core.orders.working import Surroundings
from onhand.service.environments import Environments
from onhand.service.erp.parameters import ErpParameters
from onhand.service.workflow.configurations import Configurations
from onhand.service.workflow.stocks import measures_of


class Exchange(Protocol):
    """Where exchange rates come from."""

    async def whole(self, environment: int) -> RateTable:
        """All rates of an environment."""


class Gathering:
    """Implements `saving.Around`."""

    def __init__(
        self,
        environments: Environments,
        configurations: Configurations,
        exchange: Exchange,
        erp: ErpParameters,
    ) -> None:
        self._environments = environments
        self._erp = erp
        self._configurations = configurations
        self._exchange = exchange

    async def __call__(self, environment_id: str, caller: str, user_id: str = "") -> Surroundings:
        """The surroundings of an environment's orders, as they are now."""
        rules = await self._environments.current(environment_id)
        workflows = await self._configurations.workflows(rules)
        rates = await self._exchange.whole(rules.environment)
        inventory, reserved = measures_of(rules, workflows)
        settings = workflows.inventory
        currency = code_of(settings.default_product_cost_currency)
        return Surroundings(
            rules=rules,
            workflows=workflows,
            inventory_measure=inventory,
            reserved_measure=reserved,
            provider=provider_of(settings.value_provider, currency, rates),
            rates=rates,
            default_currency=currency,
            erp=await self._erp.of(rules),
            caller=caller,
            user_id=user_id,
        )
