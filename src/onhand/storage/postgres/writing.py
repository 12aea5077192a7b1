"""A decision as the arguments of `commit_batch`: one array for each column, rows of a table aligned.

Rows come in the order in which they were decided, but for command ids, which are sorted: two batches that bring the same
ids wait for each other in one direction only. Levels whose row was read are updated, the others are upserted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite
from onhand.core.keys import ProductKey
from onhand.core.snapshot import Decision, LevelChange, NewId, NewPosition, Snapshot
from onhand.service.faults import InvariantViolation
from onhand.storage.postgres import arrays
from onhand.storage.postgres.gathering import Asked, command_hash

_encode_accepted = msgspec.msgpack.Encoder().encode

_TYPES = """
    bigint bigint bigint integer bigint
    bigint bigint integer integer integer text text text
    bigint bigint integer integer bigint bigint bigint
    bigint bigint integer integer bigint bigint bigint
    bigint bigint integer text bigint
    bigint bigint bigint integer integer bigint bigint text text text text text bigint smallint boolean
    text
    bigint bigint bigint bigint bigint smallint
    bigint bigint bigint integer integer bigint bigint bigint smallint text text text
    bigint integer smallint text bigint bytea
    bigint bigint smallint text text text text integer bigint bigint text text
    bigint integer text text bigint bigint boolean bigint text bytea
