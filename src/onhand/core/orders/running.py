"""A run of workflow steps as a value: laid out, led step by step, concluded (order specification 2.4 to 2.7).

Nothing here acts. The engine asks which step comes next and whether it is skipped, has it planned and applied, and notes
the result here; a run that is stored at any point goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from onhand.core.orders.configuration import WorkflowGroup, Workflows, WorkflowStep
from onhand.core.orders.filters import condition_reason, skip_reason
from onhand.core.orders.model import EntityError, Order
from onhand.core.orders.record import OrderRecord, PlannedStep, Run, StepResult

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DEPTH_MAX = 10
"""Statuses that may trigger one another in one request (D6)."""


def laid_out(steps: tuple[WorkflowStep, ...], workflows: Workflows) -> tuple[PlannedStep, ...]:
    """The steps in order, those of groups in place of the step that calls the group."""
    return tuple(_laid_out(steps, workflows))


def _laid_out(steps: tuple[WorkflowStep, ...], workflows: Workflows) -> Iterator[PlannedStep]:
    for number, step in enumerate(steps):
        group = workflows.group(step.group_id) if step.group_id else None
        if group is None:
            yield PlannedStep(step=step)
        else:
            yield from _of_group(number, step, group)


def _of_group(number: int, caller: WorkflowStep, group: WorkflowGroup) -> Iterator[PlannedStep]:
    for at, step in enumerate(group.steps):
        yield PlannedStep(
            step=step,
            caller=caller,
            first=not at,
            group=f"{group.id}#{number}",
            group_stops=group.stop_on_error,
        )


def divided(steps: tuple[PlannedStep, ...]) -> tuple[tuple[PlannedStep, ...], tuple[PlannedStep, ...]]:
    """(steps of the run, steps for after the save)."""
    now = tuple(one for one in steps if not runs_later(one))
    return now, tuple(one for one in steps if runs_later(one))


def runs_later(planned: PlannedStep) -> bool:
    """Whether a step waits until the order is saved."""
    caller = planned.caller
    return planned.step.run_after_order_is_saved or (caller is not None and caller.run_after_order_is_saved)


def begun(  # noqa: PLR0913 - what a run consists of
    steps: tuple[WorkflowStep, ...],
    workflows: Workflows,
    *,
    run_id: str,
    order_type: str,
    status: str,
    now: datetime,
    claim: str,
    until: datetime,
    shipment_id: str | None = None,
    return_id: str | None = None,
    user_id: str = "",
    depth: int = 0,
) -> Run:
    """A run of these steps that one process has claimed."""
    first, after = divided(laid_out(steps, workflows))
    return Run(
        id=run_id,
        status=status,
        order_type=order_type,
        shipment_id=shipment_id,
        return_id=return_id,
        user_id=user_id,
        steps=first,
        after=after,
        depth=depth,
        started_at=now,
        claim=claim,
        claimed_to=until,
    )


def continued(run: Run) -> Run | None:
    """The run of the steps that wait for the save; None when there are none, or the run was halted."""
    if run.aborted or not run.after:
        return None
    return msgspec.structs.replace(
        run,
        id=f"{run.id}+",
        steps=run.after,
        after=(),
        next_step=0,
        done_units=(),
        ended_groups=(),
        errors=(),
        skipped=(),
        trigger="",
        claim="",
        claimed_to=run.started_at,
    )


def wanting(run: Run) -> Run | None:
    """What stays of a run that has ended until the status that it wants is entered; None when it wants none."""
    if run.aborted or not run.trigger:
        return None
    return msgspec.structs.replace(run, steps=(), after=(), done_units=(), results=(), errors=(), skipped=())


def is_same_work(run: Run, other: Run) -> bool:
    """Whether two runs do the same, so that one may take the place of the other."""
    return all(
        getattr(run, name) == getattr(other, name)
        for name in ("status", "order_type", "shipment_id", "return_id", "steps", "after")
    )


def due_of(record: OrderRecord) -> int | None:
    """When somebody should look at the order, in microseconds since 1970: a run to take over, a status to enter."""
    moments = [one.claimed_to for one in record.later[:1]]
    if record.run is not None:  # what follows, and what the clock wants, comes after it
        return microseconds(min([*moments, record.run.claimed_to]))
    moments += [] if record.following is None else [record.following.claimed_to]
    order = record.order
    if order is not None and order.update_status_date is not None and order.next_order_status:
        moments.append(order.update_status_date)
    return microseconds(min(moments)) if moments else None


def microseconds(moment: datetime) -> int:
    """A moment as the store counts it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def next_planned(run: Run) -> PlannedStep | None:
    """The step that comes next; None: the run has reached its end."""
    return run.steps[run.next_step] if not run.aborted and run.next_step < len(run.steps) else None


