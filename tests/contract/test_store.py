"""The contract of a store, over both forms of gather."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from onhand.core.commands import DocumentKey, DocumentWrite, Kind
from onhand.core.keys import shard
from onhand.core.outcomes import Accepted, Reason
from onhand.core.snapshot import HoldQuery, Reads, Refusal, Snapshot
from onhand.service.faults import Conflict, OutcomeUnknown, Stale, StoreUnavailable
from onhand.storage.postgres.fence import close_fence
from onhand.storage.postgres.gathering import command_hash
from onhand.storage.postgres.plain import PlainUnit
from onhand.storage.postgres.store import COMMIT_BATCH, PostgresStore, PostgresUnit, lines_for
from onhand.storage.postgres.writing import Columns, encode_accepted
from tests.hand_made import NOW, PIECE, RESERVED, STOCKED, Hand, at, database, do, sku, wanting

A, B, C = sku("a"), sku("b"), sku("c")
RED, BLUE, LOT = at(colorid="red"), at(colorid="blue"), at(colorid="red", batchid="l1")
ELSEWHERE = at(location="12", colorid="red")
ORDER = DocumentKey(shard("1", "o1"), 1, "order", "o1")


@pytest.fixture(params=[PostgresUnit, PlainUnit])
async def house(request, database_url):
    async with database(database_url) as opened:
        opened.store = PostgresStore(opened.lines, request.param)
        yield opened


async def stocked(store) -> None:
    """Two products with cells, a lot, holds of two owners, one of them due, one closed."""

    def act(hand: Hand) -> None:
        for where, quantity in ((RED, 5), (BLUE, 7), (LOT, 3), (ELSEWHERE, 2)):
            hand.post(A, where, quantity * PIECE, f"post-{where.key}")
        hand.post(B, RED, PIECE, "post-b")
        hand.reserve(A, RED, 1 * PIECE, "h1")
        hand.reserve(A, RED, 2 * PIECE, "h2", expires_at=NOW + 10)
        hand.reserve(A, RED, 2 * PIECE, "h3")
        hand.reserve(A, RED, 2 * PIECE, "h4")
        hand.reserve(A, BLUE, 1 * PIECE, "h5", reference="cart")
        hand.reserve(A, LOT, 1 * PIECE, "h6", expires_at=NOW + 5)
        hand.reserve(A, ELSEWHERE, 1 * PIECE, "h7")

    await do(store, wanting(A, B), act)
    await do(store, wanting(A, holds={(A, 4)}), lambda hand: hand.release(A, RED, 4, "r4"), NOW + 1)
    await write(store, DocumentWrite(DocumentKey(5, 1, "order", "o1"), 0, b"one", ("status=new",)))


async def write(store, *writes: DocumentWrite, now: int = NOW) -> None:
    async with store.unit() as unit:
        hand = Hand(await unit.gather(Reads(documents={one.key for one in writes}), now), now)
        hand.decision.documents = list(writes)
        await unit.commit(hand.decide())


async def look(store, reads: Reads, now: int = NOW):
    async with store.unit() as unit:
        return await unit.gather(reads, now)


async def test_new_products_are_made_with_their_spelling_and_stay(house):
    hand = await do(house.store, wanting(A, B), lambda hand: hand.post(A, RED, PIECE, "p"))
    assert set(hand.snapshot.products) == {A, B}
    rows = await house.pool.fetch("SELECT organization, product, version FROM product ORDER BY product")
    assert [tuple(row) for row in rows] == [("USMF", "A", 1), ("USMF", "B", 0)]


async def test_what_was_written_is_read(house):
    await stocked(house.store)
    found = await look(house.store, wanting(A, places={(A, RED.place)}, ids=[(1, Kind.RESERVE, "h1")]))
    state = found.products[A]
    assert found.configuration == {1: 1}
    assert set(state.positions) == {RED.key, BLUE.key}
    level = state.stock[RED.key, STOCKED]
    assert (level.own, level.finer, level.held) == (5 * PIECE, 3 * PIECE, 0)
    reserved = state.stock[RED.key, RESERVED]
    assert (reserved.own, reserved.finer, reserved.held) == (5 * PIECE, 1 * PIECE, 5 * PIECE)
    assert (state.version, state.next_hold) == (5 + 7 + 1 - 1, 8)
    assert found.ids[1, Kind.RESERVE, "h1"].accepted == Accepted(hold=1)
    assert found.ids[1, Kind.RESERVE, "h1"].fingerprint == 7


async def test_due_holds_come_unasked_with_their_position_and_cell(house):
    await stocked(house.store)
    assert not (await look(house.store, wanting(A), NOW + 4)).products[A].holds
    state = (await look(house.store, wanting(A), NOW + 5)).products[A]
    assert set(state.holds) == {6}
    assert state.holds[6].position == LOT.key
    assert set(state.positions) == {LOT.key, RED.key}
    assert state.positions[LOT.key].cell == RED.key
    assert state.stock[RED.key, RESERVED].finer == PIECE


async def test_a_hold_query_reads_the_oldest_until_the_quantity_is_reached(house):
    await stocked(house.store)

    async def numbers(quantity: int, now: int = NOW, **more) -> set[int]:
        asked = HoldQuery(A, RED.key, RESERVED, "", quantity * PIECE)
        return set(
            (await look(house.store, wanting(A, hold_queries={asked: None}, **more), now)).products[A].holds
        )

    assert await numbers(1) == {1}
    assert await numbers(2) == {1, 2}
    assert await numbers(9) == {1, 2, 3}
    assert await numbers(2, NOW + 10) == {1, 2, 3, 6}, "due holds do not count towards the quantity"
    assert await numbers(1, holds={(A, 1)}) == {1, 2}, "nor do those asked for by number"


async def test_a_hold_by_number_comes_with_its_place_even_when_closed(house):
    await stocked(house.store)
    state = (await look(house.store, wanting(A, holds={(A, 4), (A, 99)}))).products[A]
    assert set(state.holds) == {4}
    assert state.holds[4].remaining == 0
    assert set(state.positions) == {RED.key, BLUE.key}


EVERYTHING = [
    wanting(A),
    wanting(A, B, C, places={(A, RED.place), (B, RED.place), (C, RED.place)}),
    wanting(A, places={(A, RED.place)}, positions={(A, RED.key), (A, LOT.key), (A, "none")}),
    wanting(A, B, positions={(A, LOT.key), (B, RED.key)}),
    wanting(A, whole={A}),
    wanting(A, B, whole={A, B}, holds={(A, 1), (A, 4), (B, 1)}),
    wanting(A, holds={(A, 6)}),
    wanting(A, all_holds={(A, None)}),
    wanting(A, all_holds={(A, ELSEWHERE.place)}, records={(A, ELSEWHERE.place)}),
    wanting(A, records={(A, None)}, whole={A}),
    wanting(
        A,
        hold_queries={
            HoldQuery(A, RED.key, RESERVED, "", 2 * PIECE): None,
            HoldQuery(A, BLUE.key, RESERVED, "cart", PIECE): None,
            HoldQuery(A, "none", RESERVED, "", PIECE): None,
        },
        holds={(A, 3)},
    ),
    wanting(
        A,
        ids=[
            (1, Kind.RESERVE, "h1"),
            (1, Kind.CHANGE, "h1"),
            (2, Kind.RESERVE, "h1"),
            (1, Kind.CHANGE, "post-b"),
        ],
    ),
    wanting(
        A,
        B,
        places={(A, RED.place), (A, ELSEWHERE.place), (B, RED.place), (B, "none")},
        ids=[(1, Kind.RESERVE, "h3"), (1, Kind.RESERVE, "none"), (2, Kind.RESERVE, "h1")],
    ),
    Reads(ids=[(1, Kind.RESERVE, "h2")]),
    Reads(documents={DocumentKey(5, 1, "order", "o1"), DocumentKey(5, 1, "order", "none")}),
    Reads(),
]


@pytest.mark.parametrize("number", range(len(EVERYTHING)))
@pytest.mark.parametrize("now", [NOW, NOW + 5, NOW + 10])
async def test_both_forms_of_gather_see_the_same(database_url, number, now):
    async with database(database_url) as opened:
        await stocked(opened.store)
        one = await look(PostgresStore(opened.lines), EVERYTHING[number], now)
        other = await look(PostgresStore(opened.lines, PlainUnit), EVERYTHING[number], now)
    assert one == other


class LongRoad(PostgresUnit):
    """Writes everything with `commit_batch`."""

    def _writing(self, columns):
        return COMMIT_BATCH, columns.arguments()


TABLES = ("product", "position", "stock", "hold", "movement", "command_id")


@pytest.mark.parametrize("unit", [PostgresUnit, LongRoad])
async def test_both_roads_write_the_same_reservations(database_url, unit):
    """The rows are written out, and each road is held to them."""
    async with database(database_url) as opened:
        store = PostgresStore(opened.lines, unit)
        await stocked(store)
        before = await rows_of(opened.pool)

        def act(hand: Hand) -> None:
            for number, (product, where, more) in enumerate(
                (
                    (B, RED, {}),
                    (A, BLUE, {"reference": 'cart \\ "7"', "expires_at": NOW + 99}),
                    (B, RED, {"reference": "other"}),
                    (A, RED, {}),
                )
            ):
                hand.reserve(product, where, (number + 1) * PIECE, f"{9 - number}", **more)

        asked = wanting(A, B, places={(A, RED.place), (B, RED.place)})
        roads: list[bytes] = []
        async with store.unit() as one:
            hand = Hand(await one.gather(asked, NOW + 1), NOW + 1)
            act(hand)
            decision = hand.decide()
            roads.append(one._writing(Columns(decision, one._snapshot, one._asked))[0].name)
            await one.commit(decision)
        assert roads == [b"reserve_batch" if unit is PostgresUnit else b"commit_batch"]
        after = await rows_of(opened.pool)
    made = {name: after[name] - before[name] for name in TABLES}
    assert made["movement"] == {
        ("b", 2, 1, RESERVED, 1 * PIECE, 1 * PIECE, 1, 3, "9"),
        ("a", 13, 2, RESERVED, 2 * PIECE, 3 * PIECE, 8, 3, "8"),
        ("b", 3, 1, RESERVED, 3 * PIECE, 4 * PIECE, 2, 3, "7"),
        ("a", 14, 1, RESERVED, 4 * PIECE, 9 * PIECE, 9, 3, "6"),
    }
    assert made["stock"] == {
        ("b", 1, RESERVED, 4 * PIECE, 0, 4 * PIECE),
        ("a", 2, RESERVED, 3 * PIECE, 0, 3 * PIECE),
        ("a", 1, RESERVED, 9 * PIECE, PIECE, 9 * PIECE),
    }
    assert made["product"] == {("a", 14, 5, 10), ("b", 3, 2, 3)}
    assert {row[:6] for row in made["hold"]} == {
        ("b", 1, 1, RESERVED, 1 * PIECE, 1 * PIECE),
        ("a", 8, 2, RESERVED, 2 * PIECE, 2 * PIECE),
        ("b", 2, 1, RESERVED, 3 * PIECE, 3 * PIECE),
        ("a", 9, 1, RESERVED, 4 * PIECE, 4 * PIECE),
    }
    assert {row[6:] for row in made["hold"]} == {
        ("", "web", "", "", "tester", None, NOW + 1, None, None, True),
        ('cart \\ "7"', "web", "", 'cart \\ "7"', "tester", NOW + 99, NOW + 1, None, None, True),
        ("other", "web", "", "other", "tester", None, NOW + 1, None, None, True),
    }
    holds = {"9": 1, "8": 8, "7": 2, "6": 9}
    assert made["command_id"] == {
        (1, 3, name, 7, encode_accepted(Accepted(hold=hold)), NOW + 1, command_hash((1, Kind.RESERVE, name)))
        for name, hold in holds.items()
    }
    assert not made["position"]


ROWS = {
    "product": "SELECT product_key, version, next_position, next_hold FROM product",
    "position": "SELECT product_id, position_no, cell_no, place, key FROM position",
    "stock": "SELECT product_key, position_no, measure_id, own, finer, held FROM stock JOIN product USING (k, product_id)",
    "hold": (
        "SELECT product_key, hold_no, position_no, measure_id, quantity, remaining, reference, channel, order_key,"
        " owner, caller, expires_at, created_at, closed_at, closed_by, counted FROM hold JOIN product USING (k, product_id)"
    ),
    "movement": (
        "SELECT product_key, sequence, position_no, measure_id, delta, level, hold_no, kind, command_id"
        " FROM movement JOIN product USING (k, product_id)"
    ),
    "command_id": "SELECT environment_no, kind, id, fingerprint, accepted, at, c FROM command_id",
}


async def rows_of(pool) -> dict[str, set]:
    return {name: {tuple(row) for row in await pool.fetch(text)} for name, text in ROWS.items()}


PLACES = [(A, RED.place), (A, ELSEWHERE.place), (B, RED.place), (B, "none"), (C, RED.place)]


async def test_a_look_sees_what_a_gather_sees(database_url):
    async with database(database_url) as opened:
        await stocked(opened.store)
        gathered = (await look(opened.store, wanting(A, B, places=set(PLACES[:4])))).products
        async with opened.store.unit() as unit:
            looked = await unit.look(PLACES)
    for state in gathered.values():
        state.next_due = None
    assert looked[A].next_due == NOW + 5, "the first hold that lapses"
    looked[A].next_due = None
    assert looked == gathered, "a product that was never stored is missing"


async def test_a_look_waits_for_no_lock(house):
    await stocked(house.store)
    async with house.store.unit() as holding:
        await holding.gather(wanting(A), NOW)
        async with house.store.unit() as unit:
            assert set(await asyncio.wait_for(unit.look(PLACES[:1]), 5)) == {A}


async def reserve_unlocked(store, meanwhile=None, product=A, command="r"):
    """Look, let something happen, reserve, commit if nothing has changed."""
    async with store.unit() as unit:
        states = await unit.look([(A, RED.place), (B, RED.place)])
        snapshot = Snapshot({1: 1}, states)
        hand = Hand(snapshot, NOW + 1)
        for one in {A, product}:
            hand.reserve(one, RED, PIECE, f"{command}-{one.product}", expires_at=NOW + 50)
        if meanwhile is not None:
            await meanwhile()
        await unit.commit_unchanged(hand.decide(), snapshot)


async def test_an_unlocked_commit_writes_the_rows_of_a_locked_one(database_url):
    rows = []
    for unlocked in (True, False):
        async with database(database_url) as opened:
            await stocked(opened.store)
            before = await rows_of(opened.pool)
            if unlocked:
                await reserve_unlocked(opened.store, product=B)
            else:
                asked = wanting(A, B, places={(A, RED.place), (B, RED.place)})
                async with opened.store.unit() as unit:
                    hand = Hand(await unit.gather(asked, NOW + 1), NOW + 1)
                    for one in (A, B):
                        hand.reserve(one, RED, PIECE, f"r-{one.product}", expires_at=NOW + 50)
                    await unit.commit(hand.decide())
            after = await rows_of(opened.pool)
            rows.append({name: after[name] - before[name] for name in TABLES})
            await opened.pool.execute(
                "TRUNCATE product, position, stock, hold, movement, command_id, document"
            )
    assert rows[0] == rows[1]
    assert len(rows[0]["hold"]) == 2


async def test_a_product_that_changed_is_named_and_nothing_is_written(house):
    await stocked(house.store)
    before = await rows_of(house.pool)

    async def sell() -> None:
        await do(house.store, wanting(B, places={(B, RED.place)}), lambda hand: hand.post(B, RED, PIECE, "p"))

    with pytest.raises(Stale) as stale:
        await reserve_unlocked(house.store, sell, product=B)
    assert list(stale.value.products) == [B]
    after = await rows_of(house.pool)
    assert {row[-1] for row in after["movement"] - before["movement"]} == {"p"}
    assert not after["hold"] - before["hold"]
    await reserve_unlocked(house.store, product=B)


async def somebody_waits(pool) -> None:
    """Until a session of this database waits for a lock."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(20):
        while not await pool.fetchval(waits):
            await pool.execute("SELECT pg_sleep(0.01)")


