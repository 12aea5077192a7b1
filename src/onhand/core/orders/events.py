"""The event log of orders: what happened, when, by whom (order specification 2.8).

An entry is a document of its own that commits with what it tells about. Entries of an order are numbered without gaps
by its record, so that no two writers make the same one.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite
from onhand.core.keys import shard
from onhand.core.orders.entities import stored_decoder, to_stored
from onhand.core.orders.labels import exact, label, narrowed
from onhand.core.orders.model import Order
from onhand.core.orders.record import OrderRecord

KIND: Final = "event"
"""Kind of the documents."""
ORDER: Final = "Order"
"""Class name of the events of an order."""


class Category(enum.StrEnum):
    """What sort of thing happened."""

    CREATED = "Created"
    UPDATED = "Updated"
    CANCELED = "Canceled"
    WORKFLOW = "Workflow"
    WORKFLOW_STEP = "WorkflowStep"
    NOTIFICATION = "Notification"
    COMMENT = "Comment"
    ERROR = "Error"
    EXPORTED = "Exported"
    IMPORTED = "Imported"
    DELETED = "Deleted"
    INFORMATION = "Information"
    PUBLISHED = "Published"
    ADDED = "Added"
    BATCH_UPDATE = "BatchUpdate"
    BATCH_ADD = "BatchAdd"


class Operation(enum.IntEnum):
    """Numbers by which operations are known; 0 where there is none."""

    NONE = 0
    PARTIAL_SHIPMENT_CREATED = 110101
    LINE_CANCELED = 110102
    PROCESSING = 110107
    PROCESSED = 110108
    WORKFLOW_STARTED = 111100
    SAVING_READ_ONLY = 111101
    WORKFLOW_COMPLETED = 111102
    RUNNING_STEP = 111103
    STATUS_CHANGED = 111104
    COMPLETED_AFTER_SAVE = 111105
    REALLOCATED_ON_CANCEL = 112106
    EXPIRED_CLICK_AND_COLLECT = 115100
    GOODS_RECEPTION = 150100
    INVENTORY_UPDATE = 150105
    ATP = 150106
    SCHEDULED_TASK = 195100
    MANUAL_STEP = 210103
    BULK_WITH_WORKFLOW = 210110
    BULK_WITHOUT_WORKFLOW = 210111
    STATUS_WITH_WORKFLOW = 310101
    STATUS_WITHOUT_WORKFLOW = 310102
    STATUS_PARTIAL = 310103
    API_LINE_CANCELED = 310106
    SUBSCRIPTION_EXECUTED = 290100


class Attachment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something attached to an event, such as the results of a workflow."""

    type: str
    value: Any = None


