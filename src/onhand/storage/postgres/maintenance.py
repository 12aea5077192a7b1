"""Housekeeping of the tables: partitions ahead of time, retention. Idempotent, and safe in several processes."""

from __future__ import annotations

from datetime import datetime

from onhand.storage.postgres.pool import Database


async def ensure_partitions(
    pool: Database, now: datetime, *, months_ahead: int = 2, days_ahead: int = 7
) -> list[str]:
    """Create the partitions of the ledger (monthly) and of refusals (daily) that are missing; returns their names."""
    raise NotImplementedError


async def drop_refusals(pool: Database, before: datetime) -> list[str]:
    """Drop partitions of refusals that ended before a time; returns their names."""
    raise NotImplementedError


async def prune_command_ids(pool: Database, environment: int, before_us: int, *, chunk: int = 5_000) -> int:
    """Delete one chunk of accepted command ids older than a time; returns how many. Repeat while it is `chunk`."""
    raise NotImplementedError
