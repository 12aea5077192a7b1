"""Changes of inventory items that somebody asked for by name: absolute values, deltas, deletion (order specification 8.4).

Each change is one atomic group: commands for the quantities, the item's record, and its inventory transaction. The group
is built from levels that were read without a lock; where it relies on them it looks again when it is concluded, under the
lock, and a difference refuses the group as stale, so that the caller reads and tries again. Nothing is overwritten unseen.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from onhand.core.commands import (
    DocumentWrite,
    Group,
    GroupMember,
)
from onhand.core.concluding import Concluded
from onhand.core.costing.arithmetic import plus
from onhand.core.costing.providers import Receipt, ValueProvider
from onhand.core.keys import shard
from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.entities import stored_decoder, to_stored
from onhand.core.orders.items import ItemRecord
from onhand.core.orders.moves import ItemRef, TransactionType
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.transactions import (
    ITEM_COMMAND,
    InventoryTransaction,
    transaction_key,
    transaction_labels,
    twin,
)
from onhand.core.orders.working import Surroundings, datetime_of, item_document
from onhand.core.outcomes import Reason, Rejected, Replayed
from onhand.core.rules import Rules

ZERO: Final = Decimal(0)

read_record = stored_decoder(ItemRecord).decode


class Status(enum.StrEnum):
    """What became of an item."""

    ADDED = "Added"
    UPDATED = "Updated"
    UNCHANGED = "Unchanged"
    DELETED = "Deleted"


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item."""

    status: Status
    transaction_id: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and the name of the change, which is unique; repeating it with the same name has no effect."""

    around: Surroundings
    name: str
    reason: str = ""
    order_id: str = ""


class Change:
    """One change of one item. Call it with the rules for its group; after the commit `done` says what became of it."""

    def __init__(self, request: Request, item: ItemRef, asked: object) -> None:
        self.request = request
        self.item = item
        self.fingerprint = shard(to_stored_text(asked))
        self.done = Done(status=Status.UNCHANGED)

    def __call__(self, rules: Rules) -> Group | Rejected:
        """The group under these rules."""
        around = msgspec.structs.replace(self.request.around, rules=rules)
        address = resolve(rules, around.workflows, self.item)
        if isinstance(address, Rejected):
            return address
        wrong = unusable(around)
        if wrong is not None:
            return wrong
        record_key = item_document(address)
        key = transaction_key(record_key, None, self.request.name, 1)

        def finish(concluded: Concluded) -> Sequence[DocumentWrite] | Rejected:
            if any(isinstance(one, Replayed) for one in concluded.outcomes):
                return ()
            return self.conclude(Concluding(self.request, around, address, concluded, key.id))

        return Group(
            commands=tuple(self.commands(around, address)),
            documents=(record_key, key),
            places=((address.product, address.place),),
            finish=finish,
        )

    def commands(self, around: Surroundings, address: Address) -> list[GroupMember]:
        """What happens to the quantities."""
        raise NotImplementedError

    def conclude(self, state: Concluding) -> Sequence[DocumentWrite] | Rejected:
        """Record and transaction; or that what it relied on has changed."""
        raise NotImplementedError

    def identity(self, around: Surroundings, address: Address, part: str) -> dict[str, Any]:
        """What all its commands share."""
        return {
            "id": f"{ITEM_COMMAND}{self.request.name}~{part}",
            "fingerprint": self.fingerprint,
            "caller": around.caller,
            "product": address.product,
            "organization_shown": address.organization,
            "product_shown": address.item.sku,
        }


class Concluding:
    """An item under the lock: levels before and after, its record, and the documents of the change."""

    def __init__(
        self,
        request: Request,
        around: Surroundings,
        address: Address,
        concluded: Concluded,
        transaction_id: str,
    ) -> None:
        self.around = around
        self.address = address
        self.now = datetime_of(concluded.now)
        self.transaction_id = transaction_id
        self._request = request
        self._documents = concluded.documents
        measures = (around.inventory_measure, around.reserved_measure)
        where = address.product, address.place
        self.before = tuple(concluded.before(*where, measure) for measure in measures)
        self.after = tuple(concluded.total(*where, measure) for measure in measures)
        body = concluded.documents[0].body
        self.stored: ItemRecord | None = read_record(body) if body else None

    @property
    def record(self) -> ItemRecord:
        """The record, new if there is none."""
        return self.stored or ItemRecord(
            sku=self.address.item.sku, warehouse_code=self.address.item.warehouse, created=self.now
        )

    @property
    def changes(self) -> tuple[Decimal, Decimal]:
        """By how much inventory and reserved changed."""
        return unscaled(self.after[0] - self.before[0]), unscaled(self.after[1] - self.before[1])

    def moved(self, record: ItemRecord) -> tuple[ItemRecord, Decimal | None, str]:
        """(record, unit cost, its currency) after the change of the inventory, valued by the provider."""
        change = self.changes[0]
        provider = self.around.provider
        if change < ZERO:
            taken = provider.consume(record, -change, self.now)
            return taken.record, taken.unit, taken.currency if taken.unit is not None else ""
        if change > ZERO:
            receipt = Receipt(quantity=change, on_hand=unscaled(self.before[0]), at=self.now)
            record = provider.receive(record, receipt).record
        return record, None, ""

    def write_record(self, record: ItemRecord | None) -> list[DocumentWrite]:
        """The record's document, if it is another one now; None takes it away."""
        document = self._documents[0]
        if record is None:
            return (
                [DocumentWrite(document.key, document.version, b"", delete=True)] if document.version else []
            )
        if self.stored is not None and _same(record, self.stored):
            return []
        labels = (f"sku={record.sku.lower()}", f"warehouse={record.warehouse_code.lower()}")
        stored = msgspec.structs.replace(record, modified=self.now)
        return [DocumentWrite(document.key, document.version, to_stored(stored), labels)]

    def write_transaction(
        self, kind: TransactionType, record: ItemRecord, unit: Decimal | None = None, currency: str = ""
    ) -> list[DocumentWrite]:
        """The transaction of the item, and for a virtual stock location its twin."""
        document = self._documents[1]
        inventory, reserved = self.changes
        item = self.address.item
        value = worth(
            self.around.provider, self.record, record, unscaled(self.before[0]), unscaled(self.after[0])
        )
        transaction = InventoryTransaction(
            id=self.transaction_id,
            transaction_date=self.now,
            transaction_type=kind.value,
            variant=item.sku,
            warehouse_code=item.warehouse,
            warehouse_name=self.address.warehouse.name or "",
            location=record.location,
            inventory_change=inventory,
            new_inventory=unscaled(self.after[0]),
            reserved_inventory_change=reserved,
            new_reserved_inventory=unscaled(self.after[1]),
            inventory_change_value=value,
            total_inventory_value=self.around.provider.value(record, unscaled(self.after[0])),
            unit_cost=unit,
            unit_cost_currency=currency,
            order_id=self._request.order_id,
            reason=self._request.reason,
            user_id=self.around.user_id or self.around.caller,
        )
        found = [(document.key, document.version, transaction)]
        if item.virtual:
            key = transaction_key(self._documents[0].key, None, self._request.name, 2)
            found.append((key, 0, twin(transaction, key.id, item.virtual)))
        return [
            DocumentWrite(key, version, to_stored(one), transaction_labels(one))
            for key, version, one in found
        ]


