"""Documents: found by labels and time, counted, claimed when they are due; written by groups of two processes."""

from __future__ import annotations

import asyncio

import pytest

from onhand.core.commands import DocumentKey, DocumentWrite, Group
from onhand.core.outcomes import Accepted, GroupOutcome, Reason
from onhand.core.snapshot import Reads
from onhand.storage.postgres.cursors import CursorError
from onhand.storage.postgres.documents import PostgresDocuments
from tests.hand_made import NOW, Hand, database
from tests.processes import SHOP
from tests.shop import change


def key(name: str, kind: str = "order", environment: int = 1) -> DocumentKey:
    return DocumentKey(len(name), environment, kind, name)


async def write(house, *writes: DocumentWrite, now: int = NOW) -> None:
    async with house.store.unit() as unit:
        hand = Hand(await unit.gather(Reads(documents={one.key for one in writes}), now), now)
        hand.decision.documents = list(writes)
        await unit.commit(hand.decide())


@pytest.fixture
async def house(database_url):
    async with database(database_url) as opened:
        await write(
            opened,
            DocumentWrite(key("a"), 0, b"A", ("status=new", "sku=1", "sku=2"), NOW + 10),
            DocumentWrite(key("b"), 0, b"B", ("status=ship", "sku=2")),
            DocumentWrite(key("a", "line"), 0, b"L", ("status=new",), NOW + 1),
            DocumentWrite(key("a", environment=2), 0, b"2", ("status=new",), NOW + 5),
        )
        await write(opened, DocumentWrite(key("c"), 0, b"C", ("status=new",), NOW + 7), now=NOW + 1)
        await write(opened, DocumentWrite(key("d"), 0, b"D", ("status=done", "sku=3")), now=NOW + 2)
        yield opened


async def names(house, *labels: str, **more) -> str:
    page = await house.documents.find(1, "order", labels, **{"limit": 10, **more})
    assert page.next is None
    return "".join(row.key.id for row in page.rows)


@pytest.mark.parametrize(
    ("labels", "more", "found"),
    [
        ((), {}, "dcba"),
        ((), {"oldest_first": True}, "abcd"),
        (("status=new",), {}, "ca"),
        (("status=new", "sku=1"), {}, "a"),
        (("status=new", "sku=3"), {}, ""),
        ((), {"any_of": [["status=new", "status=ship"]]}, "cba"),
        (("sku=2",), {"any_of": [["status=ship", "status=done"], ["sku=2", "sku=1"]]}, "b"),
        ((), {"any_of": [[]]}, ""),
        ((), {"since": NOW + 1}, "dc"),
        ((), {"until": NOW + 1}, "ba"),
        ((), {"since": NOW + 1, "until": NOW + 2}, "c"),
    ],
)
async def test_documents_are_found_and_counted(house, labels, more, found):
    assert await names(house, *labels, **more) == found
    narrow = {name: value for name, value in more.items() if name != "oldest_first"}
    assert await house.documents.count(1, "order", labels, **narrow, limit=10) == len(found)


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_a_search_pages_through_equal_times(house, oldest_first):
    seen, after = "", None
    while True:
        page = await house.documents.find(1, "order", after=after, limit=1, oldest_first=oldest_first)
        seen += "".join(row.key.id for row in page.rows)
        if page.next is None:
            break
        after = page.next
    assert seen == ("abcd" if oldest_first else "dcba")


@pytest.mark.parametrize("cursor", ["nonsense!", "AAAA", "k80DAQI", "kgGjAGEA"])
async def test_a_foreign_cursor_is_refused(house, cursor):
    with pytest.raises(CursorError):
        await house.documents.find(1, "order", after=cursor, limit=1)


async def test_a_count_is_bounded(house):
    assert await house.documents.count(1, "order", limit=3) == 3


async def test_due_documents_come_from_all_environments_the_longest_due_first(house):
    async def due(now: int, limit: int = 10) -> list[tuple[int, str]]:
        return [(row.key.environment, row.key.id) for row in await house.documents.due("order", now, limit)]

    assert await due(NOW + 4) == []
    assert await due(NOW + 7) == [(2, "a"), (1, "c")]
    assert await due(NOW + 20, 2) == [(2, "a"), (1, "c")]
    page = await house.documents.due("order", NOW + 20, 1)
    rest = await house.documents.due("order", NOW + 20, 10, page[-1])
    assert [(row.key.environment, row.key.id) for row in [*page, *rest]] == await due(NOW + 20)
    await write(house, DocumentWrite(key("c"), 1, b"C"))
    assert await due(NOW + 20) == [(2, "a"), (1, "a")]


