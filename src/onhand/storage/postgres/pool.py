"""The pool of database connections.

No statement keeps state in a session (no SET, LISTEN or session advisory lock), so a connection needs no reset
when it goes back to the pool, which saves a round trip per transaction, and a transaction pooler may sit
between. Settings travel as start-up parameters; PgBouncer accepts only a few of those, so with the statement
cache off they are left to the database role (`ALTER ROLE … SET statement_timeout` and
`idle_in_transaction_session_timeout`, docs/guides/operations.md).
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from asyncpg import Connection, Pool, Record, create_pool
from asyncpg.pool import PoolConnectionProxy

from onhand.storage.postgres.errors import faults

Database: TypeAlias = "Pool[Record]"
"""A pool whose connections return plain records."""

Session: TypeAlias = "Connection[Record] | PoolConnectionProxy[Record]"
"""A connection, taken from the pool or not."""

STATEMENTS_CACHED = 200
"""Prepared statements kept per connection; the service has fewer."""


async def open_pool(  # noqa: PLR0913 - the knobs of a pool, all named
    url: str,
    *,
    connections_min: int = 2,
    connections_max: int = 8,
    statement_timeout_ms: int = 10_000,
    connect_timeout_s: float = 10.0,
    statement_cache: bool = True,
    application_name: str = "onhand",
) -> Database:
    """Connect and return the pool; `await pool.close()` ends it.

    Args:
        url: libpq URL. May name several hosts with `target_session_attrs=primary`.
        connections_min: connections opened at once.
        connections_max: upper bound; further callers wait.
        statement_timeout_ms: the server ends a statement after this time (SQLSTATE 57014), and a transaction that
            waits for its client so long (25P03).
        connect_timeout_s: bound of one attempt to connect.
        statement_cache: False behind PgBouncer before 1.21 in transaction mode.
        application_name: shown in `pg_stat_activity`.

    Raises:
        StoreUnavailable: the server cannot be reached.
    """
    settings = {"application_name": application_name}
    if statement_cache:
        settings |= {
            "jit": "off",
            "statement_timeout": str(statement_timeout_ms),
            # A process that hangs or vanishes within a unit must not keep its locks from the others.
            "idle_in_transaction_session_timeout": str(statement_timeout_ms),
            "timezone": "UTC",
        }
    with faults():
        return await create_pool(
            url,
            min_size=min(connections_min, connections_max),
            max_size=connections_max,
            timeout=connect_timeout_s,
            command_timeout=2 * statement_timeout_ms / 1000,
            statement_cache_size=STATEMENTS_CACHED if statement_cache else 0,
            max_inactive_connection_lifetime=300.0,
            server_settings=settings,
            init=_codecs,
            reset=_nothing_to_reset,
        )


async def _codecs(session: Session) -> None:
    """Read and write jsonb as Python values."""
    await session.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_json, decoder=msgspec.json.decode, format="text"
    )


def _encode_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def _nothing_to_reset(_session: Session) -> None:
    """Sessions carry no state; see the module."""
