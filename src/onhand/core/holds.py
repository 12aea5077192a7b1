"""Which hold shrinks (decisions 6 and 7).

What is reserved at a node is the sum of its open holds and one signed unattributed balance. A release that names
no hold takes the unattributed balance first, then holds of exactly its own owner, oldest first; nobody's else.
"""

from __future__ import annotations

from onhand.core.book import Book, Cause
from onhand.core.commands import Kind
from onhand.core.holdings import Hold
from onhand.core.snapshot import PositionState

EXPIRY_CALLER = "onhand"
"""Caller of the movements that release expired holds; their command id is `expire~<number of the hold>`."""


def lapse(book: Book) -> None:
    """Release the holds that are due; they do not count from the moment they expire (decisions 8)."""
    due, book.holdings.due = sorted(book.holdings.due), []
    for number in due:
        hold = book.holdings.get(number)
        if hold is None or not hold.remaining or hold.expires_at is None or hold.expires_at > book.batch.now:
            continue
        book.lapsed += hold.remaining
        take(book, hold, hold.remaining, Cause(Kind.EXPIRE, f"expire~{number}", EXPIRY_CALLER))


def take(book: Book, hold: Hold, quantity: int, cause: Cause) -> None:
    """Take a quantity from one hold, at most what remains of it."""
    book.holdings.change(hold, hold.remaining - quantity, hold.expires_at, cause.kind)
    at = book.position(hold.position)
    if at is not None:
        book.shift(at, hold.measure, -quantity, -quantity, cause, hold.number)


def draw(  # noqa: PLR0913 - where, whose, how much, why
    book: Book, at: PositionState, measure: int, owner: str, quantity: int, cause: Cause
) -> int:
    """Take up to `quantity` from the unattributed balance, then from the owner's holds; how much it was."""
    level = book.level(at.key, measure)
    left = quantity
    spare = min(left, level.own - level.held)
    if spare > 0:
        book.shift(at, measure, -spare, 0, cause)
        left -= spare
    if not left:
        return quantity
    for hold in book.holdings.oldest(at.key, measure, owner):
        part = min(left, hold.remaining)
        take(book, hold, part, cause)
        left -= part
        if not left:
            break
    return quantity - left
