"""The one way in which a client's change of an order is stored.

The order is read, changed by a pure function, and committed with the moves that make its reservations follow, its events
and the version that it replaces, in one group. The version of the document is the fence: if somebody else was
faster, it is read and changed again, unless the client named the version that it changed.

Each change leaves its mark in the record. If the answer of its commit got lost and somebody else has written the order
since, the mark says that the change is in there, and it is not made a second time; so does the key of a client's request
that is sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import uuid4

import msgspec

from onhand.core.commands import DocumentWrite
from onhand.core.concluding import Concluded
from onhand.core.orders import events, running, statuses, versions
from onhand.core.orders.applying import Application, Stored
from onhand.core.orders.configuration import Workflows
from onhand.core.orders.dividing import Split
from onhand.core.orders.events import Actor, Entry
from onhand.core.orders.following import moves_of_change, settled
from onhand.core.orders.labels import order_labels
from onhand.core.orders.marking import marks
from onhand.core.orders.model import Order
from onhand.core.orders.moves import Applied, Move
from onhand.core.orders.record import OrderRecord, Run
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.repeating import Claim, Mark, claim_key, find_mark, read_claim, remembered
from onhand.core.orders.working import Note, Surroundings
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.ports import Clock, Documents
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.faults import Conflict
from onhand.service.workflow.searching import order_key, read_record

ATTEMPTS: Final = 8
"""Times that a change is made anew because somebody else changed the order first."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants of an order."""

    after: Order | None
    """None: gone for ever; only its ledger stays."""
    entries: tuple[Entry, ...] = ()
    claim: DocumentWrite | None = None
    """Set at the creation with an idempotency key: what claims the key."""
    run: Run | None = None
    """A run that begins with this change."""
    queued: tuple[Run, ...] = ()
    """Runs that begin when it has ended, one after the other."""
    follows: bool = False
    """Whether this enters the status that an ended run wants, or says why not."""
    moves: tuple[Move, ...] = ()
    """Moves that the change itself asks for, beside those that follow from it."""
    splits: tuple[Split, ...] = ()
    """How lines were divided; without them, what went takes the reservation first."""


class Saved(Stored, frozen=True, kw_only=True):
    """An order as it is stored after a change."""

    replayed: bool = False
    """The same request had made the change before. Its run is shown only if this call began it and has to lead it."""


Make = Callable[[Stored, datetime], Change | Refused | None]
"""Pure: from the order as it is and the time to the change; None: there is nothing to do."""
Plan = Callable[[Sequence[Move]], Awaitable[tuple[Sequence[Move], Sequence[Entry]]]]
"""Adoptions that can be carried out, and what is to be said about the others."""


class Around(Protocol):
    """Makes what a unit must know of the world."""

    async def __call__(self, environment_id: str, caller: str, user_id: str = "") -> Surroundings:
        """The surroundings of an environment's orders, as they are now."""