"""
"""One line for each part of `Columns.arguments`; levels have two, known and new."""
COMMIT_BATCH = f"SELECT {arrays.call('commit_batch', _TYPES)}"

LIST_END = "\x1f"
"""Follows each text of a list: position keys, which are percent-encoded, and labels. Neither contains it."""


class Columns:
    """Collects the arguments, table by table."""

    def __init__(self, decision: Decision, snapshot: Snapshot, asked: Asked) -> None:
        self.decision = decision
        self.snapshot = snapshot
        self.asked = asked
        self.ids = {product: state.product_id for product, state in snapshot.products.items()}

    def arguments(self) -> list[object]:
        """Arguments of `commit_batch`, in its order."""
        return [
            self.decision.now,
            *arrays.arguments(
                _TYPES,
                chain(
                    self._products(),
                    self._positions(),
                    self._levels(),
                    self._set_at(),
                    self._new_holds(),
                    self._terms(),
                    self._holds(),
                    self._movements(),
                    self._ids(),
                    self._refusals(),
                    self._documents(),
                ),
            ),
        ]

    def _products(self) -> Columned:
        ids = self.ids
        return columns(
            5,
            [
                (row.product.k, ids[row.product], row.version, row.next_position, row.next_hold)
                for row in self.decision.products
            ],
        )

    def _positions(self) -> Columned:
        numbers = _cell_numbers(self.decision.positions, self.snapshot)
        return columns(
            8,
            [
                (
                    row.product.k,
                    self.ids[row.product],
                    row.number,
                    row.product.environment,
                    numbers[row.product, row.position.cell],
                    row.position.place,
                    row.position.key,
                    msgspec.json.encode(row.position.shown).decode(),
                )
                for row in self.decision.positions
            ],
        )

    def _levels(self) -> Columned:
        of, stored = self.asked.ordinals, self.asked.stored
        if self.decision.wipes:  # rows that were read may be gone
            stored = set()
        known: list[LevelChange] = []
        new: list[LevelChange] = []
        for row in self.decision.levels:
            (known if (of[row.product], row.position, row.measure) in stored else new).append(row)
        return chain(self._level_columns(known), self._level_columns(new))

    def _level_columns(self, levels: list[LevelChange]) -> Columned:
        ids = self.ids
        return columns(
            7,
            [
                (row.product.k, ids[row.product], row.position, row.measure, row.own, row.finer, row.held)
                for row in levels
            ],
        )

    def _set_at(self) -> Columned:
        keys = {(row.product, row.number): row.position.key for row in self.decision.positions}
        for product in {row[0] for row in self.decision.set_at}:
            for state in self.snapshot.products[product].positions.values():
                keys[product, state.number] = state.key
        return columns(
            5,
            [
                (product.k, self.ids[product], number, keys[product, number], at)
                for product, number, at in self.decision.set_at
            ],
        )

    def _new_holds(self) -> Columned:
        ids = self.ids
        table = columns(
            15,
            [
                (
                    row.product.k,
                    ids[row.product],
                    row.number,
                    row.position,
                    row.measure,
                    row.quantity,
                    row.remaining,
                    row.reference,
                    row.channel,
                    row.order,
                    row.owner,
                    row.caller,
                    row.expires_at,
                    row.closed_by,
                    None if row.counted else True,
                )
                for row in self.decision.new_holds
            ],
        )
        return sparse(table, 7, 8, 9, 10, 12, 13, 14)

    def _terms(self) -> Columned:
        return columns(
            1,
            [
                (
                    msgspec.json.encode(
                        {
                            "k": row.product.k,
                            "product_id": self.ids[row.product],
                            "hold_no": row.number,
                            "quantity": row.quantity,
                            "reference": row.owner.reference,
                            "channel": row.owner.channel,
                            "order_key": row.owner.order,
                            "owner": row.owner.key,
                            "counted": row.counted,
                        }
                    ).decode(),
                )
                for row in self.decision.terms
            ],
        )

    def _holds(self) -> Columned:
        return columns(
            6,
            [
                (
                    row.product.k,
                    self.ids[row.product],
                    row.number,
                    row.remaining,
                    row.expires_at,
                    row.closed_by,
                )
                for row in self.decision.holds
            ],
        )

    def _movements(self) -> Columned:
        ids = self.ids
        table = columns(
            12,
            [
                (
                    row.product.k,
                    ids[row.product],
                    row.sequence,
                    row.position,
                    row.measure,
                    row.delta,
                    row.level,
                    row.hold,
                    row.kind,
                    row.command_id,
                    row.caller,
                    row.reason or None,
                )
                for row in self.decision.movements
            ],
        )
        return sparse(table, 7, 11)

    def _ids(self) -> Columned:
        hashes = self.asked.hashes
        return columns(
            6,
            [
                (
                    hashes.get((row.environment, row.kind, row.id))
                    or command_hash((row.environment, row.kind, row.id)),
                    row.environment,
                    row.kind,
                    row.id,
                    row.fingerprint,
                    _encode_accepted(row.accepted),
                )
                for row in sorted(self.decision.ids, key=_id_order)
            ],
        )

    def _refusals(self) -> Columned:
        return columns(
            12,
            [
                (
                    row.product.k,
                    self.ids[row.product],
                    row.kind,
                    row.command_id,
                    row.caller,
                    row.channel,
                    row.position,
                    row.measure,
                    row.requested,
                    row.available,
                    row.reason,
                    "".join(node + LIST_END for node in row.nodes),
                )
                for row in self.decision.refusals
            ],
        )

    def _documents(self) -> Columned:
        first: dict[DocumentKey, int] = {}
        last: dict[DocumentKey, DocumentWrite] = {}
        deleted: set[DocumentKey] = set()
        for write in self.decision.documents:  # groups of a batch may write one document: the last body stays
            first.setdefault(write.key, write.expected_version)
            last[write.key] = write
            if write.delete:
                deleted.add(write.key)
        table = columns(
            10,
            [
                (
                    key.d,
                    key.environment,
                    key.kind,
                    key.id,
                    first[key],
                    last[key].version,
                    key in deleted or None,
                    last[key].due_at,
                    "".join(label + LIST_END for label in last[key].labels),
                    b"" if last[key].delete else last[key].body,
                )
                for key in sorted(last)
                if first[key] or not last[key].delete  # made and deleted in one batch: nothing was ever there
            ],
        )
        return sparse(table, 6, 7, 8)


Columned = Iterable[Sequence[object]]


def columns(width: int, rows: Sequence[tuple[object, ...]]) -> Columned:
    """Rows turned into columns; no rows are that many empty columns."""
    return zip(*rows, strict=True) if rows else [()] * width


def sparse(table: Columned, *optional: int) -> Columned:
    """The columns of a table; an optional one that holds nothing but null or empty texts is left empty."""
    return [
        () if at in optional and not any(column) and 0 not in column else column
        for at, column in enumerate(table)
    ]


def _id_order(row: NewId) -> tuple[int, int, str]:
    return row.environment, row.kind, row.id


def _cell_numbers(positions: list[NewPosition], snapshot: Snapshot) -> dict[tuple[ProductKey, str], int]:
    """Number of the cell of each new position: new itself, or read."""
    numbers = {(row.product, row.position.key): row.number for row in positions}
    for row in positions:
        cell = (row.product, row.position.cell)
        if cell not in numbers:
            stored = snapshot.products[row.product].positions.get(row.position.cell)
            if stored is None:
                raise InvariantViolation(f"Position {row.position.key!r} has no cell {row.position.cell!r}.")
            numbers[cell] = stored.number
    return numbers
