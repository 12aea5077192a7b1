"""Messages applied to a line: open it, change it, move a quantity to a status.

Each function takes a fresh copy of the line, changes it and returns it; a rejection means that the copy is to be thrown
away. A message that was seen before is a replay, with another body a refusal. One that asks for what is so already
changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from onhand.core.erp import soft
from onhand.core.erp.asking import LineAsked, Message, MoveAsked, Said, Setting
from onhand.core.erp.choosing import choose
from onhand.core.erp.lines import (
    HISTORY_MAX,
    OFFSETS_MAX,
    PENDING_MAX,
    SEEN_MAX,
    TRANSACTIONS_MAX,
    Dimensions,
    Line,
    Transaction,
)
from onhand.core.erp.recording import Recorder
from onhand.core.erp.statuses import LEFT, RANK, Status, Step, step
from onhand.core.outcomes import Reason, Rejected
from onhand.core.quantities import to_text

_CANCELLABLE: Final = tuple(one for one in Status if step(one, Status.CANCELLED) is Step.CANCEL)
"""Statuses that can be cancelled, the earliest first."""


def open_line(asked: LineAsked, setting: Setting) -> Said | Rejected:
    """A new line."""
    status = asked.status or Status.ON_ORDER
    if status is Status.CANCELLED:
        return Rejected(Reason.ILLEGAL_MOVE, "A line cannot begin as cancelled.")
    if asked.quantity <= 0:
        return Rejected(Reason.INVALID_QUANTITY, "The quantity of a new line must be above zero.")
    line = Line(
        line_id=asked.line_id,
        order_id=asked.order_id,
        kind=asked.kind,
        organization=asked.organization,
        product=asked.product,
        dimensions=asked.dimensions,
        reservation=asked.reservation,
        block_level=asked.block_level,
        release_on_cancel=asked.release_on_cancel,
        adjustment=asked.adjustment,
        source=asked.source,
        changed_by=asked.caller,
    )
    recorder = Recorder(line, setting, asked)
    warning = _guard(recorder, setting, asked.quantity, status)
    if isinstance(warning, Rejected):
        return warning
    part = _new(line, asked.quantity, asked.dimensions, asked.transaction)
    recorder.place(part, status, asked.dimensions, forward=True)
    recorder.supply(asked.dimensions, asked.figures or {}, left=status in LEFT)
    return _said(recorder, asked, f"new line: {to_text(asked.quantity)} {status.value}", warning)


def change_line(line: Line, asked: LineAsked, setting: Setting) -> Said | Rejected:
    """Another quantity, other dimensions, another reservation of a known line."""
    before = _seen(line, asked)
    if before is not None:
        return before
    wrong = _other_line(line, asked)
    if wrong is not None:
        return wrong
    recorder = Recorder(line, setting, asked)
    what = []
    if asked.dimensions != line.dimensions:
        moved = _elsewhere(recorder, asked)
        if moved is not None:
            return moved
        what.append("moved to other dimensions")
    more = asked.quantity - line.quantity
    if more:
        refused = _raise(recorder, more) if more > 0 else _cancel(recorder, -more)
        if refused is not None:
            return refused
        what.append(f"quantity {'+' if more > 0 else ''}{to_text(more)}")
    kept = (line.reservation, line.block_level, line.release_on_cancel, line.adjustment, line.order_id)
    new = (asked.reservation, asked.block_level, asked.release_on_cancel, asked.adjustment, asked.order_id)
    if not what and kept == new:
        return _already(line, asked)
    line.reservation, line.block_level, line.release_on_cancel, line.adjustment, line.order_id = new
    recorder.supply(asked.dimensions, asked.figures or {}, left=False)
    return _said(recorder, asked, ", ".join(what) or "other terms")


def move(line: Line, asked: MoveAsked, setting: Setting) -> Said | Rejected:
    """Move a quantity to a status."""
    before = _seen(line, asked)
    if before is not None:
        return before
    chosen = choose(line, asked)
    if isinstance(chosen, Rejected):
        return chosen
    if not chosen:
        return _already(line, asked)
    taken = _taken_id(line, chosen, asked.new_transaction)
    if taken is not None:
        return taken
    recorder = Recorder(line, setting, asked)
    free = sum(quantity for part, quantity in chosen if not part.claimed)
    warning = _guard(recorder, setting, free, asked.to)
    if isinstance(warning, Rejected):
        return warning
    told: dict[str, int] = {}
    left = asked.to in LEFT
    at = line.dimensions
    for part, quantity in chosen:
        moving = _split(line, part, quantity, asked.new_transaction)
        told[moving.status.value] = told.get(moving.status.value, 0) + quantity
        left = left or moving.status in LEFT
        kind = step(moving.status, asked.to)
        at = {**moving.dimensions, **asked.dimensions}
        if kind is Step.CANCEL:
            recorder.release(moving)
        recorder.place(moving, asked.to, at, forward=kind is Step.FORWARD)
    recorder.supply(at, asked.figures or {}, left=left)
    text = ", ".join(f"{to_text(quantity)} {origin}" for origin, quantity in told.items())
    return _said(recorder, asked, f"{text} -> {asked.to.value}", warning)


def _already(line: Line, asked: LineAsked | MoveAsked) -> Said | Rejected:
    """The line is as asked already: nothing changes, and figures that came along are not dropped unsaid.

    They are changes, so taking them with every repetition would count them twice.
    """
    if not any((asked.figures or {}).values()):
        return Said(line=line, changed=False)
    return Rejected(
        Reason.INVALID_VALUE,
        f"Line {line.line_id!r} is so already, so the figures in 'quantities' belong to no change of it; none was posted. "
        "If the message is a repetition, they were taken with the first one. Otherwise post them to erp/sync.",
    )


# Changing ----------------------------------------------------------------------------------------------------


def _other_line(line: Line, asked: LineAsked) -> Rejected | None:
    for name, ours, theirs in (
        ("organizationId", line.organization, asked.organization),
        ("productId", line.product, asked.product),
        ("kind", line.kind, asked.kind),
    ):
        if ours.casefold() != theirs.casefold():
            return Rejected(
                Reason.INVALID_VALUE,
                f"Line {line.line_id!r} has {name} {ours!r}, not {theirs!r}: cancel it and open another one.",
            )
    if asked.status is not None and any(one.status is not asked.status for one in line.open):
        return Rejected(
            Reason.INVALID_VALUE,
            f"Line {line.line_id!r} exists: its status changes by a move, not by sending the line again.",
        )
    if asked.reservation.given and (line.soft.reserved or line.soft.requested):
        return Rejected(
            Reason.ILLEGAL_MOVE,
            f"Line {line.line_id!r} was soft-reserved from the ERP: revert that before it names another reservation.",
        )
    if line.reservation.external and (
        asked.quantity > line.quantity
        or asked.dimensions != line.dimensions
        or asked.reservation != line.reservation
    ):
        return Rejected(
            Reason.EXTERNALLY_RESERVED,
            f"Line {line.line_id!r} was soft-reserved in another system: change its reservation there. Here its "
            "quantity can only be lowered.",
        )
    return None


def _elsewhere(recorder: Recorder, asked: LineAsked) -> Rejected | None:
    """Take what has not left its shelf to other dimensions."""
    line = recorder.line
    if line.soft.reserved or line.soft.requested:
        return Rejected(
            Reason.ILLEGAL_MOVE,
            f"Line {line.line_id!r} is soft-reserved where it stands: revert that before it goes elsewhere.",
        )
    gone = next((one for one in line.open if one.status in LEFT), None)
    if gone is not None:
        return Rejected(
            Reason.ILLEGAL_MOVE,
            f"Line {line.line_id!r} has a quantity that is {gone.status.value!r}: its dimensions cannot change any more.",
        )
    for part in line.open:
        own = {name: value for name, value in part.dimensions.items() if name not in line.dimensions}
        recorder.place(part, part.status, {**asked.dimensions, **own}, forward=False)
    line.dimensions = asked.dimensions
    return None


def _raise(recorder: Recorder, more: int) -> Rejected | None:
    """Order more: cancelled units come back before there are new ones, those that were offset first (I7)."""
    line = recorder.line
    cancelled = [one for one in line.transactions if one.status is Status.CANCELLED]
    for part in sorted(cancelled, key=lambda one: not one.claimed):
        if more:
            taken = min(more, part.quantity)
            back = _split(line, part, taken, "")
            recorder.place(back, Status.ON_ORDER, dict(line.dimensions), forward=True)
            more -= taken
    if more:
        recorder.place(
            _new(line, more, line.dimensions, ""), Status.ON_ORDER, dict(line.dimensions), forward=True
        )
    return None


def _cancel(recorder: Recorder, less: int) -> Rejected | None:
    """Order less: the earliest status first, what was not offset before what was."""
    line = recorder.line
    parts = [one for status in _CANCELLABLE for one in line.transactions if one.status is status]
    parts.sort(key=lambda one: (RANK[one.status], one.claimed))
    able = sum(one.quantity for one in parts)
    if less > able:
        return Rejected(
            Reason.ILLEGAL_MOVE,
            f"Line {line.line_id!r} can be lowered by {to_text(able)} only: the rest was picked, shipped or invoiced.",
        )
    for part in parts:
        if less:
            taken = min(less, part.quantity)
            going = _split(line, part, taken, "")
            recorder.release(going)
            recorder.place(going, Status.CANCELLED, going.dimensions, forward=False)
            less -= taken
    return None


# Parts -------------------------------------------------------------------------------------------------------


def _taken_id(line: Line, chosen: Sequence[tuple[Transaction, int]], own_id: str) -> Rejected | None:
    """Why what a move splits off cannot have this id; of the parts that move, one is split at most."""
    splits = any(quantity < part.quantity for part, quantity in chosen)
    if not (own_id and splits and any(one.id == own_id for one in line.transactions)):
        return None
    return Rejected(
        Reason.DUPLICATE_ID,
        f"Line {line.line_id!r} has a transaction {own_id!r} already: give what is split off a 'newTransactionId' of "
        "its own, or leave it out.",
    )


def _new(line: Line, quantity: int, dimensions: Dimensions, own_id: str) -> Transaction:
    """A part of the line; a generated id passes over those that the ERP gave."""
    used = {one.id for one in line.transactions}
    while not own_id and f"T{line.next_transaction}" in used:
        line.next_transaction += 1
    made = Transaction(
        id=own_id or f"T{line.next_transaction}",
        status=Status.CANCELLED,
        quantity=quantity,
        dimensions=dict(dimensions),
        own_id=bool(own_id),
    )
    line.next_transaction += 1
    line.transactions.append(made)
    return made


def _split(line: Line, part: Transaction, quantity: int, own_id: str) -> Transaction:
    """The part of a transaction that moves: itself, or a new one with its flags."""
    if quantity == part.quantity:
        return part
    part.quantity -= quantity
    made = _new(line, quantity, part.dimensions, own_id)
    made.status, made.row = part.status, part.row
    made.claimed, made.adjusted = part.claimed, part.adjusted
    return made


def _merge(line: Line) -> None:
    """Make one of transactions that nothing tells apart."""
    kept: dict[tuple[object, ...], Transaction] = {}
    for part in line.transactions:
        alike = (
            part.id if part.own_id else "",
            part.status,
            tuple(sorted(part.dimensions.items())),
            tuple(sorted(part.row.items())),
            part.claimed,
            part.adjusted,
        )
        if alike in kept:
            kept[alike].quantity += part.quantity
        else:
            kept[alike] = part
    line.transactions = list(kept.values())


def _guard(recorder: Recorder, setting: Setting, quantity: int, to: Status) -> str | Rejected | None:
    """What the block level says to a hard reservation, or more, without a soft one (specification 4.3)."""
    line = recorder.line
    level = line.block_level or setting.parameters.block_level
    if (
        to is Status.CANCELLED
        or not (setting.parameters.soft_reservation and recorder.managed)
        or RANK[to] < RANK[Status.RESERVED_ORDERED]
        or level == "ignore"
    ):
        return None
    missing = quantity - line.soft.reserved
    if missing <= 0:
        return None
    text = f"Line {line.line_id!r} has no soft reservation for {to_text(missing)} of it."
    if level == "warning":
        return text
    return Rejected(
        Reason.SOFT_RESERVATION_MISSING, f"{text} Soft-reserve it first; its block level is 'block'."
    )


def _seen(line: Line, message: Message) -> Said | Rejected | None:
    for known, fingerprint in line.seen:
        if known == message.id:
            if fingerprint != message.fingerprint:
                return Rejected(
                    Reason.PAYLOAD_MISMATCH,
                    f"Message {message.id!r} came before with another content. Send a new one under an id of its own.",
                )
            return Said(line=line, changed=False, replayed=True)
    return None


def _said(recorder: Recorder, message: Message, what: str, warning: str | None = None) -> Said | Rejected:
    line = recorder.line
    _merge(line)
    soft.shrink(line)
    event = recorder.event(what)
    for name, amount, limit in (
        ("transactions", len(line.transactions), TRANSACTIONS_MAX),
        ("events that wait for the synchronisation", len(line.pending), PENDING_MAX),
        ("offsets that are not done with", len(line.offsets), OFFSETS_MAX),
    ):
        if amount > limit:
            return Rejected(
                Reason.LIMIT_REACHED,
                f"Line {line.line_id!r} would have more than {limit} {name}: split the line.",
            )
    line.seen = [*line.seen, (message.id, message.fingerprint)][-SEEN_MAX:]
    if message.sequence is not None:
        line.source, line.sequence = message.source, message.sequence
    line.changed_by = message.caller
    line.refused = ""
    return Said(line=line, event=event, warnings=(warning,) if warning else ())


def remember(line: Line) -> None:
    """Forget the oldest events of a long history."""
    if len(line.history) > HISTORY_MAX:
        gone = line.history[:-HISTORY_MAX]
        line.forgotten = gone[-1].number
        line.forgotten_sequence = max(line.forgotten_sequence, *(one.sequence or 0 for one in gone))
        line.history = line.history[-HISTORY_MAX:]
