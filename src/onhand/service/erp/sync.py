"""The synchronisation: what waits in the lines is posted to stock, each line as one atomic group.

Theory of operation. A line that waits has a time at which it is due. A run takes those that are due, oldest first, reads
the reservations that they name, and submits one group a line: its changes, its offsets and its document. The group is
refused when the document changed meanwhile, and the line is read and tried again, so nothing is posted twice and nothing is
lost; the batcher puts many groups into one commit, where a record that several lines touch is written once. What a run
does not finish stays due, and the run goes on behind it: a line that meets a fault each time, of an environment
that is gone perhaps, keeps no other one waiting. A line that the rules refuse (a measure out of range, a site that is missing) is put on the
failed list with the reason and does not hold the others up.

While an environment's synchronisation is switched off its lines wait without a time; switching it on wakes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog

from onhand.core.commands import DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.erp import intake, lines, posting
from onhand.core.erp.asking import Setting
from onhand.core.erp.lines import Line
from onhand.core.erp.parameters import Parameters
from onhand.core.erp.posting import Aim, Plan
from onhand.core.erp.targets import HoldFacts
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Clock, DocumentRow, Documents
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.erp import parameters as parameters_of
from onhand.service.erp.holds import Holds
from onhand.service.erp.lines import ErpLines, refusal_of
from onhand.service.erp.parameters import ErpParameters
from onhand.service.erp.soft import SoftReservations
from onhand.service.faults import Fault

PAGE: Final = 1_000
"""Due lines that are read at a time."""

ATTEMPTS: Final = 8
"""How often one run tries a line whose document changes, or whose offsets are refused one after the other."""

log = structlog.get_logger("onhand.erp")


class Report(msgspec.Struct):
    """What a run did."""

    posted: int = 0
    """Lines."""
    failed: int = 0
    """Lines with a failed offset, or that could not be posted."""
    faults: int = 0
    """Lines that a fault left waiting."""
    parked: int = 0
    """Lines of environments whose synchronisation is switched off."""

    @property
    def lines(self) -> int:
        """All that were taken up."""
        return self.posted + self.failed + self.faults + self.parked

    def add(self, other: Report) -> None:
        """Sum up."""
        self.posted += other.posted
        self.failed += other.failed
        self.faults += other.faults
        self.parked += other.parked


class ErpSync:
    """Posts lines. Every process may run it; two at once do no harm."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        documents: Documents,
        batcher: Batcher,
        environments: Environments,
        clock: Clock,
        *,
        parameters: ErpParameters,
        lines: ErpLines,
        holds: Holds,
        soft: SoftReservations,
        lines_max: int = 100_000,
    ) -> None:
        """Bound: a run takes `lines_max` lines; the next one goes on behind them."""
        self._documents = documents
        self._batcher = batcher
        self._environments = environments
        self._clock = clock
        self._parameters = parameters
        self._lines = lines
        self._holds = holds
        self._soft = soft
        self._lines_max = lines_max
        self._reached: DocumentRow | None = None
        """Last line of a run that met its bound."""

    async def run(self) -> Report:
        """Post what is due, of all environments. The schedule calls it."""
        await self._wake_due()
        total = Report()
        now, after = self._clock.now_us(), self._reached
        while total.lines < self._lines_max:
            rows = await self._documents.due(lines.KIND, now, PAGE, after)
            for environment in dict.fromkeys(row.key.environment for row in rows):
                mine = [row for row in rows if row.key.environment == environment]
                total.add(await self._of_environment(environment, mine))
            after = rows[-1] if len(rows) == PAGE else None
            if after is None:
                break
        self._reached = after
        if total.faults:
            log.warning("erp_sync_incomplete", lines=total.faults)
        return total

    async def run_now(self, rules: Rules) -> Report:
        """Post everything that waits in one environment, due or not, also while it is switched off."""
        total = Report()
        after: str | None = None
        while total.posted + total.failed < self._lines_max:
            page = await self._documents.find(
                rules.environment, lines.KIND, ("waits=yes",), after=after, limit=PAGE, oldest_first=True
            )
            total.add(await self.post(rules, page.rows))
            after = page.next
            if after is None:
                break
        return total

    async def _wake_due(self) -> None:
        """Wake the lines of environments whose parameters were saved with the synchronisation switched on."""
        now, after = self._clock.now_us(), None
        while True:
            rows = await self._documents.due(parameters_of.KIND, now, PAGE, after)
            for row in rows:
                try:
                    rules = await self._environments.numbered(row.key.environment)
                    await self.wake(rules)
                    await self._parameters.woken(rules, row)
                except Fault as fault:
                    log.warning("erp_lines_sleep", environment=row.key.environment, fault=str(fault))
            if len(rows) < PAGE:
                return
            after = rows[-1]

    async def wake(self, rules: Rules) -> int:
        """Make everything that waits in an environment due, after its synchronisation was switched on."""
        woken = 0
        after: str | None = None
        while True:
            page = await self._documents.find(
                rules.environment, lines.KIND, ("waits=yes",), after=after, limit=PAGE, oldest_first=True
            )
            sleeping = [row.key.id for row in page.rows if row.due_at is None]
            await asyncio.gather(*(self._lines.change(rules, one, _as_it_is) for one in sleeping))
            woken += len(sleeping)
            after = page.next
            if after is None:
                return woken

    async def post_lines(self, rules: Rules, line_ids: Sequence[str]) -> Report:
        """Post these lines now (direct mode)."""
        rows = await self._lines.rows(rules, line_ids)
        return await self.post(rules, [row for row in rows if "waits=yes" in row.labels])

    async def _of_environment(self, environment: int, rows: Sequence[DocumentRow]) -> Report:
        try:
            rules = await self._environments.numbered(environment)
            parameters = await self._parameters.of(rules)
            if parameters.sync_enabled:
                return await self.post(rules, rows)
            await asyncio.gather(*(self._lines.change(rules, row.key.id, _as_it_is) for row in rows))
        except Fault as fault:
            log.warning("erp_environment_waits", environment=environment, fault=str(fault))
            return Report(faults=len(rows))
        return Report(parked=len(rows))

    async def post(self, rules: Rules, rows: Sequence[DocumentRow]) -> Report:
        """Post lines, so many at a time as the environment's batch size says."""
        parameters = await self._parameters.of(rules)
        report = Report()
        for start in range(0, len(rows), parameters.batch_size):
            batch = [(row, lines.decode(row.body)) for row in rows[start : start + parameters.batch_size]]
            wanted = {one for _, line in batch for one in posting.hold_ids(line)}
            facts = await self._holds.facts(rules.environment, wanted)
            for done in await asyncio.gather(
                *(self._post_line(rules, parameters, row, facts) for row, _ in batch)
            ):
                report.add(done)
        return report

    async def _post_line(
        self, rules: Rules, parameters: Parameters, row: DocumentRow, facts: Mapping[str, HoldFacts]
    ) -> Report:
        try:
            for _ in range(ATTEMPTS):
                worked = await self._soft.work(rules, row)
                if worked is None or "waits=yes" not in worked.labels:
                    return Report(posted=1)
                row = worked
                one = _Posting(row, parameters, facts)
                if one.lost(rules):
                    one.found(await self._holds.node_of(rules, *one.reservation))
                state = await self._submit(rules, one)
                if state is not None and state != "pending":
                    return Report(failed=1) if state == "failed" else Report(posted=1)
                read = await self._documents.document(row.key)
                if read is None or "waits=yes" not in read.labels:
                    return Report()
                row = read
                facts = {
                    **facts,
                    **await self._holds.facts(row.key.environment, posting.hold_ids(lines.decode(row.body))),
                }
        except Fault as fault:
            log.debug("erp_line_waits", line=row.key.id, fault=str(fault))
        return Report(faults=1)

    async def _submit(self, rules: Rules, one: _Posting) -> str | None:
        """State of the line afterwards; None: its document changed meanwhile, read it again."""
        for _ in range(ATTEMPTS):
            outcome = await self._batcher.submit(rules, one)
            if isinstance(outcome, GroupOutcome) and outcome.accepted:
                return one.state
            refusal = refusal_of(outcome)
            if refusal.reason is Reason.STALE_DOCUMENT:
                return None
            if isinstance(outcome, GroupOutcome) and one.leave_out(outcome):
                continue
            return await self._refuse(rules, one.row, refusal)
        return None

    async def _refuse(self, rules: Rules, row: DocumentRow, why: Rejected) -> str | None:
        """Put the line that was refused on the failed list; None: it is another one by now, and is judged again."""

        def note(line: Line, _setting: Setting) -> Line:
            line.refused = f"{why.reason}: {why.message}"
            return line

        noted = await self._lines.change(rules, row.key.id, note, at=row.version)
        return None if isinstance(noted, Rejected) else "failed"


class _Posting:
    """Builds the group of one line, again whenever the rules change, and notes the state that it leaves."""

    def __init__(self, row: DocumentRow, parameters: Parameters, facts: Mapping[str, HoldFacts]) -> None:
        self.row = row
        self.state = ""
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


def _as_it_is(line: Line, _setting: Setting) -> Line:
    """Nothing but its due time changes."""
    return line
