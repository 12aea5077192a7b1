"""Many orders at once, each by itself (order specification 8.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from onhand.core.orders.events import Actor
from onhand.core.orders.model import Order
from onhand.core.orders.refusals import Code, Refused
from onhand.service.environments import Environments
from onhand.service.faults import Fault
from onhand.service.workflow.orders import Orders
from onhand.service.workflow.saving import Saving

Mode = Literal["add", "import", "upsert"]
"""Never overwrites and runs workflows; overwrites and runs none; overwrites and may run them."""

AT_ONCE: Final = 8
"""Orders of one bulk that are worked on at the same time."""


class BulkResult(msgspec.Struct, frozen=True):
    """What became of one order of a bulk."""

    order_id: str
    outcome: Literal["created", "updated"] | Refused | Fault
    version_id: str = ""


class BulkOrders:
    """Creates and replaces orders in bulk."""

    def __init__(self, orders: Orders, saving: Saving, environments: Environments) -> None:
        self._orders = orders
        self._saving = saving
        self._environments = environments

    async def apply(
        self, environment_id: str, orders: Sequence[Order | Refused], mode: Mode, actor: Actor, *, runs: bool
    ) -> list[BulkResult]:
        """Each order by itself, one result each, in order; of two with one id only the first is taken."""
        gate = asyncio.Semaphore(AT_ONCE)
        seen: set[str] = set()

        async def one(order: Order | Refused, *, twice: bool) -> BulkResult:
            if isinstance(order, Refused):
                return BulkResult("", order)
            if twice:
                refusal = Refused(Code.DUPLICATE_ID, f"Order {order.id!r} is in the list twice.")
                return BulkResult(order.id, refusal)
            async with gate:
                try:
                    return await self._item(environment_id, order, mode, actor, runs=runs)
                except Fault as fault:
                    return BulkResult(order.id, fault)

        tasks = []
        for order in orders:
            known = "" if isinstance(order, Refused) else order.id
            tasks.append(one(order, twice=bool(known) and known in seen))
            seen.add(known)
        return list(await asyncio.gather(*tasks))

    async def _item(
        self, environment_id: str, order: Order, mode: Mode, actor: Actor, *, runs: bool
    ) -> BulkResult:
        rules = await self._environments.current(environment_id)
        order = await self._orders.named(rules, order, None)
        if mode != "add":
            stored = await self._saving.stored(environment_id, order.id)
            if stored.record.order is not None:
                # What is imported may have a version of another system.
                expected = order.version_id if mode == "upsert" else None
                replaced = await self._orders.put(
                    environment_id,
                    order.id,
                    order,
                    actor,
                    runs=runs,
                    imported=mode == "import",
                    expected=expected,
                )
                if isinstance(replaced, Refused):
                    return BulkResult(order.id, replaced)
                return BulkResult(order.id, "updated", replaced.order.version_id or "")
        made = await self._orders.create_named(
            environment_id, order, actor, None, runs=mode == "add" or runs, imported=mode == "import"
        )
        if isinstance(made, Refused):
            return BulkResult(order.id, made)
        return BulkResult(order.id, "created", made.order.version_id or "")
