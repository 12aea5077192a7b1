"""The bounded set of lines that the lanes use: opened when needed, kept, closed when their state is not certain."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from onhand.storage.postgres.errors import LOST
from onhand.storage.postgres.line import BEGIN, ROLLBACK, Line, Statement

PLANNER: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Settings that leave the planner no choice in the functions of the hot path (ADR 17)."""

FOUND: Final = "SELECT current_setting('enable_seqscan') AS seqscan, current_setting('default_transaction_isolation') AS isolation"
"""What a session has of its settings."""

SETTLE: Final = Statement(
    b"settle",
    b"SELECT "
    + b", ".join(
        b"set_config('%b', '%b', true)" % (name.encode(), value.encode()) for name, value in PLANNER.items()
    ),
)
"""The same for one transaction, where a session has no settings of its own (PgBouncer)."""

ROLLBACK_S: Final = 5.0
"""Bound of a rollback, in seconds; after it the line is closed, which rolls back as well."""


class Lines:
    """Up to `most` lines to one database. It connects when the first unit asks; `close` ends it."""

    def __init__(  # noqa: PLR0913 - the knobs of a pool, all named
        self,
        url: str,
        *,
        most: int = 2,
        statement_timeout_ms: int = 10_000,
        connect_timeout_s: float = 10.0,
        statement_cache: bool = True,
        application_name: str = "onhand",
        statements: Sequence[Statement] = (),
    ) -> None:
        """The knobs are those of `pool.open_pool`; `statements` are prepared on each line."""
        self._most = most
        self._wait_s = 2 * statement_timeout_ms / 1000
        self._connect_timeout_s = connect_timeout_s
        self._prepares = statement_cache
        self._statements = statements
        parameters: dict[str, str | int] = {
            "application_name": application_name,
            "connect_timeout": max(2, round(connect_timeout_s)),
        }
        if statement_cache:
            settings = {
                "jit": "off",
                "statement_timeout": statement_timeout_ms,
                # A process that hangs or vanishes within a unit must not keep its locks from the others.
                "idle_in_transaction_session_timeout": statement_timeout_ms,
                "timezone": "UTC",
                "default_transaction_isolation": r"read\ committed",
                **PLANNER,
            }
            given = conninfo_to_dict(url).get("options")
            ours = [f"-c {name}={value}" for name, value in settings.items()]
            parameters["options"] = " ".join([*ours, str(given)] if given else ours)
        self._conninfo = make_conninfo(url, **parameters)
        self.opened = 0
        """Connections that were made so far."""
        self._idle: list[Line] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> Line:
        """A line for one unit; waits while all are in use.

        Raises:
            psycopg.Error, TimeoutError: no connection.
        """
        while self._open >= self._most and not self._idle:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # it was this one's turn: the next one must not miss it
                    self._next()
                raise
        while self._idle:
            line = self._idle.pop()
            if not line.lost:
                return line
            await self._drop(line)
        self._open += 1
        try:
            return await self._connect()
        except BaseException:
            self._open -= 1
            self._next()
            raise

    async def _connect(self) -> Line:
        async with asyncio.timeout(self._connect_timeout_s):
            connection = await psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, prepare_threshold=5 if self._prepares else None
            )
            try:
                line = Line(connection, self._wait_s, prepares=self._prepares)
                # A pooler may leave out what was asked of the session, and the URL may ask for something else.
                found = await line.fetchrow(FOUND)
                isolated = found is not None and found["isolation"] == "read committed"
                line.settled = self._prepares and isolated
                if found is None or found["seqscan"] != PLANNER["enable_seqscan"]:
                    line.settled = False
                    line.begin = ((BEGIN, ()), (SETTLE, ()))
                    await line.prepare((SETTLE,))
                await line.prepare(self._statements)
            except BaseException:
                await connection.close()
                raise
        self.opened += 1
        return line

    async def release(self, line: Line) -> None:
        """Take a line back, out of any transaction; one whose state is not certain is closed."""
        try:
            if line.busy or line.lost:
                await self._drop(line)
                return
            if line.in_transaction:
                async with asyncio.timeout(ROLLBACK_S):
                    await line.send((ROLLBACK, ()))
            self._idle.append(line)
        except (psycopg.Error, *LOST):
            await self._drop(line)
        finally:
            self._next()

    async def _drop(self, line: Line) -> None:
        self._open -= 1
        with suppress(psycopg.Error, *LOST):
            await line.close()

    def _next(self) -> None:
        """Let the longest waiting caller look again."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def close(self) -> None:
        """Close the idle lines; those in use are closed by their units."""
        while self._idle:
            await self._drop(self._idle.pop())
