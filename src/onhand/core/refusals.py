"""Refusals in words: each says what, why and what to do next; those that turn on numbers are also recorded.

A recorded refusal (decisions 14) is a fact of the batch: a group that is taken back keeps it.
"""

from __future__ import annotations

from onhand.core.book import Book
from onhand.core.commands import (
    AnyCommand,
    AttachHold,
    Offset,
    ReleaseHold,
    Reserve,
    Reverse,
    TopUpHold,
    Unreserve,
)
from onhand.core.dimensions import OUTPUT
from onhand.core.keys import decode
from onhand.core.outcomes import Reason, Rejected, Shortage
from onhand.core.snapshot import Refusal

SCALE = 1_000_000
"""Scaled units in one unit."""


def shown(quantity: int) -> str:
    """A scaled quantity as people write it."""
    whole, rest = divmod(abs(quantity), SCALE)
    sign = "-" if quantity < 0 else ""
    return f"{sign}{whole}" if not rest else f"{sign}{whole}.{rest:06d}".rstrip("0")


def record(
    book: Book, command: AnyCommand, at: tuple[str, int], seen: tuple[int, int], rejected: Rejected
) -> Rejected:
    """Note a refusal with its numbers: `at` is (position, measure), `seen` is (requested, available)."""
    channel = command.owner.channel if isinstance(command, Reserve | Reverse | AttachHold) else ""
    nodes = rejected.shortage.nodes if rejected.shortage is not None else ()
    book.batch.decision.refusals.append(
        Refusal(
            command.product,
            command.kind,
            command.id,
            command.caller,
            channel,
            *at,
            *seen,
            rejected.reason,
            nodes,
        )
    )
    return rejected


def short(book: Book, command: Reserve | TopUpHold, at: tuple[str, int], shortage: Shortage) -> Rejected:
    """Too little is available."""
    levels = " and ".join(_spoken(node) for node in shortage.nodes)
    message = (
        f"Only {shown(max(0, shortage.available))} of {shown(shortage.requested)} can be reserved: stock is short at "
        f"{levels}. Reserve less, or wait for stock or a release."
    )
    rejected = Rejected(Reason.SHORTAGE, message, shortage.available, shortage)
    return record(book, command, at, (shortage.requested, shortage.available), rejected)


def _spoken(node: str) -> str:
    """A node's key for people."""
    return ", ".join(f"{OUTPUT[name]} {value}" for name, value in decode(node)) or "the whole product"


def complex_levels(book: Book, command: Reserve | TopUpHold, at: tuple[str, int]) -> Rejected:
    """Reservations cross on more cells than the bound allows."""
    message = (
        "The reservations of this product name dimensions that cross on more cells or levels than a check may look "
        "at. Use nested levels (strictReservationHierarchy), or clean up historical reservations."
    )
    rejected = Rejected(Reason.TOO_COMPLEX, message)
    return record(book, command, at, (command.quantity, 0), rejected)


def negative_with_check(book: Book, command: Reverse) -> Rejected:
    """A negative reservation asked for a check."""
    message = (
        "A negative quantity takes a reservation back and cannot be checked for availability. Send "
        "ifCheckAvailForReserv=false with it, or unreserve."
    )
    rejected = Rejected(Reason.NEGATIVE_WITH_CHECK, message)
    at = (command.position.key, command.measure)
    return record(book, command, at, (-command.quantity, 0), rejected)


def nothing_reserved(book: Book, command: Unreserve) -> Rejected:
    """There is nothing that this unreserve may release."""
    message = (
        f"Nothing is left to release at {command.position.key or 'the whole product'}. Holds that belong to a "
        "reference, channel or order are released by their hold id."
    )
    rejected = Rejected(Reason.NOTHING_RESERVED, message, surplus=command.quantity)
    at = (command.position.key, command.measure)
    return record(book, command, at, (command.quantity, 0), rejected)


