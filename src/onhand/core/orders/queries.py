"""What a client may look for: orders, returns, events (order specification 8.2).

Read like orders, names without regard to case (`entities`). A property that a request does not have is refused: a
misspelt filter must not look like none.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec

from onhand.core.configuration_document import Problem
from onhand.core.orders import entities
from onhand.core.orders.configuration import Texts
from onhand.core.orders.entities import Entity, Id, Moment
from onhand.core.orders.events import EventSearch
from onhand.core.orders.labels import OrderSearch
from onhand.core.orders.refusals import Refused, invalid

VALUES_MAX: Final = 200
"""Values of one filter of a search."""


class Paged(Entity, frozen=True, kw_only=True):
    """What all searches have."""

    recorded_from: Annotated[Moment | None, msgspec.Meta(extra={"aliases": ("from",)})] = None
    """Recorded here at this time or later."""
    recorded_to: Annotated[Moment | None, msgspec.Meta(extra={"aliases": ("to",)})] = None
    """Recorded here before this time."""
    oldest_first: bool = False
    limit: int | None = None
    cursor: str | None = None


class OrderQuery(Paged, frozen=True, kw_only=True):
    """Which orders to find; several values of one filter are alternatives, but for tags: an order has all of them."""

    order_ids: tuple[Id, ...] = ()
    """Exactly these; with it no other filter is looked at."""
    statuses: Texts = ()
    order_types: Texts = ()
    store_ids: Texts = ()
    market_ids: Texts = ()
    customer_ids: Texts = ()
    order_numbers: Texts = ()
    sales_channels: Texts = ()
    warehouse_codes: Texts = ()
    skus: Texts = ()
    shipment_statuses: Texts = ()
    tags: Texts = ()
    open: bool | None = None
    """Whether the status is neither delivered nor cancelled."""
    include_deleted: bool = False

    def search(self) -> OrderSearch:
        """The same in words of the labels."""
        return OrderSearch(
            statuses=self.statuses,
            order_types=self.order_types,
            stores=self.store_ids,
            markets=self.market_ids,
            customers=self.customer_ids,
            order_numbers=self.order_numbers,
            channels=self.sales_channels,
            warehouses=self.warehouse_codes,
            skus=self.skus,
            shipment_statuses=self.shipment_statuses,
            tags=self.tags,
            open=self.open,
            deleted=self.include_deleted,
        )


class ReturnQuery(Paged, frozen=True, kw_only=True):
    """Which orders with returns to find."""

    statuses: Texts = ()
    """Of the return."""
    store_ids: Texts = ()
    """Where it was returned."""
    market_ids: Texts = ()
    customer_ids: Texts = ()
    order_numbers: Texts = ()

    def search(self) -> OrderSearch:
        """The same in words of the labels."""
        return OrderSearch(
            markets=self.market_ids,
            customers=self.customer_ids,
            order_numbers=self.order_numbers,
            return_statuses=self.statuses,
            return_stores=self.store_ids,
            with_returns=True,
        )


class EventQuery(Paged, frozen=True, kw_only=True):
    """Which events to find; several values of one filter are alternatives."""

    object_id: Annotated[str | None, msgspec.Meta(extra={"aliases": ("orderId",)})] = None
    shipment_id: str | None = None
    categories: Texts = ()
    class_names: Texts = ()
    order_types: Texts = ()
    operation_ids: Texts = ()
    statuses: Texts = ()
    market_ids: Texts = ()
    store_ids: Texts = ()
    user_ids: Texts = ()
    is_error: bool | None = None

    def search(self) -> EventSearch:
        """The same in words of the labels."""
        return EventSearch(
            object_id=self.object_id,
            shipment_id=self.shipment_id,
            categories=self.categories,
            class_names=self.class_names,
            sub_class_names=self.order_types,
            operation_ids=self.operation_ids,
            statuses=self.statuses,
            markets=self.market_ids,
            stores=self.store_ids,
            user_ids=self.user_ids,
            is_error=self.is_error,
        )


Q = TypeVar("Q", bound=Entity)


def read_strictly(shape: type[Q], value: Any) -> Q | Refused:  # noqa: ANN401 - JSON
    """A request of this shape, or everything that is wrong with it."""
    found = entities.read(shape, value)
    if isinstance(found, Refused):
        return found
    problems = [Problem(name, "There is no such property here.") for name in found.extra]
    for field in msgspec.structs.fields(shape):
        content = getattr(found, field.name)
        if isinstance(found, Paged) and isinstance(content, tuple) and len(content) > VALUES_MAX:
            problems.append(Problem(field.encode_name, f"A filter has at most {VALUES_MAX} values."))
    return invalid(problems, "The body") if problems else found
