"""What a client asks of an order: a status update, an update of its lines (order specification 8.2)."""

from __future__ import annotations

import msgspec

from onhand.core.orders.entities import Amount, Entity, Id, Name, Quantity
from onhand.core.orders.model import Property, Shipment
from onhand.core.orders.numbers import ZERO


class ShipmentInfo(Entity, frozen=True, kw_only=True):
    """What is known of a shipment when its status changes; what is in `extra` is kept with the shipment."""

    shipment_id: Id | None = None
    warehouse_code: Name | None = None
    shipment_method_name: Name | None = None
    order_status: Name | None = None
    """Taken for clients that send it; the status of the request decides."""
    properties: tuple[Property, ...] = ()

    @property
    def says_something(self) -> bool:
        """Whether there is anything to keep beside the id."""
        return bool(self.warehouse_code or self.shipment_method_name or self.properties or self.kept)

    @property
    def kept(self) -> dict[str, object]:
        """What is kept with the shipment as it was sent: tracking, packages, external ids and so on."""
        return {name: content for name, content in self.extra.items() if content is not None}


class StatusUpdate(Entity, frozen=True, kw_only=True):
    """Enter a status; with a shipment id in the info only that shipment does."""

    status: Name
    shipment_info: ShipmentInfo | None = None
    skip_run_workflow: bool = False
    user_id: str | None = None
    return_id: Id | None = None

    @property
    def shipment_id(self) -> str | None:
        """The shipment that the update is for; None: the order."""
        return self.shipment_info.shipment_id if self.shipment_info else None


class LineUpdate(Entity, frozen=True, kw_only=True):
    """What becomes of a line; quantities are those of this update, not totals."""

    line_item_id: Id
    delivered_quantity: Quantity = ZERO
    canceled_quantity: Quantity = ZERO
    cost: Amount | None = None
    ready_for_pickup_quantity: Quantity | None = None
    reallocate_quantity: Quantity | None = None
    split_quantity: Quantity = ZERO


class LinesUpdate(Entity, frozen=True, kw_only=True):
    """Deliver, cancel or split parts of lines, and run the workflow of the status for the part that is delivered."""

    line_item_updates: tuple[LineUpdate, ...]
    status: Name = ""
    shipment_info: ShipmentInfo | None = None
    is_shipping_cost_kept_for_existing_shipment: bool = False
    skip_run_workflow: bool = False
    user_id: str | None = None


def informed(shipment: Shipment, info: ShipmentInfo | None) -> Shipment:
    """The shipment with what the info says of it; a property replaces the one of the same key."""
    if info is None:
        return shipment
    replaced = {one.key.strip().lower() for one in info.properties}
    kept = tuple(one for one in shipment.properties if one.key.strip().lower() not in replaced)
    return msgspec.structs.replace(
        shipment,
        warehouse_code=info.warehouse_code or shipment.warehouse_code,
        shipping_method_name=info.shipment_method_name or shipment.shipping_method_name,
        properties=(*kept, *info.properties),
        extra={**shipment.extra, **info.kept},
    )
