"""What the service needs of the world, owned by the service. Adapters implement it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from onhand.core.snapshot import Decision, Reads, Snapshot


class Clock(Protocol):
    """Time, so that tests can set it."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""


class Unit(Protocol):
    """One database transaction: gather, then commit; leaving it without `commit` rolls back."""

    async def gather(self, reads: Reads, now_us: int) -> Snapshot:
        """Lock and read. Ensures product rows, locks them in ascending order, reads in a later statement."""

    async def commit(self, decision: Decision) -> None:
        """Write everything the decision says and commit durably. Raises a fault of `service.faults`."""


class Store(Protocol):
    """Where stock is kept."""

    def unit(self) -> AbstractAsyncContextManager[Unit]:
        """A transaction on a connection of the pool."""
