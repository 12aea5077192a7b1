"""What the synchronisation posts of a line: all its pending changes and offsets, as commands of one group.

Theory of operation. A line's document says what waits. `plan` turns that into one on-hand change for each record and
one offset for each reservation; `conclude` writes what came of it into the line. Both are in one group with the
document at the version that was read, so a line is posted wholly or not at all, once, whatever crashes: after a crash the
document still says what waits, and after a commit it says nothing any more. The ids of the commands are made of the line
and the numbers of its events, which protects the ledger a second time.

An offset that matches nothing is left out with its reason and ends on the failed list; the changes are posted all the
same, because the goods moved. Of an offset that names several reservations, each is judged by itself: those that match
are offset, the others stand on the failed list with what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from onhand.core.commands import ChangeOnHand, Kind
from onhand.core.commands import Offset as OffsetCommand
from onhand.core.dimensions import name_dimensions, on_hand_position
from onhand.core.erp import targets
from onhand.core.erp.lines import REFUSED_HOLDS_MAX, Line, Offset, RefusedHold
from onhand.core.erp.moving import remember
from onhand.core.erp.parameters import Parameters
from onhand.core.erp.targets import HoldFacts, Mismatch, Subject, Target
from onhand.core.fingerprints import digest
from onhand.core.keys import Position
from onhand.core.outcomes import Outcome, Reason, Rejected, Replayed
from onhand.core.quantities import to_text
from onhand.core.rules import Rules

CALLER: Final = "erp-sync"
"""Whom the movements name when the line does not know."""

Command = ChangeOnHand | OffsetCommand


class Failure(msgspec.Struct, frozen=True):
    """Why an offset, or one of the reservations that it names, was left out."""

    code: str
    message: str
    line_node: str = ""
    reserved_node: str = ""
    hold_id: str = ""
    """The reservation; empty when it is not known by an id of its own."""


class Aim(NamedTuple):
    """An offset, and one of the reservations that it names."""

    number: int
    hold_id: str = ""
    """Empty: the shared pool."""


class Scope(msgspec.Struct, frozen=True):
    """Which part of what waits is posted."""

    events: frozenset[int] | None = None
    """Numbers of the events; None: all, and offsets that are tried again."""
    inside: frozenset[tuple[str, int]] = frozenset()
    """(position key, measure) pairs whose changes are in a snapshot already and are not added."""
    everywhere: frozenset[int] = frozenset()
    """Measures that the snapshot has at every record, named or not."""
    snapshot: str = ""

    def takes(self, event: int) -> bool:
        """Whether an event is posted."""
        return self.events is None or event in self.events


EVERYTHING: Final = Scope()


class Plan(msgspec.Struct):
    """Commands of one line's group, and what they stand for."""

    commands: list[Command]
    offsets: list[tuple[int, Aim]]
    """(place among the commands, what it offsets)."""
    failures: dict[int, list[Failure]]
    """Number of the offset -> why it, or some of its reservations, were left out."""
    skipped: dict[str, int]
    """`source.measure` that the environment does not have -> what was not posted to it."""
    foreseen: dict[int, int]
    """Number of the offset -> what its reservations had for it when they were read."""
    nodes: dict[int, str]
    """Number of the offset -> where its quantity stands."""


class _Aimed(msgspec.Struct):
    """What one offset draws on."""

    node: Position
    shares: list[tuple[str, Target, int]] = []
    """(hold id, what is drawn on, quantity)."""
    failures: list[Failure] = []
    foreseen: int = 0


def plan(  # noqa: PLR0913 - what a posting is made of
    rules: Rules,
    line: Line,
    parameters: Parameters,
    holds: Mapping[str, HoldFacts],
    left_out: Mapping[Aim, Rejected],
    nodes: Mapping[str, str] = MappingProxyType({}),
    scope: Scope = EVERYTHING,
) -> Plan | Rejected:
    """The commands that post a line.

    `left_out`: offsets that the engine refused at an earlier attempt; `nodes`: where the reservation is that an id names.
    """
    of = targets.subject(rules, line.organization, line.product)
    if isinstance(of, Rejected):
        return of
    made = Plan([], [], {}, {}, {}, {})
    changes = _changes(rules, line, of, made.skipped, scope)
    if isinstance(changes, Rejected):
        return changes
    made.commands += changes
    room = {hold_id: facts.remaining for hold_id, facts in holds.items()}
    for offset in line.offsets:
        if offset.state != "pending" or not scope.takes(offset.event):
            continue
        aimed = _aimed(rules, line, offset, of, parameters, holds, room, left_out)
        if isinstance(aimed, Failure):
            made.failures[offset.number] = [aimed]
            continue
        made.foreseen[offset.number], made.nodes[offset.number] = aimed.foreseen, aimed.node.key
        if aimed.failures:
            elsewhere = nodes.get(line.reservation.reservation_id, "")
            made.failures[offset.number] = [_located(one, elsewhere) for one in aimed.failures]
        for number, share in enumerate(aimed.shares):
            made.offsets.append((len(made.commands), Aim(offset.number, share[0])))
            made.commands.append(_command(line, offset, of, aimed.node, number, share))
    return made


