"""The synchronisation among lines that always fail and writers that come in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from onhand.api.erp import reading
from onhand.api.erp.wire import ErpLineRequest, ErpMessageRequest
from onhand.core.commands import DocumentKey
from onhand.core.erp import lines
from onhand.core.erp.lines import Line
from onhand.core.erp.parameters import Parameters
from onhand.core.erp.soft import SoftAsked
from onhand.core.erp.statuses import Status
from onhand.core.outcomes import Reason
from onhand.core.rules import Rules
from onhand.core.snapshot import Decision, Reads, Snapshot
from onhand.ports import Store, Unit
from onhand.rows import ConfigurationRow
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.erp import parameters as parameters_of
from onhand.service.erp.parameters import Saved
from onhand.service.erp.side import ErpSide, erp_side
from onhand.service.erp.sync import PAGE
from onhand.storage.postgres.catalogue import PostgresCatalogue
from onhand.storage.postgres.documents import PostgresDocuments
from onhand.storage.postgres.pool import Database, open_pool
from onhand.storage.postgres.reader import PostgresReader
from onhand.storage.postgres.store import PostgresStore, lines_for
from tests.memory import Ear, StillClock

GONE = 99
"""Number of an environment that does not exist."""

NAME = "erp"


class OvertakenStore:
    """The real store; something else happens before the next unit that is about a document."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._overtaking: Callable[[], Awaitable[object]] | None = None
        self._about: DocumentKey | None = None
        self._skipped = 0

    def overtake(
        self, about: DocumentKey, overtaking: Callable[[], Awaitable[object]], skip: int = 0
    ) -> None:
        self._about, self._overtaking, self._skipped = about, overtaking, skip

    async def before(self, reads: Reads) -> None:
        if self._overtaking is None or self._about not in reads.documents:
            return
        if self._skipped:
            self._skipped -= 1
            return
        overtaking, self._overtaking = self._overtaking, None
        await overtaking()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        async with self._store.unit() as unit:
            yield OvertakenUnit(self, unit)


class OvertakenUnit:
    def __init__(self, store: OvertakenStore, unit: Unit) -> None:
        self._store = store
        self._unit = unit

    async def gather(self, reads: Reads, now_us: int) -> Snapshot:
        await self._store.before(reads)
        return await self._unit.gather(reads, now_us)

    async def commit(self, decision: Decision) -> None:
        await self._unit.commit(decision)


class Process:
    """What one process of the service has."""

    def __init__(self, pool: Database, store: PostgresStore, clock: StillClock) -> None:
        self.store = OvertakenStore(store)
        self.environments = Environments(PostgresCatalogue(pool), refresh_seconds=0.0)
        self.ear = Ear()
        self.batcher = Batcher(self.store, self.environments, clock, probe=self.ear, lanes=2)
        self.side: ErpSide = erp_side(
            PostgresDocuments(pool), PostgresReader(pool), self.batcher, self.environments, clock,
            probe=self.ear, refresh_seconds=0.0,
        )  # fmt: skip

    @property
    def rules(self) -> Rules:
        return self.environments.rules(NAME)

    async def tell(self, line_id: str, units: int = 5, *, auto: bool = False, **dimensions: str) -> None:
        at = {"siteId": "1", "locationId": "11", **dimensions}
        body = ErpLineRequest(
            organization_id="usmf",
            product_id="A",
            dimensions=at,
            quantity=Decimal(units),
            inventory_service_auto_offset=auto,
            status=Status.PICKED if auto else None,
        )
        asked = reading.asked(
            self.rules, ErpMessageRequest(line_id=line_id, line=body), reading.Envelope(caller="erp")
        )
        (answer,) = (await self.side.tell(self.rules, [asked])).answers
        assert hasattr(answer, "line"), answer

    async def line(self, line_id: str) -> Line:
        row = await self.side.lines.read(self.rules, line_id)
        assert row is not None
        return lines.decode(row.body)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Database]:
    made = await open_pool(database_url, connections_max=6)
    yield made
    await made.close()


@pytest.fixture
async def processes(database_url: str, pool: Database) -> AsyncIterator[list[Process]]:
    clock, connections = StillClock(), lines_for(database_url)
    made = [Process(pool, PostgresStore(connections), clock) for _ in range(2)]
    row = await made[0].environments.create(
        NAME, "default-2024", "ops", None, {"requirePartitionOnOnHand": True}
    )
    assert isinstance(row, ConfigurationRow)
    for process in made:
        await process.environments.load()
        await process.batcher.start()
    await parameters(made[0])
    yield made
    for process in made:
        await process.batcher.stop()
    await connections.close()


async def parameters(process: Process, **more: Any) -> None:
    saved = await process.side.parameters.save(
        process.rules, Parameters(**{"physical_owner": "erp", "interval_seconds": 1, **more}), None
    )
    assert isinstance(saved, Saved)


async def later(process: Process, clock_us: int = 100_000_000) -> None:
    clock = process.side.sync._clock
    assert isinstance(clock, StillClock)
    clock.now += clock_us


FAULTY = """
INSERT INTO document (d, environment_no, kind, id, version, body, labels, due_at, created_at, changed_at)
SELECT n, $1, $2, 'F' || n, 1, '{}'::bytea, ARRAY['waits=yes'], n, n, n FROM generate_series(1, $3::integer) AS n
"""


