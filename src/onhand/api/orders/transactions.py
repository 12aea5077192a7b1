"""Inventory transactions over HTTP (order specification 6.6, 8.5): searched, and exported as CSV."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec

from onhand.api.exchange import Call, Reply
from onhand.api.native.reading import paged
from onhand.api.orders import answers, reading
from onhand.api.services import Services
from onhand.core.costing.arithmetic import to_places
from onhand.core.orders.configuration import Texts
from onhand.core.orders.entities import Entity, Moment
from onhand.core.orders.queries import read_strictly
from onhand.core.orders.refusals import Refused
from onhand.core.orders.transactions import InventoryTransaction
from onhand.core.quantities import PLACES
from onhand.service.workflow.transactions import TransactionSearch

CSV: Final = b"text/csv; charset=utf-8"

EXPORT_MAX: Final = 10_000
"""Transactions of one export; `X-Next-Cursor` says where the next one goes on."""

PLURAL: Final = ("warehousecodes",)
"""Parameters that may name several values, separated by commas."""


class TransactionQuery(Entity, frozen=True, kw_only=True):
    """Which transactions are wanted."""

    since: Annotated[Moment | None, msgspec.Meta(extra={"aliases": ("from",)})] = None
    until: Annotated[Moment | None, msgspec.Meta(extra={"aliases": ("to",)})] = None
    order_id: str | None = None
    purchase_order_id: str | None = None
    sku_id: Annotated[str | None, msgspec.Meta(extra={"aliases": ("sku", "productId")})] = None
    user_id: str | None = None
    warehouse_codes: Texts = ()
    search_text: str | None = None
    limit: Annotated[int | None, msgspec.Meta(extra={"aliases": ("take",)})] = None
    cursor: str | None = None

    def search(self) -> TransactionSearch:
        """The same for the service."""
        return TransactionSearch(
            since=self.since,
            until=self.until,
            order_id=(self.order_id or "").strip(),
            purchase_order_id=(self.purchase_order_id or "").strip(),
            sku=(self.sku_id or "").strip(),
            user_id=self.user_id or "",
            warehouse_codes=self.warehouse_codes,
            text=(self.search_text or "").strip(),
        )


async def listing(call: Call, services: Services) -> Reply:
    """GET `/inventory-transactions`; with `format=csv`, or if CSV is what the caller accepts, the export."""
    value: dict[str, Any] = {}
    for key, content in call.query():
        name = key.strip()
        if name.lower() in PLURAL:
            value.setdefault(name, []).extend(part.strip() for part in content.split(",") if part.strip())
        elif name.lower() != "format" and content.strip():
            value[name] = content
    return await _answer(call, services, value, as_csv=_wants_csv(call))


async def search(call: Call, services: Services) -> Reply:
    """POST `/inventory-transactions/search`."""
    return await _answer(call, services, answers.body(call), as_csv=_wants_csv(call))


async def _answer(call: Call, services: Services, value: Any, *, as_csv: bool) -> Reply:  # noqa: ANN401 - JSON
    query = read_strictly(TransactionQuery, value)
    if isinstance(query, Refused):
        return answers.refused(query)
    if as_csv:
        return await _export(call, services, query)
    which = answers.paging(services, query.cursor, query.limit)
    found = await paged(
        services.transactions.search(call.environment, query.search(), which.cursor, which.limit)
    )
    if isinstance(found, Refused):
        return answers.refused(found)
    return answers.page([shown(one) for one in found.rows], found.total, found.next)


async def _export(call: Call, services: Services, query: TransactionQuery) -> Reply:
    """All pages from the cursor on, or as many as are wanted, up to a bound."""
    wanted = min(EXPORT_MAX, query.limit or EXPORT_MAX)
    page = services.limits.page_max
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    cursor, rows = answers.paging(services, query.cursor, None).cursor, 0
    while rows < wanted:
        limit = min(page, wanted - rows)
        found = await paged(services.transactions.search(call.environment, query.search(), cursor, limit))
        if isinstance(found, Refused):
            return answers.refused(found)
        writer.writerows(_cells(one) for one in found.rows)
        rows, cursor = rows + len(found.rows), found.next
        if cursor is None:
            break
    headers: tuple[tuple[bytes, bytes], ...] = (
        (b"content-disposition", b'attachment; filename="inventory-transactions.csv"'),
    )
    if cursor is not None:
        headers = (*headers, (b"x-next-cursor", cursor.encode()))
    return Reply(200, text.getvalue().encode(), CSV, headers)


COLUMNS: Final = tuple(field.encode_name for field in msgspec.structs.fields(InventoryTransaction))
_QUANTITIES: Final = (
    "inventoryChange",
    "newInventory",
    "reservedInventoryChange",
    "newReservedInventory",
)


def shown(transaction: InventoryTransaction) -> dict[str, Any]:
    """The JSON of a transaction; money is rounded to six places, quantities are always there."""
    made: dict[str, Any] = dict.fromkeys(_QUANTITIES, Decimal(0))
    for field in msgspec.structs.fields(InventoryTransaction):
        value = getattr(transaction, field.name)
        if isinstance(value, Decimal):
            made[field.encode_name] = to_places(value, PLACES)
        elif value not in (None, "", False):
            made[field.encode_name] = value
    return made


def _cells(transaction: InventoryTransaction) -> list[str]:
    row = shown(transaction)
    return [_cell(row.get(name)) for name in COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return "true" if value is True else str(value)


def _wants_csv(call: Call) -> bool:
    return (
        reading.text(call, "format").lower() == "csv" or "text/csv" in (call.header(b"accept") or "").lower()
    )