async def test_an_unlocked_commit_waits_for_who_holds_the_product_and_then_fails(house):
    await stocked(house.store)
    async with house.store.unit() as holding:
        hand = Hand(await holding.gather(wanting(A, places={(A, RED.place)}), NOW), NOW)
        hand.reserve(A, RED, PIECE, "first")
        waiting = asyncio.create_task(reserve_unlocked(house.store))
        await somebody_waits(house.pool)
        await holding.commit(hand.decide())
    with pytest.raises(Stale):
        await waiting
    assert await house.pool.fetchval("SELECT count(*) FROM hold WHERE caller = 'tester'") == 8


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE environment SET configuration_version = 2",
        "DELETE FROM stock WHERE measure_id = 2",
        "DELETE FROM product WHERE product_key = 'a'",
    ],
    ids=["configuration", "a level is gone", "the product is gone"],
)
async def test_whatever_else_changed_keeps_an_unlocked_commit_out(house, change):
    await stocked(house.store)
    with pytest.raises(Stale):
        await reserve_unlocked(house.store, lambda: house.pool.execute(change))
    assert not await house.pool.fetchval("SELECT count(*) FROM command_id WHERE id LIKE 'r-%'")


async def test_an_unlocked_commit_waits_for_a_change_of_the_configuration(house):
    await stocked(house.store)
    async with house.pool.acquire() as session:
        async with session.transaction():
            await close_fence(session, 1)
            waiting = asyncio.create_task(reserve_unlocked(house.store))
            await somebody_waits(house.pool)
            await session.execute("UPDATE environment SET configuration_version = 2")
        with pytest.raises(Stale):
            await waiting


