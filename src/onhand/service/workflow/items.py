"""Inventory items: set, shifted, deleted (order specification 8.4).

Their quantities are the measures of the environment's stock records; nothing here keeps a second number. A change is one
group of the engine; when an item changed between reading and writing, it is read and tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Final

import msgspec

from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.configuration import folded
from onhand.core.orders.item_changes import Change, Done, Request, Status, unusable
from onhand.core.orders.item_forms import ItemDelta, ItemForm
from onhand.core.orders.item_updates import Deleting, Levels, Mode, Setting, Shifting
from onhand.core.orders.item_views import Item
from onhand.core.orders.moves import ItemRef
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.working import Surroundings
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.ports import Clock, Reader
from onhand.rows import HoldFilter
from onhand.service.batcher import Batcher
from onhand.service.jobs import Jobs
from onhand.service.workflow.item_reading import Around, ItemReading, not_usable, unknown_warehouses

ATTEMPTS: Final = 8
"""How often a change is tried when the item changes under it."""


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for a change, and its name: repeated under the same name it has its effect once."""

    environment: str
    caller: str
    name: str
    user: str = ""


class InventoryItems:
    """The items of an environment."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self, around: Around, reading: ItemReading, reader: Reader, batcher: Batcher, jobs: Jobs, clock: Clock
    ) -> None:
        self.reading = reading
        self._around = around
        self._reader = reader
        self._batcher = batcher
        self._jobs = jobs
        self._clock = clock

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
        items = await self.reading.items(around, [form.ref for form in forms])
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
                item = next(iter(await self.reading.items(around, [form.ref])), None)
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
        items = [item for item in await self.reading.items(around, refs) if item.exists]
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
                (item,) = await self.reading.items(around, [item.address.item])
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
            return not_usable(wrong)
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


def _unfit(around: Surroundings, refs: Iterable[ItemRef]) -> Refused | None:
    """Why items cannot be changed; all are good or none is touched."""
    wrong = unusable(around)
    if wrong is not None:
        return not_usable(wrong)
    found = list(dict.fromkeys(refs))
    unknown = unknown_warehouses(around, [ref.warehouse for ref in found])
    if unknown is not None:
        return unknown
    for ref in found:
        address = resolve(around.rules, around.workflows, ref)
        if isinstance(address, Rejected):
            return Refused(Code.VALIDATION_FAILED, f"{ref.sku} at {ref.warehouse}: {address.message}")
    return None


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
