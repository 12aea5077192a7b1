"""Moves of goods: reduce, repair a cost, restock, take a reduction back (order specification 4.3 to 4.5, 4.14, 5.2).

A reduction happens once for ever for a line in a shipment: its transaction has a unique key under the order, and the row
remembers it. It may bring the inventory below zero, because the goods have left; the reserved counter stops at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from onhand.core.commands import ChangeOnHand, GroupMember, LowerReserved, Offset
from onhand.core.costing.lines import Priced, order_cost, order_currency, priced, repaired
from onhand.core.costing.providers import Receipt
from onhand.core.orders import ledger
from onhand.core.orders.addresses import Address, position_of
from onhand.core.orders.identity import Identity
from onhand.core.orders.lines import with_lines
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.moves import Applied, LineRef, Reduce, RepairCost, Restock, Reverse, TransactionType
from onhand.core.orders.numbers import scaled, unscaled
from onhand.core.orders.part import Part
from onhand.core.orders.record import LedgerRow, OrderRecord, Reduction, Restocked
from onhand.core.orders.reserving import accepted, hold_number
from onhand.core.orders.transactions import Effect, EffectKind, InventoryTransaction, transaction_key
from onhand.core.orders.working import Surroundings, Working, facts_of, item_document
from onhand.core.outcomes import Outcome, Reason, Rejected

ZERO = Decimal(0)


class Reducing(Part):
    """Lower the inventory, and the reservation of a reserved line."""

    def __init__(
        self, around: Surroundings, identity: Identity, record: OrderRecord, move: Reduce, address: Address
    ) -> None:
        self.move = move
        self.address = address
        self.row = record.row(move.line) or ledger.new_row(move.line, move.item, address)
        self.effect = Effect(
            EffectKind.REDUCE, identity.order_id, move.line.shipment_id, move.line.line_item_id
        )
        self.physical = around.owns_physical(address)
        self.documents = (item_document(address), transaction_key(identity.key, self.effect, around.event, 0))
        self.places = ((address.product, address.place),)
        commands: list[GroupMember] = []
        if self.physical:
            commands.append(
                ChangeOnHand(
                    **identity.of(address, move.line, "REDUCE", None, around.caller),
                    position=address.record,
                    changes=((around.inventory_measure, -scaled(move.quantity)),),
                    reason=around.step,
                )
            )
        if move.reserved:
            commands.append(_consuming(around, identity, self.row, address, move))
        self.commands = tuple(commands)

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:
        """Write the transaction, the row and the cost of the line."""
        move, address, around = self.move, self.address, work.around
        if work.exists(self.documents[1]):
            return Rejected(Reason.STALE_DOCUMENT, "The line was reduced meanwhile; nothing was done twice.")
        created = not work.exists(self.documents[0]) and not work.level(address, around.inventory_measure)
        inventory_change = -move.quantity if self.physical else ZERO
        reserved_change = -unscaled(accepted(outcomes[-1]).released) if move.reserved else ZERO
        inventory = work.move(address, around.inventory_measure, inventory_change)
        reserved = work.move(address, around.reserved_measure, reserved_change)
        consumed = around.provider.consume(work.item(address), move.quantity, work.now)
        if consumed.record != work.item(address):
            work.put_item(address, consumed.record)
        unit = consumed.unit
        cost = None if unit is None else _priced(work, unit, consumed.currency, move.quantity)
        facts = msgspec.structs.replace(
            facts_of(move.line),
            inventory_change=inventory_change,
            reserved_inventory_change=reserved_change,
            unit_cost=unit,
            unit_cost_currency=consumed.currency if unit is not None else "",
            exchange_rate=None if cost is None else cost.rate,
            rate_date=None if cost is None else cost.rate_date,
        )
        kind = TransactionType.REDUCE_BOTH if move.reserved else TransactionType.REDUCE
        transaction = work.transact(self.effect, address, kind, facts)
        if address.item.virtual:
            self._twin(work, kind, facts)
        row = work.record.row(move.line) or self.row
        row = msgspec.structs.replace(
            row,
            consumed=row.consumed + (min(move.reserved, row.remaining) if row.hold_id else ZERO),
            revision=row.revision + 1,
            reduction=Reduction(
                transaction_id=transaction,
                quantity=move.quantity,
                reserved=move.reserved,
                unit_cost=unit,
                currency=consumed.currency if unit is not None else "",
                rate=None if cost is None else cost.rate,
                rate_date=None if cost is None else cost.rate_date,
                at=work.now,
                step=around.step,
                run=around.run_id,
            ),
        )
        record = work.record.with_row(row)
        work.record = record if cost is None else with_cost(record, move.line, cost)
        self._tell(work, inventory, -reserved_change, created=created)
        return Applied(
            move=move,
            inventory_change=inventory_change,
            reserved_change=reserved_change,
            new_inventory=inventory,
            new_reserved=reserved,
            underflow=-reserved_change < move.reserved,
            created=created,
            unit_cost=unit,
            rate_missing=unit is not None and cost is None,
        )

    def _twin(self, work: Working, kind: TransactionType, facts: InventoryTransaction) -> None:
        """The transaction of the virtual stock location; the same goods, so nothing moves twice, without cost (A30, C1)."""
        twin = msgspec.structs.replace(
            facts,
            is_virtual=True,
            physical_warehouse_code=self.address.item.warehouse,
            unit_cost=None,
            unit_cost_currency="",
            exchange_rate=None,
            rate_date=None,
        )
        work.transact(msgspec.structs.replace(self.effect, is_virtual=True), self.address, kind, twin)

    def _tell(self, work: Working, inventory: Decimal, released: Decimal, *, created: bool) -> None:
        item = f"{self.address.item.sku} at {self.address.item.warehouse}"
        if created:
            work.note("InventoryItemCreated", f"{item} had never been stored.", self.move.line)
        if inventory < ZERO:
            work.note("NegativeInventory", f"{item} is at {inventory}.", self.move.line)
        if released < self.move.reserved:
            work.note(
                "ReservedUnderflow",
                f"{item}: the line had {self.move.reserved} reserved, the counter only {released}.",
                self.move.line,
            )


class Repairing(Part):
    """Set the cost of a line that was reduced before, from what its transaction keeps (C7)."""

    def __init__(self, record: OrderRecord, move: RepairCost) -> None:
        self.move = move
        self.row = record.row(move.line)

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:  # noqa: ARG002 - no commands
        """The line's cost is what it was, or is known now."""
        row = work.record.row(self.move.line)
        reduction = None if row is None else row.reduction
        if row is None or reduction is None or reduction.unit_cost is None or work.record.order is None:
            return Applied(move=self.move, already=True)
        cost = repaired(
            reduction.unit_cost,
            reduction.currency,
            reduction.quantity,
            currency_of(work.around, work.record.order),
            rate=reduction.rate,
            rate_date=reduction.rate_date,
            reduced_at=reduction.at,
            rates=work.around.rates,
        )
        if cost is None:
            return Applied(move=self.move, already=True, unit_cost=reduction.unit_cost, rate_missing=True)
        repaired_row = msgspec.structs.replace(
            row, reduction=msgspec.structs.replace(reduction, rate=cost.rate, rate_date=cost.rate_date)
        )
        work.record = with_cost(work.record.with_row(repaired_row), self.move.line, cost)
        return Applied(move=self.move, already=True, unit_cost=reduction.unit_cost)