def unknown_hold(book: Book, command: AnyCommand, number: int) -> Rejected:
    """There is no such hold."""
    message = f"The product has no hold number {number}. Check the hold id."
    return record(book, command, ("", 0), (0, 0), Rejected(Reason.UNKNOWN_HOLD, message))


def hold_closed(book: Book, command: AnyCommand, at: tuple[str, int], number: int) -> Rejected:
    """The hold is used up, released or expired."""
    message = (
        f"Hold number {number} is closed: used up, released or expired. Reserve again if stock is needed."
    )
    return record(book, command, at, (0, 0), Rejected(Reason.HOLD_CLOSED, message))


def hold_too_small(
    book: Book, command: ReleaseHold | AttachHold, at: tuple[str, int], asked: int, left: int
) -> Rejected:
    """More was to be released than the hold has left."""
    message = (
        f"Hold number {command.hold} has {shown(left)} left, not {shown(asked)}. Name at most what is left, or nothing "
        "for all of it."
    )
    return record(book, command, at, (asked, left), Rejected(Reason.HOLD_TOO_SMALL, message, left))


def other_order(book: Book, command: AttachHold, at: tuple[str, int], order: str) -> Rejected:
    """The hold is attached to another order line."""
    message = f"Hold number {command.hold} belongs to order {order[:100]!r} already. Reserve for this order line instead."
    return record(book, command, at, (0, 0), Rejected(Reason.HOLD_OF_ANOTHER_ORDER, message))


def no_order() -> Rejected:
    """A hold can only be attached to an order line."""
    return Rejected(Reason.INVALID_VALUE, "The owner names no order line to attach the reservation to.")


def other_node(command: Offset, position: str) -> Rejected:
    """The hold is for something else than the offset names."""
    message = (
        f"The hold reserves {position or 'the whole product'}, the offset names "
        f"{command.position.key or 'the whole product'}, or another measure. Offset what was reserved."
    )
    return Rejected(Reason.RESERVATION_MISMATCH, message, surplus=command.quantity)


def unmapped() -> Rejected:
    """The measure has no availability to check against."""
    message = (
        "The measure has no reservation mapping, so availability cannot be checked. Map it in the configuration, "
        "or reserve without the check."
    )
    return Rejected(Reason.NO_RESERVATION_MAPPING, message)


def disabled() -> Rejected:
    """The environment takes no reservations."""
    return Rejected(
        Reason.RESERVATIONS_DISABLED,
        "Reservations are switched off in this environment. Set isReservEnabled in the configuration.",
    )


def no_rules() -> Rejected:
    """The batch was given no rules for the environment."""
    return Rejected(Reason.INVALID_VALUE, "The environment has no configuration. Create or restore it.")


def not_positive() -> Rejected:
    """A quantity that must be above zero is not."""
    return Rejected(Reason.INVALID_QUANTITY, "The quantity must be above zero.")


def out_of_range() -> Rejected:
    """A level would leave the range that can be stored."""
    return Rejected(
        Reason.OUT_OF_RANGE,
        "The stock level would leave the range that can be stored exactly. Nothing changed; check the quantity.",
    )


def other_body() -> Rejected:
    """The id was accepted with another body."""
    return Rejected(
        Reason.PAYLOAD_MISMATCH,
        "This id was accepted before with another body. Repeat the same body, or use a new id.",
    )


def repeated() -> Rejected:
    """The id was accepted before and the environment refuses repeats."""
    return Rejected(
        Reason.DUPLICATE_ID, "This id was accepted before; its effect stands. Use a new id for a new event."
    )


def other_member(position: int, command_id: str, reason: Reason) -> Rejected:
    """Another command of the group was refused."""
    message = f"Nothing of this group took effect: its command {position + 1} (id {command_id}) was refused, {reason.value}."
    return Rejected(Reason.GROUP_MEMBER_REFUSED, message)


def stale_document() -> Rejected:
    """A document of the group changed since it was read."""
    return Rejected(
        Reason.STALE_DOCUMENT,
        "Nothing of this group took effect: a document changed since it was read. Read it again and repeat.",
    )
