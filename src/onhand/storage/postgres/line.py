"""The lanes' connections: several statements travel in one message, and one wait brings all of their answers.

Theory of operation. PostgreSQL takes a sequence of statements at once (libpq's pipeline mode) and, after an error, skips
the rest up to the next synchronisation point. So `BEGIN, gather` is one round trip, and `commit_batch, COMMIT` in
one message is as safe as in two. A `Line` speaks libpq through psycopg's wrapper of its C functions, because each
layer above them costs as much as the statement of a small batch. What is rare (wipes, the plain reference) goes through
psycopg's cursor on the same connection.

Functions are prepared when the line is opened. A statement that names tables is prepared when it is first needed, because
preparing it waits for whoever alters one of them, and a new line must not. Without a cache of statements (PgBouncer
in transaction mode) the texts are sent each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import pq
from psycopg.rows import dict_row

BINARY: Final = 1
"""Form of a parameter on the wire; texts are 0."""

_ERROR: Final = pq.ExecStatus.FATAL_ERROR
_SYNC: Final = pq.ExecStatus.PIPELINE_SYNC


class Statement(NamedTuple):
    """A statement, its name once it is prepared, and the forms of its parameters; none: all of them are texts."""

    name: bytes
    text: bytes
    forms: tuple[int, ...] = ()


Sent = tuple[Statement, Sequence[bytes]]
"""A statement and its parameters."""

BEGIN: Final = Statement(b"begin", b"BEGIN ISOLATION LEVEL READ COMMITTED")
COMMIT: Final = Statement(b"commit", b"COMMIT")
ROLLBACK: Final = Statement(b"rollback", b"ROLLBACK")


class Line:
    """One connection, used by one unit at a time. Not thread-safe: it belongs to one event loop."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], wait_s: float, *, prepares: bool) -> None:
        self.connection = connection
        self.begin: Sequence[Sent] = ((BEGIN, ()),)
        """What opens a transaction."""
        self.settled = True
        """Whether the session is our own and has our settings: then the statements of one message are a transaction by
        themselves, in READ COMMITTED, and another server would be another connection."""
        self._pg = connection.pgconn
        self._socket = connection.pgconn.socket
        self._wait_s = wait_s
        self._prepares = prepares
        self._prepared: set[bytes] = set()
        self._loop = asyncio.get_running_loop()
        self._listening = False
        self._answers: asyncio.Future[list[pq.abc.PGresult]] | None = None
        self._collected: list[pq.abc.PGresult] = []

    @property
    def busy(self) -> bool:
        """Whether a message was not answered: then nothing is known of the state of the connection."""
        return self._answers is not None

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self._pg.status != pq.ConnStatus.OK

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, failed or not."""
        return self._pg.transaction_status != pq.TransactionStatus.IDLE

    # Statements in one message -----------------------------------------------------------------------------

    async def prepare(self, statements: Sequence[Statement]) -> None:
        """Prepare those that are not yet prepared; one round trip, or none."""
        missing = [one for one in statements if one.name not in self._prepared]
        if self._prepares and missing:
            self._enter()
            for statement in missing:
                self._pg.send_prepare(statement.name, statement.text)
            await self._exchange()
            self._prepared.update(one.name for one in missing)

    async def send(self, *statements: Sent) -> list[pq.abc.PGresult]:
        """Send statements in one message and wait once; their answers in order, or the first error.

        The server executes nothing that follows an error.

        Raises:
            psycopg.Error: with a SQLSTATE when the server refused, without one when the connection is lost.
            TimeoutError: no answer in time; the line can only be closed.
        """
        self._enter()
        pg = self._pg
        for statement, parameters in statements:
            if self._prepares:
                pg.send_query_prepared(statement.name, parameters, statement.forms or None)
            else:
                pg.send_query_params(statement.text, parameters, param_formats=statement.forms or None)
        return await self._exchange()

    def _enter(self) -> None:
        """Ready to send; the cursor's calls leave the line deaf and out of the pipeline mode."""
        if not self._listening:
            self._loop.add_reader(self._socket, self._readable)
            self._listening = True
        if self._pg.pipeline_status == pq.PipelineStatus.OFF:
            self._pg.enter_pipeline_mode()

    async def _exchange(self) -> list[pq.abc.PGresult]:
        """Synchronise and wait for all answers."""
        self._collected = []
        self._answers = self._loop.create_future()
        self._pg.pipeline_sync()
        self._flush()
        timer = self._loop.call_later(self._wait_s, self._too_late)
        try:
            answers = await self._answers
        finally:
            timer.cancel()
        self._answers = None
        for answer in answers:
            if answer.status == _ERROR:
                raise psycopg.errors.error_from_result(answer)
        return answers

    def _flush(self) -> None:
        """Hand what is queued to the system; what it does not take goes when it is ready for more."""
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        try:
            if not self._pg.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.OperationalError as error:
            self._loop.remove_writer(self._socket)
            self._fail(error)

    def _readable(self) -> None:
        """Collect answers up to the synchronisation point."""
        pg = self._pg
        try:
            pg.consume_input()
            while not pg.is_busy():
                answer = pg.get_result()
                if answer is None:
                    if self._answers is None or pg.status != pq.ConnStatus.OK:
                        break
                elif answer.status == _SYNC:
                    if self._answers is not None and not self._answers.done():
                        self._answers.set_result(self._collected)
                    return
                else:
                    self._collected.append(answer)
        except psycopg.OperationalError as error:
            self._fail(error)
        else:
            if pg.status != pq.ConnStatus.OK:
                self._fail(psycopg.OperationalError("the connection is lost"))

    def _fail(self, error: psycopg.OperationalError) -> None:
        """The connection is gone; the server may have said why."""
        self._deafen()
        if self._answers is not None and not self._answers.done():
            said = [answer for answer in self._collected if answer.status == _ERROR]
            self._answers.set_exception(psycopg.errors.error_from_result(said[0]) if said else error)

    def _too_late(self) -> None:
        if self._answers is not None and not self._answers.done():
            self._answers.set_exception(TimeoutError(f"no answer of the database within {self._wait_s:g} s"))

    # One statement at a time -------------------------------------------------------------------------------

    async def fetch(self, text: str, *parameters: object) -> list[dict[str, Any]]:
        """Rows of a query; its parameters are `$1`, `$2` and so on."""
        return await (await self._cursor(text, parameters)).fetchall()

    async def fetchrow(self, text: str, *parameters: object) -> dict[str, Any] | None:
        """The first row, if there is one."""
        return await (await self._cursor(text, parameters)).fetchone()

    async def fetchval(self, text: str, *parameters: object) -> Any:  # noqa: ANN401 - whatever the column holds
        """The first value of the first row; None when there is no row."""
        row = await self.fetchrow(text, *parameters)
        return None if row is None else next(iter(row.values()))

    async def execute(self, text: str, *parameters: object) -> str:
        """The command tag of a statement."""
        return (await self._cursor(text, parameters)).statusmessage or ""

    async def _cursor(
        self, text: str, parameters: Sequence[object]
    ) -> psycopg.AsyncRawCursor[dict[str, Any]]:
        self._deafen()
        if self._pg.pipeline_status != pq.PipelineStatus.OFF:
            self._pg.exit_pipeline_mode()
        cursor = psycopg.AsyncRawCursor(self.connection, row_factory=dict_row)
        async with asyncio.timeout(self._wait_s):
            return await cursor.execute(text.encode(), parameters or None)

    def _deafen(self) -> None:
        """Leave the socket to others."""
        if self._listening:
            self._listening = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    async def close(self) -> None:
        """Give up what runs and close the connection."""
        self._deafen()
        if not self.lost and self.busy:
            await self.connection.cancel_safe(timeout=self._wait_s)
        await self.connection.close()
