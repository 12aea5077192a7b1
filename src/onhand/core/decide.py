"""The one place that says yes or no to stock.

Theory of operation
-------------------
A batch is a list of works, each a command or a group of commands. `reads` says what must be locked and read for
them; `decide` takes what was found and answers each work in order, later ones on the state that earlier ones left.
Nothing here looks at a clock or the world, and nothing raises for a business reason: a refusal is a value.

For each command, in this order:

1. *Lapse.* Holds of its product that are due are released, as movements of their own, so that an expired hold
   never counts. It happens at each touch, also by a command that is then refused or replayed, because it depends
   on the time and not on the command. A hold that the batch itself makes or shortens so that it is already due
   lapses at the next touch, exactly as it would in a later batch.
2. *Repeat.* An id that was accepted before, in the batch or earlier, has one outcome (I4): the first one again for
   the same body, a refusal for another. Only accepted outcomes are remembered.
3. *Effect.* One function for each type of command, in `reservations.py`, `order_holds.py` and `onhand.py`. It checks first and then
   changes the product's `Book`; a refused command has changed nothing. An accepted one that changed no quantity (a
   count that confirms the level, an extended hold) leaves a movement of zero, so that its id belongs to a place.

A wipe ends its batch, only wipes may follow it; the lane cuts there. Which stored ids it takes with it only the store
can tell, so a command that followed it would be answered as if those ids were still known. Ids accepted earlier in
the batch are forgotten exactly. A wipe is never part of a group.

A group works on the same books, which meanwhile note how each change is taken back. Once its members are accepted its
`finish` sees what came of them and says which documents to write, or refuses. If a member is refused, or `finish`
refuses, or a document is not at the version that was expected, the notes are played backwards and every other member
is refused with it. What lapsed before the group stays lapsed.

At the end the books are closed: each level, hold and product that changed is written once, with its final value,
while movements stay one for each change, numbered without gaps by the product's version. All numbers come from
counters of the product, so where a batch is cut changes no outcome and no row (I6).

Cost: O(1) per command plus what availability costs; the first checked reservation at a place reads its cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onhand.core import refusals
from onhand.core.book import Book
from onhand.core.commands import (
    AnyCommand,
    AttachHold,
    ChangeOnHand,
    ClearReserved,
    Document,
    DocumentKey,
    DocumentWrite,
    ExtendHold,
    Group,
    LowerReserved,
    MarkHold,
    Offset,
    ReleaseDue,
    ReleaseHold,
    Reserve,
    Reverse,
    SetOnHand,
    SettleReserved,
    TopUpHold,
    Unreserve,
    Work,
)
from onhand.core.concluding import Concluded, Totals
from onhand.core.holds import lapse
from onhand.core.keys import ProductKey
from onhand.core.onhand import assign, change, wipe
from onhand.core.order_holds import attach, lower, mark, settle, top_up
from onhand.core.outcomes import Accepted, GroupOutcome, Outcome, Rejected, Replayed
from onhand.core.overlay import Batch
from onhand.core.reads import reads
from onhand.core.reservations import clear, extend, offset, release, release_due, reserve, reverse, unreserve
from onhand.core.rules import Rules
from onhand.core.snapshot import Decision, HoldState, NewId, Seen, Snapshot
from onhand.core.tracing import trace

__all__ = ["decide", "reads"]

NAMING_A_HOLD = (ReleaseHold, ExtendHold, Offset, TopUpHold, AttachHold, MarkHold)
"""Commands with the number of a hold."""


def decide(works: Sequence[Work], snapshot: Snapshot, rules: Mapping[int, Rules], now: int) -> Decision:
    """Decide the works in order. Pure and total.

    `rules` are by environment; `now` is in microseconds since 1970; the snapshot is what `reads` asked for.
    """
    batch = Batch(snapshot, rules, now)
    outcomes = batch.decision.outcomes
    for work in works:
        outcomes.append(_group(batch, work) if isinstance(work, Group) else _command(batch, work))
    return batch.close()


def _command(batch: Batch, command: AnyCommand) -> Outcome:
    product = command.product
    book = batch.book(product)
    book.lapsed = 0
    if book.holdings.due:
        lapse(book)
    command_id = (product.environment, command.kind, command.id)
    seen = batch.seen(command_id)
    if seen is not None:
        return _repeat(book, command, seen)
    movements = batch.decision.movements
    moved = len(movements)
    outcome = _effect(book, command)
    if isinstance(outcome, Accepted):
        if len(movements) == moved:
            trace(book, command)
        batch.remember(command_id, command.fingerprint, outcome)
    return outcome


def _effect(book: Book, command: AnyCommand) -> Outcome:  # noqa: C901, PLR0911 - one case a command
    match command:
        case Reserve():
            return reserve(book, command)
        case ChangeOnHand():
            return change(book, command)
        case SetOnHand():
            return assign(book, command)
        case Unreserve():
            return unreserve(book, command)
        case Offset():
            return offset(book, command)
        case Reverse():
            return reverse(book, command)
        case ReleaseHold():
            return release(book, command)
        case ExtendHold():
            return extend(book, command)
        case ReleaseDue():
            return release_due(book, command)
        case ClearReserved():
            return clear(book, command)
        case TopUpHold() | AttachHold() | MarkHold() | LowerReserved() | SettleReserved():
            return _order_effect(book, command)
        case _:
            return wipe(book, command)


def _order_effect(
    book: Book, command: TopUpHold | AttachHold | MarkHold | LowerReserved | SettleReserved
) -> Outcome:
    match command:
        case TopUpHold():
            return top_up(book, command)
        case AttachHold():
            return attach(book, command)
        case MarkHold():
            return mark(book, command)
        case LowerReserved():
            return lower(book, command)
        case _:
            return settle(book, command)


def _repeat(book: Book, command: AnyCommand, seen: Seen | NewId) -> Outcome:
    """Answer an id that was accepted before."""
    if seen.fingerprint != command.fingerprint:
        return refusals.other_body()
    if book.rules is not None and book.rules.switches.duplicate_id == "refuse":
        return refusals.repeated()
    return Replayed(seen.accepted)


def _group(batch: Batch, group: Group) -> GroupOutcome:
    """All or nothing: decide on the batch's state, and take everything back when a member is refused."""
    products = group.products
    for product in products:
        book = batch.book(product)
        if book.holdings.due:
            lapse(book)
    decision = batch.decision
    moved = len(decision.movements)
    before = batch.totals(group.places)
    undo = batch.undo = [batch.book(product).rewinder() for product in products]
    outcomes: list[Outcome] = []
    refused: tuple[Outcome, ...] | None = None
    refusal: Rejected | None = None
    versions: tuple[int, ...] = ()
    for command in group.commands:
        outcome = _command(batch, command)
        if isinstance(outcome, Rejected):
            refusal, refused = outcome, _refuse_all(group, len(outcomes), outcome)
            break
        outcomes.append(outcome)
    if refused is None and group.finish is not None:
        written = _write(batch, group.documents, group.finish(_concluded(batch, group, outcomes, before)))
        if isinstance(written, Rejected):
            refusal, refused = written, (written,) * len(group.commands)
        else:
            versions = written
    batch.undo = None
    if refused is None:
        return GroupOutcome(tuple(outcomes), accepted=True, versions=versions)
    for step in reversed(undo):
        step()
    del decision.movements[moved:]
    return GroupOutcome(refused, accepted=False, refusal=refusal)


