"""The optimistic road of a batch of reservations: decide on what is remembered, let the database confirm it (ADR 27).

Theory of operation
-------------------
A batch costs two exchanges with the database, of which the first, the gather, mostly reads what this very process wrote
a moment ago. So checked reservations of cells are first decided on `Remembered` products; those that are not remembered are
looked at without locks. The commit then locks the products and compares versions, of products and configurations: a product
of the same version is the same in every row. If anything has changed, nothing is written, and the batch goes the
other road, which locks first and always gets on. The decision is the same function on either road, and so are the rows.

What is not plain stays with the other road from the start: other commands, and all commands of a product that has one
of them; products that were just refused or had changed (for a moment, since they probably are again). What is refused
is decided anew there, under locks, because a refusal is recorded with numbers that were true.

An id that was accepted before shows only in the commit, as a duplicate; then the batch goes the other road as
well. Where this road fails again and again (many repeated ids, another process that sells the same products), a lane
leaves it for a growing number of batches.

When the answer to the commit is lost, it may even be carried out later (`Part.late`). Nothing is lost by that: the other road decides
the same submissions again, which either finds their ids or takes the versions away that the late commit needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import cast

import structlog

from onhand.core.commands import Group, Reserve, Work
from onhand.core.keys import ProductKey
from onhand.core.outcomes import Accepted, Replayed
from onhand.core.rules import Rules
from onhand.core.snapshot import Decision, Snapshot
from onhand.ports import Clock, Probe, Store, Unit
from onhand.service.faults import Fault, OutcomeUnknown, Stale
from onhand.service.parts import Part, unknown
from onhand.service.remembered import Memory, Remembered, follow
from onhand.service.submissions import Lane, Submission

log = structlog.get_logger("onhand.batcher")

Decide = Callable[[Sequence[Work], Snapshot, Mapping[int, Rules], int], Decision]

AVOIDED_SECONDS = 1.0
"""How long a product is left to the other road after it was refused or had changed."""
AVOIDED_MAX = 10_000
"""Products that are avoided at a time; when there are more, all are tried again."""
PAUSE_DOUBLINGS_MAX = 6
"""After failures in a row a lane leaves this road for 2, 4, 8 .. batches; at most so many doublings."""


class Pause:
    """How many batches a lane still leaves this road."""

    __slots__ = ("failures", "left")

    def __init__(self) -> None:
        self.failures = 0
        self.left = 0

    def rests(self) -> bool:
        """Whether the next batch does, too."""
        if self.left:
            self.left -= 1
            return True
        return False

    def lengthen(self) -> None:
        """After a failure."""
        self.failures = min(self.failures + 1, PAUSE_DOUBLINGS_MAX)
        self.left = 2**self.failures

    def end(self) -> None:
        """After a success."""
        self.failures = 0


class Optimist:
    """Decides what it can on remembered products; the lanes share one."""

    def __init__(  # noqa: PLR0913 - what a decision needs, and a bound
        self,
        store: Store,
        clock: Clock,
        decide: Decide,
        *,
        time: Callable[[], float],
        probe: Probe,
        cells_max: int,
    ) -> None:
        """`cells_max`: how many cells of products are remembered; 0 leaves every batch to the other road."""
        self._time = time
        self._store = store
        self._clock = clock
        self._decide = decide
        self._probe = probe
        self._remembered = Remembered(cells_max)
        self._era: int | None = None
        """That of the unit that used the memory last."""
        self._enabled = cells_max > 0
        self._avoided: dict[ProductKey, float] = {}
        """Product -> time until which it is."""
        self._pauses: dict[int, Pause] = {}

    async def attempt(self, lane: Lane, batch: list[Submission]) -> list[Part]:
        """The batch in parts: one that is committed and has to be answered, if that went well, and what is left to do.

        Raises:
            CancelledError: the service stops. What is committed is answered, what was sent with `OutcomeUnknown`, the
                rest not at all.
        """
        pause = self._pauses.setdefault(lane.number, Pause())
        if not self._enabled or pause.rests():
            return [Part(batch)]
        rules: dict[int, Rules] = {}
        part = Part(self._plain(batch, rules))
        if not _worthwhile(part, batch):
            return [Part(batch)]
        try:
            async with self._store.unit() as unit:
                await self._unit(unit, part, batch, rules)
        except asyncio.CancelledError:
            _answer_at_stop(part)
            raise
        except Exception as error:  # noqa: BLE001 - the other road answers it, whatever it is
            self._failed(part, error, pause)
        if part.committed:
            pause.end()
        elif part.late is None:
            return [Part(batch)]
        left = Part(_without(batch, part.waiting))
        return [part, left] if left.waiting else [part]

    def forget(self, decision: Decision) -> None:
        """The other road has changed these products."""
        if self._enabled:
            self._remembered.forget(change.product for change in decision.products)

    # Choosing ----------------------------------------------------------------------------------------------

    def _plain(self, batch: list[Submission], rules: dict[int, Rules]) -> list[Submission]:
        """Checked reservations of cells whose product has nothing else in the batch and is not avoided.

        `rules` gets the rules that they were built with; those of one environment all have the same.
        """
        plain: list[Submission] = []
        odd: set[ProductKey] = set()
        avoided = self._avoided
        now = self._time()
        for submission in batch:
            work = submission.work
            if type(work) is not Reserve:
                odd.update(work.products if isinstance(work, Group) else (work.product,))
                continue
            product, position = work.product, work.position
            if (
                not work.check
                or position.cell != position.key
                or submission.answered
                or rules.setdefault(product.environment, submission.rules) is not submission.rules
                or (avoided and avoided.get(product, now) > now)
            ):
                odd.add(product)
            else:
                plain.append(submission)
        return [one for one in plain if _reserve(one).product not in odd] if odd else plain

    async def _snapshot(
        self, unit: Unit, part: Part, versions: dict[int, int], now: int
    ) -> tuple[Snapshot, dict[ProductKey, Memory]]:
        """What the part is decided on, and what to remember if it stands. Products that it cannot have drop out."""
        memories: dict[ProductKey, Memory] = {}
        asked: dict[ProductKey, set[str]] = {}
        for product, place in {(work.product, work.position.place) for work in _reserves(part)}:
            memory = self._remembered.recall(product)
            if memory is not None and memory.holds_at(place, versions[product.environment], now):
                memories[product] = memory
            else:
                asked.setdefault(product, set(memory.places if memory else ())).add(place)
        if asked:
            pairs = [(product, place) for product, places in asked.items() for place in places]
            for product, state in (await unit.look(pairs)).items():
                memory = Memory(state, versions[product.environment], tuple(asked[product]))
                if memory.lapses_by(now):
                    memories.pop(product, None)
                else:
                    memories[product] = memory
            part.waiting = [one for one in part.waiting if _reserve(one).product in memories]
        states = {product: memory.state for product, memory in memories.items()}
        return Snapshot(versions, states), memories

    # Deciding ----------------------------------------------------------------------------------------------

    async def _unit(self, unit: Unit, part: Part, batch: list[Submission], rules: dict[int, Rules]) -> None:
        """Decide the part, less what is refused, and have it confirmed and committed."""
        era = unit.era
        if era is None:
            return
        if era != self._era:
            self._remembered.clear()
            self._era = era
        now = self._clock.now_us()
        begun = perf_counter()
        versions = {number: one.version for number, one in rules.items()}
        snapshot, memories = await self._snapshot(unit, part, versions, now)
        gathered = perf_counter()
        decision = self._decide(_reserves(part), snapshot, rules, now)
        left = _left_to_locks(part, decision)
        if left:
            self._avoid(left)
            part.waiting = [one for one in part.waiting if _reserve(one).product not in left]
            decision = self._decide(_reserves(part), snapshot, rules, now)
        decided = perf_counter()
        if not _worthwhile(part, batch) or batch[0].deadline < self._time():
            return
        part.decided, part.committing = decision, True
        await unit.commit_unchanged(decision, snapshot)
        part.committing, part.committed = False, True
        part.timings = (gathered - begun, decided - gathered, perf_counter() - decided)
        follow(snapshot.products, decision)
        if unit.era == self._era == era:
            for change in decision.products:
                self._remembered.keep(change.product, memories[change.product])

    def _failed(self, part: Part, error: Exception, pause: Pause) -> None:
        """Learn from an attempt that did not stand."""
        if part.committed:
            return
        pause.lengthen()
        self._probe.fault("optimistic", type(error).__name__, len(part.waiting))
        products = {work.product for work in _reserves(part)}
        if isinstance(error, Stale):
            self._avoid(error.products)
            self._remembered.clear()  # whoever changed these has probably changed others, too
        elif isinstance(error, OutcomeUnknown) and part.committing:
            part.late = part.decided
            self._remembered.forget(products)
        elif not isinstance(error, Fault):
            log.error("optimistic_failed", exc_info=error)
            self._remembered.forget(products)
        part.committing = False

    def _avoid(self, products: Iterable[ProductKey]) -> None:
        if len(self._avoided) >= AVOIDED_MAX:
            self._avoided.clear()
        until = self._time() + AVOIDED_SECONDS
        self._avoided.update(dict.fromkeys(products, until))


def _worthwhile(part: Part, batch: list[Submission]) -> bool:
    """Whether the part saves more than a transaction of its own costs."""
    return 0 < len(batch) <= 2 * len(part.waiting)


def _answer_at_stop(part: Part) -> None:
    """What is committed has its outcome; what was sent is unknown."""
    if part.committed and part.decided is not None:
        for submission, outcome in zip(part.waiting, part.decided.outcomes, strict=True):
            submission.reply(outcome)
    elif part.committing:
        part.fail(unknown())


def _reserve(submission: Submission) -> Reserve:
    return cast("Reserve", submission.work)


def _reserves(part: Part) -> list[Reserve]:
    return cast("list[Reserve]", [submission.work for submission in part.waiting])


def _left_to_locks(part: Part, decision: Decision) -> set[ProductKey]:
    """Products with what has to be decided under locks: a refusal, a new position, a hold that lapsed at once."""
    left = {row.product for row in decision.positions}
    if len(decision.movements) != len(decision.new_holds):
        left |= {hold.product for hold in decision.new_holds if hold.remaining != hold.quantity}
    for submission, outcome in zip(part.waiting, decision.outcomes, strict=True):
        if type(outcome) is not Accepted and type(outcome) is not Replayed:
            left.add(_reserve(submission).product)
    return left


def _without(batch: list[Submission], done: list[Submission]) -> list[Submission]:
    if len(done) == len(batch):
        return []
    gone = set(map(id, done))
    return [submission for submission in batch if id(submission) not in gone]
