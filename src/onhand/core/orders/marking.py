"""Marks on the holds of an order that is no longer open, or open again (decisions 28).

A recalculation sums the holds of a product under its lock and never reads orders; the mark on the hold tells it whether
the order still counts. It changes in the group that changes the status. A recalculation closes the holds of orders that do not
count; their rows follow when the order is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence

from onhand.core.commands import DocumentKey, GroupMember, MarkHold
from onhand.core.concluding import Concluded
from onhand.core.keys import parse_hold_id
from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.identity import Identity
from onhand.core.orders.ledger import item_of, lowered, mirrored
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.reserving import hold_number
from onhand.core.orders.working import Surroundings


def marks(
    key: DocumentKey, record: OrderRecord, around: Surroundings, *, is_open: bool
) -> tuple[GroupMember, ...]:
    """A mark for each open hold of the order, when it has another one."""
    if record.counted == is_open:
        return ()
    identity = Identity(key)
    commands = []
    for row in record.rows:
        number = hold_number(row)
        address = resolve(around.rules, around.workflows, item_of(row))
        if number is None or not row.remaining or not isinstance(address, Address):
            continue
        shared = identity.of(address, row.line, "MARK", record.revision, around.caller)
        commands.append(MarkHold(**shared, hold=number, counted=is_open))
    return tuple(commands)


def followed(record: OrderRecord, commands: Sequence[GroupMember], concluded: Concluded) -> OrderRecord:
    """The record whose rows have no more than their marked holds: what a recalculation closed was given back."""
    for command in commands:
        if not isinstance(command, MarkHold):
            continue
        hold = concluded.hold(command.product, command.hold)
        for row in record.rows:
            parsed = parse_hold_id(row.hold_id)
            if hold is None or parsed is None or (parsed[0], parsed[2]) != (command.product.k, command.hold):
                continue
            lost = row.remaining - unscaled(hold.remaining)
            if lost > 0:
                record = mirrored(record.with_row(lowered(row, lost)), row.line)
    return record