async def test_an_unlocked_commit_with_an_id_that_came_before_is_a_conflict(house):
    await stocked(house.store)
    await reserve_unlocked(house.store)
    with pytest.raises(Conflict) as conflict:
        await reserve_unlocked(house.store)
    assert not isinstance(conflict.value, Stale)
    await reserve_unlocked(house.store, command="other")


async def test_an_unlocked_commit_that_waits_too_long_is_known_to_have_done_nothing(database_url):
    async with database(database_url, statement_timeout_ms=300) as opened:
        await stocked(opened.store)
        async with await psycopg.AsyncConnection.connect(database_url) as session:
            await session.execute("SELECT FROM product FOR UPDATE")
            with pytest.raises(StoreUnavailable):
                await reserve_unlocked(opened.store)
        await reserve_unlocked(opened.store)


async def test_what_fails_at_the_very_end_of_an_unlocked_commit_is_a_conflict(house):
    await stocked(house.store)
    await house.pool.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON product DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse()""")
    with pytest.raises(Conflict):
        await reserve_unlocked(house.store)
    await house.pool.execute("DROP TRIGGER refuse ON product")
    assert not await house.pool.fetchval("SELECT count(*) FROM command_id WHERE id LIKE 'r-%'")
    await reserve_unlocked(house.store)


@pytest.mark.parametrize(
    ("asked", "remembers"),
    [({}, True), ({"options": r"-c default_transaction_isolation=serializable"}, False)],
    ids=["ours", "of the URL"],
)
async def test_only_sessions_with_our_isolation_may_commit_unlocked(database_url, asked, remembers):
    url = make_conninfo(database_url, **asked)
    lines = lines_for(url, most=1)
    async with PostgresStore(lines).unit() as unit:
        assert (unit.era is not None) == remembers
    await lines.close()


async def test_without_a_cache_of_statements_nothing_is_remembered(database_url):
    lines = lines_for(database_url, most=1, statement_cache=False)
    async with PostgresStore(lines).unit() as unit:
        assert unit.era is None
    await lines.close()


async def test_another_connection_is_another_era(database_url):
    lines = lines_for(database_url, most=1)
    store = PostgresStore(lines)
    async with store.unit() as unit:
        first = unit.era
    async with store.unit() as unit:
        assert unit.era == first
        await do_kill(database_url)
        with pytest.raises((OutcomeUnknown, StoreUnavailable)):
            await unit.look(PLACES)
    async with store.unit() as unit:
        assert unit.era != first
    await lines.close()


async def do_kill(database_url: str) -> None:
    """End every other session of the database."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as session:
        await session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