class Skip(msgspec.Struct, frozen=True):
    """Why a step does not run."""

    reason: str
    whole_group: bool = False
    """It is the call of its group that does not run."""


def skip_of(run: Run, planned: PlannedStep, order: Order, workflows: Workflows) -> Skip | None:
    """Whether and why a step does not run now."""
    if planned.group and planned.group in run.ended_groups:
        return Skip("its group has ended")
    if planned.caller is not None:
        reason = _own_reason(run, planned.caller, order, workflows, conditions=planned.first)
        if reason:
            return Skip(reason, whole_group=True)
    reason = _own_reason(run, planned.step, order, workflows, conditions=True)
    return Skip(reason) if reason else None


def _own_reason(
    run: Run, step: WorkflowStep, order: Order, workflows: Workflows, *, conditions: bool
) -> str | None:
    store = workflows.warehouse(order.store_id)
    groups = () if store is None else store.store_groups
    reason = skip_reason(step, order, run.shipment_id, store_groups=groups)
    if reason is not None or not conditions:
        return reason
    return condition_reason(step, (one.action_status for one in run.results))


def skipped(run: Run, planned: PlannedStep, skip: Skip) -> Run:
    """The run past a step that does not run; it counts for no condition."""
    return msgspec.structs.replace(
        run,
        next_step=run.next_step + 1,
        done_units=(),
        ended_groups=(*run.ended_groups, planned.group) if skip.whole_group else run.ended_groups,
        skipped=(*run.skipped, f"{planned.step.name}: {skip.reason}"),
    )


def concluded(
    run: Run,
    planned: PlannedStep,
    result: StepResult,
    errors: tuple[EntityError, ...],
    *,
    halts: bool | None = None,
) -> Run:
    """The run past a step that ended with this result; `halts` says what an error does whatever the step's setting is."""
    failed = result.action_status == "Error"
    halted = failed and (_halts(planned) if halts is None else halts)
    ended = (*run.ended_groups, planned.group) if failed and planned.group_stops else run.ended_groups
    return msgspec.structs.replace(
        run,
        next_step=run.next_step + 1,
        done_units=(),
        results=(*run.results, msgspec.structs.replace(result, cancel_workflow=halted)),
        aborted=run.aborted or halted,
        errors=(*run.errors, *errors),
        ended_groups=ended,
    )


def _halts(planned: PlannedStep) -> bool:
    """Whether an error of this step halts the run: its own setting, or in a group that ends that of the caller."""
    if planned.step.stop_on_error:
        return True
    return planned.group_stops and planned.caller is not None and planned.caller.stop_on_error


def triggering(run: Run, status: str, order_type: str, *, without_workflow: bool) -> Run:
    """The run with the status that the order enters afterwards; the last step that wants one wins (D6)."""
    return msgspec.structs.replace(
        run, trigger=status, trigger_order_type=order_type, trigger_without_workflow=without_workflow
    )


def claimed(run: Run, claim: str, until: datetime) -> Run:
    """The run in the hands of one process."""
    return msgspec.structs.replace(run, claim=claim, claimed_to=until)


def checkpoint(run: Run, unit: str, until: datetime) -> Run:
    """The run with a unit of its next step committed."""
    return msgspec.structs.replace(run, done_units=(*run.done_units, unit), claimed_to=until)


# Where a run is kept -----------------------------------------------------------------------------------------


def run_of(record: OrderRecord, run_id: str) -> Run | None:
    """The run of this id: in progress, waiting for the save, or ended and wanting a status."""
    runs = (record.run, *record.later, record.following)
    return next((one for one in runs if one is not None and one.id == run_id), None)


def with_run(record: OrderRecord, run: Run) -> OrderRecord:
    """The record with the run in place of its former state."""
    if record.run is not None and record.run.id == run.id:
        return msgspec.structs.replace(record, run=run)
    if record.following is not None and record.following.id == run.id:
        return msgspec.structs.replace(record, following=run)
    later = tuple(run if one.id == run.id else one for one in record.later)
    return msgspec.structs.replace(record, later=later)


def next_queued(record: OrderRecord, ended: Run, until: datetime) -> OrderRecord:
    """The record in which the next run of the same request is in progress, in the hands of who ended the one before."""
    if record.run is not None or not record.queued:
        return record
    following, *queued = record.queued
    return msgspec.structs.replace(record, run=claimed(following, ended.claim, until), queued=tuple(queued))


def without_run(record: OrderRecord, run_id: str) -> OrderRecord:
    """The record without a run that has ended."""
    if record.run is not None and record.run.id == run_id:
        return msgspec.structs.replace(record, run=None)
    return msgspec.structs.replace(record, later=tuple(one for one in record.later if one.id != run_id))
