"""The configuration fence: batches share it, whoever changes a configuration holds it alone.

It is a transaction-level advisory lock for each environment, taken before any row lock. `gather_batch` takes the
shared form with the same class number.
"""

from __future__ import annotations

from onhand.storage.postgres.line import Line
from onhand.storage.postgres.pool import Session

FENCE = 1_869_506_657
"""Class of the advisory lock; the object is the environment's number."""

MAINTENANCE = 1_869_506_658
"""Class of the advisory lock that partitions are made and dropped under."""


async def close_fence(session: Session | Line, environment: int) -> None:
    """Wait for the batches in flight and keep others out until the transaction ends."""
    await session.execute("SELECT pg_advisory_xact_lock($1, $2)", FENCE, environment)


async def share_fence(session: Session | Line, environment: int) -> None:
    """Keep configuration changes out until the transaction ends; batches may go on."""
    await session.execute("SELECT pg_advisory_xact_lock_shared($1, $2)", FENCE, environment)
