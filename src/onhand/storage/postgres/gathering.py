"""What a batch asks for as the arguments of `gather_batch`, and its answer as a snapshot.

Arrays instead of rows: a batch is one row of arrays each way, without a record per row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from onhand.core.commands import Document
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
from onhand.storage.postgres import arrays

_TYPES = """
    integer bigint integer text text  integer text integer  integer text  integer bigint
    integer text integer text bigint  integer text integer text
    integer smallint text bigint  bigint integer text text
"""
GATHER = f"SELECT * FROM {arrays.call('gather_batch', _TYPES)}"  # noqa: S608 - no input in it

ENSURE = "SELECT ensure_products($1, $2, $3, $4, $5, $6)"

_decode_accepted = msgspec.msgpack.Decoder(Accepted).decode


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
        self.hashes = {command: command_hash(command) for command in reads.ids}
        self.documents = sorted(reads.documents)
        self.stored: set[tuple[int, int, int]] = set()
        """(product ordinal, position, measure) of the stock rows that were read; set by `snapshot`."""
        self.environments = sorted(
            {product.environment for product in self.products}
            | {command[0] for command in reads.ids}
            | {key.environment for key in self.documents}
        )

    def arguments(self, now_us: int) -> list[object]:
        """Arguments of `gather_batch`, in its order."""
        reads, products, documents = self.reads, self.products, self.documents
        queries = list(reads.hold_queries)
        of = self.ordinals
        columns: list[Sequence[object]] = [
            self.environments,
            [product.k for product in products],
            [product.environment for product in products],
            [product.organization for product in products],
            [product.product for product in products],
            [of[product] for product, _ in reads.places],
            [place for _, place in reads.places],
            [of[product] for product in reads.whole],
            [of[product] for product, _ in reads.positions],
            [key for _, key in reads.positions],
            [of[product] for product, _ in reads.holds],
            [number for _, number in reads.holds],
            [of[query.product] for query in queries],
            [query.position for query in queries],
            [query.measure for query in queries],
            [query.owner for query in queries],
            [query.quantity for query in queries],
            [of[product] for product, _ in reads.all_holds],
            [place for _, place in reads.all_holds],
            [of[product] for product, _ in reads.records],
            [place for _, place in reads.records],
            [command[0] for command in self.ids],
            [command[1] for command in self.ids],
            [command[2] for command in self.ids],
            [self.hashes[command] for command in self.ids],
            [key.d for key in documents],
            [key.environment for key in documents],
            [key.kind for key in documents],
            [key.id for key in documents],
        ]
        return [now_us, *arrays.arguments(_TYPES, columns)]

    def ensure_arguments(self) -> list[object]:
        """Arguments of `ensure_products`, in its order."""
        shown = [self.reads.products[product] for product in self.products]
        return [
            [product.k for product in self.products],
            [product.environment for product in self.products],
            [product.organization for product in self.products],
            [product.product for product in self.products],
            [organization for organization, _ in shown],
            [name for _, name in shown],
        ]

    def snapshot(self, got: Mapping[str, Any]) -> Snapshot:
        """The snapshot from the answer of `gather_batch`."""
        states = [
            ProductState(product_id, version, next_position, next_hold)
            for product_id, version, next_position, next_hold in rows(
                got, "product_id", "version", "next_position", "next_hold"
            )
        ]
        keys = _positions(states, got)
        self.stored = set(rows(got, "stock_of", "stock_position", "stock_measure"))
        for of, number, measure, own, finer, held in rows(
            got, "stock_of", "stock_position", "stock_measure", "own", "finer", "held"
        ):
            states[of - 1].stock[keys[of, number], measure] = Level(own, finer, held)
        _holds(states, keys, got)
        return Snapshot(
            configuration=dict(rows(got, "environment", "configuration")),
            products=dict(zip(self.products, states, strict=True)),
            ids={
                self.ids[of - 1]: Seen(fingerprint, _decode_accepted(accepted))
                for of, fingerprint, accepted in rows(got, "id_of", "fingerprint", "accepted")
            },
            documents=self._documents(got),
        )

    def _documents(self, got: Mapping[str, Any]) -> dict[Any, Document]:
        found = {key: Document(key, 0, b"") for key in self.documents}
        for of, version, body in rows(got, "document_of", "document_version", "document_body"):
            key = self.documents[of - 1]
            found[key] = Document(key, version, body)
        return found


def rows(got: Mapping[str, Any], *columns: str) -> Iterable[Any]:
    """Rows of the aligned arrays `got_<column>`; an empty aggregate is null."""
    arrays = [got["got_" + column] for column in columns]
    return zip(*arrays, strict=True) if arrays[0] is not None else ()


def _positions(states: list[ProductState], got: Mapping[str, Any]) -> dict[tuple[int, int], str]:
    """Put the positions into their products; returns (product ordinal, position number) -> key."""
    if got["got_position_of"] is None:
        return {}
    keys = dict(
        zip(
            zip(got["got_position_of"], got["got_position_no"], strict=True), got["got_position"], strict=True
        )
    )
    for of, number, cell, key, place, set_at in rows(
        got, "position_of", "position_no", "cell_no", "position", "place", "set_at"
    ):
        states[of - 1].positions[key] = PositionState(number, key, place, keys[of, cell], set_at)
    return keys


def _holds(states: list[ProductState], keys: dict[tuple[int, int], str], got: Mapping[str, Any]) -> None:
    for of, number, position, *values in rows(
        got,
        "hold_of",
        "hold_no",
        "hold_position",
        "hold_measure",
        "hold_quantity",
        "hold_remaining",
        "hold_owner",
        "hold_expires_at",
        "hold_created_at",
        "hold_counted",
    ):
        states[of - 1].holds[number] = HoldState(number, keys[of, position], *values)
