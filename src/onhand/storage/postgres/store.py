"""The engine's store: one unit is one transaction.

Theory of operation. A unit costs two round trips, whatever the size of the batch: `BEGIN` with one call of
`gather_batch`, and one call of `commit_batch` with `COMMIT`. Gather takes, in this order and each ascending: the shared
configuration fence of the environments, documents, product rows; and reads everything else in later statements,
because in READ COMMITTED a statement that waited for a lock still sees the other rows as they were before it
waited. A product that is new costs three more round trips, once: the gather that misses its row is rolled back, because
inserting while holding locks could close a circle of waiters, the rows are inserted in a transaction of their own,
and the gather starts over.

`commit_batch` and `COMMIT` travel in one message. What the server refuses was not recorded: it skips `COMMIT` after a
`commit_batch` that failed. When no answer comes, the outcome is unknown and the caller asks again with the same id;
only a connection that was already lost before the message was sent is known to have recorded nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from onhand.core.keys import ProductKey
from onhand.core.snapshot import Decision, ProductState, Reads, Snapshot
from onhand.service.faults import Conflict, Stale
from onhand.storage.postgres.arrays import literal
from onhand.storage.postgres.errors import LOST, commit_fault_of, faults
from onhand.storage.postgres.fence import FENCE
from onhand.storage.postgres.gathering import ENSURE, GATHER, Asked, decode_got
from onhand.storage.postgres.line import BEGIN, COMMIT, ROLLBACK, Line, Sent, Statement
from onhand.storage.postgres.lines import Lines
from onhand.storage.postgres.looking import LOOK_AT_PLACES, Pair, look_arguments, looked
from onhand.storage.postgres.reserving import (
    GATHER_PLACES,
    RESERVE_BATCH,
    commit_arguments,
    gather_arguments,
    locked_products,
)
from onhand.storage.postgres.wiping import forget_ids, forget_stock
from onhand.storage.postgres.writing import COMMIT_BATCH, Columns

SHARE_FENCES = Statement(
    b"share_fences",
    b"SELECT pg_advisory_xact_lock_shared(%d, one) FROM unnest($1::integer[]) AS one" % FENCE,
)

STATEMENTS = (BEGIN, COMMIT, ROLLBACK, ENSURE, GATHER, COMMIT_BATCH, GATHER_PLACES, SHARE_FENCES)
"""What a line prepares when it is opened."""

CHANGED = frozenset({"OH001", "P0004"})
"""SQLSTATEs of `stale` and `contradiction`: a product, a configuration or a level is not as it was read."""

ATTEMPTS = 3
"""Times a gather starts over because a product row is missing. The second finds it; one more for a deletion."""


class PostgresUnit:
    """A transaction: gather in one call of a database function, commit in another. Implements `ports.Unit`."""

    def __init__(self, line: Line, lines: Lines) -> None:
        self._line = line
        self._lines = lines
        self._asked = Asked(Reads())
        self._snapshot = Snapshot()

    @property
    def era(self) -> int | None:
        """See `ports.Unit.era`."""
        return self._lines.opened if self._line.settled else None

    async def gather(self, reads: Reads, now_us: int) -> Snapshot:
        """Ensure, lock in ascending order, then read; one round trip. See `ports.Unit.gather`."""
        self._asked = Asked(reads)
        with faults():
            self._snapshot = await self._read(self._asked, now_us)
        return self._snapshot

    async def commit(self, decision: Decision) -> None:
        """Write and commit durably; one round trip. See `ports.Unit.commit`."""
        sent: list[Sent] = []
        with faults():
            if decision.wipes:
                await self._wipe(decision)
            if decision.changes:
                sent = [self._writing(Columns(decision, self._snapshot, self._asked))]
                await self._line.prepare([statement for statement, _ in sent])
        answers = await self._send_last([*sent, (COMMIT, ())])
        if answers[-1].command_status != b"COMMIT":
            raise Conflict("The transaction had failed and was rolled back; nothing was recorded.")

    async def look(self, places: Sequence[Pair]) -> dict[ProductKey, ProductState]:
        """Read without locks; one round trip. See `ports.Unit.look`."""
        with faults():
            await self._line.prepare((LOOK_AT_PLACES,))
            answers = await self._line.send((LOOK_AT_PLACES, look_arguments(places)))
            return looked(places, answers[0].get_value(0, 0) or b"")

    async def commit_unchanged(self, decision: Decision, snapshot: Snapshot) -> None:
        """Compare, write and commit; one round trip. See `ports.Unit.commit_unchanged`."""
        arguments = commit_arguments(Columns(decision, snapshot, Asked(Reads())), unlocked=True)
        if arguments is None:
            raise Stale("The batch does more than to take reservations; nothing was recorded.")
        with faults():
            await self._line.prepare((RESERVE_BATCH,))
        fence = (SHARE_FENCES, [literal(sorted(snapshot.configuration))])
        try:  # no BEGIN, no COMMIT: statements of one message are a transaction
            await self._send_last([fence, (RESERVE_BATCH, arguments)])
        except psycopg.Error as error:
            if error.sqlstate not in CHANGED:
                raise
            ordinals = (error.diag.message_detail or "").split(",")
            locked = locked_products(decision)
            changed = [locked[int(ordinal) - 1].product for ordinal in ordinals if ordinal]
            raise Stale("What was decided on has changed; nothing was recorded.", changed) from error

    async def _send_last(self, statements: Sequence[Sent]) -> list[psycopg.pq.abc.PGresult]:
        """Send the last statements of a transaction; the one place that knows what a failed commit means."""
        with faults():
            if self._line.lost:
                raise psycopg.OperationalError("the connection was lost before the commit was sent")
        try:
            return await self._line.send(*statements)
        except (psycopg.Error, *LOST) as error:
            fault = commit_fault_of(error)
            if fault is None:
                raise
            raise fault from error

    async def _read(self, asked: Asked, now_us: int) -> Snapshot:
        gather = [*self._line.begin, self._reading(asked, now_us)]
        for _attempt in range(ATTEMPTS):
            got = (await self._line.send(*gather))[-1].get_value(0, 0)
            if got is not None:
                return asked.snapshot(decode_got(got))
            # A product is new: give up the locks, make the rows, start over.
            await self._line.send((ROLLBACK, ()))
            await self._line.send((ENSURE, asked.ensure_arguments()))
        raise Conflict("Products vanished while they were being locked; nothing was recorded.")

    def _reading(self, asked: Asked, now_us: int) -> Sent:
        """The gather, by the short road where that reads all that is asked for."""
        places = gather_arguments(asked, now_us)
        return (GATHER, asked.arguments(now_us)) if places is None else (GATHER_PLACES, places)

    def _writing(self, columns: Columns) -> Sent:
        """The commit, by the short road where that writes all that was decided."""
        reserved = commit_arguments(columns)
        return (COMMIT_BATCH, columns.arguments()) if reserved is None else (RESERVE_BATCH, reserved)

    async def _wipe(self, decision: Decision) -> None:
        for product, place in decision.wipes:
            state = self._snapshot.products[product]
            await forget_ids(self._line, product, state.product_id, place)
            await forget_stock(self._line, product, state.product_id, place)


def lines_for(url: str, **knobs: Any) -> Lines:  # noqa: ANN401 - the knobs of `Lines`
    """Lines for a store."""
    return Lines(url, statements=STATEMENTS, **knobs)


class PostgresStore:
    """Stock in PostgreSQL. Implements `ports.Store`."""

    def __init__(self, lines: Lines, unit: type[PostgresUnit] = PostgresUnit) -> None:
        self._lines = lines
        self._unit = unit

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[PostgresUnit]:
        """A transaction on a line of its own; rolled back unless it was committed.

        Raises:
            StoreUnavailable: no connection.
        """
        with faults():
            line = await self._lines.acquire()
        try:
            yield self._unit(line, self._lines)
        finally:
            await self._lines.release(line)
