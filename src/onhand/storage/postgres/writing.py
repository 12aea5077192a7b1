"""A decision as the arguments of `commit_batch`: a table each, columns aligned.

Rows come in the order in which they were decided, but for command ids, which are sorted: two batches that bring the same
ids wait for each other in one direction only. Levels whose row was read are updated, the others are upserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite
from onhand.core.keys import ProductKey
from onhand.core.snapshot import Decision, LevelChange, NewId, NewPosition, Snapshot
from onhand.service.faults import InvariantViolation
from onhand.storage.postgres.arrays import EMPTY, binaries, literal, table
from onhand.storage.postgres.gathering import Asked
from onhand.storage.postgres.line import BINARY, Statement

encode_accepted: Final = msgspec.msgpack.Encoder().encode

TABLES = 12
"""Arguments of `commit_batch` after the time."""
COMMIT_BATCH = Statement(
    b"commit_batch",
    b"SELECT commit_batch($1::bigint, %s)" % b", ".join(b"$%d::text[]" % at for at in range(2, TABLES + 2)),
    (0, *(BINARY,) * TABLES),
)

LIST_END = "\x1f"
"""Follows each text of a list: position keys, which are percent-encoded, and labels. Neither contains it."""


class Columns:
    """Collects the arguments, table by table."""

    def __init__(self, decision: Decision, snapshot: Snapshot, asked: Asked) -> None:
        self.decision = decision
        self.snapshot = snapshot
        self.asked = asked
        self.ids = {product: state.product_id for product, state in snapshot.products.items()}

    def arguments(self) -> list[bytes]:
        """Arguments of `commit_batch`, in its order."""
        known, first = self.levels()
        return [
            b"%d" % self.decision.now,
            self._products(),
            self._positions(),
            self._level_table(known),
            self._level_table(first),
            self._set_at(),
            self._new_holds(),
            self._terms(),
            self._holds(),
            self._movements(),
            self._ids(),
            self._refusals(),
            self._documents(),
        ]

    def _products(self) -> bytes:
        ids = self.ids
        return rows_table(
            [
                (row.product.k, ids[row.product], row.version, row.next_position, row.next_hold)
                for row in self.decision.products
            ],
        )

    def _positions(self) -> bytes:
        numbers = _cell_numbers(self.decision.positions, self.snapshot)
        return rows_table(
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

    def levels(self) -> tuple[list[LevelChange], list[LevelChange]]:
        """Those whose row was read, and those whose row is the first of its kind."""
        if self.decision.wipes:  # rows that were read may be gone
            return [], self.decision.levels
        known: list[LevelChange] = []
        first: list[LevelChange] = []
        for row in self.decision.levels:
            (known if row.stored else first).append(row)
        return known, first

    def _level_table(self, levels: list[LevelChange]) -> bytes:
        ids = self.ids
        return rows_table(
            [
                (row.product.k, ids[row.product], row.position, row.measure, row.own, row.finer, row.held)
                for row in levels
            ],
        )

    def _set_at(self) -> bytes:
        keys = {(row.product, row.number): row.position.key for row in self.decision.positions}
        for product in {row[0] for row in self.decision.set_at}:
            for state in self.snapshot.products[product].positions.values():
                keys[product, state.number] = state.key
        return rows_table(
            [
                (product.k, self.ids[product], number, keys[product, number], at)
                for product, number, at in self.decision.set_at
            ],
        )

    def _new_holds(self) -> bytes:
        ids = self.ids
        return rows_table(
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
            optional=(7, 8, 9, 10, 12, 13, 14),
        )

    def _terms(self) -> bytes:
        return rows_table(
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

    def _holds(self) -> bytes:
        return rows_table(
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

    def _movements(self) -> bytes:
        ids = self.ids
        return rows_table(
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
            optional=(7, 11),
        )

    def _ids(self) -> bytes:
        hash_of = self.asked.hash_of
        return rows_table(
            [
                (
                    hash_of((row.environment, row.kind, row.id)),
                    row.environment,
                    row.kind,
                    row.id,
                    row.fingerprint,
                    encode_accepted(row.accepted),
                )
                for row in sorted(self.decision.ids, key=id_order)
            ],
            last_is_binary=True,
        )

    def _refusals(self) -> bytes:
        return rows_table(
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

    def _documents(self) -> bytes:
        first: dict[DocumentKey, int] = {}
        last: dict[DocumentKey, DocumentWrite] = {}
        deleted: set[DocumentKey] = set()
        for write in self.decision.documents:  # groups of a batch may write one document: the last body stays
            first.setdefault(write.key, write.expected_version)
            last[write.key] = write
            if write.delete:
                deleted.add(write.key)
        return rows_table(
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
            optional=(6, 7, 8),
            last_is_binary=True,
        )


def rows_table(
    rows: Sequence[tuple[object, ...]], optional: Sequence[int] = (), *, last_is_binary: bool = False
) -> bytes:
    """Rows as a table. An optional column that is null, empty texts or false throughout is left empty: it costs nothing."""
    if not rows:
        return EMPTY
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
    for at in optional:
        first = columns[at][0]
        if (first is None or first is False or first == "") and columns[at].count(first) == len(rows):
            columns[at] = ()
    if not last_is_binary:
        return table([literal(column) for column in columns])
    last = columns.pop()
    return table([*(literal(column) for column in columns), binaries(last)])


def id_order(row: NewId) -> tuple[int, int, str]:
    """Order of ids that every batch keeps, so that two of them wait for each other in one direction only."""
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
