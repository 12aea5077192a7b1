"""A part of a batch: submissions that are decided together, and what can be told of them without deciding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from onhand.core.commands import (
    AnyCommand,
    AttachHold,
    ChangeOnHand,
    ClearReserved,
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
    Wipe,
    Work,
)
from onhand.core.outcomes import Accepted, GroupOutcome, Outcome, Rejected, Replayed
from onhand.core.rules import Rules
from onhand.core.snapshot import Decision, Snapshot
from onhand.service.faults import Fault, InvariantViolation, OutcomeUnknown
from onhand.service.submissions import Submission

log = structlog.get_logger("onhand.batcher")

_NAMES: dict[type, str] = {
    ChangeOnHand: "change",
    SetOnHand: "set",
    Reserve: "reserve",
    Reverse: "reverse",
    Unreserve: "unreserve",
    ReleaseHold: "release",
    ExtendHold: "extend",
    Offset: "offset",
    ReleaseDue: "expire",
    ClearReserved: "clear",
    Wipe: "wipe",
    TopUpHold: "top-up",
    AttachHold: "attach",
    MarkHold: "mark",
    LowerReserved: "lower",
    SettleReserved: "settle",
}
"""Command types as metrics and logs name them."""


@dataclass(slots=True)
class Part:
    """Submissions that are decided together, and how their attempts went."""

    waiting: list[Submission]
    conflicts: int = 0
    outages: int = 0
    rebuilds: int = 0
    decided: Decision | None = None
    """What the last unit decided; its outcomes are in the order of `waiting`."""
    committing: bool = False
    """The commit of `decided` was sent and has not been answered."""
    committed: bool = False
    uncertain: Decision | None = None
    """Decision whose commit was sent and whose answer was lost."""
    settle_until: float = 0.0
    """Time of the event loop; 0 while no answer was lost."""
    outdated: list[str] = field(default_factory=list)
    """Ids of the environments whose configuration the last unit found changed."""
    timings: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Seconds of gather, decide and commit of the last unit."""
    late: Decision | None = None
    """Decision of `waiting`, as it stands, whose commit held no locks and whose answer was lost (ADR 27): it may be carried out at
    any time, until what it was decided on has changed. So it is looked for in each snapshot, nothing drops out, and
    nobody is told that nothing was recorded."""

    def fail(self, fault: Fault) -> None:
        """Answer all with the fault."""
        for submission in self.waiting:
            submission.fail(fault)
        self.waiting = []


def rules_of(waiting: Sequence[Submission], snapshot: Snapshot) -> tuple[dict[int, Rules], list[str]]:
    """Rules by environment, and the ids of the environments whose submissions have to be built again."""
    rules: dict[int, Rules] = {}
    outdated: dict[str, None] = {}
    last: Rules | None = None
    for submission in waiting:
        built_with = submission.rules
        if built_with is last:
            continue
        last = built_with
        rules[built_with.environment] = built_with
        if snapshot.configuration.get(built_with.environment) != built_with.version:
            outdated[built_with.environment_id] = None
    return rules, list(outdated)


def build_again(submission: Submission, rules: Rules) -> None:
    """Build a submission with other rules; one that is now refused, or fails to build, is answered."""
    try:
        work = submission.build(rules)
    except Exception as error:
        log.exception("build_failed", environment_id=rules.environment_id)
        submission.fail(violation(error))
        return
    if isinstance(work, Rejected):
        submission.reply(work)
    else:
        submission.work, submission.rules = work, rules


def landed(lost: Decision, snapshot: Snapshot) -> bool:
    """Whether the commit of a decision took place, told from the ids and the documents that it wrote.

    A document that somebody has changed since tells nothing; then the ids decide, and without any it counts as not landed.
    """
    for new in lost.ids:
        seen = snapshot.ids.get((new.environment, new.kind, new.id))
        if seen is None or seen.fingerprint != new.fingerprint or seen.accepted != new.accepted:
            return False
    told = bool(lost.ids)
    for expected, write in _net_writes(lost.documents):
        document = snapshot.documents.get(write.key)
        if document is None:  # a new one that nobody asked for: what it came with tells
            continue
        version, body = document.version, document.body
        if version == write.version:
            if body != (b"" if write.delete else write.body):
                return False
            told = True
        elif version == expected or version < write.version or not lost.ids:
            return False
    return told


def _net_writes(writes: Sequence[DocumentWrite]) -> Iterator[tuple[int, DocumentWrite]]:
    """The last write of each document with the version that the first one expected; nothing for made and deleted ones."""
    expected: dict[DocumentKey, int] = {}
    for write in writes:
        expected.setdefault(write.key, write.expected_version)
    for key, write in {write.key: write for write in writes}.items():
        if expected[key] or not write.delete:
            yield expected[key], write


def _commands(works: Iterable[Work]) -> Iterator[AnyCommand]:
    for work in works:
        if isinstance(work, Group):
            yield from work.commands
        else:
            yield work


def events(
    waiting: Sequence[Submission], outcomes: Sequence[Outcome | GroupOutcome]
) -> dict[tuple[str, str, str], int]:
    """Commands by (kind, outcome, reason). Counted by type first: a batch has few types and many commands."""
    counted: dict[tuple[str, str, str], int] = {}
    types = Counter(zip([type(one.work) for one in waiting], map(type, outcomes), strict=True))
    for (work_type, outcome_type), number in types.items():
        if outcome_type is Accepted or outcome_type is Replayed:
            counted[_NAMES[work_type], outcome_type.__name__.lower(), ""] = number
    if len(counted) == len(types):
        return counted
    for submission, outcome in zip(waiting, outcomes, strict=True):
        pairs: Iterable[tuple[AnyCommand, Outcome]] = ()
        if isinstance(outcome, Rejected):
            pairs = ((command, outcome) for command in _commands([submission.work]))
        elif isinstance(outcome, GroupOutcome):
            pairs = zip(_commands([submission.work]), outcome.outcomes, strict=True)
        for command, result in pairs:
            reason = result.reason.value if isinstance(result, Rejected) else ""
            key = _NAMES[type(command)], type(result).__name__.lower(), reason
            counted[key] = counted.get(key, 0) + 1
    return counted


def oversold(outcomes: Iterable[Outcome | GroupOutcome]) -> int:
    """How many checked reservations were accepted beyond what was available: none, or `decide` is wrong (I1)."""
    return sum(1 for outcome in outcomes if type(outcome) is Accepted and outcome.available < 0)


def name(work: Work) -> str:
    """What a log line says about a submission."""
    return "group" if isinstance(work, Group) else f"{_NAMES[type(work)]} {work.id}"


def unknown() -> OutcomeUnknown:
    """The fault of who cannot be told whether the commit took place."""
    return OutcomeUnknown(
        "The commit was sent and its answer lost; send the same request with the same id again."
    )


def violation(error: Exception) -> InvariantViolation:
    """The fault that stands for a contradiction in the stored state or a defect of ours."""
    if isinstance(error, InvariantViolation):
        return error
    made = InvariantViolation(
        f"The batch could not be decided ({type(error).__name__}); nothing was recorded."
    )
    made.__cause__ = error
    return made
