"""A tiny world for steps: orders, stock in plain numbers, and an interpreter of moves over ledger rows.

What the interpreter does is what the specification says a move does; the engine's translation into commands has tests
of its own. Items are plain counters: `reserved` is what the rows hold plus what belongs to nobody.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from onhand.core.orders import moves as m
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderStatus,
    OrderType,
    Warehouse,
    WorkflowStep,
    by_name,
)
from onhand.core.orders.lines import with_lines
from onhand.core.orders.model import Order, OrderForm, OrderLine, Property, ReturnForm, ReturnLine, Shipment
from onhand.core.orders.moves import ItemRef, LineRef
from onhand.core.orders.record import LedgerRow, Reduction
from onhand.core.outcomes import Reason, Rejected
from onhand.steps.contract import Done, Facts, Plan, Result, StepSpec, Stocked, Unit
from onhand.steps.registry import find
from onhand.steps.scope import held_item

ZERO = Decimal(0)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def D(value: Any) -> Decimal:  # noqa: N802 - short for a decimal
    return Decimal(str(value))


# Builders ----------------------------------------------------------------------------------------------------


def line(key: str = "L1", code: str = "A", quantity: Any = 1, **given: Any) -> OrderLine:
    """Numbers among the fields are made decimals."""
    return OrderLine(line_item_id=key, code=code, quantity=D(quantity), **_decimals(given))


def flagged(
    key: str = "L1", code: str = "A", quantity: Any = 1, reserved: Any = None, **given: Any
) -> OrderLine:
    wanted = quantity if reserved is None else reserved
    return line(key, code, quantity, reserved_inventory=True, reserved_inventory_quantity=wanted, **given)


def returned(key: str = "L1", code: str = "A", quantity: Any = 1, **given: Any) -> ReturnLine:
    return ReturnLine(line_item_id=key, code=code, return_quantity=D(quantity), **given)


def shipment(*lines: OrderLine, key: str = "S1", status: str = "Released", **given: Any) -> Shipment:
    given.setdefault("warehouse_code", "WH1")
    return Shipment(shipment_id=key, status=status, line_items=lines, **given)


def order(*shipments: Shipment, unassigned: tuple[OrderLine, ...] = (), **given: Any) -> Order:
    defaults = {
        "id": "O1",
        "order_type": "Online",
        "status": "Ship",
        "market_id": "NO",
        "store_id": "ST1",
        "billing_currency": "NOK",
    }
    form = OrderForm(shipments=shipments, unassigned=unassigned)
    return Order(order_form=form, **{**defaults, **given})


def returns(*lines: ReturnLine, key: str = "R1", **given: Any) -> ReturnForm:
    return ReturnForm(return_id=key, line_items=lines, **given)


def _decimals(given: dict[str, Any]) -> dict[str, Any]:
    return {
        name: D(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for name, value in given.items()
    }


STATUSES = (
    OrderStatus(name="New", order=0, workflow_steps=()),
    OrderStatus(name="InProgress", order=1, workflow_steps=()),
    OrderStatus(name="Ship", order=2, workflow_steps=()),
    OrderStatus(name="Completed", order=3, workflow_steps=(), is_delivered_status=True),
    OrderStatus(name="OrderCanceled", order=4, workflow_steps=(), is_canceled_status=True),
)


# The world ---------------------------------------------------------------------------------------------------


class Item(msgspec.Struct):
    inventory: Decimal = ZERO
    loose: Decimal = ZERO
    """Reserved and held by no row of this order."""
    exists: bool = True


class Shelf:
    """An order, its rows and the stock that it meets."""

    def __init__(self, of: Order, *, warehouses: Iterable[Warehouse] = (), **stock: tuple[Any, Any]) -> None:
        """`stock` by SKU, at warehouse WH1: inventory and what others have reserved."""
        self.order = of
        self.rows: dict[LineRef, LedgerRow] = {}
        self.restocked: set[tuple[str, str]] = set()
        self.items: dict[ItemRef, Item] = {}
        self.warehouses = tuple(warehouses)
        self.inventory = InventorySettings()
        self.settings = OrderSettings()
        self.transactions = 0
        self.runs = 0
        self.step = WorkflowStep(name="none")
        self.costless: set[str] = set()
        self.rateless = False
        self.refuses: set[str] = set()
        """Keys of units that the rules refuse."""
        for sku, (inventory, reserved) in stock.items():
            self.stock(sku, "WH1", inventory, reserved)

    def stock(self, sku: str, warehouse: str, inventory: Any, reserved: Any = 0) -> None:
        self.items[ItemRef(sku, warehouse)] = Item(D(inventory), D(reserved))

    def hold(
        self, key: str, reserved: Any, *, of: str = "S1", item: ItemRef | None = None, **given: Any
    ) -> LedgerRow:
        """Give a line a row that holds so much."""
        found = self.order.shipment(of)
        assert found is not None
        wanted = next(one for one in found.line_items if one.line_item_id == key)
        item = item or ItemRef(wanted.code, found.warehouse_code or "")
        row = LedgerRow(
            shipment_id=of,
            line_item_id=key,
            sku=item.sku,
            warehouse=item.warehouse,
            virtual=item.virtual,
            dimensions=item.dimensions,
            hold_id=f"hold-{of}-{key}",
            reserved=D(reserved),
            **_decimals(given),
        )
        self.rows[row.line] = row
        return row

    def counts(self, sku: str = "A", warehouse: str = "WH1") -> tuple[Decimal, Decimal]:
        """Inventory and reserved."""
        item = self.items.get(ItemRef(sku, warehouse), Item())
        return item.inventory, self._reserved(ItemRef(sku, warehouse))

    def line(self, key: str = "L1", of: str = "S1") -> OrderLine:
        found = self.order.shipment(of)
        assert found is not None
        return next(one for one in found.line_items if one.line_item_id == key)

    def facts(
        self,
        key: str,
        *,
        shipment_id: str | None = None,
        return_id: str | None = None,
        done: Iterable[str] = (),
        **step: Any,
    ) -> Facts:
        properties = tuple(
            Property(key=name, value=str(value))
            for name, value in (step.pop("properties", None) or {}).items()
        )
        facts = Facts(
            order=self.order,
            rows=dict(self.rows),
            shipment_id=shipment_id,
            return_id=return_id,
            step=WorkflowStep(name=key, properties=properties, **step),
            order_type=OrderType(name=self.order.order_type, order_statuses=STATUSES),
            orders=self.settings,
            inventory=self.inventory,
            warehouses=by_name(self.warehouses),
            done=frozenset(done),
            restocked=frozenset(self.restocked),
            now=NOW,
            run_id=f"run-{self.runs}",
        )
        spec = step_of(key)
        stock = {item: self._stocked(item) for item in spec.needs(facts)}
        return dataclasses.replace(facts, stock=stock)

    def run(self, key: str, **given: Any) -> Result:
        """One run of a step: plan, apply every unit, conclude."""
        self.runs += 1
        before = self.facts(key, **given)
        self.step = before.step
        found = self.plan(before)
        if isinstance(found, Result):
            return found
        return found.conclude([self.apply(unit) for unit in found.units])

    def plan(self, facts: Facts) -> Result | Plan:
        spec = step_of(facts.step.name)
        assert spec.plan is not None
        return spec.plan(facts)

    def apply(self, unit: Unit) -> Done:
        """The unit as one atomic group."""
        if unit.key in self.refuses:
            return Done(unit=unit, refused=Rejected(Reason.SHORTAGE, "There is not enough of it."))
        applied = tuple(self._apply(move) for move in unit.moves)
        if unit.edit is not None:
            self.order = unit.edit(self.order)
        return Done(unit=unit, applied=applied)

    # Moves ---------------------------------------------------------------------------------------------------

    def _apply(self, move: m.Move) -> m.Applied:
        known: dict[type, Callable[[Any], m.Applied]] = {
            m.Reserve: self._reserve,
            m.Release: self._release,
            m.Reduce: self._reduce,
            m.RepairCost: self._repair,
            m.Restock: self._restock,
            m.SetOutOfStock: self._empty,
            m.Recalculate: self._recalculate,
            m.Relocate: self._relocate,
            m.SplitRow: self._split,
        }
        return known[type(move)](move)

    def _reserve(self, move: m.Reserve) -> m.Applied:
        self._change(move.line, move.item, reserved=move.quantity)
        return self._applied(move, move.item, reserved=move.quantity)

    def _repair(self, move: m.RepairCost) -> m.Applied:
        assert self.rows[move.line].reduction is not None
        return m.Applied(move=move, already=True, unit_cost=D(19), rate_missing=self.rateless)

    def _restock(self, move: m.Restock) -> m.Applied:
        if (move.return_id, move.line_item_id) in self.restocked:
            return m.Applied(move=move, already=True)
        self.restocked.add((move.return_id, move.line_item_id))
        self._item(move.item).inventory += move.quantity
        return self._applied(move, move.item, inventory=move.quantity)

    def _empty(self, move: m.SetOutOfStock) -> m.Applied:
        before = self._item(move.item).inventory
        self._item(move.item).inventory = ZERO
        return self._applied(move, move.item, inventory=-before)

    def _relocate(self, move: m.Relocate) -> m.Applied:
        row = self.rows[move.line]
        assert held_item(row) == move.source
        self.rows[move.line] = replaced(
            row,
            warehouse=move.target.warehouse,
            virtual=move.target.virtual,
            dimensions=move.target.dimensions,
        )
        self._item(move.target)
        return self._applied(move, move.target)

    def _change(self, ref: LineRef, item: ItemRef, *, reserved: Decimal) -> None:
        self._item(item)
        row = self.rows.get(ref) or new_row(ref, item)
        if row.remaining == ZERO:
            row = replaced(
                row, sku=item.sku, warehouse=item.warehouse, virtual=item.virtual, dimensions=item.dimensions
            )
        assert held_item(row) == item, "a line holds one item; move it first"
        self.rows[ref] = replaced(row, reserved=row.reserved + reserved)
        self._mirror(ref)

    def _release(self, move: m.Release) -> m.Applied:
        row = self.rows.get(move.line)
        if row is None:
            item = self._item(move.item)
            taken = min(move.quantity, max(ZERO, item.loose))
            item.loose -= taken
            self.rows[move.line] = new_row(move.line, move.item)
        else:
            taken = min(move.quantity, row.remaining)
            canceled = row.canceled + (taken if move.canceled else ZERO)
            self.rows[move.line] = replaced(row, released=row.released + taken, canceled=canceled)
            self._mirror(move.line)
        return self._applied(move, move.item, reserved=-taken)

    def _reduce(self, move: m.Reduce) -> m.Applied:
        row = self.rows.get(move.line)
        if row is not None and row.reduction is not None:
            return m.Applied(move=move, already=True)
        created = move.item not in self.items
        item = self._item(move.item)
        item.inventory -= move.quantity
        own = min(move.reserved, row.remaining) if row is not None else ZERO
        bare = min(move.reserved - own, max(ZERO, item.loose)) if row is None else ZERO
        item.loose -= bare
        row = row or new_row(move.line, move.item)
        self.rows[move.line] = replaced(
            row,
            consumed=row.consumed + move.reserved,
            reduction=Reduction(
                transaction_id=f"t{self.transactions}",
                quantity=move.quantity,
                reserved=move.reserved,
                at=NOW,
                step=self.step.name,
                run=f"run-{self.runs}",
            ),
        )
        cost = None if move.item.sku in self.costless else D(19)
        found = self._applied(move, move.item, inventory=-move.quantity, reserved=-(own + bare))
        return replaced(
            found,
            created=created,
            underflow=own + bare < move.reserved,
            unit_cost=cost,
            rate_missing=self.rateless and cost is not None,
        )

    def _recalculate(self, move: m.Recalculate) -> m.Applied:
        change = ZERO
        for ref, item in self.items.items():
            if ref.sku == move.sku:
                change -= item.loose
                item.loose = ZERO
        return m.Applied(move=move, reserved_change=change)

    def _split(self, move: m.SplitRow) -> m.Applied:
        row = self.rows[move.line]
        assert ZERO < move.quantity <= row.remaining
        assert move.target not in self.rows
        self.rows[move.line] = replaced(row, reserved=row.reserved - move.quantity)
        self.rows[move.target] = replaced(
            new_row(move.target, held_item(row)), reserved=move.quantity, hold_id=row.hold_id
        )
        self._mirror(move.line)
        return m.Applied(move=move)

    def _applied(
        self, move: m.Move, ref: ItemRef, *, inventory: Decimal = ZERO, reserved: Decimal = ZERO
    ) -> m.Applied:
        if inventory or reserved:
            self.transactions += 1
        return m.Applied(
            move=move,
            inventory_change=inventory,
            reserved_change=reserved,
            new_inventory=self._item(ref).inventory,
            new_reserved=self._reserved(ref),
        )

    def _mirror(self, ref: LineRef) -> None:
        shown = self.rows[ref].shown

        def change(_shipment: Shipment, one: OrderLine) -> OrderLine:
            if one.line_item_id != ref.line_item_id:
                return one
            return replaced(
                one, reserved_inventory=shown > 0, reserved_inventory_quantity=shown, forced_reservation=False
            )

        self.order = with_lines(self.order, change, ref.shipment_id)

    def _item(self, ref: ItemRef) -> Item:
        return self.items.setdefault(ref, Item())

    def _reserved(self, ref: ItemRef) -> Decimal:
        held = sum((row.remaining for row in self.rows.values() if held_item(row) == ref), ZERO)
        return self.items.get(ref, Item()).loose + held

    def _stocked(self, ref: ItemRef) -> Stocked:
        """An item without a virtual location or dimensions is the sum of all that it contains."""
        found = [
            one
            for one in {*self.items, *(held_item(row) for row in self.rows.values())}
            if (one.sku, one.warehouse) == (ref.sku, ref.warehouse)
            and ref.virtual in ("", one.virtual)
            and ref.dimensions in ((), one.dimensions)
        ]
        inventory = sum((self.items.get(one, Item()).inventory for one in found), ZERO)
        reserved = sum((self._reserved(one) for one in found), ZERO)
        return Stocked(
            inventory=inventory, reserved=reserved, available=inventory - reserved, exists=bool(found)
        )


def new_row(ref: LineRef, item: ItemRef) -> LedgerRow:
    return LedgerRow(
        shipment_id=ref.shipment_id,
        line_item_id=ref.line_item_id,
        sku=item.sku,
        warehouse=item.warehouse,
        virtual=item.virtual,
        dimensions=item.dimensions,
    )


def replaced(value: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(value, **changes)


def step_of(key: str) -> StepSpec:
    found = find(key)
    assert found is not None, key
    return found


def codes(*named: str, **given: Any) -> tuple[Warehouse, ...]:
    return tuple(Warehouse(code=one, **given) for one in named)
