"""Absolute values, deltas and deletion of inventory items, as changes (`item_changes.py`)."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from onhand.core.commands import ChangeOnHand, DocumentWrite, GroupMember, LowerReserved, SetOnHand
from onhand.core.costing.currencies import code_of
from onhand.core.costing.providers import Receipt
from onhand.core.orders.addresses import Address, position_of
from onhand.core.orders.entities import show
from onhand.core.orders.item_changes import ZERO, Change, Concluding, Done, Request, Status, stale
from onhand.core.orders.item_forms import ItemDelta, ItemForm
from onhand.core.orders.items import ItemRecord
from onhand.core.orders.moves import ItemRef, TransactionType
from onhand.core.orders.numbers import scaled, unscaled
from onhand.core.orders.working import Surroundings
from onhand.core.outcomes import Rejected


class Mode(enum.StrEnum):
    """How absolute values are taken."""

    ADD = "add"
    """They override everything and leave a transaction even where nothing changed."""
    UPDATE = "update"
    """What is empty keeps its old value; an item that does not change is left alone."""


class Levels(msgspec.Struct, frozen=True):
    """An item's records as they were read without a lock; scaled."""

    inventory: Mapping[str, int] = {}
    """Position key -> own quantity."""
    reserved: Mapping[str, int] = {}

    @property
    def total(self) -> tuple[int, int]:
        """(inventory, reserved) of the item."""
        return sum(self.inventory.values()), sum(self.reserved.values())


class Setting(Change):
    """Set an item to absolute values."""

    def __init__(
        self, request: Request, form: ItemForm, mode: Mode, levels: Levels, *, overwrites_reserved: bool
    ) -> None:
        super().__init__(request, form.ref, [mode.value, overwrites_reserved, show(form)])
        self.form = form
        # A virtual stock location is a part of its physical item, whose record it must not override.
        self.mode = Mode.UPDATE if form.ref.virtual else mode
        self.levels = levels
        self.sets_reserved = (
            form.reserved_inventory is not None and overwrites_reserved and not form.ref.virtual
        )

    def commands(self, around: Surroundings, address: Address) -> list[GroupMember]:
        """The plain record takes what the others leave."""
        return [
            SetOnHand(
                **self.identity(around, address, str(number)),
                position=position_of(around.rules, key),
                values=((measure, value),),
                reason=self.request.reason,
            )
            for number, (key, measure, value) in enumerate(self._values(around, address))
        ]

    def _values(self, around: Surroundings, address: Address) -> list[tuple[str, int, int]]:
        seen, reserved = self.levels.total
        wanted = self.wanted(address)[0]
        record, node = address.record.key, address.node.key
        values = [(record, around.inventory_measure, wanted - (seen - self.levels.inventory.get(record, 0)))]
        if self.sets_reserved:
            others = reserved - self.levels.reserved.get(node, 0)
            values.append((node, around.reserved_measure, self.wanted(address)[1] - others))
        return values

    def wanted(self, address: Address) -> tuple[int, int]:
        """(inventory, reserved) that the item as a whole shall have; scaled."""
        inventory, reserved = self.levels.total
        form = self.form
        if form.inventory is not None and form.ref.virtual:
            own = self.levels.inventory.get(address.record.key, 0)
            inventory += scaled(form.inventory) - own
        elif form.inventory is not None:
            inventory = scaled(form.inventory)
        elif self.mode is Mode.ADD:
            inventory = 0
        if self.sets_reserved and form.reserved_inventory is not None:
            reserved = scaled(form.reserved_inventory)
        return inventory, reserved

    def conclude(self, state: Concluding) -> Sequence[DocumentWrite] | Rejected:
        """The record follows the values, and the transaction says what changed."""
        wanted = self.wanted(state.address)
        if state.after[0] != wanted[0] or (self.sets_reserved and state.after[1] != wanted[1]):
            return stale()
        if self.form.inventory is None and self.mode is Mode.UPDATE and state.changes[0]:
            return stale()
        if self.mode is Mode.ADD:
            record, unit, currency = opened(self.form, state), None, ""
        else:
            record, unit, currency = state.moved(state.record)
            record = updated(record, self.form)
        writes = state.write_record(record)
        changed = any(state.changes) or self.mode is Mode.ADD
        if changed:
            writes += state.write_transaction(TransactionType.ABSOLUTE, record, unit, currency)
        status = Status.UNCHANGED
        if writes:
            status = Status.ADDED if state.stored is None and not any(state.before) else Status.UPDATED
        self.done = Done(status=status, transaction_id=state.transaction_id if changed else "")
        return writes


