"""Forgetting a product at one place: what a wipe deletes besides what the decision writes."""

from __future__ import annotations

from collections.abc import Sequence

from onhand.core.commands import Kind
from onhand.core.keys import ProductKey
from onhand.core.snapshot import CommandId
from onhand.storage.postgres.gathering import command_hash
from onhand.storage.postgres.line import Line
from onhand.storage.postgres.pool import Session
from onhand.storage.postgres.statements import query

MOVEMENTS_PER_CHUNK = 10_000
"""Ledger rows whose command ids are deleted by one statement."""


async def forget_ids(session: Session | Line, product: ProductKey, product_id: int, place: str) -> int:
    """Delete the command ids of the product's movements at the place; returns how many there were.

    Two round trips for each `MOVEMENTS_PER_CHUNK` ledger rows of the product.
    """
    after, deleted = 0, 0
    while True:
        rows = await session.fetch(
            query("wiped_commands"), product.k, product_id, place, after, MOVEMENTS_PER_CHUNK
        )
        if not rows:
            return deleted
        after = max(row["sequence"] for row in rows)
        wanted = [
            ((product.environment, Kind(row["kind"]), row["command_id"]), row["at"])
            for row in rows
            if row["here"]
        ]
        if wanted:
            deleted += await delete_ids(session, wanted)


async def delete_ids(session: Session | Line, wanted: Sequence[tuple[CommandId, int]]) -> int:
    """Delete command ids with the moments (microseconds since 1970) at which they were accepted; returns how many."""
    commands = [command for command, _ in wanted]
    tag = await session.execute(
        query("delete_commands"),
        [command_hash(command) for command in commands],
        [command[0] for command in commands],
        [command[1] for command in commands],
        [command[2] for command in commands],
        [at for _, at in wanted],
    )
    return int(tag.rsplit(" ", 1)[1])


async def forget_stock(session: Session | Line, product: ProductKey, product_id: int, place: str) -> None:
    """Delete the product's stock rows at the place; one round trip."""
    await session.execute(query("delete_stock"), product.k, product_id, place)
