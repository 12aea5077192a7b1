"""Steps through the engine: what they plan really happens, to the stock, the order and its events."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from onhand.core.orders.actions import DryRunRequest
from onhand.core.orders.configuration import OrderType
from onhand.core.orders.lines import with_shipments
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.queries import EventQuery
from onhand.core.orders.refusals import Refused
from onhand.core.orders.requests import ShipmentInfo, StatusUpdate
from onhand.core.outcomes import Accepted
from onhand.rows import StockFilter
from onhand.service.faults import Fault
from onhand.service.workflow.leading import LEASE
from onhand.storage.postgres.pool import open_pool
from tests.orders import TESTER, Process, an_order, configure, configured, status, step
from tests.serving import MovableClock
from tests.shop import change

SELECTIVE = step("ReduceInventoryOnlyOnReservedOrderLines")
RESERVE = step("IncreaseReservedInventory")
WH1 = {"siteId": "1", "locationId": "WH1"}
posted = itertools.count(1)


class Shop:
    """An environment with one process."""

    def __init__(self, process: Process, clock: MovableClock) -> None:
        self.process = process
        self.clock = clock
        self.name = "shop"

    async def open(self, *statuses: Any, **settings: Any) -> None:
        await self.process.environments.create(self.name, "standalone", "tests")
        made = OrderType(name="Online", default_order_type=True, order_statuses=statuses)
        await configure(self.process, self.name, configured(made, **settings))

    async def post(self, sku: str, units: int, warehouse: str = "WH1") -> None:
        place = {"siteId": "1", "locationId": warehouse}
        build = change(sku, units, f"in-{next(posted)}", dimensions=place)
        assert isinstance(await self.process.batcher.submit(self.name, build), Accepted)

    async def create(self, order: Any) -> Any:
        made = await self.process.desk.orders.create(self.name, order, TESTER)
        assert not isinstance(made, Refused), made
        return made.order

    async def enter(self, name: str, shipment_id: str | None = None) -> Any:
        info = None if shipment_id is None else ShipmentInfo(shipment_id=shipment_id)
        update = StatusUpdate(status=name, shipment_info=info)
        return await self.process.desk.parts.status(self.name, "O1", update, TESTER, None)

    async def dry_run(self, name: str) -> Any:
        return await self.process.desk.workflow.dry_run(self.name, "O1", DryRunRequest(status=name), TESTER)

    async def counts(self, sku: str, warehouse: str = "WH1") -> tuple[int, int]:
        """Inventory and reserved."""
        rules = await self.process.environments.current(self.name)
        which = StockFilter(
            environment=rules.environment, organizations=("usmf",), products=None, places=None, records=True
        )
        found = {"onhand": 0, "softreserved": 0}
        for product in await self.process.reader.stock(which, self.clock.now_us()):
            for row in product.rows:
                for name in found:
                    here = f"locationid={warehouse.lower()}" in row.position
                    if here and product.name.upper() == sku and row.measure == rules.measures["iv", name]:
                        found[name] += int(unscaled(row.own))
        return found["onhand"], found["softreserved"]

    async def events(self) -> list[dict[str, Any]]:
        found = await self.process.desk.searching.events(self.name, EventQuery(object_id="O1"))
        return [msgspec.to_builtins(one) for one in found.result]


@pytest.fixture
async def shop(database_url):
    pool = await open_pool(database_url, connections_max=6)
    clock = MovableClock()
    process = Process(pool, clock)
    await process.start()
    yield Shop(process, clock)
    await process.stop()
    await pool.close()


def messages(answer):
    return [(one.action_type, one.action_status, one.message) for one in answer.results]


async def test_a_dry_run_says_what_the_run_will_say(shop):
    await shop.open(
        status("New", 1, RESERVE), status("Ship", 2, SELECTIVE, shipment_status_update="Released")
    )
    await shop.post("A", 5)
    await shop.create(an_order("O1", {"S1": [("L1", "A", 2), ("L2", "B", 1)], "S2": [("L3", "A", 3)]}))
    before = await shop.counts("A"), await shop.counts("B")
    assert before == ((5, 5), (0, 1))
    dry = await shop.dry_run("Ship")
    assert (await shop.counts("A"), await shop.counts("B")) == before
    real = await shop.enter("Ship")
    assert (await shop.counts("A"), await shop.counts("B")) == ((0, 0), (-1, 0))
    (said,) = messages(dry)
    assert said == (SELECTIVE.name, "Success", "reduced: 3; negative inventory: B at WH1 -1")
    (done,) = messages(real)
    assert done == (*said[:2], "reduced: 3; negative inventory: B at WH1 -1; no cost known: A, B")


async def test_a_second_run_warns_and_moves_nothing(shop):
    await shop.open(
        status("New", 1, RESERVE), status("Ship", 2, SELECTIVE, shipment_status_update="Released")
    )
    await shop.post("A", 5)
    await shop.create(an_order("O1", {"S1": [("L1", "A", 2)], "S2": [("L3", "A", 3)]}))
    await shop.enter("Ship")
    again = await shop.enter("Ship")
    assert messages(again) == [(SELECTIVE.name, "Warning", "already reduced: 2; reduced now: 0")]
    assert await shop.counts("A") == (0, 0)


async def test_a_run_that_is_picked_up_ends_with_what_is_left(shop):
    """The process dies after the first shipment; another one takes the run up when its claim has run out."""
    await shop.open(
        status("New", 1, RESERVE), status("Ship", 2, SELECTIVE, shipment_status_update="Released")
    )
    await shop.post("A", 5)
    await shop.create(an_order("O1", {"S1": [("L1", "A", 2)], "S2": [("L3", "A", 3)]}))
    shop.process.store.commits_left = 2  # the status, and the first shipment
    with pytest.raises(Fault):
        await shop.enter("Ship")
    shop.process.store.dead, shop.process.store.commits_left = False, None  # as good as a new process
    assert await shop.counts("A") == (3, 3)
    shop.clock.ahead_s += LEASE.total_seconds() + 1
    await shop.process.desk.overdue.take_up()
    assert await shop.counts("A") == (0, 0)
    (ended,) = [
        one for one in await shop.events() if one["message"].startswith("The workflow of status Ship")
    ]
    (attached,) = ended["attachments"]
    assert [one["message"] for one in attached["value"]] == ["reduced: 2; no cost known: A"]


async def test_what_a_step_finds_out_becomes_an_event(shop):
    await shop.open(
        status("New", 1),
        status("Ship", 2, SELECTIVE, shipment_status_update="Released"),
    )
    made = an_order("O1", {"S1": [("L1", "A", 2), ("L2", "A", 1)]})
    (first, second) = made.shipments[0].line_items
    lines = (msgspec.structs.replace(first, canceled_quantity=Decimal(5)), second)
    await shop.create(with_shipments(made, (msgspec.structs.replace(made.shipments[0], line_items=lines),)))
    answer = await shop.enter("Ship")
    found = [one["message"] for one in await shop.events()]
    assert [one for one in found if one.startswith("InvalidCanceledQuantity")] != []
    assert [one for one in found if one.startswith("NegativeInventory")] != []
    assert answer.order.errors == ()


async def test_d26_lines_that_move_take_their_reservation_along(shop):
    reserved = step("IncreaseReservedInventory", onlyReservedLines="true")
    await shop.open(
        status("New", 1, step("UpdateOrderLineReservedInventory"), reserved),
        status("InProgress", 2, step("TryReallocateToOtherWarehouse")),
        status("Ship", 3, SELECTIVE, shipment_status_update="Released"),
    )
    await shop.post("A", 2)
    await shop.post("B", 1)
    await shop.post("B", 3, "WH2")
    await shop.create(an_order("O1", {"S1": [("L1", "A", 2), ("L2", "B", 3)]}))
    assert (await shop.counts("B"), await shop.counts("B", "WH2")) == ((1, 1), (3, 0))
    answer = await shop.enter("InProgress")
    assert seen(answer.order) == [("S1", "WH1", [("L1", 2, 2)]), ("S1-2", "WH2", [("L2", 3, 1)])]
    assert (await shop.counts("B"), await shop.counts("B", "WH2")) == ((1, 0), (3, 1))
    await shop.enter("Ship")
    assert (await shop.counts("A"), await shop.counts("B", "WH2")) == ((0, 0), (0, 0))


async def test_d26_an_unreserved_part_goes_without_the_reservation(shop):
    reserved = step("IncreaseReservedInventory", onlyReservedLines="true")
    await shop.open(
        status("New", 1, step("UpdateOrderLineReservedInventory"), reserved),
        status("InProgress", 2, step("TrySplitUnreservedOrderLines", AllowLineSplitting="true")),
        status("Ship", 3, SELECTIVE, shipment_status_update="Released"),
        status("OrderCanceled", 9, step("ReduceReservedInventory"), is_canceled_status=True),
    )
    await shop.post("A", 2)
    await shop.create(an_order("O1", {"S1": [("L1", "A", 5)]}))
    answer = await shop.enter("InProgress")
    assert seen(answer.order) == [("S1", "WH1", [("L1", 2, 2)]), ("S1-2", "WH1", [("L1", 3, 0)])]
    assert await shop.counts("A") == (2, 2)
    await shop.enter("Ship", "S1")
    assert await shop.counts("A") == (0, 0)


async def test_99_the_reservation_goes_to_the_store(shop):
    await shop.open(status("New", 1, RESERVE), status("Ready", 2, step("SetShipmentOrOrderReadyForPickup")))
    await shop.post("A", 2)
    made = an_order("O1", {"S1": [("L1", "A", 2)]})
    bound = msgspec.structs.replace(made.shipments[0], pick_up_warehouse_code="ST1")
    await shop.create(with_shipments(made, (bound,)))
    answer = await shop.enter("Ready", "S1")
    assert seen(answer.order) == [("S1", "ST1", [("L1", 2, 2)])]
    assert (await shop.counts("A"), await shop.counts("A", "ST1")) == ((2, 0), (0, 2))
    assert answer.order.customer_pickup_deadline is not None


async def test_88_a_second_release_warns(shop):
    await shop.open(
        status("New", 1, RESERVE),
        status("OrderCanceled", 9, step("ReduceReservedInventory"), is_canceled_status=True),
    )
    await shop.post("A", 3)
    await shop.create(an_order("O1", {"S1": [("L1", "A", 3)]}))
    first, second = await shop.enter("OrderCanceled"), await shop.enter("OrderCanceled")
    assert [one[1:] for one in messages(first) + messages(second)] == [
        ("Success", "released lines: 1"),
        ("Warning", "already released: 1"),
    ]
    assert await shop.counts("A") == (3, 0)


def seen(order):
    return [
        (
            one.shipment_id,
            one.warehouse_code,
            [(line.line_item_id, line.quantity, line.reserved_inventory_quantity) for line in one.line_items],
        )
        for one in order.shipments
    ]


async def test_92_the_items_of_the_order_are_out_of_stock_at_its_store(shop):
    await shop.open(status("New", 1), status("Gone", 2, step("SetItemsOutOfStock")))
    await shop.post("A", 7, "ST1")
    await shop.post("A", 10)
    await shop.create(an_order("O1", {"S1": [("L1", "A", 1)]}))
    first, second = await shop.enter("Gone"), await shop.enter("Gone")
    assert [one[2] for one in messages(first) + messages(second)] == [
        "items set out of stock: 1",
        "items set out of stock: 0",
    ]
    assert (await shop.counts("A", "ST1"), await shop.counts("A")) == ((0, 0), (10, 0))


async def test_d14_an_imported_reservation_is_given_back_once(shop):
    await shop.open(
        status("New", 1),
        status("OrderCanceled", 9, step("ReduceReservedInventory"), is_canceled_status=True),
    )
    await shop.post("A", 9)
    drift = change("A", 7, "drift", dimensions=WH1, measure=("iv", "softreserved"))
    assert isinstance(await shop.process.batcher.submit(shop.name, drift), Accepted)
    await shop.create(an_order("O1", {"S1": [("L1", "A", 3)]}))
    first, second = await shop.enter("OrderCanceled"), await shop.enter("OrderCanceled")
    assert [one[1] for one in messages(first) + messages(second)] == ["Success", "Warning"]
    assert await shop.counts("A") == (9, 4)


async def test_what_was_released_here_and_reserved_there(shop):
    await shop.open(
        status("New", 1, RESERVE),
        status("Moved", 2, step("TryReallocateEntireOrderToSpecificWarehouse", warehouseCode="WH2"), RESERVE),
        status("OrderCanceled", 9, step("ReduceReservedInventory"), is_canceled_status=True),
    )
    await shop.post("A", 3)
    await shop.post("A", 3, "WH2")
    await shop.create(an_order("O1", {"S1": [("L1", "A", 3)]}))
    await shop.enter("OrderCanceled")
    answer = await shop.enter("Moved")
    assert seen(answer.order) == [("S1", "WH2", [("L1", 3, 3)])]
    assert (await shop.counts("A"), await shop.counts("A", "WH2")) == ((3, 0), (3, 3))
