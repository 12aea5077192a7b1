"""What a reception, a delivery and its status write beside stock: purchase orders, deliveries, used up ids. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from onhand.core.commands import Document, DocumentKey, DocumentWrite
from onhand.core.concluding import Concluded
from onhand.core.keys import shard
from onhand.core.orders.configuration import folded
from onhand.core.orders.entities import to_stored
from onhand.core.orders.moves import ItemRef, TransactionType
from onhand.core.orders.numbers import ZERO
from onhand.core.orders.purchasing import (
    COMPLETED,
    DELIVERY,
    IN_PROGRESS,
    PURCHASED,
    RECEPTION,
    TRANSFER,
    Delivery,
    PurchaseLine,
    PurchaseOrder,
    PurchaseRecord,
    ReceptionLine,
    Shipped,
    delivery_write,
    key_of,
    modified,
    purchase_write,
    read_delivery,
    read_purchase,
    received,
    shared_out,
    with_line,
)
from onhand.core.orders.receiving import Arriving, Incoming
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.working import Surroundings, datetime_of
from onhand.core.outcomes import Reason, Rejected

GRACE_US = 60_000_000
"""Microseconds after which goods are offered to orders by the clock, if the request that received them did not."""


class StoredPurchase(msgspec.Struct, frozen=True):
    """A purchase order's document as it was read."""

    key: DocumentKey
    version: int
    record: PurchaseRecord

    @property
    def shown(self) -> PurchaseOrder | None:
        """As a client sees it, with its version."""
        order = self.record.order
        return None if order is None else msgspec.structs.replace(order, version_id=str(self.record.revision))


class Receiving(Arriving):
    """The group of a reception."""

    def __init__(
        self,
        around: Surroundings,
        lines: Sequence[ReceptionLine],
        moves: Sequence[Incoming],
        stored: Mapping[str, StoredPurchase],
        delivery_id: str,
    ) -> None:
        ids = tuple(dict.fromkeys(line.goods_reception_id for line in lines))
        number = around.rules.environment
        self._receptions = [key_of(number, RECEPTION, one) for one in ids]
        self._purchases = {line: one.key for line, one in stored.items()}
        self._delivery = key_of(number, DELIVERY, delivery_id) if delivery_id else None
        self._lines = tuple(lines)
        self._done_status = setting(around, "goodsReceptionCompletedStatus") or COMPLETED
        self.duplicates: tuple[str, ...] = ()
        documents = [*self._receptions, *dict.fromkeys(self._purchases.values())]
        if self._delivery is not None:
            documents.append(self._delivery)
        super().__init__(around, f"{ids[0]}~{shard(*ids):x}", moves, documents)

    def conclude(
        self, concluded: Concluded, documents: Mapping[DocumentKey, Document]
    ) -> list[DocumentWrite] | Rejected:
        """The ids are used up, and the purchase orders know what came."""
        self.duplicates = tuple(key.id for key in self._receptions if documents[key].version)
        if self.duplicates:
            return Rejected(Reason.DUPLICATE_ID, "The goods reception was processed before.")
        records: dict[DocumentKey, PurchaseRecord] = {}
        for line in self._lines:
            key = self._purchases[line.line_item_id]
            record = records.get(key) or _record(documents[key])
            changed = None if record is None else _with_reception(record, line, self._done_status)
            if changed is None:
                return Rejected(Reason.STALE_DOCUMENT, "The purchase order changed meanwhile. Try again.")
            records[key] = changed
        now = datetime_of(concluded.now)
        writes = [
            DocumentWrite(
                key,
                0,
                to_stored(
                    ReceptionMark(tuple(one for one in self._lines if one.goods_reception_id == key.id))
                ),
            )
            for key in self._receptions
        ]
        for key, record in records.items():
            order = None if record.order is None else modified(record.order, now)
            kept = msgspec.structs.replace(record, order=order, revision=record.revision + 1)
            writes.append(purchase_write(key, documents[key].version, kept, concluded.now + GRACE_US))
        return [*writes, *self._delivered(documents, list(records.values()))]

    def _delivered(
        self, documents: Mapping[DocumentKey, Document], records: Sequence[PurchaseRecord]
    ) -> list[DocumentWrite]:
        if self._delivery is None:
            return []
        document = documents[self._delivery]
        if not document.body:
            return []
        delivery = read_delivery(document.body)
        if delivery.is_auto_delivery_status_disabled:
            return []
        lines = [
            line
            for record in records
            if record.order is not None
            for line in record.order.lines
            if line.delivery_id == delivery.id
        ]
        status = COMPLETED if all(not line.open for line in lines) else IN_PROGRESS
        changed = msgspec.structs.replace(delivery, delivery_status=status)
        return [delivery_write(document.key, document.version, changed)]


