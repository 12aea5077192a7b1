"""What a client may ask of an order beside its status and its lines (order specification 8.2).

Read like orders, names without regard to case (`entities`).
"""

from __future__ import annotations

from onhand.core.orders.entities import Entity, Id, Name


class DryRunRequest(Entity, frozen=True, kw_only=True):
    """The workflow of a status, to be tried without effect."""

    status: Name
    shipment_id: Id | None = None


class ManualStepRequest(Entity, frozen=True, kw_only=True):
    """A step to run singly."""

    shipment_id: Id | None = None
    user_id: str | None = None


class ReverseRequest(Entity, frozen=True, kw_only=True):
    """Reductions to take back."""

    shipment_id: Id
    line_item_ids: tuple[Id, ...]
    user_id: str | None = None


class CancelRequest(Entity, frozen=True, kw_only=True):
    """Lines of one order to cancel."""

    order_id: Id
    line_item_ids: tuple[Id, ...]
