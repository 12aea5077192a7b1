"""Documents: found by labels and time, counted, claimed when they are due; written by groups of two processes."""

from __future__ import annotations

import asyncio
import re

import pytest

from onhand.core.commands import DocumentKey, DocumentWrite, Group
from onhand.core.outcomes import Accepted, GroupOutcome, Reason
from onhand.core.snapshot import Reads
from onhand.storage.postgres.cursors import CursorError
from onhand.storage.postgres.documents import _conditions
from onhand.storage.postgres.statements import query
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
    await write(house, DocumentWrite(key("c"), 1, b"C"))
    assert await due(NOW + 20) == [(2, "a"), (1, "a")]


async def test_documents_by_key(house):
    found = await house.documents.documents([key("a"), key("none"), key("a", "line")])
    assert {(row.key, row.version, row.body) for row in found} == {
        (key("a"), 1, b"A"),
        (key("a", "line"), 1, b"L"),
    }
    assert await house.documents.document(key("none")) is None


FILL = """
INSERT INTO document (d, environment_no, kind, id, version, body, labels, due_at, created_at)
SELECT n, 1, 'order', 'q' || n, 1, '', ARRAY['status=' || n % 5, 'sku=' || n], CASE n % 100 WHEN 0 THEN n END, n
FROM generate_series(1, 20000) AS n
"""


@pytest.mark.parametrize(
    ("name", "narrow", "values", "index"),
    [
        ("documents", (), ([1], [1], ["order"], ["q1"]), "document_pkey"),
        ("due_documents", (), ("order", NOW, 10), "document_due"),
        ("find_documents", (["status=1"],), (1, "order", NOW, "", 10), "document_created"),
        ("find_documents", (), (1, "order", NOW, "", 10), "document_created"),
        ("count_documents", (["sku=77"],), (1, "order", 100), "document_labels"),
    ],
)
async def test_searches_use_their_index(database_url, name, narrow, values, index):
    async with database(database_url) as house:
        await house.pool.execute(FILL)
        await house.pool.execute("ANALYZE document")
        text = query(name)
        if "{" in text:
            conditions, more = _conditions(len(values), *(narrow or ((),)), (), None, None)
            text = text.format(conditions=conditions, direction="DESC", beyond="<")
            values = (*values, *more)
        async with house.pool.acquire() as session:
            await session.execute("SET plan_cache_mode = force_custom_plan")
            plan = "\n".join(row[0] for row in await session.fetch("EXPLAIN " + text, *values))
    assert index in plan, plan
    assert not re.search(r"Seq Scan on (?!unnest|w)", plan), plan


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
