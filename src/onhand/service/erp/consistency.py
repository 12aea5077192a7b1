"""Consistency checks of a data source: the figures are collected, compared in the background, corrected after approval.

Theory of operation. A check is a document. The figures come in numbered parts in any order; each is merged into one
document for each product, once however often it is sent, and nothing is held in memory. Comparing and
correcting are long: the process that is asked starts them, and the check's due time lets any other one go on where they
stopped. Every page of work is one group with the check's own document, so what was done is done once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import uuid4

import structlog

from onhand.core.commands import DocumentKey, DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.erp import checks
from onhand.core.erp.checks import Approval, Check, Covers, Figures, Record
from onhand.core.erp.figure_records import FigureRecord, source_of
from onhand.core.fingerprints import digest
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Clock, Documents, Reader
from onhand.rows import Page
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.erp.comparison import LEASE_US, Comparison
from onhand.service.erp.corrections import Corrections
from onhand.service.faults import Fault, UnknownEnvironment

RECORDS_MAX: Final = 512
"""Records of one part."""

AGE_MAX_US: Final = 7 * 86_400 * 1_000_000
"""Figures that were taken longer ago (seven days) are not compared: too much has moved since."""

KEPT_US: Final = 30 * 86_400 * 1_000_000
"""A check is forgotten thirty days after its last step."""

DUE_MAX: Final = 100
"""Checks that one run of the schedule looks at."""

FORGET_PAGE: Final = 200

log = structlog.get_logger("onhand.erp.checks")

Change = Callable[[Check], Rejected | None]
"""Changes a fresh copy of a check, or says why not."""


class Consistency:
    """Opens, fills, runs and shows checks."""

    def __init__(
        self,
        documents: Documents,
        reader: Reader,
        batcher: Batcher,
        environments: Environments,
        clock: Clock,
    ) -> None:
        self._documents = documents
        self._batcher = batcher
        self._environments = environments
        self._clock = clock
        self._comparison = Comparison(documents, reader, batcher, clock)
        self._corrections = Corrections(documents, reader, batcher, clock)
        self._running: dict[str, asyncio.Task[None]] = {}

    # Collecting --------------------------------------------------------------------------------------------

    async def open(
        self, rules: Rules, source: str, covers: Covers, taken_at: int | None, by: str
    ) -> Check | Rejected:
        """A new check. `taken_at` None: the figures are taken now."""
        known = source_of(rules, source)
        if isinstance(known, Rejected):
            return known
        now = self._clock.now_us()
        taken = now if taken_at is None else taken_at
        if not now - AGE_MAX_US <= taken <= now + 60_000_000:
            return Rejected(
                Reason.INVALID_VALUE,
                "takenAt is when the source took its figures: within the last seven days, and not in the future.",
            )
        made = Check(id=uuid4().hex, source=known, covers=covers, taken_at=taken, opened_at=now, opened_by=by)
        key = checks.check_key(rules.environment, made.id)
        write = checks.write_check(key, 0, made, now + KEPT_US)
        await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=(key,), finish=lambda _: (write,))
        )
        return made

    async def add(
        self, rules: Rules, check_id: str, part: int, records: Sequence[FigureRecord]
    ) -> Check | Rejected:
        """Add a part of the figures, at most `RECORDS_MAX` records of the check's source; sent again, it is a repeat.

        What several records say of one measure at one position is added up.
        """
        if not 0 < part <= checks.PARTS_MAX:
            return Rejected(Reason.LIMIT_REACHED, f"The number of a part is from 1 to {checks.PARTS_MAX:,}.")
        key = checks.check_key(rules.environment, check_id)
        figures = {checks.figures_key(check_id, one.key): one for one in records}
        answer: Check | Rejected = unknown(check_id)

        def finish(concluded: Concluded) -> Sequence[DocumentWrite] | Rejected:
            nonlocal answer
            head, *rest = concluded.documents
            answer = unknown(check_id)
            if not head.version:
                return answer
            check = checks.decode_check(head.body)
            new = _collected(check, str(part), records)
            if isinstance(new, Rejected):
                answer = new
                return new
            answer = check
            if not new:
                return ()
            merged = _merged(check_id, records, {one.key: one.body for one in rest})
            versions = {one.key: one.version for one in rest}
            return (
                checks.write_check(key, head.version, check, concluded.now + KEPT_US),
                *(checks.write_figures(at, versions[at], one) for at, one in merged.items()),
            )

        outcome = await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=(key, *figures), finish=finish)
        )
        return outcome if isinstance(outcome, Rejected) else answer

    # Work --------------------------------------------------------------------------------------------------

    async def start(self, rules: Rules, check_id: str) -> Check | Rejected:
        """Begin to compare; asking again while it runs changes nothing."""

        def begin(check: Check) -> Rejected | None:
            if check.state == "comparing":
                return None
            if check.state != "collecting":
                return _not_ready(check, "It was compared already; open another check.")
            if not check.parts:
                return _not_ready(check, "It has no figures yet: upload them first.")
            check.state, check.progress, check.compared_at = "comparing", 0, self._clock.now_us()
            return None

        changed = await self._change(rules, check_id, begin, due=True)
        if isinstance(changed, Check):
            self._spawn(rules, check_id)
        return changed

    async def approve(self, rules: Rules, check_id: str, approval: Approval) -> Check | Rejected:
        """Begin to apply what is approved. What was applied before stays, and is not applied again."""

        def begin(check: Check) -> Rejected | None:
            if check.state not in ("ready", "done"):
                return _not_ready(check, "Only a check that was compared can be approved.")
            check.state, check.progress, check.approval = "applying", 0, approval
            return None

        changed = await self._change(rules, check_id, begin, due=True)
        if isinstance(changed, Check):
            self._spawn(rules, check_id)
        return changed

    async def run(self, rules: Rules, check_id: str) -> None:
        """Do what the check's state asks for, to its end.

        Raises:
            Fault: the store stayed away; the schedule goes on with it.
        """
        row = await self._documents.document(checks.check_key(rules.environment, check_id))
        if row is None:
            return
        check = checks.decode_check(row.body)
        if check.state == "comparing":
            await self._comparison.run(rules, check, KEPT_US)
        elif check.state == "applying":
            await self._corrections.run(rules, check, KEPT_US)

    async def run_due(self) -> int:
        """Go on with what a crash or a stop left behind, and forget old checks. The schedule calls it."""
        rows = await self._documents.due(checks.CHECK, self._clock.now_us(), DUE_MAX)
        for row in rows:
            if row.key.id in self._running:
                continue
            try:
                rules = await self._environments.numbered(row.key.environment)
            except UnknownEnvironment:
                continue
            if checks.decode_check(row.body).state in ("comparing", "applying"):
                await self.run(rules, row.key.id)
            else:
                await self.forget(rules, row.key.id)
        return len(rows)

    async def settled(self, check_id: str) -> None:
        """Wait for the work that this process does on a check."""
        task = self._running.get(check_id)
        if task is not None:
            await asyncio.wait([task])

    async def stop(self) -> None:
        """End the work of this process; the schedule resumes it after the next start."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, rules: Rules, check_id: str) -> None:
        if check_id in self._running:
            return
        task = asyncio.create_task(_quietly(self.run(rules, check_id), check_id), name=f"check {check_id}")
        self._running[check_id] = task
        task.add_done_callback(lambda _: self._running.pop(check_id, None))

    async def _change(
        self, rules: Rules, check_id: str, change: Change, *, due: bool = False
    ) -> Check | Rejected:
        key = checks.check_key(rules.environment, check_id)
        answer: Check | Rejected = unknown(check_id)

        def finish(concluded: Concluded) -> Sequence[DocumentWrite] | Rejected:
            nonlocal answer
            (head,) = concluded.documents
            answer = unknown(check_id)
            if not head.version:
                return answer
            check = checks.decode_check(head.body)
            answer = change(check) or check
            if isinstance(answer, Rejected):
                return answer
            return (
                checks.write_check(key, head.version, check, concluded.now + (LEASE_US if due else KEPT_US)),
            )

        outcome = await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=(key,), finish=finish)
        )
        return outcome if isinstance(outcome, Rejected) else answer

    # Reading -----------------------------------------------------------------------------------------------

    async def read(self, rules: Rules, check_id: str) -> Check | None:
        """One check."""
        row = await self._documents.document(checks.check_key(rules.environment, check_id))
        return None if row is None else checks.decode_check(row.body)

    async def find(self, rules: Rules, source: str | None, after: str | None, limit: int) -> Page:
        """Checks, newest first."""
        labels = [f"source={source.strip().lower()}"] if source else []
        return await self._documents.find(rules.environment, checks.CHECK, labels, after=after, limit=limit)

    async def findings(
        self, rules: Rules, check_id: str, labels: Sequence[str], after: str | None, limit: int
    ) -> Page:
        """Documents of findings, one for each product, in the order they were found; `labels` narrow them."""
        return await self._documents.find(
            rules.environment,
            checks.FINDINGS,
            [f"check={check_id}", *labels],
            after=after,
            limit=limit,
            oldest_first=True,
        )

    async def forget(self, rules: Rules, check_id: str) -> bool:
        """Remove a check with all that belongs to it; False when there is none. What was applied stays applied."""
        task = self._running.get(check_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        for kind in (checks.FIGURES, checks.FINDINGS):
            while rows := (
                await self._documents.find(
                    rules.environment, kind, [f"check={check_id}"], limit=FORGET_PAGE, oldest_first=True
                )
            ).rows:
                await self._remove(rules, [row.key for row in rows])
        key = checks.check_key(rules.environment, check_id)
        if await self._documents.document(key) is None:
            return False
        await self._remove(rules, [key])
        return True

    async def _remove(self, rules: Rules, keys: Sequence[DocumentKey]) -> None:
        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            return [
                DocumentWrite(one.key, one.version, b"", delete=True)
                for one in concluded.documents
                if one.version
            ]

        await self._batcher.submit(rules, lambda _: Group(commands=(), documents=tuple(keys), finish=finish))


async def _quietly(work: Awaitable[None], check_id: str) -> None:
    """Run in the background; what fails stays due and is taken up by the schedule."""
    try:
        await work
    except Fault as fault:
        log.warning("check_interrupted", check=check_id, fault=str(fault))
    except Exception:
        log.exception("check_failed", check=check_id)


def _collected(check: Check, part: str, records: Sequence[FigureRecord]) -> bool | Rejected:
    """Note a part in the check; False when it is there already."""
    content = digest(
        [(one.key.organization, one.key.product, one.position.key, one.values) for one in records]
    )
    if part in check.parts and check.parts[part][1] != content:
        return Rejected(
            Reason.PAYLOAD_MISMATCH,
            f"Part {part} came before with other records. Give these a part of their own, or open another check.",
        )
    if part in check.parts:
        return False
    if check.state != "collecting":
        return _not_ready(check, "Its figures are complete; open another check for others.")
    check.parts[part] = (len(records), content)
    for one in records:
        check.organizations.setdefault(one.key.organization, one.organization)
    check.measures = sorted({*check.measures, *(name for one in records for name in one.values)})
    if len(check.measures) > checks.MEASURES_MAX or len(check.organizations) > checks.ORGANIZATIONS_MAX:
        return Rejected(
            Reason.LIMIT_REACHED,
            f"A check has at most {checks.MEASURES_MAX} measures and {checks.ORGANIZATIONS_MAX:,} organizations: "
            "check them one after the other.",
        )
    return True


def _merged(
    check_id: str, records: Sequence[FigureRecord], stored: dict[DocumentKey, bytes]
) -> dict[DocumentKey, Figures]:
    """The figures of each product with these records added."""
    made: dict[DocumentKey, Figures] = {}
    for one in records:
        at = checks.figures_key(check_id, one.key)
        if at not in made:
            made[at] = (
                checks.decode_figures(stored[at])
                if stored[at]
                else Figures(
                    check=check_id,
                    organization=one.organization,
                    product=one.product,
                    key=(one.key.k, one.key.organization, one.key.product),
                )
            )
        record = made[at].records.setdefault(one.position.key, Record(at=dict(one.position.shown), values={}))
        for name, value in one.values.items():
            record.values[name] = record.values.get(name, 0) + value
    return made


def unknown(check_id: str) -> Rejected:
    """No such check."""
    return Rejected(Reason.UNKNOWN_CHECK, f"There is no consistency check {check_id[:100]!r}.")


def _not_ready(check: Check, why: str) -> Rejected:
    return Rejected(Reason.CHECK_NOT_READY, f"The check is {check.state!r}. {why}")