async def test_only_reservations_are_committed_unlocked(house):
    await stocked(house.store)
    async with house.store.unit() as unit:
        snapshot = Snapshot({1: 1}, await unit.look([(A, RED.place)]))
        hand = Hand(snapshot)
        hand.post(A, RED, PIECE, "p")
        with pytest.raises(Stale):
            await unit.commit_unchanged(hand.decide(), snapshot)


@pytest.mark.parametrize("unit", [PostgresUnit, LongRoad])
async def test_an_expiry_of_1970_is_an_expiry(database_url, unit):
    async with database(database_url) as opened:
        store = PostgresStore(opened.lines, unit)
        await stocked(store)
        asked = wanting(A, places={(A, RED.place)})
        await do(store, asked, lambda hand: hand.reserve(A, RED, PIECE, "past", expires_at=0))
        assert await opened.pool.fetchval("SELECT expires_at FROM hold WHERE hold_no = 8") == 0


async def test_a_reservation_on_a_level_that_vanished_is_a_violation(database_url):
    """The short road counts what it wrote, like the other one."""
    async with database(database_url) as opened:
        await stocked(opened.store)
        async with opened.store.unit() as unit:
            hand = Hand(await unit.gather(wanting(A, places={(A, RED.place)}), NOW + 1), NOW + 1)
            hand.reserve(A, RED, PIECE, "r")
            await opened.pool.execute("DELETE FROM stock WHERE measure_id = 2")
            with pytest.raises(psycopg.errors.AssertFailure):
                await unit.commit(hand.decide())
        assert not await opened.pool.fetchval("SELECT count(*) FROM command_id WHERE id = 'r'")


