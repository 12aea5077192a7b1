"""The figures of a data source against what is on hand for it: which records differ, and what probably happened.

Theory of operation. The source says what it had at one moment; the ledger says what onhand had then, because a movement
carries the level that it left. Events travel, so a change that the source had counted by then may have come a little later:
a record agrees when the source's figure is what onhand had at that moment or after any of the movements since. What
remains is a difference, and the correction is always the difference itself: added to the record it makes both sides equal.
The class only says what to look for in the source. A record that moved since the figures were taken is marked: its
difference may be one that is still on its way.

Classes, tried in this order, because each needs less evidence than the one before:

- wrong dimension: the source has more at one record and exactly as much less at another one of the product;
- double post: the ledger has the same change again, by the same caller, soon after the first, once or more too often;
- only there, only here: the other side has no such record; or onhand has an event that explains it and the source not;
- missed event: the record is known on both sides and the source has moved it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

Spot = tuple[str, int]
"""(position key, measure id)."""

DifferenceClass = Literal["missedEvent", "doublePost", "wrongDimension", "onlyHere", "onlyThere"]
CLASSES: Final[tuple[DifferenceClass, ...]] = (
    "missedEvent", "doublePost", "wrongDimension", "onlyHere", "onlyThere",
)  # fmt: skip

TWINS_WITHIN_US: Final = 3_600_000_000
"""Two equal changes of one caller that are further apart (an hour) are not taken for one event that was posted twice."""

EVIDENCE_MAX: Final = 10
"""Command ids that a finding names."""

PAIRS_MAX: Final = 10_000
"""Pairs of one amount that are looked at; an amount that differs more often tells nothing."""


class Trace(msgspec.Struct, frozen=True):
    """A movement of the ledger, as far as a comparison needs it."""

    sequence: int
    at: int
    """Microseconds since 1970."""
    position: str
    measure: int
    delta: int
    level: int
    """After it."""
    command_id: str
    caller: str


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """One product on both sides; quantities are scaled."""

    theirs: Mapping[Spot, int]
    """What the source says."""
    listed: Collection[str]
    """Positions that the source's figures name at all."""
    ours: Mapping[Spot, int]
    """What is on hand now."""
    waiting: Sequence[tuple[Spot, int, int]] = ()
    """(spot, change, time) of what came and is not posted yet."""
    traces: Sequence[Trace] = ()
    """Recent movements, oldest first."""
    taken_at: int
    """When the source took its figures."""
    measures: Collection[int]
    """What is compared."""
    whole: bool
    """A record that the source does not name has nothing there."""


class Change(msgspec.Struct, frozen=True):
    """One spot of a finding."""

    position: str
    measure: int
    theirs: int
    ours: int
    """When the figures were taken, with what was on its way then."""

    @property
    def quantity(self) -> int:
        """The correction."""
        return self.theirs - self.ours


class Finding(msgspec.Struct, frozen=True):
    """Something that differs, and the changes that correct it together."""

    kind: DifferenceClass
    changes: tuple[Change, ...]
    evidence: tuple[str, ...] = ()
    """Ids of the commands that probably caused it."""
    moving: bool = False
    """A record of it moved since the figures were taken: look again before it is corrected."""


def compare(sides: Sides) -> list[Finding]:
    """Everything that differs, in the order of positions; O(records + movements)."""
    recent: dict[Spot, list[Trace]] = defaultdict(list)
    for trace in sides.traces:
        recent[trace.position, trace.measure].append(trace)
    late = _late(sides, recent)
    found: dict[Spot, Change] = {}
    for spot in _spots(sides):
        theirs = sides.theirs.get(spot, 0)
        ours = _at_that_time(sides, spot, recent.get(spot, ()))
        if not _explained(theirs - ours, late.get(spot, ())):
            found[spot] = Change(*spot, theirs, ours)
    pairs, single = _wrong_dimensions(found)
    findings = _grouped(
        (
            "wrongDimension",
            change,
            other,
            _unknown_there(other, recent.get((other.position, other.measure), ())),
        )
        for change, other in pairs
    )
    known = {spot[0] for spot, level in sides.ours.items() if level} | {one.position for one in sides.traces}
    findings += _grouped(_single(sides, change, recent, known) for change in single)
    findings.sort(key=lambda one: (one.changes[0].position, one.changes[0].measure))
    return [_marked(one, late) for one in findings]


def _spots(sides: Sides) -> list[Spot]:
    named = {spot for spot in sides.theirs if spot[1] in sides.measures}
    if sides.whole:
        named |= {spot for spot in sides.ours if spot[1] in sides.measures}
        named |= {(one.position, one.measure) for one in sides.traces if one.measure in sides.measures}
        named |= {spot for spot, _, _ in sides.waiting if spot[1] in sides.measures}
    return sorted(named)


def _at_that_time(sides: Sides, spot: Spot, traces: Sequence[Trace]) -> int:
    """Level when the figures were taken, and what was waiting then."""
    level = sides.ours.get(spot, 0)
    if traces:
        # The ledger is read in one piece; the level beside it may already be newer.
        before = [one for one in traces if one.at <= sides.taken_at]
        level = before[-1].level if before else traces[0].level - traces[0].delta
    return level + sum(change for at, change, time in sides.waiting if at == spot and time <= sides.taken_at)


