"""Reads of inventory items: which products a warehouse has, and the movements behind an item's levels. No locks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from asyncpg import Record

from onhand.core.commands import Kind
from onhand.core.keys import ProductKey
from onhand.core.orders.postings import ItemFilter, ItemSpot, Posting, PostingFilter
from onhand.core.orders.transactions import DOCUMENTED
from onhand.rows import Page
from onhand.storage.postgres import cursors
from onhand.storage.postgres.errors import faults
from onhand.storage.postgres.pool import Database
from onhand.storage.postgres.statements import query

TOP: Final = (1 << 63) - 1
BOTTOM: Final = -(1 << 63)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FAR_US: Final = 253_402_300_799_000_000
"""The end of the year 9999, in microseconds since 1970."""

PATTERNS: Final = [f"{beginning}%" for beginning in DOCUMENTED]

OF_PRODUCT: Final = (
    "d.k = $11 AND d.organization_key = $12 AND d.product_key = $13 AND m.sequence < $14",
    "m.sequence DESC",
)
"""(condition, order) of the ledger of one product: its sequence leads to the page, however long the ledger is."""
OF_PLACES: Final = (
    "(m.at, m.k, m.product_id, m.sequence) < ($11, $12, $13, $14)",
    "m.at DESC, m.k DESC, m.product_id DESC, m.sequence DESC",
)


class PostgresItems:
    """Implements `ports.Items`."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool

    async def postings(self, which: PostingFilter, after: str | None, limit: int) -> Page:
        """Movements of items with the levels after them, newest first."""
        condition, order = OF_PLACES if which.product is None else OF_PRODUCT
        with faults():
            rows = await self._pool.fetch(
                query("item_postings").format(which=condition, order=order),
                *_filters(which),
                limit + 1,
                *_start(which.product, after),
            )
        postings = [_posting(row, which) for row in rows[:limit]]
        return Page(postings, postings[-1].cursor if len(rows) > limit else None)

    async def count_postings(self, which: PostingFilter, limit: int) -> int:
        """How many transactions the postings make, counted up to the limit."""
        condition, _ = OF_PLACES if which.product is None else OF_PRODUCT
        with faults():
            found: int = await self._pool.fetchval(
                query("count_item_postings").format(which=condition),
                *_filters(which),
                limit,
                *_start(which.product, None),
            )
        return found

    async def items(self, which: ItemFilter, after: str | None, limit: int) -> Page:
        """Items in the order of their keys."""
        start = (BOTTOM, 0, "") if after is None else cursors.decode_placed(after)
        with faults():
            rows = await self._pool.fetch(query("items"), *_narrowed(which), *start, limit + 1)
        spots = [
            ItemSpot(
                ProductKey(row["k"], row["environment_no"], row["organization_key"], row["product_key"]),
                row["place"],
            )
            for row in rows[:limit]
        ]
        last = rows[limit - 1] if len(rows) > limit else None
        following = None if last is None else cursors.encode(last["k"], last["product_id"], last["place"])
        return Page(spots, following)

    async def count_items(self, which: ItemFilter, limit: int) -> int:
        """How many items there are, counted up to the limit."""
        text = f"SELECT count(*) FROM ({query('items')}) AS found"  # noqa: S608 - our own text
        with faults():
            found: int = await self._pool.fetchval(text, *_narrowed(which), BOTTOM, 0, "", limit)
        return found


def _narrowed(which: ItemFilter) -> tuple[object, ...]:
    return (
        which.environment,
        which.inventory,
        list(which.organizations),
        None if which.products is None else list(which.products),
        list(which.places),
        which.since,
        which.in_stock,
    )


def _filters(which: PostingFilter) -> tuple[object, ...]:
    return (
        which.environment,
        which.inventory,
        which.reserved,
        PATTERNS,
        None if which.places is None else list(which.places),
        which.since,
        which.until,
        which.caller,
        which.sku,
    )


def _start(product: ProductKey | None, after: str | None) -> tuple[object, ...]:
    if product is not None:
        sequence = TOP if after is None else cursors.decode(after, 1)[0]
        return product.k, product.organization, product.product, sequence
    us, k, product_id, sequence = (FAR_US, TOP, TOP, TOP) if after is None else cursors.decode(after, 4)
    return EPOCH + timedelta(microseconds=min(us, FAR_US)), k, product_id, sequence


def _cursor(which: PostingFilter, row: Record) -> str:
    if which.product is not None:
        return cursors.encode(row["sequence"])
    return cursors.encode(_us(row["at"]), row["k"], row["product_id"], row["sequence"])


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _posting(row: Record, which: PostingFilter) -> Posting:
    return Posting(
        key=ProductKey(row["k"], row["environment_no"], row["organization_key"], row["product_key"]),
        organization=row["organization"],
        product=row["product"],
        sequence=row["sequence"],
        at=row["at"],
        place=row["place"],
        dimensions=tuple((name, value) for name, value in row["shown"]),
        is_reserved=row["measure_id"] == which.reserved,
        delta=row["delta"],
        inventory=row["inventory"],
        reserved=row["reserved"],
        kind=Kind(row["kind"]),
        command_id=row["command_id"],
        caller=row["caller"],
        reason=row["reason"] or "",
        cursor=_cursor(which, row),
    )
