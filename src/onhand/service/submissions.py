"""What waits for an answer: single submissions, items of a bulk, and the lanes in which they queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from onhand.core.commands import Group, Wipe, Work
from onhand.core.outcomes import GroupOutcome, Outcome, Rejected
from onhand.core.rules import Rules
from onhand.service.faults import Fault

Build = Callable[[Rules], Work | Rejected]
"""Makes the work from the rules; pure, and called again when the configuration changes meanwhile."""


def weight(work: Work) -> int:
    """Number of commands, which is what the bounds of batches and queues count."""
    return max(1, len(work.commands)) if isinstance(work, Group) else 1


def shard_key(work: Work) -> int:
    """Key that chooses the lane: the product's; of a group the lowest; of documents alone their own."""
    if isinstance(work, Group):
        keys = [command.product.k for command in work.commands]
        return min(keys or [key.d for key in work.documents] or [0])
    return work.product.k


class Submission:
    """One command or group on its way, with the future of its caller."""

    __slots__ = ("build", "commands", "deadline", "future", "rules", "work")

    def __init__(  # noqa: PLR0913 - made once, in the batcher
        self,
        build: Build,
        rules: Rules,
        work: Work,
        commands: int,
        deadline: float,
        future: asyncio.Future[Any],
    ) -> None:
        self.build = build
        self.rules = rules
        """Rules that `work` was built with."""
        self.work = work
        self.commands = commands
        """`weight` of the work."""
        self.deadline = deadline
        """Time of the event loop after which no commit is sent for it."""
        self.future = future

    @property
    def answered(self) -> bool:
        """Whether nobody waits any more: answered, or the caller is gone."""
        return self.future.done()

    def reply(self, outcome: Outcome | GroupOutcome) -> None:
        """Give the caller its outcome; a caller that is gone is passed over."""
        if not self.future.done():
            self.future.set_result(outcome)

    def fail(self, fault: Fault) -> None:
        """Give the caller a fault."""
        if not self.future.done():
            self.future.set_exception(fault)


class Offered(Submission):
    """One command whose caller is called, in a turn of the event loop of its own, instead of waiting for a future.

    No future and no task for each request: together they cost more than the decision.
    """

    __slots__ = ("_caller", "_done", "_loop")

    def __init__(  # noqa: PLR0913 - made once, in the batcher
        self,
        build: Build,
        rules: Rules,
        work: Work,
        deadline: float,
        loop: asyncio.AbstractEventLoop,
        caller: Callable[[Any], None],
    ) -> None:
        self.build = build
        self.rules = rules
        self.work = work
        self.commands = 1
        self.deadline = deadline
        self._loop = loop
        self._caller = caller
        self._done = False

    @property
    def answered(self) -> bool:
        """Whether it has its answer."""
        return self._done

    def reply(self, outcome: Outcome | GroupOutcome) -> None:
        """Have the caller told. Not here and now: the lane goes on to its next batch first."""
        if not self._done:
            self._done = True
            self._loop.call_soon(self._caller, outcome)

    def fail(self, fault: Fault) -> None:
        """Have the caller told of a fault."""
        if not self._done:
            self._done = True
            self._loop.call_soon(self._caller, fault)


class Bulk:
    """The answers of many commands, and one future for all of them."""

    __slots__ = ("answers", "future", "missing")

    def __init__(self, size: int, future: asyncio.Future[None]) -> None:
        self.answers: list[Outcome | GroupOutcome | Fault | None] = [None] * size
        self.future = future
        self.missing = size

    def answer(self, index: int, answer: Outcome | GroupOutcome | Fault) -> None:
        """Note one answer; the last one completes the bulk. A second answer to an item is passed over."""
        if self.answers[index] is None:
            self.answers[index] = answer
            self.missing -= 1
            if not self.missing and not self.future.done():
                self.future.set_result(None)


class BulkItem(Submission):
    """One command of a bulk."""

    __slots__ = ("bulk", "index")

    def __init__(  # noqa: PLR0913 - made once, in the batcher
        self, build: Build, rules: Rules, work: Work, deadline: float, bulk: Bulk, index: int
    ) -> None:
        super().__init__(build, rules, work, 1, deadline, bulk.future)
        self.bulk = bulk
        self.index = index

    @property
    def answered(self) -> bool:
        """Whether this item has its answer, or the caller of the bulk is gone."""
        return self.bulk.answers[self.index] is not None or self.future.done()

    def reply(self, outcome: Outcome | GroupOutcome) -> None:
        """Note the outcome of this item."""
        self.bulk.answer(self.index, outcome)

    def fail(self, fault: Fault) -> None:
        """Note the fault of this item; the others are untouched."""
        self.bulk.answer(self.index, fault)


class Lane:
    """A bounded queue with one consumer. Not thread-safe: it belongs to one event loop."""

    __slots__ = ("_queue", "_sleeper", "commands", "commands_max", "number")

    def __init__(self, number: int, commands_max: int) -> None:
        self.number = number
        self.commands_max = commands_max
        self.commands = 0
        """Commands that wait."""
        self._queue: deque[Submission] = deque()
        self._sleeper: asyncio.Future[None] | None = None

    def has_room(self, commands: int) -> bool:
        """Whether so many commands may queue. An empty lane takes a group of any size, or it could never run."""
        return not self.commands or self.commands + commands <= self.commands_max

    def put(self, submission: Submission) -> None:
        """Queue a submission; the caller has asked `has_room`."""
        self._queue.append(submission)
        self.commands += submission.commands
        if self._sleeper is not None:
            self.wake()

    def wake(self) -> None:
        """Let the consumer look at the lane."""
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def sleep(self) -> None:
        """Wait until something was put or `wake` was called; returns at once when something waits."""
        if not self._queue:
            self._sleeper = asyncio.get_running_loop().create_future()
            try:
                await self._sleeper
            finally:
                self._sleeper = None

    def take(self, commands_max: int) -> list[Submission]:
        """The oldest submissions, up to so many commands; at least one if any waits.

        A wipe ends the batch, only wipes follow it: what comes later must see which ids it took with it.
        """
        queue = self._queue
        taken: list[Submission] = []
        room = commands_max
        while queue:
            needed = queue[0].commands
            if taken and (needed > room or _ends_batch(taken[-1].work, queue[0].work)):
                break
            taken.append(queue.popleft())
            room -= needed
            self.commands -= needed
        return taken


def _ends_batch(last: Work, following: Work) -> bool:
    return isinstance(last, Wipe) and not isinstance(following, Wipe)
