"""Moves of reservations: reserve, release, relocate, split, adopt (order specification 3.5, decisions 27).

A line has one hold, topped up and never replaced, until its goods move to another warehouse. What a line without a row
gives back comes from the unattributed balance, never from a hold of somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import cast

import msgspec

from onhand.core.commands import (
    AttachHold,
    GroupMember,
    LowerReserved,
    Owner,
    ReleaseHold,
    TopUpHold,
    Unreserve,
)
from onhand.core.commands import Reserve as ReserveCommand
from onhand.core.keys import Position, hold_id, parse_hold_id, reservation_id
from onhand.core.orders import ledger
from onhand.core.orders.addresses import Address, position_of
from onhand.core.orders.identity import Identity
from onhand.core.orders.model import OrderLine
from onhand.core.orders.moves import (
    Adopt,
    Applied,
    ItemRef,
    LineRef,
    Release,
    Relocate,
    Reserve,
    SplitRow,
    TransactionType,
)
from onhand.core.orders.numbers import scaled, unscaled
from onhand.core.orders.part import Part
from onhand.core.orders.record import LedgerRow, OrderRecord
from onhand.core.orders.working import Surroundings, Working, facts_of
from onhand.core.outcomes import Accepted, Outcome, Reason, Rejected, Replayed

ZERO = Decimal(0)


def accepted(outcome: Outcome) -> Accepted:
    """The effect of a command that was not refused, now or earlier."""
    return outcome.original if isinstance(outcome, Replayed) else cast("Accepted", outcome)


def hold_number(row: LedgerRow) -> int | None:
    """Number of the row's hold within its product."""
    parsed = parse_hold_id(row.hold_id)
    return None if parsed is None else parsed[2]


class Reserving(Part):
    """Raise what a line has reserved."""

    def __init__(
        self, around: Surroundings, identity: Identity, record: OrderRecord, move: Reserve, address: Address
    ) -> None:
        self.move = move
        self.address = address
        self.row = _homed(record.row(move.line) or ledger.new_row(move.line, move.item, address), move.item)
        command = taking(around, identity, self.row, address, move.line, move.quantity, check=move.check)
        self.commands = (command,)
        self.places = ((address.product, address.place),)

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:
        """The row has more, and the line shows it."""
        row = _homed(work.record.row(self.move.line) or self.row, self.move.item)
        row = ledger.raised(held(work, row, self.address, accepted(outcomes[0])), self.move.quantity)
        work.record = ledger.mirrored(work.record.with_row(row), self.move.line)
        return _moved(
            work, self.move, self.address, self.move.line, self.move.quantity, TransactionType.RESERVE
        )


class FurtherReserving(Part):
    """A reservation of a line that is relocated in the same unit: the hold at the new item is made for both."""

    def __init__(self, move: Reserve, address: Address) -> None:
        self.move = move
        self.address = address
        self.places = ((address.product, address.place),)

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:  # noqa: ARG002 - no commands
        """The row has more, and the line shows it."""
        row = work.record.row(self.move.line)
        if row is None:
            return Applied(move=self.move, already=True)
        row = ledger.raised(row, self.move.quantity)
        work.record = ledger.mirrored(work.record.with_row(row), self.move.line)
        return _moved(
            work, self.move, self.address, self.move.line, self.move.quantity, TransactionType.RESERVE
        )


def _homed(row: LedgerRow, item: ItemRef) -> LedgerRow:
    """The row at this item; one with nothing left elsewhere gets a new hold here."""
    if ledger.item_of(row) == item or row.remaining:
        return row
    return msgspec.structs.replace(_at(row, item), hold_id="")


class Releasing(Part):
    """Give back what a line has reserved."""

    def __init__(
        self, around: Surroundings, identity: Identity, record: OrderRecord, move: Release, address: Address
    ) -> None:
        self.move = move
        self.address = address
        self.row = record.row(move.line)
        self.commands = (giving_back(around, identity, self.row, address, move.line, move.quantity),)
        self.places = ((address.product, address.place),)

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:
        """The row, or without one the line, has less."""
        move = self.move
        if self.row is not None and self.row.hold_id:
            lowered = ledger.lowered(self.row, move.quantity, canceled=move.canceled)
            work.record = ledger.mirrored(work.record.with_row(lowered), move.line)
        elif work.record.order is not None:
            line = _line(work.record, move.line)
            left = max(ZERO, line.reserved_inventory_quantity - move.quantity) if line is not None else ZERO
            order = ledger.flagged(work.record.order, move.line, left)
            row = self.row or ledger.new_row(move.line, move.item, self.address)  # a second run finds it
            work.record = msgspec.structs.replace(work.record, order=order).with_row(row)
        released = unscaled(accepted(outcomes[0]).released)
        if released < move.quantity:
            work.note(
                "ReservedUnderflow",
                f"{move.quantity} should be given back, {released} was reserved.",
                move.line,
            )
        return _moved(work, move, self.address, move.line, -released, TransactionType.UNRESERVE)


