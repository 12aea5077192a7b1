"""Labels of documents of the order side: the facts by which they are found (`ports.Documents.find`).

A label is `name=value` with a folded value, so that a search compares like the workflow does: trimmed and without
regard to case. Only ids are kept as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from onhand.core.orders.configuration import folded, same
from onhand.core.orders.model import DELETED, SHIPPED, Order, OrderLine, ReturnForm, Shipment
from onhand.core.orders.moves import ZERO, LineRef
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.shortage import lacking

LABEL_MAX: Final = 300
"""Characters of a label; an entry of an index has no room for much longer ones."""
LIVE: Final = "live=yes"
"""On every order that is not deleted."""
HAS_RETURNS: Final = "returns=yes"
SHORT: Final = "short=yes"
"""On an open order of which a line lacks stock."""
OPEN: Final = "open=yes"
SCHEDULED: Final = "scheduled=yes"
"""On an order that enters a status by itself at some time."""


def label(name: str, value: str) -> str:
    """A label with a folded value."""
    return exact(name, folded(value))


def exact(name: str, value: str) -> str:
    """A label whose value keeps its case; blanks and control characters are one blank."""
    plain = "".join(max(one, " ") for one in value)
    return f"{name}={' '.join(plain.split())}"[:LABEL_MAX]


def order_labels(record: OrderRecord, *, is_open: bool) -> tuple[str, ...]:
    """Labels of an order; none of one that is permanently deleted.

    `is_open` says whether its status is neither delivered nor cancelled in its order type.
    """
    order = record.order
    if order is None:
        return ()
    return tuple(dict.fromkeys(_of_order(record, order, is_open=is_open)))


def _of_order(record: OrderRecord, order: Order, *, is_open: bool) -> Iterator[str]:
    yield label("status", order.status)
    yield label("type", order.order_type)
    yield label("store", order.store_id)
    yield label("market", order.market_id)
    yield f"open={'yes' if is_open else 'no'}"
    if not same(order.status, DELETED):
        yield LIVE
    for name, value in (
        ("customer", order.customer_id),
        ("number", order.order_number),
        ("channel", order.sales_channel),
    ):
        if value:
            yield label(name, value)
    yield from (label("tag", tag) for tag in order.tags if tag.strip())
    for form in order.return_order_forms:
        yield HAS_RETURNS
        yield label("returnstatus", form.status)
        yield label("returnstore", form.store_id or order.store_id)
    for shipment in order.shipments:
        yield label("shipmentstatus", shipment.status)
        if shipment.warehouse_code:
            yield label("warehouse", shipment.warehouse_code)
        yield from (label("sku", line.code) for line in shipment.line_items if line.code)
        if is_open:
            yield from _unbacked(record, shipment)
    yield from (label("sku", line.code) for line in order.order_form.unassigned if line.code)
    yield from _purchased(order)
    if order.update_status_date is not None and order.next_order_status:
        yield SCHEDULED
    if is_open and any(_lacks(record, shipment) for shipment in order.shipments):
        yield SHORT


def _lacks(record: OrderRecord, shipment: Shipment) -> bool:
    """Whether a line of the shipment could be reserved further."""
    if shipment.completed is not None or same(shipment.status, SHIPPED):
        return False
    return any(
        lacking(line, record.row(LineRef(shipment.shipment_id, line.line_item_id))) > ZERO
        for line in shipment.line_items
    )


def _purchased(order: Order) -> Iterator[str]:
    """Purchase order lines that lines are reserved on, also after their goods came."""
    for shipment in order.shipments:
        for line in shipment.line_items:
            if line.reserved_inventory_purchase_order_line_id:
                yield exact("purchase", line.reserved_inventory_purchase_order_line_id)


def _unbacked(record: OrderRecord, shipment: Shipment) -> Iterator[str]:
    """Products of which lines show a reserved quantity with no ledger row behind it, as imported orders do.

    By these a recalculation finds the rows that it has to make (order specification 4.6, C5).
    """
    if shipment.completed is not None or same(shipment.status, SHIPPED):
        return
    for line in shipment.line_items:
        backed = record.row(LineRef(shipment.shipment_id, line.line_item_id)) is not None
        if line.code and shows_unbacked(line) and not backed:
            yield label("unbacked", line.code)


def shows_unbacked(line: OrderLine) -> bool:
    """Whether a line without a ledger row says that warehouse stock is reserved for it."""
    return (
        line.reserved_inventory_quantity > ZERO
        and not line.forced_reservation
        and not line.is_virtual_product
        and not line.is_awaiting_purchase_order
    )


class OrderSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders to find; an empty tuple and None restrict nothing, several values are alternatives."""

    statuses: tuple[str, ...] = ()
    order_types: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    order_numbers: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    warehouses: tuple[str, ...] = ()
    skus: tuple[str, ...] = ()
    shipment_statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """The order has all of them."""
    open: bool | None = None
    deleted: bool = False
    """True: soft-deleted orders as well. Asking for their status finds them too."""
    return_statuses: tuple[str, ...] = ()
    return_stores: tuple[str, ...] = ()
    with_returns: bool = False

    def wanted(self) -> tuple[list[str], list[list[str]]]:
        """(labels that it has, alternatives of each of which it has one)."""
        every = [label("tag", tag) for tag in self.tags]
        if self.open is not None:
            every.append(f"open={'yes' if self.open else 'no'}")
        if not self.deleted and not any(same(status, DELETED) for status in self.statuses):
            every.append(LIVE)
        if self.with_returns:
            every.append(HAS_RETURNS)
        alternatives = (
            ("status", self.statuses),
            ("type", self.order_types),
            ("store", self.stores),
            ("market", self.markets),
            ("customer", self.customers),
            ("number", self.order_numbers),
            ("channel", self.channels),
            ("warehouse", self.warehouses),
            ("sku", self.skus),
            ("shipmentstatus", self.shipment_statuses),
            ("returnstatus", self.return_statuses),
            ("returnstore", self.return_stores),
        )
        return narrowed(every, alternatives)

    def fits_return(self, form: ReturnForm, order_store: str) -> bool:
        """Whether a return of a found order is one of those asked for."""
        return _among(form.status, self.return_statuses) and _among(
            form.store_id or order_store, self.return_stores
        )


def _among(value: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(same(value, one) for one in wanted)


def narrowed(
    every: list[str], alternatives: Iterable[tuple[str, Sequence[str]]]
) -> tuple[list[str], list[list[str]]]:
    """Labels and alternatives; a list of one value is a label."""
    some = []
    for name, values in alternatives:
        made = list(dict.fromkeys(label(name, value) for value in values))
        if len(made) == 1:
            every.append(made[0])
        elif made:
            some.append(made)
    return every, some
