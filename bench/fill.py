"""Fill of onhand's database by COPY, as if every record had been posted once: levels equal the fold of the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg

from bench.workload import COLOR, LOCATION, ORGANIZATION, SITE, SIZE, product
from onhand.core.commands import Kind
from onhand.core.keys import encode, product_key
from onhand.core.quantities import SCALE

DIMENSIONS = (("siteid", SITE), ("locationid", LOCATION), ("colorid", COLOR), ("sizeid", SIZE))
CELL = encode(DIMENSIONS)
PLACE = encode(DIMENSIONS[:2])
SHOWN = "{}"
CHUNK = 100_000
"""Products that are written per COPY: a bound of this process's memory."""
LENGTHEN = """
    INSERT INTO movement (k, product_id, sequence, at, position_no, measure_id, delta, level, kind, command_id, caller)
    SELECT m.k, m.product_id, s, m.at, 1, m.measure_id, 0, m.level, m.kind, 'more-' || s, m.caller
    FROM generate_series(2, $1::bigint) AS s, movement AS m
    WHERE m.sequence = 1"""
"""Later rows of each product's ledger, which leave its level as it is."""


async def fill(url: str, environment_id: str, skus: int, pieces: int, movements: int = 0) -> float:
    """Give each of `skus` new products `pieces` on hand at one cell; returns the seconds it took.

    `movements` is the least number of ledger rows: what is missing is added as changes of nothing.
    """
    begun = time.perf_counter()
    session = await asyncpg.connect(url)
    try:
        environment, measure = await session.fetchrow(
            "SELECT environment_no, measure_id FROM environment JOIN measure USING (environment_no)"
            " WHERE environment_id = $1 AND source = 'iv' AND name = 'onhand'",
            environment_id,
        )
        first_id = 1 + await session.fetchval("SELECT coalesce(max(product_id), 0) FROM product")
        for first in range(0, skus, CHUNK):
            numbers = range(first, min(first + CHUNK, skus))
            await _fill(session, environment, measure, first_id + first, numbers, pieces * SCALE)
        await session.execute(
            "SELECT setval(pg_get_serial_sequence('product', 'product_id'), (SELECT max(product_id) FROM product))"
        )
        if movements > skus:
            await session.execute(LENGTHEN, -(-movements // skus))
            await session.execute("UPDATE product SET version = $1", -(-movements // skus))
        await session.execute("VACUUM ANALYZE")
    finally:
        await session.close()
    product_key.cache_clear()
    return time.perf_counter() - begun


async def _fill(  # noqa: PLR0913 - the columns that differ between fills
    session: asyncpg.Connection[Any],
    environment: int,
    measure: int,
    first_id: int,
    numbers: range,
    level: int,
) -> None:
    now = datetime.now(UTC)
    keys = sorted(product_key(environment, ORGANIZATION, product(number)) for number in numbers)
    rows = list(enumerate(keys, first_id))

    def products() -> Iterator[tuple[Any, ...]]:
        for handle, key in rows:
            yield (
                key.k,
                environment,
                key.organization,
                key.product,
                handle,
                ORGANIZATION,
                key.product,
                1,
                2,
                1,
            )

    def positions() -> Iterator[tuple[Any, ...]]:
        for handle, key in rows:
            yield key.k, handle, 1, environment, 1, PLACE, CELL, SHOWN, None

    def levels() -> Iterator[tuple[Any, ...]]:
        for handle, key in rows:
            yield key.k, handle, 1, measure, level, 0, 0

    def movements() -> Iterator[tuple[Any, ...]]:
        for handle, key in rows:
            yield (
                key.k,
                handle,
                1,
                now,
                1,
                measure,
                level,
                level,
                None,
                int(Kind.CHANGE),
                f"fill-{handle}",
                "bench",
                None,
            )

    for table, records in (
        ("product", products()), ("position", positions()), ("stock", levels()), ("movement", movements()),
    ):  # fmt: skip
        await session.copy_records_to_table(table, records=records)
