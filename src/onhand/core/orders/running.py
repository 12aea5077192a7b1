"""A run of workflow steps as a value: laid out, led step by step, concluded (order specification 2.4 to 2.7).

Nothing here acts. The engine asks which step comes next and whether it is skipped, has it planned and applied, and notes
the result here; a run that is stored at any point goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from onhand.core.orders.configuration import WorkflowGroup, Workflows, WorkflowStep
from onhand.core.orders.filters import condition_skips, filter_skips
from onhand.core.orders.model import EntityError, Order
from onhand.core.orders.record import PlannedStep, Run, StepResult

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


def _own_reason(run: Run, step: WorkflowStep, order: Order, workflows: Workflows, *, conditions: bool) -> str:
    if not step.active:
        return "it is inactive"
    reason = filter_skips(step, order, run.shipment_id, workflows)
    if reason or not conditions:
        return reason
    return condition_skips(step, succeeded=run.succeeded, warned=run.warned, failed=run.failed)


def skipped(run: Run, planned: PlannedStep, skip: Skip) -> Run:
    """The run past a step that does not run; it counts for no condition."""
    return msgspec.structs.replace(
        run,
        next_step=run.next_step + 1,
        done_units=(),
        ended_groups=(*run.ended_groups, planned.group) if skip.whole_group else run.ended_groups,
        skipped=(*run.skipped, f"{planned.step.name}: {skip.reason}"),
    )


def concluded(run: Run, planned: PlannedStep, result: StepResult, error: EntityError | None) -> Run:
    """The run past a step that ended with this result."""
    failed = result.action_status == "Error"
    halted = failed and _halts(planned)
    ended = (*run.ended_groups, planned.group) if failed and planned.group_stops else run.ended_groups
    triggered = bool(result.trigger_new_status)
    return msgspec.structs.replace(
        run,
        next_step=run.next_step + 1,
        done_units=(),
        results=(*run.results, msgspec.structs.replace(result, cancel_workflow=halted)),
        succeeded=run.succeeded and result.action_status == "Success",
        warned=run.warned or result.action_status == "Warning",
        failed=run.failed or failed,
        aborted=run.aborted or halted,
        errors=run.errors if error is None else (*run.errors, error),
        ended_groups=ended,
        trigger=result.trigger_new_status if triggered else run.trigger,
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
