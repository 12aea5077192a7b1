"""What a run of a scheduled task needs of its surroundings: a claim that others respect, a heart beat, a place for the result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.orders import events, scheduling
from onhand.core.orders.configuration import ScheduledTask
from onhand.core.orders.scheduling import LEASE, TaskRun, TaskState
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Clock
from onhand.service.batcher import Batcher
from onhand.service.faults import Conflict

ATTEMPTS = 5
"""Times that a state is changed anew because somebody else changed it first."""

Beat = Callable[[], Awaitable[None]]
"""Says that a run is alive; raises `LostClaimError` when another one has taken its place."""


class LostClaimError(Exception):
    """The run was silent for so long that another one has begun."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did."""

    orders: int = 0
    lines: int = 0
    skipped: int = 0
    message: str = ""


Work = Callable[[str, ScheduledTask, Beat], Awaitable[Done]]
"""What a task does in an environment."""


class TaskRuns:
    """States of tasks."""

    def __init__(self, batcher: Batcher, clock: Clock) -> None:
        self._batcher = batcher
        self._clock = clock

    def now(self) -> datetime:
        """The time, in UTC."""
        return events.moment(self._clock.now_us())

    async def seen(self, rules: Rules, key: DocumentKey) -> None:
        """Note that the clock saw the task; from now on it can be due."""

        def edit(state: TaskState | None, now: datetime) -> TaskState | None:
            return TaskState(since=now) if state is None else None

        await self._change(rules, key, edit)

    async def begin(self, rules: Rules, key: DocumentKey, run: TaskRun, *, claim: str) -> bool:
        """Claim the task for a run; False while another run is in progress."""

        def edit(state: TaskState | None, now: datetime) -> TaskState | None:
            if state is not None and state.is_running(now):
                return None
            return TaskState(since=run.started, claim=claim, claimed_to=now + LEASE, last=run)

        return await self._change(rules, key, edit)

    async def beat(self, rules: Rules, key: DocumentKey, claim: str) -> None:
        """Renew the claim.

        Raises:
            LostClaimError: it belongs to another run.
        """

        def edit(state: TaskState | None, now: datetime) -> TaskState | None:
            if state is None or state.claim != claim:
                return None
            return msgspec.structs.replace(state, claimed_to=now + LEASE)

        if not await self._change(rules, key, edit):
            raise LostClaimError

    async def end(self, rules: Rules, key: DocumentKey, claim: str, run: TaskRun) -> None:
        """Give the claim back and keep how the run went."""

        def edit(state: TaskState | None, _now: datetime) -> TaskState | None:
            if state is None or state.claim != claim:
                return None
            return msgspec.structs.replace(state, claim="", claimed_to=None, last=run)

        await self._change(rules, key, edit)

    async def _change(
        self,
        rules: Rules,
        key: DocumentKey,
        edit: Callable[[TaskState | None, datetime], TaskState | None],
    ) -> bool:
        """Change a state under its lock; False when `edit` says that there is nothing to change."""
        changed = False

        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            nonlocal changed
            document = concluded.documents[0]
            state = scheduling.decode(document.body) if document.version else None
            after = edit(state, self.now())
            changed = after is not None
            return [] if after is None else [DocumentWrite(key, document.version, scheduling.encode(after))]

        for _ in range(ATTEMPTS):
            outcome = await self._batcher.submit(
                rules, lambda _: Group(commands=(), documents=(key,), finish=finish)
            )
            refusal = outcome.refusal if isinstance(outcome, GroupOutcome) else outcome
            if not isinstance(refusal, Rejected):
                return changed
            if refusal.reason is not Reason.STALE_DOCUMENT:
                raise Conflict(refusal.message)
        raise Conflict("The state of the task is changed by many at once; nothing was recorded.")
