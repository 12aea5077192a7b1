"""Everything that the edge calls for orders, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from onhand.service.workflow.engine import Workflow
from onhand.service.workflow.order_parts import OrderParts
from onhand.service.workflow.orders import Orders
from onhand.service.workflow.searching import Searching


@dataclass(frozen=True, slots=True)
class OrderDesk:
    """The services of orders. Made by the composition root."""

    orders: Orders
    parts: OrderParts
    searching: Searching
    workflow: Workflow
