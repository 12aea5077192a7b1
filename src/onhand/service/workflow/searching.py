"""Finding orders, their older versions, returns and events. Takes no locks; sees what was committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from onhand.core.commands import DocumentKey
from onhand.core.orders import events, versions
from onhand.core.orders.entities import stored_decoder
from onhand.core.orders.events import Event
from onhand.core.orders.labels import LIVE, label
from onhand.core.orders.model import Order, ReturnForm
from onhand.core.orders.queries import EventQuery, OrderQuery, Paged, ReturnQuery
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.refusals import Code, Refused
from onhand.ports import Documents
from onhand.rows import DocumentRow
from onhand.service.environments import Environments

ORDER: Final = "order"
"""Kind of the documents of orders."""
HITS_MAX: Final = 10_000
"""Hits are counted up to this number."""

_records = stored_decoder(OrderRecord)


def order_key(environment: int, order_id: str) -> DocumentKey:
    """Key of an order's document."""
    return DocumentKey(events.order_shard(environment, order_id), environment, ORDER, order_id)


def read_record(body: bytes) -> OrderRecord:
    """An order as it is stored."""
    return _records.decode(body)


def shown(record: OrderRecord) -> Order | None:
    """The order as a client sees it, with its version; None when it is gone."""
    order = record.order
    return None if order is None else msgspec.structs.replace(order, version_id=str(record.revision))


class Found(msgspec.Struct, frozen=True):
    """One page of what a search found."""

    result: list[Any]
    total_hits: int
    """Never more than `HITS_MAX`."""
    cursor: str | None = None
    """Cursor of the next page."""


class FoundReturn(msgspec.Struct, frozen=True):
    """A return and the order that it belongs to."""

    order: Order
    form: ReturnForm


class Searching:
    """Searches of one service. `page_max` bounds a page."""

    def __init__(
        self,
        documents: Documents,
        environments: Environments,
        *,
        page_max: int = 1_000,
        page_default: int = 100,
    ) -> None:
        self._documents = documents
        self._environments = environments
        self._page_max = page_max
        self._page_default = page_default

    async def order(self, environment_id: str, order_id: str) -> Order | None:
        """An order; None when there is none, or it is permanently deleted."""
        rules = await self._environments.current(environment_id)
        row = await self._documents.document(order_key(rules.environment, order_id))
        return None if row is None else shown(read_record(row.body))

    async def version(self, environment_id: str, order_id: str, version_id: str) -> Order | None:
        """An order as it was; also the present version."""
        present = await self.order(environment_id, order_id)
        if present is None or present.version_id == version_id:
            return present
        if not (version_id.isascii() and version_id.isdecimal() and len(version_id) < 10):
            return None
        rules = await self._environments.current(environment_id)
        key = versions.version_key(rules.environment, order_id, int(version_id))
        row = await self._documents.document(key)
        if row is None:
            return None
        return msgspec.structs.replace(versions.read_version(row.body).order, version_id=version_id)

    async def existing(self, environment_id: str, order_ids: Sequence[str]) -> list[str]:
        """Those of the ids that are orders, in the order given."""
        return [order.id for order in await self._orders(environment_id, order_ids)]

    async def count_of_type(self, environment_id: str, order_type: str) -> int:
        """How many orders there are of a type, deleted ones aside; counted up to `HITS_MAX`."""
        rules = await self._environments.current(environment_id)
        labels = [label("type", order_type), LIVE]
        return await self._documents.count(rules.environment, ORDER, labels, limit=HITS_MAX)

    async def orders(self, environment_id: str, query: OrderQuery) -> Found | Refused:
        """Orders, newest first; with `order_ids` those orders, in the order given."""
        if query.order_ids:
            named = await self._orders(environment_id, query.order_ids)
            return Found(named, len(named))

        def read(row: DocumentRow) -> list[Order]:
            order = shown(read_record(row.body))
            return [] if order is None else [order]

        return await self._page(environment_id, ORDER, query, query.search().wanted(), read)

    async def returns(self, environment_id: str, query: ReturnQuery) -> Found | Refused:
        """Returns, those of the newest orders first. A page has the fitting returns of up to `limit` orders."""
        search = query.search()

        def read(row: DocumentRow) -> list[FoundReturn]:
            order = shown(read_record(row.body))
            if order is None:
                return []
            return [
                FoundReturn(order, form)
                for form in order.return_order_forms
                if search.fits_return(form, order.store_id)
            ]

        return await self._page(environment_id, ORDER, query, search.wanted(), read)

    async def events(self, environment_id: str, query: EventQuery) -> Found | Refused:
        """Entries of the event log, newest first."""

        def read(row: DocumentRow) -> list[Event]:
            return [events.read_event(row.body)]

        return await self._page(environment_id, events.KIND, query, query.search().wanted(), read)

    async def _orders(self, environment_id: str, order_ids: Sequence[str]) -> list[Order]:
        rules = await self._environments.current(environment_id)
        keys = [order_key(rules.environment, order_id) for order_id in dict.fromkeys(order_ids)]
        rows = {row.key: row for row in await self._documents.documents(keys)}
        found = (shown(read_record(rows[key].body)) for key in keys if key in rows)
        return [order for order in found if order is not None]

    async def _page(
        self,
        environment_id: str,
        kind: str,
        query: Paged,
        wanted: tuple[list[str], list[list[str]]],
        read: Callable[[DocumentRow], Sequence[Any]],
    ) -> Found | Refused:
        rules = await self._environments.current(environment_id)
        limit = min(self._page_default, self._page_max) if query.limit is None else query.limit
        if not 0 < limit <= self._page_max:
            return Refused(Code.VALIDATION_FAILED, f"limit must be from 1 to {self._page_max}.")
        labels, any_of = wanted
        narrowing: dict[str, Any] = {
            "any_of": any_of,
            "since": _microseconds(query.recorded_from),
            "until": _microseconds(query.recorded_to),
        }
        try:
            page = await self._documents.find(
                rules.environment,
                kind,
                labels,
                **narrowing,
                after=query.cursor,
                limit=limit,
                oldest_first=query.oldest_first,
            )
        except ValueError:
            return Refused(
                Code.VALIDATION_FAILED, "cursor is not one of this search; start again without it."
            )
        total = await self._documents.count(rules.environment, kind, labels, **narrowing, limit=HITS_MAX)
        return Found([one for row in page.rows for one in read(row)], total, page.next)


def _microseconds(moment: Any) -> int | None:  # noqa: ANN401 - a time in UTC, or None
    return None if moment is None else int(moment.timestamp() * 1_000_000)
