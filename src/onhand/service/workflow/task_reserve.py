"""`TryReserveOrderlinesScheduledTask`: stock that came is reserved for the orders that wait, oldest first.

The queue is read first, then it is served in portions. What each order gets is planned from one running count, in the order
of the queue; the changes of a portion are committed together, each order as one group. An order that changes meanwhile is
planned again from what it is then, and whatever a group cannot have under the locks is left for the next run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from onhand.core.orders import allotting
from onhand.core.orders.allotting import Turn
from onhand.core.orders.applying import Stored
from onhand.core.orders.configuration import ScheduledTask, Workflows
from onhand.core.orders.events import Category, Entry, Operation
from onhand.core.orders.labels import LIVE, OPEN, SHORT
from onhand.core.orders.moves import ZERO, ItemRef, Reserve
from onhand.core.orders.promising import Left, levels
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.stocked import Stocked
from onhand.core.orders.working import Surroundings
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.service.workflow.overdue import CLOCK
from onhand.service.workflow.saving import Around, Change, Saving
from onhand.service.workflow.searching import ORDER, order_key, read_record
from onhand.service.workflow.stocks import Stocks
from onhand.service.workflow.task_runs import Beat, Done

PAGE: Final = 200
"""Orders that are read at once."""
PORTION: Final = 32
"""Orders whose changes are committed at once."""


class TryReserve:
    """Serves the queue."""

    def __init__(self, documents: Documents, saving: Saving, around: Around, stocks: Stocks) -> None:
        self._documents = documents
        self._saving = saving
        self._around = around
        self._stocks = stocks

    async def __call__(self, environment_id: str, _task: ScheduledTask, beat: Beat) -> Done:
        """One run.

        Raises:
            Fault: the store; what was reserved stays reserved.
        """
        around = await self._around(environment_id, CLOCK.user)
        if not allotting.may_reserve(around.workflows.inventory):
            return Done(message="Reservations are disabled.")
        queue = await self._queue(around.rules, around.workflows, beat)
        serving = _Serving(environment_id, around, self._saving, self._stocks)
        for start in range(0, len(queue), PORTION):
            await beat()
            keys = [
                order_key(around.rules.environment, one.order_id) for one in queue[start : start + PORTION]
            ]
            rows = {row.key: row for row in await self._documents.documents(keys)}
            stored = [
                Stored(key, rows[key].version, read_record(rows[key].body)) for key in keys if key in rows
            ]
            await serving.serve(stored)
        return Done(orders=serving.orders, lines=serving.lines, skipped=serving.skipped)

    async def _queue(self, rules: Rules, workflows: Workflows, beat: Beat) -> list[Turn]:
        queue: list[Turn] = []
        after = None
        while True:
            page = await self._documents.find(
                rules.environment, ORDER, [OPEN, LIVE, SHORT], after=after, limit=PAGE
            )
            for row in page.rows:
                record = read_record(row.body)
                if record.order is not None and allotting.wanted(record, workflows):
                    queue.append(allotting.turn(record.order))
            await beat()
            after = page.next
            if after is None:
                return sorted(queue)


class _Serving:
    """The running count of one run."""

    def __init__(self, environment_id: str, around: Surroundings, saving: Saving, stocks: Stocks) -> None:
        self._environment_id = environment_id
        self._around = around
        self._saving = saving
        self._stocks = stocks
        self._stock: dict[ItemRef, Stocked] = {}
        self._left = Left(self._available)
        self.orders = self.lines = self.skipped = 0

    def _available(self, item: ItemRef) -> Decimal:
        found = self._stock.get(item)
        return ZERO if found is None else found.available

    async def serve(self, stored: Sequence[Stored]) -> None:
        """Give the orders, in this order, what there is for them."""
        workflows = self._around.workflows
        wanted = [(one.key.id, allotting.wanted(one.record, workflows)) for one in stored]
        unknown = {
            level
            for _, wishes in wanted
            for wish in wishes
            for level in levels(wish.item)
            if level not in self._stock
        }
        self._stock |= await self._stocks.of(self._around.rules, workflows, unknown)
        planned = [(order_id, allotting.allotted(wishes, self._left)) for order_id, wishes in wanted]
        await asyncio.gather(*(self._reserve(order_id, moves) for order_id, moves in planned if moves))

    async def _reserve(self, order_id: str, moves: tuple[Reserve, ...]) -> None:
        reserving = _Reserving(self._around.workflows, self._left, moves)
        refusal = await self._saved(order_id, reserving)
        if refusal is None:
            self._count(reserving.moves)
        elif refusal.code is not Code.VALIDATION_FAILED or len(reserving.moves) == 1:
            self.skipped += 1
        else:
            await self._one_by_one(order_id, reserving.moves)

    async def _one_by_one(self, order_id: str, moves: Sequence[Reserve]) -> None:
        """Somebody else was faster at one of the items: each line by itself."""
        got: list[Reserve] = []
        for move in moves:
            reserving = _Reserving(self._around.workflows, self._left, (move,), only=move)
            if await self._saved(order_id, reserving) is None:
                got += reserving.moves
        if got:
            self._count(got)
        else:
            self.skipped += 1

    async def _saved(self, order_id: str, reserving: _Reserving) -> Refused | None:
        saved = await self._saving.save(self._environment_id, order_id, reserving.make, actor=CLOCK)
        return saved if isinstance(saved, Refused) else None

    def _count(self, moves: Sequence[Reserve]) -> None:
        self.orders += bool(moves)
        self.lines += len(moves)


class _Reserving:
    """The change of one order. Made again, it withdraws its promises first, so that nothing is promised twice."""

    def __init__(
        self, workflows: Workflows, left: Left, moves: tuple[Reserve, ...], *, only: Reserve | None = None
    ) -> None:
        self._workflows = workflows
        self._left = left
        self._only = only
        self.moves = moves

    def make(self, stored: Stored, _now: datetime) -> Change | None:
        """What the order gets, from what it is now."""
        for one in self.moves:
            self._left.put_back(one.item, one.quantity)
        wishes = allotting.wanted(stored.record, self._workflows)
        if self._only is not None:
            wishes = tuple(one for one in wishes if one.line == self._only.line)
        self.moves = allotting.allotted(wishes, self._left)
        order = stored.record.order
        if not self.moves or order is None:
            return None
        entry = Entry(
            message=allotting.told(self.moves), category=Category.UPDATED, operation=Operation.SCHEDULED_TASK
        )
        return Change(after=allotting.supplied(order, self.moves), entries=(entry,), moves=self.moves)
