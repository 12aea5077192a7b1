"""One step of a run: facts are read, the plan is made, its units are applied (`runs` leads the steps).

A step that fails in a way nobody foresaw ends in an error that names no internals; the run goes on or halts as its
configuration says.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from onhand.core.commands import DocumentWrite
from onhand.core.concluding import Concluded
from onhand.core.orders import events, running
from onhand.core.orders.applying import Application, Stored
from onhand.core.orders.configuration import OrderType
from onhand.core.orders.events import Actor, Category, Entry
from onhand.core.orders.labels import order_labels
from onhand.core.orders.model import EntityError
from onhand.core.orders.moves import Applied, ItemRef, Recalculate
from onhand.core.orders.outside import Answer, NoAnswer, Request
from onhand.core.orders.record import OrderRecord, PlannedStep
from onhand.core.orders.simulating import simulated
from onhand.core.orders.stocked import Stocked
from onhand.core.orders.working import Note, Surroundings
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.ports import Outside
from onhand.service.batcher import Batcher
from onhand.service.faults import Fault, InvariantViolation
from onhand.service.workflow.recalculating import Recalculating
from onhand.service.workflow.saving import is_open
from onhand.service.workflow.stocks import Stocks
from onhand.steps import registry
from onhand.steps.contract import Done, Facts, Plan, Result, StepSpec, Unit, error, warning

log = structlog.get_logger("onhand.workflow")


CALL: Final = "call"
"""Key of the checkpoint before a call."""


class LostOrderError(Exception):
    """The order is not any more what it was when the run read it: read again and go on from the checkpoint."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is carried out, and for whom."""

    run_id: str
    planned: PlannedStep
    order_type: OrderType
    actor: Actor
    lease: timedelta
    is_test: bool = False


class CarryingOut:
    """Carries steps out."""

    def __init__(
        self, batcher: Batcher, stocks: Stocks, recalculating: Recalculating, outside: Outside
    ) -> None:
        self._batcher = batcher
        self._stocks = stocks
        self._recalculating = recalculating
        self._outside = outside

    async def step(
        self, around: Surroundings, stored: Stored, step: Step, now: datetime
    ) -> tuple[Stored, Result]:
        """The order after the step, and its result.

        Raises:
            LostOrderError: the order changed meanwhile.
            Fault: the store; what was committed has its checkpoint.
        """
        name = step.planned.step.name
        spec = registry.find(name)
        if spec is None:
            return stored, error(f"There is no step {name!r}.", "UnknownStep")
        if spec.plan is None:
            return stored, warning(f"Step {spec.key} is not implemented.")
        around = msgspec.structs.replace(
            around, step=spec.key, run_id=step.run_id, user_id=around.user_id or step.actor.user_id
        )
        try:
            return await self._planned(around, stored, step, spec, now)
        except InvariantViolation as fault:
            log.exception("step_violated", step=spec.key, order=stored.key.id)
            return stored, error("The step contradicted the stored state; see the log.", type(fault).__name__)

    async def _planned(
        self, around: Surroundings, stored: Stored, step: Step, spec: StepSpec, now: datetime
    ) -> tuple[Stored, Result]:
        facts = await self._facts(around, stored, step, spec, now)
        assert spec.plan is not None  # noqa: S101 - asked by the caller
        try:
            request = None if spec.calls is None or step.is_test else spec.calls(facts)
            if isinstance(request, Result):
                return stored, request
            if request is not None:
                stored, answer = await self._called(around, stored, step, request)
                facts = dataclasses.replace(facts, answer=answer)
            plan = spec.plan(facts)
        except (LostOrderError, Fault):
            raise
        except Exception as fault:
            log.exception("step_failed", step=spec.key, order=stored.key.id)
            return stored, error(f"Step {spec.key} failed.", type(fault).__name__)
        if isinstance(plan, Result):
            return stored, plan
        if step.is_test:  # what the moves are simulated on
            moved = [getattr(move, "item", None) for unit in plan.units for move in unit.moves]
            facts = await self._with_stock(around, facts, [one for one in moved if isinstance(one, ItemRef)])
        done: list[Done] = []
        for unit in plan.units:
            if unit.key in facts.done:
                continue
            stored, one = await self._unit(around, stored, step, unit, facts)
            done.append(one)
        return stored, _judged(plan, done, spec, stored)

    async def _facts(
        self, around: Surroundings, stored: Stored, step: Step, spec: StepSpec, now: datetime
    ) -> Facts:
        record = stored.record
        run = running.run_of(record, step.run_id)
        assert record.order is not None and run is not None  # noqa: S101, PT018 - the caller leads this run
        workflows = around.workflows
        facts = Facts(
            order=record.order,
            rows={row.line: row for row in record.rows},
            shipment_id=run.shipment_id,
            return_id=run.return_id,
            step=step.planned.step,
            order_type=step.order_type,
            orders=workflows.settings,
            inventory=workflows.inventory,
            warehouses=workflows.warehouses,
            done=frozenset(run.done_units),
            restocked=frozenset((one.return_id, one.line_item_id) for one in record.restocked),
            now=now,
            user_id=around.user_id,
            run_id=run.id,
            is_test=step.is_test,
        )
        return await self._with_stock(around, facts, tuple(spec.needs(facts)))

    async def _with_stock(self, around: Surroundings, facts: Facts, items: Sequence[ItemRef]) -> Facts:
        """The facts with the stock of these items beside what they have."""
        wanted = tuple(one for one in dict.fromkeys(items) if one not in facts.stock)
        if not wanted:
            return facts
        stock = await self._stocks.of(around.rules, around.workflows, wanted)
        return dataclasses.replace(facts, stock={**facts.stock, **stock})

    async def _unit(
        self, around: Surroundings, stored: Stored, step: Step, unit: Unit, facts: Facts
    ) -> tuple[Stored, Done]:
        """Apply a unit; one that moves nothing waits in memory for the next save."""
        if step.is_test:
            applied = tuple(simulated(move, facts.stock) for move in unit.moves)
            return _edited(stored, unit), Done(unit=unit, applied=applied)
        if not unit.moves:
            return _edited(stored, unit), Done(unit=unit)
        return await self._committed(around, stored, step, unit, facts.stock)

    async def _called(
        self, around: Surroundings, stored: Stored, step: Step, request: Request
    ) -> tuple[Stored, Answer | NoAnswer]:
        """Call another system, with the run so far on record and the claim renewed, so that nobody takes over meanwhile."""
        run = running.run_of(stored.record, step.run_id)
        assert run is not None  # noqa: S101 - the caller leads this run
        stored, _ = await self._committed(around, stored, step, Unit(key=CALL), {})
        place = step.planned.step.id or step.planned.step.name
        bounded = msgspec.structs.replace(request, patience=min(request.patience, step.lease / 2))
        answer = await self._outside.post(bounded, f"{run.id}/{run.next_step}/{place}")
        return stored, answer

    async def _committed(
        self,
        around: Surroundings,
        stored: Stored,
        step: Step,
        unit: Unit,
        stock: Mapping[ItemRef, Stocked],
    ) -> tuple[Stored, Done]:
        """Apply a unit as one group, with its checkpoint."""
        for move in unit.moves:
            if isinstance(move, Recalculate) and await self._recalculating.back(
                around, move.sku, stored.key.id
            ):
                raise LostOrderError
        run = running.run_of(stored.record, step.run_id)
        assert run is not None  # noqa: S101 - the caller leads this run
        name = f"{run.id}/{run.next_step}/{unit.key}"
        writing = _Writing(stored, step, unit, around)
        application = Application(
            msgspec.structs.replace(around, event=name),
            stored,
            unit.moves,
            edit=unit.edit,
            finish=writing.finish,
            extra=writing.extra,
            index=writing.index,
            stock=stock,
            attempt=name,
            settles=unit.settles,
        )
        outcome = await self._batcher.submit(around.rules, application)
        refusal = outcome if isinstance(outcome, Rejected) else None
        if isinstance(outcome, GroupOutcome):
            refusal = outcome.refusal
        if refusal is None:
            return application.after, Done(unit=unit, applied=application.applied)
        if refusal.reason is Reason.STALE_DOCUMENT:
            raise LostOrderError
        return stored, Done(unit=unit, refused=refusal)


