"""What a client's change of an order means for the stock that is reserved for it (D26, A38).

Pure: compares the order before and after and says which moves make the reservation ledger follow, all of them in
the group that saves the order. Where goods left a line altogether, what is reserved for it is given back. What was
taken from stock already cannot go elsewhere: the change is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from onhand.core.orders.configuration import same
from onhand.core.orders.lines import all_lines
from onhand.core.orders.model import Order, OrderLine, Shipment, adopted_reservation
from onhand.core.orders.moves import ZERO, Adopt, ItemRef, LineRef, Move, Release, Relocate, Reserve, SplitRow
from onhand.core.orders.record import LedgerRow, OrderRecord
from onhand.core.orders.refusals import Code, Refused

POS = "Pos"
"""Order type whose shipments without a warehouse leave the selling store (A9)."""


def item_of_line(order: Order, shipment: Shipment, line: OrderLine) -> ItemRef | None:
    """The item that a line moves; None where no warehouse or no SKU is known."""
    warehouse = shipment.warehouse_code or (order.store_id if same(order.order_type, POS) else "")
    if not warehouse or not line.code:
        return None
    named = tuple(sorted((name.strip().lower(), value) for name, value in line.dimensions.items()))
    return ItemRef(line.code, warehouse, shipment.virtual_warehouse_code or "", named)


def moves_of_change(record: OrderRecord, after: Order | None) -> tuple[Move, ...] | Refused:
    """Moves that make the ledger of the record fit the order as it is to be; None: it is to be gone for ever."""
    if after is None:
        return tuple(_released(row) for row in record.rows if row.remaining > ZERO)
    there = {
        LineRef(shipment.shipment_id, line.line_item_id): (shipment, line)
        for shipment, line in all_lines(after)
    }
    moves: list[Move] = []
    for row in record.rows:
        found = _of_row(record, row, after, there)
        if isinstance(found, Refused):
            return found
        moves.extend(found)
    before = record.order
    known = set() if before is None else {line.line_item_id for line in _every_line(before)}
    moves += _adoptions(after, known, {row.line for row in record.rows})
    return tuple(moves)


def _of_row(
    record: OrderRecord, row: LedgerRow, after: Order, there: dict[LineRef, tuple[Shipment, OrderLine]]
) -> list[Move] | Refused:
    home = there.get(row.line)
    targets = [
        (line, shipment, part)
        for line, (shipment, part) in there.items()
        if line.line_item_id == row.line_item_id and line != row.line and not _was_there(record, line)
    ]
    if row.reduction is not None and not row.reduction.reversed_by:
        return _taken(row) if home is None and targets else []
    if row.remaining <= ZERO:
        return []
    for _, _, part in targets if home is None else [*targets, (row.line, *home)]:
        if not same(part.code, row.sku):
            return _other_product(row, part.code)
    return _away(record, row, after, targets) if home is None else _at_home(record, row, after, home, targets)


def _away(
    record: OrderRecord, row: LedgerRow, after: Order, targets: list[tuple[LineRef, Shipment, OrderLine]]
) -> list[Move] | Refused:
    """The line left its shipment: for one other shipment, or for none."""
    if len(targets) > 1:
        return _scattered(row)
    for line, shipment, part in targets:
        item = item_of_line(after, shipment, part)
        if item is not None:
            return _handed(record, row, line, item, row.remaining)
    return [_released(row)]


def _at_home(
    record: OrderRecord,
    row: LedgerRow,
    after: Order,
    home: tuple[Shipment, OrderLine],
    targets: list[tuple[LineRef, Shipment, OrderLine]],
) -> list[Move] | Refused:
    """The line stays where it is; a part of it may go to one other shipment."""
    item = item_of_line(after, *home)
    moved = item is None or not _same_item(item, _item(row))
    if not targets:
        if item is None:
            return [_released(row)]
        return [Relocate(line=row.line, source=_item(row), target=item)] if moved else []
    if len(targets) > 1 or moved:
        return _scattered(row)
    line, shipment, part = targets[0]
    target = item_of_line(after, shipment, part)
    quantity = min(part.effective, row.remaining)
    if target is None or quantity <= ZERO:
        return []
    return _handed(record, row, line, target, quantity)


def _handed(
    record: OrderRecord, row: LedgerRow, line: LineRef, item: ItemRef, quantity: Decimal
) -> list[Move]:
    """A part of the reservation goes to a line in another shipment; the sum does not change.

    One move a row: each is planned from the row as it was read.
    """
    old = record.row(line)
    whole = quantity == row.remaining
    if _same_item(item, _item(row)) and (whole or old is None or not old.hold_id):
        return [SplitRow(line=row.line, target=line, quantity=quantity)]
    return [_released(row, quantity), Reserve(line=line, item=item, quantity=quantity)]


def _released(row: LedgerRow, quantity: Decimal | None = None) -> Release:
    return Release(line=row.line, item=_item(row), quantity=row.remaining if quantity is None else quantity)


def _adoptions(after: Order, known: set[str], rows: set[LineRef]) -> Iterator[Adopt]:
    """Lines that are new to the order take over the reservation that they name, up to what they need."""
    for shipment, line in all_lines(after):
        ref = LineRef(shipment.shipment_id, line.line_item_id)
        named = adopted_reservation(line)
        item = item_of_line(after, shipment, line)
        if not named or item is None or ref in rows or line.line_item_id in known or line.effective <= ZERO:
            continue
        by_hold = named == line.hold_id or _is_hold_id(named)
        yield Adopt(
            line=ref,
            item=item,
            quantity=line.effective,
            hold_id=named if by_hold else "",
            reservation_id="" if by_hold else named,
        )


def _is_hold_id(text: str) -> bool:
    """Hold ids have three parts; reservation ids are UUIDs, with five parts or one."""
    return text.count("-") == 2


def settled(record: OrderRecord, after: Order) -> Order:
    """The client's order with what only the ledger may say: reserved quantities, holds and forced marks."""
    before = {
        LineRef(shipment.shipment_id, line.line_item_id): line
        for shipment, line in (all_lines(record.order) if record.order is not None else ())
    }
    shipments = tuple(
        msgspec.structs.replace(
            shipment,
            line_items=tuple(_settled(record, before, shipment, line) for line in shipment.line_items),
        )
        for shipment in after.shipments
    )
    unassigned = tuple(_loose(line) for line in after.order_form.unassigned)
    form = msgspec.structs.replace(after.order_form, shipments=shipments, unassigned=unassigned)
    return msgspec.structs.replace(after, order_form=form, version_id=None)