class Restocking(Part):
    """Raise the inventory by a returned quantity, once for ever for the return and line."""

    def __init__(self, around: Surroundings, identity: Identity, move: Restock, address: Address) -> None:
        self.move = move
        self.address = address
        self.line = LineRef(move.return_id, move.line_item_id)
        self.effect = Effect(
            EffectKind.POS_RETURN, identity.order_id, line_item_id=move.line_item_id, return_id=move.return_id
        )
        self.physical = around.owns_physical(address)
        self.documents = (item_document(address), transaction_key(identity.key, self.effect, around.event, 0))
        self.places = ((address.product, address.place),)
        if self.physical:
            self.commands = (
                ChangeOnHand(
                    **identity.of(address, self.line, "POS_RETURN", None, around.caller),
                    position=address.record,
                    changes=((around.inventory_measure, scaled(move.quantity)),),
                    reason=around.step,
                ),
            )

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:  # noqa: ARG002 - never clamped
        """Write the transaction; the goods come in at the cost that the provider gives them."""
        if work.exists(self.documents[1]):
            return Rejected(
                Reason.STALE_DOCUMENT, "The return was restocked meanwhile; nothing was done twice."
            )
        move, address = self.move, self.address
        before = work.level(address, work.around.inventory_measure)
        change = move.quantity if self.physical else ZERO
        inventory = work.move(address, work.around.inventory_measure, change)
        received = work.around.provider.receive(
            work.item(address), Receipt(quantity=move.quantity, on_hand=before, at=work.now)
        )
        if received.record != work.item(address):
            work.put_item(address, received.record)
        facts = msgspec.structs.replace(
            facts_of(LineRef("", move.line_item_id)), inventory_change=change, return_order_id=move.return_id
        )
        transaction = work.transact(self.effect, address, TransactionType.RETURN, facts)
        done = Restocked(return_id=move.return_id, line_item_id=move.line_item_id, transaction_id=transaction)
        work.record = msgspec.structs.replace(work.record, restocked=(*work.record.restocked, done))
        return Applied(
            move=move,
            inventory_change=change,
            new_inventory=inventory,
            new_reserved=work.level(address, work.around.reserved_measure),
        )


