"""Commands that change reservations: reserve, reverse, unreserve, offset, release, extend, clean up."""

from __future__ import annotations

from onhand.core import refusals
from onhand.core.availability import Plain
from onhand.core.book import Book, Cause
from onhand.core.commands import (
    ANYONE,
    ClearReserved,
    ExtendHold,
    Kind,
    Offset,
    ReleaseDue,
    ReleaseHold,
    Reserve,
    Reverse,
    TopUpHold,
    Unreserve,
)
from onhand.core.holds import draw, take
from onhand.core.keys import Position
from onhand.core.onhand import LEVEL_MAX, fits
from onhand.core.outcomes import Accepted, Outcome, Rejected, Shortage
from onhand.core.rules import Rules
from onhand.core.snapshot import PositionState


def reserve(book: Book, command: Reserve) -> Outcome:
    """Take a hold; checked: only if all reservations can be met together afterwards (I1)."""
    rules = book.rules
    if rules is None:
        return refusals.no_rules()
    if not rules.reservations_enabled:
        return refusals.disabled()
    quantity = command.quantity
    if quantity <= 0:
        return refusals.not_positive()
    position = command.position
    measure = command.measure
    stand = checked(book, rules, command, position, measure) if command.check else None
    if isinstance(stand, Rejected):
        return stand
    # What is held has a bound of its own: a level that was posted down hides how much of it is held.
    held = book.level(position.key, measure).held + quantity
    if held > LEVEL_MAX or not fits(book, position, ((measure, quantity),)):
        return refusals.out_of_range()
    at = book.enter(position)
    expires_at = _expiry(book, command)
    number = book.holdings.add(command, at, measure, quantity, command.owner, expires_at)
    cause = Cause(Kind.RESERVE, command.id, command.caller)
    book.shift(at, measure, quantity, quantity, cause, number)
    left = 0 if stand is None else stand.available(position.cell)
    return Accepted(left, number, book.product_id, expires_at)


def checked(
    book: Book, rules: Rules, command: Reserve | TopUpHold, node: Position | PositionState, measure: int
) -> Plain | Rejected | None:
    """What a checked command stands on at its node, or why it is refused; None when nothing says what is available."""
    availability = rules.mapped.get(measure)
    if availability is None:
        return refusals.unmapped() if rules.switches.unmapped_check == "fail" else None
    quantity, cell = command.quantity, node.cell
    stand = book.stand(rules, node.place, availability)
    available = stand.available(cell)
    if quantity > available:
        if quantity <= stand.afr(cell) and stand.too_complex():
            return refusals.complex_levels(book, command, (node.key, measure))
        return refusals.short(
            book, command, (node.key, measure), Shortage(quantity, available, stand.limiting(cell))
        )
    return stand


def reverse(book: Book, command: Reverse) -> Outcome:
    """Take back: the unattributed balance, the owner's holds, then below zero unless clamped."""
    if command.check:
        return refusals.negative_with_check(book, command)
    if command.quantity <= 0:
        return refusals.not_positive()
    quantity = command.quantity
    position = command.position
    if book.rules is not None and book.rules.switches.clamp_reserved:
        quantity = min(quantity, max(0, book.level(position.key, command.measure).own))
    if not fits(book, position, ((command.measure, -quantity),)):
        return refusals.out_of_range()
    at = book.enter(position)
    cause = Cause(Kind.REVERSE, command.id, command.caller)
    rest = quantity - draw(book, at, command.measure, command.owner.key, quantity, cause)
    if rest:
        book.shift(at, command.measure, -rest, 0, cause)
    return Accepted(released=quantity, surplus=command.quantity - quantity)


def unreserve(book: Book, command: Unreserve) -> Outcome:
    """Release by the shared reservation id; the surplus is reported."""
    if command.quantity <= 0:
        return refusals.not_positive()
    released = _draw_shared(book, command, Cause(Kind.UNRESERVE, command.id, command.caller))
    if not released and (book.rules is None or book.rules.switches.empty_unreserve == "failure"):
        return refusals.nothing_reserved(book, command)
    return Accepted(released=released, surplus=command.quantity - released)


