"""The order side for tests: processes over one database that can die at any commit, and orders to work on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any

from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderStatus,
    OrderType,
    Warehouse,
    WorkflowStep,
)
from onhand.core.orders.configured import Configured
from onhand.core.orders.events import Actor
from onhand.core.orders.lines import read_order
from onhand.core.orders.model import Order, Property
from onhand.core.snapshot import Decision, Reads, Snapshot
from onhand.outside import HttpOutside
from onhand.ports import Clock, Unit
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.faults import OutcomeUnknown, StoreUnavailable
from onhand.service.workflow.desk import OrderDesk, open_desk
from onhand.service.workflow.rates import Rates
from onhand.storage.postgres.catalogue import PostgresCatalogue
from onhand.storage.postgres.documents import PostgresDocuments
from onhand.storage.postgres.pool import Database
from onhand.storage.postgres.reader import PostgresReader
from onhand.storage.postgres.store import PostgresStore, PostgresUnit, lines_for
from onhand.telemetry import Metrics

TESTER = Actor(user="tests")


class Death(Enum):
    """Where a process dies."""

    BEFORE_COMMIT = auto()
    AFTER_COMMIT = auto()
    """The commit lands, its answer is never seen."""


class MortalStore:
    """The store of a process that can die; from then on it reaches nothing."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self.dead = False
        self.commits_left: int | None = None
        self.death = Death.BEFORE_COMMIT
        self.lost: Callable[[], Awaitable[object]] | None = None
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        """The next commit lands and its answer is lost; this happens before anybody looks again."""

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        if self.dead:
            raise StoreUnavailable("The process is dead.")
        lost, self.lost = self.lost, None
        if lost is not None:
            await lost()
        async with self._store.unit() as unit:
            yield MortalUnit(self, unit)


class MortalUnit:
    """A unit in which the process may die."""

    def __init__(self, store: MortalStore, unit: Unit) -> None:
        self._store = store
        self._unit = unit

    async def gather(self, reads: Reads, now_us: int) -> Snapshot:
        return await self._unit.gather(reads, now_us)

    async def commit(self, decision: Decision) -> None:
        store = self._store
        if store.commits_left is not None:
            store.commits_left -= 1
            if store.commits_left < 0:
                store.dead = True
                if store.death is Death.AFTER_COMMIT:
                    await self._unit.commit(decision)
                raise OutcomeUnknown("The process died.")
        await self._unit.commit(decision)
        store.lost, store.meanwhile = store.meanwhile, None
        if store.lost is not None:
            raise OutcomeUnknown("The answer was lost.")


class Process:
    """One process of the service."""

    def __init__(
        self,
        pool: Database,
        clock: Clock,
        *,
        unit: type[PostgresUnit] = PostgresUnit,
        refresh_seconds: float = 0.0,
        settle_seconds: float = 0.0,
    ) -> None:
        """With `settle_seconds` it looks again after a lost answer; without, it gives up at once."""
        self._lines = lines_for(pool._connect_args[0])  # the same database
        self.store = MortalStore(PostgresStore(self._lines, unit))
        self.environments = Environments(PostgresCatalogue(pool), refresh_seconds=refresh_seconds)
        self.documents = PostgresDocuments(pool)
        self.reader = PostgresReader(pool)
        self.batcher = Batcher(
            self.store,
            self.environments,
            clock,
            probe=Metrics(),
            settle_seconds=settle_seconds,
            retry_pause_seconds=0.0,
        )
        self.desk: OrderDesk = open_desk(
            documents=self.documents,
            reader=self.reader,
            batcher=self.batcher,
            environments=self.environments,
            clock=clock,
            exchange=Rates(self.documents, self.batcher),
            outside=HttpOutside(()),
        )

    async def start(self) -> None:
        await self.environments.load()
        await self.batcher.start()

    async def stop(self) -> None:
        await self.desk.background.stop()
        await self.batcher.stop()
        await self._lines.close()


def step(name: str, *, later: bool = False, **properties: str) -> WorkflowStep:
    """A configured step."""
    return WorkflowStep(
        name=name,
        run_after_order_is_saved=later,
        properties=tuple(Property(key=key, value=value) for key, value in properties.items()),
    )


def status(name: str, order: int, *steps: WorkflowStep, **flags: Any) -> OrderStatus:
    """A configured status."""
    return OrderStatus(name=name, order=order, workflow_steps=steps, **flags)


ONLINE = OrderType(
    name="Online",
    default_order_type=True,
    order_statuses=(
        status(
            "New",
            1,
            step("UpdateOrderLineReservedInventory"),
            step("IncreaseReservedInventory", onlyReservedLines="true"),
        ),
        status(
            "Ship",
            2,
            step("ReduceInventoryOnlyOnReservedOrderLines"),
            step("CompleteShipment"),
            step("RecalculateReservedInventory", later=True),
            shipment_status_update="Released",
        ),
        status(
            "Completed",
            3,
            step("CheckPosOrderForReturnAndIncreaseInventory"),
            is_delivered_status=True,
        ),
        status("OrderCanceled", 9, step("ReduceReservedInventory"), is_canceled_status=True),
    ),
)
"""The mixed reservation workflow: what is available is reserved, what is reserved is consumed, the rest only leaves."""


def configured(*order_types: OrderType, **settings: Any) -> Configured:
    """Two warehouses, a store, and these order types."""
    return Configured(
        order_types=order_types or (ONLINE,),
        warehouses=tuple(
            Warehouse(code=code, site_id="1", organization_id="usmf") for code in ("WH1", "WH2", "ST1")
        ),
        inventory=InventorySettings(**settings.pop("inventory", {})),
        settings=OrderSettings(**settings),
    )


async def configure(process: Process, environment: str, what: Configured) -> None:
    """Store a configuration."""
    rules = await process.environments.current(environment)
    stored = await process.desk.configurations.change(rules, "tests", "", lambda _: what)
    assert isinstance(stored, Configured), stored


def an_order(order_id: str, shipments: dict[str, list[tuple[str, str, int]]], **more: Any) -> Order:
    """An order of type Online: shipment id -> (line, SKU, quantity), all from WH1."""
    made = read_order(
        {
            "id": order_id,
            "orderType": "Online",
            "marketId": "NO",
            "storeId": "ST1",
            "billingCurrency": "NOK",
            **more,
            "orderForm": {
                "shipments": [
                    {
                        "shipmentId": shipment_id,
                        "warehouseCode": "WH1",
                        "lineItems": [
                            {"lineItemId": line, "code": sku, "quantity": quantity}
                            for line, sku, quantity in lines
                        ],
                    }
                    for shipment_id, lines in shipments.items()
                ]
            },
        }
    )
    assert isinstance(made, Order), made
    return made
