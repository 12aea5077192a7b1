"""Marks on the holds of an order that is no longer open, or open again (decisions 28).

A recalculation sums the holds of a product under its lock and never reads orders; the mark on the hold tells it whether
the order still counts. It changes in the group that changes the status.
"""

from __future__ import annotations

from onhand.core.commands import GroupMember, MarkHold
from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.applying import Stored
from onhand.core.orders.identity import Identity
from onhand.core.orders.ledger import item_of
from onhand.core.orders.reserving import hold_number
from onhand.core.orders.working import Surroundings


def marks(stored: Stored, around: Surroundings, *, is_open: bool) -> tuple[GroupMember, ...]:
    """A mark for each open hold of the order, when it has another one."""
    record = stored.record
    if record.counted == is_open:
        return ()
    identity = Identity(stored.key)
    commands = []
    for row in record.rows:
        number = hold_number(row)
        address = resolve(around.rules, around.workflows, item_of(row))
        if number is None or not row.remaining or not isinstance(address, Address):
            continue
        shared = identity.of(address, row.line, "MARK", record.revision, around.caller)
        commands.append(MarkHold(**shared, hold=number, counted=is_open))
    return tuple(commands)
