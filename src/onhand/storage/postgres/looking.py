"""Reading without locks what a batch of reservations would be decided on (ADR 27).

One statement, so all of it is as it was at one moment. The version of each product says later whether it still is.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern
from typing import Any, Final

import msgspec

from onhand.core.keys import ProductKey
from onhand.core.snapshot import Level, PositionState, ProductState
from onhand.storage.postgres.arrays import literal
from onhand.storage.postgres.gathering import rows
from onhand.storage.postgres.line import Statement
from onhand.storage.postgres.statements import query

LOOK_AT_PLACES: Final = Statement(b"look_at_places", query("look_at_places").encode())

Table = tuple[Sequence[Any] | None, ...]
"""Aligned columns; each is None when there are no rows."""

decode_looked: Final = msgspec.json.Decoder(tuple[Table, Table, Table, Table]).decode

Pair = tuple[ProductKey, str]
"""A product and a place."""


def look_arguments(pairs: Sequence[Pair]) -> list[bytes]:
    """Parameters of `look_at_places.sql`."""
    return [
        literal([product.k for product, _ in pairs]),
        literal([product.environment for product, _ in pairs]),
        literal([product.organization for product, _ in pairs]),
        literal([product.product for product, _ in pairs]),
        literal([place for _, place in pairs]),
    ]


def looked(pairs: Sequence[Pair], answer: bytes) -> dict[ProductKey, ProductState]:
    """The products that are there."""
    products, moments, cells, levels = decode_looked(answer)
    states: dict[ProductKey, ProductState] = {}
    for pair, product_id, version, next_position, next_hold in rows(*products):
        product = pairs[pair - 1][0]
        if product not in states:
            states[product] = ProductState(product_id, version, next_position, next_hold)
    for pair, moment in rows(*moments):
        states[pairs[pair - 1][0]].next_due = moment
    for pair, number, key in rows(*cells):
        product, place = pairs[pair - 1]
        cell = intern(key)  # most products lie at the same cells, and what is looked at here is remembered
        states[product].positions[cell] = PositionState(number, cell, place, cell)
    for pair, key, measure, own, finer, held in rows(*levels):
        states[pairs[pair - 1][0]].stock[intern(key), measure] = Level(own, finer, held)
    return states
