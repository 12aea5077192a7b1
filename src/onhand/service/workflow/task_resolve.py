"""`ResolveOverReservedInventoryScheduledTask`: where orders hold more than there is, the newest give it back.

A first look at all open orders adds up what they hold of each item; for the items of which it is more than the inventory
a second look finds who holds it. Each order that loses something is changed in one group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from onhand.core.orders import withdrawing
from onhand.core.orders.allotting import may_reserve
from onhand.core.orders.applying import Stored
from onhand.core.orders.configuration import ScheduledTask
from onhand.core.orders.events import Category, Entry, Operation
from onhand.core.orders.labels import LIVE, OPEN, label
from onhand.core.orders.moves import ZERO, ItemRef
from onhand.core.orders.properties import Settings
from onhand.core.orders.refusals import Refused
from onhand.core.orders.withdrawing import Held, Spot
from onhand.core.orders.working import Surroundings
from onhand.ports import Documents
from onhand.service.workflow.overdue import CLOCK
from onhand.service.workflow.saving import Around, Change, Saving
from onhand.service.workflow.searching import ORDER, read_record
from onhand.service.workflow.stocks import Stocks
from onhand.service.workflow.task_runs import Beat, Done

PAGE: Final = 200
"""Orders, or items, that are read at once."""

Lost = tuple[Held, Decimal]


class ResolveOverReserved:
    """Takes back what cannot be kept."""

    def __init__(self, documents: Documents, saving: Saving, around: Around, stocks: Stocks) -> None:
        self._documents = documents
        self._saving = saving
        self._around = around
        self._stocks = stocks

    async def __call__(self, environment_id: str, task: ScheduledTask, beat: Beat) -> Done:
        """One run.

        Raises:
            PropertyError: a property of the task cannot be read; nothing was changed.
            Fault: the store; what was taken back stays taken back.
        """
        settings = Settings(task.properties)
        buys = settings.flag("EnableCreatePurchaseOrder")
        purchased_too = settings.flag("EnablePurchaseOrderReduction")
        around = await self._around(environment_id, CLOCK.user)
        if not may_reserve(around.workflows.inventory):
            return Done(message="Reservations are disabled.")
        lost: dict[str, list[Lost]] = defaultdict(list)
        for spot, inventory in (await self._over(around, beat)).items():
            holders = await self._holders(around, spot, beat)
            for loss in withdrawing.losses(holders, inventory, purchased_too=purchased_too):
                lost[loss[0].order_id].append(loss)
        orders = lines = 0
        for order_id, losses in lost.items():
            await beat()
            taken = await self._take(environment_id, around, order_id, losses, buys=buys)
            orders += bool(taken)
            lines += taken
        return Done(orders=orders, lines=lines, skipped=len(lost) - orders)

    async def _over(self, around: Surroundings, beat: Beat) -> dict[Spot, Decimal]:
        """Inventory of each item of which orders hold more."""
        sums: dict[Spot, Decimal] = defaultdict(lambda: ZERO)
        items: dict[Spot, ItemRef] = {}
        async for one in self._held(around, [], beat):
            sums[one.spot] += one.quantity
            items.setdefault(one.spot, ItemRef(one.item.sku, one.item.warehouse))
        over: dict[Spot, Decimal] = {}
        spots = list(items)
        for start in range(0, len(spots), PAGE):
            part = spots[start : start + PAGE]
            await beat()
            stock = await self._stocks.of(around.rules, around.workflows, [items[one] for one in part])
            inventories = {one: stock[items[one]].inventory if items[one] in stock else ZERO for one in part}
            over |= {one: found for one, found in inventories.items() if sums[one] > max(ZERO, found)}
        return over

    async def _holders(self, around: Surroundings, spot: Spot, beat: Beat) -> list[Held]:
        return [one async for one in self._held(around, [label("sku", spot[0])], beat) if one.spot == spot]

    async def _held(self, around: Surroundings, labels: Sequence[str], beat: Beat) -> AsyncIterator[Held]:
        """What the lines of open orders with these labels hold."""
        after = None
        while True:
            page = await self._documents.find(
                around.rules.environment, ORDER, [OPEN, LIVE, *labels], after=after, limit=PAGE
            )
            for row in page.rows:
                for one in withdrawing.held(read_record(row.body), around.workflows):
                    yield one
            await beat()
            after = page.next
            if after is None:
                return

    async def _take(
        self, environment_id: str, around: Surroundings, order_id: str, losses: Sequence[Lost], *, buys: bool
    ) -> int:
        """Take it back from one order; how many lines lost something."""
        taken: list[Lost] = []

        def make(stored: Stored, _now: datetime) -> Change | None:
            order = stored.record.order
            present = {one.line: one for one in withdrawing.held(stored.record, around.workflows)}
            taken[:] = [
                (present[one.line], min(quantity, present[one.line].quantity))
                for one, quantity in losses
                if one.line in present and present[one.line].spot == one.spot
            ]
            if order is None or not taken:
                return None
            entry = Entry(
                message=withdrawing.told(taken), category=Category.UPDATED, operation=Operation.SCHEDULED_TASK
            )
            return Change(
                after=withdrawing.bereft(order, taken, buys=buys),
                entries=(entry,),
                moves=tuple(withdrawing.moves_of(taken)),
            )

        saved = await self._saving.save(environment_id, order_id, make, actor=CLOCK)
        return 0 if isinstance(saved, Refused) else len(taken)