class Reversing(Part):
    """Take a reduction back knowingly (A20); the line stays reduced, a genuine re-shipment is a new shipment."""

    def __init__(
        self, around: Surroundings, identity: Identity, record: OrderRecord, move: Reverse, address: Address
    ) -> None:
        self.move = move
        self.address = address
        self.row = record.row(move.line)
        self.documents = (item_document(address),)
        self.places = ((address.product, address.place),)
        reduction = None if self.row is None else self.row.reduction
        self.quantity = ZERO if reduction is None or reduction.reversed_by else reduction.quantity
        self.physical = around.owns_physical(address)
        if self.quantity and self.physical:
            self.commands = (
                ChangeOnHand(
                    **identity.of(address, move.line, "REVERSE", None, around.caller),
                    position=address.record,
                    changes=((around.inventory_measure, scaled(self.quantity)),),
                    reason=around.step,
                ),
            )

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:  # noqa: ARG002 - never clamped
        """Write the compensating transaction."""
        if self.row is None or self.row.reduction is None or not self.quantity:
            return Applied(move=self.move, already=True)
        before = work.level(self.address, work.around.inventory_measure)
        change = self.quantity if self.physical else ZERO
        inventory = work.move(self.address, work.around.inventory_measure, change)
        received = work.around.provider.receive(
            work.item(self.address), Receipt(quantity=self.quantity, on_hand=before, at=work.now)
        )
        if received.record != work.item(self.address):
            work.put_item(self.address, received.record)
        facts = msgspec.structs.replace(
            facts_of(self.move.line),
            inventory_change=change,
            related_transaction_id=self.row.reduction.transaction_id,
        )
        transaction = work.transact(None, self.address, TransactionType.ADJUSTMENT, facts)
        reduction = msgspec.structs.replace(self.row.reduction, reversed_by=transaction)
        work.record = work.record.with_row(msgspec.structs.replace(self.row, reduction=reduction))
        return Applied(move=self.move, inventory_change=change, new_inventory=inventory)


# Commands and costs ------------------------------------------------------------------------------------------


def _consuming(
    around: Surroundings, identity: Identity, row: LedgerRow, address: Address, move: Reduce
) -> GroupMember:
    """Consume from the line's hold, at most what it has; without a hold from the unattributed balance, down to zero."""
    shared = identity.of(address, move.line, "CONSUME", None, around.caller)
    number = hold_number(row)
    if number is not None:
        return Offset(
            **shared,
            position=position_of(around.rules, row.node),
            measure=around.reserved_measure,
            quantity=scaled(move.reserved),
            hold=number,
            reason=around.step,
        )
    return LowerReserved(
        **shared,
        position=address.node,
        measure=around.reserved_measure,
        quantity=scaled(move.reserved),
        reason=around.step,
    )


def currency_of(around: Surroundings, order: Order) -> str:
    """Currency of the order's costs (A13)."""
    market = around.workflows.settings.market_currencies.get(order.market_id)
    return order_currency(order.billing_currency, market, around.default_currency)


def _priced(work: Working, unit: Decimal, currency: str, quantity: Decimal) -> Priced | None:
    order = work.record.order
    wanted = work.around.default_currency if order is None else currency_of(work.around, order)
    return priced(unit, currency, quantity, wanted, work.around.rates, work.now)


def with_cost(record: OrderRecord, line: LineRef, cost: Priced) -> OrderRecord:
    """The record whose line has this cost, and whose order has the new sum."""
    if record.order is None:
        return record

    def change(_shipment: Shipment, one: OrderLine) -> OrderLine:
        if one.line_item_id != line.line_item_id:
            return one
        return msgspec.structs.replace(one, cost=cost.line.cost, cost_total=cost.line.cost_total)

    order = with_lines(record.order, change, line.shipment_id)
    totals = [one.cost_total for shipment in order.shipments for one in shipment.line_items]
    order = msgspec.structs.replace(order, line_items_cost=order_cost(totals))
    return msgspec.structs.replace(record, order=order)
