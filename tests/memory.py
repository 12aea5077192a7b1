"""The ports in memory: a store with faults on demand, a reader over it, a catalogue and a clock that stands still.

Doubles of the ports for tests of the service; they know no rule of the engine and decide nothing.
"""
# ruff: noqa: ARG002 - doubles keep the signatures of the ports

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial
from typing import Any

import msgspec

from onhand.core import configuration
from onhand.core.commands import Document, DocumentKey
from onhand.core.keys import ProductKey, decode
from onhand.core.rules import MeasureName
from onhand.core.snapshot import (
    CommandId,
    Decision,
    HoldState,
    Level,
    Movement,
    PositionState,
    ProductState,
    Reads,
    Refusal,
    Seen,
    Snapshot,
)
from onhand.core.stock import ProductStock, StockRow
from onhand.rows import BatchReport, ConfigurationRow, JobRow, ProductAudit, StockFilter
from onhand.service.faults import Conflict, InvariantViolation, OutcomeUnknown, Stale, StoreUnavailable


class StillClock:
    """A clock that moves only when told."""

    def __init__(self, now_us: int = 1_700_000_000_000_000) -> None:
        self.now = now_us

    def now_us(self) -> int:
        return self.now


class Ear:
    """A probe that remembers."""

    def __init__(self) -> None:
        self.batches: list[BatchReport] = []
        self.faults: Counter[tuple[str, str]] = Counter()
        self.audits: list[tuple[str, float, int]] = []
        self.jobs: list[tuple[str, str]] = []
        self.erp: Counter[tuple[str, str]] = Counter()
        self.erp_runs: list[tuple[float, float]] = []

    def batch(self, report: BatchReport) -> None:
        self.batches.append(report)

    def fault(self, where: str, name: str, affected: int) -> None:
        self.faults[where, name] += affected

    def request(self, route: str, outcome: str, reason: str) -> None:
        raise AssertionError("the service answers no requests")

    def job(self, kind: str, status: str, age_seconds: float) -> None:
        self.jobs.append((kind, status))

    def audit(self, environment_id: str, drift_units: float, drifts: int) -> None:
        self.audits.append((environment_id, drift_units, drifts))

    def erp_lines(
        self, lines: Mapping[str, int], offsets: Mapping[str, int], failures: Mapping[str, int]
    ) -> None:
        self.erp += Counter({("lines", name): number for name, number in lines.items()})
        self.erp += Counter({("offsets", name): number for name, number in offsets.items()})
        self.erp += Counter({("failures", name): number for name, number in failures.items()})

    def erp_run(self, seconds: float, oldest_seconds: float) -> None:
        self.erp_runs.append((seconds, oldest_seconds))


class Mishap(Enum):
    """What happens to one unit."""

    NONE = auto()
    GATHER_CONFLICT = auto()
    GATHER_UNAVAILABLE = auto()
    COMMIT_CONFLICT = auto()
    COMMIT_UNAVAILABLE = auto()
    COMMIT_VIOLATION = auto()
    LOST_BUT_LANDED = auto()
    LOST_AND_GONE = auto()
    LOST_AND_LATE = auto()
    """The answer is lost, and the commit is carried out later, before or after the next unit. Only a commit that holds no
    locks can be; any other is gone."""
    BROKEN_AFTER_COMMIT = auto()


@dataclass
class Product:
    """Rows of one product."""

    product_id: int
    organization: str
    name: str
    version: int = 0
    next_position: int = 1
    next_hold: int = 1
    positions: dict[int, PositionState] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    stock: dict[tuple[int, int], Level] = field(default_factory=dict)
    holds: dict[int, HoldState] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)