class Delivering(Arriving):
    """The group of a new delivery."""

    def __init__(  # noqa: PLR0913 - what a delivery consists of
        self,
        around: Surroundings,
        stored: StoredPurchase,
        order: PurchaseOrder,
        wanted: Delivery,
        lines: Sequence[PurchaseLine],
        moves: Sequence[Incoming],
    ) -> None:
        self._stored = stored
        self._order = order
        self._lines = tuple(lines)
        self._key = key_of(around.rules.environment, DELIVERY, wanted.id)
        self.exists = False
        self.delivery = msgspec.structs.replace(
            wanted,
            purchase_order_id=order.id,
            order_type=TRANSFER if order.is_transfer else PURCHASED,
            supplier_warehouse_code=order.supplier_warehouse_code,
            warehouse_code=wanted.warehouse_code or order.warehouse_code,
            line_item_ids=tuple(line.line_item_id for line in lines),
        )
        super().__init__(around, f"delivery~{wanted.id}", moves, [self._key, stored.key])

    def conclude(
        self, concluded: Concluded, documents: Mapping[DocumentKey, Document]
    ) -> list[DocumentWrite] | Rejected:
        """The delivery is new, its lines know it, and what left is remembered with its cost."""
        self.exists = documents[self._key].version > 0
        if self.exists or documents[self._stored.key].version != self._stored.version:
            return Rejected(Reason.STALE_DOCUMENT, "The purchase order changed meanwhile. Try again.")
        now = datetime_of(concluded.now)
        self.delivery = msgspec.structs.replace(self.delivery, created=now, modified=now)
        order = self._order
        for line in self._lines:
            arrival = line.estimated_time_of_arrival or self.delivery.estimated_time_of_arrival
            order = with_line(
                order,
                msgspec.structs.replace(
                    line, delivery_id=self.delivery.id, estimated_time_of_arrival=arrival
                ),
            )
        left = {
            move.line_item_id: Shipped(quantity=-move.quantity, unit_cost=unit, currency=currency)
            for move in self.moves
            for unit, currency in (self.costs.get(move.line_item_id, (None, "")),)
        }
        record = msgspec.structs.replace(
            self._stored.record,
            order=modified(order, now),
            revision=self._stored.record.revision + 1,
            shipped={**self._stored.record.shipped, **left},
        )
        return [
            delivery_write(self._key, 0, self.delivery),
            purchase_write(self._stored.key, self._stored.version, record, concluded.now + GRACE_US),
        ]


class Renaming(Arriving):
    """The group of a delivery's new status."""

    def __init__(self, around: Surroundings, key: DocumentKey, status: str) -> None:
        super().__init__(around, key.id, (), [key])
        self._key = key
        self._status = status
        self.delivery: Delivery | None = None

    def conclude(
        self, concluded: Concluded, documents: Mapping[DocumentKey, Document]
    ) -> list[DocumentWrite] | Rejected:
        """The delivery with the status, if there is one."""
        document = documents[self._key]
        if not document.body:
            return []
        found = read_delivery(document.body)
        self.delivery = msgspec.structs.replace(
            found, delivery_status=self._status, modified=datetime_of(concluded.now)
        )
        return [delivery_write(self._key, document.version, self.delivery)]


