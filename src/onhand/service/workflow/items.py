"""Inventory items: read, searched, set, shifted, deleted (order specification 8.4).

Their quantities are the measures of the environment's stock records; nothing here keeps a second number. A read takes no
lock. A change is one group of the engine; when an item changed between reading and writing, it is read and tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.configuration import Warehouse, folded
from onhand.core.orders.item_changes import (
    Change,
    Done,
    Request,
    Status,
    read_record,
    unusable,
)
from onhand.core.orders.item_forms import ItemDelta, ItemForm
from onhand.core.orders.item_updates import Deleting, Levels, Mode, Setting, Shifting
from onhand.core.orders.item_views import Item, levels_of, shown, shown_virtual, virtual_locations
from onhand.core.orders.moves import ItemRef
from onhand.core.orders.postings import ItemFilter
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.working import Surroundings, item_document
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.ports import Clock, Documents, HoldFilter, Reader, StockFilter
from onhand.ports import Items as ItemRows
from onhand.service.batcher import Batcher
from onhand.service.jobs import Jobs

ATTEMPTS: Final = 8
"""How often a change is tried when the item changes under it."""

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


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for a change, and its name: repeated under the same name it has its effect once."""

    environment: str
    caller: str
    name: str
    user: str = ""


class InventoryItems:
    """The items of an environment."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        around: Around,
        reader: Reader,
        documents: Documents,
        rows: ItemRows,
        batcher: Batcher,
        jobs: Jobs,
        clock: Clock,
    ) -> None:
        self._around = around
        self._reader = reader
        self._documents = documents
        self._rows = rows
        self._batcher = batcher
        self._jobs = jobs
        self._clock = clock

    # Reading -----------------------------------------------------------------------------------------------

    async def of_sku(self, environment: str, sku: str, warehouses: Sequence[str]) -> Found | Refused:
        """The items of a SKU, at the named warehouses or all; those that do not exist are left out."""
        around = await self._around(environment, "", "")
        chosen = _warehouses(around, warehouses)
        if isinstance(chosen, Refused):
            return chosen
        items = await self._items(around, [ItemRef(sku, one.code) for one in chosen])
        rows = [row for item in items if item.exists for row in self._rows_of(around, item)]
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
            return _refused(wrong)
        chosen = _warehouses(around, search.warehouse_codes)
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
        items = await self._items(around, refs)
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

    async def _items(self, around: Surroundings, refs: Iterable[ItemRef]) -> list[Item]:
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

    # Changing ----------------------------------------------------------------------------------------------

    async def set(
        self, asker: Asker, forms: Sequence[ItemForm], mode: Mode, *, overwrites_reserved: bool
    ) -> list[Done | Rejected] | Refused:
        """Set items to absolute values; one answer each, in order. A refusal is of the whole call: nothing changed.

        Raises:
            Fault: some items may be set; the same call may be sent again.
        """
        around = await self._around(asker.environment, asker.caller, asker.user)
        wrong = _unfit(around, [form.ref for form in forms])
        if wrong is not None:
            return wrong
        items = await self._items(around, [form.ref for form in forms])
        known = {item.address.item: item for item in items}

        async def one(index: int, form: ItemForm) -> Done | Rejected:
            request = Request(around=around, name=f"{asker.name}~{index}", reason=_reason(mode))
            item = known.get(form.ref)
            for _ in range(ATTEMPTS):
                levels = Levels() if item is None else item.levels
                if (
                    mode is Mode.UPDATE
                    and item is not None
                    and _is_same(item, form, overwrites=overwrites_reserved)
                ):
                    return Done(status=Status.UNCHANGED)
                change = Setting(request, form, mode, levels, overwrites_reserved=overwrites_reserved)
                refusal = await self._submit(around, change)
                if refusal is None or refusal.reason is not Reason.STALE_DOCUMENT:
                    return refusal or change.done
                item = next(iter(await self._items(around, [form.ref])), None)
            return Rejected(
                Reason.STALE_DOCUMENT, "The item changes all the time; nothing was changed. Try again."
            )

        return await _each(one(index, form) for index, form in enumerate(forms))

    async def shift(self, asker: Asker, deltas: Sequence[ItemDelta]) -> list[Done | Rejected] | Refused:
        """Change items by some units; one answer each, in order.

        Raises:
            Fault: some items may be changed; the same call under the same name may be sent again.
        """
        around = await self._around(asker.environment, asker.caller, asker.user)
        wrong = _unfit(around, [delta.ref for delta in deltas])
        if wrong is not None:
            return wrong

        async def one(index: int, delta: ItemDelta) -> Done | Rejected:
            request = Request(
                around=around, name=f"{asker.name}~{index}", reason=delta.reason, order_id=delta.order_id
            )
            change = Shifting(request, delta)
            return await self._submit(around, change) or change.done

        return await _each(one(index, delta) for index, delta in enumerate(deltas))

    async def delete(
        self, asker: Asker, skus: Sequence[str], warehouses: Sequence[str]
    ) -> list[tuple[ItemRef, Done | Rejected]] | Refused:
        """Take items away for good. One with an open reservation is refused, and then nothing was deleted."""
        around = await self._around(asker.environment, asker.caller, asker.user)
        refs = [ItemRef(sku, code) for sku in skus for code in warehouses]
        wrong = _unfit(around, refs)
        if wrong is not None:
            return wrong
        items = [item for item in await self._items(around, refs) if item.exists]
        for item in items:
            if await self._is_held(around, item):
                return _held(item)

        async def one(item: Item) -> Done | Rejected:
            for attempt in range(ATTEMPTS):
                request = Request(
                    around=around, name=f"{asker.name}~{_name(item)}~{attempt}", reason="deleted"
                )
                change = Deleting(request, item.address.item, item.levels)
                refusal = await self._submit(around, change)
                if refusal is None or refusal.reason is not Reason.STALE_DOCUMENT:
                    return refusal or change.done
                (item,) = await self._items(around, [item.address.item])
                if await self._is_held(around, item):
                    break
            return Rejected(Reason.STALE_DOCUMENT, _held(item).message)

        done = await _each(one(item) for item in items)
        return list(zip((item.address.item for item in items), done, strict=True))

    async def recalculate(self, environment: str, caller: str) -> str | Refused:
        """Start the job that makes what is reserved of all items equal to their open holds; its id."""
        around = await self._around(environment, caller, "")
        wrong = unusable(around)
        if wrong is not None:
            return _refused(wrong)
        return await self._jobs.start_recalculation(environment, [around.reserved_measure], caller)

    async def _is_held(self, around: Surroundings, item: Item) -> bool:
        """Whether somebody has an open reservation of the item."""
        if not any(item.levels.reserved.values()):
            return False
        which = HoldFilter(
            environment=around.rules.environment,
            organization=item.address.product.organization,
            product=item.address.product.product,
        )
        after: str | None = None
        while True:
            page = await self._reader.holds(which, self._clock.now_us(), after, 500)
            if any(_is_at(around, item, hold.dimensions) for hold in page.rows):
                return True
            after = page.next
            if after is None:
                return False

    async def _submit(self, around: Surroundings, change: Change) -> Rejected | None:
        outcome = await self._batcher.submit(around.rules, change)
        if isinstance(outcome, GroupOutcome):
            return outcome.refusal
        return outcome if isinstance(outcome, Rejected) else None


async def _each(changes: Iterable[Awaitable[Done | Rejected]]) -> list[Done | Rejected]:
    """All of them at once; they are submitted in order."""
    return list(await asyncio.gather(*changes))


def _warehouses(around: Surroundings, codes: Sequence[str]) -> list[Warehouse] | Refused:
    """The named warehouses, or all."""
    if not codes:
        return list(around.workflows.warehouses.values())
    wrong = _unknown(around, codes)
    if wrong is not None:
        return wrong
    found = {folded(code): around.workflows.warehouse(code) for code in codes}
    return [one for one in found.values() if one is not None]


def _unfit(around: Surroundings, refs: Iterable[ItemRef]) -> Refused | None:
    """Why items cannot be changed; all are good or none is touched."""
    wrong = unusable(around)
    if wrong is not None:
        return _refused(wrong)
    found = list(dict.fromkeys(refs))
    unknown = _unknown(around, [ref.warehouse for ref in found])
    if unknown is not None:
        return unknown
    for ref in found:
        address = resolve(around.rules, around.workflows, ref)
        if isinstance(address, Rejected):
            return Refused(Code.VALIDATION_FAILED, f"{ref.sku} at {ref.warehouse}: {address.message}")
    return None


def _unknown(around: Surroundings, codes: Iterable[str]) -> Refused | None:
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


def _is_same(item: Item, form: ItemForm, *, overwrites: bool) -> bool:
    """Whether an update would change nothing; decided for sure under the lock."""
    if (
        form.ref.virtual
        or item.record is None
        or (form.inventory is not None and form.inventory != item.inventory)
    ):
        return False
    if overwrites and form.reserved_inventory is not None and form.reserved_inventory != item.reserved:
        return False
    return not (
        (form.cost and form.cost != item.record.cost)
        or (form.location and form.location != item.record.location)
        or (form.min_quantity and form.min_quantity != item.record.min_quantity)
        or (form.max_quantity and form.max_quantity != item.record.max_quantity)
        or (form.reorder_min_quantity and form.reorder_min_quantity != item.record.reorder_min_quantity)
        or (form.cost and folded(form.cost_currency) != folded(item.record.cost_currency))
        or form.batches
        or form.properties
    )


def _reason(mode: Mode) -> str:
    return "inventory item added" if mode is Mode.ADD else "inventory item updated"


def _name(item: Item) -> str:
    return f"{item.address.product.product}~{folded(item.address.item.warehouse)}"


def _is_at(around: Surroundings, item: Item, dimensions: Sequence[tuple[str, str]]) -> bool:
    """Whether a hold with these dimensions is at the item's place."""
    address = resolve(
        around.rules,
        around.workflows,
        ItemRef(item.address.item.sku, item.address.item.warehouse, "", tuple(dimensions)),
    )
    named = {name.lower(): value for name, value in dimensions}
    own = dict(item.address.node.shown)
    return isinstance(address, Address) and all(
        folded(named.get(name)) == folded(own.get(name)) for name in around.rules.partition
    )


def _held(item: Item) -> Refused:
    ref = item.address.item
    return Refused(
        Code.ITEM_RESERVED,
        f"{ref.sku} at {ref.warehouse} has open reservations. Release them, or let their orders end, then delete it.",
    )


def _refused(why: Rejected) -> Refused:
    return Refused(Code.VALIDATION_FAILED, why.message)
