"""What can be promised from purchase orders (order specification 4.7, 6.5): computed when it is asked for, kept nowhere."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from onhand.core.orders.configuration import folded, same
from onhand.core.orders.labels import exact, label
from onhand.core.orders.lines import all_lines
from onhand.core.orders.numbers import ZERO
from onhand.core.orders.purchasing import PURCHASE, PurchaseLine, PurchaseOrder, pledged, read_purchase
from onhand.core.orders.working import Surroundings
from onhand.ports import Documents
from onhand.service.workflow.saving import is_open
from onhand.service.workflow.searching import ORDER, read_record

PAGE: Final = 200
"""Documents that one statement reads."""

FAR: Final = datetime(9999, 12, 31, tzinfo=UTC)


class Promise(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Goods that are expected at an item."""

    date: datetime | None
    """When; None: nobody said."""
    quantity: Decimal
    """What is still to come."""
    reserved_quantity: Decimal
    """Of it for customer orders that wait for it."""
    available_quantity: Decimal
    purchase_order_id: str
    purchase_order_line_id: str
    delivery_id: str = ""


class Promises:
    """Reads open purchase orders and the customer orders that wait for them."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def of_sku(self, around: Surroundings, sku: str) -> dict[str, list[Promise]]:
        """Folded warehouse -> what is expected there of a SKU, the earliest first. Two round trips, and one for each line."""
        found: dict[str, list[Promise]] = {}
        after: str | None = None
        while True:
            labels = [label("sku", sku), "open=yes"]
            page = await self._documents.find(
                around.rules.environment, PURCHASE, labels, after=after, limit=PAGE
            )
            for row in page.rows:
                order = read_purchase(row.body).order
                for line in () if order is None else order.lines:
                    if order is not None and same(line.code, sku) and _is_promised(line):
                        promise = await self._promise(around, order, line)
                        found.setdefault(folded(order.target(line)), []).append(promise)
            after = page.next
            if after is None:
                return {code: sorted(promises, key=_when) for code, promises in found.items()}

    async def of_order(self, around: Surroundings, order: PurchaseOrder) -> list[Promise]:
        """What is expected from one purchase order, the earliest first."""
        promises = [await self._promise(around, order, line) for line in order.lines if _is_promised(line)]
        return sorted(promises, key=_when)

    async def _promise(self, around: Surroundings, order: PurchaseOrder, line: PurchaseLine) -> Promise:
        reserved = min(line.open, await self._reserved(around, line.line_item_id))
        return Promise(
            date=line.estimated_time_of_arrival or order.requested_delivery_date,
            quantity=line.open,
            reserved_quantity=reserved,
            available_quantity=line.open - reserved,
            purchase_order_id=order.id,
            purchase_order_line_id=line.line_item_id,
            delivery_id=line.delivery_id or "",
        )

    async def _reserved(self, around: Surroundings, line_item_id: str) -> Decimal:
        """What open customer orders that wait have reserved on a line."""
        total = ZERO
        after: str | None = None
        while True:
            page = await self._documents.find(
                around.rules.environment, ORDER, [exact("purchase", line_item_id)], after=after, limit=PAGE
            )
            for row in page.rows:
                order = read_record(row.body).order
                if order is None or not is_open(order, around.workflows):
                    continue
                for _, line in all_lines(order):
                    if line.reserved_inventory_purchase_order_line_id == line_item_id:
                        total += pledged(line) if line.is_awaiting_purchase_order else ZERO
            after = page.next
            if after is None:
                return total


def _is_promised(line: PurchaseLine) -> bool:
    return line.open > ZERO and not line.is_disabled_for_allocation and line.update_stock


def _when(promise: Promise) -> tuple[datetime, str]:
    return promise.date or FAR, promise.purchase_order_line_id
