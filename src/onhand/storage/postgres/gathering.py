"""What a batch asks for as the arguments of `gather_batch`, and its answer as a snapshot.

Columns instead of rows: a batch is a table of arrays each way, without a record per row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from onhand.core.commands import Document, DocumentKey
from onhand.core.outcomes import Accepted
from onhand.core.snapshot import (
    CommandId,
    HoldState,
    Level,
    PositionState,
    ProductState,
    Reads,
    Seen,
    Snapshot,
)
from onhand.storage.postgres.arrays import EMPTY, literal, table
from onhand.storage.postgres.line import BINARY, Statement

TABLES = 11
"""Arguments of `gather_batch` after the time."""
GATHER = Statement(
    b"gather",
    b"SELECT gather_batch($1::bigint, %s)" % b", ".join(b"$%d::text[]" % at for at in range(2, TABLES + 2)),
    (0, *(BINARY,) * TABLES),
)

ENSURE = Statement(
    b"ensure",
    b"SELECT ensure_products($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[])",
    (0,) * 6,
)

_decode_accepted = msgspec.msgpack.Decoder(Accepted).decode


class Got(msgspec.Struct, array_like=True):
    """The answer of `gather_batch`: aligned columns of several tables; one without rows is None."""

    environment: list[int] | None
    configuration: list[int] | None
    product_id: list[int] | None
    version: list[int] | None
    next_position: list[int] | None
    next_hold: list[int] | None
    position_of: list[int] | None
    position_no: list[int] | None
    cell_no: list[int] | None
    position: list[str] | None
    place: list[str] | None
    set_at: list[int | None] | None
    stock_of: list[int] | None
    stock_position: list[int] | None
    stock_measure: list[int] | None
    own: list[int] | None
    finer: list[int] | None
    held: list[int] | None
    hold_of: list[int] | None
    hold_no: list[int] | None
    hold_position: list[int] | None
    hold_measure: list[int] | None
    hold_quantity: list[int] | None
    hold_remaining: list[int] | None
    hold_owner: list[str] | None
    hold_expires_at: list[int | None] | None
    hold_created_at: list[int] | None
    hold_counted: list[bool] | None
    id_of: list[int] | None
    fingerprint: list[int] | None
    accepted: list[str] | None
    """Bytes in PostgreSQL's hexadecimal form, like the bodies of documents."""
    document_of: list[int] | None
    document_version: list[int] | None
    document_body: list[str] | None


decode_got = msgspec.json.Decoder(Got).decode


def command_hash(command: CommandId) -> int:
    """Shard key `c` of a command id, signed 64 bits.

    BLAKE2b over an unambiguous text instead of `keys.shard`: it is computed once for each command, nothing is
    gained by caching it, and it costs half. Never change it: stored rows are found by it.
    """
    environment, kind, text = command
    digest = blake2b(f"{environment}|{int(kind)}|{text}".encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "big", signed=True)


