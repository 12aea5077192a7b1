"""The one table from what the database driver raises to the faults of the service.

Branches on SQLSTATE only: messages are translated and constraint names are missing on some servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import psycopg

from onhand.service.faults import Conflict, Fault, InvariantViolation, OutcomeUnknown, StoreUnavailable

CONFLICTS = frozenset({"40001", "40P01", "23505", "55P03"})
"""Serialization failure, deadlock, unique violation (a concurrent duplicate id), lock not available."""

UNAVAILABLE = frozenset({"25006", "25P03", "57014", "57P01", "57P02", "57P03", "57P05", "53300", "53400"})
"""Read-only server (a demoted primary), transaction left idle, statement timeout, shutdown, crash, starting up, idle timeout, full."""

UNAVAILABLE_CLASSES = frozenset({"08", "53", "58"})
"""Connection exceptions, insufficient resources, system errors."""

INVARIANTS = frozenset({"22003", "23502", "23503", "23514"})
"""Out of range, not-null, foreign key and check violations: the decision contradicts the schema."""

LOST = (
    OSError,
    EOFError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
"""What the drivers raise when there is no connection; asyncpg's `ConnectionDoesNotExistError` carries 08003."""

REFUSED = (asyncpg.PostgresError, psycopg.Error)
"""What the server says, with a SQLSTATE."""


def fault_of(error: BaseException) -> Fault | None:
    """The fault that an exception of the driver stands for, or None when it is a defect of ours."""
    if isinstance(error, REFUSED) and error.sqlstate:
        state: str = error.sqlstate
        if state in CONFLICTS:
            return Conflict(f"The database reported a conflict (SQLSTATE {state}); nothing was recorded.")
        if state in UNAVAILABLE or state[:2] in UNAVAILABLE_CLASSES:
            return StoreUnavailable(
                f"The database cannot serve (SQLSTATE {state}); nothing was recorded. Try again."
            )
        if state in INVARIANTS:
            return InvariantViolation(
                f"The database refused the batch (SQLSTATE {state}); nothing was recorded."
            )
        return None
    if isinstance(error, LOST) or type(error) is psycopg.DatabaseError:  # an answer that says no state at all
        return StoreUnavailable(
            f"No connection to the database ({type(error).__name__}); nothing was recorded. Try again."
        )
    return None


def commit_fault_of(error: BaseException) -> Fault | None:
    """The fault of a COMMIT that failed.

    An answer of the server that names a conflict, or is no worse than an ERROR (a statement that took too long, a full
    disk), means that nothing was committed; a lost connection, or a server that went down while it committed, leaves the
    outcome unknown.
    """
    fault = fault_of(error)
    told = isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "ERROR"
    if isinstance(fault, StoreUnavailable) and not told:
        return OutcomeUnknown("The commit was sent and its answer was lost. Retry with the same id.")
    return fault


@contextmanager
def faults() -> Iterator[None]:
    """Raise the driver's errors as faults."""
    try:
        yield
    except (*REFUSED, *LOST) as error:
        fault = fault_of(error)
        if fault is None:
            raise
        raise fault from error
