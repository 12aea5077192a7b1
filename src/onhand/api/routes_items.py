"""The route table of inventory items, their transactions and purchasing. It ends up in `routes.ROUTES`."""

from __future__ import annotations

from typing import Any, Final

from onhand.api.exchange import Json
from onhand.api.native import wire_administration as rights
from onhand.api.orders import items, transactions
from onhand.api.orders.answers import ResultPage
from onhand.api.route import NATIVE, Handler, Route
from onhand.core.orders.item_forms import ItemDelta, ItemForm

READ, STOCK = "onhand:read", "onhand:write"
"""Scopes; what they allow is said in `service.access.SCOPES`."""

_KEY: Final = ("Idempotency-Key",)


def _item(method: str, path: str, handler: Handler, scope: str, summary: str, **more: Json) -> Route:
    return _route(method, path, handler, scope, "Inventory items", summary, **more)


def _route(  # noqa: PLR0913 - the columns of the table
    method: str, path: str, handler: Handler, scope: str, tag: str, summary: str, **more: Json
) -> Route:
    return Route(
        method=method,
        path=f"{NATIVE}/{path}",
        handler=handler,
        scope=scope,
        summary=summary,
        surface="native",
        tag=tag,
        **more,
    )


ITEMS: Final[tuple[Route, ...]] = (
    _item("POST", "inventory-items", items.add, STOCK, "Add an item.",
          body=ItemForm, answer=dict[str, Any], status=201, headers=_KEY, untimed=True),
    _item("POST", "inventory-items/bulk", items.bulk, STOCK,
          "Set up to 1,000 items to absolute values; mode update (items that do not change are left alone) or add.",
          body=list[ItemForm], answer=items.ItemResults, query=("mode", "isReservedInventoryOverwritten"), headers=_KEY,
          untimed=True),
    _item("POST", "inventory-items/deltas", items.deltas, STOCK, "Change items by some units, each by itself.",
          body=list[ItemDelta], answer=items.ItemResults, headers=_KEY, untimed=True),
    _item("POST", "inventory-items/search", items.search, READ, "Find items; at least one filter.",
          body=items.ItemQuery, answer=ResultPage),
    _item("POST", "inventory-items/delete", items.delete_many, STOCK, "Delete items for good.",
          body=items.ItemsToDelete, answer=items.ItemResults, untimed=True),
    _item("POST", "inventory-items/recalculate-reserved", items.recalculate, STOCK,
          "Start the job that makes what is reserved equal to the open holds.", answer=rights.JobAnswer, status=202),
    _item("GET", "inventory-items/{sku}", items.of_sku, READ, "Items of a SKU.",
          answer=ResultPage, query=("warehouseCodes",)),
    _item("DELETE", "inventory-items/{sku}", items.delete, STOCK, "Delete the items of a SKU at these warehouses for good.",
          answer=items.ItemResults, query=("warehouseCodes",), untimed=True),
    _item("PUT", "inventory-items/{sku}/{warehouseCode}", items.put, STOCK,
          "Set an item to absolute values; what is empty keeps its old value.",
          body=dict[str, Any], answer=dict[str, Any], query=("isReservedInventoryOverwritten",), headers=_KEY, untimed=True),
)  # fmt: skip

_FILTERS: Final = (
    "from", "to", "orderId", "purchaseOrderId", "skuId", "productId", "userId", "warehouseCodes", "searchText", "format",
    "limit", "cursor",
)  # fmt: skip

TRANSACTIONS: Final[tuple[Route, ...]] = (
    _route("GET", "inventory-transactions", transactions.listing, READ, "Inventory transactions",
           "What changed items, newest first; format=csv exports it.", answer=ResultPage, query=_FILTERS),
    _route("POST", "inventory-transactions/search", transactions.search, READ, "Inventory transactions",
           "The same with the filters in a body.", body=transactions.TransactionQuery, answer=ResultPage),
)  # fmt: skip

ITEM_ROUTES: Final[tuple[Route, ...]] = (*ITEMS, *TRANSACTIONS)