def conclude(
    line: Line, made: Plan, outcomes: Sequence[Outcome], now: int, scope: Scope = EVERYTHING
) -> Line:
    """The line after its group was accepted: nothing waits, each offset says what came of it."""
    consumed: dict[int, int] = {}
    for place, aim in made.offsets:
        outcome = outcomes[place]
        accepted = outcome.original if isinstance(outcome, Replayed) else outcome
        if not isinstance(accepted, Rejected):
            consumed[aim.number] = consumed.get(aim.number, 0) + accepted.released
    for offset in line.offsets:
        if offset.state == "pending" and scope.takes(offset.event):
            _settle(offset, consumed.get(offset.number, 0), made)
    for event in line.pending:
        if scope.takes(event.number):
            event.posted_at, event.contained_in = now, scope.snapshot
            line.history.append(event)
    line.pending = [event for event in line.pending if not scope.takes(event.number)]
    line.refused = ""
    remember(line)
    return line


def _settle(offset: Offset, consumed: int, made: Plan) -> None:
    """What became of an offset.

    It stays pending when somebody drew on its reservations after they were read: the next attempt reads them again and
    asks those that have something left.
    """
    failures = made.failures.get(offset.number, [])
    offset.consumed += consumed
    offset.attempts += 1
    offset.code = offset.message = offset.line_node = offset.reserved_node = ""
    offset.refused = []
    rest = offset.quantity - offset.consumed
    if rest > 0 and consumed < made.foreseen.get(offset.number, 0):
        offset.state = "pending"
    elif failures:
        _note(offset, rest, failures)
    elif rest <= 0 or offset.release:
        offset.state = "done"
    else:
        offset.state = "partial" if offset.consumed else "failed"
        offset.code, offset.line_node = Reason.NOTHING_RESERVED, made.nodes.get(offset.number, "")
        if offset.consumed:
            offset.reserved_node = offset.line_node
            offset.message = f"{to_text(rest)} of {to_text(offset.quantity)} was not reserved any more."
        else:
            offset.message = "Nothing was reserved there any more."


def _note(offset: Offset, rest: int, failures: Sequence[Failure]) -> None:
    """Put an offset on the failed list: with the first reason in full, and each reservation with its own."""
    first = failures[0]
    offset.state = "partial" if offset.consumed else "failed"
    offset.code, offset.message = first.code, first.message
    offset.line_node, offset.reserved_node = first.line_node, first.reserved_node
    offset.refused = [
        RefusedHold(hold_id=one.hold_id, code=one.code, message=one.message, reserved_node=one.reserved_node)
        for one in failures
        if one.hold_id
    ][:REFUSED_HOLDS_MAX]
    if len(failures) > 1:
        offset.message += f" And {len(failures) - 1} more of the reservations that it names."
    if offset.consumed and rest > 0:
        offset.message += f" {to_text(rest)} of {to_text(offset.quantity)} is missing."
    elif offset.consumed:
        offset.message += " The others covered the whole quantity."


# Changes -----------------------------------------------------------------------------------------------------


def _changes(
    rules: Rules, line: Line, of: Subject, skipped: dict[str, int], scope: Scope
) -> list[Command] | Rejected:
    """One on-hand change for each record that the pending events touch."""
    records: dict[str, tuple[Position, dict[int, int]]] = {}
    events = [event for event in line.pending if scope.takes(event.number)]
    for event in events:
        for change in event.changes:
            named = name_dimensions(rules, change.dimensions, None)
            position = named if isinstance(named, Rejected) else on_hand_position(rules, named)
            if isinstance(position, Rejected):
                return position
            _, sums = records.setdefault(position.key, (position, {}))
            for name, quantity in change.figures.items():
                source, _, measure = name.partition(".")
                number = rules.measures.get((source, measure))
                if number in scope.everywhere or (position.key, number) in scope.inside:
                    continue
                if number is None:
                    skipped[name] = skipped.get(name, 0) + quantity
                else:
                    sums[number] = sums.get(number, 0) + quantity
    commands: list[Command] = []
    for position, sums in records.values():
        changes = tuple((measure, quantity) for measure, quantity in sums.items() if quantity)
        if changes:
            first, last = events[0], events[-1]
            commands.append(
                ChangeOnHand(
                    id=f"{line.line_id}#{first.number}-{last.number}.{len(commands)}",
                    fingerprint=digest("erp-line", line.line_id, position.key, changes),
                    caller=line.changed_by or CALLER,
                    product=of.key,
                    organization_shown=of.organization,
                    product_shown=of.product,
                    kind=Kind.ERP,
                    position=position,
                    changes=changes,
                    reason=f"{line.line_id}: {last.what}"[:200],
                )
            )
    return commands