class ReceptionMark(msgspec.Struct, frozen=True):
    """Body of a goods reception's document: what came under the id."""

    lines: tuple[ReceptionLine, ...]


def moves_of(
    around: Surroundings, record: PurchaseRecord, line: ReceptionLine, delivery_id: str
) -> list[Incoming] | Refused:
    """The movements of a received line."""
    order = record.order
    found = None if order is None else order.line(line.line_item_id)
    if order is None or found is None:
        return Refused(Code.NOT_FOUND, f"There is no purchase order line {line.line_item_id!r}.")
    if delivery_id and found.delivery_id != delivery_id:
        return Refused(
            Code.VALIDATION_FAILED, f"Line {line.line_item_id!r} does not belong to delivery {delivery_id!r}."
        )
    target = line.warehouse_code or order.target(found)
    if around.workflows.warehouse(target) is None:
        return Refused(
            Code.VALIDATION_FAILED,
            f"Line {line.line_item_id!r} comes to {target!r}, which is no configured warehouse.",
        )
    if line.delivered_quantity <= ZERO or not found.update_stock:
        return []
    shipped = record.shipped.get(found.line_item_id)
    left = ZERO if shipped is None else max(ZERO, shipped.quantity - found.delivered_quantity)
    sudden = max(ZERO, line.delivered_quantity - left) if order.is_transfer else ZERO
    base = Incoming(
        item=ItemRef(found.code, target),
        quantity=line.delivered_quantity,
        kind=TransactionType.TRANSFER if order.is_transfer else TransactionType.RECEPTION,
        purchase_order_id=order.id,
        line_item_id=found.line_item_id,
        reception_id=line.goods_reception_id,
        delivery_id=found.delivery_id or "",
    )
    moves: list[Incoming] = []
    if sudden:  # it came although nobody said that it left
        source = ItemRef(found.code, order.supplier_warehouse_code or "")
        moves.append(msgspec.structs.replace(base, item=source, quantity=-sudden))
    priced = found.update_cost_price and line.update_product_cost_price
    unit, currency = (found.unit_cost, order.currency_of(found)) if priced else (None, "")
    if order.is_transfer and unit is None and shipped is not None:
        unit, currency = shipped.unit_cost, shipped.currency
    alike = found.line_item_id if sudden and unit is None else ""
    return moves + [
        msgspec.structs.replace(
            base,
            item=ItemRef(found.code, target, code),
            quantity=quantity,
            unit_cost=unit,
            currency=currency,
            costs_like=alike,
        )
        for code, quantity in _places(found, line).items()
    ]


def _places(found: PurchaseLine, line: ReceptionLine) -> dict[str, Decimal]:
    """Virtual location -> units of the reception for it; "" for those of none."""
    parts = shared_out(found, line.delivered_quantity, unallocated=line.receive_as_unallocated)
    rest = line.delivered_quantity - sum(parts.values(), ZERO)
    codes = {folded(one.warehouse_code): one.warehouse_code for one in found.virtual_warehouse_allocations}
    placed = {codes[code]: quantity for code, quantity in parts.items()}
    return placed | ({"": rest} if rest > ZERO else {})


def _with_reception(record: PurchaseRecord, line: ReceptionLine, done_status: str) -> PurchaseRecord | None:
    order = record.order
    found = None if order is None else order.line(line.line_item_id)
    if order is None or found is None:
        return None
    virtual = shared_out(found, line.delivered_quantity, unallocated=line.receive_as_unallocated)
    after = received(order, found, line.delivered_quantity, virtual, done_status)
    waiting = tuple(dict.fromkeys((*record.unsettled, line.line_item_id)))
    return msgspec.structs.replace(record, order=after, unsettled=waiting)


def _record(document: Document) -> PurchaseRecord | None:
    return read_purchase(document.body) if document.body else None


def setting(around: Surroundings, name: str) -> str:
    """A setting of purchasing among the inventory settings, by its name in any case; empty when it is not there."""
    wanted = name.lower()
    for key, value in around.workflows.inventory.extra.items():
        if key.strip().lower() == wanted:
            return "" if value is None else str(value)
    return ""
