"""Soft reservation of a line by the ERP itself (specification 4.3): how much may be asked for, and what came of it.

The quantity of a line stands in buckets: what is reserved, what waits for the next synchronisation, what failed, what was
offset, what went on without a reservation; the rest is unreserved. A reservation of a line that was made in another system
is none of the ERP's business.
"""

from __future__ import annotations

from collections.abc import Sequence

from onhand.core.erp.asking import Message, Setting
from onhand.core.erp.lines import SEEN_MAX, Line, SoftHold
from onhand.core.outcomes import Reason, Rejected
from onhand.core.quantities import to_text


class SoftAsked(Message, frozen=True, kw_only=True):
    """Reserve a quantity of a line, or revert it."""

    quantity: int | None = None
    """Scaled; None: everything that is not reserved, or everything that is."""
    revert: bool = False
    batch: bool = False
    """Leave it to the next synchronisation."""


def unclaimed(line: Line) -> int:
    """What was not offset, nor went on without a reservation."""
    return sum(one.quantity for one in line.open if not one.claimed)


def wanted(line: Line, asked: SoftAsked, setting: Setting) -> int | Rejected:
    """How much is to be reserved or reverted; 0 when that is so already."""
    if line.reservation.given:
        return Rejected(
            Reason.EXTERNALLY_RESERVED,
            f"Line {line.line_id!r} was reserved in another system: reserve, revert and change it there.",
        )
    if not setting.parameters.soft_reservation and not (asked.revert and line.soft.reserved):
        return Rejected(
            Reason.RESERVATIONS_DISABLED,
            "Lines are not soft-reserved from the ERP here. Set the parameter softReservation to true.",
        )
    soft = line.soft
    if not asked.revert:
        most = unclaimed(line) - soft.reserved - soft.requested
    elif asked.batch:
        most = soft.reserved - soft.reverting
    else:
        most = soft.reserved
    quantity = max(0, most) if asked.quantity is None else asked.quantity
    if quantity > most:
        return Rejected(
            Reason.INVALID_QUANTITY,
            f"Line {line.line_id!r} has {to_text(max(0, most))} that can be "
            f"{'reverted' if asked.revert else 'reserved'}; asked for {to_text(quantity)}.",
        )
    return quantity


def request(line: Line, quantity: int, *, revert: bool) -> None:
    """Leave it to the next synchronisation."""
    if revert:
        line.soft.reverting += quantity
    else:
        _retry(line, quantity)
        line.soft.requested += quantity


def taken(line: Line, hold_id: str, quantity: int, *, requested: bool) -> None:
    """The reservation was made."""
    if requested:
        line.soft.requested -= quantity
    else:
        _retry(line, quantity)
    line.soft.holds.append(SoftHold(hold_id=hold_id, quantity=quantity))
    line.soft.attempt += 1
    line.soft.message = ""


def refused(line: Line, quantity: int, why: Rejected, *, requested: bool) -> None:
    """The reservation was refused."""
    soft = line.soft
    if requested:
        soft.requested -= quantity
    else:
        _retry(line, quantity)
    if why.reason is Reason.SHORTAGE:
        soft.failed_shortage += quantity
    else:
        soft.failed_other += quantity
    soft.attempt += 1
    soft.message = why.message


def shares(line: Line, quantity: int) -> list[SoftHold]:
    """Which reservations are reverted: the latest first."""
    chosen = []
    for hold in reversed(line.soft.holds):
        given = min(quantity, hold.quantity)
        if given:
            chosen.append(SoftHold(hold_id=hold.hold_id, quantity=given))
            quantity -= given
    return chosen


def reverted(line: Line, given: Sequence[SoftHold], *, requested: bool) -> None:
    """The reservations were given back."""
    soft = line.soft
    back = {one.hold_id: one.quantity for one in given}
    for hold in soft.holds:
        hold.quantity -= back.get(hold.hold_id, 0)
    soft.holds = [hold for hold in soft.holds if hold.quantity]
    if requested:
        soft.reverting = max(0, soft.reverting - sum(back.values()))
    soft.reverting = min(soft.reverting, soft.reserved)
    soft.attempt += 1
    soft.message = ""


def shrink(line: Line) -> None:
    """After a cancellation, hold no more than there is to reserve: the ERP's own reservation has no other owner."""
    soft = line.soft
    excess = soft.reserved - soft.reverting + soft.requested - unclaimed(line)
    if excess > 0:
        withdrawn = min(excess, soft.requested)
        soft.requested -= withdrawn
        soft.reverting = min(soft.reserved, soft.reverting + excess - withdrawn)
    rest = max(0, unclaimed(line) - soft.reserved - soft.requested)
    soft.failed_shortage = min(soft.failed_shortage, rest)
    soft.failed_other = min(soft.failed_other, rest - soft.failed_shortage)


def seen(line: Line, message: Message) -> None:
    """Remember the message."""
    line.seen = [*line.seen, (message.id, message.fingerprint)][-SEEN_MAX:]
    line.changed_by = message.caller


def _retry(line: Line, quantity: int) -> None:
    """What is asked for again no longer counts as failed, beyond what was never asked for."""
    soft = line.soft
    untouched = unclaimed(line) - soft.reserved - soft.requested - soft.failed_shortage - soft.failed_other
    again = max(0, quantity - max(0, untouched))
    less = min(again, soft.failed_shortage)
    soft.failed_shortage -= less
    soft.failed_other = max(0, soft.failed_other - (again - less))
