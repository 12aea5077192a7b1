"""Which reservations of the reservation API an order can make its own (A38, decisions 27).

Looks before the group is made, without locks: the group takes exactly what was found, or is refused and everything is
looked at again. A reservation that cannot be adopted does not keep the order away; an event says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from onhand.core.dimensions import name_dimensions, reservation_node
from onhand.core.keys import Position, reservation_id
from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.events import Category, Entry
from onhand.core.orders.moves import ZERO, Adopt, Move
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.working import Surroundings
from onhand.core.outcomes import Rejected
from onhand.ports import Clock, Reader
from onhand.rows import HoldFilter, HoldRow

HOLDS_MAX: Final = 1_000
"""Holds of one product that are looked at for one reservation id."""


class Adopting:
    """Looks reservations up."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def plan(
        self, around: Surroundings, moves: Sequence[Move]
    ) -> tuple[Sequence[Move], Sequence[Entry]]:
        """The moves with adoptions of as much as there is, and entries about those that cannot be."""
        planned: list[Move] = []
        said: list[Entry] = []
        taken: dict[str, Decimal] = {}
        for move in moves:
            if not isinstance(move, Adopt):
                planned.append(move)
                continue
            found = await self._found(around, move)
            if isinstance(found, str):
                said.append(_left(move, found))
                continue
            key = move.hold_id or move.reservation_id
            quantity = min(move.quantity, found - taken.get(key, ZERO))
            if quantity <= ZERO:
                said.append(_left(move, "another line took all of it"))
                continue
            if move.hold_id and key in taken:
                said.append(_left(move, "another line of the order names it too"))
                continue
            taken[key] = taken.get(key, ZERO) + quantity
            planned.append(msgspec.structs.replace(move, quantity=quantity))
        return planned, said

    async def _found(self, around: Surroundings, move: Adopt) -> Decimal | str:
        """How much can be adopted, or why nothing can."""
        address = resolve(around.rules, around.workflows, move.item)
        if isinstance(address, Rejected):
            return address.message
        if move.hold_id:
            return await self._of_hold(around, address, move.hold_id)
        return await self._of_reservation(around, address, move.reservation_id)

    async def _of_hold(self, around: Surroundings, address: Address, hold_id: str) -> Decimal | str:
        environment = around.rules.environment
        product = await self._reader.hold_product(environment, hold_id)
        row = await self._reader.hold(environment, hold_id, self._clock.now_us())
        if product is None or row is None:
            return "there is no such reservation"
        if product != address.product:
            return f"it is of product {row.product!r}"
        node = _node(around, row)
        if node is None or node.place != address.place or row.measure != around.reserved_measure:
            return "it is elsewhere"
        if row.order:
            return "it belongs to another order"
        if row.closed_at is not None or row.remaining <= 0:
            return "it is closed"
        return unscaled(row.remaining)

    async def _of_reservation(self, around: Surroundings, address: Address, wanted: str) -> Decimal | str:
        source = around.rules.names[around.reserved_measure]
        known = reservation_id(address.product, address.node.key, source)
        if wanted.replace("-", "").lower() != known.replace("-", ""):
            return "it is of another product or place"
        which = HoldFilter(
            environment=around.rules.environment,
            organization=address.product.organization,
            product=address.product.product,
        )
        page = await self._reader.holds(which, self._clock.now_us(), None, HOLDS_MAX)
        free = sum(
            row.remaining
            for row in page.rows
            if not (row.order or row.reference or row.channel)
            and row.measure == around.reserved_measure
            and _node(around, row) == address.node
        )
        return unscaled(free) if free else "nobody's reservations under this id are open"


def _node(around: Surroundings, row: HoldRow) -> Position | None:
    named = name_dimensions(around.rules, dict(row.dimensions), None)
    node = named if isinstance(named, Rejected) else reservation_node(around.rules, named)
    return None if isinstance(node, Rejected) else node


def _left(move: Adopt, why: str) -> Entry:
    named = move.hold_id or move.reservation_id
    return Entry(
        message=f"Reservation {named} of line {move.line.line_item_id} was not taken over: {why}.",
        category=Category.INFORMATION,
        shipment_id=move.line.shipment_id,
        properties={"lineItemId": move.line.line_item_id, "reservation": named},
    )
