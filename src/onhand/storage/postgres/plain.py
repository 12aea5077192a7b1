"""The reference form of gather: plain statements, one product after the other, filtered here.

Slow and obvious. The contract test holds `gather_batch` against it; it is also what a server without PL/pgSQL, or a
cluster where a locking statement must stay in one shard, starts from.
"""

from __future__ import annotations

from typing import Any

import msgspec

from onhand.core.commands import Document, DocumentKey
from onhand.core.keys import ProductKey
from onhand.core.outcomes import Accepted
from onhand.core.snapshot import (
    HoldState,
    Level,
    PositionState,
    ProductState,
    Reads,
    Seen,
    Snapshot,
)
from onhand.service.faults import Conflict
from onhand.storage.postgres.fence import share_fence
from onhand.storage.postgres.gathering import ENSURE, Asked
from onhand.storage.postgres.statements import query
from onhand.storage.postgres.store import PostgresUnit

Row = dict[str, Any]


class PlainUnit(PostgresUnit):
    """A unit whose gather is plain statements."""

    async def _read(self, asked: Asked, now_us: int) -> Snapshot:
        line, snapshot = self._line, Snapshot()
        if asked.products:
            await line.send((ENSURE, asked.ensure_arguments()))
        await line.send(*line.begin)
        await self._lock(asked, snapshot)
        for product, state in snapshot.products.items():
            await self._read_product(asked, product, state, now_us)
        await self._read_rest(asked, snapshot)
        return snapshot

    async def _lock(self, asked: Asked, snapshot: Snapshot) -> None:
        for environment in asked.environments:
            await share_fence(self._line, environment)
        for key in asked.documents:
            await self._document(key)
        for product in asked.products:
            row = await self._line.fetchrow(
                query("plain_lock_product"),
                product.k,
                product.environment,
                product.organization,
                product.product,
            )
            if row is None:
                raise Conflict("A product vanished while it was being locked; nothing was recorded.")
            snapshot.products[product] = ProductState(*row.values())

    async def _read_rest(self, asked: Asked, snapshot: Snapshot) -> None:
        for command in asked.ids:
            row = await self._line.fetchrow(query("plain_command"), asked.hash_of(command), *command)
            if row is not None:
                accepted = msgspec.msgpack.decode(row["accepted"], type=Accepted)
                snapshot.ids[command] = Seen(row["fingerprint"], accepted)
        for key in asked.documents:
            snapshot.documents[key] = await self._document(key)
        for environment in asked.environments:
            version = await self._line.fetchval(
                "SELECT configuration_version FROM environment WHERE environment_no = $1", environment
            )
            if version is not None:
                snapshot.configuration[environment] = version

    async def _document(self, key: DocumentKey) -> Document:
        row = await self._line.fetchrow(
            query("plain_lock_document"), key.d, key.environment, key.kind, key.id
        )
        return Document(key, row["version"], row["body"]) if row else Document(key, 0, b"")

    async def _read_product(
        self, asked: Asked, product: ProductKey, state: ProductState, now_us: int
    ) -> None:
        reads = asked.reads
        rows = await self._line.fetch(query("plain_positions"), product.k, state.product_id)
        holds = await self._line.fetch(query("plain_holds"), product.k, state.product_id)
        state.holds = {
            row["hold_no"]: HoldState(
                number=row["hold_no"],
                position=row["position"],
                measure=row["measure_id"],
                quantity=row["quantity"],
                remaining=row["remaining"],
                owner=row["owner"],
                expires_at=row["expires_at"],
                created_at=row["created_at"],
                counted=row["counted"],
            )
            for row in holds
            if row["hold_no"] in wanted_holds(reads, product, holds, now_us)
        }
        keys = {row["position_no"]: row["key"] for row in rows}
        for row in rows_wanted(reads, product, rows, holds, set(state.holds)):
            state.positions[row["key"]] = PositionState(
                row["position_no"], row["key"], row["place"], keys[row["cell_no"]], row["set_at"]
            )
            if row["measure_id"] is not None:
                state.stock[row["key"], row["measure_id"]] = Level(row["own"], row["finer"], row["held"])


def wanted_holds(reads: Reads, product: ProductKey, holds: list[Row], now_us: int) -> set[int]:
    """Numbers of the holds of a product that the reads ask for, and of those that are due."""
    opened = [row for row in holds if row["remaining"] > 0]
    due = {row["hold_no"] for row in opened if row["expires_at"] is not None and row["expires_at"] <= now_us}
    named = {number for key, number in reads.holds if key == product} & {row["hold_no"] for row in holds}
    wanted = due | named
    for query_ in reads.hold_queries:
        reached = 0
        for row in opened:
            if reached >= query_.quantity:
                break
            matches = (product, row["position"], row["measure_id"], row["owner"]) == (
                query_.product,
                query_.position,
                query_.measure,
                query_.owner,
            )
            if matches and row["hold_no"] not in due | named:
                reached += row["remaining"]
                wanted.add(row["hold_no"])
    for key, place in reads.all_holds:
        if key == product:
            wanted |= {row["hold_no"] for row in opened if place is None or row["place"] == place}
    return wanted


def rows_wanted(
    reads: Reads, product: ProductKey, rows: list[Row], holds: list[Row], found: set[int]
) -> list[Row]:
    """Rows of the positions that the reads ask for, those of the holds found, and the cells of all of them."""
    places = {place for key, place in reads.places if key == product}
    named = {number for key, number in reads.holds if key == product}
    places |= {row["place"] for row in holds if row["hold_no"] in named}
    exact = {position for key, position in reads.positions if key == product}
    exact |= {row["position"] for row in holds if row["hold_no"] in found}
    records = {place for key, place in reads.records if key == product}
    wanted = {
        row["position_no"]
        for row in rows
        if row["key"] in exact
        or (row["position_no"] == row["cell_no"] and (product in reads.whole or row["place"] in places))
        or (records and (None in records or row["place"] in records))
    }
    wanted |= {row["cell_no"] for row in rows if row["position_no"] in wanted}
    return [row for row in rows if row["position_no"] in wanted]
