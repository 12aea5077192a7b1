"""Inventory transactions: searched, whoever made them (order specification 6.6, 8.5).

Two sources are merged by time. What orders, purchase orders and item updates did are documents. What the reservation API
and on-hand posts did is in the ledger and becomes a transaction when it is read. A command has its transactions in one of
the two (`transactions.DOCUMENTED`), so no change is shown twice, and none is missing.
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from onhand.core.documents import DocumentRow
from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.configuration import folded
from onhand.core.orders.entities import stored_decoder
from onhand.core.orders.item_changes import unusable
from onhand.core.orders.moves import ItemRef
from onhand.core.orders.postings import Posting, PostingFilter, Site, gathered, transaction
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.transactions import TRANSACTION, InventoryTransaction
from onhand.core.orders.working import Surroundings
from onhand.ports import Documents, Items
from onhand.service.workflow.item_reading import TOTAL_MAX, Around

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

RUN_MAX: Final = 2
"""Movements of one transaction, as a rule: one of each measure."""

_transactions = stored_decoder(InventoryTransaction)


class TransactionSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which transactions are wanted; empty restricts nothing."""

    since: datetime | None = None
    until: datetime | None = None
    """Up to this moment, which does not belong to it."""
    order_id: str = ""
    purchase_order_id: str = ""
    sku: str = ""
    user_id: str = ""
    warehouse_codes: tuple[str, ...] = ()
    text: str = ""
    """An id, a SKU or a warehouse, whole."""

    @property
    def is_of_documents(self) -> bool:
        """Whether only documents can be meant: movements of the API name no order and have no texts."""
        return bool(self.order_id or self.purchase_order_id or self.text)


class FoundTransactions(msgspec.Struct, frozen=True, kw_only=True):
    """A page, newest first."""

    rows: list[InventoryTransaction]
    total: int
    next: str | None = None


class _Cursors(msgspec.Struct, array_like=True):
    """Where the two sources go on; None: at their beginning."""

    documents: str | None = None
    postings: str | None = None
    documents_end: bool = False
    postings_end: bool = False


class _Entry(msgspec.Struct, frozen=True):
    """A transaction with the cursor of what follows it in its source."""

    transaction: InventoryTransaction
    cursor: str
    is_document: bool

    @property
    def moment(self) -> datetime:
        return self.transaction.transaction_date


class Transactions:
    """The inventory transactions of an environment."""

    def __init__(self, around: Around, documents: Documents, items: Items) -> None:
        self._around = around
        self._documents = documents
        self._items = items

    async def search(
        self, environment: str, search: TransactionSearch, after: str | None, limit: int
    ) -> FoundTransactions | Refused:
        """A page of transactions, newest first.

        Raises:
            ValueError: `after` is not a cursor of this listing.
        """
        around = await self._around(environment, "", "")
        postings = _postings(around, search)
        if isinstance(postings, Refused):
            return postings
        state = _read(after)
        if postings is None:
            state.postings_end = True
        documents, more_documents = await self._stored(around, search, state, limit)
        moved, more_moved = await self._moved(around, postings, state, limit)
        page = _merged(documents, moved, limit)
        self._advance(state, page, documents, more=more_documents, is_document=True)
        self._advance(state, page, moved, more=more_moved, is_document=False)
        total = await self._count(around, search, postings)
        done = state.documents_end and state.postings_end
        return FoundTransactions(
            rows=[entry.transaction for entry in page], total=total, next=None if done else _write(state)
        )

    def _advance(
        self,
        state: _Cursors,
        page: Sequence[_Entry],
        read: Sequence[_Entry],
        *,
        more: bool,
        is_document: bool,
    ) -> None:
        """Move a source's cursor behind what the page took of it."""
        taken = [entry for entry in page if entry.is_document is is_document]
        end = not more and len(taken) == len(read)
        if is_document:
            state.documents = taken[-1].cursor if taken else state.documents
            state.documents_end = state.documents_end or end
        else:
            state.postings = taken[-1].cursor if taken else state.postings
            state.postings_end = state.postings_end or end

    async def _stored(
        self, around: Surroundings, search: TransactionSearch, state: _Cursors, limit: int
    ) -> tuple[list[_Entry], bool]:
        if state.documents_end:
            return [], False
        labels, any_of = _labels(search)
        page = await self._documents.find(
            around.rules.environment,
            TRANSACTION,
            labels,
            any_of=any_of,
            since=_us(search.since),
            until=_us(search.until),
            after=state.documents,
            limit=limit,
        )
        rows: list[DocumentRow] = page.rows
        found = [
            _Entry(_transactions.decode(row.body), self._documents.cursor_after(row), is_document=True)
            for row in rows
        ]
        return found, page.next is not None

    async def _moved(
        self, around: Surroundings, which: PostingFilter | None, state: _Cursors, limit: int
    ) -> tuple[list[_Entry], bool]:
        if which is None or state.postings_end:
            return [], False
        page = await self._items.postings(which, state.postings, RUN_MAX * (limit + 1))
        runs = gathered(page.rows)
        if page.next is not None and len(runs) > 1:
            del runs[-1]  # the rest of it may be on the next page
        sites = _sites(around)
        found = [
            _Entry(transaction(run, site), run[-1].cursor, is_document=False)
            for run in runs
            if (site := sites.get(_spot(run[0]))) is not None
        ]
        if not found and page.next is not None:  # nothing of a configured warehouse: go on behind them
            state.postings = runs[-1][-1].cursor
        return found, page.next is not None

    async def _count(
        self, around: Surroundings, search: TransactionSearch, which: PostingFilter | None
    ) -> int:
        labels, any_of = _labels(search)
        documents = await self._documents.count(
            around.rules.environment,
            TRANSACTION,
            labels,
            any_of=any_of,
            since=_us(search.since),
            until=_us(search.until),
            limit=TOTAL_MAX,
        )
        postings = 0 if which is None else await self._items.count_postings(which, TOTAL_MAX)
        return min(TOTAL_MAX, documents + postings)


