"""Rival (e), the ceiling of the engine: COPY of ledger rows and nothing else.

The rows are encoded before the clock starts, so that only PostgreSQL is measured.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg

from bench.workload import ORGANIZATION, Keys, product
from onhand.core.keys import product_key

ROWS = 200_000
PIECE = 64 * 1024


async def measure(url: str, source: str, keys: Keys, seconds: float) -> dict[str, float]:
    """Rows per second into a table like the ledger of the database at `url`, with its index and without.

    `source` is the run's name: the rows carry ids like the ones that the engine writes.
    """
    data = _rows(source, keys)
    session = await asyncpg.connect(url)
    try:
        columns = await session.fetchval(
            "SELECT string_agg(format('%I %s%s', attname, format_type(atttypid, atttypmod),"
            " CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END), ', ' ORDER BY attnum)"
            " FROM pg_attribute WHERE attrelid = 'movement'::regclass AND attnum > 0 AND NOT attisdropped"
        )
        rates = {}
        for name, index in (("copy", True), ("copy_without_index", False)):
            await session.execute("DROP TABLE IF EXISTS ledger_copy")
            await session.execute(f"CREATE TABLE ledger_copy ({columns}) PARTITION BY RANGE (at)")
            await session.execute("CREATE TABLE ledger_copy_default PARTITION OF ledger_copy DEFAULT")
            if index:
                await session.execute("CREATE INDEX ON ledger_copy (k, product_id, sequence)")
            rows, begun = 0, time.perf_counter()
            while (spent := time.perf_counter() - begun) < seconds:
                await session.copy_to_table("ledger_copy", source=_pieces(data))
                rows += ROWS
            rates[name] = rows / spent
        await session.execute("DROP TABLE ledger_copy")
    finally:
        await session.close()
    return rates


def _rows(source: str, keys: Keys) -> bytes:
    now = datetime.now(UTC).isoformat()
    lines = []
    for number, key in enumerate(itertools.islice(keys.draw(7), ROWS)):
        k = product_key(1, ORGANIZATION, product(key)).k
        lines.append(
            f"{k}\t{key}\t{number}\t{now}\t1\t3\t1000000\t{number}000000\t{number}\t3\t{source}{number:020d}\tbench\t\\N\n"
        )
    return "".join(lines).encode()


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]
