"""Tables come out of PostgreSQL as they went in."""

import psycopg
import pytest

from onhand.core.commands import Kind
from onhand.core.outcomes import Reason
from onhand.storage.postgres.arrays import EMPTY, binaries, literal, table
from onhand.storage.postgres.line import BINARY, Line, Statement

TEXTS = [
    "", "plain", "NULL", "null", "{}", "a,b", '"', "\\", '\\"', "\\n", "\n\t\r", "\x01\x1f\x7f", "é", "日本", "😀", " ", "'",
    "\u2028", '{"a":"\\u0001"}', None,
]  # fmt: skip
NUMBERS = [0, 1, -1, 2**63 - 1, -(2**63), Kind.RESERVE, None]


@pytest.fixture
async def line(database_url):
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        line = Line(connection, 10.0, prepares=False)
        yield line
        await line.close()


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:5], [None], ["\\"], [Reason.SHORTAGE, "x"], []], ids=str)
async def test_texts(line, texts):
    assert await line.fetchval("SELECT $1::text::text[]", literal(texts).decode()) == texts


@pytest.mark.parametrize("numbers", [NUMBERS, [None, None], [7], (1, 2), ()], ids=str)
async def test_numbers(line, numbers):
    assert await line.fetchval("SELECT $1::text::bigint[]", literal(numbers).decode()) == list(numbers)


async def test_truth_values(line):
    assert await line.fetchval("SELECT $1::text::boolean[]", literal([True, None, False]).decode()) == [
        True,
        None,
        False,
    ]


@pytest.mark.parametrize("values", [[b"\x00\\", b"", bytes(range(256))], [b"x"], []], ids=len)
async def test_binaries(line, values):
    assert await line.fetchval("SELECT $1::text::bytea[]", binaries(values).decode()) == values


async def test_a_table_has_its_columns_in_order_and_one_without_rows_has_none(line):
    take = Statement(
        b"",
        b"SELECT ($1::text[])[1]::bigint[], ($1::text[])[2]::text[], cardinality($2::text[])",
        (BINARY, BINARY),
    )
    (answer,) = await line.send((take, [table([literal([1, 2]), literal(["a,", None])]), EMPTY]))
    assert [answer.get_value(0, at) for at in range(3)] == [b"{1,2}", b'{"a,",NULL}', b"0"]
