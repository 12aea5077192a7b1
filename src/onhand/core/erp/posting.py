"""What the synchronisation posts of a line: all its pending changes and offsets, as commands of one group.

Theory of operation. A line's document says what waits. `plan` turns that into one on-hand change for each record and
one offset for each reservation; `conclude` writes what came of it into the line. Both are in one group with the
document at the version that was read, so a line is posted wholly or not at all, once, whatever crashes: after a crash the
document still says what waits, and after a commit it says nothing any more. The ids of the commands are made of the line
and the numbers of its events, which protects the ledger a second time.

An offset that matches nothing is left out with its reason and ends on the failed list; the changes are posted all the
same, because the goods moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from onhand.core.commands import ChangeOnHand, Kind
from onhand.core.commands import Offset as OffsetCommand
from onhand.core.dimensions import name_dimensions, on_hand_position
from onhand.core.erp import targets
from onhand.core.erp.lines import Line, Offset
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
    """Why an offset was left out."""

    code: str
    message: str
    line_node: str = ""
    reserved_node: str = ""


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
    offsets: list[tuple[int, int]]
    """(place among the commands, number of the offset)."""
    failures: dict[int, Failure]
    """Number of the offset -> why it was left out."""
    skipped: dict[str, int]
    """`source.measure` that the environment does not have -> what was not posted to it."""
    foreseen: dict[int, int]
    """Number of the offset -> what its reservations had for it when they were read."""


def plan(  # noqa: PLR0913 - what a posting is made of
    rules: Rules,
    line: Line,
    parameters: Parameters,
    holds: Mapping[str, HoldFacts],
    left_out: Mapping[int, Rejected],
    nodes: Mapping[str, str] = MappingProxyType({}),
    scope: Scope = EVERYTHING,
) -> Plan | Rejected:
    """The commands that post a line.

    `left_out`: offsets that the engine refused at an earlier attempt; `nodes`: where the reservation is that an id names.
    """
    of = targets.subject(rules, line.organization, line.product)
    if isinstance(of, Rejected):
        return of
    made = Plan([], [], {}, {}, {})
    changes = _changes(rules, line, of, made.skipped, scope)
    if isinstance(changes, Rejected):
        return changes
    made.commands += changes
    room = {hold_id: facts.remaining for hold_id, facts in holds.items()}
    for offset in line.offsets:
        if offset.state != "pending" or not scope.takes(offset.event):
            continue
        if offset.number in left_out:
            why = left_out[offset.number]
            made.failures[offset.number] = Failure(why.reason, why.message)
            continue
        before = sum(room.values())
        commands = _offset(rules, line, offset, of, parameters, holds, room)
        made.foreseen[offset.number] = before - sum(room.values())
        if isinstance(commands, Failure):
            made.failures[offset.number] = _located(commands, nodes.get(line.reservation.reservation_id, ""))
            continue
        for command in commands:
            made.offsets.append((len(made.commands), offset.number))
            made.commands.append(command)
    return made


def conclude(
    line: Line, made: Plan, outcomes: Sequence[Outcome], now: int, scope: Scope = EVERYTHING
) -> Line:
    """The line after its group was accepted: nothing waits, each offset says what came of it."""
    consumed: dict[int, int] = {}
    for place, number in made.offsets:
        outcome = outcomes[place]
        accepted = outcome.original if isinstance(outcome, Replayed) else outcome
        if not isinstance(accepted, Rejected):
            consumed[number] = consumed.get(number, 0) + accepted.released
    for offset in line.offsets:
        if offset.state == "pending" and scope.takes(offset.event):
            _settle(
                offset,
                consumed.get(offset.number, 0),
                made.failures.get(offset.number),
                made.foreseen.get(offset.number, 0),
            )
    for event in line.pending:
        if scope.takes(event.number):
            event.posted_at, event.contained_in = now, scope.snapshot
            line.history.append(event)
    line.pending = [event for event in line.pending if not scope.takes(event.number)]
    line.refused = ""
    remember(line)
    return line


def _settle(offset: Offset, consumed: int, failure: Failure | None, foreseen: int) -> None:
    """What became of an offset.

    It stays pending when somebody drew on its reservations after they were read: the next attempt reads them again and
    asks those that have something left.
    """
    offset.consumed += consumed
    offset.attempts += 1
    offset.code = offset.message = offset.line_node = offset.reserved_node = ""
    rest = offset.quantity - offset.consumed
    if failure is not None:
        offset.state, offset.code, offset.message = "failed", failure.code, failure.message
        offset.line_node, offset.reserved_node = failure.line_node, failure.reserved_node
    elif rest > 0 and consumed < foreseen:
        offset.state = "pending"
    elif rest <= 0 or offset.release:
        offset.state = "done"
    elif offset.consumed:
        offset.state, offset.code = "partial", Reason.NOTHING_RESERVED
        offset.message = f"{to_text(rest)} of {to_text(offset.quantity)} was not reserved any more."
    else:
        offset.state, offset.code = "failed", Reason.NOTHING_RESERVED
        offset.message = "Nothing was reserved there any more."


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


def _offset(  # noqa: PLR0913 - what an offset is made of
    rules: Rules,
    line: Line,
    offset: Offset,
    of: Subject,
    parameters: Parameters,
    holds: Mapping[str, HoldFacts],
    room: dict[str, int],
) -> list[Command] | Failure:
    node = targets.projected(rules, offset.dimensions, None)
    if isinstance(node, Rejected):
        return Failure(node.reason, node.message)
    shares = _shares(line, offset, room)
    aimed: list[tuple[Target, int]] = []
    for hold_id, quantity in shares:
        if hold_id:
            target = targets.by_hold(rules, of, node, hold_id, holds.get(hold_id))
        elif line.reservation.reservation_id:
            target = targets.by_reservation(rules, of, node, line.reservation.reservation_id)
        else:
            target = targets.by_node(rules, parameters.reserved_measure)
        if isinstance(target, Mismatch):
            return Failure(target.why.reason, target.why.message, node.key, target.reserved_node)
        if quantity:
            aimed.append((target, quantity))
    return [
        OffsetCommand(
            id=f"{line.line_id}#o{offset.number}.{offset.attempts}.{place}",
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
        for place, (target, quantity) in enumerate(aimed)
    ]


def _located(failure: Failure, node: str) -> Failure:
    """The failure with both nodes shown."""
    if not node or failure.code != Reason.RESERVATION_MISMATCH or failure.reserved_node:
        return failure
    message = f"Reserved at {node!r}, moved at {failure.line_node!r}: nothing is offset."
    return Failure(failure.code, message, failure.line_node, node)


def _shares(line: Line, offset: Offset, room: dict[str, int]) -> list[tuple[str, int]]:
    """(hold id, quantity) pairs: each hold gives what it has, the last one is asked for the rest.

    An empty hold id stands for the shared pool.
    """
    rest = offset.quantity - offset.consumed
    if offset.holds:
        own = []
        for one in offset.holds:
            own.append((one.hold_id, min(rest, one.quantity)))
            rest -= own[-1][1]
        return own
    ids = line.reservation.hold_ids
    if not ids:
        return [("", rest)]
    shares = []
    for hold_id in ids:
        taken = min(rest, room.get(hold_id, 0))
        room[hold_id] = room.get(hold_id, 0) - taken
        rest -= taken
        shares.append((hold_id, taken))
    last, taken = shares[-1]
    return [*shares[:-1], (last, taken + rest)]


def hold_ids(line: Line) -> list[str]:
    """Holds that posting the line has to know."""
    pending = [one for one in line.offsets if one.state == "pending"]
    if not pending:
        return []
    soft = [hold.hold_id for one in pending for hold in one.holds]
    return [*soft, *line.reservation.hold_ids]
