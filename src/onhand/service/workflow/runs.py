"""The workflow engine: an order enters a status, and the steps of the status run.

Theory of operation
-------------------
A status change is one group: the order in its new status, the run that is due, and the holds that change their mark. The
request that made it has claimed the run and executes it; if it dies, the claim runs out and any process goes on.

A run is led step by step (`core.orders.running` says which comes next and why one is skipped). A step plans from facts; each
of its units is applied as one group that holds the stock, the ledger, the line costs, the transactions **and the
checkpoint**: the unit's key in the run. There is no plan to save: what was committed carries its checkpoint, what was not did not
happen. What changes nothing but the order waits in memory for the next group, or for the last save; if it gets lost, the same
steps make it again from the same facts.

The version of the order's document is the fence. If it is not the one that was read (a run after the save, a recalculation),
the order is read again and the run goes on from its last checkpoint. A fault of the store does the same, a bounded number of
times; if the answer of a commit was lost, the checkpoint says whether it landed.

A run ends with one save (`ending`): results become events, errors go to the order, the client's version rises, and the steps
that wait for the save are queued in the record and executed in the background. If the request began further runs, for other
shipments, the same save puts the next one in the place of the one that ends, in the same hands. A status that a step wants
next is entered after that, never in the middle; until then the record says that it is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import structlog

from onhand.core.orders import events, returning, running, statuses
from onhand.core.orders.actions import DryRunRequest, ManualStepRequest
from onhand.core.orders.applying import Stored
from onhand.core.orders.configuration import OrderType, Workflows, WorkflowStep, same
from onhand.core.orders.events import Actor, Category, Entry, Operation
from onhand.core.orders.model import EntityError, Order
from onhand.core.orders.record import OrderRecord, Run
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.requests import ShipmentInfo, StatusUpdate
from onhand.ports import Clock
from onhand.service.faults import Fault, InvariantViolation
from onhand.service.workflow.background import Background
from onhand.service.workflow.engine import Begun, RunAnswer
from onhand.service.workflow.leading import Leading, new_id
from onhand.service.workflow.saving import Around, Change, Saving
from onhand.service.workflow.searching import shown

log = structlog.get_logger("onhand.workflow")


class Runs:
    """Enters statuses and executes their runs; implements `engine.Workflow`."""

    def __init__(
        self, saving: Saving, clock: Clock, around: Around, leading: Leading, background: Background
    ) -> None:
        self._saving = saving
        self._clock = clock
        self._around = around
        self._leading = leading
        self._background = background

    def begin(  # noqa: PLR0913 - what a status change consists of
        self,
        workflows: Workflows,
        order: Order,
        update: StatusUpdate,
        now: datetime,
        actor: Actor,
        *,
        enforced: bool = True,
        depth: int = 0,
        order_type: str = "",
    ) -> Begun | Refused:
        """Enter a status (specification 2.4, items 1 to 5) with the run of its steps, claimed. Stores nothing."""
        refusal = statuses.writable(order)
        if refusal is not None:
            return refusal
        kind = statuses.resolve(workflows, order_type or order.order_type)
        if isinstance(kind, Refused):
            return kind
        entered = _entered(workflows, order, kind, update, now, enforced=enforced)
        if isinstance(entered, Refused):
            return entered
        run = None
        if not (update.skip_run_workflow or kind.disable_workflow):
            run = running.begun(
                entered.status.workflow_steps,
                workflows,
                run_id=new_id(),
                order_type=kind.name,
                status=entered.status.name,
                now=now,
                claim=new_id(),
                until=now + self._leading.lease,
                shipment_id=entered.shipment_id,
                return_id=update.return_id,
                user_id=update.user_id or actor.user_id,
                depth=depth,
            )
        entry = Entry(
            message=f"Status {entered.status.name} was entered.",
            category=Category.WORKFLOW if run is not None else Category.UPDATED,
            operation=Operation.WORKFLOW_STARTED if run is not None else Operation.STATUS_WITHOUT_WORKFLOW,
            previous_status=entered.previous,
            shipment_id=entered.shipment_id or "",
        )
        return Begun(order=entered.order, run=run, entries=(entry,))

    async def execute(self, environment_id: str, stored: Stored, actor: Actor) -> RunAnswer:
        """Execute the run that the stored order is in, those that its request queued, and those that they trigger.

        Each is a run of its own: one that is halted does not keep the next one away. If several want a status,
        the last one wins (D6).

        Raises:
            Fault: the store, again and again; the run goes on by itself when its claim runs out.
        """
        run, claim = stored.record.run, "" if stored.record.run is None else stored.record.run.claim
        wanting, led = None, list[Run]()
        while run is not None and run.claim == claim:
            ended = await self._leading.to_the_end(environment_id, stored, run.id, claim, actor)
            if ended is None:
                fresh = await self._saving.stored(environment_id, stored.key.id)
                return _answer(fresh.record, led, stored.record)
            stored, run = ended
            led.append(run)
            wanting = running.wanting(run) or wanting
            run = stored.record.run
        answer = _answer(stored.record, led, stored.record)
        if stored.record.later:
            self._background.start(self.after_save(environment_id, stored.key.id, actor))
        return answer if wanting is None else await self._triggered(environment_id, answer, wanting, actor)

    async def after_save(self, environment_id: str, order_id: str, actor: Actor) -> None:
        """Execute the runs that waited for the save, and enter the status that they want."""
        wanting = await self._leading.after_save(environment_id, order_id, actor)
        if wanting is None:
            return
        try:
            await self.follow(environment_id, order_id, wanting, actor)
        except Fault as fault:
            log.warning("status_not_entered", order=order_id, status=wanting.trigger, fault=str(fault))

    async def follow(self, environment_id: str, order_id: str, run: Run, actor: Actor) -> None:
        """Enter the status that a run wants which ended before."""
        stored = await self._saving.stored(environment_id, order_id)
        if stored.record.order is not None:
            await self._triggered(environment_id, _answer(stored.record, (), stored.record), run, actor)

    async def _triggered(self, environment_id: str, answer: RunAnswer, run: Run, actor: Actor) -> RunAnswer:
        """Enter the status that the last step wanted; it stays in the record until that is done."""
        order_id = answer.order.id
        if run.depth + 1 > running.DEPTH_MAX:
            await self._failed(environment_id, order_id, actor, "WorkflowLoop", _loop(run))
            return msgspec.structs.replace(answer, is_aborted=True)
        update = StatusUpdate(
            status=run.trigger,
            skip_run_workflow=run.trigger_without_workflow,
            user_id=run.user_id or None,
        )
        following = await self.enter(environment_id, order_id, update, actor, run)
        if isinstance(following, Refused):
            if following.code not in {Code.ORDER_LOCKED, Code.VERSION_CONFLICT}:  # later, or not any more
                await self._failed(environment_id, order_id, actor, following.code.value, following.message)
            return answer
        return msgspec.structs.replace(following, results=(*answer.results, *following.results))

    async def enter(
        self, environment_id: str, order_id: str, update: StatusUpdate, actor: Actor, by: Run | None
    ) -> RunAnswer | Refused:
        """Enter a status that a run, or the clock, wants."""
        around = await self._around(environment_id, actor.user, actor.user_id)

        def make(stored: Stored, now: datetime) -> Change | Refused:
            order = stored.record.order
            if order is None:
                return _gone(order_id)
            following = stored.record.following
            if by is not None and (following is None or following.id != by.id):
                return Refused(
                    Code.VERSION_CONFLICT,
                    f"Another status was entered meanwhile; {update.status!r} is void.",
                )
            begun = self.begin(
                around.workflows,
                order,
                update,
                now,
                actor,
                depth=0 if by is None else by.depth + 1,
                order_type="" if by is None else by.trigger_order_type,
            )
            if isinstance(begun, Refused):
                return begun
            return Change(after=begun.order, entries=begun.entries, run=begun.run, follows=by is not None)

        saved = await self._saving.save(environment_id, order_id, make, actor=actor)
        return saved if isinstance(saved, Refused) else await self.execute(environment_id, saved, actor)

    async def enter_scheduled(
        self, environment_id: str, order_id: str, actor: Actor
    ) -> RunAnswer | Refused | None:
        """Enter the status that an order was to enter by now; None when it is not, or not any more.

        Whether it is due is asked in the change itself, so that of several instances one enters it. A status that
        cannot be entered is taken off the order, which says why in its errors.
        """
        around = await self._around(environment_id, actor.user, actor.user_id)
        begins = False

        def make(stored: Stored, now: datetime) -> Change | Refused | None:
            nonlocal begins
            begins = False
            order = stored.record.order
            if order is None or not statuses.is_due(order, now):
                return None
            refusal = statuses.writable(order)
            if refusal is not None:
                return refusal
            update = StatusUpdate(status=order.next_order_status or "")
            begun = self.begin(around.workflows, order, update, now, actor)
            if isinstance(begun, Refused):
                return _given_up(order, begun, now)
            begins = True
            return Change(after=begun.order, entries=begun.entries, run=begun.run)

        saved = await self._saving.save(environment_id, order_id, make, actor=actor)
        if isinstance(saved, Refused):
            return saved
        return await self.execute(environment_id, saved, actor) if begins else None

    async def _failed(self, environment_id: str, order_id: str, actor: Actor, key: str, message: str) -> None:
        """Leave an entry in the order's errors."""

        def make(stored: Stored, now: datetime) -> Change | Refused:
            order = stored.record.order
            if order is None:
                return _gone(order_id)
            failure = EntityError(key=key, message=message, occurred=now)
            entry = Entry(message=message, category=Category.ERROR, is_error=True)
            after = msgspec.structs.replace(order, errors=(*order.errors, failure))
            return Change(after=after, entries=(entry,), follows=True)

        await self._saving.save(environment_id, order_id, make, actor=actor)

    async def manual_step(
        self, environment_id: str, order_id: str, step: str, request: ManualStepRequest, actor: Actor
    ) -> RunAnswer | Refused:
        """Run one of the steps that are configured for it, by its id or, if unique, its key (specification 2.9)."""
        around = await self._around(environment_id, actor.user, actor.user_id)
        chosen = _manual(around.workflows, step)
        if isinstance(chosen, Refused):
            return chosen

        def make(stored: Stored, now: datetime) -> Change | Refused:
            order = stored.record.order
            if order is None:
                return _gone(order_id)
            refusal = statuses.writable(order)
            if refusal is not None:
                return refusal
            if request.shipment_id is not None and order.shipment(request.shipment_id) is None:
                return Refused(Code.VALIDATION_FAILED, f"The order has no shipment {request.shipment_id!r}.")
            entry = Entry(
                message=f"Step {chosen.name} was started by hand.",
                category=Category.WORKFLOW_STEP,
                operation=Operation.MANUAL_STEP,
                shipment_id=request.shipment_id or "",
            )
            run = running.begun(
                (msgspec.structs.replace(chosen, run_after_order_is_saved=False, active=True),),
                around.workflows,
                run_id=new_id(),
                order_type=order.order_type,
                status=order.status,
                now=now,
                claim=new_id(),
                until=now + self._leading.lease,
                shipment_id=request.shipment_id,
                user_id=request.user_id or actor.user_id,
            )
            return Change(after=order, entries=(entry,), run=run)

        saved = await self._saving.save(environment_id, order_id, make, actor=actor)
        return saved if isinstance(saved, Refused) else await self.execute(environment_id, saved, actor)

    async def dry_run(
        self, environment_id: str, order_id: str, request: DryRunRequest, actor: Actor
    ) -> RunAnswer | Refused:
        """What the workflow of a status would do; nothing changes, also not the version."""
        around = await self._around(environment_id, actor.user, actor.user_id)
        stored = await self._saving.stored(environment_id, order_id)
        before = stored.record
        if before.order is None:
            return _gone(order_id)
        info = None if request.shipment_id is None else ShipmentInfo(shipment_id=request.shipment_id)
        update = StatusUpdate(status=request.status, shipment_info=info)
        begun = self.begin(around.workflows, before.order, update, self._now(), actor)
        if isinstance(begun, Refused):
            return begun
        run = begun.run
        if run is None:
            return _answer(before, (), before)
        run = msgspec.structs.replace(run, steps=(*run.steps, *run.after), after=())
        record = msgspec.structs.replace(before, order=begun.order, run=run)
        led = await self._leading.led(
            around, msgspec.structs.replace(stored, record=record), run.id, actor, is_test=True
        )
        tried = running.run_of(led.record, run.id)
        return _answer(before, () if tried is None else (tried,), before)

    def _now(self) -> datetime:
        return events.moment(self._clock.now_us())


