"""I7 over the real store: whatever is lost, repeated, disordered or crashes, each unit is offset once, and all books agree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from itertools import count, islice
from typing import Any, TypeVar

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from onhand.api.erp import reading
from onhand.api.erp.wire import ErpMessageRequest
from onhand.cli.simulator.model import Erp, Line, Message, figures, reserved
from onhand.core.commands import ANYONE, Owner, Reserve
from onhand.core.dimensions import name_dimensions, reservation_node
from onhand.core.erp import lines
from onhand.core.erp.parameters import Parameters
from onhand.core.keys import Position, hold_id, reservation_id
from onhand.core.outcomes import Accepted
from onhand.core.quantities import SCALE
from onhand.core.rules import Rules
from onhand.rows import ConfigurationRow, StockFilter
from onhand.service.auditor import Auditor
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.erp.parameters import Saved
from onhand.service.erp.side import ErpSide, erp_side
from onhand.service.faults import Fault
from onhand.storage.postgres.catalogue import PostgresCatalogue
from onhand.storage.postgres.documents import PostgresDocuments
from onhand.storage.postgres.pool import Database, open_pool
from onhand.storage.postgres.reader import PostgresReader
from onhand.storage.postgres.store import PostgresStore, lines_for
from tests.faulty import FaultyStore
from tests.memory import Ear, Mishap, StillClock

T = TypeVar("T")

PROCESSES = 2
MEASURES = ("physicalinvent", "reservphysical", "reservordered", "onorder", "picked", "postedqty", "availphysical", "availordered")  # fmt: skip

mishaps = st.lists(
    st.sampled_from(list(Mishap)) | st.sampled_from([Mishap.LOST_BUT_LANDED, Mishap.LOST_AND_GONE]),
    max_size=6,
)
processes = st.integers(0, PROCESSES - 1)

_numbers = count(1)


class Process:
    """What one process of the service has; it is killed and started again by making another one."""

    def __init__(self, pool: Database, store: PostgresStore, clock: StillClock) -> None:
        self.store = FaultyStore(store)
        self.environments = Environments(PostgresCatalogue(pool), refresh_seconds=0.0)
        self.batcher = Batcher(
            self.store,
            self.environments,
            clock,
            probe=Ear(),
            lanes=2,
            conflict_retries=2,
            retry_pause_seconds=0.0,
            settle_seconds=0.0,
        )
        self.reader = PostgresReader(pool)
        self.documents = PostgresDocuments(pool)
        self.side: ErpSide = erp_side(
            self.documents,
            self.reader,
            self.batcher,
            self.environments,
            clock,
            probe=Ear(),
            refresh_seconds=0.0,
        )

    async def start(self) -> None:
        await self.environments.load()
        await self.batcher.start()


class Sending(RuleBasedStateMachine):
    """An ERP whose outbox is sent anyhow to two processes, while the synchronisation runs on either."""

    runner: asyncio.Runner
    pool: Database
    store: PostgresStore

    @initialize(seed=st.integers(0, 1 << 16), orders=st.integers(1, 4), direct=st.booleans())
    def begin(self, seed: int, orders: int, *, direct: bool) -> None:
        self.name = f"e{next(_numbers)}"
        self.clock = StillClock()
        self.erp = Erp(seed, self.name, orders, products=2)
        self.story: Iterator[Message] = self.erp.steps()
        self.processes = [Process(self.pool, self.store, self.clock) for _ in range(PROCESSES)]
        self.at_work(self._furnish(direct=direct))

    def at_work(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @rule(messages=st.integers(1, 12))
    def tell(self, messages: int) -> None:
        """More happens in the ERP."""
        for message in islice(self.story, messages):
            if message.opens:
                self.at_work(self._reserve(message.line))

    @rule(
        process=processes,
        back=st.integers(0, 15),
        length=st.integers(1, 12),
        shuffle=st.randoms(),
        bad=mishaps,
    )
    def send(self, process: int, back: int, length: int, shuffle: Any, bad: list[Mishap]) -> None:
        """Any part of the outbox, in any order, whatever was sent before; accidents in between."""
        first = max(0, len(self.erp.messages) - back)
        batch = self.erp.messages[first : first + length]
        shuffle.shuffle(batch)
        self.processes[process].store.will_meet(bad)
        self.at_work(self._send(process, batch))

    @rule(process=processes, bad=mishaps)
    def resend(self, process: int, bad: list[Mishap]) -> None:
        """What a sender does that has noticed the gap."""
        self.processes[process].store.will_meet(bad)
        self.at_work(self._resend(process))

    @rule(process=processes, bad=mishaps)
    def synchronise(self, process: int, bad: list[Mishap]) -> None:
        self.processes[process].store.will_meet(bad)
        self.at_work(self._synchronise(process))
        self.at_work(self._at_most_once())

    @rule(bad=mishaps)
    def synchronise_both(self, bad: list[Mishap]) -> None:
        """Two processes at once."""
        self.processes[0].store.will_meet(bad)

        async def both() -> None:
            await asyncio.gather(*(self._synchronise(number) for number in range(PROCESSES)))

        self.at_work(both())

    @rule(process=processes)
    def restart(self, process: int) -> None:
        """A process ends and another one takes its place: nothing but the database is left."""

        async def again() -> None:
            await self.processes[process].batcher.stop()
            self.processes[process] = Process(self.pool, self.store, self.clock)
            await self.processes[process].start()

        self.at_work(again())

    def teardown(self) -> None:
        """Everything arrives in the end; then all books agree."""
        if not hasattr(self, "processes"):
            return
        self.at_work(self._end())

    # The service -------------------------------------------------------------------------------------------

    @property
    def compiled(self) -> Rules:
        return self.processes[0].environments.rules(self.name)

    async def _furnish(self, *, direct: bool) -> None:
        first = self.processes[0]
        assert isinstance(await first.environments.create(self.name, "default-2024", "ops"), ConfigurationRow)
        for process in self.processes:
            await process.start()
        parameters = Parameters(physical_owner="erp", mode="direct" if direct else "periodic")
        assert isinstance(await first.side.parameters.save(self.compiled, parameters, None), Saved)

    async def _reserve(self, line: Line) -> None:
        """The web shop's reservation; nothing goes wrong with it."""
        process = self.processes[0]
        process.store.will_meet(())
        rules = self.compiled
        named = name_dimensions(rules, line.dimensions(reserved=True), None)
        node = reservation_node(rules, named)  # type: ignore[arg-type]
        assert isinstance(node, Position)
        owned = line.way in ("named", "several")
        (measure,) = rules.mapped
        subject = reading.targets.subject(rules, "usmf", line.product)
        for number, quantity in enumerate(line.reservations()):
            outcome = await process.batcher.submit(
                rules,
                lambda _, number=number, quantity=quantity: Reserve(
                    id=f"{line.id}-{number}",
                    caller="web",
                    product=subject.key,
                    organization_shown="usmf",
                    product_shown=line.product,
                    position=node,
                    measure=measure,
                    quantity=quantity * SCALE,
                    check=False,
                    owner=Owner(reference=f"{line.id}-{number}") if owned else ANYONE,
                ),
            )
            assert isinstance(outcome, Accepted), outcome
            line.reservation_id = reservation_id(subject.key, node.key, rules.names[measure])
            if owned:
                line.hold_ids.append(hold_id(subject.key.k, outcome.product_id or 0, outcome.hold or 0))

    async def _send(self, process: int, batch: list[Message]) -> int | None:
        """First missing number, if one is missing; a fault leaves open what was taken."""
        rules = self.compiled
        envelope = reading.Envelope(caller="erp", source=self.name)
        asked = [
            reading.asked(rules, msgspec.convert(one.body(), ErpMessageRequest), envelope) for one in batch
        ]
        try:
            taken = await self.processes[process].side.tell(rules, asked, self.name)
        except Fault:
            return None
        return taken.missing[0] if taken.missing else None

    async def _expected(self, process: int) -> int:
        source = await self.processes[process].side.lines.source(self.compiled, self.name)
        return 1 if source is None else source.next

    async def _resend(self, process: int) -> None:
        rest = self.erp.messages[await self._expected(process) - 1 :]
        for start in range(0, len(rest), 50):
            await self._send(process, rest[start : start + 50])

    async def _synchronise(self, process: int) -> None:
        await self.processes[process].side.sync.run_now(self.compiled)

    # The books ---------------------------------------------------------------------------------------------

    async def _lines(self) -> dict[str, lines.Line]:
        rows = await self.processes[0].documents.documents(
            [lines.key(self.compiled.environment, line.id) for line in self.erp.lines]
        )
        return {row.key.id: lines.decode(row.body) for row in rows}

    async def _at_most_once(self) -> None:
        for stored in (await self._lines()).values():
            line = next(one for one in self.erp.lines if one.id == stored.line_id)
            assert sum(one.consumed for one in stored.offsets) <= line.quantity * SCALE
            assert sum(one.quantity for one in stored.offsets) <= line.quantity * SCALE

    async def _end(self) -> None:
        for process in self.processes:
            process.store.will_meet(())
        await self._resend(0)
        assert await self._expected(1) == len(self.erp.messages) + 1
        await self._synchronise(1)
        await self._at_most_once()
        await self._agree()
        for process in self.processes:
            await process.batcher.stop()

    async def _agree(self) -> None:
        process = self.processes[0]
        stored = await self._lines()
        for line in self.erp.lines:
            one = stored[line.id]
            standing: Counter[str] = Counter()
            for part in one.transactions:
                standing[part.status.value] += part.quantity // SCALE
            assert +standing == +line.standing
            assert sum(offset.consumed for offset in one.offsets) == line.due * SCALE
            assert not one.waits
            assert (one.state == "failed") == (line.mistaken and any(part.reached for part in line.parts))
        found, held = await self._stock()
        rows = {status.value: row for status, row in Parameters().deltas.items()}
        books = figures(self.erp.lines, dict.fromkeys(("11", "12", "21"), rows), Counter())
        expected = {at: units for at, units in books.items() if units and at[1] in MEASURES}
        assert found == expected
        assert held == {record: units for record, units in reserved(self.erp.lines).items() if units}
        report = await Auditor(process.reader, process.environments, probe=Ear()).audit(self.name)
        assert report.clean, report.drifts

    async def _stock(self) -> tuple[dict[Any, int], dict[Any, int]]:
        """Units of `fno` by record and measure, and what is softly reserved by record."""
        rules = self.compiled
        which = StockFilter(
            rules.environment,
            ("usmf",),
            tuple(product.casefold() for product in self.erp.products),
            None,
            records=True,
        )
        figures_found: dict[Any, int] = {}
        held: dict[Any, int] = {}
        names = {product.casefold(): product for product in self.erp.products}
        for stock in await self.processes[0].reader.stock(which, self.clock.now_us()):
            for row in stock.rows:
                values = tuple(value for _, value in stock.shown[row.position])
                record = (names[stock.product.product], *values)
                source, measure = rules.names[row.measure]
                if row.own and source == "fno":
                    figures_found[record, measure] = row.own // SCALE
                elif row.own and row.measure in rules.mapped:
                    held[record] = row.own // SCALE
        return figures_found, held


def test_each_unit_is_offset_once_whatever_happens(database_url: str) -> None:
    with asyncio.Runner() as runner:
        pool, lines = runner.run(open_pool(database_url, connections_max=6)), lines_for(database_url)

        def machine() -> Sending:
            made = Sending()
            made.runner, made.pool, made.store = runner, pool, PostgresStore(lines)
            return made

        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    # A story takes a second on the database: a long one that fails says more than an hour of shortening it.
                    phases=(Phase.explicit, Phase.reuse, Phase.generate),
                    max_examples=25,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(lines.close())
            runner.run(pool.close())
