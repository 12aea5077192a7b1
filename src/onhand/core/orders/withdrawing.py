"""Reservations taken back where more is reserved than there is (order specification 2.11, `ResolveOverReservedInventoryScheduledTask`).

Pure. What the lines of open orders really hold of an item is the sum of what remains in their ledger rows, and of what lines of
imported orders show without a row. Where it is more than the inventory, the newest orders lose first, and only
as much as is missing. Reservations of the reservation API are nobody's order and neither counted nor taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from onhand.core.orders.allotting import item_of, turn
from onhand.core.orders.configuration import Workflows, folded
from onhand.core.orders.labels import shows_unbacked
from onhand.core.orders.ledger import item_of as held_item
from onhand.core.orders.lines import all_lines, with_lines
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ZERO, ItemRef, LineRef, Move, Release, Reserve
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.statuses import is_completed, is_open

Spot = tuple[str, str]
"""SKU and warehouse, folded: what is counted together."""


class Held(msgspec.Struct, frozen=True):
    """What a line of an open order holds."""

    created: datetime
    order_id: str
    line: LineRef
    item: ItemRef
    quantity: Decimal
    backed: bool
    """There is a ledger row; otherwise the line only shows it."""
    purchased: bool
    """A purchase order was placed for the line."""

    @property
    def spot(self) -> Spot:
        """Where it is counted."""
        return folded(self.item.sku), folded(self.item.warehouse)


def held(record: OrderRecord, workflows: Workflows) -> Iterator[Held]:
    """What the lines of an order hold in real warehouses; nothing when the order is not open."""
    order = record.order
    if order is None or not is_open(order, workflows.order_type(order.order_type)):
        return
    place = turn(order)
    for shipment, line in all_lines(order):
        ref = LineRef(shipment.shipment_id, line.line_item_id)
        found = _of_line(record, workflows, shipment, line)
        if found is not None:
            item, quantity, backed = found
            bought = bool(line.reserved_inventory_purchase_order_line_id)
            yield Held(place.created, order.id, ref, item, quantity, backed, bought)


def _of_line(
    record: OrderRecord, workflows: Workflows, shipment: Shipment, line: OrderLine
) -> tuple[ItemRef, Decimal, bool] | None:
    row = record.row(LineRef(shipment.shipment_id, line.line_item_id))
    if row is not None:
        return (held_item(row), row.remaining, True) if row.remaining > ZERO else None
    item = item_of(workflows, shipment, line)
    if item is None or is_completed(shipment) or not shows_unbacked(line):
        return None
    return item, line.reserved_inventory_quantity, False


def losses(
    holders: Iterable[Held], inventory: Decimal, *, purchased_too: bool = False
) -> list[tuple[Held, Decimal]]:
    """Who loses how much of one item, newest order first; nobody while the inventory suffices.

    Lines for which a purchase order was placed keep theirs unless `purchased_too`.
    """
    queue = sorted(
        holders, key=lambda one: (one.created, one.order_id, one.line.shipment_id, one.line.line_item_id)
    )
    excess = sum((one.quantity for one in queue), ZERO) - max(ZERO, inventory)
    lost = []
    for one in reversed(queue):
        if excess <= ZERO:
            break
        if one.purchased and not purchased_too:
            continue
        taken = min(excess, one.quantity)
        excess -= taken
        lost.append((one, taken))
    return lost


def moves_of(lost: Sequence[tuple[Held, Decimal]]) -> Iterator[Move]:
    """The moves that take it back. What a line only showed is given up; what it keeps of it gets a hold."""
    for one, quantity in lost:
        yield Release(line=one.line, item=one.item, quantity=quantity if one.backed else one.quantity)
        if not one.backed and quantity < one.quantity:
            yield Reserve(line=one.line, item=one.item, quantity=one.quantity - quantity)


def bereft(order: Order, lost: Sequence[tuple[Held, Decimal]], *, buys: bool) -> Order:
    """The order whose lines lost something; with `buys` a purchase order is to be placed for them."""
    lines = {one.line for one, _ in lost}

    def change(shipment: Shipment, line: OrderLine) -> OrderLine:
        if not buys or LineRef(shipment.shipment_id, line.line_item_id) not in lines:
            return line
        return msgspec.structs.replace(line, create_purchase_order=True)

    return with_lines(order, change)


def told(lost: Sequence[tuple[Held, Decimal]]) -> str:
    """What is said of it in the log."""
    parts = [
        f"{quantity} of {one.item.sku} at {one.item.warehouse} (line {one.line.line_item_id})"
        for one, quantity in lost
    ]
    return f"More was reserved than there is: {', '.join(parts)} was taken back."