class Saving:
    """Reads and changes orders."""

    def __init__(
        self,
        documents: Documents,
        batcher: Batcher,
        environments: Environments,
        clock: Clock,
        around: Around,
    ) -> None:
        self._documents = documents
        self._batcher = batcher
        self._environments = environments
        self._clock = clock
        self._around = around

    async def stored(self, environment_id: str, order_id: str) -> Stored:
        """An order's document; version 0 with an empty record when there is none."""
        rules = await self._environments.current(environment_id)
        key = order_key(rules.environment, order_id)
        row = await self._documents.document(key)
        if row is None:
            return Stored(key, 0, OrderRecord(order=None))
        return Stored(key, row.version, read_record(row.body))

    async def claim(self, environment_id: str, mark: Mark) -> Claim | None:
        """What the key of a creation was used for; None when it is free."""
        rules = await self._environments.current(environment_id)
        row = await self._documents.document(claim_key(rules.environment, mark))
        return None if row is None else read_claim(row.body)

    async def save(  # noqa: PLR0913 - who changes what, from which version
        self,
        environment_id: str,
        order_id: str,
        make: Make,
        *,
        actor: Actor,
        expected: str | None = None,
        adopt: Callable[[Stored, Surroundings], Plan] | None = None,
        mark: Mark | None = None,
    ) -> Saved | Refused:
        """Change an order; the order as it is stored then. `mark` is that of a client's request with a key.

        Raises:
            Conflict: others changed it again and again; nothing was recorded.
        """
        asked = _Asked(make, actor, expected, adopt, mark or Mark(uuid4().hex))
        for _ in range(ATTEMPTS):
            stored = await self.stored(environment_id, order_id)
            done = asked.answered(stored, self.now())
            if done is None:
                done = await self._changed(environment_id, stored, asked)
            if done is not None:
                return done
        raise Conflict("The order is changed by many at once.")

    async def _changed(self, environment_id: str, stored: Stored, asked: _Asked) -> Saved | Refused | None:
        """The order after the change, or None when it has to be tried again."""
        actor = asked.actor
        around = await self._around(environment_id, actor.user, actor.user_id)
        change = asked.change(stored, self.now())
        if change is None:
            return Saved(stored.key, stored.version, stored.record)
        if isinstance(change, Refused):
            return change
        moves = moves_of_change(stored.record, change.after, change.splits)
        if isinstance(moves, Refused):
            return moves
        planned: Sequence[Move] = (*change.moves, *moves)
        if asked.adopt is not None:
            planned, said = await asked.adopt(stored, around)(planned)
            change = msgspec.structs.replace(change, entries=(*change.entries, *said))
        return await self._commit(_Writing(stored, around.workflows, change, asked), around, planned)

    async def _commit(
        self, writing: _Writing, around: Surroundings, moves: Sequence[Move]
    ) -> Saved | Refused | None:
        """The stored order, or None when it has to be tried again."""
        stored, claim = writing.stored, writing.change.claim
        application = Application(
            msgspec.structs.replace(around, event=f"change/{stored.version + 1}"),
            stored,
            moves,
            finish=writing.finish,
            extra=writing.extra,
            index=writing.index,
            commands=marks(stored.key, stored.record, around, is_open=writing.open_after),
            claim=claim,
        )
        outcome = await self._batcher.submit(around.rules, application)
        refusal = outcome if isinstance(outcome, Rejected) else None
        if isinstance(outcome, GroupOutcome):
            refusal = outcome.refusal
        if refusal is None:
            after = application.after
            return Saved(after.key, after.version, after.record)
        if refusal.reason in _AGAIN:
            return None
        if claim is not None and refusal.reason is Reason.DUPLICATE_ID:
            return Refused(Code.DUPLICATE_ID, refusal.message)
        return Refused(Code.VALIDATION_FAILED, refusal.message)

    def now(self) -> datetime:
        """The time, in UTC."""
        return events.moment(self._clock.now_us())


_AGAIN: Final = frozenset(
    {
        Reason.STALE_DOCUMENT,
        Reason.RESERVATION_MISMATCH,
        Reason.UNKNOWN_HOLD,
        Reason.HOLD_CLOSED,
        Reason.HOLD_TOO_SMALL,
    }
)
"""Refusals after which the order, or what it wanted to adopt, is looked at again."""


class _Asked:
    """A change that is asked for, over all attempts to make it."""

    def __init__(
        self,
        make: Make,
        actor: Actor,
        expected: str | None,
        adopt: Callable[[Stored, Surroundings], Plan] | None,
        mark: Mark,
    ) -> None:
        self.actor = actor
        self.adopt = adopt
        self.mark = mark
        self._make = make
        self._expected = expected
        self._claims: set[str] = set()
        """Of the runs that this call began."""

    def answered(self, stored: Stored, now: datetime) -> Saved | Refused | None:
        """The answer that needs no change: it is in the record already, or it cannot be made now."""
        record = stored.record
        known = find_mark(record.marks, self.mark)
        if known is None:
            return blocked(stored, self._expected, now)
        if known.digest != self.mark.digest:
            return other_body()
        if record.run is not None and record.run.claim not in self._claims:
            record = msgspec.structs.replace(record, run=None)
        return Saved(stored.key, stored.version, record, replayed=True)

    def change(self, stored: Stored, now: datetime) -> Change | Refused | None:
        """The change from the order as it is; None: there is nothing to do."""
        change = self._make(stored, now)
        if not isinstance(change, Change):
            return change
        run = stored.record.run
        if run is not None and _displaces(change, stored.record):
            return _locked(run)
        if change.run is not None:
            self._claims.add(change.run.claim)
        return change


