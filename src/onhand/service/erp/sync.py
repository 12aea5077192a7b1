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
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog

from onhand.core.erp import lines, posting
from onhand.core.erp.asking import Setting
from onhand.core.erp.lines import Line
from onhand.core.erp.parameters import Parameters
from onhand.core.erp.targets import HoldFacts
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Clock, Documents, Probe
from onhand.rows import DocumentRow
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.erp import parameters as parameters_of
from onhand.service.erp.holds import Holds
from onhand.service.erp.line_posting import LinePosting
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
    """What a run did, over all environments or in one."""

    posted: int = 0
    """Lines."""
    failed: int = 0
    """Lines with a failed offset, or that could not be posted."""
    faults: int = 0
    """Lines that a fault left waiting."""
    parked: int = 0
    """Lines of environments whose synchronisation is switched off."""
    offsets: Counter[str] = msgspec.field(default_factory=Counter)
    """State -> offsets that ended in it."""
    failures: Counter[str] = msgspec.field(default_factory=Counter)
    """Reason -> offsets and lines that were put on the failed list."""
    oldest_at: int | None = None
    """When the oldest message came that waited in a line which was taken up."""

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
        self.offsets.update(other.offsets)
        self.failures.update(other.failures)
        self.waited_since(other.oldest_at)

    def waited_since(self, at: int | None) -> None:
        """Note a message that waited."""
        if at is not None:
            self.oldest_at = at if self.oldest_at is None else min(self.oldest_at, at)


class ErpSync:
    """Posts lines. Every process may run it; two at once do no harm."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        documents: Documents,
        batcher: Batcher,
        environments: Environments,
        clock: Clock,
        *,
        probe: Probe,
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
        self._probe = probe
        self._parameters = parameters
        self._lines = lines
        self._holds = holds
        self._soft = soft
        self._lines_max = lines_max
        self._reached: DocumentRow | None = None
        """Last line of a run that met its bound."""

    async def run(self) -> Report:
        """Post what is due, of all environments. The schedule calls it."""
        began, now = time.perf_counter(), self._clock.now_us()
        total = Report()
        await self._wake_due()
        after = self._reached
        while total.lines < self._lines_max:
            rows = await self._documents.due(lines.KIND, now, PAGE, after)
            for environment in dict.fromkeys(row.key.environment for row in rows):
                mine = [row for row in rows if row.key.environment == environment]
                total.add(await self._of_environment(environment, mine))
            after = rows[-1] if len(rows) == PAGE else None
            if after is None:
                break
        self._reached = after
        self._tell(total)
        waited = 0.0 if total.oldest_at is None else max(0, now - total.oldest_at) / 1_000_000
        self._probe.erp_run(time.perf_counter() - began, waited)
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
        self._tell(total)
        return total

    def _tell(self, report: Report) -> None:
        """Count what was done."""
        taken = {
            "posted": report.posted,
            "failed": report.failed,
            "waiting": report.faults,
            "parked": report.parked,
        }
        self._probe.erp_lines(taken, report.offsets, report.failures)

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
                except Exception:
                    log.exception("erp_lines_sleep", environment=row.key.environment)
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
        report = await self.post(rules, [row for row in rows if "waits=yes" in row.labels])
        self._tell(report)
        return report

    async def _of_environment(self, environment: int, rows: Sequence[DocumentRow]) -> Report:
        try:
            rules = await self._environments.numbered(environment)
            parameters = await self._parameters.of(rules)
            if parameters.sync_enabled:
                return await self.post(rules, rows)
            await asyncio.gather(*(self._lines.change(rules, row.key.id, _as_it_is) for row in rows))
        except Fault as fault:
            log.warning("erp_environment_waits", environment=environment, fault=str(fault))
        except Exception:
            log.exception("erp_environment_failed", environment=environment)
        else:
            return Report(parked=len(rows))
        return Report(faults=len(rows), oldest_at=rows[0].due_at)

    async def post(self, rules: Rules, rows: Sequence[DocumentRow]) -> Report:
        """Post lines, so many at a time as the environment's batch size says."""
        parameters = await self._parameters.of(rules)
        report = Report()
        for start in range(0, len(rows), parameters.batch_size):
            read = [(row, _read(row)) for row in rows[start : start + parameters.batch_size]]
            batch = [(row, line) for row, line in read if line is not None]
            report.faults += len(read) - len(batch)
            for _, line in batch:
                report.waited_since(min((event.at for event in line.pending), default=None))
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
        report = Report()
        try:
            for _ in range(ATTEMPTS):
                worked = await self._soft.work(rules, row)
                if worked is None or "waits=yes" not in worked.labels:
                    report.posted = 1
                    return report
                row = worked
                one = LinePosting(row, parameters, facts)
                if one.lost(rules):
                    one.found(await self._holds.node_of(rules, *one.reservation))
                state = await self._submit(rules, one, report)
                if state is not None and state != "pending":
                    report.failed, report.posted = (1, 0) if state == "failed" else (0, 1)
                    return report
                read = await self._documents.document(row.key)
                if read is None or "waits=yes" not in read.labels:
                    return report
                row = read
                facts = {
                    **facts,
                    **await self._holds.facts(row.key.environment, posting.hold_ids(lines.decode(row.body))),
                }
        except Fault as fault:
            log.debug("erp_line_waits", line=row.key.id, fault=str(fault))
        except Exception:
            log.exception("erp_line_failed", line=row.key.id)
        report.faults = 1
        return report

    async def _submit(self, rules: Rules, one: LinePosting, report: Report) -> str | None:
        """State of the line afterwards; None: its document changed meanwhile, read it again."""
        for _ in range(ATTEMPTS):
            outcome = await self._batcher.submit(rules, one)
            if isinstance(outcome, GroupOutcome) and outcome.accepted:
                report.offsets.update(one.offsets)
                report.failures.update(one.failures)
                return one.state
            refusal = refusal_of(outcome)
            if refusal.reason is Reason.STALE_DOCUMENT:
                return None
            if isinstance(outcome, GroupOutcome) and one.leave_out(outcome):
                continue
            if await self._refuse(rules, one.row, refusal):
                report.failures[refusal.reason] += 1
                return "failed"
            return None
        return None

    async def _refuse(self, rules: Rules, row: DocumentRow, why: Rejected) -> bool:
        """Put the line that was refused on the failed list; False: it is another one by now, and is judged again."""

        def note(line: Line, _setting: Setting) -> Line:
            line.refused = f"{why.reason}: {why.message}"
            return line

        noted = await self._lines.change(rules, row.key.id, note, at=row.version)
        return not isinstance(noted, Rejected)


def _read(row: DocumentRow) -> Line | None:
    """The line; None when it cannot be read, by a version that is older than the one that wrote it perhaps."""
    try:
        return lines.decode(row.body)
    except msgspec.MsgspecError:
        log.exception("erp_line_unreadable", line=row.key.id)
        return None


def _as_it_is(line: Line, _setting: Setting) -> Line:
    """Nothing but its due time changes."""
    return line