def offset(book: Book, command: Offset) -> Outcome:
    """Consume a reservation, by hold or by node; at most what remains."""
    if command.quantity <= 0:
        return refusals.not_positive()
    cause = Cause(Kind.OFFSET, command.id, command.caller, command.reason)
    if command.hold is None:
        consumed = _draw_shared(book, command, cause)
        return Accepted(released=consumed, surplus=command.quantity - consumed)
    hold = book.holdings.get(command.hold)
    if hold is None:
        return refusals.unknown_hold(book, command, command.hold)
    if (hold.position, hold.measure) != (command.position.key, command.measure):
        return refusals.other_node(command, hold.position)
    consumed = min(command.quantity, hold.remaining)
    if consumed:
        take(book, hold, consumed, cause)
    return Accepted(released=consumed, surplus=command.quantity - consumed)


def release(book: Book, command: ReleaseHold) -> Outcome:
    """Give a hold back, whole or in part."""
    hold = book.holdings.get(command.hold)
    if hold is None:
        return refusals.unknown_hold(book, command, command.hold)
    where = (hold.position, hold.measure)
    quantity = hold.remaining if command.quantity is None else command.quantity
    if command.at_most:
        quantity = min(quantity, hold.remaining)
    elif not hold.remaining:
        return refusals.hold_closed(book, command, where, command.hold)
    elif quantity <= 0:
        return refusals.not_positive()
    if quantity > hold.remaining:
        return refusals.hold_too_small(book, command, where, quantity, hold.remaining)
    if quantity > 0:
        take(book, hold, quantity, Cause(Kind.RELEASE, command.id, command.caller, command.reason))
    return Accepted(released=max(0, quantity), surplus=max(0, (command.quantity or 0) - quantity))


def extend(book: Book, command: ExtendHold) -> Outcome:
    """Move the expiry of an open hold."""
    hold = book.holdings.get(command.hold)
    if hold is None:
        return refusals.unknown_hold(book, command, command.hold)
    if not hold.remaining:
        return refusals.hold_closed(book, command, (hold.position, hold.measure), command.hold)
    expires_at = _expiry(book, command)
    book.holdings.change(hold, hold.remaining, expires_at, Kind.EXTEND)
    if expires_at is not None and expires_at <= book.batch.now:
        book.holdings.due.append(hold.number)
    return Accepted(expires_at=expires_at)


def release_due(book: Book, _command: ReleaseDue) -> Outcome:
    """Report what lapsed: the due holds are released before any work on the product."""
    return Accepted(released=book.lapsed)


def clear(book: Book, command: ClearReserved) -> Outcome:
    """Take the measures to zero everywhere and close their holds."""
    cause = Cause(Kind.CLEAR, command.id, command.caller, command.reason)
    cleared = 0
    for at, measure, level in book.levels():
        if measure in command.measures and (level.own or level.held):
            cleared += level.own
            book.shift(at, measure, -level.own, -level.held, cause)
    for number in book.holdings.numbers():
        hold = book.holdings.get(number)
        if hold is not None and hold.remaining and hold.measure in command.measures:
            book.holdings.change(hold, 0, hold.expires_at, Kind.CLEAR)
    return Accepted(released=cleared)


def _draw_shared(book: Book, command: Unreserve | Offset, cause: Cause) -> int:
    """Draw from the pool that belongs to nobody, never below zero; how much it was."""
    at = book.position(command.position.key)
    if at is None:
        return 0
    reserved = book.level(at.key, command.measure).own
    if reserved <= 0:
        return 0
    return draw(book, at, command.measure, ANYONE.key, min(command.quantity, reserved), cause)


def _expiry(book: Book, command: Reserve | ExtendHold) -> int | None:
    """When the hold lapses: the given moment, or a life from now, or never."""
    if command.expires_at is not None or command.lives_us is None:
        return command.expires_at
    return book.batch.now + command.lives_us