async def test_due_documents_come_page_by_page_also_those_of_one_moment(house):
    await write(house, DocumentWrite(key("b", environment=2), 0, b"", (), NOW + 7))
    await write(house, DocumentWrite(key("c", environment=2), 0, b"", (), NOW + 7))
    seen, after = [], None
    while page := await house.documents.due("order", NOW + 20, 1, after):
        after = page[-1]
        seen.append((after.key.environment, after.key.id))
    assert seen == [(2, "a"), (2, "b"), (1, "c"), (2, "c"), (1, "a")]


async def test_documents_by_key(house):
    found = await house.documents.documents([key("a"), key("none"), key("a", "line")])
    assert {(row.key, row.version, row.body) for row in found} == {
        (key("a"), 1, b"A"),
        (key("a", "line"), 1, b"L"),
    }
    assert await house.documents.document(key("none")) is None


FILL = """
INSERT INTO document (d, environment_no, kind, id, version, body, labels, due_at, created_at)
SELECT n, 1, 'order', 'q' || n, 1, repeat('x', 500)::bytea, ARRAY['status=' || n % 5, 'sku=' || n],
       CASE n % 100 WHEN 0 THEN n END, n
FROM generate_series(1, 20000) AS n
"""


@pytest.fixture
async def filled(database_url):
    """A session that explains what the documents ask for."""
    async with database(database_url) as house:
        await house.pool.execute(FILL)
        await house.pool.execute("VACUUM ANALYZE document")
        plans = []

        class Pool:
            async def fetch(self, text, *values):
                plans.append("\n".join(row[0] for row in await house.pool.fetch("EXPLAIN " + text, *values)))
                return await house.pool.fetch(text, *values)

            async def fetchval(self, text, *values):
                return (await self.fetch(text, *values))[0][0]

        yield PostgresDocuments(Pool()), plans


@pytest.mark.parametrize(
    ("search", "indexes", "found"),
    [
        ({"labels": ["sku=77"]}, ["document_labels", "document_labels"], 1),
        ({"labels": ["status=1", "sku=76"]}, ["document_labels", "document_labels"], 1),
        ({"any_of": [["sku=7", "sku=8"]]}, ["document_labels", "document_labels"], 2),
        ({"labels": ["sku=none"]}, ["document_labels", "document_labels"], 0),
        ({"labels": ["status=1"]}, ["document_labels", "document_created"], 10),
        ({}, ["document_created"], 10),
        ({"oldest_first": True}, ["document_created"], 10),
    ],
)
async def test_searches_use_their_index(filled, search, indexes, found):
    documents, plans = filled
    page = await documents.find(1, "order", **search, limit=10)
    assert len(page.rows) == found
    assert [index in plan for index, plan in zip(indexes, plans, strict=True)] == [True] * len(indexes), plans
    assert not [plan for plan in plans if "Seq Scan" in plan]


async def test_the_other_reads_use_their_index(filled):
    documents, plans = filled
    await documents.document(key("a"))
    await documents.due("order", NOW, 10)
    assert "document_pkey" in plans[0]
    assert "document_due" in plans[1]


# Two processes ---------------------------------------------------------------------------------------------------


def placing(order: DocumentKey, body: bytes, *members):
    """A group that makes a document which must be new."""
    return lambda rules: Group(
        commands=tuple(member(rules) for member in members),
        documents=(order,),
        finish=lambda _concluded: [DocumentWrite(order, 0, body)],
    )


@pytest.mark.parametrize("with_stock", [False, True])
async def test_one_of_two_processes_makes_a_document_and_the_other_is_refused(processes, with_stock):
    """The unit that comes second meets the new row at its commit: a conflict, and then a refusal."""
    for number in range(8):
        order = key(f"order-{number}")

        def group(name: str, order=order, number=number):
            members = [change(name, 1, f"{name}{number}")] if with_stock else []
            return placing(order, name.encode(), *members)

        answers = await asyncio.gather(
            *(
                process.batcher.submit(SHOP, group(name))
                for process, name in zip(processes, ("bike", "helmet"), strict=True)
            )
        )
        assert all(isinstance(answer, GroupOutcome) for answer in answers)
        assert sorted(answer.accepted for answer in answers) == [False, True]
        (refused,) = (answer for answer in answers if not answer.accepted)
        assert refused.refusal.reason is Reason.STALE_DOCUMENT
    stock = await processes[0].stock()
    assert sum(on_hand for on_hand, _ in stock.values()) == (8 if with_stock else 0)


async def test_groups_of_documents_alone_are_decided_with_the_rest(processes):
    first, _ = processes
    orders = [key(f"o{number}") for number in range(5)]
    answers = await asyncio.gather(
        *(first.batcher.submit(SHOP, placing(order, b"x")) for order in orders + orders),
        first.batcher.submit(SHOP, change("bike", 1, "c")),
    )
    assert isinstance(answers[-1], Accepted)
    assert [answer.accepted for answer in answers[:-1]] == [True] * 5 + [False] * 5