def _labels(search: TransactionSearch) -> tuple[list[str], list[list[str]]]:
    named = (
        ("sku", folded(search.sku)),
        ("user", folded(search.user_id)),
        ("order", search.order_id),
        ("purchase", search.purchase_order_id),
    )
    labels = [f"{name}={value}" for name, value in named if value]
    any_of = []
    if search.warehouse_codes:
        any_of.append([f"warehouse={folded(code)}" for code in search.warehouse_codes])
    if search.text:
        text, plain = folded(search.text), search.text.strip()
        any_of.append(
            [
                *(f"{name}={text}" for name in ("sku", "warehouse", "type", "user")),
                *(
                    f"{name}={plain}"
                    for name in ("order", "shipment", "line", "return", "purchase", "reception")
                ),
            ]
        )
    return labels, any_of


def _postings(around: Surroundings, search: TransactionSearch) -> PostingFilter | Refused | None:
    """Which movements are meant; None when none can be."""
    if search.is_of_documents:
        return None
    wrong = unusable(around)
    if wrong is not None:
        return Refused(Code.VALIDATION_FAILED, wrong.message)
    if not (search.sku or search.since):
        return Refused(
            Code.VALIDATION_FAILED,
            "Name skuId, orderId, purchaseOrderId or searchText, or from when on (from): the whole history is too long.",
        )
    codes = search.warehouse_codes or tuple(around.workflows.warehouses)
    addresses = [
        one
        for code in codes
        if isinstance(one := resolve(around.rules, around.workflows, ItemRef(search.sku, code)), Address)
    ]
    if not addresses:
        return None
    products = {one.product for one in addresses}
    (first, *_) = products
    return PostingFilter(
        environment=around.rules.environment,
        inventory=around.inventory_measure,
        reserved=around.reserved_measure,
        product=first if search.sku and len(products) == 1 else None,
        sku=first.product if search.sku and len(products) > 1 else None,
        places=tuple(sorted({one.place for one in addresses})),
        since=search.since,
        until=search.until,
        caller=folded(search.user_id) or None,
    )


def _sites(around: Surroundings) -> dict[tuple[str, str], Site]:
    """(organization, place) -> warehouse."""
    found: dict[tuple[str, str], Site] = {}
    for warehouse in around.workflows.warehouses.values():
        address = resolve(around.rules, around.workflows, ItemRef("", warehouse.code))
        if isinstance(address, Address):
            spot = (address.product.organization, address.place)
            found.setdefault(spot, Site(warehouse.code, warehouse.name or ""))
    return found


def _spot(posting: Posting) -> tuple[str, str]:
    return posting.key.organization, posting.place


def _merged(documents: Sequence[_Entry], moved: Sequence[_Entry], limit: int) -> list[_Entry]:
    """The newest of both. Each source keeps its own order, which is by time but for the clocks of several processes."""
    found: list[_Entry] = []
    first, second = deque(documents), deque(moved)
    while len(found) < limit and (first or second):
        if first and (not second or first[0].moment >= second[0].moment):
            found.append(first.popleft())
        else:
            found.append(second.popleft())
    return found


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - EPOCH) // timedelta(microseconds=1)


def _write(state: _Cursors) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(state)).decode().rstrip("=")


def _read(cursor: str | None) -> _Cursors:
    if cursor is None:
        return _Cursors()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=_Cursors)
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise ValueError("The page cursor is not valid; start again without it.") from error
