"""Returns of orders: registered, changed, led through their workflow (order specification 6.7, 8.2)."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from onhand.core.orders import returning, statuses
from onhand.core.orders.applying import Stored
from onhand.core.orders.entities import Json
from onhand.core.orders.events import Actor, Category, Entry
from onhand.core.orders.model import Order
from onhand.core.orders.refusals import Refused
from onhand.core.orders.repeating import Mark
from onhand.core.orders.requests import StatusUpdate
from onhand.core.orders.returning import ReturnRequest, ReturnStatusRequest
from onhand.service.workflow.engine import RunAnswer
from onhand.service.workflow.order_parts import OrderParts
from onhand.service.workflow.orders import Orders, no_order, sized
from onhand.service.workflow.saving import Around, Change


class OrderReturns:
    """Changes of returns."""

    def __init__(self, orders: Orders, parts: OrderParts, around: Around) -> None:
        self._orders = orders
        self._parts = parts
        self._around = around

    async def create(  # noqa: PLR0913 - who returns what
        self,
        environment_id: str,
        order_id: str,
        request: ReturnRequest,
        actor: Actor,
        expected: str | None,
        mark: Mark | None = None,
    ) -> RunAnswer | Refused:
        """Register a return. With a status in the request, the return enters it and its workflow runs."""
        around = await self._around(environment_id, actor.user, actor.user_id)
        settings = around.workflows.settings.return_settings

        def make(stored: Stored, now: datetime) -> Change | Refused:
            before = stored.record.order
            if before is None:
                return no_order(order_id)
            done = statuses.writable(before) or returning.registered(before, request, settings, now)
            if isinstance(done, Refused):
                return done
            after, form = done
            entry = Entry(
                message=f"Return {form.return_id} was registered.",
                category=Category.ADDED,
                properties={"returnId": form.return_id},
            )
            change = sized(after, entry)
            if isinstance(change, Refused) or not request.status:
                return change
            update = StatusUpdate(status=request.status, return_id=form.return_id, user_id=request.user_id)
            return self._orders.begun(around.workflows, change, after, update, now, actor, enforced=True)

        return await self._orders.apply(environment_id, order_id, make, actor, expected, mark)

    async def status(  # noqa: PLR0913 - what enters which status
        self,
        environment_id: str,
        order_id: str,
        return_id: str,
        request: ReturnStatusRequest,
        actor: Actor,
        expected: str | None,
    ) -> RunAnswer | Refused:
        """A return enters a status, and its workflow runs."""
        update = StatusUpdate(
            status=request.status,
            return_id=return_id,
            skip_run_workflow=request.skip_run_workflow,
            user_id=request.user_id,
        )
        return await self._parts.status(environment_id, order_id, update, actor, expected)

    async def patch(  # noqa: PLR0913 - what is changed
        self,
        environment_id: str,
        order_id: str,
        return_id: str,
        value: Json,
        actor: Actor,
        expected: str | None,
    ) -> Order | Refused:
        """Change properties of a return; runs nothing."""
        edit = partial(_patched_return, return_id, value)
        entry = Entry(
            message=f"Return {return_id} was changed.",
            category=Category.UPDATED,
            properties={"returnId": return_id},
        )
        return await self._orders.edit(environment_id, order_id, edit, entry, actor, expected=expected)


def _patched_return(return_id: str, value: Json, order: Order, now: datetime) -> Order | Refused:
    return returning.patched_return(order, return_id, value, now)