def other_body() -> Refused:
    """A key belongs to one request."""
    return Refused(
        Code.PAYLOAD_MISMATCH, "The Idempotency-Key was used with another body. Use a key of its own."
    )


def blocked(stored: Stored, expected: str | None, now: datetime) -> Refused | None:
    """Why an order cannot be changed now: somebody works on it, or it has another version than the client thinks."""
    record = stored.record
    if expected is not None and (record.order is None or expected != str(record.revision)):
        present = f"version {record.revision}" if record.order is not None else "no version"
        return Refused(
            Code.VERSION_CONFLICT,
            f"The order has {present}, not {expected[:40]!r}. Read it again and repeat the change.",
        )
    run = record.run
    if run is not None and run.claimed_to > now:
        return _locked(run)
    return None


def _displaces(change: Change, record: OrderRecord) -> bool:
    """Whether steps that an interrupted run, or one queued behind it, still has to do would never be done."""
    if change.run is None or record.run is None:
        return False
    lost = bool(change.queued and record.queued)
    return lost or not running.is_same_work(change.run, record.run)


def _locked(run: Run) -> Refused:
    return Refused(
        Code.ORDER_LOCKED,
        f"The workflow of status {run.status!r} runs on this order. Try again when it has ended.",
    )


def is_open(order: Order | None, workflows: Workflows) -> bool:
    """Whether the order may hold reservations; one that is gone does not."""
    return order is not None and statuses.is_open(order, workflows.order_type(order.order_type))


class _Writing:
    """What the group of one change writes."""

    def __init__(self, stored: Stored, workflows: Workflows, change: Change, asked: _Asked) -> None:
        self.stored = stored
        self.change = change
        self._workflows = workflows
        self._actor = asked.actor
        self._mark = asked.mark
        self._events: list[DocumentWrite] = []
        self.open_after = is_open(change.after, workflows)

    def finish(
        self, record: OrderRecord, _applied: Sequence[Applied], _notes: Sequence[Note], concluded: Concluded
    ) -> OrderRecord:
        """The record with the client's order, its next version and its events."""
        change = self.change
        environment = self.stored.key.environment
        now = events.moment(concluded.now)
        record = msgspec.structs.replace(record, marks=remembered(record.marks, self._mark))
        if change.after is None:
            _, self._events = events.logged(record, environment, change.entries, self._actor, concluded.now)
            return msgspec.structs.replace(
                record,
                order=None,
                revision=record.revision + 1,
                run=None,
                following=None,
                queued=(),
                later=(),  # an order that is made anew under the id has nothing to do with them
                next_event=record.next_event + len(self._events),
            )
        order = msgspec.structs.replace(settled(record, change.after), modified=now)
        record = msgspec.structs.replace(
            record,
            order=order,
            revision=record.revision + 1,
            run=change.run if change.run is not None else record.run,
            queued=change.queued or record.queued,
            following=record.following if self._leaves_what_follows() else None,
            counted=self.open_after,
        )
        record, self._events = events.logged(record, environment, change.entries, self._actor, concluded.now)
        return record

    def _leaves_what_follows(self) -> bool:
        """Whether the order is still to enter what an ended run wants: it has entered nothing else."""
        before, change = self.stored.record.order, self.change
        return not (
            change.follows
            or change.run is not None
            or before is None
            or change.after is None
            or change.after.status != before.status
        )

    def extra(
        self, _record: OrderRecord, _notes: Sequence[Note], _concluded: Concluded
    ) -> Sequence[DocumentWrite]:
        """The events, and the version that was replaced."""
        key = self.stored.key
        return [*self._events, *versions.archived(key.environment, key.id, self.stored.record)]

    def index(self, record: OrderRecord) -> tuple[tuple[str, ...], int | None]:
        """Labels, and when the run is due."""
        labels = order_labels(record, is_open=is_open(record.order, self._workflows))
        return labels, running.due_of(record)
