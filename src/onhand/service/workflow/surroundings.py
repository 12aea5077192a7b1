"""What a unit must know of the world, gathered for one request."""

from __future__ import annotations

from typing import Final, Protocol

from onhand.core.costing.currencies import code_of
from onhand.core.costing.providers import provider_of
from onhand.core.costing.rates import RateTable
from onhand.core.erp.parameters import Parameters
from onhand.core.orders.configuration import Workflows
from onhand.core.orders.exchange import head_key
from onhand.core.orders.owners import owned
from onhand.core.orders.working import Surroundings
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.service.environments import Environments
from onhand.service.erp.parameters import ErpParameters
from onhand.service.workflow.configurations import Configurations, stamp_key
from onhand.service.workflow.stocks import measures_of

ENVIRONMENTS_MAX: Final = 1_000
"""Environments of which is remembered who owns what."""


class Exchange(Protocol):
    """Where exchange rates come from."""

    async def whole(self, environment: int, seen: int | None = None) -> RateTable:
        """All rates of an environment; `seen` is the version of their head, 0 without one, if it was just read."""


class Gathering:
    """Implements `saving.Around`: one round trip while neither configuration nor rates have changed."""

    def __init__(
        self,
        documents: Documents,
        environments: Environments,
        configurations: Configurations,
        exchange: Exchange,
        erp: ErpParameters,
    ) -> None:
        self._documents = documents
        self._environments = environments
        self._erp = erp
        self._configurations = configurations
        self._exchange = exchange
        self._owned: dict[int, tuple[Parameters, Workflows, Parameters]] = {}
        """By environment: what was combined last, and what came of it."""

    async def __call__(self, environment_id: str, caller: str, user_id: str = "") -> Surroundings:
        """The surroundings of an environment's orders, as they are now."""
        rules = await self._environments.current(environment_id)
        stamp, head = stamp_key(rules.environment), head_key(rules.environment)
        seen = {row.key: row.version for row in await self._documents.documents((stamp, head))}
        workflows = await self._configurations.workflows(rules, seen.get(stamp, 0))
        rates = await self._exchange.whole(rules.environment, seen.get(head, 0))
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
            erp=self._with_owners(rules, await self._erp.stored(rules), workflows),
            caller=caller,
            user_id=user_id,
        )

    def _with_owners(self, rules: Rules, stored: Parameters, workflows: Workflows) -> Parameters:
        """Made once for the same parameters and warehouses."""
        known = self._owned.get(rules.environment)
        if known is not None and known[0] is stored and known[1] is workflows:
            return known[2]
        made = owned(stored, workflows)
        if len(self._owned) >= ENVIRONMENTS_MAX:
            self._owned.clear()
        self._owned[rules.environment] = (stored, workflows, made)
        return made
