"""The group of one line: its changes, its offsets and its document, built again whenever the rules change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from onhand.core.commands import DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.erp import intake, lines, posting
from onhand.core.erp.parameters import Parameters
from onhand.core.erp.posting import Aim, Plan
from onhand.core.erp.targets import HoldFacts
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.rows import DocumentRow


class LinePosting:
    """Builds the group of one line, again whenever the rules change, and notes the state that it leaves."""

    def __init__(self, row: DocumentRow, parameters: Parameters, facts: Mapping[str, HoldFacts]) -> None:
        self.row = row
        self.state = ""
        self.offsets: Counter[str] = Counter()
        """State -> offsets that the group leaves in it."""
        self.failures: Counter[str] = Counter()
        """Reason -> offsets that it puts on the failed list."""
        self._parameters = parameters
        self._facts = facts
        self._nodes: dict[str, str] = {}
        self._left_out: dict[Aim, Rejected] = {}
        self._plan: Plan | None = None
        self._built: tuple[Rules, Group | Rejected] | None = None
        self._line = lines.decode(row.body)

    def __call__(self, rules: Rules) -> Group | Rejected:
        """The group under these rules; built once for the same ones."""
        if self._built is None or self._built[0] is not rules:
            self._built = (rules, self._build(rules))
        return self._built[1]

    def _build(self, rules: Rules) -> Group | Rejected:
        made = posting.plan(rules, self._line, self._parameters, self._facts, self._left_out, self._nodes)
        if isinstance(made, Rejected):
            return made
        self._plan = made
        return Group(
            commands=tuple(made.commands),
            documents=(self.row.key,),
            finish=lambda concluded: self._finish(made, concluded),
        )

    @property
    def reservation(self) -> tuple[str, str, str]:
        """(organization, product, reservation id) that the line names."""
        return self._line.organization, self._line.product, self._line.reservation.reservation_id

    def lost(self, rules: Rules) -> bool:
        """Whether the line names a reservation id that is not that of the node where it stands."""
        self(rules)
        if self._plan is None or not self._line.reservation.reservation_id:
            return False
        return any(
            one.code == Reason.RESERVATION_MISMATCH and not one.reserved_node
            for failures in self._plan.failures.values()
            for one in failures
        )

    def found(self, node: str) -> None:
        """Where the reservation is, so that both nodes are shown."""
        self._nodes, self._built = {self._line.reservation.reservation_id: node}, None

    def _finish(self, made: Plan, concluded: Concluded) -> Sequence[DocumentWrite]:
        line = posting.conclude(lines.decode(self.row.body), made, concluded.outcomes, concluded.now)
        line.due_at = concluded.now if line.waits else None
        self.state = line.state
        tried = {one.number for one in self._line.offsets if one.state == "pending"}
        settled = [one for one in line.offsets if one.number in tried and one.state != "pending"]
        self.offsets = Counter(one.state for one in settled)
        self.failures = Counter(one.code for one in settled if one.state in lines.FAILED)
        return (intake.write(self.row.key, self.row.version, line),)

    def leave_out(self, outcome: GroupOutcome) -> bool:
        """Leave out the offset that the engine refused; False when it was something else."""
        if self._plan is None:
            return False
        aims = dict(self._plan.offsets)
        for place, one in enumerate(outcome.outcomes):
            if isinstance(one, Rejected) and one.reason is not Reason.GROUP_MEMBER_REFUSED and place in aims:
                self._left_out[aims[place]], self._built = one, None
                return True
        return False
