"""Plans that were made while the tables were empty still use the indexes when the tables are full."""

from __future__ import annotations

import re

import asyncpg
import psycopg
import pytest

from onhand.core.commands import ANYONE, DocumentKey, DocumentWrite, Kind
from onhand.core.keys import shard
from onhand.core.snapshot import HoldQuery, HoldTerms, Snapshot
from onhand.storage.postgres.line import Line
from onhand.storage.postgres.lines import Lines
from onhand.storage.postgres.statements import query
from onhand.storage.postgres.store import PostgresUnit, lines_for
from tests.hand_made import NOW, PIECE, RESERVED, Hand, at, database, sku, wanting

PRODUCTS = 20_000
A, NEW = sku("a"), at(colorid="new")
RED, LOT = at(colorid="red"), at(colorid="red", batchid="l1")
ORDER = DocumentKey(shard("1", "o"), 1, "order", "o")

FILL = """
INSERT INTO product (k, environment_no, organization_key, product_key, organization, product, version, next_position, next_hold)
SELECT hashint8extended(n, 0), 1, 'usmf', 'q' || n, 'USMF', 'Q', 1, 3, 3 FROM generate_series(1, $1) AS n;
INSERT INTO position (k, product_id, position_no, environment_no, cell_no, place, key, shown)
SELECT k, product_id, c, 1, c, 'place', 'place&' || c, '[]' FROM product, generate_series(101, 102) AS c;
INSERT INTO stock SELECT k, product_id, position_no, 1, 9, 0, 0 FROM position WHERE position_no > 100;
INSERT INTO hold (k, product_id, hold_no, position_no, measure_id, quantity, remaining, caller, expires_at, created_at)
SELECT k, product_id, 1000 + c, 101, 2, 1, 1, '', 1, 1 FROM product, generate_series(1, 2) AS c;
INSERT INTO command_id SELECT n, 1, 3, 'q' || n, 0, '', n FROM generate_series(1, $1) AS n;
INSERT INTO document SELECT n, 1, 'order', 'q' || n, 1, '', ARRAY['a'], n, n, n FROM generate_series(1, $1) AS n;
"""


class Explained:
    """A line that keeps the plan of each statement, also of those inside functions."""

    def __init__(self, session: Line, lines: Lines) -> None:
        self.session = session
        self.lines = lines
        self.plans: list[str] = []
        session.connection.add_notice_handler(self._heard)

    def _heard(self, notice: psycopg.errors.Diagnostic) -> None:
        self.plans.append(notice.message_primary or "")

    async def run(self, number: int) -> None:
        """One unit that touches every table in every way the hot path has."""
        self.plans.clear()
        unit = PostgresUnit(self.session, self.lines)
        reads = wanting(
            A,
            places={(A, RED.place)},
            positions={(A, LOT.key), (A, RED.key)},
            holds={(A, 1)},
            hold_queries={HoldQuery(A, RED.key, RESERVED, "", PIECE): None},
            all_holds={(A, RED.place)},
            records={(A, None)},
            whole={A},
            ids=[(1, Kind.RESERVE, f"h{number}")],
            documents={ORDER},
        )
        hand = Hand(await unit.gather(reads, NOW))
        for where in (RED, LOT):
            hand.post(A, where, PIECE, f"p{number}{where.key}")
        hand.reserve(A, RED, PIECE, f"h{number}", expires_at=NOW + 1)
        for hold in list(hand.snapshot.products[A].holds):
            if hand.snapshot.products[A].holds[hold].remaining:
                hand.release(A, RED, hold, f"r{number}{hold}")
        hand.decision.terms = [
            HoldTerms(A, hold, state.quantity, ANYONE, counted=True)
            for hold, state in hand.snapshot.products[A].holds.items()
        ]
        version = hand.snapshot.documents[ORDER].version
        hand.decision.documents = [DocumentWrite(ORDER, version, b"x", ("a",), due_at=1)]
        if number == 2:
            hand.decision.documents = [DocumentWrite(ORDER, version, b"", delete=True)]
        hand.decision.set_at = [(A, hand.snapshot.products[A].positions[RED.key].number, number)]
        await unit.commit(hand.decide())

    async def reserve(self, number: int) -> None:
        """One unit that only reserves, so that it takes the short road."""
        unit = PostgresUnit(self.session, self.lines)
        asked = wanting(A, places={(A, RED.place)}, ids=[(1, Kind.RESERVE, f"s{number}")])
        hand = Hand(await unit.gather(asked, NOW - 1), NOW - 1)
        hand.reserve(A, RED, PIECE, f"s{number}", expires_at=NOW + 9)
        await unit.commit(hand.decide())

    async def reserve_unlocked(self, number: int) -> None:
        """One unit of the optimistic road."""
        unit = PostgresUnit(self.session, self.lines)
        states = await unit.look([(A, RED.place)])
        snapshot = Snapshot({1: 1}, states)
        hand = Hand(snapshot, NOW - 1)
        hand.reserve(A, RED, PIECE, f"u{number}", expires_at=NOW + 9)
        await unit.commit_unchanged(hand.decide(), snapshot)