class Relocating(Part):
    """Move what a line still has reserved to another item, in one transaction (D26).

    With `split` only a part of another row goes there, and makes the row of its new line.
    """

    def __init__(  # noqa: PLR0913 - both ends
        self,
        around: Surroundings,
        identity: Identity,
        record: OrderRecord,
        move: Relocate,
        source: Address,
        target: Address,
        split: SplitRow | None,
        further: Decimal = ZERO,
    ) -> None:
        """`further` is reserved beyond what is moved (`FurtherReserving`)."""
        self.move = move
        self.source = source
        self.target = target
        self.split = split
        self.row = record.row(move.line if split is None else split.line)
        left = self.row.remaining if self.row is not None else ZERO
        self.quantity = left if split is None else min(split.quantity, left)
        self.places = ((source.product, source.place), (target.product, target.place))
        if self.row is not None and self.quantity:
            given = giving_back(around, identity, self.row, source, self.row.line, self.quantity)
            revision = self.row.revision + 1 if split is None else 0  # a row that is made begins to count
            fresh = msgspec.structs.replace(self.row, hold_id="", revision=revision)
            quantity = self.quantity + further
            taken = taking(around, identity, fresh, target, move.line, quantity, check=move.check)
            self.commands = (given, taken)

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:
        """The row follows its line, with a hold at the new item."""
        move, row = self.move, self.row
        if row is None:
            return Applied(move=move, already=True)
        if self.split is None:
            there = _at(row, move.target)
        else:
            work.record = work.record.with_row(ledger.handed_over(row, self.quantity))
            work.record = ledger.mirrored(work.record, row.line)
            there = ledger.raised(ledger.new_row(move.line, move.target, self.target), self.quantity)
        if not outcomes:
            work.record = work.record.with_row(there)
            return Applied(move=move, already=True)
        there = held(work, msgspec.structs.replace(there, hold_id=""), self.target, accepted(outcomes[1]))
        work.record = ledger.mirrored(work.record.with_row(there), move.line)
        released = unscaled(accepted(outcomes[0]).released)
        _moved(work, move, self.source, move.line, -released, TransactionType.TRANSFER)
        return _moved(work, move, self.target, move.line, self.quantity, TransactionType.TRANSFER)


def _at(row: LedgerRow, item: ItemRef) -> LedgerRow:
    return msgspec.structs.replace(
        row,
        sku=item.sku,
        warehouse=item.warehouse,
        virtual=item.virtual,
        dimensions=item.dimensions,
        revision=row.revision + 2,
    )


class Splitting(Part):
    """A part of a line goes to another shipment and takes its share of the reservation along (D26)."""

    def __init__(
        self, around: Surroundings, identity: Identity, record: OrderRecord, move: SplitRow, address: Address
    ) -> None:
        self.move = move
        self.address = address
        self.row = record.row(move.line)
        self.target = record.row(move.target) or ledger.new_row(move.target, address.item, address)
        self.quantity = ZERO if self.row is None else min(move.quantity, self.row.remaining)
        self.commands = ()
        if self.row is not None and ZERO < self.quantity < self.row.remaining:
            number = hold_number(self.row)
            if number is not None:
                self.commands = (
                    AttachHold(
                        **identity.of(address, move.line, "SPLIT", self.row.revision, around.caller),
                        hold=number,
                        owner=Owner(order=identity.order_id),
                        quantity=scaled(self.quantity),
                    ),
                )

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:
        """Both rows have their part; the sum does not change."""
        if self.row is None or not self.quantity:
            return Applied(move=self.move)
        target = msgspec.structs.replace(
            self.target, node=self.row.node, reservation_id=self.row.reservation_id
        )
        if outcomes:
            target = held(work, target, self.address, accepted(outcomes[0]))
            kept = ledger.handed_over(self.row, self.quantity)
        else:
            target = msgspec.structs.replace(target, hold_id=self.row.hold_id)
            kept = msgspec.structs.replace(ledger.handed_over(self.row, self.quantity), hold_id="")
        record = work.record.with_row(kept).with_row(ledger.raised(target, self.quantity))
        work.record = ledger.mirrored(ledger.mirrored(record, self.move.line), self.move.target)
        return Applied(move=self.move)