async def test_a_unit_that_is_not_committed_leaves_nothing(house):
    async with house.store.unit() as unit:
        Hand(await unit.gather(wanting(A), NOW)).post(A, RED, PIECE, "p")
    assert await house.pool.fetchval("SELECT count(*) FROM stock") == 0

    def fail(_hand: Hand) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await do(house.store, wanting(A), fail)
    await asyncio.wait_for(do(house.store, wanting(A), lambda hand: hand.post(A, RED, PIECE, "p")), 5)


async def test_a_duplicate_id_is_a_conflict_and_changes_nothing(house):
    await do(house.store, wanting(A), lambda hand: hand.post(A, RED, PIECE, "same"))
    with pytest.raises(Conflict):
        await do(house.store, wanting(B), lambda hand: hand.post(B, RED, PIECE, "same"))
    assert await house.pool.fetchval("SELECT count(*) FROM movement") == 1
    assert not (await look(house.store, wanting(B, whole={B}))).products[B].positions


async def test_the_loser_of_a_race_for_an_id_gets_a_conflict(database_url):
    async with database(database_url) as opened:
        results = await asyncio.gather(
            *(
                do(opened.store, wanting(key), lambda hand, key=key: hand.post(key, RED, PIECE, "race"))
                for key in (A, B, C)
            ),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in results) == ["Conflict", "Conflict", "Hand"]
        assert await opened.pool.fetchval("SELECT count(*) FROM movement") == 1


