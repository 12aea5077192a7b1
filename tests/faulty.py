"""The real store with accidents on demand: conflicts, outages, lost answers before and after the commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

from onhand.core.snapshot import Decision, Reads, Snapshot
from onhand.ports import Store, Unit
from onhand.service.faults import Conflict, InvariantViolation, OutcomeUnknown, StoreUnavailable
from tests.memory import Mishap


class FaultyStore:
    """Each unit meets the next mishap; without any left, nothing happens to it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._mishaps: Iterator[Mishap] = iter(())

    def will_meet(self, mishaps: Iterable[Mishap]) -> None:
        """What happens to the next units."""
        self._mishaps = iter(mishaps)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        mishap = next(self._mishaps, Mishap.NONE)
        async with self._store.unit() as unit:
            yield FaultyUnit(unit, mishap)
        if mishap is Mishap.BROKEN_AFTER_COMMIT:
            raise StoreUnavailable("broken after the commit")


class FaultyUnit:
    """One unit and what happens to it."""

    def __init__(self, unit: Unit, mishap: Mishap) -> None:
        self._unit = unit
        self._mishap = mishap

    async def gather(self, reads: Reads, now_us: int) -> Snapshot:
        match self._mishap:
            case Mishap.GATHER_CONFLICT:
                raise Conflict("deadlock")
            case Mishap.GATHER_UNAVAILABLE:
                raise StoreUnavailable("no connection")
            case _:
                return await self._unit.gather(reads, now_us)

    async def commit(self, decision: Decision) -> None:
        match self._mishap:
            case Mishap.COMMIT_CONFLICT:
                raise Conflict("serialization")
            case Mishap.COMMIT_UNAVAILABLE:
                raise StoreUnavailable("shut down")
            case Mishap.COMMIT_VIOLATION:
                raise InvariantViolation("a CHECK said no")
            case Mishap.LOST_AND_GONE:
                raise OutcomeUnknown("lost, rolled back")
            case Mishap.LOST_BUT_LANDED:
                await self._unit.commit(decision)
                raise OutcomeUnknown("lost, committed")
            case _:
                await self._unit.commit(decision)
