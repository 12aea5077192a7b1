"""The engine's store: one unit is one transaction.

Theory of operation. A unit costs four round trips, whatever the size of the batch: BEGIN, one call of
`gather_batch`, one call of `commit_batch`, COMMIT. Gather takes, in this order and each ascending: the shared
configuration fence of the environments, documents, product rows; and reads everything else in later statements,
because in READ COMMITTED a statement that waited for a lock still sees the other rows as they were before it
waited. A product that is new costs four more round trips, once: the gather that misses its row is rolled back,
because inserting while holding locks could close a circle of waiters, the rows are inserted in a transaction of
their own, and the gather starts over.

COMMIT is a statement of its own so that its failure can be told from a failure before it: until COMMIT is sent
nothing can be recorded; when its answer is lost, the outcome is unknown and the caller asks again with the same id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from onhand.core.snapshot import Decision, Reads, Snapshot
from onhand.service.faults import Conflict
from onhand.storage.postgres.errors import LOST, commit_fault_of, faults
from onhand.storage.postgres.gathering import ENSURE, GATHER, Asked
from onhand.storage.postgres.pool import Database, Session
from onhand.storage.postgres.wiping import forget_ids, forget_stock
from onhand.storage.postgres.writing import COMMIT_BATCH, Columns

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

ATTEMPTS = 3
"""Times a gather starts over because a product row is missing. The second finds it; one more for a deletion."""

ROLLBACK_S = 5.0
"""Bound of a rollback, in seconds; after it the connection is dropped, which rolls back as well."""


class PostgresUnit:
    """A transaction: gather in one call of a database function, commit in another. Implements `ports.Unit`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked = Asked(Reads())
        self._snapshot = Snapshot()

    async def gather(self, reads: Reads, now_us: int) -> Snapshot:
        """Ensure, lock in ascending order, then read; one round trip. See `ports.Unit.gather`."""
        self._asked = Asked(reads)
        with faults():
            self._snapshot = await self._read(self._asked, now_us)
        return self._snapshot

    async def commit(self, decision: Decision) -> None:
        """Write and commit durably; two round trips. See `ports.Unit.commit`."""
        with faults():
            await self._write(decision)
        try:
            tag = await self._session.execute("COMMIT")
        except (asyncpg.PostgresError, *LOST) as error:
            fault = commit_fault_of(error)
            if fault is None:
                raise
            raise fault from error
        if tag != "COMMIT":
            raise Conflict("The transaction had failed and was rolled back; nothing was recorded.")

    async def _read(self, asked: Asked, now_us: int) -> Snapshot:
        for attempt in range(ATTEMPTS):
            if attempt:  # a product is new: give up the locks, make the rows, start over
                await self._session.execute("ROLLBACK")
                await self._session.execute(ENSURE, *asked.ensure_arguments())
                await self._session.execute(BEGIN)
            got = await self._session.fetchrow(GATHER, *asked.arguments(now_us))
            if got is not None and (got["got_product_id"] is not None or not asked.products):
                return asked.snapshot(dict(got))
        raise Conflict("Products vanished while they were being locked; nothing was recorded.")

    async def _write(self, decision: Decision) -> None:
        if not decision.changes:
            return
        for product, place in decision.wipes:
            state = self._snapshot.products[product]
            await forget_ids(self._session, product, state.product_id, place)
            await forget_stock(self._session, product, state.product_id, place)
        columns = Columns(decision, self._snapshot, self._asked)
        await self._session.execute(COMMIT_BATCH, *columns.arguments())


class PostgresStore:
    """Stock in PostgreSQL. Implements `ports.Store`."""

    def __init__(self, pool: Database, unit: type[PostgresUnit] = PostgresUnit) -> None:
        self._pool = pool
        self._unit = unit

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[PostgresUnit]:
        """A transaction on a connection of the pool; rolled back unless it was committed.

        Raises:
            StoreUnavailable: no connection.
        """
        with faults():
            session = await self._pool.acquire()
        try:
            with faults():
                await session.execute(BEGIN)
            yield self._unit(session)
        finally:
            await self._finish(session)

    async def _finish(self, session: PoolConnectionProxy[asyncpg.Record]) -> None:
        """Give the connection back, out of any transaction; drop it when that is not certain."""
        try:
            if session.is_in_transaction():
                await session.execute("ROLLBACK", timeout=ROLLBACK_S)
        except (asyncpg.PostgresError, *LOST):
            with suppress(asyncpg.InterfaceError):  # a lost connection left the pool by itself
                session.terminate()
        finally:
            await self._pool.release(session)