def worth(
    provider: ValueProvider, old: ItemRecord, new: ItemRecord, before: Decimal, after: Decimal
) -> Decimal | None:
    """By how much the value of an item changed; None when it is not known."""
    then, now = provider.value(old, before), provider.value(new, after)
    return None if now is None else plus(now, -(then or ZERO))


def unusable(around: Surroundings) -> Rejected | None:
    """Why items cannot be changed in an environment; None when they can."""
    for measure, name in (
        (around.inventory_measure, around.workflows.inventory.inventory_measure),
        (around.reserved_measure, around.workflows.inventory.reserved_measure),
    ):
        if not measure:
            return Rejected(
                Reason.UNKNOWN_MEASURE, f"Measure {name!r} of the inventory settings is not configured."
            )
        if around.rules.names[measure][0] == "fno":
            return Rejected(
                Reason.ERP_OWNED, f"{name} belongs to the ERP; its quantities arrive with the ERP."
            )
    if not around.rules.by_location:
        return Rejected(
            Reason.PARTITION_MISSING,
            "Items need an environment whose partition is by location, so that a warehouse is a place.",
        )
    return None


def stale() -> Rejected:
    """The item changed between reading and writing: read again."""
    return Rejected(Reason.STALE_DOCUMENT, "The item changed meanwhile; nothing was changed. Try again.")


def to_stored_text(asked: object) -> str:
    """A text that is the same for the same request."""
    return msgspec.json.encode(asked, order="deterministic").decode()


def _same(one: ItemRecord, other: ItemRecord) -> bool:
    """Whether two records differ in nothing but when they were changed."""
    return msgspec.structs.replace(one, modified=None) == msgspec.structs.replace(other, modified=None)
