"""A batch is decided: gather, decide, commit, reply. The only module that decides.

Theory of operation
-------------------
A batch is one unit: one transaction that locks and reads, a pure decision, one commit. Replies are sent after the
commit. What may come between:

**Configuration fence.** `gather` reports the version of each environment's configuration and holds it until the end
of the unit. If it is not the version that the submissions were built with, the rules are read again, the
submissions of that environment are built again, and a fresh unit decides.

**Conflicts** (deadlock, serialization, a concurrent duplicate id) mean that nothing was committed: the batch is
gathered and decided again after a short jittered pause. If it persists, the batch is cut in halves, in order, down to
single submissions, so that only the unlucky one is answered with the fault. An unexpected error or a contradiction in
the stored state is cut down in the same way: a bad command does not sink its neighbours.

**The optimistic road.** Reservations are first tried without locks (`optimistic`, ADR 27); what comes here is the rest, what that
road could not confirm, and what it lost the answer to. Such a *late* commit held no locks, so no gather is final about it: it is
looked for in each, until the batch is committed or the configuration has changed.

**A lost answer.** When the commit was sent and its answer lost, the batch is kept with its decision and gathered
again. The locks of `gather` wait until the lost transaction has ended, so what is read then is final. A commit is all
or nothing: if the command ids that the decision wrote are there, with the very outcomes that it decided, and its
documents as it wrote them, it landed, and its outcomes are the answers as they are: a first-time caller gets `Accepted`,
not `Replayed`. Otherwise it did not land and the same unit decides afresh. A decision that wrote neither ids nor documents had no effect but
recorded refusals, and is decided again as well. If the store stays away for `settle_seconds`, the
callers get `OutcomeUnknown` and may send the same ids again.

**Deadlines** count from the submission to the moment before the commit is sent. A caller that went away is passed over.
Where a batch is cut changes no outcome (I6), so none of this can be seen from outside but in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

import structlog

from onhand.core.commands import Work
from onhand.core.decide import decide, reads
from onhand.core.rules import Rules
from onhand.core.snapshot import Decision, Snapshot
from onhand.ports import Clock, Probe, Store
from onhand.rows import BatchReport
from onhand.service.environments import Environments
from onhand.service.faults import (
    Busy,
    Conflict,
    DeadlineExceeded,
    Fault,
    InvariantViolation,
    OutcomeUnknown,
    StoreUnavailable,
)
from onhand.service.optimistic import Optimist
from onhand.service.parts import (
    Part,
    build_again,
    events,
    landed,
    name,
    oversold,
    rules_of,
    unknown,
    violation,
)
from onhand.service.submissions import Lane, Submission

log = structlog.get_logger("onhand.batcher")

REBUILDS_MAX = 8
"""How often a batch follows a changed configuration before it gives up."""


class Decider:
    """Answers batches; the lanes share one."""

    def __init__(  # noqa: PLR0913 - each is a named bound
        self,
        store: Store,
        environments: Environments,
        clock: Clock,
        *,
        probe: Probe,
        deadline_seconds: float,
        conflict_retries: int,
        retry_pause_seconds: float,
        settle_seconds: float,
        cells_remembered: int,
        time: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self._store = store
        self._environments = environments
        self._clock = clock
        self._probe = probe
        self._deadline_seconds = deadline_seconds
        self._conflict_retries = conflict_retries
        self._retry_pause_seconds = retry_pause_seconds
        self._settle_seconds = settle_seconds
        self._time = time
        """Seconds; deadlines are told in it."""
        self._jitter = jitter
        self._optimist = Optimist(store, clock, _decide, time=time, probe=probe, cells_max=cells_remembered)

    async def answer(self, lane: Lane, batch: list[Submission]) -> None:
        """Answer each submission of a batch exactly once, in parts if it cannot be decided as a whole.

        Raises:
            CancelledError: the service stops; every submission was answered.
        """
        parts = await self._optimist.attempt(lane, batch)
        parts.reverse()
        while parts:
            part = parts.pop()
            if part.committed:
                self._reply(lane, part)
                continue
            error = await self._decide_part(lane, part)
            if error is None:
                continue
            if part.late is not None:
                part.fail(unknown())  # not cut: its decision is found as a whole or not at all
                continue
            if len(part.waiting) > 1:
                half = len(part.waiting) // 2
                parts += (Part(part.waiting[half:]), Part(part.waiting[:half]))
                self._probe.fault("split", type(error).__name__, len(part.waiting))
                continue
            if isinstance(error, Conflict):
                part.fail(error)
            else:
                log.error("invariant_violated", exc_info=error, command=name(part.waiting[0].work))
                part.fail(violation(error))

    async def _decide_part(self, lane: Lane, part: Part) -> Exception | None:
        """Answer a part, or return the error for which it has to be cut."""
        try:
            while self._still_wanted(part):
                try:
                    await self._unit(part)
                except Exception as error:  # noqa: BLE001 - retried, answered or returned
                    if await self._recover(part, error):
                        return error
                    continue
                if part.outdated:
                    await self._rebuild(part)
                else:
                    self._reply(lane, part)
                    break
        except asyncio.CancelledError:
            if part.committed:
                self._reply(lane, part)
            part.fail(unknown() if part.committing or part.uncertain or part.late else stopping())
            raise
        return None

    async def _unit(self, part: Part) -> None:
        """One transaction. Leaves `decided` and committed, or `outdated`; or raises."""
        part.decided, part.outdated, part.committing, part.committed = None, [], False, False
        part.timings = (0.0, 0.0, 0.0)
        works = [submission.work for submission in part.waiting]
        now = self._clock.now_us()
        begun = perf_counter()
        try:
            async with self._store.unit() as unit:
                snapshot = await unit.gather(reads(works), now)
                gathered = perf_counter()
                lost, part.uncertain = part.uncertain, None
                for sent in (lost, part.late):
                    if sent is not None and landed(sent, snapshot):
                        part.decided, part.committed = sent, True
                        return
                rules, part.outdated = rules_of(part.waiting, snapshot)
                if part.outdated:
                    return
                if lost is not None or part.waiting[0].deadline < self._time():
                    self._drop_late(part)
                    works = [submission.work for submission in part.waiting]
                decision = part.decided = _decide(works, snapshot, rules, now)
                decided = perf_counter()
                if decision.changes:
                    part.committing = True
                    await unit.commit(decision)
                    part.committing = False
                    self._optimist.forget(decision)
                part.committed = True
                part.timings = (gathered - begun, decided - gathered, perf_counter() - decided)
        except Exception:
            if not part.committed:
                raise
            log.exception("unit_not_closed")  # the commit was answered: the outcomes stand

    async def _recover(self, part: Part, error: Exception) -> bool:
        """Prepare the next attempt, or answer the part; True when it has to be cut for this error."""
        self._probe.fault("unit", type(error).__name__, len(part.waiting))
        if isinstance(error, OutcomeUnknown) and part.committing:
            part.uncertain = part.decided
        if part.uncertain is not None:
            part.settle_until = part.settle_until or self._time() + self._settle_seconds
            if self._time() >= part.settle_until:
                part.fail(unknown())
            elif not isinstance(error, OutcomeUnknown):
                await self._pause(8)
        elif isinstance(error, Conflict):
            part.conflicts += 1
            if part.conflicts > self._conflict_retries:
                return True
            await self._pause(part.conflicts)
        elif isinstance(error, StoreUnavailable) and not part.outages:
            part.outages = 1  # once at once: a pooled connection may have died while it was idle
        elif isinstance(error, InvariantViolation) or not isinstance(error, Fault):
            return True
        else:
            part.fail(unknown() if part.late else error)
        return False

    async def _rebuild(self, part: Part) -> None:
        """Build the submissions of outdated environments again with the rules as they are now."""
        part.rebuilds += 1
        part.late = None  # it was decided under the old configuration, which its commit would compare
        self._probe.fault("unit", "ConfigurationChanged", len(part.waiting))
        if part.rebuilds > REBUILDS_MAX:
            part.fail(Conflict("The configuration kept changing; nothing was recorded. Try again."))
            return
        for environment_id in part.outdated:
            concerned = [one for one in part.waiting if one.rules.environment_id == environment_id]
            try:
                rules = await self._environments.refresh(environment_id)
            except Fault as fault:
                for submission in concerned:
                    submission.fail(fault)
                continue
            for submission in concerned:
                if submission.rules is not rules:  # another version, or another environment of this id
                    build_again(submission, rules)
        self._drop_late(part)

    def _still_wanted(self, part: Part) -> bool:
        """Whether another attempt makes sense. An uncertain part keeps its order, its decision goes by it."""
        if part.uncertain is None:
            self._drop_late(part)
            return bool(part.waiting)
        return not all(submission.answered for submission in part.waiting)

    def _drop_late(self, part: Part) -> None:
        """Take out the submissions nobody waits for, and answer those whose deadline has passed.

        Not while a late commit may still be carried out: only what is decided again keeps it from that.
        """
        if part.late is not None:
            return
        now = self._time()
        wanted = [submission for submission in part.waiting if not submission.answered]
        part.waiting = [submission for submission in wanted if submission.deadline >= now]
        late = len(wanted) - len(part.waiting)
        if late:
            self._probe.fault("lane", "DeadlineExceeded", late)
            for submission in wanted:
                if submission.deadline < now:
                    submission.fail(
                        DeadlineExceeded(
                            "The deadline passed before the commit was sent; nothing was recorded."
                        )
                    )

    async def _pause(self, attempt: int) -> None:
        """A jittered pause that doubles with each attempt, at most 64 times the first."""
        await asyncio.sleep(self._retry_pause_seconds * min(2**attempt, 64) * (0.5 + self._jitter()))

    def _reply(self, lane: Lane, part: Part) -> None:
        """Answer a committed part and report it, once for the whole part."""
        decision = part.decided
        if decision is None:
            raise InvariantViolation("A unit left neither a decision nor outdated rules.")
        for submission, outcome in zip(part.waiting, decision.outcomes, strict=True):
            submission.reply(outcome)
        answered = self._time() + self._deadline_seconds
        gather_seconds, decide_seconds, commit_seconds = part.timings
        self._probe.batch(
            BatchReport(
                lane=lane.number,
                size=len(part.waiting),
                queued=lane.commands,
                waited_seconds=[answered - submission.deadline for submission in part.waiting],
                gather_seconds=gather_seconds,
                decide_seconds=decide_seconds,
                commit_seconds=commit_seconds,
                events=events(part.waiting, decision.outcomes),
                oversold=oversold(decision.outcomes),
            )
        )


def _decide(works: Sequence[Work], snapshot: Snapshot, rules: Mapping[int, Rules], now: int) -> Decision:
    decision = decide(works, snapshot, rules, now)
    if len(decision.outcomes) != len(works):
        raise InvariantViolation("The decision does not answer each submission once.")
    return decision


def stopping() -> Busy:
    """The fault of what the service does not begin any more."""
    return Busy("The service is stopping; nothing was recorded. Send the request again.")