class Shifting(Change):
    """Change an item by some units."""

    def __init__(self, request: Request, delta: ItemDelta) -> None:
        super().__init__(request, delta.ref, show(delta))
        self.delta = delta

    def commands(self, around: Surroundings, address: Address) -> list[GroupMember]:
        """The inventory, and with the flag what is reserved without a hold: holds of others are never touched."""
        change = scaled(self.delta.inventory_change)
        reason = self.request.reason
        made: list[GroupMember] = [
            ChangeOnHand(
                **self.identity(around, address, "0"),
                position=address.record,
                changes=((around.inventory_measure, change),),
                reason=reason,
            )
        ]
        if not (self.delta.adjust_reserved_inventory and change):
            return made
        shared = self.identity(around, address, "1")
        if change > 0:
            changes = ((around.reserved_measure, change),)
            made.append(ChangeOnHand(**shared, position=address.node, changes=changes, reason=reason))
        else:
            made.append(
                LowerReserved(
                    **shared,
                    position=address.node,
                    measure=around.reserved_measure,
                    quantity=-change,
                    reason=reason,
                )
            )
        return made

    def conclude(self, state: Concluding) -> Sequence[DocumentWrite] | Rejected:
        """The record follows; a change of nothing leaves no transaction."""
        if not any(state.changes):
            return ()
        record, unit, currency = state.moved(state.record)
        status = Status.ADDED if state.stored is None and not any(state.before) else Status.UPDATED
        self.done = Done(status=status, transaction_id=state.transaction_id)
        return [
            *state.write_record(record),
            *state.write_transaction(TransactionType.ADJUSTMENT, record, unit, currency),
        ]


class Deleting(Change):
    """Take an item away: its quantities become zero and its record goes. It has no open holds, as was read before."""

    def __init__(self, request: Request, item: ItemRef, levels: Levels) -> None:
        super().__init__(request, item, "delete")
        self.levels = levels

    def commands(self, around: Surroundings, address: Address) -> list[GroupMember]:
        """Every record that has something; the plain one always, so that there is a command."""
        wanted = {(address.record.key, around.inventory_measure): None}
        for measure, levels in (
            (around.inventory_measure, self.levels.inventory),
            (around.reserved_measure, self.levels.reserved),
        ):
            wanted |= {(key, measure): None for key, own in levels.items() if own}
        return [
            SetOnHand(
                **self.identity(around, address, str(number)),
                position=position_of(around.rules, key),
                values=((measure, 0),),
                reason=self.request.reason,
            )
            for number, (key, measure) in enumerate(wanted)
        ]

    def conclude(self, state: Concluding) -> Sequence[DocumentWrite] | Rejected:
        """Only what was seen is taken away."""
        if state.before != self.levels.total or any(state.after):
            return stale()
        writes = state.write_record(None)
        if any(state.changes):
            record, unit, currency = state.moved(state.record)
            writes += state.write_transaction(TransactionType.ABSOLUTE, record, unit, currency)
        if writes:
            self.done = Done(
                status=Status.DELETED, transaction_id=state.transaction_id if any(state.changes) else ""
            )
        return writes


def opened(form: ItemForm, state: Concluding) -> ItemRecord:
    """The record of an item that is entered anew; its stock is valued at the cost that came with it."""
    old = state.record
    record = ItemRecord(
        sku=old.sku,
        warehouse_code=old.warehouse_code,
        cost=form.cost,
        cost_currency=code_of(form.cost_currency),
        batches=tuple(one.batch for one in form.batches if one.quantity),
        location=form.location,
        min_quantity=form.min_quantity,
        max_quantity=form.max_quantity,
        reorder_min_quantity=form.reorder_min_quantity,
        created=old.created,
        properties=tuple(show(one) for one in form.properties),
    )
    stock = unscaled(state.after[0])
    if record.batches or stock <= ZERO:
        return record
    return state.around.provider.receive(record, Receipt(quantity=stock, on_hand=ZERO, at=state.now)).record


def updated(record: ItemRecord, form: ItemForm) -> ItemRecord:
    """The record with what the form says; zero and empty say nothing."""
    changes: dict[str, Any] = {}
    if form.cost:
        changes |= {"cost": form.cost, "cost_currency": code_of(form.cost_currency) or record.cost_currency}
    if form.batches:
        changes["batches"] = tuple(one.batch for one in form.batches if one.quantity)
    if form.properties:
        changes["properties"] = tuple(show(one) for one in form.properties)
    for name in ("location", "min_quantity", "max_quantity", "reorder_min_quantity"):
        value = getattr(form, name)
        if value:
            changes[name] = value
    return msgspec.structs.replace(record, **changes) if changes else record