async def test_lines_that_meet_a_fault_each_time_keep_no_other_one_waiting(
    processes: list[Process], pool: Database
) -> None:
    """More of them than one page has, all due longer than the line that can be posted."""
    process = processes[0]
    await pool.execute(FAULTY, GONE, lines.KIND, PAGE + 1)
    await process.tell("OK")
    await later(process)
    report = await process.side.sync.run()
    assert (report.posted, report.faults) == (1, PAGE + 1)
    assert (await process.line("OK")).state == "settled"


async def test_a_run_that_met_its_bound_is_gone_on_with_by_the_next(
    processes: list[Process], pool: Database
) -> None:
    process = processes[0]
    process.side.sync._lines_max = PAGE
    await pool.execute(FAULTY, GONE, lines.KIND, 2 * PAGE)
    await process.tell("OK")
    await later(process)
    assert [(await process.side.sync.run()).posted for _ in range(3)] == [0, 0, 1]


async def test_parameters_of_an_environment_that_is_gone_stop_no_run(
    processes: list[Process], pool: Database
) -> None:
    process = processes[0]
    await pool.execute(FAULTY, GONE, parameters_of.KIND, 1)
    await process.tell("OK")
    await later(process)
    assert (await process.side.sync.run()).posted == 1


async def test_a_refusal_is_not_written_into_a_line_that_another_process_has_posted_meanwhile(
    processes: list[Process],
) -> None:
    """Refused for want of a site; before that is noted, the site is no longer required and the line is posted."""
    first, second = processes
    await first.tell("L1", siteId="")
    await later(first)

    async def allowed_and_posted() -> None:
        row = await second.environments.configuration(NAME)
        assert row is not None
        await second.environments.apply(NAME, row.document, {"requirePartitionOnOnHand": False}, "ops", "")
        assert (await second.side.sync.run_now(second.rules)).posted == 1

    first.store.overtake(lines.key(first.rules.environment, "L1"), allowed_and_posted)
    assert (await first.side.sync.run()).failed == 0
    line = await first.line("L1")
    assert (line.refused, line.state) == ("", "settled")


async def test_a_refusal_of_a_line_that_did_not_change_is_noted(processes: list[Process]) -> None:
    await processes[0].tell("L1", siteId="")
    await later(processes[0])
    assert (await processes[0].side.sync.run()).failed == 1
    assert "partition-missing" in (await processes[1].line("L1")).refused


async def test_a_refused_soft_reservation_is_not_counted_on_a_line_that_was_lowered_meanwhile(
    processes: list[Process],
) -> None:
    first, second = processes
    await parameters(first, soft_reservation=True)
    await first.tell("L1", 5)
    asked = SoftAsked(id="s1", line_id="L1", fingerprint=1)
    key = lines.key(first.rules.environment, "L1")
    first.store.overtake(key, lambda: second.tell("L1", 2), skip=1)
    refusal = await first.side.soft.ask(first.rules, asked)
    assert refusal is not None
    assert refusal.reason is Reason.SHORTAGE
    assert (await first.line("L1")).soft.failed_shortage == 2_000_000


async def test_a_run_tells_what_it_did_and_how_long_the_oldest_message_had_waited(
    processes: list[Process],
) -> None:
    first = processes[0]
    await first.tell("OLD")
    await later(first, 30_000_000)
    await first.tell("BAD", siteId="")
    await first.tell("NONE", auto=True)
    await later(first, 60_000_000)
    await first.side.sync.run()
    assert first.ear.erp == {
        ("lines", "posted"): 1,
        ("lines", "failed"): 2,
        ("offsets", "failed"): 1,
        ("failures", "nothing-reserved"): 1,
        ("failures", "partition-missing"): 1,
    }
    ((seconds, oldest),) = first.ear.erp_runs
    assert seconds > 0
    assert oldest == 90
    await first.side.sync.run()
    assert first.ear.erp_runs[1][1] == 0


async def test_a_line_that_cannot_be_read_keeps_no_other_one_waiting(
    processes: list[Process], pool: Database
) -> None:
    process = processes[0]
    await pool.execute(FAULTY, process.rules.environment, lines.KIND, 1)
    await process.tell("OK")
    await later(process)
    report = await process.side.sync.run()
    assert (report.posted, report.faults) == (1, 1)
    assert (await process.line("OK")).state == "settled"


async def test_parameters_that_cannot_be_read_keep_no_other_environment_waiting(
    processes: list[Process], pool: Database
) -> None:
    process = processes[0]
    other = await process.environments.create("other", "default-2024", "ops")
    assert isinstance(other, ConfigurationRow)
    rules = process.environments.rules("other")
    key = parameters_of._key(rules)
    await pool.execute(FAULTY, rules.environment, lines.KIND, 2)
    await pool.execute("UPDATE document SET due_at = NULL WHERE id = 'F2'")
    await pool.execute(
        "INSERT INTO document (d, environment_no, kind, id, version, body, due_at, created_at, changed_at)"
        " VALUES ($1, $2, $3, $4, 1, '[]', 1, 1, 1)",
        key.d, key.environment, key.kind, key.id,
    )  # fmt: skip
    await process.tell("OK")
    await later(process)
    report = await process.side.sync.run()
    assert (report.posted, report.faults) == (1, 1)
