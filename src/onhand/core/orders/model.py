"""Orders, shipments, lines and returns as the workflow reads them (order specification 6).

The property names are those of the client's JSON in camelCase. A line is stored once for each shipment that
has a part of it; lines that are in no shipment are `unassigned`. What the JSON calls `orderForm.lineItems` is
made from the two when an order is shown (`lines.py`). Properties that decide nothing here are kept in `extra`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

import msgspec

from onhand.core.orders.entities import Amount, Entity, Id, Moment, Name, Quantity, Value
from onhand.core.orders.numbers import ZERO

RELEASED: Final = "Released"
SHIPPED: Final = "Shipped"
AWAITING: Final = "AwaitingInventory"
"""Status of a new shipment."""
CANCELLED: Final = "Cancelled"
QUEUED: Final = "Queued"
DELETED: Final = "Deleted"
"""Order statuses that need no order type."""


class Property(Entity, frozen=True, kw_only=True):
    """A property that a client attached, or a setting of a step."""

    key: str
    value: Value | None = None
    key_group: str | None = None
    value_type: str | None = None


class EntityError(Entity, frozen=True, kw_only=True):
    """An entry of `errors` of an order."""

    key: str = ""
    message: str = ""
    details: str | None = None
    reference_id: str | None = None
    """What it is about, such as a line."""
    severity: str = "Error"
    """Error, Warning or Information."""
    occurred: Annotated[Moment | None, msgspec.Meta(extra={"aliases": ("occured",)})] = None
    status: str = "New"
    """New, Solved or Deleted."""
    comment: str | None = None


class Component(Entity, frozen=True, kw_only=True):
    """A part of a package or bundle."""

    component_id: Name | None = None
    product_id: Name | None = None
    sku_id: Name | None = None
    quantity: Quantity = ZERO
    """For one package."""


class OrderLine(Entity, frozen=True, kw_only=True):
    """A line, or the part of it that is in one shipment."""

    line_item_id: Id
    code: Name = ""
    """SKU."""
    dimensions: dict[str, str] = msgspec.field(default_factory=dict)
    """Base dimensions of the stock record that this line moves, beyond those of its warehouse."""
    quantity: Quantity = ZERO
    """In the stock unit."""
    canceled_quantity: Quantity = ZERO
    delivered_quantity: Quantity = ZERO
    return_quantity: Quantity = ZERO
    replaced_quantity: Quantity = ZERO
    ready_for_pickup_quantity: Quantity = ZERO
    reallocate_quantity: Quantity = ZERO
    reserved_inventory: bool = False
    reserved_inventory_quantity: Quantity = ZERO
    reserved_inventory_purchase_order_id: Name | None = None
    reserved_inventory_purchase_order_line_id: Name | None = None
    reserved_inventory_delivery_id: Name | None = None
    is_awaiting_purchase_order: bool | None = None
    """True: reserved on an incoming purchase order, not in the warehouse."""
    expected_delivery_date: Moment | None = None
    requested_delivery_date: Moment | None = None
    create_purchase_order: bool = False
    is_backorder: bool = False
    is_virtual_product: bool = False
    """Gift cards, services: no stock."""
    is_package_product: bool = False
    is_package: bool = False
    is_bundle: bool = False
    is_package_broke_down: bool = False
    components: tuple[Component, ...] = ()
    package_line_item_id: Name | None = None
    package_sku_id: Name | None = None
    cost: Amount | None = None
    """Of one unit, in the order's currency."""
    cost_total: Amount | None = None
    update_stock: bool | None = None
    """Of a returned line: whether it goes back into stock."""
    internal_warehouse_location: str | None = None
    properties: tuple[Property, ...] = ()
    soft_reservation_id: str | None = None
    """Reservation id of the API; product and dimensions, not one reservation."""
    hold_id: str | None = None
    """The one hold of this line."""
    forced_reservation: bool = False
    """Flagged as reserved with nothing behind it; such a quantity never touches the reserved counter."""

    @property
    def effective(self) -> Decimal:
        """What is to be delivered: the quantity without what was cancelled, never below zero."""
        return max(ZERO, self.quantity - self.canceled_quantity)

    @property
    def is_parent(self) -> bool:
        """Whether it stands for a package or bundle whose components move in its place."""
        return self.is_package_broke_down or bool(self.components)

    @property
    def moves_stock(self) -> bool:
        """Whether a physical movement of this line is a movement of its SKU."""
        return not (self.is_virtual_product or self.is_parent)


class ReturnLine(OrderLine, frozen=True, kw_only=True):
    """A line of a return form; `return_quantity` is what came back."""

    return_reason: str | None = None
    return_type: Name | None = None
    return_date: Moment | None = None


