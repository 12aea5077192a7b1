"""Partitions ahead of time and retention."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from onhand.core.commands import Kind
from onhand.core.outcomes import Reason
from onhand.core.snapshot import Refusal
from onhand.storage.postgres.maintenance import drop_refusals, ensure_partitions, prune_command_ids
from tests.hand_made import NOW, PIECE, RESERVED, Hand, at, database, do, sku, wanting

A = sku("a")
TODAY = datetime.fromtimestamp(NOW // 1_000_000, UTC)
"""2027-01-15."""


@pytest.fixture
async def house(database_url):
    async with database(database_url) as opened:
        yield opened


async def post(house, command: str, now: int = NOW) -> None:
    def act(hand: Hand) -> None:
        hand.post(A, at(), PIECE, command)
        hand.decision.refusals = [
            Refusal(A, Kind.RESERVE, command, "tester", "", at().key, RESERVED, 1, 0, Reason.SHORTAGE)
        ]

    await do(house.store, wanting(A, positions={(A, at().key)}), act, now)


async def test_partitions_are_made_ahead_once_by_several_processes(house):
    results = await asyncio.gather(*(ensure_partitions(house.pool, TODAY) for _ in range(3)))
    assert sorted(name for made in results for name in made) == [
        "movement_202701",
        "movement_202702",
        "movement_202703",
        "refusal_2027w02",
        "refusal_2027w03",
        "refusal_2027w04",
    ]
    await post(house, "p")
    assert await house.pool.fetchval("SELECT count(*) FROM movement_202701") == 1
    assert await house.pool.fetchval("SELECT count(*) FROM refusal_2027w02") == 1


async def test_a_range_with_rows_in_the_default_partition_is_left_to_it(house):
    await post(house, "p")
    assert await ensure_partitions(house.pool, TODAY) == [
        "movement_202702",
        "movement_202703",
        "refusal_2027w03",
        "refusal_2027w04",
    ]
    assert await house.pool.fetchval("SELECT count(*) FROM movement") == 1


async def test_refusals_past_retention_go_and_others_stay(house):
    await post(house, "in default", NOW - 40 * 86_400_000_000)
    await ensure_partitions(house.pool, TODAY)
    await post(house, "this week")
    await post(house, "in two weeks", NOW + 14 * 86_400_000_000)
    assert await drop_refusals(house.pool, TODAY) == []
    assert await house.pool.fetchval("SELECT count(*) FROM refusal") == 2
    assert await drop_refusals(house.pool, TODAY + timedelta(days=7)) == ["refusal_2027w02"]
    assert await drop_refusals(house.pool, TODAY + timedelta(days=7)) == []
    assert await house.pool.fetchval("SELECT command_id FROM refusal") == "in two weeks"
    assert await house.pool.fetchval("SELECT count(*) FROM movement") == 3


async def test_old_command_ids_are_pruned_in_chunks(house):
    for number in range(5):
        await post(house, f"p{number}", NOW + number)
    assert await prune_command_ids(house.pool, 1, NOW + 4, chunk=3) == 3
    assert await prune_command_ids(house.pool, 1, NOW + 4, chunk=3) == 1
    assert await prune_command_ids(house.pool, 1, NOW + 4, chunk=3) == 0
    assert await prune_command_ids(house.pool, 2, NOW + 9) == 0
    assert await house.pool.fetchval("SELECT id FROM command_id") == "p4"
