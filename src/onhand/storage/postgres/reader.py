"""Reads that take no locks. Listings use keyset cursors; a page costs one round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from asyncpg import Record

from onhand.core.commands import Kind
from onhand.core.keys import Dimensions, ProductKey, decode, hold_id, parse_hold_id, product_key
from onhand.rows import (
    HoldFilter,
    HoldRow,
    MovementRow,
    Page,
    ProductAudit,
    ProductStock,
    RecentMovement,
    RefusalRow,
    StockFilter,
    StockRow,
)
from onhand.storage.postgres import cursors
from onhand.storage.postgres.errors import faults
from onhand.storage.postgres.pool import Database, Session
from onhand.storage.postgres.statements import query

TOP = (1 << 63) - 1
BOTTOM = -(1 << 63)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CANDIDATES_PER_PAGE = 1_000
"""Products that one statement of `candidates` returns."""

HOLD_CONDITIONS = {
    "organization": "AND p.organization_key = ${n}",
    "product": "AND p.product_key = ${n}",
    "reference": "AND h.reference = ${n} AND h.reference <> ''",
    "channel": "AND h.channel = ${n}",
    "order": "AND h.order_key = ${n} AND h.order_key <> ''",
}
"""Column of a filter -> its condition."""


OPEN = "AND h.remaining > 0 AND (h.expires_at IS NULL OR h.expires_at > ${n})"
CLOSED = "AND (h.remaining = 0 OR h.expires_at <= ${n})"


class PostgresReader:
    """Implements `ports.Reader`."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool

    async def stock(self, which: StockFilter, now_us: int) -> list[ProductStock]:
        """Stock of the matching products; two round trips in one snapshot of products that never go away."""
        with faults():
            products = await self._matching(which)
            if not products:
                return []
            levels = await self._pool.fetch(
                query("levels").format(cells="" if which.records else "AND q.cell_no = q.position_no"),
                [row["k"] for row in products],
                [row["product_id"] for row in products],
                None if which.places is None else list(which.places),
                now_us,
            )
        found = [ProductStock(_product(row), row["organization"], row["product"], [], {}) for row in products]
        for row in levels:
            one = found[row["ordinal"] - 1]
            one.rows.append(StockRow(row["key"], row["cell"], row["measure_id"], row["own"], row["finer"]))
            if row["key"] not in one.shown:
                one.shown[row["key"]] = _dimensions(row["shown"])
        return [one for one in found if one.rows]

    async def _matching(self, which: StockFilter) -> list[Record]:
        organizations, products, places = which.organizations, which.products, which.places
        if organizations is not None and products is not None:
            keys = [
                product_key(which.environment, first, second)
                for first in organizations
                for second in products
            ]
            return await self._pool.fetch(query("products_by_key"), *_columns(keys))
        if products is None and places is not None:
            return await self._pool.fetch(
                query("products_by_place"), which.environment, list(places), _list(organizations)
            )
        return await self._pool.fetch(
            query("products_by_name"), which.environment, _list(organizations), _list(products)
        )

    async def partitions(self, environment: int, *, by_location: bool) -> list[tuple[str, str, str]]:
        """(organization, product or "", place) of each partition that holds stock; folded."""
        with faults():
            rows = await self._pool.fetch(query("partitions"), environment, by_location)
        return [tuple(row) for row in rows]

    async def products(self, environment: int, after: ProductKey | None, limit: int) -> list[ProductKey]:
        """Products of an environment in key order."""
        start = (BOTTOM, 0, "", "") if after is None else _key(after)
        with faults():
            rows = await self._pool.fetch(query("products"), environment, *start, limit)
        return [_product(row) for row in rows]

    async def products_at(self, environment: int, organization: str, place: str) -> list[ProductKey]:
        """Products of an organization with stock at a place."""
        with faults():
            rows = await self._pool.fetch(query("products_at"), environment, organization, place)
        return [_product(row) for row in rows]

    async def due_products(self, now_us: int, limit: int) -> list[ProductKey]:
        """Products with expired, still open holds."""
        with faults():
            rows = await self._pool.fetch(query("due_products"), now_us, limit)
        return [_product(row) for row in rows]

    async def candidates(self, environment: int, organization: str, cell: str) -> AsyncIterator[ProductKey]:
        """Products of an organization that have this cell; one round trip for each thousand products."""
        after = (BOTTOM, 0)
        while True:
            with faults():
                rows = await self._pool.fetch(
                    query("candidates"), environment, cell, *after, CANDIDATES_PER_PAGE
                )
            for row in rows:
                if row["organization_key"] == organization:
                    yield _product(row)
            if len(rows) < CANDIDATES_PER_PAGE:
                return
            after = rows[-1]["k"], rows[-1]["product_id"]

    async def holds(self, which: HoldFilter, now_us: int, after: str | None, limit: int) -> Page:
        """Holds, newest first."""
        start = (TOP, TOP, TOP, TOP) if after is None else cursors.decode(after, 4)
        conditions, values = [], []
        for name, condition in HOLD_CONDITIONS.items():
            value = getattr(which, name)
            if value is not None:
                values.append(value)
                conditions.append(condition.format(n=6 + len(values)))
        if which.open is not None:
            values.append(now_us)
            conditions.append((OPEN if which.open else CLOSED).format(n=6 + len(values)))
        with faults():
            rows = await self._pool.fetch(
                query("holds").format(conditions=" ".join(conditions)),
                which.environment,
                *start,
                limit + 1,
                *values,
            )
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            following = cursors.encode(last["created_at"], last["k"], last["product_id"], last["hold_no"])
        return Page([_hold(row, now_us) for row in rows[:limit]], following)

    async def hold(self, environment: int, hold_id: str, now_us: int) -> HoldRow | None:
        """One hold."""
        row = await self._hold(environment, hold_id)
        return None if row is None else _hold(row, now_us)

    async def holds_named(self, environment: int, hold_ids: Sequence[str], now_us: int) -> list[HoldRow]:
        """Those of these holds that exist, in no order; one round trip."""
        parsed = [
            one for one in map(parse_hold_id, hold_ids) if one and all(BOTTOM <= part <= TOP for part in one)
        ]
        if not parsed:
            return []
        columns = [list(column) for column in zip(*parsed, strict=True)]
        with faults():
            rows = await self._pool.fetch(query("holds_named"), *columns, environment)
        return [_hold(row, now_us) for row in rows]

    async def hold_product(self, environment: int, hold_id: str) -> ProductKey | None:
        """The product that a hold belongs to."""
        row = await self._hold(environment, hold_id)
        return None if row is None else _product(row)

    async def _hold(self, environment: int, hold_id: str) -> Record | None:
        parsed = parse_hold_id(hold_id)
        if parsed is None or any(not BOTTOM <= part <= TOP for part in parsed):
            return None
        with faults():
            return await self._pool.fetchrow(query("hold"), *parsed, environment)

    async def movements(
        self, product: ProductKey, position: str | None, measure: int | None, after: str | None, limit: int
    ) -> Page:
        """Ledger rows of one product, newest first."""
        start = TOP if after is None else cursors.decode(after, 1)[0]
        with faults():
            rows = await self._pool.fetch(
                query("movements"), *_key(product), start, position, measure, limit + 1
            )
        more = len(rows) > limit
        return Page(
            [_movement(row) for row in rows[:limit]],
            cursors.encode(rows[limit - 1]["sequence"]) if more else None,
        )

    async def recent_movements(
        self, products: Sequence[ProductKey], measures: Sequence[int], since: datetime, limit: int
    ) -> list[RecentMovement]:
        """The newest ledger rows of each product since a time, oldest first; one round trip."""
        with faults():
            rows = await self._pool.fetch(
                query("recent_movements"), *_columns(products), since, list(measures), limit
            )
        return [
            RecentMovement(
                product=products[row["ordinal"] - 1],
                sequence=row["sequence"],
                at=(row["at"] - EPOCH) // timedelta(microseconds=1),
                position=row["key"],
                measure=row["measure_id"],
                delta=row["delta"],
                level=row["level"],
                command_id=row["command_id"],
                caller=row["caller"],
            )
            for row in rows
        ]

    async def refusals(self, environment: int, since: datetime, after: str | None, limit: int) -> Page:
        """Refusals, newest first."""
        until, skip = datetime.max.replace(tzinfo=UTC), 0
        if after is not None:
            micros, skip = cursors.decode(after, 2)
            until = EPOCH + timedelta(microseconds=micros)
        with faults():
            rows = await self._pool.fetch(query("refusals"), environment, since, until, skip, limit + 1)
        following = None
        if len(rows) > limit:
            at = rows[limit - 1]["at"]
            seen = sum(1 for row in rows[:limit] if row["at"] == at) + (skip if at == until else 0)
            following = cursors.encode((at - EPOCH) // timedelta(microseconds=1), seen)
        return Page([_refusal(row) for row in rows[:limit]], following)

    async def audit(self, products: Sequence[ProductKey]) -> list[ProductAudit]:
        """What `verify` compares, read in one repeatable-read transaction; products that do not exist are left out."""
        with faults():
            async with (
                self._pool.acquire() as session,
                session.transaction(isolation="repeatable_read", readonly=True),
            ):
                return await _audit(session, products)


async def _audit(session: Session, products: Sequence[ProductKey]) -> list[ProductAudit]:
    rows = await session.fetch(query("audit_products"), *_columns(products))
    which = [row["k"] for row in rows], [row["product_id"] for row in rows]
    audits = [
        ProductAudit(
            product=_product(row),
            version=row["version"],
            stock={},
            cells={},
            folded={},
            open_holds={},
            sequences=0,
        )
        for row in rows
    ]
    for row in await session.fetch(query("audit_stock"), *which):
        one = audits[row["ordinal"] - 1]
        one.cells[row["key"]] = row["cell"]
        if row["measure_id"] is not None:
            one.stock[row["key"], row["measure_id"]] = (row["own"], row["finer"], row["held"])
    for row in await session.fetch(query("audit_ledger"), *which):
        one = audits[row["ordinal"] - 1]
        one.folded[row["key"], row["measure_id"]] = row["delta"]
        one.sequences += row["movements"]
    for row in await session.fetch(query("audit_holds"), *which):
        audits[row["ordinal"] - 1].open_holds[row["key"], row["measure_id"]] = row["remaining"]
    return audits


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _key(product: ProductKey) -> tuple[int, int, str, str]:
    return product.k, product.environment, product.organization, product.product


def _columns(products: Sequence[ProductKey]) -> tuple[list[int], list[int], list[str], list[str]]:
    return (
        [product.k for product in products],
        [product.environment for product in products],
        [product.organization for product in products],
        [product.product for product in products],
    )


def _product(row: Record) -> ProductKey:
    return ProductKey(row["k"], row["environment_no"], row["organization_key"], row["product_key"])


def _dimensions(shown: list[list[str]]) -> Dimensions:
    return tuple((name, value) for name, value in shown)


def _hold(row: Record, now_us: int) -> HoldRow:
    """A hold as it is now: from the moment it expires it is closed, whenever the ledger follows."""
    expires_at = row["expires_at"]
    expired = row["remaining"] > 0 and expires_at is not None and expires_at <= now_us
    closed_by = Kind.EXPIRE if expired else row["closed_by"]
    return HoldRow(
        id=hold_id(row["k"], row["product_id"], row["hold_no"]),
        organization=row["organization"],
        product=row["product"],
        dimensions=_dimensions(row["shown"]),
        measure=row["measure_id"],
        quantity=row["quantity"],
        remaining=0 if expired else row["remaining"],
        reference=row["reference"],
        channel=row["channel"],
        order=row["order_key"],
        caller=row["caller"],
        expires_at=expires_at,
        created_at=row["created_at"],
        closed_at=expires_at if expired else row["closed_at"],
        closed_by=None if closed_by is None else Kind(closed_by),
    )


def _movement(row: Record) -> MovementRow:
    hold = row["hold_no"]
    return MovementRow(
        organization=row["organization"],
        product=row["product"],
        sequence=row["sequence"],
        at=row["at"],
        dimensions=_dimensions(row["shown"]),
        measure=row["measure_id"],
        delta=row["delta"],
        level=row["level"],
        hold=None if hold is None else hold_id(row["k"], row["product_id"], hold),
        kind=Kind(row["kind"]),
        command_id=row["command_id"],
        caller=row["caller"],
        reason=row["reason"] or "",
    )


def _refusal(row: Record) -> RefusalRow:
    return RefusalRow(
        organization=row["organization"],
        product=row["product"],
        at=row["at"],
        kind=Kind(row["kind"]),
        command_id=row["command_id"],
        caller=row["caller"],
        channel=row["channel"],
        dimensions=decode(row["position"]),
        measure=row["measure_id"],
        requested=row["requested"],
        available=row["available"],
        reason=row["reason"],
        nodes=tuple(row["nodes"]),
    )