class Asked:
    """The reads of a batch in the order in which they are locked, with ordinals for what hangs below a product."""

    def __init__(self, reads: Reads) -> None:
        self.reads = reads
        self.products = sorted(reads.products)
        self.ordinals = {product: at for at, product in enumerate(self.products, 1)}
        self.ids = reads.ids
        self._hashes = {command: command_hash(command) for command in reads.ids}
        self.documents = sorted(reads.documents)
        self.environments = sorted(
            {product.environment for product in self.products}
            | {command[0] for command in reads.ids}
            | {key.environment for key in self.documents}
        )

    def hash_of(self, command: CommandId) -> int:
        """`command_hash`, computed once for an id that was asked for."""
        return self._hashes.get(command) or command_hash(command)

    def arguments(self, now_us: int) -> list[bytes]:
        """Arguments of `gather_batch`, in its order."""
        reads, products, documents, ids = self.reads, self.products, self.documents, self.ids
        queries = list(reads.hold_queries)
        of = self.ordinals
        return [
            b"%d" % now_us,
            table([literal(self.environments)]),
            _table(
                [product.k for product in products],
                [product.environment for product in products],
                [product.organization for product in products],
                [product.product for product in products],
            ),
            _table([of[product] for product, _ in reads.places], [place for _, place in reads.places]),
            _table([of[product] for product in reads.whole]),
            _table([of[product] for product, _ in reads.positions], [key for _, key in reads.positions]),
            _table([of[product] for product, _ in reads.holds], [number for _, number in reads.holds]),
            _table(
                [of[query.product] for query in queries],
                [query.position for query in queries],
                [query.measure for query in queries],
                [query.owner for query in queries],
                [query.quantity for query in queries],
            ),
            _table([of[product] for product, _ in reads.all_holds], [place for _, place in reads.all_holds]),
            _table([of[product] for product, _ in reads.records], [place for _, place in reads.records]),
            _table(
                [command[0] for command in ids],
                [command[1] for command in ids],
                [command[2] for command in ids],
                [self.hash_of(command) for command in ids],
            ),
            _table(
                [key.d for key in documents],
                [key.environment for key in documents],
                [key.kind for key in documents],
                [key.id for key in documents],
            ),
        ]

    def ensure_arguments(self) -> list[bytes]:
        """Arguments of `ensure_products`, in its order."""
        shown = [self.reads.products[product] for product in self.products]
        return [
            literal([product.k for product in self.products]),
            literal([product.environment for product in self.products]),
            literal([product.organization for product in self.products]),
            literal([product.product for product in self.products]),
            literal([organization for organization, _ in shown]),
            literal([name for _, name in shown]),
        ]

    def snapshot(self, got: Got) -> Snapshot:
        """The snapshot from the answer of `gather_batch`."""
        states = [
            ProductState(*row) for row in rows(got.product_id, got.version, got.next_position, got.next_hold)
        ]
        keys = _positions(states, got)
        for of, number, measure, own, finer, held in rows(
            got.stock_of, got.stock_position, got.stock_measure, got.own, got.finer, got.held
        ):
            states[of - 1].stock[keys[of, number], measure] = Level(own, finer, held)
        _holds(states, keys, got)
        return Snapshot(
            configuration=dict(rows(got.environment, got.configuration)),
            products=dict(zip(self.products, states, strict=True)),
            ids={
                self.ids[of - 1]: Seen(fingerprint, _decode_accepted(_bytes(accepted)))
                for of, fingerprint, accepted in rows(got.id_of, got.fingerprint, got.accepted)
            },
            documents=self._documents(got),
        )

    def _documents(self, got: Got) -> dict[DocumentKey, Document]:
        found = {key: Document(key, 0, b"") for key in self.documents}
        for of, version, body in rows(got.document_of, got.document_version, got.document_body):
            key = self.documents[of - 1]
            found[key] = Document(key, version, _bytes(body))
        return found


def _table(*columns: Sequence[object]) -> bytes:
    """A table; without rows it is empty."""
    return table([literal(column) for column in columns]) if columns[0] else EMPTY


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def rows(*columns: Sequence[Any] | None) -> Iterable[Any]:
    """Rows of aligned columns, which are None when there are no rows."""
    return zip(*columns, strict=True) if columns[0] is not None else ()


def _positions(states: list[ProductState], got: Got) -> dict[tuple[int, int], str]:
    """Put the positions into their products; returns (product ordinal, position number) -> key."""
    keys = {(of, number): key for of, number, key in rows(got.position_of, got.position_no, got.position)}
    for of, number, cell, key, place, set_at in rows(
        got.position_of, got.position_no, got.cell_no, got.position, got.place, got.set_at
    ):
        states[of - 1].positions[key] = PositionState(number, key, place, keys[of, cell], set_at)
    return keys


def _holds(states: list[ProductState], keys: dict[tuple[int, int], str], got: Got) -> None:
    for of, number, position, *values in rows(
        got.hold_of,
        got.hold_no,
        got.hold_position,
        got.hold_measure,
        got.hold_quantity,
        got.hold_remaining,
        got.hold_owner,
        got.hold_expires_at,
        got.hold_created_at,
        got.hold_counted,
    ):
        states[of - 1].holds[number] = HoldState(number, keys[of, position], *values)
