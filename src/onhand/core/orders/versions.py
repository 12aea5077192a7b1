"""Older versions of an order: what the client saw before each change (order specification 2.8)."""

from __future__ import annotations

from typing import Final

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite
from onhand.core.orders.entities import stored_decoder, to_stored
from onhand.core.orders.events import order_shard
from onhand.core.orders.model import Order
from onhand.core.orders.record import OrderRecord

KIND: Final = "order-version"
"""Kind of the documents."""


class OrderVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the document."""

    revision: int
    order: Order


_decoder = stored_decoder(OrderVersion)


def version_key(environment: int, order_id: str, revision: int) -> DocumentKey:
    """Key of one version."""
    return DocumentKey(order_shard(environment, order_id), environment, KIND, f"{order_id}@{revision}")


def archived(environment: int, order_id: str, record: OrderRecord) -> list[DocumentWrite]:
    """What to write beside a change of the order, so that it can still be read as `record` has it."""
    if record.order is None:
        return []
    key = version_key(environment, order_id, record.revision)
    return [DocumentWrite(key, 0, to_stored(OrderVersion(revision=record.revision, order=record.order)))]


def read_version(body: bytes) -> OrderVersion:
    """A version as it is stored."""
    return _decoder.decode(body)