def _refuse_all(group: Group, position: int, refusal: Rejected) -> tuple[Outcome, ...]:
    command = group.commands[position]
    other = refusals.other_member(position, command.id, refusal.reason)
    return tuple(refusal if index == position else other for index in range(len(group.commands)))


def _concluded(batch: Batch, group: Group, outcomes: Sequence[Outcome], before: Totals) -> Concluded:
    """What the group came to, for its `finish`."""
    holds: dict[tuple[ProductKey, int], HoldState] = {}
    for command, outcome in zip(group.commands, outcomes, strict=True):
        named = command.hold if isinstance(command, NAMING_A_HOLD) else None
        made = outcome.hold if isinstance(outcome, Accepted) else None
        for number in (named, made):
            state = None if number is None else batch.book(command.product).holdings.state(number)
            if state is not None:
                holds[command.product, state.number] = state
    return Concluded(
        outcomes,
        [batch.document(key) for key in group.documents],
        batch.now,
        before,
        batch.totals(group.places),
        holds,
    )


def _write(
    batch: Batch, asked: Sequence[DocumentKey], writes: Sequence[DocumentWrite] | Rejected
) -> tuple[int, ...] | Rejected:
    """Enter the group's documents; their new versions, or why the group is refused.

    A document that was not asked for can only be a new one; the database refuses it when its key is taken.
    """
    if isinstance(writes, Rejected):
        return writes
    current = {key: batch.document(key) for key in asked}
    for write in writes:
        document = current.get(write.key)
        if document is None and not write.expected_version:
            document = batch.document(write.key)
        if document is None or document.version != write.expected_version:
            return refusals.stale_document()
        current[write.key] = Document(write.key, write.version, b"" if write.delete else write.body)
    for write in writes:
        batch.documents[write.key] = current[write.key]
    batch.decision.documents += writes
    return tuple(write.version for write in writes)