WORKFLOW_JSON: Final = "workflowJson"
"""Type of the attachment that carries the results of a run."""


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One entry of the log, as it is stored and shown."""

    id: str
    timestamp: datetime
    message: str
    category: Category
    class_name: str = ORDER
    sub_class_name: str = ""
    """Order type."""
    object_id: str = ""
    object_number: str = ""
    status: str = ""
    previous_status: str = ""
    shipment_id: str = ""
    market: str = ""
    store_id: str = ""
    user: str = ""
    user_id: str = ""
    is_error: bool = False
    origin: str = ""
    operation_id: int = 0
    attachments: tuple[Attachment, ...] = ()
    properties: dict[str, str] = {}
    tags: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation has to tell; the rest of the event comes from the order."""

    message: str
    category: Category
    operation: Operation = Operation.NONE
    previous_status: str = ""
    shipment_id: str = ""
    is_error: bool = False
    attachments: tuple[Attachment, ...] = ()
    properties: dict[str, str] = {}


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who did it."""

    user: str = ""
    """Client of the API."""
    user_id: str = ""
    """The person that the client named."""
    origin: str = "API"


NOBODY: Final = Actor(origin="Workflow")

_decoder = stored_decoder(Event)


def order_shard(environment: int, order_id: str) -> int:
    """Shard key of an order and of everything that belongs to it."""
    return shard(str(environment), order_id)


def event_key(environment: int, object_id: str, number: int) -> DocumentKey:
    """Key of an entry; ids of one object sort in the order of their numbers."""
    return DocumentKey(order_shard(environment, object_id), environment, KIND, f"{object_id}@{number:08d}")


def logged(
    record: OrderRecord, environment: int, entries: Sequence[Entry], actor: Actor, now_us: int
) -> tuple[OrderRecord, list[DocumentWrite]]:
    """The record with its count of events, and the writes of the entries; none without an order."""
    if record.order is None:
        return record, []
    first = record.next_event
    writes = [
        event_write(environment, first + at, _of(record.order, entry, actor, now_us))
        for at, entry in enumerate(entries)
    ]
    return msgspec.structs.replace(record, next_event=first + len(writes)), writes


def event_write(environment: int, number: int, event: Event) -> DocumentWrite:
    """The write of one entry; the number is unique for its object."""
    key = event_key(environment, event.object_id, number)
    named = msgspec.structs.replace(event, id=key.id)
    return DocumentWrite(key, 0, to_stored(named), tuple(_labels(named)))


def read_event(body: bytes) -> Event:
    """An entry as it is stored."""
    return _decoder.decode(body)


def moment(now_us: int) -> datetime:
    """A time of the store, in UTC."""
    return datetime.fromtimestamp(now_us // 1_000_000, UTC).replace(microsecond=now_us % 1_000_000)


def _of(order: Order, entry: Entry, actor: Actor, now_us: int) -> Event:
    return Event(
        id="",
        timestamp=moment(now_us),
        message=entry.message,
        category=entry.category,
        sub_class_name=order.order_type,
        object_id=order.id,
        object_number=order.order_number or "",
        status=order.status,
        previous_status=entry.previous_status,
        shipment_id=entry.shipment_id,
        market=order.market_id,
        store_id=order.store_id,
        user=actor.user,
        user_id=actor.user_id,
        is_error=entry.is_error,
        origin=actor.origin,
        operation_id=int(entry.operation),
        attachments=entry.attachments,
        properties=entry.properties,
        tags=order.tags,
    )


def _labels(event: Event) -> list[str]:
    made = [
        exact("object", event.object_id),
        label("category", event.category),
        label("class", event.class_name),
        f"error={'yes' if event.is_error else 'no'}",
    ]
    if event.operation_id:
        made.append(f"operation={event.operation_id}")
    made += [
        label(name, value)
        for name, value in (
            ("status", event.status),
            ("subclass", event.sub_class_name),
            ("market", event.market),
            ("store", event.store_id),
            ("user", event.user_id),
        )
        if value
    ]
    if event.shipment_id:
        made.append(exact("shipment", event.shipment_id))
    return list(dict.fromkeys(made))


class EventSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to find; an empty tuple and None restrict nothing, several values are alternatives."""

    object_id: str | None = None
    shipment_id: str | None = None
    categories: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    sub_class_names: tuple[str, ...] = ()
    operation_ids: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    is_error: bool | None = None

    def wanted(self) -> tuple[list[str], list[list[str]]]:
        """(labels that it has, alternatives of each of which it has one)."""
        every = []
        if self.object_id is not None:
            every.append(exact("object", self.object_id))
        if self.shipment_id is not None:
            every.append(exact("shipment", self.shipment_id))
        if self.is_error is not None:
            every.append(f"error={'yes' if self.is_error else 'no'}")
        alternatives = (
            ("category", self.categories),
            ("class", self.class_names),
            ("subclass", self.sub_class_names),
            ("operation", self.operation_ids),
            ("status", self.statuses),
            ("market", self.markets),
            ("store", self.stores),
            ("user", self.user_ids),
        )
        return narrowed(every, alternatives)
