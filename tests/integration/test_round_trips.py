"""What entering a status costs: round trips to PostgreSQL, counted at the connections (docs/ARCHITECTURE.md).

The parameters of the ERP are left out: they are read once a second, whatever is asked meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from onhand.core.orders import presets
from onhand.core.orders.requests import StatusUpdate
from onhand.core.outcomes import Accepted
from onhand.service.workflow.orders import Created
from onhand.storage.postgres.line import Line
from onhand.storage.postgres.lines import Lines
from onhand.storage.postgres.pool import open_pool
from onhand.storage.postgres.store import PostgresUnit
from tests.orders import TESTER, Process, an_order, configure, configured
from tests.serving import MovableClock
from tests.shop import change

A_REQUEST = 8
"""Round trips of the status update and its run, whatever is in the order."""
A_SHIPMENT = 2
"""Round trips that each shipment of the run adds, however many lines it has."""
SKUS = ("A", "B", "C", "D", "E")
PLACE = {"siteId": "1", "locationId": "WH1"}


class CountingLine:
    """A line that notes what is sent; each is one exchange with the server."""

    def __init__(self, line: Line, sent: list[str]) -> None:
        self._line = line
        self._sent = sent

    async def send(self, *statements: Any) -> Any:
        self._sent.append("batch")
        return await self._line.send(*statements)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)


@dataclass
class Counted:
    """A process, and everything that it asked of the database."""

    process: Process
    sent: list[str] = field(default_factory=list)

    async def create(self, name: str, shipments: int) -> None:
        made = {
            f"S{number}": [(f"L{number}{sku}", sku, 1) for sku in SKUS] for number in range(1, shipments + 1)
        }
        order = an_order(name, made, orderType="OnlineMixed")
        assert isinstance(await self.process.desk.orders.create("shop", order, TESTER), Created)

    async def ship(self, name: str) -> int:
        """Round trips of the status update."""
        self.sent.clear()
        done = await self.process.desk.parts.status("shop", name, StatusUpdate(status="Ship"), TESTER, None)
        assert [one.action_status for one in done.results] == ["Success"] * 3, done
        return len(self.sent)


@pytest.fixture
async def counted(database_url: str) -> AsyncIterator[Counted]:
    """The ready-made workflow "mixed reservation" and five items, three of which are reserved by orders."""
    sent: list[str] = []

    class CountingUnit(PostgresUnit):
        def __init__(self, line: Line, lines: Lines) -> None:
            super().__init__(CountingLine(line, sent), lines)

    pool = await open_pool(database_url, connections_min=1, connections_max=1)
    connection = await pool.acquire()
    connection.add_query_logger(
        lambda record: None if "erp-parameters" in repr(record.args) else sent.append(record.query)
    )
    await pool.release(connection)
    process = Process(pool, MovableClock(), unit=CountingUnit, refresh_seconds=3_600.0)
    await process.start()
    await process.environments.create("shop", "standalone", "tests")
    preset = presets.preset("mixed-reservation")
    assert preset is not None
    await configure(process, "shop", configured(preset.order_type))
    for sku in SKUS:
        build = change(sku, 100 if sku in "ABC" else 0, f"in-{sku}", dimensions=PLACE)
        assert isinstance(await process.batcher.submit("shop", build), Accepted)
    yield Counted(process, sent)
    await process.stop()
    await pool.close()


async def test_a_status_costs_a_fixed_number_of_round_trips(counted: Counted) -> None:
    for name, shipments in (("warm", 1), ("one", 1), ("two", 2), ("three", 3)):
        await counted.create(name, shipments)
    await counted.ship("warm")
    found = [await counted.ship(name) for name in ("one", "two", "three")]
    assert found == [A_REQUEST + count * A_SHIPMENT for count in (1, 2, 3)]
