"""Reads over stock, holds, ledger and refusals."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from onhand.core.commands import Kind, Owner
from onhand.core.keys import hold_id
from onhand.core.outcomes import Reason
from onhand.core.snapshot import HoldTerms, Refusal
from onhand.rows import HoldFilter, StockFilter
from onhand.storage.postgres.cursors import CursorError
from tests.hand_made import NOW, PIECE, RESERVED, STOCKED, Hand, at, database, do, sku, wanting

A, B = sku("a"), sku("b")
RED, LOT, ELSEWHERE = at(colorid="red"), at(colorid="red", batchid="l1"), at(location="12")


@pytest.fixture
async def house(database_url):
    async with database(database_url) as opened:

        def act(hand: Hand) -> None:
            hand.post(A, RED, 5 * PIECE, "p1")
            hand.post(A, LOT, 3 * PIECE, "p2")
            hand.post(A, ELSEWHERE, 2 * PIECE, "p3")
            hand.post(B, RED, 9 * PIECE, "p4")
            hand.reserve(A, RED, 1 * PIECE, "h1", reference="cart")
            hand.reserve(A, RED, 2 * PIECE, "h2", expires_at=NOW + 10)
            hand.reserve(A, LOT, 1 * PIECE, "h3", expires_at=NOW + 20)
            hand.decision.refusals = [
                Refusal(A, Kind.RESERVE, f"r{n}", "tester", "web", RED.key, RESERVED, n, 0, Reason.SHORTAGE)
                for n in range(5)
            ]

        await do(opened.store, wanting(A, B), act)
        yield opened


def which(**narrow) -> StockFilter:
    free = {"environment": 1, "organizations": None, "products": None, "places": None, "records": False}
    return StockFilter(**(free | narrow))


async def levels(house, now: int = NOW, **narrow) -> dict:
    return {
        (one.product.product, row.position, row.measure): (row.own // PIECE, row.finer // PIECE)
        for one in await house.reader.stock(which(**narrow), now)
        for row in one.rows
    }


ALL = {
    ("a", RED.key, STOCKED): (5, 3),
    ("a", RED.key, RESERVED): (3, 1),
    ("a", ELSEWHERE.key, STOCKED): (2, 0),
    ("b", RED.key, STOCKED): (9, 0),
}


@pytest.mark.parametrize(
    ("narrow", "products"),
    [
        ({}, "ab"),
        ({"organizations": ("usmf",)}, "ab"),
        ({"organizations": ("other",)}, ""),
        ({"products": ("b",)}, "b"),
        ({"organizations": ("usmf", "other"), "products": ("a", "none")}, "a"),
    ],
)
async def test_stock_is_narrowed_by_organization_and_product(house, narrow, products):
    assert await levels(house, **narrow) == {key: level for key, level in ALL.items() if key[0] in products}


async def test_stock_is_narrowed_by_place_and_widened_by_records(house):
    assert await levels(house, places=(ELSEWHERE.place,)) == {("a", ELSEWHERE.key, STOCKED): (2, 0)}
    assert await levels(house, places=(RED.place,), products=("b",)) == {("b", RED.key, STOCKED): (9, 0)}
    assert await levels(house, records=True) == ALL | {
        ("a", LOT.key, STOCKED): (3, 0),
        ("a", LOT.key, RESERVED): (1, 0),
    }


async def test_names_are_shown_as_first_seen(house):
    found = (await house.reader.stock(which(products=("a",), records=True), NOW))[0]
    assert (found.organization, found.name) == ("USMF", "A")
    assert found.shown[LOT.key] == LOT.shown
    assert {row.cell for row in found.rows if row.position == LOT.key} == {RED.key}


async def test_expired_holds_are_off_the_stock_that_is_read(house):
    reserved = ("a", RED.key, RESERVED)
    assert (await levels(house, NOW + 9))[reserved] == (3, 1)
    assert (await levels(house, NOW + 10))[reserved] == (1, 1)
    assert (await levels(house, NOW + 20))[reserved] == (1, 0)
    assert (await levels(house, NOW + 20, records=True))["a", LOT.key, RESERVED] == (0, 0)


async def test_partitions_and_products_at_a_place(house):
    assert set(await house.reader.partitions(1, by_location=True)) == {
        ("usmf", "", RED.place),
        ("usmf", "", ELSEWHERE.place),
    }
    assert {row[:2] for row in await house.reader.partitions(1, by_location=False)} == {
        ("usmf", "a"),
        ("usmf", "b"),
    }
    assert await house.reader.products_at(1, "usmf", ELSEWHERE.place) == [A]
    assert await house.reader.products_at(1, "usmf", RED.place) == sorted([A, B])


async def test_products_page_in_key_order(house):
    first = await house.reader.products(1, None, 1)
    assert first + await house.reader.products(1, first[0], 5) == sorted([A, B])
    assert await house.reader.products(2, None, 5) == []


async def test_due_products_and_candidates(house):
    assert await house.reader.due_products(NOW + 9, 5) == []
    assert await house.reader.due_products(NOW + 20, 5) == [A]
    assert {key async for key in house.reader.candidates(1, "usmf", RED.key)} == {A, B}
    assert [key async for key in house.reader.candidates(1, "usmf", LOT.key)] == [], "a record is not a cell"


async def test_holds_page_newest_first(house):
    seen, after = [], None
    for _ in range(3):
        page = await house.reader.holds(HoldFilter(environment=1), NOW, after, 1)
        seen += page.rows
        after = page.next
    assert after is None
    assert [row.quantity // PIECE for row in seen] == [1, 2, 1]
    assert seen[2].reference == "cart"
    assert seen[2].dimensions == RED.shown
    assert (
        len(
            (
                await house.reader.holds(
                    HoldFilter(environment=1, reference="cart", product="a"), NOW, None, 9
                )
            ).rows
        )
        == 1
    )
    assert (await house.reader.holds(HoldFilter(environment=1, open=False), NOW, None, 9)).rows == []
    with pytest.raises(CursorError):
        await house.reader.holds(HoldFilter(environment=1), NOW, "§", 1)


async def test_holds_of_an_order_line(house):
    async with house.store.unit() as unit:
        hand = Hand(await unit.gather(wanting(A, holds={(A, 1), (A, 2)}), NOW))
        hand.decision.terms = [
            HoldTerms(A, 1, 4 * PIECE, Owner("cart", "web", "o-1"), counted=False),
            HoldTerms(A, 2, 2 * PIECE, Owner(order="o-2"), counted=True),
        ]
        await unit.commit(hand.decide())
    (row,) = (await house.reader.holds(HoldFilter(environment=1, order="o-1"), NOW, None, 9)).rows
    assert (row.order, row.reference, row.channel) == ("o-1", "cart", "web")
    assert (row.quantity, row.remaining) == (4 * PIECE, PIECE)
    assert (await house.reader.holds(HoldFilter(environment=1, order=""), NOW, None, 9)).rows == []


async def test_a_hold_is_closed_from_the_moment_it_expires(house):
    """The sweeper comes later; nobody may see that."""

    async def numbers(now: int, *, is_open: bool) -> list[int]:
        page = await house.reader.holds(HoldFilter(environment=1, open=is_open), now, None, 9)
        return [int(row.id.rsplit("-", 1)[1], 16) for row in page.rows]

    assert (await numbers(NOW + 9, is_open=True), await numbers(NOW + 9, is_open=False)) == ([3, 2, 1], [])
    assert (await numbers(NOW + 10, is_open=True), await numbers(NOW + 10, is_open=False)) == ([3, 1], [2])
    product_id = await house.pool.fetchval("SELECT product_id FROM product WHERE product_key = 'a'")
    found = await house.reader.hold(1, hold_id(A.k, product_id, 2), NOW + 10)
    assert (found.remaining, found.closed_at, found.closed_by) == (0, NOW + 10, Kind.EXPIRE)


async def test_one_hold_by_its_external_id(house):
    product_id = await house.pool.fetchval("SELECT product_id FROM product WHERE product_key = 'a'")
    text = hold_id(A.k, product_id, 1)
    found = await house.reader.hold(1, text, NOW)
    assert (found.id, found.caller, found.closed_by) == (text, "tester", None)
    assert await house.reader.hold_product(1, text) == A
    assert await house.reader.hold(2, text, NOW) is None
    assert await house.reader.hold(1, "nonsense", NOW) is None
    assert await house.reader.hold(1, hold_id(A.k, 1 << 70, 1), NOW) is None


async def test_movements_page_newest_first(house):
    page = await house.reader.movements(A, None, None, None, 4)
    assert [row.sequence for row in page.rows] == [6, 5, 4, 3]
    rest = await house.reader.movements(A, None, None, page.next, 4)
    assert [row.sequence for row in rest.rows] == [2, 1]
    assert rest.next is None
    assert rest.rows[1].at == datetime.fromtimestamp(NOW // 1_000_000, UTC)
    narrowed = await house.reader.movements(A, RED.key, RESERVED, None, 9)
    assert [row.command_id for row in narrowed.rows] == ["h2", "h1"]
    assert narrowed.rows[0].hold is not None


async def test_refusals_page_though_they_share_their_time(house):
    since, seen, after = datetime(2020, 1, 1, tzinfo=UTC), [], None
    for _ in range(3):
        page = await house.reader.refusals(1, since, after, 2)
        seen += [row.command_id for row in page.rows]
        after = page.next
    assert after is None
    assert sorted(seen) == ["r0", "r1", "r2", "r3", "r4"]
    assert (await house.reader.refusals(1, datetime(2100, 1, 1, tzinfo=UTC), None, 2)).rows == []


async def test_an_audit_reads_what_must_agree(house):
    found = {one.product: one for one in await house.reader.audit([A, B, sku("none")])}
    assert set(found) == {A, B}
    one = found[A]
    assert one.version == one.sequences == 6
    assert one.folded == {key: own for key, (own, _, _) in one.stock.items() if own}
    assert one.open_holds == {(RED.key, RESERVED): 3 * PIECE, (LOT.key, RESERVED): PIECE}
    assert one.cells[LOT.key] == RED.key
