"""Orders that somebody should look at by now: runs whose process is gone, steps after a save, scheduled statuses.

The clock calls `take_up`, in each process. Whoever claims a run by the version of its order has it; nothing depends on
being the only one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog

from onhand.core.orders import events, statuses
from onhand.core.orders.applying import Stored
from onhand.core.orders.events import Actor
from onhand.core.orders.labels import SCHEDULED
from onhand.core.orders.model import Order
from onhand.core.orders.refusals import Code, Refused
from onhand.ports import Clock, Documents
from onhand.rows import DocumentRow
from onhand.service.environments import Environments
from onhand.service.faults import Fault
from onhand.service.workflow.leading import Leading, new_id
from onhand.service.workflow.runs import Runs
from onhand.service.workflow.searching import ORDER, read_record

log = structlog.get_logger("onhand.workflow")

OVERDUE: Final = 100
"""Orders of one page."""
PAGES: Final = 10
"""Pages that one look passes over because nothing on them could be taken up."""
CLOCK: Final = Actor(user="onhand", origin="Workflow")


class Overdue:
    """Takes up what is overdue."""

    def __init__(
        self, documents: Documents, environments: Environments, clock: Clock, leading: Leading, runs: Runs
    ) -> None:
        self._documents = documents
        self._environments = environments
        self._clock = clock
        self._leading = leading
        self._runs = runs
        self._last: DocumentRow | None = None
        """Where the look before stopped; None: at the end."""

    async def take_up(self) -> int:
        """Go on with orders that are due; how many were looked at.

        Orders that cannot be taken up stay due, and are passed over: a look ends with the first page of which something
        was taken up, and the next one goes on behind it. So no order waits for ever behind those that are stuck.
        """
        names = {
            rules.environment: rules.environment_id for rules in await self._environments.list_environments()
        }
        seen = 0
        for _ in range(PAGES):
            rows = await self._documents.due(ORDER, self._clock.now_us(), OVERDUE, self._last)
            self._last = rows[-1] if len(rows) == OVERDUE else None
            known = [(names[row.key.environment], row) for row in rows if row.key.environment in names]
            seen += len(known)
            taken = [await self._looked_at(environment_id, row) for environment_id, row in known]
            if any(taken) or self._last is None:
                break
        return seen

    async def _looked_at(self, environment_id: str, row: DocumentRow) -> bool:
        """Whether the order was taken up. Whatever is wrong with one order keeps no other one waiting."""
        try:
            stored = Stored(row.key, row.version, read_record(row.body))
            return await self._take_up(environment_id, stored)
        except Fault as fault:
            log.warning("overdue_order_waits", order=row.key.id, fault=str(fault))
        except Exception:
            log.exception("overdue_order_failed", order=row.key.id)
        return False

    async def _take_up(self, environment_id: str, stored: Stored) -> bool:
        record, now = stored.record, self._now()
        if record.run is not None and record.run.claimed_to <= now:
            claimed = await self._leading.claimed(environment_id, stored, record.run, new_id())
            if claimed is not None:
                await self._runs.execute(environment_id, claimed, CLOCK)
            return claimed is not None
        if record.later and record.later[0].claimed_to <= now:
            await self._runs.after_save(environment_id, stored.key.id, CLOCK)
            return True
        if record.run is None and record.following is not None and record.following.claimed_to <= now:
            claimed = await self._leading.claimed(environment_id, stored, record.following, new_id())
            if claimed is not None:
                await self._runs.follow(environment_id, stored.key.id, record.following, CLOCK)
            return claimed is not None
        if record.run is None and record.order is not None and statuses.is_due(record.order, now):
            return await self._scheduled(environment_id, record.order)
        return False

    async def scheduled(self, environment_id: str, beat: Callable[[], Awaitable[None]]) -> int:
        """Enter the statuses that orders of an environment were to enter by now; how many were entered.

        `beat` is called now and then.

        Raises:
            Fault: the store; what was entered stays entered.
        """
        rules = await self._environments.current(environment_id)
        after, entered = None, 0
        while True:
            page = await self._documents.find(
                rules.environment, ORDER, [SCHEDULED], after=after, limit=OVERDUE, oldest_first=True
            )
            for row in page.rows:
                order = read_record(row.body).order
                if order is not None and statuses.is_due(order, self._now()):
                    entered += await self._scheduled(environment_id, order)
            await beat()
            after = page.next
            if after is None:
                return entered

    async def _scheduled(self, environment_id: str, order: Order) -> bool:
        """Enter the status that the order was to enter by now; whether it was entered."""
        answer = await self._runs.enter_scheduled(environment_id, order.id, CLOCK)
        if isinstance(answer, Refused) and answer.code is not Code.ORDER_LOCKED:
            log.warning(
                "scheduled_status_refused",
                order=order.id,
                status=order.next_order_status,
                reason=answer.message,
            )
        return answer is not None and not isinstance(answer, Refused)

    def _now(self) -> datetime:
        return events.moment(self._clock.now_us())
