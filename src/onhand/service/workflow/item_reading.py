"""Inventory items, read and searched (order specification 8.4). A read takes no lock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.configuration import Warehouse, folded
from onhand.core.orders.item_changes import read_record, unusable
from onhand.core.orders.item_updates import Levels
from onhand.core.orders.item_views import Item, levels_of, shown, shown_virtual, virtual_locations
from onhand.core.orders.moves import ItemRef
from onhand.core.orders.postings import ItemFilter
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.working import Surroundings, item_document
from onhand.core.outcomes import Rejected
from onhand.ports import Clock, Documents, Items, Reader
from onhand.rows import StockFilter
from onhand.service.workflow.promises import Promises

TOTAL_MAX: Final = 10_000
"""Hits are counted up to this number."""

Around = Callable[[str, str, str], Awaitable[Surroundings]]
"""(environment id, caller, user) -> what a change must know of the world."""


class ItemSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which items are wanted; None and empty restrict nothing."""

    warehouse_codes: tuple[str, ...] = ()
    product_codes: tuple[str, ...] = ()
    market_id: str = ""
    is_web_warehouse: bool | None = None
    is_in_stock: bool | None = None
    last_modified: datetime | None = None
    without_batches: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A page of items as JSON values."""

    rows: list[dict[str, Any]]
    total: int
    next: str | None = None


class ItemReading:
    """Reads the items of an environment."""

    def __init__(
        self, around: Around, reader: Reader, documents: Documents, rows: Items, clock: Clock
    ) -> None:
        self._around = around
        self._reader = reader
        self._documents = documents
        self._rows = rows
        self._clock = clock
        self._promises = Promises(documents)

    async def of_sku(
        self, environment: str, sku: str, warehouses: Sequence[str], *, promised: bool = False
    ) -> Found | Refused:
        """The items of a SKU, at the named warehouses or all; those that do not exist are left out.

        With `promised` they show what is expected from purchase orders, also where nothing else is known of an item.
        """
        around = await self._around(environment, "", "")
        chosen = warehouses_of(around, warehouses)
        if isinstance(chosen, Refused):
            return chosen
        items = await self.items(around, [ItemRef(sku, one.code) for one in chosen])
        promises = await self._promises.of_sku(around, sku) if promised else {}
        rows: list[dict[str, Any]] = []
        for item in items:
            expected = promises.get(folded(item.address.warehouse.code), [])
            if item.exists or expected:
                own, *virtual = self._rows_of(around, item)
                rows += [own | ({"atp": expected} if expected else {}), *virtual]
        return Found(rows=rows, total=len(rows))

    async def search(
        self, environment: str, search: ItemSearch, after: str | None, limit: int
    ) -> Found | Refused:
        """A page of items; the virtual locations of an item stand beside it.

        Raises:
            ValueError: `after` is not a cursor of this listing.
        """
        around = await self._around(environment, "", "")
        wrong = unusable(around)
        if wrong is not None:
            return not_usable(wrong)
        chosen = warehouses_of(around, search.warehouse_codes)
        if isinstance(chosen, Refused):
            return chosen
        addresses = _addresses(around, [one for one in chosen if _is_wanted(one, search)])
        which = _filter(around, search, addresses.values())
        if which is None:
            return Found(rows=[], total=0)
        page = await self._rows.items(which, after, limit)
        total = await self._rows.count_items(which, TOTAL_MAX)
        refs = [
            ItemRef(spot.product.product, address.item.warehouse)
            for spot in page.rows
            if (address := addresses.get((spot.product.organization, spot.place))) is not None
        ]
        items = await self.items(around, refs)
        rows = [
            row
            for item in items
            if item.exists
            for row in self._rows_of(around, item, batches=not search.without_batches)
        ]
        return Found(rows=rows, total=total, next=page.next)

    def _rows_of(self, around: Surroundings, item: Item, *, batches: bool = True) -> list[dict[str, Any]]:
        virtual = virtual_locations(around, item.levels)
        return [
            shown(around, item, batches=batches),
            *(shown_virtual(item, code, levels) for code, levels in virtual.items()),
        ]

    async def items(self, around: Surroundings, refs: Iterable[ItemRef]) -> list[Item]:
        """Items in the order asked for; two round trips for all of them."""
        addresses = [
            address
            for ref in dict.fromkeys(refs)
            if isinstance(address := resolve(around.rules, around.workflows, ref), Address)
        ]
        if not addresses:
            return []
        stocks = await self._reader.stock(
            StockFilter(
                environment=around.rules.environment,
                organizations=tuple(sorted({one.product.organization for one in addresses})),
                products=tuple(sorted({one.product.product for one in addresses})),
                places=tuple(sorted({one.place for one in addresses})),
                records=True,
            ),
            self._clock.now_us(),
        )
        levels = levels_of(around, stocks)
        spelled = {stock.product: stock.name for stock in stocks}
        found = await self._documents.documents([item_document(one) for one in addresses])
        records = {row.key: read_record(row.body) for row in found}
        return [
            Item(
                address=one,
                levels=levels.get((one.product, one.place), Levels()),
                record=records.get(item_document(one)),
                shown_sku=spelled.get(one.product, ""),
            )
            for one in addresses
        ]


def warehouses_of(around: Surroundings, codes: Sequence[str]) -> list[Warehouse] | Refused:
    """The named warehouses, or all."""
    if not codes:
        return list(around.workflows.warehouses.values())
    wrong = unknown_warehouses(around, codes)
    if wrong is not None:
        return wrong
    found = {folded(code): around.workflows.warehouse(code) for code in codes}
    return [one for one in found.values() if one is not None]


def unknown_warehouses(around: Surroundings, codes: Iterable[str]) -> Refused | None:
    """Why a call that names these warehouses is refused; None when all are configured."""
    unknown = sorted({code for code in codes if around.workflows.warehouse(code) is None})
    if not unknown:
        return None
    return Refused(
        Code.VALIDATION_FAILED,
        f"Not a configured warehouse: {', '.join(unknown)[:200]}. Set it up with PUT warehouses/{{code}}.",
    )


def _addresses(around: Surroundings, warehouses: Iterable[Warehouse]) -> dict[tuple[str, str], Address]:
    """(organization, place) -> address of a warehouse; the product of the address means nothing."""
    found: dict[tuple[str, str], Address] = {}
    for one in warehouses:
        address = resolve(around.rules, around.workflows, ItemRef("", one.code))
        if isinstance(address, Address):
            found.setdefault((address.product.organization, address.place), address)
    return found


def _filter(around: Surroundings, search: ItemSearch, addresses: Iterable[Address]) -> ItemFilter | None:
    places = list(addresses)
    if not places:
        return None
    products = None
    if search.product_codes:
        one = places[0].item.warehouse
        keys = [resolve(around.rules, around.workflows, ItemRef(sku, one)) for sku in search.product_codes]
        products = tuple(sorted({key.product.product for key in keys if isinstance(key, Address)}))
    return ItemFilter(
        environment=around.rules.environment,
        inventory=around.inventory_measure,
        organizations=tuple(sorted({one.product.organization for one in places})),
        places=tuple(sorted({one.place for one in places})),
        products=products,
        since=search.last_modified,
        in_stock=search.is_in_stock,
    )


def _is_wanted(warehouse: Warehouse, search: ItemSearch) -> bool:
    if search.is_web_warehouse is not None and warehouse.is_web_warehouse is not search.is_web_warehouse:
        return False
    markets = {folded(one) for one in warehouse.available_on_markets}
    return not search.market_id or folded(search.market_id) in markets


def not_usable(why: Rejected) -> Refused:
    """A refusal of the whole call, because the environment cannot have items or not this one."""
    return Refused(Code.VALIDATION_FAILED, why.message)
