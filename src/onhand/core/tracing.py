"""Where an accepted command that changed no quantity is entered into the ledger.

The id of such a command must be forgotten with its place as well (specification 2.4): a count that confirmed the level
before a wipe has to count again after it. The service's own commands (expiry, clean-up, wipe) never repeat an id and
leave no trace; nor does a recalculation, which speaks of no place.
"""

from __future__ import annotations

from onhand.core.book import Book, Cause
from onhand.core.commands import (
    AnyCommand,
    AttachHold,
    ChangeOnHand,
    ExtendHold,
    LowerReserved,
    MarkHold,
    Offset,
    ReleaseHold,
    Reserve,
    Reverse,
    SetOnHand,
    Unreserve,
)


def trace(book: Book, command: AnyCommand) -> None:
    """Enter a movement of zero where the command would have moved something, if that is known."""
    hold: int | None = None
    match command:
        case ChangeOnHand(position=position, changes=[(measure, _), *_]):
            where = position.key
        case SetOnHand(position=position, values=[(measure, _), *_]):
            where = position.key
        case Reserve() | Reverse() | Unreserve() | Offset() | LowerReserved():
            where, measure = command.position.key, command.measure
        case ReleaseHold(hold=hold) | ExtendHold(hold=hold) | AttachHold(hold=hold) | MarkHold(hold=hold):
            stored = book.holdings.get(hold)
            if stored is None:
                return
            where, measure = stored.position, stored.measure
        case _:
            return
    at = book.position(where)
    if at is not None:
        book.trace(at, measure, Cause(command.kind, command.id, command.caller), hold)