def _edited(stored: Stored, unit: Unit) -> Stored:
    order = stored.record.order
    if unit.edit is None or order is None:
        return stored
    record = msgspec.structs.replace(stored.record, order=unit.edit(order))
    return msgspec.structs.replace(stored, record=record)


def _judged(plan: Plan, done: Sequence[Done], spec: StepSpec, stored: Stored) -> Result:
    try:
        return plan.conclude(done)
    except Exception as fault:
        log.exception("step_failed", step=spec.key, order=stored.key.id)
        return error(f"Step {spec.key} failed after its work was done.", type(fault).__name__)


class _Writing:
    """What the group of one unit writes beside the stock."""

    def __init__(self, stored: Stored, step: Step, unit: Unit, around: Surroundings) -> None:
        self._key = stored.key
        self._step = step
        self._unit = unit
        self._around = around
        self._events: list[DocumentWrite] = []

    def finish(
        self, record: OrderRecord, applied: Sequence[Applied], notes: Sequence[Note], concluded: Concluded
    ) -> OrderRecord:
        """The record with the checkpoint, and what the client has to be told of."""
        now = events.moment(concluded.now)
        run = running.run_of(record, self._step.run_id)
        if run is None:
            raise InvariantViolation("The run of this unit is not in the record.")
        run = running.checkpoint(run, self._unit.key, now + self._step.lease)
        missing = tuple(_missing_rate(one, now) for one in applied if one.rate_missing)
        run = msgspec.structs.replace(run, errors=(*run.errors, *missing))
        entries = [
            Entry(
                message=f"{note.name}: {note.message}",
                category=Category.INFORMATION,
                shipment_id=run.shipment_id or "",
                properties={"lineItemId": note.reference_id} if note.reference_id else {},
            )
            for note in notes
        ]
        record, self._events = events.logged(
            running.with_run(record, run), self._key.environment, entries, self._step.actor, concluded.now
        )
        return record

    def extra(
        self, _record: OrderRecord, _notes: Sequence[Note], _concluded: Concluded
    ) -> Sequence[DocumentWrite]:
        """The events."""
        return self._events

    def index(self, record: OrderRecord) -> tuple[tuple[str, ...], int | None]:
        """Labels, and when somebody else may take the run over."""
        labels = order_labels(record, is_open=is_open(record.order, self._around.workflows))
        return labels, running.due_of(record)


def _missing_rate(applied: Applied, now: datetime) -> EntityError:
    line = getattr(applied.move, "line", None)
    return EntityError(
        key="CurrencyRateMissing",
        message="The cost could not be converted to the currency of the order: there is no exchange rate.",
        reference_id=None if line is None else line.line_item_id,
        severity="Warning",
        occurred=now,
    )
