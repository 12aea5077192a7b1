"""Inventory transactions (order specification 6.6): what changed an item, by how much, and what came of it.

A transaction of an order, a purchase order or an item update is a document, immutable, inserted in the group that moves the
stock. One whose effect may take place only once for ever has the structured effect as its id, so that inserting it a
second time refuses the group: the effect key is the unique index (A25, C1). What the reservation API and on-hand posts did
is not written twice: such transactions are made from the movements of the ledger (`postings.py`). Which commands have
documents says the beginning of their id.
"""

from __future__ import annotations

import enum
import json
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from onhand.core.commands import DocumentKey

TRANSACTION: Final = "inventory-transaction"
"""Kind of the document."""

ORDER_COMMAND: Final = "order~"
ITEM_COMMAND: Final = "item~"
PURCHASE_COMMAND: Final = "purchase~"
DOCUMENTED: Final = (ORDER_COMMAND, ITEM_COMMAND, PURCHASE_COMMAND)
"""Beginnings of the ids of commands whose transactions are documents."""

ZERO: Final = Decimal(0)


class EffectKind(enum.StrEnum):
    """Effects that take place at most once for their key."""

    REDUCE = "REDUCE"
    """Shared by all steps that reduce the inventory of a line."""
    POS_RETURN = "POS_RETURN"
    RECEPTION = "RECEPTION"
    """A line of a goods reception."""


class Effect(msgspec.Struct, frozen=True):
    """The unique key of an effect. Its parts are compared as they are and never joined into one text."""

    kind: EffectKind
    order_id: str
    shipment_id: str = ""
    line_item_id: str = ""
    return_id: str = ""
    is_virtual: bool = False
    """The twin on a virtual stock location (A30)."""

    @property
    def id(self) -> str:
        """Id of its transaction; different effects have different ids."""
        return structured(
            self.kind.value,
            self.order_id,
            self.shipment_id,
            self.line_item_id,
            self.return_id,
            "virtual" if self.is_virtual else "",
        )


class InventoryTransaction(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One change of one item. Quantities and money are exact decimals, times are in UTC."""

    id: str
    transaction_date: datetime
    transaction_type: str
    variant: str
    """SKU."""
    warehouse_code: str
    warehouse_name: str = ""
    location: str = ""
    is_virtual: bool = False
    physical_warehouse_code: str = ""
    inventory_change: Decimal = ZERO
    new_inventory: Decimal = ZERO
    reserved_inventory_change: Decimal = ZERO
    new_reserved_inventory: Decimal = ZERO
    inventory_change_value: Decimal | None = None
    """In the currency of the unit cost; None when the cost is not known."""
    total_inventory_value: Decimal | None = None
    batch_index: int | None = None
    internal_reference: str = ""
    """For people; never read or compared."""
    order_id: str = ""
    return_order_id: str = ""
    purchase_order_id: str = ""
    goods_reception_id: str = ""
    inventory_count_item: str = ""
    related_transaction_id: str = ""
    reason: str = ""
    user_id: str = ""
    user_name: str = ""
    shipment_id: str = ""
    line_item_id: str = ""
    unit_cost: Decimal | None = None
    """As used, not rounded."""
    unit_cost_currency: str = ""
    exchange_rate: Decimal | None = None
    rate_date: datetime | None = None
    step_key: str = ""
    workflow_run_id: str = ""


def structured(*parts: str) -> str:
    """One text for several; different parts give different texts, whatever they contain."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def internal_reference(order_id: str, shipment_id: str, line_item_id: str, return_id: str = "") -> str:
    """The reference that people read, such as `O1:S1:L1`, or `O1:return:R1:L1`."""
    parts = (
        (order_id, "return", return_id, line_item_id) if return_id else (order_id, shipment_id, line_item_id)
    )
    return ":".join(part for part in parts if part)


def transaction_key(owner: DocumentKey, effect: Effect | None, event: str, number: int) -> DocumentKey:
    """Key of a transaction of an order, purchase order or item; it lives in the shard of `owner`.

    With an effect the id is the effect's. Otherwise it is made of `event`, which is unique (a run, a request), and
    the number of the transaction within it.
    """
    made = structured(owner.id, event, str(number)) if effect is None else effect.id
    return DocumentKey(owner.d, owner.environment, TRANSACTION, made)


def twin(transaction: InventoryTransaction, identity: str, location: str) -> InventoryTransaction:
    """The same change as one of a virtual stock location inside the warehouse; it carries no cost (A30, C1)."""
    return msgspec.structs.replace(
        transaction,
        id=identity,
        warehouse_code=location,
        warehouse_name="",
        is_virtual=True,
        physical_warehouse_code=transaction.warehouse_code,
        inventory_change_value=None,
        total_inventory_value=None,
        unit_cost=None,
        unit_cost_currency="",
        related_transaction_id=transaction.id,
    )


def transaction_labels(transaction: InventoryTransaction) -> tuple[str, ...]:
    """What the transaction is found by: SKU, warehouse and user without regard to case, ids as they are."""
    facts = (
        ("sku", folded(transaction.variant)),
        ("warehouse", folded(transaction.warehouse_code)),
        ("type", folded(transaction.transaction_type)),
        ("user", folded(transaction.user_id)),
        ("order", transaction.order_id),
        ("shipment", transaction.shipment_id),
        ("line", transaction.line_item_id),
        ("return", transaction.return_order_id),
        ("purchase", transaction.purchase_order_id),
        ("reception", transaction.goods_reception_id),
    )
    return tuple(f"{name}={value}" for name, value in facts if value)


def folded(text: str) -> str:
    """What names are compared by: trimmed, without case."""
    return text.strip().lower()


def is_documented(command_id: str) -> bool:
    """Whether the transactions of a command are documents."""
    return command_id.startswith(DOCUMENTED)
