"""Dividing a line between two shipments, and moving it from one to another (order specification 3.5, D26).

Every quantity of a line keeps its sum. The reservation follows the goods: the part that is asked for takes what it
can, the other keeps the rest. What the ledger has to do is said in a `Split`.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Final

import msgspec

from onhand.core.orders import numbers
from onhand.core.orders.lines import PARTS
from onhand.core.orders.model import AWAITING, OrderLine, Shipment
from onhand.core.orders.numbers import ZERO

_OF_THE_PARCEL: Final = ("tracking", "label", "return", "packages", "externalids", "servicepoint")
_MONEY: Final = ("total", "cost", "price", "tax", "discount")


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a line that went to another shipment; its reservation has to follow in the same transaction."""

    line_item_id: str
    source: str
    target: str
    """Shipments."""
    quantity: Decimal
    """Effective quantity that went."""
    kept: Decimal
    """Effective quantity that stayed; zero when the line went as a whole."""
    goes_first: bool
    """Whether the part that went takes the reservation before the part that stayed."""
    whole: bool = False
    """The line is in the source no more: everything that it has reserved goes along."""

    def reservation(self, remaining: Decimal) -> Decimal:
        """How much of what the line still has reserved goes along."""
        return remaining if self.whole else _share(self.quantity, self.kept, remaining, first=self.goes_first)


def divided(line: OrderLine, quantity: Decimal, *, first: bool) -> tuple[OrderLine, OrderLine]:
    """The part of `quantity` units that goes, and the part that stays with what was cancelled, delivered or returned.

    With `first` the part that goes takes the reservation first. The quantity is above zero and below what the
    line still has to deliver.
    """
    kept = line.effective - quantity
    reserved = _share(quantity, kept, line.reserved_inventory_quantity, first=first)
    total = _cost_share(line, quantity)
    none = dict.fromkeys(PARTS, ZERO)
    goes = msgspec.structs.replace(
        line,
        **{**none, "quantity": quantity, "reserved_inventory_quantity": reserved},
        reserved_inventory=_flag(line, reserved),
        hold_id=None,
        cost_total=total,
    )
    stays_reserved = line.reserved_inventory_quantity - reserved
    stays = msgspec.structs.replace(
        line,
        quantity=line.quantity - quantity,
        reserved_inventory_quantity=stays_reserved,
        reserved_inventory=_flag(line, stays_reserved),
        cost_total=None if line.cost_total is None or total is None else line.cost_total - total,
    )
    return goes, stays


def joined(line: OrderLine, arriving: OrderLine) -> OrderLine:
    """One line of two parts of the same line that meet in a shipment; it keeps the hold of the part that was there."""
    sums = {name: getattr(line, name) + getattr(arriving, name) for name in PARTS}
    known = [one for one in (line.cost_total, arriving.cost_total) if one is not None]
    return msgspec.structs.replace(
        line,
        **sums,
        reserved_inventory=line.reserved_inventory or arriving.reserved_inventory,
        forced_reservation=line.forced_reservation or arriving.forced_reservation,
        cost=line.cost if line.cost is not None else arriving.cost,
        cost_total=numbers.total(known) if known else None,
    )


def with_line(shipment: Shipment, line: OrderLine) -> Shipment:
    """The shipment with the line in place of its own part of it, or as its last line."""
    if any(one.line_item_id == line.line_item_id for one in shipment.line_items):
        changed = tuple(line if one.line_item_id == line.line_item_id else one for one in shipment.line_items)
    else:
        changed = (*shipment.line_items, line)
    return msgspec.structs.replace(shipment, line_items=changed)


def without_line(shipment: Shipment, line_item_id: str) -> Shipment:
    """The shipment without the line."""
    kept = tuple(one for one in shipment.line_items if one.line_item_id != line_item_id)
    return msgspec.structs.replace(shipment, line_items=kept)


def part_of(shipment: Shipment, line_item_id: str) -> OrderLine | None:
    """The shipment's part of the line."""
    return next((one for one in shipment.line_items if one.line_item_id == line_item_id), None)


def sibling(shipment: Shipment, shipment_id: str) -> Shipment:
    """A new shipment without lines from the same warehouse to the same receiver; it waits for its goods.

    What belongs to the parcel of the other one is not taken over: tracking, packages, ids, and what it cost.
    """
    return msgspec.structs.replace(
        shipment,
        shipment_id=shipment_id,
        status=AWAITING,
        order_status_log=(),
        line_items=(),
        completed=None,
        is_inventory_reserved=None,
        extra={name: content for name, content in shipment.extra.items() if not _is_of_the_parcel(name)},
    )


def fresh_id(source: str, revision: int, taken: Collection[str]) -> str:
    """An id for a shipment that comes from another one; the order's revision makes it one that never was."""
    stem = f"{source[:90]}-{revision}"
    number = 1
    candidate = stem
    while candidate in taken:
        number += 1
        candidate = f"{stem}-{number}"
    return candidate


def _share(quantity: Decimal, kept: Decimal, reserved: Decimal, *, first: bool) -> Decimal:
    """What `quantity` gets of the reservation when `kept` units stay.

    The part that is first takes what it can use, the other part all the rest. A balance below zero stays.
    """
    return max(ZERO, min(quantity, reserved) if first else reserved - kept)


def _cost_share(line: OrderLine, quantity: Decimal) -> Decimal | None:
    if line.cost_total is None:
        return None
    return numbers.ratio(numbers.product(line.cost_total, quantity), line.effective)


def _flag(line: OrderLine, reserved: Decimal) -> bool:
    return reserved > 0 if line.reserved_inventory_quantity else line.reserved_inventory


def _is_of_the_parcel(name: str) -> bool:
    folded = name.lower()
    return folded.startswith(_OF_THE_PARCEL) or any(one in folded for one in _MONEY)