def _settled(
    record: OrderRecord, before: dict[LineRef, OrderLine], shipment: Shipment, line: OrderLine
) -> OrderLine:
    ref = LineRef(shipment.shipment_id, line.line_item_id)
    row, old = record.row(ref), before.get(ref)
    if row is None:
        return msgspec.structs.replace(line, forced_reservation=old is not None and old.forced_reservation)
    return msgspec.structs.replace(
        line,
        reserved_inventory=row.shown > ZERO,
        reserved_inventory_quantity=row.shown,
        forced_reservation=False,
        hold_id=row.hold_id or None,
        soft_reservation_id=row.reservation_id or line.soft_reservation_id,
    )


def _loose(line: OrderLine) -> OrderLine:
    """A line in no shipment has nothing reserved."""
    return msgspec.structs.replace(
        line,
        reserved_inventory=False,
        reserved_inventory_quantity=ZERO,
        forced_reservation=False,
        hold_id=None,
    )


def _item(row: LedgerRow) -> ItemRef:
    return ItemRef(row.sku, row.warehouse, row.virtual, row.dimensions)


def _same_item(one: ItemRef, other: ItemRef) -> bool:
    return (
        same(one.sku, other.sku)
        and same(one.warehouse, other.warehouse)
        and same(one.virtual, other.virtual)
        and one.dimensions == other.dimensions
    )


def _was_there(record: OrderRecord, line: LineRef) -> bool:
    return record.order is not None and any(
        LineRef(shipment.shipment_id, one.line_item_id) == line for shipment, one in all_lines(record.order)
    )


def _every_line(order: Order) -> Iterator[OrderLine]:
    yield from (line for _, line in all_lines(order))
    yield from order.order_form.unassigned


def _taken(row: LedgerRow) -> Refused:
    return Refused(
        Code.VALIDATION_FAILED,
        f"Line {row.line_item_id!r} of shipment {row.shipment_id!r} was taken from stock already, so it cannot go to "
        "another shipment. Take the reduction back first (reverse-reduction), or register a return.",
    )


def _other_product(row: LedgerRow, code: str) -> Refused:
    return Refused(
        Code.VALIDATION_FAILED,
        f"Line {row.line_item_id!r} has {row.remaining} of {row.sku!r} reserved, so its code cannot become {code!r}. "
        "Cancel the line and add another one.",
    )


def _scattered(row: LedgerRow) -> Refused:
    return Refused(
        Code.VALIDATION_FAILED,
        f"Line {row.line_item_id!r} has {row.remaining} of {row.sku!r} reserved, and the change would send it several "
        "ways at once. Change one shipment at a time.",
    )
