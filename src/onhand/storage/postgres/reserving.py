"""The short road of a batch that only takes reservations: its gather and its commit (ADR 26).

Theory of operation. Most batches hold nothing but checked reservations of cells. They ask for places and command ids and
for nothing else, and what comes of them is, for each one, a hold with its first movement and its command id. The
general functions pay for everything a batch could ask and write; these two do not, and make the three rows of
a reservation from one set of columns. The commit is a plain statement, whose arguments no function copies. What they leave in the database is the same, row by row; a test holds them
against the general road. The two halves are chosen independently: a batch may be gathered here and, because something
was refused, committed there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from onhand.core.commands import Kind
from onhand.core.keys import ProductKey
from onhand.core.snapshot import Decision, LevelChange, Movement, NewHold, NewId, ProductChange
from onhand.storage.postgres.arrays import binaries, literal
from onhand.storage.postgres.gathering import Asked
from onhand.storage.postgres.line import Statement
from onhand.storage.postgres.statements import query
from onhand.storage.postgres.writing import Columns, encode_accepted, id_order

GATHER_PLACES: Final = Statement(
    b"gather_places",
    b"SELECT gather_places($1::bigint, $2::integer[], $3::bigint[], $4::integer[], $5::text[], $6::text[],"
    b" $7::integer[], $8::text[], $9::integer[], $10::smallint[], $11::text[], $12::bigint[])",
)
RESERVE_BATCH: Final = Statement(b"reserve_batch", query("reserve_batch").encode())

NOTHING: Final = literal([])


def gather_arguments(asked: Asked, now_us: int) -> list[bytes] | None:
    """Arguments of `gather_places`; None when the batch asks for more than places and command ids."""
    reads = asked.reads
    if not reads.places or (
        reads.positions
        or reads.holds
        or reads.hold_queries
        or reads.whole
        or reads.all_holds
        or reads.records
        or asked.documents
    ):
        return None
    products, of, ids = asked.products, asked.ordinals, asked.ids
    return [
        b"%d" % now_us,
        literal(asked.environments),
        literal([product.k for product in products]),
        literal([product.environment for product in products]),
        literal([product.organization for product in products]),
        literal([product.product for product in products]),
        literal([of[product] for product, _ in reads.places]),
        literal([place for _, place in reads.places]),
        literal([command[0] for command in ids]),
        literal([command[1] for command in ids]),
        literal([command[2] for command in ids]),
        literal([asked.hash_of(command) for command in ids]),
    ]


def commit_arguments(columns: Columns, *, unlocked: bool = False) -> list[bytes] | None:
    """Parameters of `reserve_batch.sql`; None when something else than reservations was decided.

    `unlocked`: the snapshot was not read under locks, so the versions of the configurations are compared as well.
    """
    decision, snapshot, product_ids = columns.decision, columns.snapshot, columns.ids
    taken = _taken(decision)
    if taken is None:
        return None
    ids = [made for made, _, _ in taken]
    moves = [moved for _, moved, _ in taken]
    holds = [hold for _, _, hold in taken]
    hash_of = columns.asked.hash_of
    known, first = columns.levels()
    products = locked_products(decision)
    return [
        b"%d" % decision.now,
        literal([row.product.k for row in moves]),
        literal([product_ids[row.product] for row in moves]),
        literal([row.environment for row in ids]),
        literal([row.id for row in ids]),
        literal([hash_of((row.environment, row.kind, row.id)) for row in ids]),
        literal([row.fingerprint for row in ids]),
        binaries([encode_accepted(row.accepted) for row in ids]),
        literal([row.hold for row in moves]),
        literal([row.position for row in moves]),
        literal([row.measure for row in moves]),
        literal([row.delta for row in moves]),
        literal([row.sequence for row in moves]),
        literal([row.level for row in moves]),
        literal([row.caller for row in moves]),
        _sparse([row.reference for row in holds]),
        _sparse([row.channel for row in holds]),
        _sparse([row.order for row in holds]),
        _sparse([row.owner for row in holds]),
        _sparse([row.expires_at for row in holds]),
        literal([row.product.k for row in products]),
        literal([product_ids[row.product] for row in products]),
        literal([row.version for row in products]),
        literal([row.next_hold for row in products]),
        *_levels(known, product_ids),
        *_levels(first, product_ids),
        literal([snapshot.products[row.product].version for row in products]),
        literal(list(snapshot.configuration)) if unlocked else NOTHING,
        literal(list(snapshot.configuration.values())) if unlocked else NOTHING,
    ]


def locked_products(decision: Decision) -> list[ProductChange]:
    """The products in the order in which they are locked, which is that of every gather."""
    return sorted(decision.products, key=lambda row: (row.product.k, row.product))


def _taken(decision: Decision) -> list[tuple[NewId, Movement, NewHold]] | None:
    """Each reservation's id, movement and hold, in the order of ids; None when the batch did anything else."""
    if (
        decision.positions
        or decision.set_at
        or decision.terms
        or decision.holds
        or decision.refusals
        or decision.documents
        or decision.wipes
        or not len(decision.ids) == len(decision.movements) == len(decision.new_holds)
    ):
        return None
    holds = {(hold.product, hold.number): hold for hold in decision.new_holds}
    taken = []
    for made, moved in zip(decision.ids, decision.movements, strict=True):
        hold = holds.get((moved.product, moved.hold or 0))
        whole = hold is not None and hold.remaining == hold.quantity == moved.delta and hold.counted
        if hold is None or not whole or moved.kind is not Kind.RESERVE or moved.command_id != made.id:
            return None
        taken.append((made, moved, hold))
    taken.sort(key=lambda one: id_order(one[0]))
    return taken


def _levels(levels: Sequence[LevelChange], product_ids: Mapping[ProductKey, int]) -> list[bytes]:
    return [
        literal([row.product.k for row in levels]),
        literal([product_ids[row.product] for row in levels]),
        literal([row.position for row in levels]),
        literal([row.measure for row in levels]),
        literal([row.own for row in levels]),
        literal([row.finer for row in levels]),
        literal([row.held for row in levels]),
    ]


def _sparse(column: Sequence[object]) -> bytes:
    """A column that mostly has nothing in it; then it costs nothing. Zero is something: the expiry of 1970."""
    return NOTHING if all(value is None or value == "" for value in column) else literal(column)
