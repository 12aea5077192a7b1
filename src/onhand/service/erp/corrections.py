"""Correcting: what was approved of a check is posted, each product as one group with its findings.

A missing event may come between the look and the correction; then the correction would count it twice. So the ledger is
read again, what has come since is settled without a correction, and the group is refused when the place moved between that
reading and its decision: then it is read once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from onhand.core.commands import ChangeOnHand, DocumentWrite, Group, Kind
from onhand.core.concluding import Concluded
from onhand.core.dimensions import name_dimensions, on_hand_position
from onhand.core.erp import checks
from onhand.core.erp.checks import Approval, Check, Findings, KeptFinding, SpotChange
from onhand.core.erp.comparing import Change, DifferenceClass, arrived
from onhand.core.erp.figures import ERP_SOURCE
from onhand.core.fingerprints import digest
from onhand.core.keys import Position, ProductKey, decode, encode
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Clock, Documents, Reader
from onhand.rows import DocumentRow, RecentMovement, StockFilter
from onhand.service.batcher import Batcher
from onhand.service.erp.comparison import EPOCH, LEASE_US, TRACES_MAX

PAGE: Final = 100
"""Documents of findings that are read at a time."""

AT_ONCE: Final = 16
"""Products that are corrected at a time; each is a group of its own."""

ATTEMPTS: Final = 8
"""How often a place is read again because it moved."""

SKEW: Final = timedelta(minutes=10)
"""Clocks of processes differ, and a decision is dated before it is committed."""

Totals = Mapping[tuple[str, int], int]
"""(place, measure) -> total."""


class Corrections:
    """Applies what was approved."""

    def __init__(self, documents: Documents, reader: Reader, batcher: Batcher, clock: Clock) -> None:
        self._documents = documents
        self._reader = reader
        self._batcher = batcher
        self._clock = clock

    async def run(self, rules: Rules, check: Check, kept_us: int) -> None:
        """Apply everything that the check's approval names and that is not applied yet.

        Raises:
            Fault: the store stayed away; call it again.
        """
        approval = check.approval
        if approval is None:
            return
        after: str | None = None
        done = 0
        while True:
            page = await self._documents.find(
                rules.environment,
                checks.FINDINGS,
                [f"check={check.id}"],
                any_of=[["state=proposed", "state=refused"]],
                after=after,
                limit=PAGE,
                oldest_first=True,
            )
            for start in range(0, len(page.rows), AT_ONCE):
                await asyncio.gather(
                    *(
                        self._correct(rules, check, approval, row)
                        for row in page.rows[start : start + AT_ONCE]
                    )
                )
            done += len(page.rows)
            after = page.next
            await self._note(rules, check, approval, done, None if after else kept_us)
            if after is None:
                return

    async def _correct(self, rules: Rules, check: Check, approval: Approval, row: DocumentRow) -> None:
        """One product."""
        for _ in range(ATTEMPTS):
            one = checks.decode_findings(row.body)
            if not any(checks.approved(approval, finding) for finding in one.findings):
                return
            product = ProductKey(one.key[0], rules.environment, one.key[1], one.key[2])
            totals = await self._totals(rules, product)
            movements = await self._movements(rules, one, product)
            made = _Correction(check, approval, row, one, product, totals, movements)
            outcome = await self._batcher.submit(rules, made)
            if isinstance(outcome, GroupOutcome) and outcome.accepted:
                return
            refusal = outcome if isinstance(outcome, Rejected) else getattr(outcome, "refusal", None)
            if refusal is None or refusal.reason is not Reason.STALE_DOCUMENT:
                await self._refuse(rules, approval, row, refusal)
                return
            read = await self._documents.document(row.key)
            if read is None:
                return
            row = read
        await self._refuse(rules, approval, row, None)

    async def _totals(self, rules: Rules, product: ProductKey) -> Totals:
        which = StockFilter(
            rules.environment, (product.organization,), (product.product,), None, records=False
        )
        totals: dict[tuple[str, int], int] = {}
        for stock in await self._reader.stock(which, self._clock.now_us()):
            for row in stock.rows:
                at = (_place(rules, row.position), row.measure)
                totals[at] = totals.get(at, 0) + row.own + row.finer
        return totals

    async def _movements(self, rules: Rules, one: Findings, product: ProductKey) -> Sequence[RecentMovement]:
        names = {change.measure for finding in one.findings for change in finding.changes}
        measures = [number for name in names if (number := _measure(rules, name)) is not None]
        since = EPOCH + timedelta(microseconds=one.looked_at) - SKEW
        rows = await self._reader.recent_movements([product], measures, since, TRACES_MAX)
        return [row for row in rows if row.sequence > one.seen]

    async def _refuse(self, rules: Rules, approval: Approval, row: DocumentRow, why: Rejected | None) -> None:
        """Note why the product could not be corrected."""

        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            (document,) = concluded.documents
            one = checks.decode_findings(document.body)
            for finding in one.findings:
                if checks.approved(approval, finding):
                    finding.state, finding.decided_at = "refused", concluded.now
                    finding.note = why.message if why else "The record moves all the time: approve it again."
            return (checks.write_findings(document.key, document.version, one),)

        await self._batcher.submit(rules, lambda _: Group(commands=(), documents=(row.key,), finish=finish))

    async def _note(
        self, rules: Rules, check: Check, approval: Approval, done: int, finished_us: int | None
    ) -> None:
        """How far it is; at the end, what became of all findings, counted anew."""
        counts = await self._count(rules, check) if finished_us is not None else None
        key = checks.check_key(rules.environment, check.id)

        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            (head,) = concluded.documents
            if not head.version:
                return ()
            stored = checks.decode_check(head.body)
            if stored.state != "applying" or stored.approval != approval:
                return ()
            stored.progress = min(99, done * 100 // max(1, stored.batches))
            if counts is not None:
                stored.state, stored.progress = "done", 100
                stored.applied, stored.settled, stored.refused = counts
            due_at = concluded.now + (LEASE_US if finished_us is None else finished_us)
            return (checks.write_check(key, head.version, stored, due_at),)

        await self._batcher.submit(rules, lambda _: Group(commands=(), documents=(key,), finish=finish))

    async def _count(self, rules: Rules, check: Check) -> tuple[dict[DifferenceClass, int], int, int]:
        applied: dict[DifferenceClass, int] = {}
        settled = refused = 0
        after: str | None = None
        while True:
            page = await self._documents.find(
                rules.environment,
                checks.FINDINGS,
                [f"check={check.id}"],
                after=after,
                limit=PAGE,
                oldest_first=True,
            )
            for row in page.rows:
                for finding in checks.decode_findings(row.body).findings:
                    if finding.state == "applied":
                        applied[finding.kind] = applied.get(finding.kind, 0) + 1
                    settled += finding.state == "settled"
                    refused += finding.state == "refused"
            after = page.next
            if after is None:
                return applied, settled, refused


class _Correction:
    """Builds the group of one product."""

    def __init__(  # noqa: PLR0913 - what a correction is made of
        self,
        check: Check,
        approval: Approval,
        row: DocumentRow,
        one: Findings,
        product: ProductKey,
        totals: Totals,
        movements: Sequence[RecentMovement],
    ) -> None:
        self._check = check
        self._approval = approval
        self._row = row
        self._one = one
        self._product = product
        self._totals = totals
        self._movements = movements

    def __call__(self, rules: Rules) -> Group | Rejected:
        """The group under these rules."""
        chosen = [one for one in self._one.findings if checks.approved(self._approval, one)]
        settled = [one.id for one in chosen if self._came(rules, one)]
        commands: list[ChangeOnHand] = []
        places: set[str] = set()
        for one in chosen:
            if one.id not in settled:
                made = self._commands(rules, one)
                if isinstance(made, Rejected):
                    return made
                commands += made
                places |= {command.position.place for command in made}
        measures = sorted({number for command in commands for number, _ in command.changes})

        def finish(concluded: Concluded) -> Sequence[DocumentWrite] | Rejected:
            for place in places:
                for measure in measures:
                    now = concluded.before(self._product, place, measure)
                    if now != self._totals.get((place, measure), 0):
                        return Rejected(Reason.STALE_DOCUMENT, "The place moved meanwhile: it is read again.")
            one = checks.decode_findings(self._row.body)
            for finding in one.findings:
                if checks.approved(self._approval, finding):
                    finding.state = "settled" if finding.id in settled else "applied"
                    finding.note = "It came meanwhile." if finding.id in settled else ""
                    finding.decided_at = concluded.now
            return (checks.write_findings(self._row.key, self._row.version, one),)

        return Group(
            commands=tuple(commands),
            documents=(self._row.key,),
            places=tuple((self._product, place) for place in sorted(places)),
            finish=finish,
        )

    def _came(self, rules: Rules, finding: KeptFinding) -> bool:
        """Whether what was missing was posted since."""
        for change in finding.changes:
            position, number = _position(rules, change), _measure(rules, change.measure)
            if isinstance(position, Rejected) or number is None:
                return False
            deltas = [
                row.delta for row in self._movements if row.position == position.key and row.measure == number
            ]
            if not arrived(Change(position.key, number, change.theirs, change.ours), deltas):
                return False
        return True

    def _commands(self, rules: Rules, finding: KeptFinding) -> list[ChangeOnHand] | Rejected:
        """One on-hand change for each record of the finding."""
        records: dict[str, tuple[Position, list[tuple[int, int]]]] = {}
        for change in finding.changes:
            position, number = _position(rules, change), _measure(rules, change.measure)
            if isinstance(position, Rejected):
                return position
            if number is None:
                return Rejected(Reason.UNKNOWN_MEASURE, f"{change.measure!r} is not configured any more.")
            records.setdefault(position.key, (position, []))[1].append((number, change.quantity))
        check, approval = self._check, self._approval
        return [
            ChangeOnHand(
                id=f"check:{check.id}:{finding.id}:{place}",
                fingerprint=digest(check.id, finding.id, position.key, changes),
                caller=approval.by,
                product=self._product,
                organization_shown=self._one.organization,
                product_shown=self._one.product,
                kind=Kind.ERP if check.source == ERP_SOURCE else Kind.CHANGE,
                position=position,
                changes=tuple(changes),
                reason=f"{finding.kind}: {approval.reason}"[:200],
            )
            for place, (position, changes) in enumerate(records.values(), start=1)
        ]


def _position(rules: Rules, change: SpotChange) -> Position | Rejected:
    named = name_dimensions(rules, change.at, None)
    return named if isinstance(named, Rejected) else on_hand_position(rules, named)


def _measure(rules: Rules, name: str) -> int | None:
    source, _, measure = name.partition(".")
    return rules.measures.get((source, measure))


def _place(rules: Rules, position: str) -> str:
    return encode(tuple(pair for pair in decode(position) if pair[0] in rules.partition))
