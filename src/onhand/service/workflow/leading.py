"""A run is led: step by step to its end, and saved once (see `runs` for the whole)."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from onhand.core.orders import events, running
from onhand.core.orders.applying import Application, Stored
from onhand.core.orders.configuration import OrderType, Workflows
from onhand.core.orders.events import Actor
from onhand.core.orders.marking import marks
from onhand.core.orders.model import EntityError, Order
from onhand.core.orders.record import PlannedStep, Run, StepResult
from onhand.core.orders.working import Surroundings
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.ports import Clock
from onhand.service.batcher import Batcher
from onhand.service.faults import Conflict, Fault
from onhand.service.workflow.carrying_out import CarryingOut, LostOrderError, Step
from onhand.service.workflow.ending import Ending
from onhand.service.workflow.saving import Around, Saving
from onhand.steps.contract import Result, Status

log = structlog.get_logger("onhand.workflow")

LEASE: Final = timedelta(seconds=60)
"""How long a run stays with the process that executes it, counted from its last commit, unless told otherwise."""
ATTEMPTS: Final = 8
"""Times that a run is taken up again by one request."""
PAUSE_S: Final = 0.02
"""Seconds before a run is taken up again after a fault; doubles each time."""


class Leading:
    """Leads runs. Several processes may: a run belongs to whoever has claimed it."""

    def __init__(  # noqa: PLR0913 - each is a part of the service
        self,
        saving: Saving,
        batcher: Batcher,
        clock: Clock,
        around: Around,
        carrying_out: CarryingOut,
        lease: timedelta = LEASE,
    ) -> None:
        self._saving = saving
        self._batcher = batcher
        self._clock = clock
        self._around = around
        self._carrying_out = carrying_out
        self.lease = lease

    async def to_the_end(
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
                led = await self.led(around, stored, run_id, actor)
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

    async def led(
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
            lease=self.lease,
            is_test=is_test,
        )
        stored, result = await self._carrying_out.step(around, stored, step, self._now())
        run = running.run_of(stored.record, run_id)
        if run is None:
            raise LostOrderError
        result_shown = _result_of(planned, result, time.perf_counter() - begun, before, stored.record.order)
        run = running.concluded(
            msgspec.structs.replace(run, results=(*run.results, *result.taken_over)),
            planned,
            result_shown,
            _errors(planned, result, self._now()),
            halts=_halts(result),
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
        ending = Ending(around, opened, led, run, actor, self.lease)
        application = Application(
            msgspec.structs.replace(around, event=f"{run.id}/end"),
            led,
            (),
            finish=ending.finish,
            extra=ending.extra,
            index=ending.index,
            commands=marks(led.key, led.record, around, is_open=ending.is_open),
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

    async def after_save(self, environment_id: str, order_id: str, actor: Actor) -> Run | None:
        """Execute the runs that waited for the save, oldest first; the last one that wants a status."""
        wanting = None
        try:
            while True:
                stored = await self._saving.stored(environment_id, order_id)
                run = next(iter(stored.record.later), None)
                if run is None or run.claimed_to > self._now():
                    return wanting
                claim = new_id()
                claimed = await self.claimed(environment_id, stored, run, claim)
                if claimed is not None:
                    ended = await self.to_the_end(environment_id, claimed, run.id, claim, actor)
                    wanting = wanting if ended is None else running.wanting(ended[1]) or wanting
        except Fault as fault:
            log.warning("runafter_save_interrupted", order=order_id, fault=str(fault))
            return wanting

    async def claimed(self, environment_id: str, stored: Stored, run: Run, claim: str) -> Stored | None:
        """The order with the run in our hands; None when somebody was faster."""
        around = await self._around(environment_id, "onhand", run.user_id)
        taken = running.with_run(stored.record, running.claimed(run, claim, self._now() + self.lease))
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


def _type_of(workflows: Workflows, order: Order | None) -> OrderType:
    found = None if order is None else workflows.order_type(order.order_type)
    return found or OrderType(name="" if order is None else order.order_type, order_statuses=())


def _halts(result: Result) -> bool | None:
    """Whether an error halts the run; None: the step's setting says."""
    if result.halts:
        return True
    return False if result.never_halts else None


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
    """What a result adds to `order.errors`, and as information to the events."""
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
    ]
    return tuple(found)
