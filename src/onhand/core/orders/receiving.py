"""Goods that come in, or leave for a transfer, as one atomic group (order specification 6.8).

A reception concerns lines of one or several purchase orders. In one group the stock rises, the items are valued, the
transactions are written, the purchase orders know what came, and each goods reception id is used up: it is a document that
may be inserted once. So a reception counts once, whole or not at all, whoever sends it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from onhand.core.commands import ChangeOnHand, Document, DocumentKey, DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.costing.arithmetic import times
from onhand.core.costing.providers import Receipt
from onhand.core.keys import ProductKey, shard
from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.entities import to_stored
from onhand.core.orders.item_changes import read_record, unusable
from onhand.core.orders.items import ItemRecord
from onhand.core.orders.moves import ItemRef, TransactionType
from onhand.core.orders.numbers import ZERO, scaled, unscaled
from onhand.core.orders.transactions import (
    PURCHASE_COMMAND,
    Effect,
    EffectKind,
    InventoryTransaction,
    transaction_key,
    transaction_labels,
    twin,
)
from onhand.core.orders.working import Surroundings, datetime_of, item_document
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules

MOST: Final = 2_000
"""Movements of one group."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """Units that come to an item (above zero) or leave one (below)."""

    item: ItemRef
    quantity: Decimal
    kind: TransactionType
    purchase_order_id: str
    line_item_id: str
    reception_id: str = ""
    delivery_id: str = ""
    unit_cost: Decimal | None = None
    currency: str = ""
    costs_like: str = ""
    """Line whose units left in the same group; these cost what those did."""


class Arriving:
    """Makes the group of a reception or of a delivery of a transfer. Called with the rules; `finish` may run again."""

    def __init__(
        self, around: Surroundings, name: str, moves: Sequence[Incoming], documents: Sequence[DocumentKey]
    ) -> None:
        """`name` is unique; `documents` are those that `conclude` writes."""
        self.around = around
        self.name = name
        self.moves = tuple(moves)
        self.documents = tuple(documents)
        self.costs: dict[str, tuple[Decimal | None, str]] = {}
        """Line -> unit cost and currency of what left for it."""
        self.rates_missing: tuple[str, ...] = ()
        """SKUs whose cost could not be converted."""

    def conclude(
        self, concluded: Concluded, documents: Mapping[DocumentKey, Document]
    ) -> list[DocumentWrite] | Rejected:
        """What is written beside stock, items and transactions; or why nothing is."""
        raise NotImplementedError

    def __call__(self, rules: Rules) -> Group | Rejected:
        """The group under these rules."""
        around = msgspec.structs.replace(self.around, rules=rules)
        wrong = unusable(around)
        if wrong is not None:
            return wrong
        addresses: list[Address] = []
        for move in self.moves:
            address = resolve(rules, around.workflows, move.item)
            if isinstance(address, Rejected):
                return address
            addresses.append(address)
        if len(addresses) > MOST:
            return Rejected(Reason.INVALID_VALUE, f"At most {MOST:,} movements are allowed in one call.")
        items = dict.fromkeys(item_document(address) for address in addresses)
        keys = tuple(dict.fromkeys([*self.documents, *items]))

        def finish(concluded: Concluded) -> Sequence[DocumentWrite] | Rejected:
            documents = dict(zip(keys, concluded.documents, strict=True))
            arrived = _Arrived(around, concluded, documents)
            self.costs = {}
            own = [
                write
                for number, pair in enumerate(zip(self.moves, addresses, strict=True))
                for write in arrived.move(self, number, *pair)
            ]
            self.rates_missing = tuple(sorted(arrived.rates_missing))
            further = self.conclude(concluded, documents)
            return further if isinstance(further, Rejected) else [*own, *arrived.records(), *further]

        return Group(
            commands=tuple(
                self._command(around, number, move, address)
                for number, (move, address) in enumerate(zip(self.moves, addresses, strict=True))
            ),
            documents=keys,
            places=tuple(dict.fromkeys((address.product, address.place) for address in addresses)),
            finish=finish,
        )

    def _command(self, around: Surroundings, number: int, move: Incoming, address: Address) -> ChangeOnHand:
        command_id = f"{PURCHASE_COMMAND}{self.name}~{number}"
        return ChangeOnHand(
            id=command_id,
            fingerprint=shard(command_id),
            caller=around.caller,
            product=address.product,
            organization_shown=address.organization,
            product_shown=move.item.sku,
            position=address.record,
            changes=((around.inventory_measure, scaled(move.quantity)),),
            reason=move.kind.value,
        )


class _Arrived:
    """Items while their movements are concluded, one after the other."""

    def __init__(
        self, around: Surroundings, concluded: Concluded, documents: Mapping[DocumentKey, Document]
    ) -> None:
        self._around = around
        self._concluded = concluded
        self._documents = documents
        self._now = datetime_of(concluded.now)
        self._levels: dict[tuple[ProductKey, str], Decimal] = {}
        self._records: dict[DocumentKey, ItemRecord] = {}
        self.rates_missing: set[str] = set()

    def move(self, group: Arriving, number: int, move: Incoming, address: Address) -> list[DocumentWrite]:
        """The transaction of one movement, and its twin at a virtual location; level and record of its item follow."""
        key = item_document(address)
        record = self._records.get(key) or self._read(key, address)
        before = self._level(address)
        unit, currency = move.unit_cost, move.currency
        if move.quantity < ZERO:
            taken = self._around.provider.consume(record, -move.quantity, self._now)
            record, unit, currency = taken.record, taken.unit, taken.currency
            group.costs[move.line_item_id] = (unit, currency)
        else:
            if move.costs_like:
                unit, currency = group.costs.get(move.costs_like, (unit, currency))
            record = self._received(record, move, before, unit, currency)
        self._records[key] = record
        after = before + move.quantity
        self._levels[address.product, address.place] = after
        return self._transaction(group, number, move, address, after, unit, currency, record)

    def _received(
        self, record: ItemRecord, move: Incoming, before: Decimal, unit: Decimal | None, currency: str
    ) -> ItemRecord:
        receipt = Receipt(
            quantity=move.quantity,
            on_hand=before,
            at=self._now,
            unit_cost=unit,
            currency=currency,
            batch_id=move.reception_id,
        )
        done = self._around.provider.receive(record, receipt)
        if done.rate_missing:
            self.rates_missing.add(move.item.sku)
        return done.record

    def _transaction(  # noqa: PLR0913 - the columns of a transaction
        self,
        group: Arriving,
        number: int,
        move: Incoming,
        address: Address,
        after: Decimal,
        unit: Decimal | None,
        currency: str,
        record: ItemRecord,
    ) -> list[DocumentWrite]:
        around, item = self._around, move.item
        where = address.product, address.place
        effect = Effect(
            EffectKind.RECEPTION,
            move.reception_id or group.name,
            move.purchase_order_id,
            move.line_item_id,
            str(number),
        )
        key = transaction_key(item_document(address), effect, "", 0)
        transaction = InventoryTransaction(
            id=key.id,
            transaction_date=self._now,
            transaction_type=move.kind.value,
            variant=item.sku,
            warehouse_code=item.warehouse,
            warehouse_name=address.warehouse.name or "",
            location=record.location,
            inventory_change=move.quantity,
            new_inventory=after,
            new_reserved_inventory=unscaled(self._concluded.total(*where, around.reserved_measure)),
            inventory_change_value=None if unit is None else times(unit, move.quantity),
            total_inventory_value=around.provider.value(record, after),
            internal_reference=":".join(
                part for part in (move.purchase_order_id, move.line_item_id, move.reception_id) if part
            ),
            purchase_order_id=move.purchase_order_id,
            goods_reception_id=move.reception_id,
            line_item_id=move.line_item_id,
            unit_cost=unit,
            unit_cost_currency=currency if unit is not None else "",
            reason=move.kind.value,
            user_id=around.user_id or around.caller,
        )
        found = [(key, transaction)]
        if item.virtual:
            other = transaction_key(
                item_document(address), msgspec.structs.replace(effect, is_virtual=True), "", 0
            )
            found.append((other, twin(transaction, other.id, item.virtual)))
        return [DocumentWrite(one, 0, to_stored(body), transaction_labels(body)) for one, body in found]

    def records(self) -> list[DocumentWrite]:
        """The records of the items."""
        return [
            DocumentWrite(
                key,
                self._documents[key].version,
                to_stored(record),
                (f"sku={record.sku.lower()}", f"warehouse={record.warehouse_code.lower()}"),
            )
            for key, record in self._records.items()
        ]

    def _read(self, key: DocumentKey, address: Address) -> ItemRecord:
        body = self._documents[key].body
        if body:
            return read_record(body)
        return ItemRecord(sku=address.item.sku, warehouse_code=address.item.warehouse, created=self._now)

    def _level(self, address: Address) -> Decimal:
        where = address.product, address.place
        known = self._levels.get(where)
        if known is None:
            return unscaled(self._concluded.before(*where, self._around.inventory_measure))
        return known
