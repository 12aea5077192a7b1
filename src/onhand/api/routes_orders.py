"""The route table of the order side. It ends up in `routes.ROUTES`."""

from __future__ import annotations

from typing import Any, Final

from onhand.api.exchange import Json
from onhand.api.orders import configuration as workflows
from onhand.api.orders import events, lines, orders, rates, returns, shipments, tasks, wire
from onhand.api.orders.answers import ResultPage
from onhand.api.route import NATIVE, Handler, Route
from onhand.core.orders.actions import CancelRequest, DryRunRequest, ManualStepRequest, ReverseRequest
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    ScheduledTask,
    Warehouse,
    WorkflowGroup,
)
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.queries import EventQuery, OrderQuery, ReturnQuery
from onhand.core.orders.requests import LinesUpdate, StatusUpdate
from onhand.core.orders.returning import ReturnRequest, ReturnStatusRequest
from onhand.core.orders.scheduling import TaskRun
from onhand.steps.catalogue import Entry

READ, STOCK, CONFIG = "onhand:read", "onhand:write", "config:write"
ORDER_READ, ORDER_WRITE = "order:read", "order:write"
"""Scopes; what they allow is said in `service.principals.SCOPES`."""


def _order(  # noqa: PLR0913 - the columns of the table
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


RATES: Final[tuple[Route, ...]] = (
    _order("GET", "exchange-rates", rates.listing, READ, "Exchange rates",
           "List exchange rates; validAt: those in force then.", answer=ResultPage,
           query=("fromCurrency", "toCurrency", "validAt", "cursor", "limit")),
    _order("PUT", "exchange-rates", rates.put, STOCK, "Exchange rates",
           "Enter exchange rates, all or none; one of the same pair and moment is replaced.", answer=rates.RatesEntered),
)  # fmt: skip

_KEY: Final = ("Idempotency-Key",)
_MATCH: Final = ("If-Match",)
_CHANGE: Final = (*_KEY, *_MATCH)
_PAGING: Final = ("oldestFirst", "limit", "cursor")
_FILTERS: Final = (
    "status", "orderType", "storeId", "marketId", "customerId", "orderNumber", "salesChannel", "warehouseCode", "sku",
    "shipmentStatus", "tag", "orderId", "open", "includeDeleted", "from", "to", *_PAGING,
)  # fmt: skip
_EVENT_FILTERS: Final = (
    "category", "operationId", "status", "shipmentId", "userId", "isError", "from", "to", *_PAGING,
)  # fmt: skip

ORDERS: Final[tuple[Route, ...]] = (
    _order("POST", "orders", orders.create, ORDER_WRITE, "Orders",
           "Create an order; the workflow of its initial status has run when the answer comes.",
           body=Order, answer=Order, status=201, headers=_KEY, untimed=True),
    _order("POST", "orders/bulk", orders.bulk, ORDER_WRITE, "Orders",
           "Create or overwrite many orders, each by itself: mode add, import or upsert.",
           body=list[Order], answer=wire.OrderResults, query=("mode", "runWorkflow"), untimed=True),
    _order("POST", "orders/pos", orders.create_pos, ORDER_WRITE, "Orders",
           "Create an order of a till: type Pos, Completed at once.",
           body=Order, answer=Order, status=201, headers=_KEY, untimed=True),
    _order("GET", "orders", orders.listing, ORDER_READ, "Orders",
           "Find orders, newest first. A filter may be repeated or name several values, separated by commas.",
           answer=wire.OrderPage, query=_FILTERS),
    _order("POST", "orders/search", orders.search, ORDER_READ, "Orders", "Find orders, newest first.",
           body=OrderQuery, answer=wire.OrderPage),
    _order("POST", "orders/exists", orders.exists, ORDER_READ, "Orders", "Which of these ids are orders.",
           body=list[str], answer=list[str]),
    _order("POST", "orders/order-lines/cancel", lines.cancel_many, ORDER_WRITE, "Order lines",
           "Cancel lines of up to 100 orders, each order by itself.",
           body=list[CancelRequest], answer=wire.OrderResults, untimed=True),
    _order("GET", "orders/{orderId}", orders.read, ORDER_READ, "Orders",
           "Read an order. HEAD says whether it exists.", answer=Order),
    _order("PUT", "orders/{orderId}", orders.put, ORDER_WRITE, "Orders",
           "Replace an order; with runWorkflow the workflow of its status runs.",
           body=Order, answer=wire.ExecutionResult, query=("runWorkflow",), headers=_MATCH, untimed=True),
    _order("PATCH", "orders/{orderId}", orders.patch, ORDER_WRITE, "Orders",
           "Change properties of an order; null takes one away, a list replaces the list. Runs no workflow.",
           body=dict[str, Any], answer=Order, headers=_MATCH, untimed=True),
    _order("DELETE", "orders/{orderId}", orders.delete, ORDER_WRITE, "Orders",
           "Give an order the status Deleted; permanently: forget it and give back what it has reserved.",
           status=204, query=("permanently",), headers=_MATCH, untimed=True),
    _order("GET", "orders/{orderId}/versions/{versionId}", orders.version, ORDER_READ, "Orders",
           "Read an order as it was.", answer=Order),
    _order("POST", "orders/{orderId}/status", orders.status, ORDER_WRITE, "Orders",
           "Enter a status and run its workflow; with a shipment id for that shipment only.",
           body=StatusUpdate, answer=wire.ExecutionResult, headers=_MATCH, untimed=True),
    _order("POST", "orders/{orderId}/dry-run", orders.dry_run, ORDER_READ, "Orders",
           "Say what the workflow of a status would do; changes nothing.",
           body=DryRunRequest, answer=wire.ExecutionResult, untimed=True),
    _order("POST", "orders/{orderId}/manual-steps/{stepId}", orders.manual_step, ORDER_WRITE, "Orders",
           "Run one of the steps that the order settings offer, by its id or its key.",
           body=ManualStepRequest, answer=wire.ExecutionResult, untimed=True),
    _order("POST", "orders/{orderId}/reverse-reduction", lines.reverse, ORDER_WRITE, "Order lines",
           "Take reductions of lines back: what left the stock is added again.",
           body=ReverseRequest, answer=Order, headers=_MATCH, untimed=True),
    _order("POST", "orders/{orderId}/order-lines", lines.add, ORDER_WRITE, "Order lines",
           "Add lines, to the named shipment or the only one.",
           body=list[OrderLine], answer=Order, query=("shipmentId",), headers=_MATCH, untimed=True),
    _order("PATCH", "orders/{orderId}/order-lines", lines.patch, ORDER_WRITE, "Order lines",
           "Change properties of lines; each patch names lineItemId, and shipmentId where a line is in several.",
           body=list[dict[str, Any]], answer=Order, headers=_MATCH, untimed=True),
    _order("POST", "orders/{orderId}/order-lines/updates", lines.update, ORDER_WRITE, "Order lines",
           "Deliver, cancel or split parts of lines, and run the workflow for what is delivered.",
           body=LinesUpdate, answer=wire.ExecutionResult, headers=_CHANGE, untimed=True),
    _order("POST", "orders/{orderId}/order-lines/{lineItemId}/cancel", lines.cancel, ORDER_WRITE, "Order lines",
           "Cancel a line. What is reserved for it stays until a workflow gives it back.",
           answer=Order, query=("sendNotifications",), headers=_MATCH, untimed=True),
    _order("PUT", "orders/{orderId}/shipments", shipments.put, ORDER_WRITE, "Shipments",
           "Add shipments, or replace those of the same ids; without lineItems they keep their lines.",
           body=list[Shipment], answer=Order, headers=_MATCH, untimed=True),
    _order("PATCH", "orders/{orderId}/shipments", shipments.patch, ORDER_WRITE, "Shipments",
           "Change properties of shipments; with another warehouse what is reserved moves there.",
           body=list[dict[str, Any]], answer=Order, headers=_MATCH, untimed=True),
    _order("DELETE", "orders/{orderId}/shipments", shipments.delete, ORDER_WRITE, "Shipments",
           "Remove shipments; what is reserved for their lines is given back.",
           answer=Order, query=("shipmentId",), headers=_MATCH, untimed=True),
    _order("PUT", "orders/{orderId}/shipments/order-lines", shipments.assign, ORDER_WRITE, "Shipments",
           "Move lines, with what is reserved for them, into shipments: a list of shipmentId and lineItemIds.",
           body=list[dict[str, Any]], answer=Order, headers=_MATCH, untimed=True),
    _order("POST", "orders/{orderId}/returns", returns.create, ORDER_WRITE, "Returns",
           "Register a return; with a status its workflow runs.",
           body=ReturnRequest, answer=wire.ExecutionResult, status=201, headers=_CHANGE, untimed=True),
    _order("POST", "orders/{orderId}/returns/{returnId}/status", returns.status, ORDER_WRITE, "Returns",
           "Enter a status with a return and run its workflow.",
           body=ReturnStatusRequest, answer=wire.ExecutionResult, headers=_MATCH, untimed=True),
    _order("PATCH", "orders/{orderId}/returns/{returnId}", returns.patch, ORDER_WRITE, "Returns",
           "Change properties of a return; runs nothing.",
           body=dict[str, Any], answer=Order, headers=_MATCH, untimed=True),
    _order("POST", "returns/search", returns.search, ORDER_READ, "Returns",
           "Find returns; a page has those of up to `limit` orders.", body=ReturnQuery, answer=wire.ReturnPage),
    _order("POST", "orders/{orderId}/replacement", returns.replacement, ORDER_WRITE, "Returns",
           "Not implemented (501).", status=501),
    _order("GET", "orders/{orderId}/events", events.of_order, ORDER_READ, "Events",
           "What happened to an order, newest first.", answer=events.EventPage, query=_EVENT_FILTERS),
    _order("POST", "events/search", events.search, ORDER_READ, "Events", "Find events, newest first.",
           body=EventQuery, answer=events.EventPage),
)  # fmt: skip

WORKFLOWS: Final[tuple[Route, ...]] = (
    _order("GET", "order-types", workflows.order_types, READ, "Workflows", "List order types.", answer=workflows.Listed),
    _order("GET", "order-types/presets", workflows.order_type_presets, READ, "Workflows", "List ready-made workflows.",
           answer=workflows.Listed),
    _order("POST", "order-types/validate", workflows.validate_order_type, CONFIG, "Workflows",
           "Check an order type; changes nothing.", body=OrderType, answer=workflows.Linted),
    _order("GET", "order-types/{name}", workflows.order_type, READ, "Workflows", "Read an order type.", answer=OrderType),
    _order("PUT", "order-types/{name}", workflows.put_order_type, CONFIG, "Workflows",
           "Save an order type; the answer has lintWarnings.", body=OrderType, answer=OrderType, headers=_MATCH),
    _order("DELETE", "order-types/{name}", workflows.delete_order_type, CONFIG, "Workflows",
           "Delete an order type that has no orders.",
           status=204, headers=_MATCH),
    _order("GET", "workflow-steps", workflows.workflow_steps, READ, "Workflows", "List the steps that there are.",
           answer=workflows.Listed),
    _order("GET", "workflow-steps/{key}", workflows.workflow_step, READ, "Workflows", "Read what a step does.",
           answer=Entry),
    _order("GET", "workflow-groups", workflows.groups, READ, "Workflows", "List workflow groups.", answer=workflows.Listed),
    _order("PUT", "workflow-groups", workflows.put_groups, CONFIG, "Workflows",
           "Save all workflow groups; those that are not named go.", body=list[WorkflowGroup],
           answer=workflows.SavedList, headers=_MATCH),
    _order("GET", "workflow-groups/{groupId}", workflows.group, READ, "Workflows", "Read a workflow group.",
           answer=WorkflowGroup),
    _order("PUT", "workflow-groups/{groupId}", workflows.put_group, CONFIG, "Workflows",
           "Save a workflow group; the answer has lintWarnings.", body=WorkflowGroup, answer=WorkflowGroup,
           headers=_MATCH),
    _order("GET", "order-settings", workflows.order_settings, READ, "Workflows", "Read the order settings.",
           answer=OrderSettings),
    _order("PUT", "order-settings", workflows.put_order_settings, CONFIG, "Workflows",
           "Save the order settings; the answer has lintWarnings.", body=OrderSettings, answer=OrderSettings,
           headers=_MATCH),
    _order("GET", "inventory-settings", workflows.inventory_settings, READ, "Workflows", "Read the inventory settings.",
           answer=InventorySettings),
    _order("PUT", "inventory-settings", workflows.put_inventory_settings, CONFIG, "Workflows",
           "Save the inventory settings; the answer has lintWarnings.", body=InventorySettings, answer=InventorySettings,
           headers=_MATCH),
    _order("GET", "warehouses", workflows.warehouses, READ, "Workflows", "List warehouses.", answer=workflows.Listed),
    _order("GET", "warehouses/{code}", workflows.warehouse, READ, "Workflows", "Read a warehouse.", answer=Warehouse),
    _order("PUT", "warehouses/{code}", workflows.put_warehouse, CONFIG, "Workflows",
           "Save a warehouse and where its stock is; the answer has lintWarnings.", body=Warehouse, answer=Warehouse,
           headers=_MATCH),
    _order("GET", "scheduled-tasks", workflows.tasks, READ, "Workflows", "List scheduled tasks.", answer=workflows.Listed),
    _order("PUT", "scheduled-tasks", workflows.put_tasks, CONFIG, "Workflows",
           "Save all scheduled tasks; those that are not named go.", body=list[ScheduledTask],
           answer=workflows.SavedList, headers=_MATCH),
    _order("POST", "scheduled-tasks/{id}/run", tasks.run, ORDER_WRITE, "Workflows",
           "Run a scheduled task now; the answer comes when it has ended. 409 while a run is in progress.",
           answer=TaskRun, untimed=True),
    _order("GET", "scheduled-tasks/{id}/run", tasks.last_run, READ, "Workflows",
           "Read how the last run of a scheduled task went, or the one in progress.", answer=TaskRun),
)  # fmt: skip

ORDER_ROUTES: Final[tuple[Route, ...]] = (*ORDERS, *RATES, *WORKFLOWS)
