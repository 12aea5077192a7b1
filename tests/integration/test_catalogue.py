"""Configuration versions, re-projection, clients, keys and jobs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from onhand.core import presets
from onhand.core.snapshot import HoldQuery
from onhand.rows import ClientRow, JobRow, SigningKey
from onhand.service.faults import Conflict
from onhand.storage.postgres.fence import close_fence
from tests.hand_made import NOW, PARTITION, PIECE, RESERVED, STOCKED, Hand, at, database, do, sku, wanting

A, B = sku("a"), sku("b")
HASH = "argon2"
FIRST = ("siteid", "locationid")
"""Reservation dimensions that the preset of environment 1 has at least."""


@pytest.fixture
async def house(database_url):
    async with database(database_url) as opened:
        yield opened


async def apply(house, dimensions, partition=PARTITION):
    current = await house.catalogue.configuration("env")
    document = presets.document("standalone", "env")
    document["reservConfiguration"]["keys"] = list(dimensions)
    by_location = bool(partition)
    document["partitionConfiguration"] = {"useProductId": True, "useDimensions": by_location}
    return await house.catalogue.apply_configuration(
        1, current.version, document, {}, dimensions, partition, "tester", "because"
    )


async def test_a_new_environment_has_version_one_and_its_measures(house):
    row = await house.catalogue.configuration("env")
    assert (row.version, row.applied_by, row.environment) == (1, "tester", 1)
    assert list(row.measures) == list(range(1, len(row.measures) + 1))
    assert await house.catalogue.configuration("env", 2) is None
    assert await house.catalogue.configuration("other") is None
    with pytest.raises(Conflict):
        await house.catalogue.create_environment("env", row.document, {}, "tester")


async def test_measures_keep_their_ids_and_new_ones_follow(house):
    row = await house.catalogue.configuration("env")
    document = row.document
    document["inventorySystemConfigurations"]["fresh"] = {
        "dataSourceName": "fresh",
        "dimensionMappings": {},
        "physicalMeasures": ["first", "second"],
        "calculatedMeasures": {},
        "reservMappings": {},
    }
    applied = await house.catalogue.apply_configuration(
        1, 1, document, {"x": 1}, FIRST, PARTITION, "me", "new source"
    )
    assert dict(list(applied.measures.items())[: len(row.measures)]) == row.measures
    assert [name for name in applied.measures.values() if name[0] == "fresh"] == [
        ("fresh", "first"),
        ("fresh", "second"),
    ]
    assert [one.version for one in await house.catalogue.history(1)] == [2, 1]
    assert (applied.reason, applied.switches) == ("new source", {"x": 1})


async def test_records_move_to_new_cells_and_back(house):
    """Red has a record of its own and a lot; blue only a lot. Coarser cells gather both, finer ones part them."""
    await apply(house, ("siteid", "locationid", "colorid"))
    red, lot, blue = at(colorid="red"), at(colorid="red", batchid="l1"), at(colorid="blue", batchid="l2")

    def act(hand: Hand) -> None:
        hand.post(A, red, 5 * PIECE, "p1")
        hand.post(A, lot, 3 * PIECE, "p2")
        hand.post(A, blue, 2 * PIECE, "p3")
        hand.post(B, lot, 1 * PIECE, "p4")
        hand.reserve(A, red, 1 * PIECE, "h1")

    await do(house.store, wanting(A, B), act)
    before = await state_of(house, A)
    await apply(house, ("siteid", "locationid"))
    place = at().place
    state = await state_of(house, A)
    assert [key for key, one in state.positions.items() if one.cell == key] == [place]
    assert (state.stock[place, STOCKED].own, state.stock[place, STOCKED].finer) == (0, 10 * PIECE)
    assert state.stock[place, RESERVED].finer == PIECE
    assert state.stock[red.key, STOCKED].finer == 0
    assert state.stock[red.key, RESERVED].held == PIECE
    shown = await house.pool.fetchval("SELECT shown FROM position WHERE key = $1 LIMIT 1", place)
    assert shown == [["siteid", "1"], ["locationid", "11"]]

    await apply(house, ("siteid", "locationid", "colorid", "batchid"))
    state = await state_of(house, A)
    assert all(one.cell == key for key, one in state.positions.items())
    assert {level.finer for level in state.stock.values()} == {0}

    await apply(house, ("siteid", "locationid", "colorid"))
    state = await state_of(house, A)
    after = {key: level for key, level in state.stock.items() if level.own or level.finer or level.held}
    assert after == before.stock
    assert {key: state.positions[key].cell for key in before.positions} == {
        key: one.cell for key, one in before.positions.items()
    }


async def test_a_new_partition_moves_the_places(house):
    await apply(house, ("siteid", "locationid", "colorid"))
    red = at(colorid="red")
    await do(house.store, wanting(A), lambda hand: hand.post(A, red, PIECE, "p"))
    await apply(house, ("colorid",), ())
    state = await state_of(house, A)
    assert {one.place for one in state.positions.values()} == {""}
    assert state.positions[red.key].cell == "colorid=red"
    assert state.stock["colorid=red", STOCKED].finer == PIECE


async def state_of(house, product):
    async with house.store.unit() as unit:
        reads = wanting(
            product, records={(product, None)}, hold_queries={HoldQuery(product, "", 1, "", 1): None}
        )
        return (await unit.gather(reads, NOW)).products[product]


async def test_used_measures_and_stock(house):
    assert not await house.catalogue.has_stock(1)
    assert await house.catalogue.used_measures(1) == set()
    await do(house.store, wanting(A), lambda hand: hand.post(A, at(), PIECE, "p"))
    assert await house.catalogue.has_stock(1)
    assert await house.catalogue.used_measures(1) == {STOCKED}


async def test_environments_are_renamed_and_deleted(house):
    client = ClientRow(
        client_id="c", secret_hash=HASH, environments=("env", "x"), scopes=("all",), disabled=False
    )
    await house.catalogue.save_client(client)
    assert await house.catalogue.rename_environment("env", "new")
    assert not await house.catalogue.rename_environment("env", "newer")
    assert (await house.catalogue.client("c")).environments == ("new", "x")
    await do(house.store, wanting(A), lambda hand: hand.post(A, at(), PIECE, "p"))
    assert not await house.catalogue.delete_environment("new")
    await house.pool.execute("DELETE FROM stock")
    assert await house.catalogue.delete_environment("new")
    assert not await house.catalogue.delete_environment("new")
    assert await house.catalogue.environments() == []
    assert await house.pool.fetchval("SELECT count(*) FROM movement") == 0


async def test_a_rename_is_a_version_with_the_same_document(house):
    before = await house.catalogue.configuration("env")
    assert await house.catalogue.rename_environment("env", "new")
    after = await house.catalogue.configuration("new")
    assert (after.version, after.environment) == (before.version + 1, before.environment)
    assert (after.document, after.switches, after.measures) == (
        before.document,
        before.switches,
        before.measures,
    )
    assert [row.reason for row in await house.catalogue.history(1)] == ["renamed from env", ""]


async def _waiting_for_a_lock(pool) -> None:
    """Return once some session of this database waits for an advisory lock."""
    waits = (
        "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
        " WHERE NOT granted AND locktype = 'advisory' AND datname = current_database()"
    )
    for _ in range(2_000):
        if await pool.fetchval(waits):
            return
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("change", ["delete", "rename"])
async def test_the_fence_comes_before_the_row_of_the_environment(house, change):
    """Otherwise whoever waits for the fence would keep its holder from writing the next version: a deadlock."""
    async with house.pool.acquire() as applying, applying.transaction():
        await close_fence(applying, 1)
        waiting = asyncio.create_task(
            house.catalogue.delete_environment("env")
            if change == "delete"
            else house.catalogue.rename_environment("env", "new")
        )
        await _waiting_for_a_lock(house.pool)
        await applying.execute("SET LOCAL lock_timeout = 500")
        await applying.execute("UPDATE environment SET configuration_version = configuration_version")
    assert await waiting


async def test_clients_are_saved_replaced_and_disabled(house):
    for disabled in (False, True, False):
        client = ClientRow(
            client_id="c", secret_hash=HASH, environments=("*",), scopes=("a", "b"), disabled=disabled
        )
        await house.catalogue.save_client(client)
        assert await house.catalogue.client("c") == client
    assert await house.catalogue.clients() == [client]
    assert await house.catalogue.client("d") is None


async def test_signing_keys_that_still_verify_come_newest_first(house):
    now = datetime.now(UTC)
    for name, age, life in (("old", 9, 1), ("new", 1, 1), ("dead", 5, -1)):
        times = {
            "created_at": now - timedelta(days=age),
            "retires_at": now,
            "expires_at": now + timedelta(days=life),
        }
        await house.catalogue.add_signing_key(SigningKey(key_id=name, jwk={"kty": "oct"}, **times))
    assert [key.key_id for key in await house.catalogue.signing_keys()] == ["new", "old"]


async def test_jobs_report_progress_until_they_end(house):
    job = JobRow(
        job_id="j", environment=1, kind="wipe", parameters={"a": [1]}, status="Queued", progress=0, message=""
    )
    await house.catalogue.create_job(job, "tester")
    assert await house.catalogue.unfinished_jobs() == [job]
    await house.catalogue.update_job("j", "Succeeded", 100, "done")
    assert await house.catalogue.unfinished_jobs() == []
    found = await house.catalogue.job("j")
    assert (found.status, found.progress, found.message) == ("Succeeded", 100, "done")
    assert await house.catalogue.job("k") is None
