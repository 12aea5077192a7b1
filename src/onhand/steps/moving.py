"""Lines that change their warehouse or their shipment, and the reservations that go along (D26)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from onhand.core.orders.configuration import same
from onhand.core.orders.dividing import divided, sibling
from onhand.core.orders.entities import ID_MAX
from onhand.core.orders.lines import with_shipments
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ZERO, Move, Relocate, SplitRow
from onhand.core.orders.statuses import is_completed
from onhand.steps import scope
from onhand.steps.contract import Facts


def is_movable(facts: Facts, shipment: Shipment) -> bool:
    """Whether nothing of it has left, and each of its lines can be referred to."""
    ids = [line.line_item_id for line in shipment.line_items]
    if is_completed(shipment) or len(set(ids)) < len(ids):
        return False
    return not any(scope.reduced(facts.row(shipment, line)) for line in shipment.line_items)


def candidates(facts: Facts, roles: Iterable[str]) -> tuple[str, ...]:
    """Warehouses that may deliver, in order of preference: those that the store names, or all, the primary ones first.

    Virtual warehouses never, and with roles only those that have one of them.
    """
    own = scope.warehouse(facts, facts.order.store_id)
    if own is not None and own.available_warehouses:
        listed = sorted(own.available_warehouses, key=lambda one: one.priority)
        named = [scope.warehouse(facts, one.warehouse_code) for one in listed]
        found = [one for one in named if one is not None]
    else:
        found = sorted(facts.warehouses.values(), key=lambda one: (not one.is_primary_warehouse, one.code))
    wanted = tuple(roles)
    return tuple(
        one.code
        for one in found
        if one.is_warehouse and not one.is_virtual and has_role(facts, one.code, wanted)
    )


def has_role(facts: Facts, code: str, roles: Iterable[str]) -> bool:
    """Whether the warehouse has one of the roles and sells on the order's market; no roles mean any."""
    wanted = tuple(roles)
    found = scope.warehouse(facts, code)
    if found is None:
        return not wanted
    markets = found.available_on_markets
    if markets and not any(same(one, facts.order.market_id) for one in markets):
        return False
    return not wanted or any(same(role, one) for role in found.store_role_ids for one in wanted)


def relocations(facts: Facts, shipment: Shipment, target: str, *, check: bool) -> Iterator[Move]:
    """Moves of what the shipment's lines have reserved to another warehouse."""
    for line in shipment.line_items:
        row = facts.row(shipment, line)
        item = scope.item_at(line, target)
        if row is not None and row.remaining > ZERO and scope.held_item(row) != item:
            yield Relocate(line=row.line, source=scope.held_item(row), target=item, check=check)


def at_warehouse(shipment: Shipment, code: str) -> Shipment:
    """The shipment sent from another warehouse."""
    return msgspec.structs.replace(
        shipment, warehouse_code=code, virtual_warehouse_code=None, is_allocated=True
    )


def row_moves(
    facts: Facts, shipment: Shipment, line: OrderLine, target: Shipment, kept: Decimal = ZERO
) -> Iterator[Move]:
    """Moves of a line's reservation to another shipment and its warehouse; as much stays as the kept units need."""
    row = facts.row(shipment, line)
    quantity = max(ZERO, row.remaining - kept) if row is not None else ZERO
    if row is None or quantity == ZERO:
        return
    moved = scope.ref(target, line)
    yield SplitRow(line=row.line, target=moved, quantity=quantity)
    item = scope.item(facts, target, line)
    if scope.held_item(row) != item:
        yield Relocate(line=moved, source=scope.held_item(row), target=item, check=True)


def taken_ids(facts: Facts) -> set[str]:
    """Shipment ids that a new shipment must not have: nothing that the ledger knows may come back as its own."""
    return {one.shipment_id for one in facts.order.shipments} | {one.shipment_id for one in facts.rows}


def free_shipment_id(taken: set[str], base: str) -> str:
    """An id like the shipment's that is free; it is taken then."""
    number = 2
    stem = base[: ID_MAX - 10]
    while f"{stem}-{number}" in taken:
        number += 1
    taken.add(f"{stem}-{number}")
    return f"{stem}-{number}"


def new_shipment(shipment: Shipment, shipment_id: str, code: str) -> Shipment:
    """A shipment beside another one, without lines, from a warehouse; an empty code keeps the old one's."""
    made = msgspec.structs.replace(sibling(shipment, shipment_id), is_allocated=None)
    if not code or same(code, shipment.warehouse_code):
        return made
    return msgspec.structs.replace(made, warehouse_code=code, virtual_warehouse_code=None)


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """A line on its way to a new shipment, with the marks that both parts have afterwards."""

    goes: OrderLine
    stays: OrderLine | None = None
    """None: the line goes as a whole."""


def leaving(facts: Facts, shipment: Shipment, line: OrderLine, units: Decimal | None = None) -> Leaving:
    """The line, or units of it, leaving. What stays keeps its reservation first, and the marks follow the ledger."""
    row = facts.row(shipment, line)
    held = scope.remaining(row)
    if units is None:
        return Leaving(goes=marked(line, held, forced=False) if held > ZERO else line)
    goes, stays = divided(line, units, first=False)
    if row is None or held == ZERO:
        return Leaving(goes=goes, stays=stays)
    moved = max(ZERO, held - stays.effective)
    return Leaving(
        goes=marked(goes, moved, forced=False), stays=marked(stays, row.shown - moved, forced=False)
    )


def marked(line: OrderLine, quantity: Decimal, *, forced: bool) -> OrderLine:
    """The line with this reserved quantity."""
    return msgspec.structs.replace(
        line,
        reserved_inventory=quantity > ZERO,
        reserved_inventory_quantity=quantity,
        forced_reservation=forced,
    )


def transferred(order: Order, source_id: str, target: Shipment, gone: Mapping[str, Leaving]) -> Order:
    """The order with a new shipment for lines of another one, which is removed when it has none left."""
    source = order.shipment(source_id)
    if source is None:
        return order
    stays: list[OrderLine] = []
    goes: list[OrderLine] = []
    for line in source.line_items:
        found = gone.get(line.line_item_id)
        if found is None:
            stays.append(line)
            continue
        goes.append(found.goes)
        stays += [found.stays] if found.stays is not None else []
    made = msgspec.structs.replace(target, line_items=tuple(goes))
    kept = msgspec.structs.replace(source, line_items=tuple(stays))
    others = tuple(kept if one.shipment_id == source_id else one for one in order.shipments)
    left = tuple(one for one in others if one.line_items or one.shipment_id != source_id)
    return with_shipments(order, (*left, made))