def _answer(record: OrderRecord, runs: Sequence[Run], otherwise: OrderRecord) -> RunAnswer:
    """The order as it is now, and what its runs came to; an order that vanished is shown as it was."""
    order = shown(record) or shown(otherwise)
    if order is None:
        raise InvariantViolation("A run belongs to no order.")
    results = tuple(result for run in runs for result in run.results)
    return RunAnswer(order=order, results=results, is_aborted=any(run.aborted for run in runs))


def _gone(order_id: str) -> Refused:
    return Refused(Code.NOT_FOUND, f"There is no order {order_id!r}.")


def _manual(workflows: Workflows, step: str) -> WorkflowStep | Refused:
    steps = workflows.settings.available_manual_workflow_steps
    found = [one for one in steps if one.id is not None and same(one.id, step)]
    found = found or [one for one in steps if same(one.name, step)]
    if len(found) == 1:
        return found[0]
    if found:
        return Refused(
            Code.VALIDATION_FAILED, f"{len(found)} manual steps have the key {step!r}; name one by its id."
        )
    known = ", ".join(one.id or one.name for one in steps) or "none"
    return Refused(Code.NOT_FOUND, f"There is no manual step {step!r}. There are: {known}.")


def _entered(  # noqa: PLR0913 - what a status change consists of
    workflows: Workflows,
    order: Order,
    kind: OrderType,
    update: StatusUpdate,
    now: datetime,
    *,
    enforced: bool,
) -> statuses.Entered | Refused:
    """The order after it, a shipment or, where there is a return workflow, a return of it has entered the status."""
    returns = workflows.settings.return_settings
    if update.return_id is not None and returns.return_statuses:
        return returning.entered(order, returns, update.return_id, update.status, now)
    entered = statuses.enter(
        order,
        kind,
        update.status,
        now,
        info=update.shipment_info,
        log=workflows.settings.use_order_status_log,
        enforced=enforced,
    )
    if isinstance(entered, Refused):
        return entered
    return msgspec.structs.replace(entered, order=statuses.unscheduled(entered.order, entered.status.name))


def _given_up(order: Order, why: Refused, now: datetime) -> Change:
    """The order without the schedule that leads nowhere."""
    failure = EntityError(key=why.code.value, message=why.message, occurred=now)
    after = msgspec.structs.replace(
        order, update_status_date=None, next_order_status=None, errors=(*order.errors, failure)
    )
    entry = Entry(
        message=f"Status {order.next_order_status} was not entered: {why.message}",
        category=Category.ERROR,
        operation=Operation.SCHEDULED_TASK,
        is_error=True,
    )
    return Change(after=after, entries=(entry,))


def _loop(run: Run) -> str:
    return f"Statuses triggered one another {running.DEPTH_MAX} times; {run.trigger!r} was not entered."
