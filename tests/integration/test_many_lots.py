"""A product of many lots: no statement may compare each record with each other, whatever the statistics say.

The bounds are several times what was measured and a fraction of what a quadratic plan takes.
"""

from __future__ import annotations

from time import perf_counter

import pytest

from onhand.core import presets
from onhand.core.outcomes import Accepted
from onhand.core.quantities import SCALE
from onhand.rows import ConfigurationRow, StockFilter
from tests.processes import SHOP
from tests.shop import PLACE, change, reserve

LOTS = 8_000
SECONDS = 3.0


@pytest.fixture
async def process(processes):
    """The first process, with a product of many lots whose tables nobody has analyzed."""
    process = processes[0]
    rules = process.environments.rules(SHOP)
    for start in range(0, LOTS, 500):
        await process.batcher.submit_all(
            rules,
            [
                change("bike", 1, f"c{lot}", dimensions={**PLACE, "batchId": f"b{lot}"})
                for lot in range(start, start + 500)
            ],
        )
    return process


async def timed(awaitable):
    begun = perf_counter()
    result = await awaitable
    assert perf_counter() - begun < SECONDS
    return result


async def test_a_wipe(process):
    assert await timed(process.jobs.wipe(SHOP, ["usmf/1/11"], "ops")) == 1
    assert await process.pool.fetchval("SELECT count(*) FROM stock") == 0
    assert isinstance(await process.batcher.submit(SHOP, change("bike", 1, "c1")), Accepted)


async def test_reads_and_audits(process):
    assert isinstance(await timed(process.batcher.submit(SHOP, reserve("bike", LOTS, "r"))), Accepted)
    (found,) = await timed(
        process.reader.stock(
            StockFilter(environment=1, organizations=None, products=None, places=None, records=True),
            process.clock.now_us(),
        )
    )
    assert sum(row.own for row in found.rows) == 2 * LOTS * SCALE
    assert (await timed(process.auditor.audit(SHOP))).clean


async def test_other_reservation_dimensions(process):
    document = presets.document("standalone", SHOP)
    document["reservConfiguration"]["keys"] = ["SiteId", "LocationId", "BatchId"]
    applied = await timed(process.environments.apply(SHOP, document, None, "ops", "lots"))
    assert isinstance(applied, ConfigurationRow)
    assert (await timed(process.auditor.audit(SHOP))).clean
