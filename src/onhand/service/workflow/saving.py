"""The one way in which a client's change of an order is stored.

The order is read, changed by a pure function, and committed with the moves that make its reservations follow, its events
and the version that it replaces, in one group. The version of the document is the fence: if somebody else was
faster, it is read and changed again, unless the client named the version that it changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

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
    made_by: str | None = None
    """Set at the creation with an idempotency key."""
    run: Run | None = None
    """A run that begins with this change."""
    follows: bool = False
    """Whether this enters the status that an ended run wants, or says why not."""
    moves: tuple[Move, ...] = ()
    """Moves that the change itself asks for, beside those that follow from it."""
    splits: tuple[Split, ...] = ()
    """How lines were divided; without them, what went takes the reservation first."""


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

    async def save(  # noqa: PLR0913 - who changes what, from which version
        self,
        environment_id: str,
        order_id: str,
        make: Make,
        *,
        actor: Actor,
        expected: str | None = None,
        adopt: Callable[[Stored, Surroundings], Plan] | None = None,
    ) -> Stored | Refused:
        """Change an order; the order as it is stored then.

        Raises:
            Conflict: others changed it again and again; nothing was recorded.
        """
        for _ in range(ATTEMPTS):
            stored = await self.stored(environment_id, order_id)
            refusal = blocked(stored, expected, self.now())
            if refusal is not None:
                return refusal
            around = await self._around(environment_id, actor.user, actor.user_id)
            change = make(stored, self.now())
            if change is None:
                return stored
            if isinstance(change, Refused):
                return change
            interrupted = stored.record.run
            if interrupted is not None and _displaces(change.run, interrupted):
                return _locked(interrupted)
            moves = moves_of_change(stored.record, change.after, change.splits)
            if isinstance(moves, Refused):
                return moves
            planned: Sequence[Move] = (*change.moves, *moves)
            if adopt is not None:
                planned, said = await adopt(stored, around)(planned)
                change = msgspec.structs.replace(change, entries=(*change.entries, *said))
            done = await self._commit(stored, around, change, planned, actor)
            if done is not None:
                return done
        raise Conflict("The order is changed by many at once.")

    async def _commit(
        self, stored: Stored, around: Surroundings, change: Change, moves: Sequence[Move], actor: Actor
    ) -> Stored | Refused | None:
        """The stored order, or None when it has to be tried again."""
        writing = _Writing(stored, around.workflows, change, actor)
        application = Application(
            msgspec.structs.replace(around, event=f"change/{stored.version + 1}"),
            stored,
            moves,
            finish=writing.finish,
            extra=writing.extra,
            index=writing.index,
            commands=marks(stored.key, stored.record, around, is_open=writing.open_after),
        )
        outcome = await self._batcher.submit(around.rules, application)
        refusal = outcome if isinstance(outcome, Rejected) else None
        if isinstance(outcome, GroupOutcome):
            refusal = outcome.refusal
        if refusal is None:
            return application.after
        if refusal.reason in _AGAIN:
            return None
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


def _displaces(run: Run | None, interrupted: Run) -> bool:
    """Whether steps that an interrupted run still has to do would never be done."""
    return run is not None and not running.is_same_work(run, interrupted)


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

    def __init__(self, stored: Stored, workflows: Workflows, change: Change, actor: Actor) -> None:
        self._stored = stored
        self._workflows = workflows
        self._change = change
        self._actor = actor
        self._events: list[DocumentWrite] = []
        self.open_after = is_open(change.after, workflows)

    def finish(
        self, record: OrderRecord, _applied: Sequence[Applied], _notes: Sequence[Note], concluded: Concluded
    ) -> OrderRecord:
        """The record with the client's order, its next version and its events."""
        change = self._change
        environment = self._stored.key.environment
        now = events.moment(concluded.now)
        if change.after is None:
            _, self._events = events.logged(record, environment, change.entries, self._actor, concluded.now)
            return msgspec.structs.replace(
                record,
                order=None,
                revision=record.revision + 1,
                run=None,
                following=None,
                later=(),  # an order that is made anew under the id has nothing to do with them
                next_event=record.next_event + len(self._events),
            )
        order = msgspec.structs.replace(settled(record, change.after), modified=now)
        record = msgspec.structs.replace(
            record,
            order=order,
            revision=record.revision + 1,
            run=change.run if change.run is not None else record.run,
            following=record.following if self._leaves_what_follows() else None,
            counted=self.open_after,
            made_by=record.made_by if change.made_by is None else change.made_by,
        )
        record, self._events = events.logged(record, environment, change.entries, self._actor, concluded.now)
        return record

    def _leaves_what_follows(self) -> bool:
        """Whether the order is still to enter what an ended run wants: it has entered nothing else."""
        before, change = self._stored.record.order, self._change
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
        key = self._stored.key
        return [*self._events, *versions.archived(key.environment, key.id, self._stored.record)]

    def index(self, record: OrderRecord) -> tuple[tuple[str, ...], int | None]:
        """Labels, and when the run is due."""
        labels = order_labels(record, is_open=is_open(record.order, self._workflows))
        return labels, running.due_of(record)