@pytest.fixture
async def explained(database_url):
    async with database(database_url):
        pass
    lines = lines_for(database_url, most=1)
    line = await lines.acquire()
    await line.execute(
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;"
        " SET auto_explain.log_timing = off; SET auto_explain.log_nested_statements = on;"
        " SET auto_explain.log_level = notice"
    )
    yield Explained(line, lines)
    await lines.release(line)
    await lines.close()


async def fill(database_url: str) -> None:
    session = await asyncpg.connect(database_url)
    for statement in FILL.strip().split(";\n"):
        await session.execute(statement.rstrip(";").replace("$1", str(PRODUCTS)))
    await session.close()


TABLES = "product, position, stock, hold, command_id, document"


@pytest.mark.parametrize(
    ("units", "before", "after"),
    [
        (0, "SELECT 1", "SELECT 1"),
        (0, f"VACUUM ANALYZE {TABLES}", f"ANALYZE {TABLES}"),
        (0, f"VACUUM ANALYZE {TABLES}", "SELECT 1"),
        (1, f"VACUUM ANALYZE {TABLES}", "SELECT 1"),
    ],
    ids=[
        "never analyzed",
        "analyzed when empty and again when full",
        "analyzed when empty only",
        "analyzed with one product only",
    ],
)
async def test_the_hot_path_keeps_to_its_indexes(explained, database_url, units, before, after):
    for number in range(10, 10 + units):
        await explained.run(number)
        await explained.reserve(number)
        await explained.reserve_unlocked(number)
    await explained.session.execute(before)
    for number in range(3):
        await explained.run(number)
        await explained.reserve(number)
        await explained.reserve_unlocked(number)
    await fill(database_url)
    await explained.session.execute(after)
    await explained.run(3)
    await explained.reserve(3)
    await explained.reserve_unlocked(3)
    plans = "\n".join(explained.plans)
    assert {"CTE cell", "CTE taken"} <= set(re.findall(r"CTE cell|CTE taken", plans)), "the short road"
    assert "CTE found" in plans, "the optimistic road"
    assert {"Update on document", "jsonb_to_record"} <= set(
        re.findall(r"Update on document|jsonb_to_record", plans)
    )
    assert not re.findall(r"Seq Scan on (?!w\b)\S+", plans)
    assert not re.search(r"Rows Removed by (Join )?Filter: \d{3,}", plans), plans
    used = set(re.findall(r"Index (?:Only )?Scan using (\w+)", plans))
    assert used >= {
        "position_cells",
        "position_k_product_id_key_key",
        "position_pkey",
        "stock_pkey",
        "hold_pkey",
        "hold_open",
        "hold_due",
        "command_id_pkey",
        "document_pkey",
    }
    assert not used & {"document_created", "document_due", "document_labels", "hold_order"}
    slow = [
        plan
        for plan in explained.plans
        if any(int(rows) > 100 for rows in re.findall(r"actual rows=(\d+)", plan))
    ]
    assert not slow


@pytest.mark.parametrize(
    ("name", "values", "index"),
    [
        ("products_by_key", ([1], [1], ["usmf"], ["q1"]), "product_"),
        ("products_by_name", (1, None, ["q1"]), "product_name"),
        ("due_products", (NOW, 10), "hold_due"),
        ("candidates", (1, "place&101", 0, 0, 10), "position_cell_key"),
        ("hold", (1, 1, 1, 1), "hold_pkey"),
        (
            "movements",
            (1, 1, "usmf", "q1", 1 << 60, None, None, 10),
            "movement_default_k_product_id_sequence_idx",
        ),
        ("wiped_commands", (1, 1, "place", 0, 10), "movement_default_k_product_id_sequence_idx"),
        ("delete_commands", ([1], [1], [3], ["q1"], [1]), "command_id_pkey"),
        ("products", (1, 1, 1, "", "", 10), "product_pkey"),
    ],
)
async def test_reads_use_their_index(database_url, name, values, index):
    async with database(database_url) as house:
        await fill(database_url)
        await house.pool.execute(
            "INSERT INTO movement SELECT k, product_id, 1, now(), 101, 1, 1, 1, NULL, 1, '', '' FROM product"
        )
        await house.pool.execute("ANALYZE")
        plan = "\n".join(row[0] for row in await house.pool.fetch("EXPLAIN " + query(name), *values))
    assert index in plan, plan
    assert not re.search(r"Seq Scan on (?!unnest|environment)", plan), plan
