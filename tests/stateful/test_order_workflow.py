"""Orders go through their workflow while processes die at any commit; in the end everything happened once (I2, I3, I7, I8)."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from onhand.core.keys import product_key
from onhand.core.orders.entities import read
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.refusals import Refused
from onhand.core.orders.requests import LinesUpdate, LineUpdate, ShipmentInfo, StatusUpdate
from onhand.core.orders.returning import ReturnRequest
from onhand.core.orders.transactions import TRANSACTION
from onhand.rows import ConfigurationRow, HoldFilter, HoldRow, StockFilter
from onhand.service.auditor import Auditor
from onhand.service.faults import Fault
from onhand.service.workflow.leading import LEASE
from onhand.service.workflow.searching import ORDER, read_record
from onhand.storage.postgres.pool import Database, open_pool
from onhand.telemetry import Metrics
from tests.orders import TESTER, Death, Process, an_order, configure, configured
from tests.serving import MovableClock
from tests.shop import change, reserve

SKUS = ("A", "B", "C")
WH1 = {"siteId": "1", "locationId": "WH1"}
STATUSES = ("Ship", "Completed", "OrderCanceled", "New")

environments = itertools.count(1)


class Workflow(RuleBasedStateMachine):
    """A warehouse, its orders, and one process after the other."""

    loop: asyncio.AbstractEventLoop
    pool: Database

    def __init__(self) -> None:
        super().__init__()
        self.clock = MovableClock()
        self.name = f"shop{next(environments)}"
        self.posted: Counter[str] = Counter()
        self.orders: list[str] = []
        self.returns = 0
        self.deaths = 0
        self.process = self._do(self._process())

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def _process(self) -> Process:
        process = Process(self.pool, self.clock)
        await process.start()
        return process

    @initialize(stock=st.integers(0, 6))
    def open(self, stock: int) -> None:
        """An environment with some stock."""
        made = self._do(self.process.environments.create(self.name, "standalone", "tests"))
        assert isinstance(made, ConfigurationRow)
        self._do(configure(self.process, self.name, configured()))
        for sku in SKUS:
            if stock:
                self._post(sku, stock)

    def teardown(self) -> None:
        """Everything comes to rest; from then on running each status again changes nothing."""
        try:
            if self.orders:
                self._at_rest()
        finally:
            self._do(self.process.stop())

    def _at_rest(self) -> None:
        self._settle()
        self._repeat()  # what arrived since may be reserved now
        before = self._do(self._stock())
        self._repeat()
        assert self._do(self._stock()) == before, "a repeated status moved stock"
        self._books()

    def _repeat(self) -> None:
        """Each order enters its status again."""
        for order_id, record in self._do(self._records()).items():
            if record.order is not None:
                self._do(self._enter(order_id, StatusUpdate(status=record.order.status)))
        self._settle()

    # What happens ------------------------------------------------------------------------------------------

    @rule(sku=st.sampled_from(SKUS), units=st.integers(1, 4))
    def goods_in(self, sku: str, units: int) -> None:
        """Goods arrive through the on-hand API."""
        self._post(sku, units)

    def _post(self, sku: str, units: int) -> None:
        self.posted[sku] += units
        number = sum(self.posted.values())
        build = change(sku, units, f"in-{sku}-{number}", dimensions=WH1)
        self._safely(self.process.batcher.submit(self.name, build))

    @rule(
        lines=st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 3)), min_size=1, max_size=3),
        two=st.booleans(),
        reserved_before=st.booleans(),
    )
    @precondition(lambda self: len(self.orders) < 4)
    def order(self, lines, two, reserved_before) -> None:
        """An order arrives; its first line may have been reserved by the channel."""
        order_id = f"O{len(self.orders) + 1}"
        parts = [(f"L{number}", sku, quantity) for number, (sku, quantity) in enumerate(lines, 1)]
        cut = 1 if two and len(parts) > 1 else len(parts)
        shipments = {"S1": parts[:cut], **({"S2": parts[cut:]} if parts[cut:] else {})}
        made = an_order(order_id, shipments)
        self.orders.append(order_id)
        if reserved_before:
            sku, quantity = lines[0]
            self._safely(
                self.process.batcher.submit(
                    self.name, reserve(sku, quantity, f"web-{order_id}", dimensions=WH1)
                )
            )
        self._safely(self.process.desk.orders.create(self.name, made, TESTER))

    @rule(data=st.data(), status=st.sampled_from(STATUSES), part=st.booleans())
    @precondition(lambda self: self.orders)
    def enter(self, data, status, part) -> None:
        """An order, or one shipment of it, enters a status."""
        order_id = data.draw(st.sampled_from(self.orders))
        record = self._do(self._records()).get(order_id)
        if record is None or record.order is None:
            return
        info = None
        if part and record.order.shipments:
            chosen = data.draw(st.sampled_from([one.shipment_id for one in record.order.shipments]))
            info = ShipmentInfo(shipment_id=chosen)
        self._safely(self._enter(order_id, StatusUpdate(status=status, shipment_info=info)))

    async def _enter(self, order_id: str, update: StatusUpdate) -> Any:
        return await self.process.desk.parts.status(self.name, order_id, update, TESTER, None)

    @rule(data=st.data(), delivered=st.integers(0, 2), cancelled=st.integers(0, 1))
    @precondition(lambda self: self.orders)
    def update_lines(self, data: st.DataObject, delivered: int, cancelled: int) -> None:
        """A part of a line is delivered or cancelled."""
        order_id = data.draw(st.sampled_from(self.orders))
        record = self._do(self._records()).get(order_id)
        if record is None or record.order is None:
            return
        shipment = data.draw(st.sampled_from(record.order.shipments))
        line = data.draw(st.sampled_from(shipment.line_items))
        update = LinesUpdate(
            status="Ship",
            line_item_updates=(
                LineUpdate(
                    line_item_id=line.line_item_id,
                    delivered_quantity=unscaled(delivered * 1_000_000),
                    canceled_quantity=unscaled(cancelled * 1_000_000),
                ),
            ),
            shipment_info=ShipmentInfo(shipment_id=shipment.shipment_id),
        )
        self._safely(self.process.desk.parts.update_lines(self.name, order_id, update, TESTER, None))

    @rule(data=st.data(), units=st.integers(1, 2))
    @precondition(lambda self: self.orders)
    def give_back(self, data: st.DataObject, units: int) -> None:
        """The customer returns a part of a line; the till restocks it when the order is completed."""
        order_id = data.draw(st.sampled_from(self.orders))
        record = self._do(self._records()).get(order_id)
        if record is None or record.order is None:
            return
        line = data.draw(st.sampled_from(record.order.shipments[0].line_items))
        self.returns += 1
        request = read(
            ReturnRequest,
            {"storeId": "ST1", "returns": [{"lineItemId": line.line_item_id, "returnQuantity": units}]},
        )
        assert not isinstance(request, Refused), request
        self._safely(self.process.desk.returns.create(self.name, order_id, request, TESTER, None))

    @rule(commits=st.integers(0, 5), death=st.sampled_from(Death))
    def doom(self, commits: int, death: Death) -> None:
        """The process will die at one of its next commits."""
        self.process.store.commits_left = commits
        self.process.store.death = death

    # Dying and going on ------------------------------------------------------------------------------------

    def _safely(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do it; if the process dies on the way, the next one takes over, as the clock would have it."""
        try:
            answer = self._do(work)
            if isinstance(answer, Refused):
                note(f"refused: {answer.code} {answer.message}")
        except Fault as fault:
            note(f"fault: {fault!r}")
            if not self.process.store.dead:
                raise
            answer = None
        self._do(self.process.desk.background.drain())
        if self.process.store.dead:
            self._next_process()
        return answer

    def _next_process(self) -> None:
        self.deaths += 1
        self._do(self.process.stop())
        self.process = self._do(self._process())
        self._settle()

    def _settle(self) -> None:
        """What is due is done, by a process that stays alive."""
        self.process.store.commits_left = None
        self.clock.ahead_s += LEASE.total_seconds() + 1
        for _ in range(20):
            taken = self._do(self.process.desk.overdue.take_up())
            self._do(self.process.desk.background.drain())
            if not taken:
                return
        raise AssertionError("orders stay due for ever")

    # What must be so ---------------------------------------------------------------------------------------

    @invariant()
    def books_agree(self) -> None:
        """Nothing is reduced, restocked or reserved twice, or lost."""
        if self.orders and not self.process.store.dead:
            self._books()

    def _books(self) -> None:
        stock, records = self._do(self._stock()), self._do(self._records())
        reduced: Counter[str] = Counter()
        for record in records.values():
            for row in record.rows:
                assert row.remaining >= 0
                if row.reduction is not None and not row.reduction.reversed_by:
                    reduced[row.sku] += int(row.reduction.quantity)
        reserved: Counter[str] = Counter()
        holds = self._do(self._open_holds())
        for hold in holds.values():
            reserved[hold.product.upper()] += int(unscaled(hold.remaining))
        for record in records.values():
            for row in record.rows:
                left = int(unscaled(holds[row.hold_id].remaining)) if row.hold_id in holds else 0
                assert left == row.remaining or (not record.counted and left == 0), (row, left)
        for sku in SKUS:
            inventory, soft = stock.get(sku, (0, 0))
            assert inventory == self._arrived(sku) - reduced[sku], (sku, inventory, reduced)
            assert soft == reserved[sku], (sku, soft, reserved)
        lines = Counter(
            (one["orderId"], one.get("shipmentId", ""), one.get("lineItemId", ""))
            for one in self._do(self._transactions())
            if one["transactionType"] in ("ReduceInventory", "ReduceInventoryAndReserved")
        )
        assert all(times == 1 for times in lines.values()), lines
        assert sum(lines.values()) == sum(
            1 for record in records.values() for row in record.rows if row.reduction is not None
        )
        report = self._do(
            Auditor(self.process.reader, self.process.environments, probe=Metrics()).audit(self.name)
        )
        assert report.clean, report.drifts

    def _arrived(self, sku: str) -> int:
        """What the on-hand API took in, by its own ledger: a post that died before its commit did not arrive."""
        return self._do(self._posted(sku))

    async def _posted(self, sku: str) -> int:
        rules = await self.process.environments.current(self.name)
        page = await self.process.reader.movements(
            product_key(rules.environment, "usmf", sku.casefold()),
            None,
            rules.measures["iv", "onhand"],
            None,
            1_000,
        )
        return sum(int(unscaled(row.delta)) for row in page.rows if row.command_id.startswith("in-"))

    async def _stock(self) -> dict[str, tuple[int, int]]:
        """SKU -> (inventory, reserved) at WH1."""
        rules = await self.process.environments.current(self.name)
        which = StockFilter(
            environment=rules.environment, organizations=("usmf",), products=None, places=None, records=True
        )
        found = {}
        for product in await self.process.reader.stock(which, self.clock.now_us()):
            rows = [row for row in product.rows if "locationid=wh1" in row.position]
            sums = {
                measure: sum(
                    int(unscaled(row.own)) for row in rows if row.measure == rules.measures["iv", measure]
                )
                for measure in ("onhand", "softreserved")
            }
            found[product.name.upper()] = (sums["onhand"], sums["softreserved"])
        return found

    async def _records(self) -> dict[str, OrderRecord]:
        rules = await self.process.environments.current(self.name)
        page = await self.process.documents.find(rules.environment, ORDER, (), after=None, limit=100)
        return {row.key.id: read_record(row.body) for row in page.rows}

    async def _transactions(self) -> list[dict[str, Any]]:
        rules = await self.process.environments.current(self.name)
        page = await self.process.documents.find(rules.environment, TRANSACTION, (), after=None, limit=1_000)
        return [msgspec.json.decode(row.body) for row in page.rows]

    async def _open_holds(self) -> dict[str, HoldRow]:
        rules = await self.process.environments.current(self.name)
        which = HoldFilter(environment=rules.environment)
        page = await self.process.reader.holds(which, self.clock.now_us(), None, 1_000)
        return {row.id: row for row in page.rows}


def test_orders_survive_deaths_of_their_processes(database_url: str) -> None:
    loop = asyncio.new_event_loop()
    try:
        Workflow.loop = loop
        Workflow.pool = loop.run_until_complete(open_pool(database_url, connections_max=6))
        run_state_machine_as_test(
            Workflow,
            settings=settings(
                max_examples=20,
                phases=(
                    Phase.explicit,
                    Phase.reuse,
                    Phase.generate,
                ),  # shrinking on a database takes many minutes
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        loop.run_until_complete(Workflow.pool.close())
    finally:
        loop.close()
