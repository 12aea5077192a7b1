from collections.abc import AsyncIterator

import pytest

from onhand.core.outcomes import Reason, Rejected
from onhand.core.quantities import SCALE
from onhand.rows import ConfigurationRow
from onhand.service.faults import UnknownEnvironment
from onhand.service.queries import ExactQuery, IndexQuery, OnHandPage, Queries
from tests.house import SHOP, House
from tests.shop import change, reserve


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    assert isinstance(await made.environments.create(SHOP, "standalone", "ops"), ConfigurationRow)
    batcher = await made.batcher()
    for location in ("11", "12", "13"):
        for color in ("Red", "Blue"):
            where = {"siteId": "1", "locationId": location, "colorId": color}
            await batcher.submit(SHOP, change("Bike", 5, f"{location}-{color}", dimensions=where))
    await batcher.submit(SHOP, change("Helmet", 9, "h", dimensions={"siteId": "2", "locationId": "21"}))
    await batcher.submit(
        SHOP, reserve("Bike", 3, "r", dimensions={"siteId": "1", "locationId": "11", "colorId": "red"})
    )
    yield made
    await batcher.stop()


@pytest.fixture
def queries(house) -> Queries:
    return Queries(house.store, house.environments, house.clock)


def bikes(**changes) -> IndexQuery:
    return IndexQuery(**{"organizations": ("usmf",), "products": ("BIKE",), **changes})


async def test_an_index_query_groups_and_shows_the_first_spelling(queries):
    found = await queries.index(
        SHOP, bikes(dimensions={"SiteId": ("1",), "locationid": ("11",)}, group_by=("ColorId",))
    )
    assert isinstance(found, OnHandPage)
    assert [(row.organization, row.product, row.dimensions["ColorId"]) for row in found.rows] == [
        ("USMF", "Bike", "Red"),
        ("USMF", "Bike", "Blue"),
    ]
    assert [row.quantities["iv"]["onhand"] for row in found.rows] == [5 * SCALE, 5 * SCALE]
    assert found.next_page is None


async def test_a_query_without_a_product_or_place_is_refused_with_a_reason(queries):
    refused = await queries.index(SHOP, IndexQuery(organizations=("usmf",)))
    assert isinstance(refused, Rejected)
    assert "productId" in refused.message
    unknown = await queries.index(SHOP, bikes(group_by=("taste",)))
    assert isinstance(unknown, Rejected)
    assert unknown.reason is Reason.UNKNOWN_DIMENSION


async def test_version_1_takes_one_organization_version_2_several(queries):
    asked = bikes(organizations=("usmf", "dat"))
    assert isinstance(await queries.index(SHOP, asked), Rejected)
    assert isinstance(await queries.index(SHOP, asked, version2=True), OnHandPage)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
async def test_pages_are_warehouses_and_together_they_are_everything(queries, size):
    whole = await queries.index(SHOP, bikes(), version2=True)
    assert whole.next_page is None
    rows, page = [], 1
    while page is not None:
        found = await queries.index(SHOP, bikes(), version2=True, page=page, page_size=size)
        warehouses = [row.dimensions["locationid"] for row in found.rows]
        assert len(set(warehouses)) <= size
        assert warehouses == sorted(warehouses)
        rows += found.rows
        page = found.next_page
    assert sorted(rows, key=str) == sorted(whole.rows, key=str)
    assert len(rows) == 3


async def test_pages_without_a_product_are_cut_from_the_partitions(queries):
    asked = IndexQuery(
        organizations=("usmf",), dimensions={"siteId": ("1", "2"), "locationId": ("11", "12", "21", "99")}
    )
    first = await queries.index(SHOP, asked, version2=True, page=1, page_size=2)
    assert [row.dimensions["locationid"] for row in first.rows] == ["11", "12"]
    assert (first.next_page, first.page_size) == (2, 2)
    second = await queries.index(SHOP, asked, version2=True, page=2, page_size=2)
    assert [(row.product, row.dimensions["locationid"]) for row in second.rows] == [("Helmet", "21")]
    assert second.next_page is None
    beyond = await queries.index(SHOP, asked, version2=True, page=9, page_size=2)
    assert (beyond.rows, beyond.next_page) == ([], None)


async def test_a_page_without_a_size_is_everything_and_a_bad_one_is_refused(queries):
    found = await queries.index(SHOP, bikes(), version2=True, page=1)
    assert len(found.rows) == 3
    for page, size in ((0, 1), (1, 0)):
        assert isinstance(
            await queries.index(SHOP, bikes(), version2=True, page=page, page_size=size), Rejected
        )


async def test_an_exact_query_takes_tuples_and_no_cross_product(queries):
    found = await queries.exact(
        SHOP,
        ExactQuery(
            organizations=("usmf",),
            products=("bike",),
            keys=("siteId", "locationId", "colorId"),
            values=(("1", "11", "red"), ("1", "12", "BLUE")),
        ),
    )
    assert isinstance(found, OnHandPage)
    assert [(row.dimensions["locationid"], row.dimensions["ColorId"]) for row in found.rows] == [
        ("11", "Red"),
        ("12", "Blue"),
    ]


async def test_availability_of_a_node_is_what_a_reservation_would_get(queries, house):
    at = {"siteId": "1", "locationId": "11", "colorId": "red"}
    answer = await queries.availability(SHOP, "usmf", "bike", at)
    assert not isinstance(answer, Rejected)
    assert list(answer.available.values()) == [2 * SCALE]
    accepted = await house.batchers[0].submit(SHOP, reserve("bike", 3, "too many", dimensions=at))
    assert isinstance(accepted, Rejected)
    assert accepted.available == 2 * SCALE
    whole = await queries.availability(SHOP, "usmf", "bike", {"siteId": "1", "locationId": "11"})
    assert list(whole.available.values()) == [7 * SCALE]


async def test_availability_of_nothing_is_zero_and_of_no_place_is_refused(queries):
    answer = await queries.availability(SHOP, "usmf", "unicorn", {"siteId": "1", "locationId": "11"})
    assert set(answer.available.values()) == {0}
    refused = await queries.availability(SHOP, "usmf", "bike", {"colorId": "red"})
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.PARTITION_MISSING


async def test_the_ledger_of_an_unknown_measure_is_refused(queries):
    refused = await queries.movements(SHOP, "usmf", "bike", measure=("iv", "nonsense"))
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.UNKNOWN_MEASURE


async def test_large_answers_are_made_in_a_thread_and_are_the_same(queries, monkeypatch):
    before = await queries.index(SHOP, bikes())
    monkeypatch.setattr("onhand.service.queries.THREAD_FROM_PRODUCTS", 0)
    assert await queries.index(SHOP, bikes()) == before


async def test_an_unknown_environment_is_a_fault(queries):
    with pytest.raises(UnknownEnvironment):
        await queries.partitions("nowhere")