class StatusLogEntry(Entity, frozen=True, kw_only=True):
    """When a shipment entered an order status for the first time."""

    status: Name
    timestamp: Moment | None = None
    duration_since_previous_ms: int | None = None


class Shipment(Entity, frozen=True, kw_only=True):
    """Lines that leave one warehouse together."""

    shipment_id: Id
    status: Name = AWAITING
    """Of the goods: AwaitingInventory, Packing, Released, Shipped and so on."""
    order_status: Name = ""
    """For this shipment what `Order.status` is for the order."""
    prev_status: Name | None = None
    order_status_log: tuple[StatusLogEntry, ...] = ()
    warehouse_code: Name | None = None
    """Sender."""
    virtual_warehouse_code: Name | None = None
    pick_up_warehouse_code: Name | None = None
    """Store of destination."""
    is_allocated: Annotated[bool | None, msgspec.Meta(extra={"aliases": ("isReallocated",)})] = None
    is_inventory_reserved: bool | None = None
    try_reallocate_deadline: Moment | None = None
    currency_code: Name | None = None
    shipping_method_name: Name | None = None
    line_items: tuple[OrderLine, ...] = ()
    completed: Moment | None = None
    expected_delivery_date: Moment | None = None
    expected_shipment_date: Moment | None = None
    properties: tuple[Property, ...] = ()


class OrderForm(Entity, frozen=True, kw_only=True):
    """What was ordered."""

    shipments: tuple[Shipment, ...] = ()
    unassigned: tuple[OrderLine, ...] = msgspec.field(name="lineItems", default=())
    """Lines that are in no shipment."""
    cart_id: str | None = None
    purchase_order_id: Name | None = None
    properties: tuple[Property, ...] = ()


class ReturnForm(Entity, frozen=True, kw_only=True):
    """What came back."""

    return_id: Annotated[Id, msgspec.Meta(extra={"aliases": ("id",)})]
    status: Name = ""
    return_type: Name | None = None
    rma_number: Name | None = None
    return_comment: str | None = None
    store_id: Name | None = None
    """Where it was returned."""
    created: Moment | None = None
    modified: Moment | None = None
    user_id: str | None = None
    line_items: tuple[ReturnLine, ...] = ()
    properties: tuple[Property, ...] = ()


class Order(Entity, frozen=True, kw_only=True):
    """An order. Times are in UTC, money is in `billing_currency`."""

    id: Annotated[str, msgspec.Meta(extra={"kind": "id"})] = ""
    """Unique within the environment; empty until the service gives it one."""
    order_number: Name | None = None
    customer_order_number: Name | None = None
    version_id: str | None = None
    """Set when an order is shown; what a client sends is compared, never stored."""
    order_type: Name = ""
    status: Name = ""
    market_id: Name
    store_id: Name
    """The seller."""
    sales_channel: Name | None = None
    tags: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()
    customer_id: Name | None = None
    billing_currency: Name | None = None
    line_items_cost: Amount | None = None
    created: Moment | None = None
    modified: Moment | None = None
    received: Moment | None = None
    completed: Moment | None = None
    canceled: Moment | None = None
    ready_for_pickup: Moment | None = None
    requested_delivery_date: Moment | None = None
    store_pick_date: Moment | None = None
    customer_pickup_deadline: Moment | None = None
    update_status_date: Moment | None = None
    """When the order enters `next_order_status` by itself."""
    next_order_status: Name | None = None
    is_read_only: bool = False
    is_reallocated: bool | None = None
    is_reservable: bool | None = None
    order_form: OrderForm = msgspec.field(default_factory=OrderForm)
    return_order_forms: tuple[ReturnForm, ...] = ()
    errors: tuple[EntityError, ...] = ()

    @property
    def shipments(self) -> tuple[Shipment, ...]:
        """The shipments of the order form."""
        return self.order_form.shipments

    def shipment(self, shipment_id: str) -> Shipment | None:
        """The shipment of this id; ids are compared exactly."""
        return next((one for one in self.shipments if one.shipment_id == shipment_id), None)


def property_value(properties: tuple[Property, ...], key: str) -> str | None:
    """Value of the first property of this key, compared trimmed and without case; None when there is none."""
    wanted = key.strip().lower()
    return next((one.value for one in properties if one.key.strip().lower() == wanted), None)


def adopted_reservation(line: OrderLine) -> str | None:
    """Id of the reservation that a client made for this line: a hold id, or a reservation id.

    A client that can only send properties writes `softReservationId` or `holdId` there.
    """
    candidates = (
        line.hold_id,
        property_value(line.properties, "holdId"),
        line.soft_reservation_id,
        property_value(line.properties, "softReservationId"),
    )
    return next((one for one in candidates if one), None)
