"""Creating, replacing, changing and deleting orders (order specification 8.2).

Everything is stored by `Saving`: one group with the reservations that follow, the events and the version that is
replaced. Where a workflow is to run, its run begins in that same group, and is executed before the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID, uuid4, uuid5

import msgspec

from onhand.core.orders import statuses
from onhand.core.orders.applying import Stored
from onhand.core.orders.configuration import Workflows, same
from onhand.core.orders.creating import as_pos, left_before, prepared, reservations_at_creation, told_of
from onhand.core.orders.editing import bounded
from onhand.core.orders.entities import Json
from onhand.core.orders.events import Actor, Category, Entry
from onhand.core.orders.following import moves_of_change
from onhand.core.orders.lines import patched_order
from onhand.core.orders.model import DELETED, QUEUED, Order
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.repeating import Mark, claim_write
from onhand.core.orders.requests import StatusUpdate
from onhand.core.orders.working import Surroundings
from onhand.core.rules import Rules
from onhand.service.environments import Environments
from onhand.service.workflow.adopting import Adopting
from onhand.service.workflow.engine import RunAnswer, Workflow
from onhand.service.workflow.numbering import Numbering
from onhand.service.workflow.saving import Around, Change, Make, Plan, Saving, other_body
from onhand.service.workflow.searching import shown

_IDS: Final = UUID("0b6a3f0e-94c5-5c0e-8a3e-6f1d2f4b7c90")
"""Namespace of order ids that are made from an idempotency key."""


class Created(msgspec.Struct, frozen=True):
    """An order that is there now, or was made by the same request before."""

    order: Order
    replayed: bool = False


class Orders:
    """Changes of whole orders."""

    def __init__(  # noqa: PLR0913 - each is a part of the service
        self,
        saving: Saving,
        around: Around,
        environments: Environments,
        numbering: Numbering,
        adopting: Adopting,
        workflow: Workflow,
    ) -> None:
        self._saving = saving
        self._around = around
        self._environments = environments
        self._numbering = numbering
        self._adopting = adopting
        self._workflow = workflow

    # Creating ----------------------------------------------------------------------------------------------

    async def create(
        self, environment_id: str, order: Order, actor: Actor, mark: Mark | None = None
    ) -> Created | Refused:
        """A new order; the workflow of its initial status has run when this returns.

        With a mark it is made once: the key belongs to the request that used it first, whatever order that one named.
        """
        rules = await self._environments.current(environment_id)
        before = None if mark is None else await self._answered(environment_id, mark)
        if before is not None:
            return before
        order = await self.named(rules, order, mark)
        done = await self.create_named(environment_id, order, actor, mark, runs=True)
        if not isinstance(done, Refused):
            return Created(done.order)
        if mark is not None and done.code in (Code.DUPLICATE_ID, Code.ORDER_LOCKED):
            # The same request was sent twice at once, and the other one was faster.
            return await self._answered(environment_id, mark) or done
        return done

    async def _answered(self, environment_id: str, mark: Mark) -> Created | Refused | None:
        """What the request with this key got; None when it has made nothing."""
        claim = await self._saving.claim(environment_id, mark)
        if claim is None:
            return None
        if claim.digest != mark.digest:
            return other_body()
        order = shown((await self._saving.stored(environment_id, claim.order_id)).record)
        return no_order(claim.order_id) if order is None else Created(order, replayed=True)

    async def create_pos(
        self, environment_id: str, order: Order, actor: Actor, mark: Mark | None = None
    ) -> Created | Refused:
        """A new order of a till, Completed at once."""
        named = as_pos(order)
        if isinstance(named, Refused):
            return named
        return await self.create(environment_id, named, actor, mark)

    async def named(self, rules: Rules, order: Order, mark: Mark | None) -> Order:
        """The order with an id and a number."""
        if not order.id:
            made = uuid4() if mark is None else uuid5(_IDS, f"{rules.environment}\x1f{mark.key}")
            order = msgspec.structs.replace(order, id=str(made))
        if not order.order_number:
            number = await self._numbering.next_order_number(rules)
            order = msgspec.structs.replace(order, order_number=number)
        return order

    async def create_named(  # noqa: PLR0913 - who makes what, and how
        self,
        environment_id: str,
        order: Order,
        actor: Actor,
        mark: Mark | None,
        *,
        runs: bool,
        imported: bool = False,
    ) -> RunAnswer | Refused:
        """A new order that has its id and number; with `runs` the workflow of its initial status runs."""
        around = await self._around(environment_id, actor.user, actor.user_id)
        workflows = around.workflows
        category = Category.IMPORTED if imported else Category.CREATED
        claim = None if mark is None else claim_write(around.rules.environment, mark, order.id)

        def make(stored: Stored, now: datetime) -> Change | Refused:
            if stored.record.order is not None:
                return Refused(Code.DUPLICATE_ID, f"There is an order {order.id!r} already.")
            first = prepared(order, workflows, now, imported=imported)
            if isinstance(first, Refused):
                return first
            if isinstance(large := bounded(first), Refused):
                return large
            adopted = moves_of_change(stored.record, first)
            reserved = () if imported or isinstance(adopted, Refused) else adopted
            left = left_before(first, stored.record)
            change = Change(
                after=first,
                entries=(Entry(message="The order was created.", category=category), *told_of(left)),
                claim=claim,
                moves=() if imported else tuple(reservations_at_creation(first, workflows, reserved, left)),
            )
            if not runs or same(first.status, QUEUED):
                return change
            update = StatusUpdate(status=first.status)
            return self.begun(workflows, change, first, update, now, actor, enforced=False)

        return await self.apply(environment_id, order.id, make, actor)

    # Replacing and changing --------------------------------------------------------------------------------

    async def put(  # noqa: PLR0913 - who replaces what, and how
        self,
        environment_id: str,
        order_id: str,
        order: Order,
        actor: Actor,
        *,
        runs: bool = False,
        expected: str | None = None,
        imported: bool = False,
    ) -> RunAnswer | Refused:
        """Replace an order; with `runs` the workflow of its status runs."""
        around = await self._around(environment_id, actor.user, actor.user_id)
        workflows = around.workflows
        category = Category.IMPORTED if imported else Category.UPDATED

        def make(stored: Stored, now: datetime) -> Change | Refused:
            before = stored.record.order
            if before is None:
                return no_order(order_id)
            wanted = msgspec.structs.replace(
                order,
                id=order_id,
                order_number=order.order_number or before.order_number,
                order_type=order.order_type or before.order_type,
                status=order.status or before.status,
                created=order.created or before.created,
            )
            after = prepared(wanted, workflows, now, imported=True)
            if not (imported or runs or isinstance(after, Refused)):
                after = _named_status(before, after, workflows)
            if isinstance(after, Refused):
                return after
            entry = Entry(message="The order was replaced.", category=category, previous_status=before.status)
            change = sized(after, entry)
            if not runs or isinstance(change, Refused):
                return change
            update, order_before = (
                StatusUpdate(status=after.status),
                msgspec.structs.replace(after, status=before.status),
            )
            return self.begun(workflows, change, order_before, update, now, actor, enforced=True)

        return await self.apply(environment_id, order_id, make, actor, expected)

    async def patch(
        self, environment_id: str, order_id: str, value: Json, actor: Actor, expected: str | None = None
    ) -> Order | Refused:
        """Change properties of an order; never runs a workflow."""
        around = await self._around(environment_id, actor.user, actor.user_id)

        def make(stored: Stored, _now: datetime) -> Change | Refused:
            before = stored.record.order
            if before is None:
                return no_order(order_id)
            after = patched_order(before, value)
            if isinstance(after, Refused):
                return after
            if after.id != order_id:
                return Refused(Code.VALIDATION_FAILED, "id cannot be changed.")
            after = _named_status(before, after, around.workflows)
            entry = Entry(
                message="The order was changed.", category=Category.UPDATED, previous_status=before.status
            )
            return sized(after, entry)

        done = await self.apply(environment_id, order_id, make, actor, expected)
        return done if isinstance(done, Refused) else done.order

    async def edit(  # noqa: PLR0913 - who changes what, and how
        self,
        environment_id: str,
        order_id: str,
        edit: Callable[[Order, datetime], Order | Refused],
        entry: Entry,
        actor: Actor,
        *,
        expected: str | None = None,
    ) -> Order | Refused:
        """Change parts of an order by a pure function; a change of nothing is not stored."""

        def make(stored: Stored, now: datetime) -> Change | Refused | None:
            before = stored.record.order
            if before is None:
                return no_order(order_id)
            after = statuses.writable(before) or edit(before, now)
            return None if after == before else sized(after, entry)

        done = await self.apply(environment_id, order_id, make, actor, expected)
        return done if isinstance(done, Refused) else done.order

    async def delete(
        self,
        environment_id: str,
        order_id: str,
        actor: Actor,
        *,
        permanently: bool,
        expected: str | None = None,
    ) -> Refused | None:
        """Delete an order: it gets the status Deleted, or it is gone and what it had reserved is given back.

        The ledger of a permanently deleted order stays, so that no reduction takes place again under its id.
        """

        def make(stored: Stored, _now: datetime) -> Change | Refused | None:
            before = stored.record.order
            if before is None:
                return no_order(order_id)
            if same(before.status, DELETED) and not permanently:
                return None
            message = "The order was deleted for ever." if permanently else "The order was deleted."
            entry = Entry(message=message, category=Category.DELETED, previous_status=before.status)
            after = None if permanently else msgspec.structs.replace(before, status=DELETED)
            return Change(after=after, entries=(entry,))

        stored = await self._saving.save(environment_id, order_id, make, actor=actor, expected=expected)
        return stored if isinstance(stored, Refused) else None

    # Storing and running -----------------------------------------------------------------------------------

    async def apply(  # noqa: PLR0913 - who changes what, from which version
        self,
        environment_id: str,
        order_id: str,
        make: Make,
        actor: Actor,
        expected: str | None = None,
        mark: Mark | None = None,
    ) -> RunAnswer | Refused:
        """Store a change and execute the run that it begins, if it begins one."""

        def adopt(_stored: Stored, around: Surroundings) -> Plan:
            return partial(self._adopting.plan, around)

        stored = await self._saving.save(
            environment_id, order_id, make, actor=actor, expected=expected, adopt=adopt, mark=mark
        )
        if isinstance(stored, Refused):
            return stored
        if stored.record.run is not None and stored.record.run.claimed_to > self._saving.now():
            return await self._workflow.execute(environment_id, stored, actor)
        order = shown(stored.record)
        return no_order(order_id) if order is None else RunAnswer(order=order, replayed=stored.replayed)

    async def enter(
        self, environment_id: str, order_id: str, update: StatusUpdate, actor: Actor
    ) -> RunAnswer | Refused:
        """An order, or one of its shipments, enters a further status of the same request."""
        return await self._workflow.enter(environment_id, order_id, update, actor, None)

    def begun(  # noqa: PLR0913 - what a status change consists of
        self,
        workflows: Workflows,
        change: Change,
        order: Order,
        update: StatusUpdate,
        now: datetime,
        actor: Actor,
        *,
        enforced: bool,
    ) -> Change | Refused:
        """The change with the status entered and its run begun, or queued behind the one that it begins already."""
        begun = self._workflow.begin(workflows, order, update, now, actor, enforced=enforced)
        if isinstance(begun, Refused):
            return begun
        runs = [one for one in (change.run, *change.queued, begun.run) if one is not None]
        return msgspec.structs.replace(
            change,
            after=begun.order,
            run=runs[0] if runs else None,
            queued=tuple(runs[1:]),
            entries=(*change.entries, *begun.entries),
        )


def no_order(order_id: str) -> Refused:
    """There is no such order."""
    return Refused(Code.NOT_FOUND, f"There is no order {order_id!r}.")


def sized(after: Order | Refused, *entries: Entry) -> Change | Refused:
    """The change to this order, if it is not too large."""
    found = after if isinstance(after, Refused) else bounded(after)
    return found if isinstance(found, Refused) else Change(after=found, entries=entries)


def _named_status(before: Order, after: Order, workflows: Workflows) -> Order | Refused:
    """The order that is changed without its workflow, its status as the type spells it; refused where it may not have it."""
    if same(before.status, after.status) and same(before.order_type, after.order_type):
        return after
    if same(after.status, DELETED) or same(after.status, QUEUED):
        return after
    order_type = statuses.resolve(workflows, after.order_type)
    if isinstance(order_type, Refused):
        return order_type
    wanted = statuses.target(order_type, after.status)
    if isinstance(wanted, Refused):
        return wanted
    refusal = statuses.allowed(order_type, before.status, wanted)
    if refusal is not None:
        return refusal
    return msgspec.structs.replace(after, order_type=order_type.name, status=wanted.name)
