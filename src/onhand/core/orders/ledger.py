"""Changes of ledger rows, and what a line shows of its row (order specification 3.5)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from onhand.core.orders.addresses import Address
from onhand.core.orders.lines import with_lines
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import ItemRef, LineRef
from onhand.core.orders.record import LedgerRow, OrderRecord

ZERO = Decimal(0)


def new_row(line: LineRef, item: ItemRef, address: Address) -> LedgerRow:
    """A row with nothing reserved."""
    return LedgerRow(
        shipment_id=line.shipment_id,
        line_item_id=line.line_item_id,
        sku=item.sku,
        warehouse=item.warehouse,
        virtual=item.virtual,
        dimensions=item.dimensions,
        node=address.node.key,
    )


def item_of(row: LedgerRow) -> ItemRef:
    """The item that a row reserves."""
    return ItemRef(row.sku, row.warehouse, row.virtual, row.dimensions)


def raised(row: LedgerRow, quantity: Decimal) -> LedgerRow:
    """More is reserved."""
    return msgspec.structs.replace(row, reserved=row.reserved + quantity, revision=row.revision + 1)


def lowered(row: LedgerRow, quantity: Decimal, *, canceled: bool = False) -> LedgerRow:
    """A part was given back; `canceled` says whether because its units were cancelled."""
    released = min(quantity, row.remaining)
    return msgspec.structs.replace(
        row,
        released=row.released + released,
        canceled=row.canceled + released if canceled else row.canceled,
        revision=row.revision + 1,
    )


def handed_over(row: LedgerRow, quantity: Decimal) -> LedgerRow:
    """A part went to another row: here it was never reserved."""
    return msgspec.structs.replace(row, reserved=row.reserved - quantity, revision=row.revision + 1)


def mirrored(record: OrderRecord, line: LineRef) -> OrderRecord:
    """The record whose line shows what its row says."""
    row = record.row(line)
    if record.order is None or row is None:
        return record
    shown = row.shown

    def change(shipment: Shipment, one: OrderLine) -> OrderLine:
        if LineRef(shipment.shipment_id, one.line_item_id) != line:
            return one
        return msgspec.structs.replace(
            one,
            reserved_inventory=shown > ZERO,
            reserved_inventory_quantity=shown,
            forced_reservation=False,  # its quantity is real now (C9)
            hold_id=row.hold_id or one.hold_id,
            soft_reservation_id=row.reservation_id or one.soft_reservation_id,
        )

    return msgspec.structs.replace(record, order=with_lines(record.order, change, line.shipment_id))


def flagged(order: Order, line: LineRef, quantity: Decimal) -> Order:
    """The order whose line shows this reserved quantity."""

    def change(_shipment: Shipment, one: OrderLine) -> OrderLine:
        if one.line_item_id != line.line_item_id:
            return one
        return msgspec.structs.replace(
            one, reserved_inventory=quantity > ZERO, reserved_inventory_quantity=quantity
        )

    return with_lines(order, change, line.shipment_id)