async def test_documents_are_versioned(house):
    key = ORDER
    await write(house.store, DocumentWrite(key, 0, b"one"))
    await write(house.store, DocumentWrite(key, 1, b"two"), DocumentWrite(key, 2, b"three"))
    with pytest.raises(Conflict):
        await write(house.store, DocumentWrite(key, 1, b"late"))
    found = (await look(house.store, Reads(documents={key}))).documents[key]
    assert (found.version, found.body) == (3, b"three")


async def test_a_time_of_zero_is_a_time(house):
    """Columns of nothing are left out; zero is not nothing."""
    await write(house.store, DocumentWrite(ORDER, 0, b"1", due_at=0))
    assert (await house.documents.document(ORDER)).due_at == 0
    await do(house.store, wanting(A), lambda hand: hand.reserve(A, RED, PIECE, "h", expires_at=0))
    assert (await look(house.store, wanting(A))).products[A].holds[1].expires_at == 0


async def test_labels_and_times_of_a_document_are_kept(house):
    async def stored() -> tuple:
        row = await house.documents.document(ORDER)
        return row.version, row.body, row.labels, row.due_at, row.created_at, row.changed_at

    labels = ("status=new", 'sku="ä, {}', "empty=")
    await write(house.store, DocumentWrite(ORDER, 0, b"1", labels, due_at=NOW + 5))
    assert await stored() == (1, b"1", labels, NOW + 5, NOW, NOW)
    await write(house.store, DocumentWrite(ORDER, 1, b"2", ("status=ship",)), now=NOW + 7)
    assert await stored() == (2, b"2", ("status=ship",), None, NOW, NOW + 7)
    await write(house.store, DocumentWrite(ORDER, 2, b"3"), now=NOW + 8)
    assert await stored() == (3, b"3", (), None, NOW, NOW + 8)


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([(1, b"2")], (2, b"2", NOW)),
        ([(1, None)], None),
        ([(1, b"2"), (2, None)], None),
        ([(1, None), (0, b"new")], (1, b"new", NOW + 9)),
        ([(1, None), (0, b"new"), (1, b"newer")], (2, b"newer", NOW + 9)),
        ([(1, None), (0, b"new"), (1, None)], None),
    ],
)
async def test_writes_of_one_document_in_a_batch_end_as_if_one_by_one(house, steps, left):
    writes = [DocumentWrite(ORDER, version, body or b"", delete=body is None) for version, body in steps]
    other = DocumentKey(1, 1, "order", "other")
    both = [DocumentWrite(other, 0, b"x"), DocumentWrite(other, 1, b"", delete=True)]
    await write(house.store, DocumentWrite(ORDER, 0, b"1"))
    await write(house.store, *writes, *both, now=NOW + 9)
    found = await house.documents.documents([ORDER, other])
    assert [(row.version, row.body, row.created_at) for row in found] == ([left] if left else [])
    assert await house.documents.document(other) is None


