"""The route table of inventory items, their transactions and purchasing. It ends up in `routes.ROUTES`."""

from __future__ import annotations

from typing import Any, Final

from onhand.api.exchange import Json
from onhand.api.native import wire_administration as rights
from onhand.api.orders import items, purchasing, transactions
from onhand.api.orders.answers import ResultPage
from onhand.api.route import NATIVE, Handler, Route
from onhand.core.orders.item_forms import ItemDelta, ItemForm
from onhand.core.orders.purchasing import Delivery, PurchaseOrder, ReceptionLine
from onhand.service.workflow.purchasing import PurchaseSearch, Split

READ, STOCK = "onhand:read", "onhand:write"
"""Scopes; what they allow is said in `service.principals.SCOPES`."""

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

_MATCH: Final = ("If-Match",)


def _bought(method: str, path: str, handler: Handler, scope: str, summary: str, **more: Json) -> Route:
    return _route(method, path, handler, scope, "Purchasing", summary, **more)


PURCHASING: Final[tuple[Route, ...]] = (
    _bought("POST", "purchase-orders", purchasing.create, STOCK, "Create a purchase order.",
            body=PurchaseOrder, answer=PurchaseOrder, status=201),
    _bought("GET", "purchase-orders", purchasing.listing, READ, "Find purchase orders, newest first.", answer=ResultPage,
            query=("status", "storeId", "supplierId", "marketId", "warehouseCode", "sku", "orderNumber", "deliveryId", "open",
                   "limit", "cursor")),
    _bought("POST", "purchase-orders/search", purchasing.search, READ, "The same with the filters in a body.",
            body=PurchaseSearch, answer=ResultPage),
    _bought("GET", "purchase-orders/{id}", purchasing.get, READ, "Read a purchase order.", answer=PurchaseOrder),
    _bought("PUT", "purchase-orders/{id}", purchasing.put, STOCK,
            "Replace a purchase order; what was delivered stays as it is.",
            body=PurchaseOrder, answer=PurchaseOrder, headers=_MATCH),
    _bought("PATCH", "purchase-orders/{id}", purchasing.patch, STOCK, "Change properties of a purchase order.",
            body=dict[str, Any], answer=PurchaseOrder, headers=_MATCH),
    _bought("DELETE", "purchase-orders/{id}", purchasing.delete, STOCK, "Delete a purchase order of which nothing came.",
            status=204),
    _bought("POST", "purchase-orders/{id}/status", purchasing.status, STOCK, "Give a purchase order another status.",
            body=purchasing.StatusRequest, answer=PurchaseOrder, headers=_MATCH),
    _bought("POST", "purchase-orders/{id}/atp", purchasing.promises, READ,
            "What is expected from a purchase order, and what of it waits for nobody.", answer=ResultPage),
    _bought("POST", "purchase-orders/{id}/order-lines/split", purchasing.split, STOCK,
            "Make a part of a line a line of its own.", body=Split, answer=PurchaseOrder, headers=_MATCH),
    _bought("POST", "purchase-orders/{id}/order-lines/{lineItemId}/cancel", purchasing.cancel, STOCK,
            "Cancel what is still to come of a line.", answer=PurchaseOrder, headers=_MATCH),
    _bought("POST", "purchase-orders/{id}/deliveries", purchasing.deliver, STOCK,
            "Make a delivery of lines; goods of an internal transfer leave their warehouse now.",
            body=Delivery, answer=Delivery, status=201, untimed=True),
    _bought("GET", "deliveries/{deliveryId}", purchasing.get_delivery, READ, "Read a delivery.", answer=Delivery),
    _bought("POST", "deliveries/{deliveryId}/status", purchasing.delivery_status, STOCK, "Give a delivery another status.",
            body=purchasing.StatusRequest, answer=Delivery),
    _bought("POST", "goods-receptions", purchasing.receive, STOCK,
            "Receive goods of purchase orders, all or none; a goods reception id counts once.",
            body=list[ReceptionLine], answer=purchasing.ReceptionAnswer, untimed=True),
    _bought("POST", "deliveries/{deliveryId}/goods-receptions", purchasing.receive_delivery, STOCK,
            "Receive goods of one delivery.", body=list[ReceptionLine], answer=purchasing.ReceptionAnswer, untimed=True),
)  # fmt: skip

ITEM_ROUTES: Final[tuple[Route, ...]] = (*ITEMS, *TRANSACTIONS, *PURCHASING)
