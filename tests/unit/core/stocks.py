"""Stock of a product from the records that were posted, projected onto cells as the store does it."""

from __future__ import annotations

from collections.abc import Mapping

from onhand.core import dimensions, keys, quantities
from onhand.core.outcomes import Rejected
from onhand.core.rules import Rules
from onhand.core.stock import ProductStock, StockRow

Record = tuple[Mapping[str, str], Mapping[str, int | str]]
"""Dimensions and `source.measure` -> units."""


def product_stock(
    rules: Rules, *records: Record, product: str = "D0002", organization: str = "usmf"
) -> ProductStock:
    own: dict[tuple[str, int], int] = {}
    finer: dict[tuple[str, int], int] = {}
    cell_of: dict[str, str] = {}
    shown: dict[str, keys.Dimensions] = {}
    for dims, posted in records:
        named = dimensions.name_dimensions(rules, dims, None)
        assert not isinstance(named, Rejected), named
        position = dimensions.record_position(rules, named)
        cell_of[position.key] = position.cell
        cell_of.setdefault(position.cell, position.cell)
        shown.setdefault(position.key, position.shown)
        shown.setdefault(
            position.cell, tuple(pair for pair in position.shown if pair[0] in rules.reservation_dimensions)
        )
        for text, units in posted.items():
            source, _, measure = text.partition(".")
            number = rules.measures[source, measure]
            scaled = quantities.parse(units)
            own[position.key, number] = own.get((position.key, number), 0) + scaled
            if position.key != position.cell:
                finer[position.cell, number] = finer.get((position.cell, number), 0) + scaled
                own.setdefault((position.cell, number), 0)
    rows = [
        StockRow(key, cell_of[key], number, level, finer.get((key, number), 0))
        for (key, number), level in own.items()
    ]
    key = keys.product_key(
        rules.environment, dimensions.fold(rules, organization), dimensions.fold(rules, product)
    )
    return ProductStock(key, organization, product, rows, shown)
