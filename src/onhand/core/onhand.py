"""Commands that change physical quantities: change, set, wipe."""

from __future__ import annotations

from collections.abc import Iterable

from onhand.core import refusals
from onhand.core.book import Book, Cause
from onhand.core.commands import ChangeOnHand, Kind, SetOnHand, Wipe
from onhand.core.keys import Position
from onhand.core.outcomes import Accepted, Outcome
from onhand.core.snapshot import PositionState

LEVEL_MAX = 1 << 62
"""Largest size of a level, of what is held and of what is not, scaled; half of what a column holds, so that a sum of
two never overflows it."""


def change(book: Book, command: ChangeOnHand) -> Outcome:
    """Add each delta; a change of a reserved measure goes to its unattributed balance."""
    position = command.position
    if not fits(book, position, command.changes):
        return refusals.out_of_range()
    at = book.enter(position)
    cause = Cause(command.kind, command.id, command.caller, command.reason)
    for measure, delta in command.changes:
        book.shift(at, measure, delta, 0, cause)
    return Accepted()


def assign(book: Book, command: SetOnHand) -> Outcome:
    """Assign each value; older than the stored time changes nothing."""
    position = command.position
    known = book.position(position.key)
    time = command.modified_at
    stored = None if known is None else book.set_at(known)
    stale = time is not None and stored is not None and time < stored
    if stale and (book.rules is None or book.rules.switches.set_on_hand_stale == "ignore"):
        return Accepted(stale=True)
    # A measure named twice: the last value counts.
    deltas = [
        (measure, value - book.level(position.key, measure).own)
        for measure, value in dict(command.values).items()
    ]
    if not fits(book, position, deltas):
        return refusals.out_of_range()
    at = book.enter(position)
    cause = Cause(Kind.SET, command.id, command.caller, command.reason)
    for measure, delta in deltas:
        book.shift(at, measure, delta, 0, cause)
    if time is not None and not stale:
        book.note_set(at, time)
    return Accepted()


def wipe(book: Book, command: Wipe) -> Outcome:
    """Take every level of the place to zero, close its holds, and forget rows and command ids."""
    cause = Cause(Kind.WIPE, command.id, command.caller, command.reason)
    wiped = 0
    for at, measure, level in book.levels():
        if at.place == command.place and (level.own or level.held):
            wiped += abs(level.own)
            book.shift(at, measure, -level.own, -level.held, cause)
    for number in book.holdings.numbers():
        hold = book.holdings.get(number)
        at_hold = book.position(hold.position) if hold is not None else None
        if hold is not None and hold.remaining and at_hold is not None and at_hold.place == command.place:
            book.holdings.change(hold, 0, hold.expires_at, Kind.WIPE)
    book.wipe(command.place)
    return Accepted(released=wiped)


def fits(book: Book, position: Position | PositionState, deltas: Iterable[tuple[int, int]]) -> bool:
    """Whether all levels stay in range.

    The unattributed balance is bounded too, so that no release of holds can leave the range later.
    """
    for measure, delta in deltas:
        level = book.level(position.key, measure)
        own = level.own + delta
        if not (-LEVEL_MAX <= own <= LEVEL_MAX and -LEVEL_MAX <= own - level.held <= LEVEL_MAX):
            return False
        if position.cell != position.key:
            finer = book.level(position.cell, measure).finer + delta
            if not -LEVEL_MAX <= finer <= LEVEL_MAX:
                return False
    return True
