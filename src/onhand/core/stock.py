"""Stock as queries read it: rows without locks, grouped by product."""

from __future__ import annotations

import msgspec

from onhand.core.keys import Dimensions, ProductKey


class StockRow(msgspec.Struct, frozen=True):
    """Stock of one measure at one position, expired holds already taken off."""

    position: str
    """Folded key; `keys.decode` gives its dimensions."""
    cell: str
    """Key of its cell; equal to `position` for a cell."""
    measure: int
    own: int
    finer: int
    """Cells: sum of the records below."""


class ProductStock(msgspec.Struct):
    """Stock of one product."""

    product: ProductKey
    organization: str
    """As first seen."""
    name: str
    """The product id as first seen."""
    rows: list[StockRow]
    shown: dict[str, Dimensions]
    """Position key -> dimension values as first seen."""
