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
that wait for the save are queued in the record and executed in the background. A status that a step wants next is entered
after that, never in the middle.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from onhand.core.orders import events, running, statuses
from onhand.core.orders.actions import DryRunRequest, ManualStepRequest
from onhand.core.orders.applying import Application, Stored
from onhand.core.orders.configuration import OrderType, Workflows, WorkflowStep, same
from onhand.core.orders.events import Actor, Category, Entry, Operation
from onhand.core.orders.marking import marks
from onhand.core.orders.model import EntityError, Order
from onhand.core.orders.record import OrderRecord, PlannedStep, Run, StepResult
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.requests import ShipmentInfo, StatusUpdate
from onhand.core.orders.working import Surroundings
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.ports import Clock, Documents
from onhand.service.batcher import Batcher
from onhand.service.faults import Conflict, Fault, InvariantViolation
from onhand.service.workflow.carrying_out import CarryingOut, LostOrderError, Step
from onhand.service.workflow.ending import Ending
from onhand.service.workflow.engine import Begun, RunAnswer
from onhand.service.workflow.saving import Around, Change, Saving
from onhand.service.workflow.searching import ORDER, read_record, shown
from onhand.steps.contract import Result, Severity, Status

log = structlog.get_logger("onhand.workflow")

LEASE: Final = timedelta(seconds=60)
"""How long a run stays with the process that executes it, counted from its last commit."""
ATTEMPTS: Final = 8
"""Times that a run is taken up again by one request."""
PAUSE_S: Final = 0.02
"""Seconds before a run is taken up again after a fault; doubles each time."""
BACKGROUND_MAX: Final = 64
"""Runs that wait for nobody, executed at the same time in one process."""
OVERDUE: Final = 100
"""Orders that one look for overdue runs takes up."""


