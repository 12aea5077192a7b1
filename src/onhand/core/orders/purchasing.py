"""Purchase orders and deliveries (order specification 6.8): what is expected, and what of it has come.

A purchase order is one document. Each of its lines has a document of its own, whose key is the line's id: that makes the
id unique over all purchase orders, and finds the order of a line. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite
from onhand.core.configuration_document import Problem
from onhand.core.costing.arithmetic import per
from onhand.core.costing.currencies import code_of
from onhand.core.keys import shard
from onhand.core.orders.configuration import Texts, folded
from onhand.core.orders.entities import Amount, Entity, Id, Moment, Name, Quantity, stored_decoder, to_stored
from onhand.core.orders.labels import exact, label
from onhand.core.orders.model import EntityError, OrderLine, Property
from onhand.core.orders.numbers import ZERO

PURCHASE: Final = "purchase-order"
LINE: Final = "purchase-line"
DELIVERY: Final = "delivery"
RECEPTION: Final = "goods-reception"
"""Kinds of documents."""

LINES_MAX: Final = 1_000
"""Lines of a purchase order, and of a goods reception."""

NEW: Final = "New"
COMPLETED: Final = "Completed"
IN_PROGRESS: Final = "InProgress"
CANCELLED: Final = "Cancelled"
DELIVERY_STATUSES: Final = (NEW, "Confirmed", IN_PROGRESS, COMPLETED, "OnHold", CANCELLED)

PURCHASED: Final = "PurchaseOrder"
TRANSFER: Final = "InternalTransfer"


class VirtualAllocation(Entity, frozen=True, kw_only=True):
    """So many units of a line are for a virtual stock location."""

    id: Name | None = None
    warehouse_code: Name
    quantity: Quantity = ZERO
    delivered_quantity: Quantity = ZERO


class PurchaseLine(Entity, frozen=True, kw_only=True):
    """Goods that are expected."""

    line_item_id: Id
    """Unique over all purchase orders."""
    code: Name
    """SKU."""
    quantity: Quantity = ZERO
    canceled_quantity: Quantity = ZERO
    delivered_quantity: Quantity = ZERO
    counted_quantity: Quantity | None = None
    warehouse_code: Name | None = None
    """Where they come to; that of the purchase order when it names none."""
    estimated_time_of_arrival: Moment | None = None
    delivery_id: Name | None = None
    placed_price: Amount | None = None
    placed_price_excl_tax: Amount | None = None
    """Of one unit."""
    discounted_price_excl_tax: Amount | None = None
    """Of the whole line."""
    currency: Name | None = None
    is_disabled_for_allocation: bool = False
    update_stock: bool = True
    """False: its reception raises no inventory."""
    update_cost_price: bool = True
    """False: its reception says nothing about costs."""
    virtual_warehouse_allocations: tuple[VirtualAllocation, ...] = ()
    properties: tuple[Property, ...] = ()

    @property
    def open(self) -> Decimal:
        """What is still to come."""
        return max(ZERO, self.quantity - self.canceled_quantity - self.delivered_quantity)

    @property
    def unit_cost(self) -> Decimal | None:
        """Cost of one unit: the discounted price without tax over the quantity, else the price of a unit."""
        if self.discounted_price_excl_tax is not None and self.quantity > ZERO:
            return per(self.discounted_price_excl_tax, self.quantity)
        return self.placed_price_excl_tax if self.placed_price_excl_tax is not None else self.placed_price


class PurchaseForm(Entity, frozen=True, kw_only=True):
    """What is purchased."""

    line_items: tuple[PurchaseLine, ...] = ()


class PurchaseOrder(Entity, frozen=True, kw_only=True):
    """An order at a supplier, or a transfer from an own warehouse."""

    id: Name = ""
    purchase_order_number: Name | None = None
    version_id: str | None = None
    """Set when it is shown."""
    status: Name = NEW
    store_id: Name | None = None
    market_id: Name | None = None
    supplier_id: Name | None = None
    supplier_name: str | None = None
    supplier_warehouse_code: Name | None = None
    """Set: the goods come from this own warehouse."""
    warehouse_code: Name | None = None
    billing_currency: Name | None = None
    requested_delivery_date: Moment | None = None
    delivery_id: Name | None = None
    is_delivery: bool = False
    purchase_order_form: PurchaseForm = msgspec.field(default_factory=PurchaseForm)
    created: Moment | None = None
    modified: Moment | None = None
    errors: tuple[EntityError, ...] = ()
    properties: tuple[Property, ...] = ()

    @property
    def lines(self) -> tuple[PurchaseLine, ...]:
        """Its lines."""
        return self.purchase_order_form.line_items

    @property
    def is_transfer(self) -> bool:
        """Whether the goods come from an own warehouse."""
        return bool(self.supplier_warehouse_code)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is to come any more."""
        return all(not line.open for line in self.lines)

    def line(self, line_item_id: str) -> PurchaseLine | None:
        """The line of this id."""
        return next((one for one in self.lines if one.line_item_id == line_item_id), None)

    def target(self, line: PurchaseLine) -> str:
        """The warehouse that a line comes to; empty when nobody says."""
        return line.warehouse_code or self.warehouse_code or self.store_id or ""

    def currency_of(self, line: PurchaseLine) -> str:
        """Currency of a line's prices; empty: the default cost currency."""
        return code_of(line.currency) or code_of(self.billing_currency)


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """What left the source of a transfer for a line, and what a unit of it cost there."""

    quantity: Decimal
    unit_cost: Decimal | None = None
    currency: str = ""


class PurchaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the document."""

    order: PurchaseOrder | None
    """None: deleted; what came with it stays known."""
    revision: int = 0
    shipped: dict[str, Shipped] = {}
    """Line -> what left the source of a transfer."""
    unsettled: tuple[str, ...] = ()
    """Lines whose goods came and were not yet offered to the customer orders that wait for them."""


class Delivery(Entity, frozen=True, kw_only=True):
    """Goods of a purchase order that travel together."""

    id: Name = ""
    purchase_order_id: Name = ""
    delivery_status: Name = NEW
    order_type: Name = PURCHASED
    warehouse_code: Name | None = None
    supplier_warehouse_code: Name | None = None
    estimated_time_of_arrival: Moment | None = None
    is_counted: bool = False
    is_auto_delivery_status_disabled: bool = False
    line_item_ids: Texts = ()
    """Lines of the purchase order that travel; all that are open when a request names none."""
    created: Moment | None = None
    modified: Moment | None = None
    properties: tuple[Property, ...] = ()


class ReceptionLine(Entity, frozen=True, kw_only=True):
    """Units of a purchase order line that came."""

    line_item_id: Id
    delivered_quantity: Quantity
    warehouse_code: Name | None = None
    goods_reception_id: Id
    """A reception counts once."""
    cost_price: Amount | None = None
    update_product_cost_price: bool = True
    receive_as_unallocated: bool = False
    allocate_based_on_rules: bool = False


# Documents -------------------------------------------------------------------------------------------------------

read_purchase = stored_decoder(PurchaseRecord).decode
read_delivery = stored_decoder(Delivery).decode


def key_of(environment: int, kind: str, identity: str) -> DocumentKey:
    """Key of a document of purchasing; each has a shard of its own."""
    return DocumentKey(shard(str(environment), kind, identity), environment, kind, identity)


def purchase_write(
    key: DocumentKey, version: int, record: PurchaseRecord, due_at: int | None = None
) -> DocumentWrite:
    """The document of a purchase order; it is due while goods wait to be offered to orders."""
    order = record.order
    labels = tuple(dict.fromkeys(_labels(order))) if order is not None else ()
    return DocumentWrite(key, version, to_stored(record), labels, due_at if record.unsettled else None)


def _labels(order: PurchaseOrder) -> Iterator[str]:
    yield label("status", order.status)
    yield f"open={'no' if order.is_complete else 'yes'}"
    for name, value in (
        ("store", order.store_id),
        ("market", order.market_id),
        ("supplier", order.supplier_id),
        ("number", order.purchase_order_number),
        ("from", order.supplier_warehouse_code),
    ):
        if value:
            yield label(name, value)
    for line in order.lines:
        yield label("sku", line.code)
        yield label("warehouse", order.target(line))
        if line.delivery_id:
            yield exact("delivery", line.delivery_id)


def delivery_write(key: DocumentKey, version: int, delivery: Delivery) -> DocumentWrite:
    """The document of a delivery."""
    labels = (label("status", delivery.delivery_status), exact("purchase", delivery.purchase_order_id))
    return DocumentWrite(key, version, to_stored(delivery), labels)


# Edits -----------------------------------------------------------------------------------------------------------


def problems_of(order: PurchaseOrder) -> list[Problem]:
    """What is wrong with a purchase order beyond its form."""
    found: list[Problem] = []
    if len(order.lines) > LINES_MAX:
        found.append(Problem("purchaseOrderForm.lineItems", f"At most {LINES_MAX:,} lines are allowed."))
    seen: set[str] = set()
    for index, line in enumerate(order.lines):
        path = f"purchaseOrderForm.lineItems[{index}]"
        if line.line_item_id in seen:
            found.append(Problem(f"{path}.lineItemId", f"{line.line_item_id!r} is there twice."))
        seen.add(line.line_item_id)
        numbers = (line.quantity, line.canceled_quantity, line.delivered_quantity, line.unit_cost or ZERO)
        if min(numbers) < ZERO:
            found.append(Problem(path, "Quantities and prices must not be below zero."))
    return found


def with_line(order: PurchaseOrder, changed: PurchaseLine) -> PurchaseOrder:
    """The order with a line in place of the one with its id, or as its last."""
    known = order.line(changed.line_item_id) is not None
    lines = tuple(changed if one.line_item_id == changed.line_item_id else one for one in order.lines)
    return with_lines(order, lines if known else (*lines, changed))


def with_lines(order: PurchaseOrder, lines: tuple[PurchaseLine, ...]) -> PurchaseOrder:
    """The order with other lines."""
    form = msgspec.structs.replace(order.purchase_order_form, line_items=lines)
    return msgspec.structs.replace(order, purchase_order_form=form)


def received(
    order: PurchaseOrder, line: PurchaseLine, quantity: Decimal, virtual: dict[str, Decimal], done_status: str
) -> PurchaseOrder:
    """The order after units of a line came, some of them for virtual locations; complete: its status says so."""
    allocations = tuple(
        msgspec.structs.replace(
            one, delivered_quantity=one.delivered_quantity + virtual.get(folded(one.warehouse_code), ZERO)
        )
        for one in line.virtual_warehouse_allocations
    )
    line = msgspec.structs.replace(
        line,
        delivered_quantity=line.delivered_quantity + quantity,
        virtual_warehouse_allocations=allocations,
    )
    order = with_line(order, line)
    return msgspec.structs.replace(order, status=done_status) if order.is_complete else order


def shared_out(line: PurchaseLine, quantity: Decimal, *, unallocated: bool) -> dict[str, Decimal]:
    """How many of the units that came are for each virtual location, by folded code; the rest is for none."""
    found: dict[str, Decimal] = {}
    if unallocated:
        return found
    for one in line.virtual_warehouse_allocations:
        part = min(quantity, max(ZERO, one.quantity - one.delivered_quantity))
        if part > ZERO:
            code = folded(one.warehouse_code)
            found[code] = found.get(code, ZERO) + part
            quantity -= part
    return found


def pledged(line: OrderLine) -> Decimal:
    """What a customer's line has reserved on its purchase order line: what it says, at most what it needs."""
    reserved = line.reserved_inventory_quantity
    return min(reserved, line.effective) if reserved > ZERO else line.effective


def modified(order: PurchaseOrder, now: datetime) -> PurchaseOrder:
    """The order as it is stored: changed now, its version elsewhere."""
    return msgspec.structs.replace(order, modified=now, created=order.created or now, version_id=None)