async def test_what_is_deleted_or_absent_must_be_so(house):
    with pytest.raises(Conflict):
        await write(house.store, DocumentWrite(ORDER, 1, b"", delete=True))
    await write(house.store, DocumentWrite(ORDER, 0, b"1"), DocumentWrite(ORDER, 1, b"2"))
    with pytest.raises(Conflict):
        await write(house.store, DocumentWrite(ORDER, 1, b"", delete=True))
    with pytest.raises(Conflict):
        await write(house.store, DocumentWrite(ORDER, 0, b"1"))
    with pytest.raises(Conflict):
        await write(house.store, DocumentWrite(ORDER, 1, b"", delete=True), DocumentWrite(ORDER, 0, b"1"))
    assert (await house.documents.document(ORDER)).body == b"2"


async def test_the_loser_of_a_race_for_a_new_document_gets_a_conflict(database_url):
    async with database(database_url) as opened:
        results = await asyncio.gather(
            *(write(opened.store, DocumentWrite(ORDER, 0, b"%d" % number)) for number in range(3)),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in results) == ["Conflict", "Conflict", "NoneType"]
        assert (await opened.documents.document(ORDER)).version == 1


async def test_refusals_are_recorded(house):
    async with house.store.unit() as unit:
        hand = Hand(await unit.gather(wanting(A), NOW))
        hand.decision.refusals = [
            Refusal(
                A, Kind.RESERVE, "x", "tester", "web", RED.key, RESERVED, 9, 1, Reason.SHORTAGE, (RED.key, "")
            ),
            Refusal(A, Kind.RESERVE, "y", "tester", "", RED.key, RESERVED, 9, 1, Reason.SHORTAGE, ("",)),
        ]
        await unit.commit(hand.decide())
    rows = await house.pool.fetch("SELECT reason, nodes FROM refusal ORDER BY command_id")
    assert [(row["reason"], row["nodes"]) for row in rows] == [
        ("shortage", [RED.key, ""]),
        ("shortage", [""]),
    ]


async def test_a_wipe_forgets_stock_and_ids_of_its_place_only(house):
    await stocked(house.store)
    async with house.store.unit() as unit:
        hand = Hand(await unit.gather(wanting(A, records={(A, RED.place)}), NOW))
        hand.decision.wipes = [(A, RED.place)]
        hand.post(A, BLUE, PIECE, "after")
        await unit.commit(hand.decide())
    ids = [(1, Kind.RESERVE, name) for name in ("h1", "h7")] + [
        (1, Kind.CHANGE, name) for name in ("post-b", "after")
    ]
    found = await look(house.store, wanting(A, whole={A}, ids=ids))
    assert set(found.ids) == set(ids[1:])
    assert {key for key, _ in found.products[A].stock} == {BLUE.key, ELSEWHERE.key}


async def test_set_at_is_kept_and_forgotten(house):
    await stocked(house.store)
    for time, expected in ((NOW, NOW), (0, None)):
        async with house.store.unit() as unit:
            hand = Hand(await unit.gather(wanting(A, positions={(A, LOT.key)}), NOW))
            hand.decision.set_at = [(A, hand.snapshot.products[A].positions[LOT.key].number, time)]
            hand.post(A, LOT, PIECE, f"set-{time}")
            await unit.commit(hand.decide())
        found = await look(house.store, wanting(A, positions={(A, LOT.key)}))
        assert found.products[A].positions[LOT.key].set_at == expected