class Runs:
    """Executes runs; implements `engine.Workflow`. Several processes may: a run belongs to whoever has claimed it."""

    def __init__(
        self,
        saving: Saving,
        batcher: Batcher,
        documents: Documents,
        clock: Clock,
        around: Around,
        carrying_out: CarryingOut,
    ) -> None:
        self._saving = saving
        self._batcher = batcher
        self._documents = documents
        self._clock = clock
        self._around = around
        self._carrying_out = carrying_out
        self._background: set[asyncio.Task[None]] = set()

    # Entering a status -------------------------------------------------------------------------------------

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
                until=now + LEASE,
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
        return Begun(order=_unscheduled(entered.order, entered.status.name), run=run, entries=(entry,))

    async def execute(self, environment_id: str, stored: Stored, actor: Actor) -> RunAnswer:
        """Execute the run that the stored order is in, and those of the statuses that it triggers.

        Raises:
            Fault: the store, again and again; the run goes on by itself when its claim runs out.
        """
        run = stored.record.run
        ended = None
        if run is not None:
            ended = await self._to_the_end(environment_id, stored, run.id, run.claim, actor)
        if ended is None:
            fresh = await self._saving.stored(environment_id, stored.key.id)
            return _answer(fresh.record, None, stored.record)
        stored, run = ended
        if stored.record.later:
            self.later(self._after_save(environment_id, stored.key.id, actor))
        answer = _answer(stored.record, run, stored.record)
        if run.aborted or not run.trigger:
            return answer
        return await self._triggered(environment_id, answer, run, actor)

    async def _triggered(self, environment_id: str, answer: RunAnswer, run: Run, actor: Actor) -> RunAnswer:
        """Enter the status that the last step wanted."""
        order_id = answer.order.id
        if run.depth + 1 > running.DEPTH_MAX:
            await self._failed(environment_id, order_id, actor, "WorkflowLoop", _loop(run))
            return msgspec.structs.replace(answer, is_aborted=True)
        update = StatusUpdate(
            status=run.trigger,
            skip_run_workflow=run.trigger_without_workflow,
            user_id=run.user_id or None,
        )
        following = await self._entered(environment_id, order_id, update, actor, run)
        if isinstance(following, Refused):
            await self._failed(environment_id, order_id, actor, following.code.value, following.message)
            return answer
        return msgspec.structs.replace(following, results=(*answer.results, *following.results))

    async def _entered(
        self, environment_id: str, order_id: str, update: StatusUpdate, actor: Actor, by: Run | None
    ) -> RunAnswer | Refused:
        """Enter a status that a run, or the clock, wants."""
        around = await self._around(environment_id, actor.user, actor.user_id)

        def make(stored: Stored, now: datetime) -> Change | Refused:
            order = stored.record.order
            if order is None:
                return _gone(order_id)
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
            return Change(after=begun.order, entries=begun.entries, run=begun.run)

        saved = await self._saving.save(environment_id, order_id, make, actor=actor)
        return saved if isinstance(saved, Refused) else await self.execute(environment_id, saved, actor)

    async def _failed(self, environment_id: str, order_id: str, actor: Actor, key: str, message: str) -> None:
        """Leave an entry in the order's errors."""

        def make(stored: Stored, now: datetime) -> Change | Refused:
            order = stored.record.order
            if order is None:
                return _gone(order_id)
            failure = EntityError(key=key, message=message, occurred=now)
            entry = Entry(message=message, category=Category.ERROR, is_error=True)
            after = msgspec.structs.replace(order, errors=(*order.errors, failure))
            return Change(after=after, entries=(entry,))

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
                until=now + LEASE,
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
            return _answer(before, None, before)
        run = msgspec.structs.replace(run, steps=(*run.steps, *run.after), after=())
        record = msgspec.structs.replace(before, order=begun.order, run=run)
        led = await self._led(
            around, msgspec.structs.replace(stored, record=record), run.id, actor, is_test=True
        )
        return _answer(before, running.run_of(led.record, run.id), before)

    # Leading a run -----------------------------------------------------------------------------------------

    async def _to_the_end(
        self, environment_id: str, stored: Stored, run_id: str, claim: str, actor: Actor
    ) -> tuple[Stored, Run] | None:
        """Lead a run and end it; None when another process has taken it over or ended it.

        Raises:
            Fault: the store, again and again; the run stays in the record and is due when its claim runs out.
        """
        for attempt in range(ATTEMPTS):
            run = running.run_of(stored.record, run_id)
            if run is None or run.claim != claim or stored.record.order is None:
                return None
            around = await self._around(environment_id, actor.user, run.user_id or actor.user_id)
            try:
                led = await self._led(around, stored, run_id, actor)
                return await self._ended(around, stored, led, run_id, actor)
            except LostOrderError:
                pass
            except Fault as fault:
                if attempt == ATTEMPTS - 1 or not fault.retryable:
                    raise
                log.warning("run_interrupted", order=stored.key.id, run=run_id, fault=str(fault))
                await asyncio.sleep(PAUSE_S * 2**attempt)
            stored = await self._saving.stored(environment_id, stored.key.id)
        raise Conflict("The order is changed by many at once; its run goes on by itself.")

    async def _led(
        self, around: Surroundings, stored: Stored, run_id: str, actor: Actor, *, is_test: bool = False
    ) -> Stored:
        """The order after all steps of the run."""
        while True:
            run = running.run_of(stored.record, run_id)
            order = stored.record.order
            planned = None if run is None else running.next_planned(run)
            if run is None or order is None or planned is None:
                return stored
            skip = running.skip_of(run, planned, order, around.workflows)
            if skip is not None:
                record = running.with_run(stored.record, running.skipped(run, planned, skip))
                stored = msgspec.structs.replace(stored, record=record)
                continue
            stored = await self._step(around, stored, run_id, planned, actor, is_test=is_test)

    async def _step(  # noqa: PLR0913 - what is carried out for whom
        self,
        around: Surroundings,
        stored: Stored,
        run_id: str,
        planned: PlannedStep,
        actor: Actor,
        *,
        is_test: bool,
    ) -> Stored:
        before = stored.record.order
        begun = time.perf_counter()
        step = Step(
            run_id=run_id,
            planned=planned,
            order_type=_type_of(around.workflows, before),
            actor=actor,
            lease=LEASE,
            is_test=is_test,
        )
        stored, result = await self._carrying_out.step(around, stored, step, self._now())
        run = running.run_of(stored.record, run_id)
        if run is None:
            raise LostOrderError
        result_shown = _result_of(planned, result, time.perf_counter() - begun, before, stored.record.order)
        run = running.concluded(
            run, planned, result_shown, _errors(planned, result, self._now()), halts=not result.never_halts
        )
        if result.trigger_new_status:
            run = running.triggering(
                run,
                result.trigger_new_status,
                result.trigger_order_type,
                without_workflow=result.trigger_new_status_without_workflow,
            )
        return msgspec.structs.replace(stored, record=running.with_run(stored.record, run))

    async def _ended(
        self, around: Surroundings, opened: Stored, led: Stored, run_id: str, actor: Actor
    ) -> tuple[Stored, Run]:
        """Save the order once, without the run."""
        run = running.run_of(led.record, run_id)
        if run is None:
            raise LostOrderError
        ending = Ending(around, opened, led, run, actor)
        application = Application(
            msgspec.structs.replace(around, event=f"{run.id}/end"),
            led,
            (),
            finish=ending.finish,
            extra=ending.extra,
            index=ending.index,
            commands=marks(led, around, is_open=ending.is_open),
        )
        outcome = await self._batcher.submit(around.rules, application)
        refusal = outcome if isinstance(outcome, Rejected) else None
        if isinstance(outcome, GroupOutcome):
            refusal = outcome.refusal
        if refusal is None:
            return application.after, run
        if refusal.reason is Reason.STALE_DOCUMENT:
            raise LostOrderError
        raise Conflict(f"The order could not be saved: {refusal.message}")

    # In the background -------------------------------------------------------------------------------------

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Do something that nobody waits for; what is too much now is found by `take_up` later."""
        if len(self._background) >= BACKGROUND_MAX:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def drain(self) -> None:
        """Wait for what runs in the background."""
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    async def stop(self) -> None:
        """Give up what runs in the background; it is due and another process, or the next start, goes on."""
        for task in self._background:
            task.cancel()
        await self.drain()

    async def take_up(self, environments: dict[int, str]) -> int:
        """Go on with runs whose process is gone, and enter statuses that are due; how many orders it was."""
        taken = 0
        for row in await self._documents.due(ORDER, self._clock.now_us(), OVERDUE):
            environment_id = environments.get(row.key.environment)
            if environment_id is None:
                continue
            taken += 1
            await self._take_up(environment_id, Stored(row.key, row.version, read_record(row.body)))
        return taken

    async def _take_up(self, environment_id: str, stored: Stored) -> None:
        record, now = stored.record, self._now()
        actor = Actor(user="onhand", origin="Workflow")
        if record.run is not None and record.run.claimed_to <= now:
            claimed = await self._claimed(environment_id, stored, record.run, new_id())
            if claimed is not None:
                await self.execute(environment_id, claimed, actor)
        elif record.later and record.later[0].claimed_to <= now:
            await self._after_save(environment_id, stored.key.id, actor)
        elif record.run is None and record.order is not None:
            await self._scheduled(environment_id, record.order, actor, now)

    async def _scheduled(self, environment_id: str, order: Order, actor: Actor, now: datetime) -> None:
        """Enter the status that the order was to enter by now."""
        if order.update_status_date is None or order.update_status_date > now or not order.next_order_status:
            return
        update = StatusUpdate(status=order.next_order_status)
        answer = await self._entered(environment_id, order.id, update, actor, None)
        if isinstance(answer, Refused) and answer.code is not Code.ORDER_LOCKED:
            log.warning(
                "scheduled_status_refused", order=order.id, status=update.status, reason=answer.message
            )

    async def _after_save(self, environment_id: str, order_id: str, actor: Actor) -> None:
        """Execute the runs that waited for the save, oldest first."""
        try:
            while True:
                stored = await self._saving.stored(environment_id, order_id)
                run = next(iter(stored.record.later), None)
                if run is None or run.claimed_to > self._now():
                    return
                claim = new_id()
                claimed = await self._claimed(environment_id, stored, run, claim)
                if claimed is not None:
                    await self._to_the_end(environment_id, claimed, run.id, claim, actor)
        except Fault as fault:
            log.warning("run_after_save_interrupted", order=order_id, fault=str(fault))

    async def _claimed(self, environment_id: str, stored: Stored, run: Run, claim: str) -> Stored | None:
        """The order with the run in our hands; None when somebody was faster."""
        around = await self._around(environment_id, "onhand", run.user_id)
        taken = running.with_run(stored.record, running.claimed(run, claim, self._now() + LEASE))
        held = msgspec.structs.replace(stored, record=taken)
        application = Application(
            around,
            held,
            (),
            finish=lambda record, _applied, _notes, _concluded: record,
            extra=lambda _record, _notes, _concluded: (),
            index=Ending.labels_of(around),
        )
        outcome = await self._batcher.submit(around.rules, application)
        if isinstance(outcome, GroupOutcome) and outcome.accepted:
            return application.after
        return None

    def _now(self) -> datetime:
        return events.moment(self._clock.now_us())


def new_id() -> str:
    """An id of a run or a claim."""
    return uuid.uuid4().hex


def _answer(record: OrderRecord, run: Run | None, otherwise: OrderRecord) -> RunAnswer:
    """The order as it is now, and what its run came to; an order that vanished is shown as it was."""
    order = shown(record) or shown(otherwise)
    if order is None:
        raise InvariantViolation("A run belongs to no order.")
    if run is None:
        return RunAnswer(order=order)
    return RunAnswer(order=order, results=run.results, is_aborted=run.aborted)


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


def _unscheduled(order: Order, status: str) -> Order:
    """The order without its schedule when the status is the one that it waited for."""
    if order.next_order_status is None or not same(order.next_order_status, status):
        return order
    return msgspec.structs.replace(order, update_status_date=None, next_order_status=None)


def _type_of(workflows: Workflows, order: Order | None) -> OrderType:
    found = None if order is None else workflows.order_type(order.order_type)
    return found or OrderType(name="" if order is None else order.order_type, order_statuses=())


def _result_of(
    planned: PlannedStep, result: Result, seconds: float, before: Order | None, after: Order | None
) -> StepResult:
    step = planned.step
    return StepResult(
        action_type=step.name,
        action_status=result.status.value,
        message=result.message,
        error_reason=result.error_reason,
        translate_key=step.translate_key or "",
        duration=f"0.00:00:{seconds:09.6f}",
        trigger_new_status=result.trigger_new_status,
        order_status_changed=before is not None and after is not None and before.status != after.status,
        is_invisible=result.is_invisible or step.is_invisible,
    )


def _errors(planned: PlannedStep, result: Result, now: datetime) -> tuple[EntityError, ...]:
    """What a result adds to `order.errors`."""
    found = []
    if result.status is Status.ERROR or result.error_key:
        found.append(
            EntityError(
                key=result.error_key or planned.step.name,
                message=result.error_reason or result.message,
                details=planned.step.name,
                severity="Error" if result.status is Status.ERROR else "Warning",
                occurred=now,
            )
        )
    found += [
        EntityError(
            key=note.key,
            message=note.message,
            details=planned.step.name,
            reference_id=note.reference_id or None,
            severity=note.severity.value,
            occurred=now,
        )
        for note in result.notes
        if note.severity is not Severity.INFORMATION
    ]
    return tuple(found)


def _loop(run: Run) -> str:
    return f"Statuses triggered one another {running.DEPTH_MAX} times; {run.trigger!r} was not entered."
