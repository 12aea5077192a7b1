"""What is kept of orders, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onhand.core.orders.configured import Configured
from onhand.core.orders.queries import EventQuery
from onhand.core.orders.refusals import Refused
from onhand.core.orders.repeating import mark_of
from onhand.runtime import opened
from onhand.runtime.housekeeping import prune_order_records
from onhand.service.workflow.orders import Created
from onhand.settings import Settings
from tests.orders import TESTER, an_order, configured
from tests.serving import MovableClock

MARK = mark_of("shop", "key", "create", b"body")


@pytest.fixture
async def house(database_url):
    async with opened(Settings(database_url=database_url, migrate=True), lambda _text: None) as found:
        await found.environments.create("shop", "standalone", "tests")
        await found.batcher.start()
        yield found
        await found.batcher.stop()


async def keep_events(house, days: int | None) -> None:
    rules = await house.environments.current("shop")
    wanted = configured(event_log_order_preservation_days=days)
    done = await house.orders.configurations.change(rules, "tests", "", lambda _old: wanted)
    assert isinstance(done, Configured), done


async def kept(house, days: int) -> tuple[int, int]:
    """(events, claims of keys) that are left after so many days."""
    clock = MovableClock()
    clock.ahead_s = days * 86_400 + 60
    await prune_order_records(replace(house, clock=clock))
    counts = dict(await house.pool.fetch("SELECT kind, count(*) FROM document GROUP BY kind"))
    assert counts["order"] == 1
    return counts.get("event", 0), counts.get("order-request", 0)


async def test_events_go_after_the_days_of_the_settings_and_keys_with_the_ids(house):
    await keep_events(house, None)
    made = await house.orders.orders.create("shop", an_order("O1", {"S1": [("L1", "A", 1)]}), TESTER, MARK)
    assert isinstance(made, Created)
    events, claims = await kept(house, 0)
    assert (events > 0, claims) == (True, 1)
    assert await kept(house, 6) == (events, 1)
    assert await kept(house, 7) == (events, 0), "as long as ids are remembered"
    await keep_events(house, 30)
    assert await kept(house, 29) == (events, 0)
    assert await kept(house, 30) == (0, 0)
    page = await house.orders.searching.events("shop", EventQuery())
    assert not isinstance(page, Refused)
    assert not page.result
