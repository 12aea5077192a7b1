"""Which transactions a status message means.

A message may name a transaction, a status to move from, a quantity, or none of them. Without a name it means whatever
stands before the target, the nearest status first; a move back has to be named, so that a late message never undoes a
newer one. Cancelling takes the earliest status first.
"""

from __future__ import annotations

from onhand.core.erp.asking import MoveAsked
from onhand.core.erp.lines import Line, Transaction
from onhand.core.erp.statuses import RANK, Status, Step, refusal, step
from onhand.core.outcomes import Reason, Rejected
from onhand.core.quantities import to_text


def choose(line: Line, asked: MoveAsked) -> list[tuple[Transaction, int]] | Rejected:
    """(transaction, quantity) pairs that move; empty when everything is there already."""
    if asked.transaction:
        candidates = [one for one in line.transactions if one.id == asked.transaction]
        if not candidates:
            return Rejected(
                Reason.UNKNOWN_TRANSACTION,
                f"Line {line.line_id!r} has no transaction {asked.transaction!r}. It has: "
                f"{', '.join(one.id for one in line.transactions)[:200]}.",
            )
    else:
        candidates = line.transactions if asked.to is Status.CANCELLED else line.open
    if asked.origin is not None:
        candidates = [one for one in candidates if one.status is asked.origin]
    there = [
        one for one in candidates if step(one.status, asked.to) is Step.SAME and not _refines(one, asked)
    ]
    able = [one for one in candidates if one not in there and _may(one, asked)]
    able.sort(key=lambda one: RANK[one.status], reverse=asked.to is not Status.CANCELLED)
    movable = sum(one.quantity for one in able)
    wanted = movable if asked.quantity is None else asked.quantity
    fixed = (
        asked.to is Status.CANCELLED and asked.quantity is None and len(able) + len(there) < len(candidates)
    )
    if wanted > movable or not able or fixed:
        return _cannot(line, asked, candidates, there, movable)
    chosen = []
    for part in able:
        taken = min(wanted, part.quantity)
        if taken:
            chosen.append((part, taken))
            wanted -= taken
    return chosen


def _refines(part: Transaction, asked: MoveAsked) -> bool:
    """Whether the message tells dimensions of the transaction that are new."""
    return any(part.dimensions.get(name) != value for name, value in asked.dimensions.items())


def _may(part: Transaction, asked: MoveAsked) -> bool:
    """Whether the transaction is meant: legal, and not backwards unless it or its status was named."""
    kind = step(part.status, asked.to)
    if kind is Step.BACK:
        return bool(asked.transaction or asked.origin)
    if kind is Step.SAME:
        return bool(asked.transaction or asked.origin) and _refines(part, asked)
    return kind is not Step.ILLEGAL


def _cannot(
    line: Line, asked: MoveAsked, candidates: list[Transaction], there: list[Transaction], movable: int
) -> list[tuple[Transaction, int]] | Rejected:
    """Nothing to do, or why too little can move."""
    arrived = sum(one.quantity for one in there)
    if (
        not movable
        and len(there) == len(candidates)
        and arrived
        and (asked.quantity is None or asked.quantity <= arrived)
    ):
        return []
    illegal = [one for one in candidates if step(one.status, asked.to) is Step.ILLEGAL]
    if illegal and (not movable or asked.quantity is None):
        return Rejected(
            Reason.ILLEGAL_MOVE, f"Line {line.line_id!r}: {refusal(illegal[0].status, asked.to)}."
        )
    back = [one for one in candidates if step(one.status, asked.to) is Step.BACK]
    if back and not movable and not (asked.origin or asked.transaction):
        return Rejected(
            Reason.ILLEGAL_MOVE,
            f"Line {line.line_id!r} is past {asked.to.value!r}. To move it back, say from which status ('from') "
            "or which transaction.",
        )
    where = f" that stands in {asked.origin.value!r}" if asked.origin else ""
    return Rejected(
        Reason.ILLEGAL_MOVE,
        f"Line {line.line_id!r} has {to_text(movable)}{where} that can move to {asked.to.value!r}; "
        f"asked for {to_text(asked.quantity) if asked.quantity is not None else 'all of it'}.",
    )