def _late(sides: Sides, recent: Mapping[Spot, Sequence[Trace]]) -> dict[Spot, list[int]]:
    """Changes that came after the figures were taken, in their order."""
    late: dict[Spot, list[tuple[int, int]]] = defaultdict(list)
    for spot, traces in recent.items():
        late[spot] += [(one.at, one.delta) for one in traces if one.at > sides.taken_at and one.delta]
    for spot, change, time in sides.waiting:
        if time > sides.taken_at:
            late[spot].append((time, change))
    return {spot: [change for _, change in sorted(changes)] for spot, changes in late.items() if changes}


def _explained(difference: int, late: Sequence[int]) -> bool:
    """Whether the source had counted the first so many of the changes that came here later."""
    total = 0
    for change in late:
        if difference == total:
            return True
        total += change
    return difference == total


def _wrong_dimensions(found: Mapping[Spot, Change]) -> tuple[list[tuple[Change, Change]], list[Change]]:
    """(source has more, source has less) pairs that cancel, and the rest. Records that share most dimensions first."""
    by_amount: dict[tuple[int, int], list[Change]] = defaultdict(list)
    for change in found.values():
        by_amount[change.measure, change.quantity].append(change)
    pairs: list[tuple[Change, Change]] = []
    used: set[Spot] = set()
    for (measure, quantity), more in sorted(by_amount.items()):
        less = by_amount.get((measure, -quantity), []) if quantity > 0 else []
        if len(more) * len(less) > PAIRS_MAX:
            continue
        for one, other in sorted(
            ((one, other) for one in more for other in less),
            key=lambda pair: (_distance(*pair), pair[0].position, pair[1].position),
        ):
            if not used & {(one.position, measure), (other.position, measure)}:
                used |= {(one.position, measure), (other.position, measure)}
                pairs.append((one, other))
    return pairs, [change for spot, change in found.items() if spot not in used]


def _distance(one: Change, other: Change) -> int:
    """How many dimension values two records do not share."""
    return len(set(one.position.split("&")) ^ set(other.position.split("&")))


def _unknown_there(change: Change, traces: Iterable[Trace]) -> tuple[str, ...]:
    """The latest event here that makes up the difference."""
    return tuple(one.command_id for one in traces if one.delta == -change.quantity)[-1:]


Classified = tuple[DifferenceClass, Change, Change | None, tuple[str, ...]]
"""Class, the change, the other one of a pair, evidence."""


def _single(
    sides: Sides, change: Change, recent: Mapping[Spot, Sequence[Trace]], known: Collection[str]
) -> Classified:
    traces = recent.get((change.position, change.measure), ())
    twice = _posted_twice(change, traces)
    if twice:
        return "doublePost", change, None, twice
    if change.position not in known:
        return "onlyThere", change, None, ()
    if sides.whole and change.position not in sides.listed:
        return "onlyHere", change, None, tuple(one.command_id for one in traces[-EVIDENCE_MAX:])
    event = _unknown_there(change, traces)
    return ("onlyHere" if event else "missedEvent"), change, None, event


def _posted_twice(change: Change, traces: Iterable[Trace]) -> tuple[str, ...]:
    """Ids of the repetitions that make up a difference: equal changes of one caller, each soon after the one before."""
    runs: dict[tuple[int, str], list[list[Trace]]] = defaultdict(list)
    for one in traces:
        if one.delta and change.quantity % one.delta == 0 and (change.quantity < 0) != (one.delta < 0):
            chains = runs[one.delta, one.caller]
            if chains and one.at - chains[-1][-1].at <= TWINS_WITHIN_US:
                chains[-1].append(one)
            else:
                chains.append([one])
    for (delta, _), chains in sorted(runs.items()):
        times = -change.quantity // delta
        for chain in chains:
            if len({one.command_id for one in chain}) > times:
                return tuple(one.command_id for one in chain[-times:])[-EVIDENCE_MAX:]
    return ()


def _grouped(classified: Iterable[Classified]) -> list[Finding]:
    """One finding for all measures of a record (or of two) that have the same class."""
    together: dict[tuple[str, ...], tuple[DifferenceClass, list[Change], list[str]]] = {}
    for kind, change, other, evidence in classified:
        key = (kind, change.position, other.position if other else "")
        _, changes, ids = together.setdefault(key, (kind, [], []))
        changes += [change, other] if other else [change]
        ids += [one for one in evidence if one not in ids]
    return [
        Finding(kind, tuple(changes), tuple(ids[:EVIDENCE_MAX])) for kind, changes, ids in together.values()
    ]


def _marked(finding: Finding, late: Mapping[Spot, Sequence[int]]) -> Finding:
    moving = any((one.position, one.measure) in late for one in finding.changes)
    return msgspec.structs.replace(finding, moving=True) if moving else finding


def arrived(change: Change, movements: Sequence[int]) -> bool:
    """Whether what was missing has come since: the last so many movements of the spot, or one of them, make it up."""
    total = 0
    for delta in reversed(movements):
        total += delta
        if change.quantity in (total, delta):
            return True
    return False
