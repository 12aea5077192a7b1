"""Movements as inventory transactions read them, and the products of a warehouse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from onhand.core.commands import Kind
from onhand.core.orders.postings import ItemFilter, PostingFilter, Site, gathered, transaction
from onhand.storage.postgres.cursors import CursorError
from onhand.storage.postgres.items import PostgresItems
from tests.hand_made import NOW, PIECE, RESERVED, STOCKED, Hand, at, database, do, sku, wanting

A, B = sku("a"), sku("b")
RED, LOT, ELSEWHERE = at(colorid="red"), at(colorid="red", batchid="l1"), at(location="12")
HERE, THERE = RED.place, ELSEWHERE.place
MOMENT = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW)


@pytest.fixture
async def house(database_url):
    async with database(database_url) as opened:

        def act(hand: Hand) -> None:
            hand.post(A, RED, 5 * PIECE, "p1")
            hand.post(A, LOT, 3 * PIECE, "p2")
            hand.post(A, ELSEWHERE, 2 * PIECE, "p3")
            hand.post(B, RED, 9 * PIECE, "p4")
            hand.post(A, RED, PIECE, "order~O1")
            hand.reserve(A, RED, 2 * PIECE, "h1")
            hand.move(A, RED, STOCKED, -PIECE, Kind.CHANGE, "both")
            hand.move(A, RED, RESERVED, -PIECE, Kind.CHANGE, "both")
            hand.move(A, RED, STOCKED, 0, Kind.SET, "same")

        await do(opened.store, wanting(A, B), act)
        opened.items = PostgresItems(opened.pool)
        yield opened


def which(**narrow) -> PostingFilter:
    return PostingFilter(environment=1, inventory=STOCKED, reserved=RESERVED, **narrow)


async def read(house, limit: int = 100, **narrow) -> list[tuple]:
    found, after = [], None
    while True:
        page = await house.items.postings(which(**narrow), after, limit)
        found += page.rows
        after = page.next
        if after is None:
            return [
                (
                    one.key.product,
                    one.place,
                    one.delta // PIECE,
                    one.inventory // PIECE,
                    one.reserved // PIECE,
                )
                for one in found
            ]


OF_A = [
    ("a", HERE, -1, 8, 1),
    ("a", HERE, -1, 8, 2),
    ("a", HERE, 2, 9, 2),
    ("a", THERE, 2, 2, 0),
    ("a", HERE, 3, 8, 0),
    ("a", HERE, 5, 5, 0),
]


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_each_movement_has_the_levels_of_its_item(house, limit: int) -> None:
    assert await read(house, limit, product=A) == OF_A
    assert await read(house, limit, product=A, places=(THERE,)) == [OF_A[3]]


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_the_ledger_of_a_warehouse(house, limit: int) -> None:
    everything = await read(house, limit, places=(HERE,))
    assert sorted(everything) == sorted([*(one for one in OF_A if one[1] == HERE), ("b", HERE, 9, 9, 0)])
    assert [one for one in everything if one[0] == "a"] == [one for one in OF_A if one[1] == HERE]
    assert await read(house, limit, sku="b") == [("b", HERE, 9, 9, 0)]


async def test_time_and_caller_narrow(house) -> None:
    assert await read(house, product=A, until=MOMENT) == []
    assert await read(house, product=A, since=MOMENT) == OF_A
    assert await read(house, product=A, since=MOMENT + timedelta(seconds=1)) == []
    assert await read(house, product=A, caller="somebody") == []
    assert await read(house, product=A, caller="tester") == OF_A


async def test_the_count_is_that_of_transactions(house) -> None:
    assert await house.items.count_postings(which(product=A), 100) == 5
    assert await house.items.count_postings(which(product=A), 3) == 3
    assert await house.items.count_postings(which(places=(HERE,)), 100) == 5


async def test_movements_of_one_command_are_one_transaction(house) -> None:
    page = await house.items.postings(which(product=A), None, 100)
    runs = gathered(page.rows)
    assert len(runs) == 5
    both = transaction(runs[0], Site("WH", "Warehouse"))
    assert (both.inventory_change, both.new_inventory) == (-1, 8)
    assert (both.reserved_inventory_change, both.new_reserved_inventory) == (-1, 1)
    assert (both.transaction_type, both.variant, both.user_id) == ("Adjustment", "A", "tester")
    reserved = transaction(runs[1], Site("WH"))
    assert (reserved.transaction_type, reserved.inventory_change) == ("Reserve", 0)


async def test_a_cursor_of_another_listing_is_refused(house) -> None:
    page = await house.items.postings(which(places=(HERE,)), None, 1)
    with pytest.raises(CursorError):
        await house.items.postings(which(product=A), page.next, 1)


async def listed(house, limit: int = 10, **narrow) -> list[tuple[str, str]]:
    free = {"environment": 1, "inventory": STOCKED, "organizations": ("usmf",), "places": (HERE, THERE)}
    which = ItemFilter(**(free | narrow))
    found, after = [], None
    while True:
        page = await house.items.items(which, after, limit)
        found += [(spot.product.product, spot.place) for spot in page.rows]
        after = page.next
        if after is None:
            assert await house.items.count_items(which, 100) == len(found)
            return sorted(found)


@pytest.mark.parametrize("limit", [1, 2, 10])
async def test_items_are_products_at_places(house, limit: int) -> None:
    assert await listed(house, limit) == [("a", HERE), ("a", THERE), ("b", HERE)]
    assert await listed(house, places=(THERE,)) == [("a", THERE)]
    assert await listed(house, products=("b", "c")) == [("b", HERE)]
    assert await listed(house, organizations=("other",)) == []
    assert len(await listed(house, since=MOMENT)) == 3
    assert await listed(house, since=MOMENT + timedelta(seconds=1)) == []


async def test_items_in_stock(house) -> None:
    def sell(hand: Hand) -> None:
        hand.post(A, ELSEWHERE, -2 * PIECE, "sold")

    await do(house.store, wanting(A, positions={(A, ELSEWHERE.key)}), sell)
    assert await listed(house, in_stock=False) == [("a", THERE)]
    assert await listed(house, in_stock=True) == [("a", HERE), ("b", HERE)]
