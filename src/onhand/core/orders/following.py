"""What a client's change of an order means for the stock that is reserved for it (D26, A38).

Pure: compares the order before and after and says which moves make the reservation ledger follow, all of them in
the group that saves the order. Where goods left a line altogether, what is reserved for it is given back. What was
taken from stock already cannot go elsewhere: the change is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from onhand.core.orders.configuration import same
from onhand.core.orders.dividing import Split
from onhand.core.orders.lines import all_lines
from onhand.core.orders.model import Order, OrderLine, Shipment, adopted_reservation
from onhand.core.orders.moves import ZERO, Adopt, ItemRef, LineRef, Move, Release, Relocate, Reserve, SplitRow
from onhand.core.orders.record import LedgerRow, OrderRecord
from onhand.core.orders.refusals import Code, Refused

Following = Release | Relocate | Reserve | SplitRow
"""Moves by which a reservation follows its line."""

POS = "Pos"
"""Order type whose shipments without a warehouse leave the selling store (A9)."""


def item_of_line(order: Order, shipment: Shipment, line: OrderLine) -> ItemRef | None:
    """The item that a line moves; None where no warehouse or no SKU is known."""
    warehouse = shipment.warehouse_code or (order.store_id if same(order.order_type, POS) else "")
    if not warehouse or not line.code:
        return None
    named = tuple(sorted((name.strip().lower(), value) for name, value in line.dimensions.items()))
    return ItemRef(line.code, warehouse, shipment.virtual_warehouse_code or "", named)


class _Part(msgspec.Struct, frozen=True):
    """A line in a shipment of the changed order, with how much of it came there."""

    line: LineRef
    shipment: Shipment
    found: OrderLine
    came: Decimal
    """Effective quantity more than before."""


def moves_of_change(
    record: OrderRecord, after: Order | None, splits: Sequence[Split] = ()
) -> tuple[Move, ...] | Refused:
    """Moves that make the ledger of the record fit the order as it is to be; None: it is to be gone for ever.

    A split says how a reservation is shared; without one, what went takes its part first.
    """
    if after is None:
        return tuple(_released(row) for row in record.rows if row.remaining > ZERO)
    before = {} if record.order is None else _effective(record.order)
    there = {
        part.line: part
        for part in (
            _Part(ref, shipment, line, line.effective - before.get(ref, ZERO))
            for ref, shipment, line in _placed(after)
        )
    }
    moves: list[Move] = []
    taken: set[LineRef] = set()
    for row in record.rows:
        found = _of_row(record, row, after, there, before.get(row.line, ZERO), splits)
        if isinstance(found, Refused):
            return found
        goals = {move.target if isinstance(move, SplitRow) else move.line for move in found}
        if goals & taken:
            return _scattered(row)
        taken |= goals
        moves.extend(found)
    known = set() if record.order is None else {line.line_item_id for line in _every_line(record.order)}
    moves += _adoptions(after, known, {row.line for row in record.rows})
    return tuple(moves)


def _of_row(  # noqa: PLR0913 - a row and everything that decides about it
    record: OrderRecord,
    row: LedgerRow,
    after: Order,
    there: dict[LineRef, _Part],
    before: Decimal,
    splits: Sequence[Split],
) -> list[Following] | Refused:
    home = there.get(row.line)
    shrunk = home is None or home.came < ZERO
    targets = [
        part
        for part in there.values()
        if shrunk
        and part.line.line_item_id == row.line_item_id
        and part.line != row.line
        and part.came > ZERO
    ]
    if row.reduction is not None and not row.reduction.reversed_by:
        return _taken(row) if home is None and targets and before > ZERO else []
    if row.remaining <= ZERO:
        return []
    for part in targets if home is None else [*targets, home]:
        if not same(part.found.code, row.sku):
            return _other_product(row, part.found.code)
    if home is not None and not targets:
        return _at_home(row, after, home)
    moved = home is not None and not _same_item(item_of_line(after, home.shipment, home.found), _item(row))
    if len(targets) > 1 or moved:
        return _scattered(row)
    quantity = row.remaining if home is None else _share(row, targets[0], splits)
    return _away(record, row, after, targets, quantity)


def _away(
    record: OrderRecord, row: LedgerRow, after: Order, targets: list[_Part], quantity: Decimal
) -> list[Following]:
    """So much of the reservation leaves its shipment: for another one, or for none."""
    for part in targets:
        item = item_of_line(after, part.shipment, part.found)
        if item is not None:
            return _handed(record, row, part.line, item, quantity)
    return [_released(row, quantity)] if quantity > ZERO else []


def _share(row: LedgerRow, part: _Part, splits: Sequence[Split]) -> Decimal:
    """How much of the reservation goes with a part of the line."""
    for split in splits:
        if LineRef(split.source, split.line_item_id) == row.line and split.target == part.line.shipment_id:
            return split.reservation(row.remaining)
    return min(part.came, row.remaining)


def _at_home(row: LedgerRow, after: Order, home: _Part) -> list[Following]:
    """The line stays in its shipment, which may stand for another item now."""
    item = item_of_line(after, home.shipment, home.found)
    if item is None:
        return [_released(row)]
    if _same_item(item, _item(row)):
        return []
    return [Relocate(line=row.line, source=_item(row), target=item)]


def _handed(
    record: OrderRecord, row: LedgerRow, line: LineRef, item: ItemRef, quantity: Decimal
) -> list[Following]:
    """A part of the reservation goes to a line in another shipment; the sum does not change.

    A row is planned from as it was read, so it takes part in one such move.
    """
    if quantity <= ZERO:
        return []
    old = record.row(line)
    split = SplitRow(line=row.line, target=line, quantity=quantity)
    if not _same_item(item, _item(row)):
        if old is None:
            return [split, Relocate(line=line, source=_item(row), target=item)]
    elif old is None or not old.hold_id or (quantity == row.remaining and old.remaining <= ZERO):
        return [split]
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


def _same_item(one: ItemRef | None, other: ItemRef) -> bool:
    return (
        one is not None
        and same(one.sku, other.sku)
        and same(one.warehouse, other.warehouse)
        and same(one.virtual, other.virtual)
        and one.dimensions == other.dimensions
    )


def _placed(order: Order) -> Iterator[tuple[LineRef, Shipment, OrderLine]]:
    return (
        (LineRef(shipment.shipment_id, line.line_item_id), shipment, line)
        for shipment, line in all_lines(order)
    )


def _effective(order: Order) -> dict[LineRef, Decimal]:
    return {ref: line.effective for ref, _, line in _placed(order)}


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
