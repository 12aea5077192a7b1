"""Housekeeping of the tables: partitions ahead of time, retention. Idempotent, and safe in several processes.

A partition is made beside the table and attached, which does not stop writers; rows that landed in the default
partition meanwhile stay there (the range is then left to it), because moving them would. Detaching needs a
short exclusive lock: it is waited for at most `LOCK_WAIT_MS`, else the next run tries again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from onhand.core.commands import Kind
from onhand.storage.postgres.errors import faults
from onhand.storage.postgres.fence import MAINTENANCE
from onhand.storage.postgres.pool import Database, Session
from onhand.storage.postgres.statements import query
from onhand.storage.postgres.wiping import delete_ids

LOCK_WAIT_MS = 2_000
"""Longest wait for a lock on a table that batches write to; milliseconds."""

REFUSALS_PER_CHUNK = 10_000
"""Rows of the default partition that one statement deletes."""

Span = tuple[str, datetime, datetime]
"""(name of the partition, from, to)."""


def months(now: datetime, ahead: int) -> Iterator[Span]:
    """The month of `now` and those that follow."""
    start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(ahead + 1):
        end = (start + timedelta(days=32)).replace(day=1)
        yield f"movement_{start:%Y%m}", start, end
        start = end


def weeks(now: datetime, ahead: int) -> Iterator[Span]:
    """The ISO week of `now` and those that follow."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=today.weekday())
    for _ in range(ahead + 1):
        end = start + timedelta(days=7)
        yield f"refusal_{start:%Gw%V}", start, end
        start = end


async def ensure_partitions(
    pool: Database, now: datetime, *, months_ahead: int = 2, weeks_ahead: int = 2
) -> list[str]:
    """Make the partitions of the ledger (monthly) and of refusals (weekly) that are missing; returns their names."""
    made = []
    for table, span in [
        *(("movement", span) for span in months(now, months_ahead)),
        *(("refusal", span) for span in weeks(now, weeks_ahead)),
    ]:
        with faults():
            async with pool.acquire() as session, session.transaction():
                await _alone(session)
                if await _make(session, table, *span):
                    made.append(span[0])
    return made


async def _alone(session: Session) -> None:
    await session.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
    await session.execute("SELECT pg_advisory_xact_lock($1, 0)", MAINTENANCE)


async def _make(session: Session, table: str, name: str, start: datetime, end: datetime) -> bool:
    if await session.fetchval("SELECT to_regclass($1) IS NOT NULL", name):
        return False
    if await session.fetchval(query("default_holds").format(table=table), start, end):
        return False
    await session.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
    await session.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
    )
    return True


async def drop_refusals(pool: Database, before: datetime) -> list[str]:
    """Drop the weekly partitions of refusals that ended before a time; returns their names.

    Rows of that age in the default partition are deleted, one chunk a call.
    """
    dropped = []
    with faults():
        names = await pool.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'refusal'::regclass"
        )
        for name in sorted(row["name"] for row in names):
            week = re.fullmatch(r"refusal_(\d{4})w(\d{2})", name)
            if week is None:
                continue
            start = datetime.fromisocalendar(int(week[1]), int(week[2]), 1).replace(tzinfo=UTC)
            if start + timedelta(days=7) <= before:
                async with pool.acquire() as session, session.transaction():
                    await _alone(session)
                    await session.execute(f"DROP TABLE IF EXISTS {name}")
                dropped.append(name)
        await pool.execute(query("delete_default_refusals"), before, REFUSALS_PER_CHUNK)
    return dropped


async def prune_command_ids(pool: Database, environment: int, before_us: int, *, chunk: int = 5_000) -> int:
    """Delete one chunk of accepted command ids older than a time; returns how many. Repeat while it is `chunk`.

    Two round trips. Several processes may do it at once; each takes other rows.
    """
    with faults():
        async with pool.acquire() as session, session.transaction():
            rows = await session.fetch(query("old_commands"), environment, before_us, chunk)
            if not rows:
                return 0
            return await delete_ids(
                session, [((environment, Kind(row["kind"]), row["id"]), row["at"]) for row in rows]
            )


async def prune_documents(
    pool: Database, environment: int, kind: str, before_us: int, *, chunk: int = 1_000
) -> int:
    """Delete one chunk of a kind's documents made before a time; returns how many. Repeat while it is `chunk`.

    One round trip. Only for kinds that nothing else refers to.
    """
    with faults():
        tag = await pool.execute(query("delete_old_documents"), environment, kind, before_us, chunk)
    return int(tag.rpartition(" ")[2])
