"""Returns: what a client sends, and the return form that is made of it (order specification 6.7).

Registering a return moves no stock; the return workflow does.
"""

from __future__ import annotations

from onhand.core.orders.entities import Amount, Entity, Id, Name, Quantity
from onhand.core.orders.model import Property


class ReturnedLine(Entity, frozen=True, kw_only=True):
    """A line that comes back."""

    line_item_id: Id
    return_quantity: Quantity
    return_reason: str | None = None
    return_type: Name | None = None
    credit_amount: Amount | None = None
    is_stock_updated: Annotated[bool | None, msgspec.Meta(extra={"aliases": ("updateStock",)})] = None
    internal_warehouse_location: str | None = None
    properties: tuple[Property, ...] = ()


class ReturnRequest(Entity, frozen=True, kw_only=True):
    """A return to register. What belongs to credits is kept with the return and decides nothing here."""

    returns: tuple[ReturnedLine, ...]
    return_id: Id | None = None
    store_id: Name | None = None
    status: Name | None = None
    return_type: Name | None = None
    rma_number: Name | None = None
    comment: str | None = None
    user_id: str | None = None


class ReturnStatusRequest(Entity, frozen=True, kw_only=True):
    """The status that a return is to enter."""

    status: Name
    skip_run_workflow: bool = False
    user_id: str | None = None
