"""Inventory items (order specification 6.5): what is kept of one beside its quantities.

The quantities of an item are two measures of the environment's stock records, never a second store. The record
holds the rest (cost, batches, labels, limits), is the body of a document of kind `ITEM`, and lives in the shard of its product, so
that it commits with the stock. An item without a record is an item without a cost.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from onhand.core.commands import DocumentKey
from onhand.core.costing.batches import Batch
from onhand.core.keys import ProductKey

ITEM: Final = "item"
"""Kind of the document."""

SEPARATOR: Final = "\x1f"


class ItemRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is kept of an item beside its quantities. `cost` and `batches` are the business of the value provider."""

    sku: str
    """As the caller wrote it."""
    warehouse_code: str
    cost: Decimal | None = None
    """Of one unit, not rounded; None: not known."""
    cost_currency: str = ""
    """Empty: the default cost currency."""
    batches: tuple[Batch, ...] = ()
    """Oldest first."""
    location: str = ""
    """A label; where the goods lie is not said by it."""
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    reorder_min_quantity: Decimal | None = None
    created: datetime | None = None
    modified: datetime | None = None
    properties: tuple[dict[str, Any], ...] = ()
    """As the caller wrote them."""


def item_id(sku: str, warehouse: str, virtual: str = "") -> str:
    """Id of an item's document from folded names."""
    return SEPARATOR.join((sku, warehouse, virtual) if virtual else (sku, warehouse))


def item_key(product: ProductKey, warehouse: str, virtual: str = "") -> DocumentKey:
    """Key of an item's document; `warehouse` and `virtual` are folded."""
    return DocumentKey(product.k, product.environment, ITEM, item_id(product.product, warehouse, virtual))