class Adopting(Part):
    """Make a reservation of the reservation API the line's own (A38, decisions 27)."""

    def __init__(
        self, around: Surroundings, identity: Identity, record: OrderRecord, move: Adopt, address: Address
    ) -> None:
        self.move = move
        self.address = address
        self.measure = around.reserved_measure
        self.row = record.row(move.line) or ledger.new_row(move.line, move.item, address)
        owner = Owner(order=identity.order_id)
        parsed = parse_hold_id(move.hold_id)
        self.places = ((address.product, address.place),)
        if parsed is not None:
            self.commands = (
                AttachHold(
                    **identity.of(address, move.line, "ADOPT", self.row.revision, around.caller),
                    hold=parsed[2],
                    owner=owner,
                    quantity=scaled(move.quantity),
                ),
            )
            return
        node = address.node
        self.commands = (
            Unreserve(
                **identity.of(address, move.line, "ADOPT-FROM", self.row.revision, around.caller),
                position=node,
                measure=self.measure,
                quantity=scaled(move.quantity),
                reservation_id=move.reservation_id,
            ),
            ReserveCommand(
                **identity.of(address, move.line, "ADOPT", self.row.revision, around.caller),
                position=node,
                measure=self.measure,
                quantity=scaled(move.quantity),
                check=False,
                owner=owner,
            ),
        )

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:
        """The row counts it as reserved; the counter does not change."""
        first = accepted(outcomes[0])
        if first.released != scaled(self.move.quantity):
            return Rejected(
                Reason.RESERVATION_MISMATCH,
                "Less is reserved under this id by now.",
                available=first.released,
            )
        row = held(work, self.row, self.address, accepted(outcomes[-1]))
        work.record = ledger.mirrored(
            work.record.with_row(ledger.raised(row, self.move.quantity)), self.move.line
        )
        return Applied(move=self.move)


# Commands ----------------------------------------------------------------------------------------------------


def taking(  # noqa: PLR0913 - what, where, for whom
    around: Surroundings,
    identity: Identity,
    row: LedgerRow,
    address: Address,
    line: LineRef,
    quantity: Decimal,
    *,
    check: bool,
) -> GroupMember:
    """Top the row's hold up, or make one."""
    shared = identity.of(address, line, "RESERVE", row.revision, around.caller)
    number = hold_number(row)
    if number is not None:
        return TopUpHold(**shared, hold=number, quantity=scaled(quantity), check=check)
    return ReserveCommand(
        **shared,
        position=address.node,
        measure=around.reserved_measure,
        quantity=scaled(quantity),
        check=check,
        owner=Owner(order=identity.order_id),
    )


def giving_back(  # noqa: PLR0913 - what, where, for whom
    around: Surroundings,
    identity: Identity,
    row: LedgerRow | None,
    address: Address,
    line: LineRef,
    quantity: Decimal,
) -> GroupMember:
    """Release from the row's hold, at most what it still has; without a hold from the unattributed balance."""
    number = None if row is None else hold_number(row)
    shared = identity.of(address, line, "RELEASE", 0 if row is None else row.revision, around.caller)
    if number is not None:
        return ReleaseHold(**shared, hold=number, quantity=scaled(quantity), at_most=True, reason=around.step)
    return LowerReserved(
        **shared,
        position=address.node,
        measure=around.reserved_measure,
        quantity=scaled(quantity),
        unattributed=True,
        reason=around.step,
    )


def held(work: Working, row: LedgerRow, address: Address, outcome: Accepted) -> LedgerRow:
    """The row with the hold that a command made or attached for it."""
    if outcome.hold is None or row.hold_id or outcome.product_id is None:
        return row
    around = work.around
    made = work.concluded.hold(address.product, outcome.hold)
    node: Position = address.node if made is None else position_of(around.rules, made.position)
    return msgspec.structs.replace(
        row,
        hold_id=hold_id(address.product.k, outcome.product_id, outcome.hold),
        node=node.key,
        reservation_id=reservation_id(address.product, node.key, around.rules.names[around.reserved_measure]),
    )


def _moved(  # noqa: PLR0913 - the columns of a transaction
    work: Working,
    move: Reserve | Release | Relocate,
    address: Address,
    line: LineRef,
    change: Decimal,
    kind: TransactionType,
) -> Applied:
    if not change:
        return Applied(move=move)
    reserved = work.move(address, work.around.reserved_measure, change)
    facts = msgspec.structs.replace(facts_of(line), reserved_inventory_change=change)
    work.transact(None, address, kind, facts)
    inventory = work.level(address, work.around.inventory_measure)
    return Applied(move=move, reserved_change=change, new_inventory=inventory, new_reserved=reserved)


def _line(record: OrderRecord, ref: LineRef) -> OrderLine | None:
    order = record.order
    shipment = None if order is None else order.shipment(ref.shipment_id)
    if shipment is None:
        return None
    return next((one for one in shipment.line_items if one.line_item_id == ref.line_item_id), None)
