"""Submissions become batches: queued in lanes, taken by one task a lane, decided by the `Decider`.

Theory of operation
-------------------
A submission is a function that builds a command (or a group) from the rules of its environment. It is built at
once, so that bad input is answered without a batch (with rules at most a second old), and then queued in a **lane**:
the product's shard key modulo the number of lanes, a group by its lowest key. One task per lane takes whatever queued
while the previous batch committed (no linger) and has it decided as one unit. Lanes only spread the load: two lanes, or
two processes, may touch the same product, because the unit locks all rows in ascending order.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import cast, overload

import structlog

from onhand.core.commands import AnyCommand, Group
from onhand.core.outcomes import GroupOutcome, Outcome, Rejected
from onhand.core.rules import Rules
from onhand.ports import Clock, Probe, Store
from onhand.service.decider import Decider, stopping
from onhand.service.environments import Environments
from onhand.service.faults import (
    Busy,
    Fault,
    UnknownEnvironment,
)
from onhand.service.parts import violation
from onhand.service.submissions import Build, Bulk, BulkItem, Lane, Offered, Submission, shard_key, weight

__all__ = ["Batcher", "Build"]

log = structlog.get_logger("onhand.batcher")


class Batcher:
    """Decides submissions in batches, one batch per lane at a time."""

    def __init__(  # noqa: PLR0913 - each is a named bound
        self,
        store: Store,
        environments: Environments,
        clock: Clock,
        *,
        probe: Probe,
        lanes: int = 2,
        batch_max: int = 256,
        lane_queue_max: int = 20_000,
        deadline_seconds: float = 5.0,
        conflict_retries: int = 5,
        retry_pause_seconds: float = 0.002,
        settle_seconds: float = 10.0,
        drain_seconds: float = 10.0,
        cells_remembered: int = 0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._environments = environments
        self._decider = Decider(
            store,
            environments,
            clock,
            probe=probe,
            deadline_seconds=deadline_seconds,
            conflict_retries=conflict_retries,
            retry_pause_seconds=retry_pause_seconds,
            settle_seconds=settle_seconds,
            cells_remembered=cells_remembered,
            time=self._time,
            jitter=jitter,
        )
        self._batch_max = batch_max
        self._deadline_seconds = deadline_seconds
        self._drain_seconds = drain_seconds
        self._lanes = [Lane(number, lane_queue_max) for number in range(lanes)]
        self._tasks: list[asyncio.Task[None]] = []
        self._accepting = False
        self._loop: asyncio.AbstractEventLoop

    def _time(self) -> float:
        """Seconds; deadlines are told in it. Asking which loop runs would cost a system call each time."""
        return self._loop.time()

    # Life --------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the lanes."""
        self._loop = asyncio.get_running_loop()
        self._accepting = True
        self._tasks = [
            asyncio.create_task(self._serve(lane), name=f"lane {lane.number}") for lane in self._lanes
        ]

    async def stop(self) -> None:
        """Refuse new submissions, answer those that are queued, end the lanes.

        After `drain_seconds` what is still queued is answered with `Busy`, what is being committed with
        `OutcomeUnknown`.
        """
        self._accepting = False
        for lane in self._lanes:
            lane.wake()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane in self._lanes:
            for submission in lane.take(lane.commands):
                submission.fail(stopping())
        self._tasks = []

    @property
    def healthy(self) -> bool:
        """Whether every lane runs (readiness)."""
        return self._accepting and not any(task.done() for task in self._tasks)

    @property
    def queued(self) -> int:
        """Commands that wait in all lanes."""
        return sum(lane.commands for lane in self._lanes)

    # Submitting --------------------------------------------------------------------------------------------

    @overload
    async def submit(
        self, environment: str | Rules, build: Callable[[Rules], AnyCommand | Rejected]
    ) -> Outcome: ...

    @overload
    async def submit(
        self, environment: str | Rules, build: Callable[[Rules], Group | Rejected]
    ) -> Outcome | GroupOutcome: ...

    async def submit(self, environment: str | Rules, build: Build) -> Outcome | GroupOutcome:
        """Decide one command or group; returns after the durable commit.

        Raises:
            UnknownEnvironment: no environment has this id.
            Busy: the lane is full or the service stops; nothing was recorded.
            DeadlineExceeded, StoreUnavailable, Conflict: nothing was recorded; the same id may be sent again.
            OutcomeUnknown: sent, answer lost and not settled by reading again; send the same id again.
            InvariantViolation: the stored state contradicts itself; nothing was recorded.
        """
        rules = await self._rules(environment) if isinstance(environment, str) else environment
        work = build(rules)
        if isinstance(work, Rejected):
            rules, old = await self._environments.current(rules.environment_id), rules
            work = build(rules) if rules.version != old.version else work
            if isinstance(work, Rejected):
                return work
        if not self._accepting:
            raise stopping()
        lane = self._lanes[shard_key(work) % len(self._lanes)]
        commands = weight(work)
        if not lane.has_room(commands):
            raise _full()
        loop = self._loop
        future: asyncio.Future[Outcome | GroupOutcome] = loop.create_future()
        lane.put(Submission(build, rules, work, commands, loop.time() + self._deadline_seconds, future))
        return await future

    def offer(
        self,
        rules: Rules,
        build: Callable[[Rules], AnyCommand | Rejected],
        caller: Callable[[Outcome | Fault], None],
    ) -> bool:
        """Queue a command whose outcome, or fault, `caller` is called with after the durable commit.

        False, and nothing is queued, when that cannot be done at once: then `submit` says why or waits.
        """
        work = build(rules)
        if isinstance(work, Rejected) or not self._accepting:
            return False
        lane = self._lanes[work.product.k % len(self._lanes)]
        if not lane.has_room(1):
            return False
        loop = self._loop
        lane.put(Offered(build, rules, work, loop.time() + self._deadline_seconds, loop, caller))
        return True

    async def submit_all(
        self, rules: Rules, builds: Sequence[Callable[[Rules], AnyCommand | Rejected]]
    ) -> list[Outcome | Fault]:
        """Decide many commands; one answer each, in order. A fault concerns only its own item.

        Items of one product are decided in the order given: they queue in one lane.

        Raises:
            Busy: some lane has no room for its items, or the service stops; nothing was queued or recorded.
        """
        if not self._accepting:
            raise stopping()
        works = [build(rules) for build in builds]
        if any(isinstance(work, Rejected) for work in works):
            rules, old = await self._environments.current(rules.environment_id), rules
            if rules.version != old.version:
                works = [build(rules) for build in builds]
        bulk = Bulk(len(builds), self._loop.create_future())
        deadline = self._loop.time() + self._deadline_seconds
        needed = [0] * len(self._lanes)
        queued: list[tuple[int, BulkItem]] = []
        for index, (build, work) in enumerate(zip(builds, works, strict=True)):
            if isinstance(work, Rejected):
                bulk.answer(index, work)
                continue
            number = shard_key(work) % len(needed)
            needed[number] += 1
            queued.append((number, BulkItem(build, rules, work, deadline, bulk, index)))
        if not all(lane.has_room(count) for lane, count in zip(self._lanes, needed, strict=True) if count):
            raise _full()
        for number, item in queued:
            self._lanes[number].put(item)
        if queued:
            await bulk.future
        return cast("list[Outcome | Fault]", bulk.answers)

    async def _rules(self, environment_id: str) -> Rules:
        try:
            return self._environments.rules(environment_id)
        except UnknownEnvironment:
            return await self._environments.find(environment_id)

    # Lanes -------------------------------------------------------------------------------------------------

    async def _serve(self, lane: Lane) -> None:
        """Take and answer batches until the batcher stops and the lane is empty. No error ends it."""
        while lane.commands or self._accepting:
            await lane.sleep()
            batch = lane.take(self._batch_max)
            try:
                await self._decider.answer(lane, batch)
            except Exception as error:
                log.exception("lane_failed", lane=lane.number, submissions=len(batch))
                for submission in batch:
                    submission.fail(violation(error))
            except asyncio.CancelledError:
                for submission in batch:
                    submission.fail(stopping())
                raise


def _full() -> Busy:
    return Busy("The lane is full; nothing was recorded. Send the request again after a short pause.")
