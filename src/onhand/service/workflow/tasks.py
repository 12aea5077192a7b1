"""Scheduled tasks: started by the clock or on demand, never while their previous run is in progress (order specification 2.11)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog

from onhand.core.commands import DocumentKey
from onhand.core.orders import scheduling
from onhand.core.orders.configuration import ScheduledTask, folded, same
from onhand.core.orders.properties import PropertyError
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.scheduling import FAILED, LEASE, RUNNING, SUCCEEDED, TaskRun, state_key, task_id
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.service.environments import Environments
from onhand.service.faults import Fault
from onhand.service.workflow.background import Background
from onhand.service.workflow.configurations import Configurations
from onhand.service.workflow.overdue import Overdue
from onhand.service.workflow.task_runs import Beat, Done, LostClaimError, TaskRuns, Work

log = structlog.get_logger("onhand.tasks")

UPDATE_STATUS: Final = "UpdateOrderStatusScheduledTask"
TRY_RESERVE: Final = "TryReserveOrderlinesScheduledTask"
RESOLVE: Final = "ResolveOverReservedInventoryScheduledTask"


class Tasks:
    """Starts tasks and knows how their last runs went."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        documents: Documents,
        environments: Environments,
        configurations: Configurations,
        runs: TaskRuns,
        background: Background,
        work: Mapping[str, Work],
    ) -> None:
        """`work` by implementation type."""
        self._documents = documents
        self._environments = environments
        self._configurations = configurations
        self._runs = runs
        self._background = background
        self._work = {folded(name): one for name, one in work.items()}

    async def run(self, environment_id: str, name: str) -> TaskRun | Refused:
        """Run a task now, whether or not it is disabled; returns when the run has ended.

        Raises:
            Fault: the store; what the run did stays done.
        """
        rules = await self._environments.current(environment_id)
        task = await self._task(rules, name)
        if isinstance(task, Refused):
            return task
        if folded(task.implementation_type) not in self._work:
            return Refused(
                Code.VALIDATION_FAILED, f"{task.implementation_type} is not implemented: it never runs."
            )
        done = await self._run(rules, task)
        if done is None:
            return Refused(
                Code.TASK_RUNNING, f"Task {task_id(task)!r} runs already. Try again when it has ended."
            )
        return done

    async def last(self, environment_id: str, name: str) -> TaskRun | Refused:
        """The run in progress, or the last one."""
        rules = await self._environments.current(environment_id)
        task = await self._task(rules, name)
        if isinstance(task, Refused):
            return task
        row = await self._documents.document(state_key(rules.environment, task_id(task)))
        state = None if row is None else scheduling.decode(row.body)
        if state is None or state.last is None:
            return Refused(Code.NOT_FOUND, f"Task {task_id(task)!r} has not run yet.")
        if state.last.status == RUNNING and not state.is_running(self._runs.now()):
            return msgspec.structs.replace(state.last, status=FAILED, message="Its process is gone.")
        return state.last

    async def start_due(self) -> int:
        """Start the tasks of all environments that are due, in the background; how many. The schedule calls it."""
        started = 0
        for rules in await self._environments.list_environments():
            workflows = await self._configurations.workflows(rules)
            tasks = [
                one
                for one in workflows.tasks
                if not one.is_disabled and folded(one.implementation_type) in self._work
            ]
            keys = {task_id(one): state_key(rules.environment, task_id(one)) for one in tasks}
            rows = {row.key: row for row in await self._documents.documents(list(keys.values()))}
            for task in tasks:
                key = keys[task_id(task)]
                if key not in rows:
                    await self._runs.seen(rules, key)
                elif scheduling.is_due(task, scheduling.decode(rows[key].body), self._runs.now()):
                    self._background.start(self._quietly(rules, task))
                    started += 1
        return started

    async def _quietly(self, rules: Rules, task: ScheduledTask) -> None:
        try:
            await self._run(rules, task)
        except Fault as fault:
            log.warning("task_interrupted", task=task_id(task), fault=str(fault))

    async def _run(self, rules: Rules, task: ScheduledTask) -> TaskRun | None:
        """The run after it has ended; None when another one is in progress."""
        key = state_key(rules.environment, task_id(task))
        claim = uuid.uuid4().hex
        run = TaskRun(
            id=claim,
            implementation_type=task.implementation_type,
            status=RUNNING,
            started=self._runs.now(),
        )
        if not await self._runs.begin(rules, key, run, claim=claim):
            return None
        beat = self._beat(rules, key, claim)
        try:
            done = await self._work[folded(task.implementation_type)](rules.environment_id, task, beat)
        except PropertyError as error:
            run = msgspec.structs.replace(run, status=FAILED, message=str(error))
        except LostClaimError:
            return msgspec.structs.replace(
                run, status=FAILED, ended=self._runs.now(), message="Another run took its place."
            )
        except BaseException as error:
            await self._failed(rules, key, run, error)
            raise
        else:
            run = _done(run, done)
        run = msgspec.structs.replace(run, ended=self._runs.now())
        await self._runs.end(rules, key, claim, run)
        return run

    async def _failed(self, rules: Rules, key: DocumentKey, run: TaskRun, error: BaseException) -> None:
        """Keep why a run broke off, if that is possible; otherwise its claim runs out."""
        reason = str(error) if isinstance(error, Fault) else type(error).__name__
        ended = msgspec.structs.replace(
            run, status=FAILED, ended=self._runs.now(), message=f"It broke off: {reason}"
        )
        try:
            await self._runs.end(rules, key, run.id, ended)
        except Fault as fault:
            log.warning("task_state_not_saved", key=key.id, fault=str(fault))

    def _beat(self, rules: Rules, key: DocumentKey, claim: str) -> Beat:
        """Renews the claim when a third of it has passed."""
        renewed = self._runs.now()

        async def beat() -> None:
            nonlocal renewed
            now = self._runs.now()
            if now - renewed > LEASE / 3:
                await self._runs.beat(rules, key, claim)
                renewed = now

        return beat

    async def _task(self, rules: Rules, name: str) -> ScheduledTask | Refused:
        tasks = (await self._configurations.workflows(rules)).tasks
        found = next((one for one in tasks if same(task_id(one), name)), None)
        if found is None:
            known = ", ".join(task_id(one) for one in tasks) or "none"
            return Refused(Code.NOT_FOUND, f"There is no scheduled task {name!r}. There are: {known}.")
        return found


def _done(run: TaskRun, done: Done) -> TaskRun:
    return msgspec.structs.replace(
        run,
        status=SUCCEEDED,
        orders_changed=done.orders,
        lines_changed=done.lines,
        orders_skipped=done.skipped,
        message=done.message,
    )


def update_status(overdue: Overdue) -> Work:
    """The work of `UpdateOrderStatusScheduledTask`."""

    async def work(environment_id: str, _task: ScheduledTask, beat: Beat) -> Done:
        return Done(orders=await overdue.scheduled(environment_id, beat))

    return work
