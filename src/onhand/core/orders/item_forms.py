"""Inventory items as clients send them (order specification 6.5, 8.4)."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from onhand.core.configuration_document import Problem
from onhand.core.costing.batches import Batch
from onhand.core.costing.currencies import code_of, is_code
from onhand.core.orders.entities import Amount, Entity, Moment, Name, Quantity, read_part
from onhand.core.orders.model import Property
from onhand.core.orders.moves import ItemRef
from onhand.core.orders.numbers import ZERO
from onhand.core.orders.refusals import Code, Refused, invalid

ITEMS_MAX: Final = 1_000
"""Items of one call."""

E = type[Entity]


class BatchForm(Entity, frozen=True, kw_only=True):
    """A cost batch."""

    id: Name = ""
    transaction_date: Moment | None = None
    quantity: Quantity
    cost_price: Amount
    billing_cost: Amount | None = None
    billing_currency: Name = ""
    billing_cost_exchange_rate: Amount | None = None
    currency_date: Moment | None = None

    @property
    def batch(self) -> Batch:
        """The batch."""
        return Batch(
            id=self.id,
            transaction_date=self.transaction_date,
            quantity=self.quantity,
            cost_price=self.cost_price,
            billing_cost=self.billing_cost,
            billing_currency=code_of(self.billing_currency),
            billing_cost_exchange_rate=self.billing_cost_exchange_rate,
            currency_date=self.currency_date,
        )


class ItemForm(Entity, frozen=True, kw_only=True):
    """An item with absolute quantities."""

    sku: Annotated[Name, msgspec.Meta(extra={"aliases": ("skuId", "variant", "id")})]
    warehouse_code: Name
    inventory: Quantity | None = None
    reserved_inventory: Quantity | None = None
    cost: Amount | None = None
    cost_currency: Name = ""
    batches: tuple[BatchForm, ...] = ()
    location: Name = ""
    is_virtual: bool = False
    physical_warehouse_code: Name = ""
    min_quantity: Quantity | None = None
    max_quantity: Quantity | None = None
    reorder_min_quantity: Quantity | None = None
    properties: tuple[Property, ...] = ()

    @property
    def ref(self) -> ItemRef:
        """Which item it is; a virtual one is a location inside its physical warehouse."""
        if self.is_virtual and self.physical_warehouse_code:
            return ItemRef(self.sku, self.physical_warehouse_code, self.warehouse_code)
        return ItemRef(self.sku, self.warehouse_code)


class ItemDelta(Entity, frozen=True, kw_only=True):
    """A change of an item by some units."""

    sku_id: Annotated[Name, msgspec.Meta(extra={"aliases": ("sku", "variant")})]
    warehouse_code: Name
    virtual_warehouse_code: Name = ""
    inventory_change: Quantity
    adjust_reserved_inventory: bool = False
    """What is reserved changes by the same."""
    order_id: Name = ""
    reason: str = ""
    location_code: Name = ""

    @property
    def ref(self) -> ItemRef:
        """Which item it is."""
        return ItemRef(self.sku_id, self.warehouse_code, self.virtual_warehouse_code)


def read_items(value: object) -> tuple[ItemForm, ...] | Refused:
    """Items of a body; all are good or none is read. An item may be named once."""
    read = _read_list(ItemForm, value, "items")
    if isinstance(read, Refused):
        return read
    forms = [form for form in read if isinstance(form, ItemForm)]
    problems: list[Problem] = []
    seen: dict[tuple[str, ...], int] = {}
    for index, form in enumerate(forms):
        problems += wrong_with(form, f"[{index}]")
        names = tuple(name.strip().lower() for name in (form.ref.sku, form.ref.warehouse, form.ref.virtual))
        first = seen.setdefault(names, index)
        if first != index:
            problems.append(
                Problem(f"[{index}]", f"It is the item of [{first}] again; absolute values count once.")
            )
    return invalid(problems, "The items") if problems else tuple(forms)


def read_deltas(value: object) -> tuple[ItemDelta, ...] | Refused:
    """Changes of a body; several may be of one item."""
    read = _read_list(ItemDelta, value, "changes")
    if isinstance(read, Refused):
        return read
    return tuple(one for one in read if isinstance(one, ItemDelta))


def wrong_with(form: ItemForm, path: str = "") -> list[Problem]:
    """What is wrong with an item beyond its form."""
    where = f"{path}." if path else ""
    problems = [
        Problem(f"{where}{name}", "It must not be below zero.")
        for name, number in (("cost", form.cost), ("reservedInventory", form.reserved_inventory))
        if number is not None and number < ZERO
    ]
    problems += [
        Problem(f"{where}batches[{index}]", "Quantity and costPrice must not be below zero.")
        for index, batch in enumerate(form.batches)
        if batch.quantity < ZERO or batch.cost_price < ZERO
    ]
    code = code_of(form.cost_currency)
    if code and not is_code(code):
        problems.append(
            Problem(f"{where}costCurrency", f"{code!r} is not a currency code of three letters, such as NOK.")
        )
    return problems


def _read_list(shape: E, value: object, what: str) -> list[Entity | None] | Refused:
    if not isinstance(value, list):
        return Refused(Code.VALIDATION_FAILED, f"The body must be an array of {what}.")
    if len(value) > ITEMS_MAX:
        return Refused(
            Code.VALIDATION_FAILED,
            f"At most {ITEMS_MAX:,} {what} are allowed in one call. Send them in parts.",
        )
    problems: list[Problem] = []
    found = [read_part(shape, one, f"[{index}]", problems) for index, one in enumerate(value)]
    return invalid(problems, f"The {what}") if problems else found
