"""The engine's store: one unit is one transaction, in four round trips."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from onhand.core.snapshot import Decision, Reads, Snapshot
from onhand.storage.postgres.pool import Database, Session


class PostgresUnit:
    """A transaction: gather in one call of a database function, commit in another. Implements `ports.Unit`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def gather(self, reads: Reads, now_us: int) -> Snapshot:
        """Ensure, lock in ascending order, then read; see `ports.Unit.gather`."""
        raise NotImplementedError

    async def commit(self, decision: Decision) -> None:
        """Write and commit durably; see `ports.Unit.commit`."""
        raise NotImplementedError


class PostgresStore:
    """Stock in PostgreSQL. Implements `ports.Store`."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[PostgresUnit]:
        """A transaction on a connection of the pool; rolled back unless it was committed."""
        raise NotImplementedError
        yield