class MemoryStore:
    """A `Store` and the part of `Reader` that jobs, audits and queries use. One unit at a time, as if all locked."""

    def __init__(self, versions: Callable[[], dict[int, int]] = dict) -> None:
        self.versions = versions
        self.products_: dict[ProductKey, Product] = {}
        self.ids: dict[CommandId, Seen] = {}
        self.documents: dict[DocumentKey, Document] = {}
        self.refused: list[Refusal] = []
        self.mishaps: Iterable[Mishap] = iter(())
        self.before_gather: Callable[[Reads], None] = lambda _: None
        self.before_commit: Callable[[Decision], None] = lambda _: None
        self.gate: asyncio.Event | None = None
        """While set and not open, units wait in `gather`."""
        self.units = 0
        self.looks = 0
        self.commits = 0
        self.era: int | None = 1
        self.late: list[Callable[[], None]] = []
        """Commits that are still on their way."""
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[MemoryUnit]:
        mishap = next(iter(self.mishaps), Mishap.NONE)
        self.units += 1
        async with self._lock:
            late, self.late = self.late, []
            arrives_first = self.units % 2 == 0
            if arrives_first:
                self.arrive(late)
            yield MemoryUnit(self, mishap)
            if not arrives_first:
                self.arrive(late)
            if mishap is Mishap.BROKEN_AFTER_COMMIT:
                raise StoreUnavailable("broken after the commit")

    @staticmethod
    def arrive(late: Sequence[Callable[[], None]]) -> None:
        """Carry out commits that nobody waits for any more."""
        for commit in late:
            with suppress(Conflict):
                commit()

    def product(self, key: ProductKey) -> Product:
        return self.products_[key]

    def own(self, key: ProductKey, position: str, measure: int) -> int:
        """Level of a measure, 0 when nothing is stored."""
        product = self.products_.get(key)
        if product is None:
            return 0
        return sum(
            level.own
            for (number, stored), level in product.stock.items()
            if stored == measure and product.positions[number].key == position
        )

    def apply(self, decision: Decision) -> None:  # noqa: C901 - one loop a list of the decision
        """Write a decision, all of it or, with a taken command id or a changed document, nothing."""
        self._write_documents(decision)
        self._wipe(decision)
        if any((new.environment, new.kind, new.id) in self.ids for new in decision.ids):
            raise Conflict("duplicate id")
        for new in decision.positions:
            at, product = new.position, self.products_[new.product]
            product.positions[new.number] = PositionState(new.number, at.key, at.place, at.cell)
            product.shown[at.key] = at.shown
        for level in decision.levels:
            self.products_[level.product].stock[level.position, level.measure] = Level(
                level.own, level.finer, level.held
            )
        for key, number, time in decision.set_at:
            self.products_[key].positions[number].set_at = time or None
        for hold in decision.new_holds:
            product = self.products_[hold.product]
            product.holds[hold.number] = HoldState(
                hold.number,
                product.positions[hold.position].key,
                hold.measure,
                hold.quantity,
                hold.remaining,
                hold.owner,
                hold.expires_at,
                decision.now,
                hold.counted,
            )
        for terms in decision.terms:
            stored = self.products_[terms.product].holds[terms.number]
            stored.quantity, stored.owner, stored.counted = terms.quantity, terms.owner.key, terms.counted
        for change in decision.holds:
            stored = self.products_[change.product].holds[change.number]
            stored.remaining, stored.expires_at = change.remaining, change.expires_at
        for movement in decision.movements:
            self.products_[movement.product].movements.append(movement)
        for new_id in decision.ids:
            self.ids[new_id.environment, new_id.kind, new_id.id] = Seen(new_id.fingerprint, new_id.accepted)
        self.refused += decision.refusals
        for counters in decision.products:
            product = self.products_[counters.product]
            product.version = counters.version
            product.next_position, product.next_hold = counters.next_position, counters.next_hold
        self.commits += 1

    def _write_documents(self, decision: Decision) -> None:
        written = dict(self.documents)
        for write in decision.documents:
            stored = written.pop(write.key, None)
            if (stored.version if stored else 0) != write.expected_version:
                raise Conflict("a document changed")
            if not write.delete:
                written[write.key] = Document(write.key, write.version, write.body)
        if not any((new.environment, new.kind, new.id) in self.ids for new in decision.ids):
            self.documents = written

    def _wipe(self, decision: Decision) -> None:
        for key, place in decision.wipes:
            product = self.products_[key]
            wiped = {number for number, at in product.positions.items() if at.place == place}
            for at in [at for at in product.stock if at[0] in wiped]:
                del product.stock[at]
            for movement in product.movements:
                if movement.position in wiped:
                    self.ids.pop((key.environment, movement.kind, movement.command_id), None)

    # Reader ------------------------------------------------------------------------------------------------

    async def products(self, environment: int, after: ProductKey | None, limit: int) -> list[ProductKey]:
        keys = sorted(key for key in self.products_ if key.environment == environment)
        return [key for key in keys if after is None or key > after][:limit]

    async def products_at(self, environment: int, organization: str, place: str) -> list[ProductKey]:
        return sorted(
            key
            for key, product in self.products_.items()
            if (key.environment, key.organization) == (environment, organization)
            and any(product.positions[number].place == place for number, _ in product.stock)
        )

    async def due_products(self, now_us: int, limit: int) -> list[ProductKey]:
        return sorted(
            key
            for key, product in self.products_.items()
            if any(
                hold.remaining and (hold.expires_at or now_us + 1) <= now_us
                for hold in product.holds.values()
            )
        )[:limit]

    async def partitions(self, environment: int, *, by_location: bool) -> list[tuple[str, str, str]]:
        found = {
            (key.organization, "" if by_location else key.product, product.positions[number].place)
            for key, product in self.products_.items()
            if key.environment == environment
            for number, _ in product.stock
        }
        return sorted(found)

    async def stock(self, which: StockFilter, now_us: int) -> list[ProductStock]:
        found = []
        for key, product in sorted(
            self.products_.items(), key=lambda item: (item[0].organization, item[0].product)
        ):
            if (
                key.environment != which.environment
                or (which.organizations is not None and key.organization not in which.organizations)
                or (which.products is not None and key.product not in which.products)
            ):
                continue
            rows = [
                StockRow(at.key, at.cell, measure, level.own, level.finer)
                for (number, measure), level in product.stock.items()
                if (at := product.positions[number])
                and (which.places is None or at.place in which.places)
                and (which.records or at.key == at.cell)
            ]
            if rows:
                found.append(ProductStock(key, product.organization, product.name, rows, dict(product.shown)))
        return found

    async def audit(self, products: Sequence[ProductKey]) -> list[ProductAudit]:
        return [self._audit(key, self.products_[key]) for key in products]

    def _audit(self, key: ProductKey, product: Product) -> ProductAudit:
        names = {number: at.key for number, at in product.positions.items()}
        folded: Counter[tuple[str, int]] = Counter()
        for movement in product.movements:
            folded[names[movement.position], movement.measure] += movement.delta
        holds: Counter[tuple[str, int]] = Counter()
        for hold in product.holds.values():
            holds[hold.position, hold.measure] += hold.remaining
        return ProductAudit(
            product=key,
            version=product.version,
            stock={
                (names[number], measure): (level.own, level.finer, level.held)
                for (number, measure), level in product.stock.items()
            },
            cells={at.key: at.cell for at in product.positions.values()},
            folded=dict(folded),
            open_holds=dict(holds),
            sequences=len(product.movements),
        )


