"""Scheduled tasks as values: when one is due, who runs it, how its last run went (order specification 2.11).

The state of a task is a document of its own, so that the configuration changes only when somebody changes it. The claim
in it keeps a second run away while one is in progress; a claim that is not renewed runs out.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from onhand.core.commands import DocumentKey
from onhand.core.keys import shard
from onhand.core.orders.configuration import ScheduledTask, folded
from onhand.core.orders.cron import CronError, parse_cron
from onhand.core.orders.entities import stored_decoder, to_stored

KIND: Final = "scheduled-task-state"
"""Kind of the document."""
LEASE: Final = timedelta(minutes=2)
"""How long a run that shows no sign of life keeps others away."""

RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"


class TaskRun(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One run of a task, as it is stored and shown."""

    id: str
    implementation_type: str
    status: str
    """Running, Succeeded or Failed."""
    started: datetime
    ended: datetime | None = None
    orders_changed: int = 0
    lines_changed: int = 0
    orders_skipped: int = 0
    """Orders that somebody else worked on; the next run looks at them again."""
    message: str = ""


class TaskState(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a task's document."""

    since: datetime
    """When its last run began, or when the clock saw the task first."""
    claim: str = ""
    claimed_to: datetime | None = None
    last: TaskRun | None = None

    def is_running(self, now: datetime) -> bool:
        """Whether a run is in progress."""
        return self.claimed_to is not None and self.claimed_to > now


def task_id(task: ScheduledTask) -> str:
    """The id that a task is known by: its own, or its implementation type."""
    return task.id or task.implementation_type


def state_key(environment: int, name: str) -> DocumentKey:
    """Key of a task's document."""
    return DocumentKey(shard(str(environment), KIND, folded(name)), environment, KIND, folded(name))


def is_due(task: ScheduledTask, state: TaskState, now: datetime) -> bool:
    """Whether the clock should start the task. One that was missed several times is started once."""
    if task.is_disabled or state.is_running(now):
        return False
    try:
        due = parse_cron(task.schedule).next_after(state.since)
    except CronError:
        return False
    return due is not None and due <= now


def encode(state: TaskState) -> bytes:
    """The stored form."""
    return to_stored(state)


decode = stored_decoder(TaskState).decode
