"""Commands on the holds of orders: top up, attach, mark, lower and settle what is reserved (decisions 27 and 28)."""

from __future__ import annotations

from onhand.core import refusals
from onhand.core.book import Book, Cause
from onhand.core.commands import (
    AttachHold,
    Kind,
    LowerReserved,
    MarkHold,
    Owner,
    SettleReserved,
    TopUpHold,
)
from onhand.core.holds import take
from onhand.core.onhand import LEVEL_MAX, fits
from onhand.core.outcomes import Accepted, Outcome, Rejected
from onhand.core.reservations import checked


def top_up(book: Book, command: TopUpHold) -> Outcome:  # noqa: PLR0911 - one line a refusal
    """Add to a hold, and open it again if it was closed."""
    rules = book.rules
    if rules is None:
        return refusals.no_rules()
    if not rules.reservations_enabled:
        return refusals.disabled()
    quantity = command.quantity
    if quantity <= 0:
        return refusals.not_positive()
    hold = book.holdings.get(command.hold)
    at = None if hold is None else book.position(hold.position)
    if hold is None or at is None:
        return refusals.unknown_hold(book, command, command.hold)
    measure = hold.measure
    expires_at = None if Owner.of(hold.owner).order else hold.expires_at
    if expires_at is not None and expires_at <= book.batch.now:
        return refusals.hold_closed(book, command, (hold.position, measure), hold.number)
    stand = checked(book, rules, command, at, measure) if command.check else None
    if isinstance(stand, Rejected):
        return stand
    held = max(book.level(at.key, measure).held, hold.quantity) + quantity
    if held > LEVEL_MAX or not fits(book, at, ((measure, quantity),)):
        return refusals.out_of_range()
    # A mark on what was given back says nothing of what is taken now.
    counted = hold.counted or not hold.remaining
    book.holdings.change_terms(hold, quantity=hold.quantity + quantity, owner=hold.owner, counted=counted)
    book.holdings.change(hold, hold.remaining + quantity, expires_at, Kind.TOP_UP)
    book.shift(at, measure, quantity, quantity, Cause(Kind.TOP_UP, command.id, command.caller), hold.number)
    left = 0 if stand is None else stand.available(at.cell)
    return Accepted(left, hold.number, book.product_id, expires_at)


def attach(book: Book, command: AttachHold) -> Outcome:  # noqa: PLR0911 - one line a refusal
    """Give a hold, or a part that is split off, to an order line; no level changes."""
    if not command.owner.order:
        return refusals.no_order()
    hold = book.holdings.get(command.hold)
    at = None if hold is None else book.position(hold.position)
    if hold is None or at is None:
        return refusals.unknown_hold(book, command, command.hold)
    where = (hold.position, hold.measure)
    known = Owner.of(hold.owner)
    if known.order not in {"", command.owner.order}:
        return refusals.other_order(book, command, where, known.order)
    if not hold.remaining:
        return refusals.hold_closed(book, command, where, hold.number)
    quantity = hold.remaining if command.quantity is None else command.quantity
    if quantity <= 0:
        return refusals.not_positive()
    if quantity > hold.remaining:
        return refusals.hold_too_small(book, command, where, quantity, hold.remaining)
    owner = Owner(
        command.owner.reference or known.reference,
        command.owner.channel or known.channel,
        command.owner.order,
    )
    if quantity == hold.remaining:
        book.holdings.change_terms(hold, quantity=hold.quantity, owner=owner.key, counted=hold.counted)
        book.holdings.change(hold, hold.remaining, None, Kind.ATTACH)
        return Accepted(hold=hold.number, product_id=book.product_id, released=hold.remaining)
    book.holdings.change(hold, hold.remaining - quantity, hold.expires_at, Kind.ATTACH)
    number = book.holdings.add(command, at, hold.measure, quantity, owner, None)
    return Accepted(hold=number, product_id=book.product_id, released=quantity)


def mark(book: Book, command: MarkHold) -> Outcome:
    """Note whether the order of a hold is open; no level changes."""
    hold = book.holdings.get(command.hold)
    if hold is None:
        return refusals.unknown_hold(book, command, command.hold)
    book.holdings.change_terms(hold, quantity=hold.quantity, owner=hold.owner, counted=command.counted)
    return Accepted(hold=hold.number, product_id=book.product_id)


def lower(book: Book, command: LowerReserved) -> Outcome:
    """Take from the unattributed balance, which may go below zero, but not what is reserved."""
    if command.quantity <= 0:
        return refusals.not_positive()
    key, measure = command.position.key, command.measure
    level = book.level(key, measure)
    applied = min(command.quantity, max(0, level.own - level.held if command.unattributed else level.own))
    at = book.position(key)
    if applied and at is not None:
        if not fits(book, at, ((measure, -applied),)):
            return refusals.out_of_range()
        cause = Cause(Kind.LOWER, command.id, command.caller, command.reason)
        book.shift(at, measure, -applied, 0, cause)
    return Accepted(released=applied, surplus=command.quantity - applied)


def settle(book: Book, command: SettleReserved) -> Outcome:
    """Close the holds of orders that are not open, then take every unattributed balance to zero."""
    cause = Cause(Kind.SETTLE, command.id, command.caller, command.reason)
    settled = 0
    for number in book.holdings.numbers():
        hold = book.holdings.get(number)
        if hold is None or not hold.remaining or hold.measure not in command.measures:
            continue
        if not hold.counted and Owner.of(hold.owner).order:
            settled += hold.remaining
            take(book, hold, hold.remaining, cause)
    for at, measure, level in book.levels():
        spare = level.own - level.held
        if measure in command.measures and spare:
            settled += spare
            book.shift(at, measure, -spare, 0, cause)
    return Accepted(released=settled)
