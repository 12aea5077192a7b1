"""What a wipe takes with it, over PostgreSQL: stock, holds and the ids of every accepted command (specification 2.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from onhand.core.commands import ExtendHold, SetOnHand, Wipe
from onhand.core.outcomes import Accepted, Replayed
from onhand.core.quantities import SCALE
from onhand.core.rules import Rules
from tests.processes import SHOP
from tests.shop import ON_HAND, PLACE, change, key, position, reserve

PARTITION = "usmf/1/11"


def wipe(product: str, command_id: str) -> Callable[[Rules], Wipe]:
    return lambda rules: Wipe(
        id=command_id, caller="ops", product=key(rules, product), place=position(rules, PLACE).place
    )


def count(product: str, units: int, command_id: str, at: int | None = None) -> Callable[[Rules], SetOnHand]:
    return lambda rules: SetOnHand(
        id=command_id,
        fingerprint=units,
        caller="tester",
        product=key(rules, product),
        position=position(rules, PLACE),
        values=((rules.measures[ON_HAND], units * SCALE),),
        modified_at=at,
    )


def extend(product: str, hold: int, command_id: str) -> Callable[[Rules], ExtendHold]:
    return lambda rules: ExtendHold(id=command_id, caller="tester", product=key(rules, product), hold=hold)


async def test_what_follows_a_wipe_in_the_lane_counts_again(processes):
    lanes = processes[0].batcher
    await lanes.submit(SHOP, change("bike", 5, "c"))
    answers = await asyncio.gather(
        lanes.submit(SHOP, change("bike", 5, "c")),
        lanes.submit(SHOP, wipe("bike", "w")),
        lanes.submit(SHOP, wipe("bike", "w")),
        lanes.submit(SHOP, change("bike", 5, "c")),
    )
    assert [type(answer) for answer in answers] == [Replayed, Accepted, Replayed, Accepted]
    assert await processes[0].stock() == {"bike": (5, 5)}
    assert (await processes[1].auditor.audit(SHOP)).clean


@pytest.mark.parametrize(
    ("before", "idle"),
    [
        ([change("bike", 5, "c")], count("bike", 5, "same value")),
        ([count("bike", 5, "s", at=9)], count("bike", 7, "stale", at=8)),
        ([change("bike", 5, "c")], change("bike", 0, "zero", fingerprint=3)),
        ([change("bike", 5, "c"), reserve("bike", 1, "r")], extend("bike", 1, "x")),
    ],
    ids=["set to what it is", "stale set", "change by nothing", "extend"],
)
async def test_a_wipe_forgets_ids_that_moved_nothing(processes, before, idle):
    first, second = processes
    for build in [*before, idle]:
        assert isinstance(await first.batcher.submit(SHOP, build), Accepted)
    assert isinstance(await second.batcher.submit(SHOP, idle), Replayed)
    assert await second.jobs.wipe(SHOP, [PARTITION], "ops") == 1
    assert not isinstance(await first.batcher.submit(SHOP, idle), Replayed)
    assert (await second.auditor.audit(SHOP)).clean


async def test_a_recount_after_a_wipe_restores_the_stock(processes):
    """The load of a counted file with stable ids: what had not changed before the wipe must count after it."""
    lanes, jobs = processes[0].batcher, processes[0].jobs
    await lanes.submit(SHOP, change("bike", 5, "c"))
    await lanes.submit(SHOP, count("bike", 5, "recount"))
    await jobs.wipe(SHOP, [PARTITION], "ops")
    await lanes.submit(SHOP, count("bike", 5, "recount"))
    assert await processes[0].stock() == {"bike": (5, 5)}


async def test_a_wipe_leaves_an_id_that_was_pruned_and_used_again_elsewhere(processes):
    first, _ = processes
    await first.batcher.submit(SHOP, change("bike", 5, "weekly"))
    await first.pool.execute("DELETE FROM command_id")  # the retention has passed
    first.clock.now += 8 * 86_400_000_000
    await first.batcher.submit(SHOP, change("lamp", 5, "weekly", fingerprint=2))
    await first.batcher.submit(SHOP, wipe("bike", "w"))
    again = await first.batcher.submit(SHOP, change("lamp", 5, "weekly", fingerprint=2))
    assert isinstance(again, Replayed)
    assert (await first.stock())["lamp"] == (5, 5)