class MemoryUnit:
    """One transaction of a `MemoryStore`."""

    def __init__(self, store: MemoryStore, mishap: Mishap) -> None:
        self._store = store
        self._mishap = mishap

    @property
    def era(self) -> int | None:
        return self._store.era

    async def gather(self, reads: Reads, now_us: int) -> Snapshot:
        store = self._store
        if store.gate is not None:
            await store.gate.wait()
        await asyncio.sleep(0)
        store.before_gather(reads)
        if self._mishap is Mishap.GATHER_CONFLICT:
            raise Conflict("deadlock")
        if self._mishap is Mishap.GATHER_UNAVAILABLE:
            raise StoreUnavailable("no connection")
        snapshot = Snapshot(configuration=store.versions())
        for key, (organization, name) in sorted(reads.products.items()):
            product = store.products_.setdefault(key, Product(len(store.products_) + 1, organization, name))
            snapshot.products[key] = ProductState(
                product_id=product.product_id,
                version=product.version,
                next_position=product.next_position,
                next_hold=product.next_hold,
                positions={at.key: copy(at) for at in product.positions.values()},
                stock={
                    (product.positions[number].key, measure): copy(level)
                    for (number, measure), level in product.stock.items()
                },
                holds={number: copy(hold) for number, hold in product.holds.items()},
            )
        snapshot.ids = {key: store.ids[key] for key in reads.ids if key in store.ids}
        snapshot.documents = {
            key: store.documents.get(key, Document(key, 0, b"")) for key in sorted(reads.documents)
        }
        return snapshot

    async def commit(self, decision: Decision) -> None:
        store = self._store
        await asyncio.sleep(0)
        store.before_commit(decision)
        self._meet(partial(store.apply, decision))

    def _meet(self, carry_out: Callable[[], None], late: Callable[[], None] | None = None) -> None:
        """Carry a commit out, or what happens to it instead; `late` is what may still be carried out when it is lost."""
        match self._mishap:
            case Mishap.COMMIT_CONFLICT:
                raise Conflict("serialization")
            case Mishap.COMMIT_UNAVAILABLE:
                raise StoreUnavailable("shut down")
            case Mishap.COMMIT_VIOLATION:
                raise InvariantViolation("a CHECK said no")
            case Mishap.LOST_AND_GONE | Mishap.LOST_AND_LATE:
                if late is not None and self._mishap is Mishap.LOST_AND_LATE:
                    self._store.late.append(late)
                raise OutcomeUnknown("lost")
            case Mishap.LOST_BUT_LANDED:
                carry_out()
                raise OutcomeUnknown("lost, committed")
            case _:
                carry_out()

    async def look(self, places: Sequence[tuple[ProductKey, str]]) -> dict[ProductKey, ProductState]:
        store = self._store
        await asyncio.sleep(0)
        if self._mishap is Mishap.GATHER_UNAVAILABLE:
            raise StoreUnavailable("no connection")
        store.looks += 1
        states: dict[ProductKey, ProductState] = {}
        for key, place in places:
            product = store.products_.get(key)
            if product is None:
                continue
            due = [hold.expires_at for hold in product.holds.values() if hold.remaining and hold.expires_at]
            state = states.setdefault(
                key,
                ProductState(
                    product.product_id,
                    product.version,
                    product.next_position,
                    product.next_hold,
                    next_due=min(due, default=None),
                ),
            )
            cells = {n: at for n, at in product.positions.items() if at.place == place and at.cell == at.key}
            state.positions |= {at.key: copy(at) for at in cells.values()}
            state.stock |= {
                (cells[number].key, measure): copy(level)
                for (number, measure), level in product.stock.items()
                if number in cells
            }
        return states

    async def commit_unchanged(self, decision: Decision, snapshot: Snapshot) -> None:
        store = self._store
        await asyncio.sleep(0)
        if not len(decision.ids) == len(decision.movements) == len(decision.new_holds):
            raise Stale("more than reservations")
        store.before_commit(decision)
        carry_out = partial(self._apply_unchanged, decision, snapshot.configuration, _versions(snapshot))
        self._meet(carry_out, late=carry_out)

    def _apply_unchanged(
        self, decision: Decision, configuration: dict[int, int], versions: dict[ProductKey, int]
    ) -> None:
        store = self._store
        current = store.versions()
        if any(current.get(number) != version for number, version in configuration.items()):
            raise Stale("the configuration changed")
        products = [change.product for change in decision.products]
        changed = [key for key in products if store.products_[key].version != versions[key]]
        if changed:
            raise Stale("products changed", changed)
        store.apply(decision)


