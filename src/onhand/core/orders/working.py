"""What a unit of an order changes, while its group is concluded under the locks.

The parts of a unit come one after the other and see what earlier ones left: the record, the records of items, and the
running levels of each item, from which each transaction gets its new levels. In the end `writes` are the documents
that commit with the stock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from onhand.core.commands import Document, DocumentKey, DocumentWrite
from onhand.core.concluding import Concluded
from onhand.core.costing.arithmetic import times
from onhand.core.costing.providers import ValueProvider
from onhand.core.costing.rates import RateTable
from onhand.core.erp.parameters import Parameters
from onhand.core.keys import ProductKey
from onhand.core.orders.addresses import Address
from onhand.core.orders.configuration import ERP, Workflows, folded
from onhand.core.orders.entities import stored_decoder, to_stored
from onhand.core.orders.items import ItemRecord, item_key
from onhand.core.orders.moves import LineRef, TransactionType
from onhand.core.orders.numbers import scaled, unscaled
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.transactions import (
    Effect,
    InventoryTransaction,
    internal_reference,
    transaction_key,
    transaction_labels,
)
from onhand.core.rules import Rules

ZERO = Decimal(0)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_items = stored_decoder(ItemRecord)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What parts must know of the world to become commands."""

    rules: Rules
    workflows: Workflows
    inventory_measure: int
    reserved_measure: int
    provider: ValueProvider
    rates: RateTable
    default_currency: str
    erp: Parameters = Parameters()
    """Of the ERP side, with the word of each warehouse in them (`owners.owned`)."""
    caller: str
    user_id: str = ""
    step: str = ""
    """Key of the step, which is the reason of its movements."""
    run_id: str = ""
    event: str = ""
    """Unique name of the group within the order; ids of its transactions are made of it."""

    def owns_physical(self, address: Address) -> bool:
        """Whether the workflow changes the physical quantity of the warehouse; otherwise the ERP does (decisions 20).

        The location decides, as it does for the ERP's lines: see `owners`.
        """
        return self.erp.owner(dict(address.record.dimensions).get("locationid", "")) != ERP


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something for the event log."""

    name: str
    """`NegativeInventory`, `ReservedUnderflow` …"""
    message: str
    reference_id: str = ""


class Working:
    """State of one unit while it is concluded."""

    def __init__(
        self,
        around: Surroundings,
        record: OrderRecord,
        order_key: DocumentKey,
        concluded: Concluded,
        found: Mapping[DocumentKey, Document],
    ) -> None:
        self.around = around
        self.record = record
        self.order_key = order_key
        self.concluded = concluded
        self.notes: list[Note] = []
        self.now: datetime = datetime_of(concluded.now)
        self._found = found
        self._writes: dict[DocumentKey, DocumentWrite] = {}
        self._levels: dict[tuple[ProductKey, str, int], int] = {}
        self._transactions = 0

    # Levels ------------------------------------------------------------------------------------------------

    def level(self, address: Address, measure: int) -> Decimal:
        """The item's total of a measure, as earlier parts of the unit left it."""
        return unscaled(self._level(address, measure))

    def move(self, address: Address, measure: int, change: Decimal) -> Decimal:
        """Note a change that a command of the unit made; the new total of the item."""
        key = (address.product, address.place, measure)
        level = self._level(address, measure) + scaled(change)
        self._levels[key] = level
        return unscaled(level)

    def _level(self, address: Address, measure: int) -> int:
        key = (address.product, address.place, measure)
        known = self._levels.get(key)
        return self.concluded.before(address.product, address.place, measure) if known is None else known

    # Documents ---------------------------------------------------------------------------------------------

    def exists(self, key: DocumentKey) -> bool:
        """Whether a document is there already."""
        return key in self._writes or self._found[key].version > 0

    def item(self, address: Address) -> ItemRecord:
        """The record of an item; an empty one when nothing is stored."""
        key = item_document(address)
        write = self._writes.get(key)
        body = write.body if write is not None else self._found[key].body
        if body:
            return _items.decode(body)
        return ItemRecord(sku=address.item.sku, warehouse_code=address.item.warehouse, created=self.now)

    def put_item(self, address: Address, record: ItemRecord) -> None:
        """Store the record of an item."""
        key = item_document(address)
        labels = (f"sku={folded(record.sku)}", f"warehouse={folded(record.warehouse_code)}")
        self._writes[key] = DocumentWrite(key, self._found[key].version, to_stored(record), labels)

    def transact(
        self, effect: Effect | None, address: Address, kind: TransactionType, facts: InventoryTransaction
    ) -> str:
        """Write an inventory transaction with the running levels; its id.

        `facts` has what is particular to it. With an effect, the transaction is the unique key of the effect.
        """
        self._transactions += 1
        around = self.around
        key = transaction_key(self.order_key, effect, around.event, self._transactions)
        value = None if facts.unit_cost is None else times(facts.unit_cost, facts.inventory_change)
        transaction = msgspec.structs.replace(
            facts,
            id=key.id,
            transaction_date=self.now,
            transaction_type=kind.value,
            variant=address.item.sku,
            warehouse_code=address.item.virtual if facts.is_virtual else address.item.warehouse,
            warehouse_name=address.warehouse.name or "",
            new_inventory=self.level(address, around.inventory_measure),
            new_reserved_inventory=self.level(address, around.reserved_measure),
            inventory_change_value=value,
            internal_reference=internal_reference(
                self.order_key.id, facts.shipment_id, facts.line_item_id, facts.return_order_id
            ),
            order_id=self.order_key.id,
            user_id=around.user_id or around.caller,
            reason=around.step,
            step_key=around.step,
            workflow_run_id=around.run_id,
        )
        self._writes[key] = DocumentWrite(key, 0, to_stored(transaction), transaction_labels(transaction))
        return key.id

    def note(self, name: str, message: str, line: LineRef | None = None) -> None:
        """Remember something for the event log."""
        self.notes.append(
            Note(name=name, message=message, reference_id="" if line is None else line.line_item_id)
        )

    def writes(self) -> list[DocumentWrite]:
        """The documents of the unit, but for the order."""
        return list(self._writes.values())


def facts_of(line: LineRef | None = None) -> InventoryTransaction:
    """A transaction of which only the line is known; `Working.transact` fills the rest."""
    return InventoryTransaction(
        id="",
        transaction_date=EPOCH,
        transaction_type="",
        variant="",
        warehouse_code="",
        shipment_id="" if line is None else line.shipment_id,
        line_item_id="" if line is None else line.line_item_id,
    )


def item_document(address: Address) -> DocumentKey:
    """Key of the item's record; a virtual stock location has none of its own: costs are those of the physical item (C1)."""
    return item_key(address.product, folded(address.item.warehouse))


def datetime_of(us: int) -> datetime:
    """The moment of that many microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)
