"""Array literals come out of PostgreSQL as they went in."""

import asyncpg
import pytest

from onhand.core.commands import Kind
from onhand.core.outcomes import Reason
from onhand.storage.postgres import arrays

TEXTS = [
    "", "plain", "NULL", "null", "{}", "a,b", '"', "\\", '\\"', "\\n", "\n\t\r", "\x01\x1f\x7f", "é", "日本", "😀", " ", "'",
    "\u2028", '{"a":"\\u0001"}', None,
]  # fmt: skip
NUMBERS = [0, 1, -1, 2**63 - 1, -(2**63), Kind.RESERVE, None]


@pytest.fixture
async def session(database_url):
    session = await asyncpg.connect(database_url)
    yield session
    await session.close()


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:5], [None], ["\\"], [Reason.SHORTAGE, "x"], []], ids=str)
async def test_texts(session, texts):
    assert await session.fetchval("SELECT $1::text::text[]", arrays.literal(texts)) == texts


@pytest.mark.parametrize("numbers", [NUMBERS, [None, None], [7], (1, 2), ()], ids=str)
async def test_numbers(session, numbers):
    assert await session.fetchval("SELECT $1::text::bigint[]", arrays.literal(numbers)) == list(numbers)


async def test_a_call_has_a_scalar_then_arrays_and_leaves_bytes_to_the_driver(session):
    await session.execute(
        "CREATE TEMP TABLE got (now bigint, numbers integer[], bodies bytea[], words text[]);"
        "CREATE FUNCTION pg_temp.keep(bigint, integer[], bytea[], text[]) RETURNS void LANGUAGE sql"
        " AS 'INSERT INTO got VALUES ($1, $2, $3, $4)'"
    )
    types = "integer bytea text"
    columns = [[1, 2], [b"\x00\\", b""], ["\x1f", "b"]]
    await session.execute(
        f"SELECT {arrays.call('pg_temp.keep', types)}", 5, *arrays.arguments(types, columns)
    )
    assert tuple(await session.fetchrow("TABLE got")) == (5, *columns)
