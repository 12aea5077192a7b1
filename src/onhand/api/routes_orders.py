"""The route table of the order side. It ends up in `routes.ROUTES`."""

from __future__ import annotations

from typing import Final

from onhand.api.exchange import Json
from onhand.api.orders import configuration as workflows
from onhand.api.orders import rates
from onhand.api.orders.answers import ResultPage
from onhand.api.route import NATIVE, Handler, Route
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    ScheduledTask,
    Warehouse,
    WorkflowGroup,
)
from onhand.steps.catalogue import Entry

READ, STOCK, CONFIG = "onhand:read", "onhand:write", "config:write"
"""Scopes; what they allow is said in `service.access.SCOPES`."""


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

_VERSIONED: Final = ("If-Match",)

WORKFLOWS: Final[tuple[Route, ...]] = (
    _order("GET", "order-types", workflows.order_types, READ, "Workflows", "List order types.", answer=workflows.Listed),
    _order("GET", "order-types/presets", workflows.order_type_presets, READ, "Workflows", "List ready-made workflows.",
           answer=workflows.Listed),
    _order("POST", "order-types/validate", workflows.validate_order_type, CONFIG, "Workflows",
           "Check an order type; changes nothing.", body=OrderType, answer=workflows.Linted),
    _order("GET", "order-types/{name}", workflows.order_type, READ, "Workflows", "Read an order type.", answer=OrderType),
    _order("PUT", "order-types/{name}", workflows.put_order_type, CONFIG, "Workflows",
           "Save an order type; the answer has lintWarnings.", body=OrderType, answer=OrderType, headers=_VERSIONED),
    _order("DELETE", "order-types/{name}", workflows.delete_order_type, CONFIG, "Workflows", "Delete an order type.",
           status=204, headers=_VERSIONED),
    _order("GET", "workflow-steps", workflows.workflow_steps, READ, "Workflows", "List the steps that there are.",
           answer=workflows.Listed),
    _order("GET", "workflow-steps/{key}", workflows.workflow_step, READ, "Workflows", "Read what a step does.",
           answer=Entry),
    _order("GET", "workflow-groups", workflows.groups, READ, "Workflows", "List workflow groups.", answer=workflows.Listed),
    _order("PUT", "workflow-groups", workflows.put_groups, CONFIG, "Workflows",
           "Save all workflow groups; those that are not named go.", body=list[WorkflowGroup],
           answer=workflows.SavedList, headers=_VERSIONED),
    _order("GET", "workflow-groups/{groupId}", workflows.group, READ, "Workflows", "Read a workflow group.",
           answer=WorkflowGroup),
    _order("PUT", "workflow-groups/{groupId}", workflows.put_group, CONFIG, "Workflows",
           "Save a workflow group; the answer has lintWarnings.", body=WorkflowGroup, answer=WorkflowGroup,
           headers=_VERSIONED),
    _order("GET", "order-settings", workflows.order_settings, READ, "Workflows", "Read the order settings.",
           answer=OrderSettings),
    _order("PUT", "order-settings", workflows.put_order_settings, CONFIG, "Workflows",
           "Save the order settings; the answer has lintWarnings.", body=OrderSettings, answer=OrderSettings,
           headers=_VERSIONED),
    _order("GET", "inventory-settings", workflows.inventory_settings, READ, "Workflows", "Read the inventory settings.",
           answer=InventorySettings),
    _order("PUT", "inventory-settings", workflows.put_inventory_settings, CONFIG, "Workflows",
           "Save the inventory settings; the answer has lintWarnings.", body=InventorySettings, answer=InventorySettings,
           headers=_VERSIONED),
    _order("GET", "warehouses", workflows.warehouses, READ, "Workflows", "List warehouses.", answer=workflows.Listed),
    _order("GET", "warehouses/{code}", workflows.warehouse, READ, "Workflows", "Read a warehouse.", answer=Warehouse),
    _order("PUT", "warehouses/{code}", workflows.put_warehouse, CONFIG, "Workflows",
           "Save a warehouse and where its stock is; the answer has lintWarnings.", body=Warehouse, answer=Warehouse,
           headers=_VERSIONED),
    _order("GET", "scheduled-tasks", workflows.tasks, READ, "Workflows", "List scheduled tasks.", answer=workflows.Listed),
    _order("PUT", "scheduled-tasks", workflows.put_tasks, CONFIG, "Workflows",
           "Save all scheduled tasks; those that are not named go.", body=list[ScheduledTask],
           answer=workflows.SavedList, headers=_VERSIONED),
)  # fmt: skip

ORDER_ROUTES: Final[tuple[Route, ...]] = (*RATES, *WORKFLOWS)