def _versions(snapshot: Snapshot) -> dict[ProductKey, int]:
    """Copied: a commit that is late must not see what became of the states."""
    return {key: state.version for key, state in snapshot.products.items()}


class MemoryCatalogue:
    """The part of `Catalogue` that environments and jobs use."""

    def __init__(self) -> None:
        self.rows: dict[str, list[ConfigurationRow]] = {}
        self.jobs: dict[str, JobRow] = {}
        self.reads = 0
        self.used: set[int] = set()
        self.stocked = False
        self.failing: Exception | None = None

    def versions(self) -> dict[int, int]:
        """What `gather` reports."""
        return {rows[-1].environment: rows[-1].version for rows in self.rows.values()}

    async def environments(self) -> list[tuple[int, str]]:
        self._read()
        return [(rows[-1].environment, environment_id) for environment_id, rows in self.rows.items()]

    async def configuration(self, environment_id: str, version: int | None = None) -> ConfigurationRow | None:
        self._read()
        rows = self.rows.get(environment_id, [])
        wanted = [row for row in rows if version is None or row.version == version]
        return wanted[-1] if wanted else None

    def _read(self) -> None:
        self.reads += 1
        if self.failing is not None:
            raise self.failing

    async def history(self, environment: int) -> list[ConfigurationRow]:
        return [
            row for rows in self.rows.values() for row in reversed(rows) if row.environment == environment
        ]

    async def create_environment(
        self, environment_id: str, document: dict[str, Any], switches: dict[str, Any], by: str
    ) -> ConfigurationRow:
        measures: dict[int, MeasureName] = dict(enumerate(configuration.declared_measures(document), start=1))
        row = ConfigurationRow(
            environment=len(self.rows) + 1,
            environment_id=environment_id,
            version=1,
            document=document,
            switches=switches,
            measures=measures,
            applied_at=datetime(2026, 1, 1, tzinfo=UTC),
            applied_by=by,
            reason="",
        )
        self.rows[environment_id] = [row]
        return row

    async def rename_environment(self, old_id: str, new_id: str) -> bool:
        rows = self.rows.pop(old_id, None)
        if rows is None:
            return False
        rows.append(msgspec.structs.replace(rows[-1], version=rows[-1].version + 1))
        self.rows[new_id] = [msgspec.structs.replace(row, environment_id=new_id) for row in rows]
        return True

    async def delete_environment(self, environment_id: str) -> bool:
        if self.stocked:
            return False
        return self.rows.pop(environment_id, None) is not None

    async def apply_configuration(
        self,
        environment: int,
        expected_version: int,
        document: dict[str, Any],
        switches: dict[str, Any],
        reservation_dimensions: tuple[str, ...],
        partition: tuple[str, ...],
        by: str,
        reason: str,
    ) -> ConfigurationRow | None:
        rows = next(rows for rows in self.rows.values() if rows[-1].environment == environment)
        last = rows[-1]
        if last.version != expected_version:
            return None
        measures = dict(last.measures)
        for name in configuration.declared_measures(document):
            if name not in measures.values():
                measures[max(measures) + 1] = name
        rows.append(
            msgspec.structs.replace(
                last,
                version=last.version + 1,
                document=document,
                switches=switches,
                measures=measures,
                applied_by=by,
                reason=reason,
            )
        )
        return rows[-1]

    async def used_measures(self, environment: int) -> set[int]:
        return self.used

    async def has_stock(self, environment: int) -> bool:
        return self.stocked

    async def create_job(self, job: JobRow, by: str) -> None:
        self.jobs[job.job_id] = job

    async def job(self, job_id: str) -> JobRow | None:
        self._read()
        return self.jobs.get(job_id)

    async def update_job(self, job_id: str, status: str, progress: int, message: str) -> None:
        self.jobs[job_id] = msgspec.structs.replace(
            self.jobs[job_id], status=status, progress=progress, message=message
        )

    async def unfinished_jobs(self) -> list[JobRow]:
        return [job for job in self.jobs.values() if job.status in ("Queued", "Running")]


def dimensions_of(key: str) -> dict[str, str]:
    """Dimension values of a position key."""
    return dict(decode(key))
