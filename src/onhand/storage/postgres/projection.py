"""Re-projection: positions move to other places and cells when the reservation dimensions change.

The rule is the core's: a place or a cell is the key of a position restricted to some dimensions, in canonical
order (`keys.encode`). It is computed here, once for each distinct key of a chunk, and not in SQL. `stock.finer` is then
summed again from the records. The caller holds the closed fence; products are locked as well, in key order.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from asyncpg import Record

from onhand.core.keys import Dimensions, decode, encode
from onhand.storage.postgres.pool import Session
from onhand.storage.postgres.statements import query

PRODUCTS_PER_CHUNK = 500
"""Products that are locked, read and written by one round of statements."""


class Projection:
    """The dimensions that make a place and a cell."""

    def __init__(self, reservation_dimensions: Collection[str], partition: Collection[str]) -> None:
        self._cell = frozenset(reservation_dimensions)
        self._place = frozenset(partition)
        self.of = lru_cache(maxsize=100_000)(self._of)

    def _of(self, key: str) -> tuple[str, str]:
        """(place, cell) of a position key."""
        dimensions = decode(key)
        return encode(_restrict(dimensions, self._place)), encode(_restrict(dimensions, self._cell))

    def shown(self, shown: Dimensions) -> Dimensions:
        """Spelling of the cell of a position with this spelling."""
        return _restrict(shown, self._cell)


def _restrict(dimensions: Dimensions, names: Collection[str]) -> Dimensions:
    return tuple(pair for pair in dimensions if pair[0] in names)


async def reproject(session: Session, environment: int, projection: Projection) -> int:
    """Move all positions of an environment; returns how many changed. Five round trips for each chunk of products."""
    changed, after = 0, (-(1 << 63), 0)
    while True:
        products = await session.fetch(query("lock_products"), environment, *after, PRODUCTS_PER_CHUNK)
        if not products:
            return changed
        after = products[-1]["k"], products[-1]["product_id"]
        changed += await _chunk(session, environment, projection, products)


async def _chunk(session: Session, environment: int, projection: Projection, products: list[Record]) -> int:
    which = [row["k"] for row in products], [row["product_id"] for row in products]
    following = {(row["k"], row["product_id"]): row["next_position"] for row in products}
    positions = await session.fetch(query("positions_of"), *which)
    numbers = {(row["k"], row["product_id"], row["key"]): row["position_no"] for row in positions}
    added: list[tuple[object, ...]] = []
    moved: list[tuple[object, ...]] = []
    for row in positions:
        product = row["k"], row["product_id"]
        place, cell = projection.of(row["key"])
        number = numbers.get((*product, cell))
        if number is None:
            number = numbers[(*product, cell)] = following[product]
            following[product] += 1
            shown = projection.shown(tuple((name, value) for name, value in row["shown"]))
            added.append((*product, number, environment, number, projection.of(cell)[0], cell, shown))
        if (place, number) != (row["place"], row["cell_no"]):
            moved.append((*product, row["position_no"], place, number))
    if moved:
        await session.execute(query("move_positions"), *zip(*moved, strict=True))
    if added:
        await session.executemany(query("add_position"), added)
        await session.execute(
            query("number_positions"),
            [k for k, _ in following],
            [product_id for _, product_id in following],
            list(following.values()),
        )
    await session.execute(query("clear_finer"), *which)
    await session.execute(query("sum_finer"), *which)
    return len(moved)