# Offsets -----------------------------------------------------------------------------------------------------


def _aimed(  # noqa: PLR0913 - what an offset is made of
    rules: Rules,
    line: Line,
    offset: Offset,
    of: Subject,
    parameters: Parameters,
    holds: Mapping[str, HoldFacts],
    room: dict[str, int],
    left_out: Mapping[Aim, Rejected],
) -> _Aimed | Failure:
    """What an offset draws on: its reservations in order, until its quantity is covered.

    Reservations that do not match give nothing and are noted; those after the last one that is needed are not looked at.
    """
    node = targets.projected(rules, offset.dimensions, None)
    if isinstance(node, Rejected):
        return Failure(node.reason, node.message)
    aimed = _Aimed(node)
    rest = offset.quantity - offset.consumed
    for hold_id, most in _sources(line, offset, room):
        if rest <= 0:
            break
        why = left_out.get(Aim(offset.number, hold_id))
        target = Mismatch(why) if why else _target(rules, line, of, node, hold_id, parameters, holds)
        if isinstance(target, Mismatch):
            aimed.failures.append(
                Failure(target.why.reason, target.why.message, node.key, target.reserved_node, hold_id)
            )
            continue
        taken = rest if most is None else min(rest, most)
        rest -= taken
        aimed.shares.append((hold_id, target, taken))
    if not offset.holds and line.reservation.hold_ids:
        for hold_id, _, taken in aimed.shares:
            room[hold_id] = room.get(hold_id, 0) - taken
            aimed.foreseen += taken
        if aimed.shares:
            hold_id, target, taken = aimed.shares[-1]
            aimed.shares[-1] = (hold_id, target, taken + rest)
    aimed.shares = [share for share in aimed.shares if share[2]]
    return aimed


def _sources(line: Line, offset: Offset, room: Mapping[str, int]) -> list[tuple[str, int | None]]:
    """(hold id, what it has) pairs in order; the last good one is asked for the rest.

    An empty hold id stands for the shared pool, of which nobody knows beforehand what it has.
    """
    if offset.holds:
        return [(one.hold_id, one.quantity) for one in offset.holds]
    ids = line.reservation.hold_ids
    return [(hold_id, room.get(hold_id, 0)) for hold_id in dict.fromkeys(ids)] if ids else [("", None)]


def _target(  # noqa: PLR0913 - what an offset is made of
    rules: Rules,
    line: Line,
    of: Subject,
    node: Position,
    hold_id: str,
    parameters: Parameters,
    holds: Mapping[str, HoldFacts],
) -> Target | Mismatch:
    if hold_id:
        return targets.by_hold(rules, of, node, hold_id, holds.get(hold_id))
    if line.reservation.reservation_id:
        return targets.by_reservation(rules, of, node, line.reservation.reservation_id)
    return targets.by_node(rules, parameters.reserved_measure)


def _command(  # noqa: PLR0913 - what an offset is made of
    line: Line, offset: Offset, of: Subject, node: Position, number: int, share: tuple[str, Target, int]
) -> OffsetCommand:
    _, target, quantity = share
    return OffsetCommand(
        id=f"{line.line_id}#o{offset.number}.{offset.attempts}.{number}",
        fingerprint=digest("erp-offset", line.line_id, target, quantity, node.key),
        caller=line.changed_by or CALLER,
        product=of.key,
        organization_shown=of.organization,
        product_shown=of.product,
        position=node,
        measure=target.measure,
        quantity=quantity,
        hold=target.hold,
        reservation_id=line.reservation.reservation_id,
        reason=f"{line.line_id}: {'cancelled' if offset.release else 'offset'}"[:200],
    )


def _located(failure: Failure, node: str) -> Failure:
    """The failure with both nodes shown."""
    if not node or failure.hold_id or failure.code != Reason.RESERVATION_MISMATCH or failure.reserved_node:
        return failure
    message = f"Reserved at {node!r}, moved at {failure.line_node!r}: nothing is offset."
    return Failure(failure.code, message, failure.line_node, node)


def hold_ids(line: Line) -> list[str]:
    """Holds that posting the line has to know."""
    pending = [one for one in line.offsets if one.state == "pending"]
    if not pending:
        return []
    soft = [hold.hold_id for one in pending for hold in one.holds]
    return [*soft, *line.reservation.hold_ids]
