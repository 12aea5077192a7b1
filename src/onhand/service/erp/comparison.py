"""Comparing: the products of a check page by page, each page one group with its findings.

A page reads the stock of its products, and for those that differ the recent ledger and what waits in the lines of the
ERP. What is found, the figures that are done with and how far the check is are written together, so a comparison that
stops anywhere goes on behind its last page, and two processes at once do no harm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from onhand.core.commands import DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.dimensions import fold, name_dimensions, on_hand_position
from onhand.core.erp import checks, lines
from onhand.core.erp.checks import Check, Figures, Findings, KeptFinding, SpotChange
from onhand.core.erp.comparing import Finding, Sides, Spot, Trace, compare
from onhand.core.keys import Dimensions, ProductKey, decode
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Clock, Documents, Reader
from onhand.rows import DocumentRow, ProductStock, StockFilter
from onhand.service.batcher import Batcher

PAGE: Final = 200
"""Products that are compared and written at a time."""

LEASE_US: Final = 60_000_000
"""A process that did nothing for so long (a minute) has stopped: another one goes on."""

LOOK_BACK: Final = timedelta(days=7)
"""How far before the figures the ledger is asked for what caused a difference."""

TRACES_MAX: Final = 500
"""Movements of one product that are looked at, the newest."""

LINES_PAGE: Final = 500

_SPAN: Final = 1 << 64

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Overtaken(Exception):  # noqa: N818 - not a failure: somebody else does the same work
    """Another process has written the page."""


class Subject(msgspec.Struct):
    """One product of a page."""

    key: ProductKey
    figures: Figures | None
    row: DocumentRow | None
    """Of the figures."""
    stock: ProductStock | None = None
    theirs: dict[Spot, int] = {}
    ours: dict[Spot, int] = {}
    shown: dict[str, Dimensions] = {}

    @property
    def listed(self) -> set[str]:
        """Records that the source names."""
        return {position for position, _ in self.theirs}


class Comparison:
    """Compares checks."""

    def __init__(self, documents: Documents, reader: Reader, batcher: Batcher, clock: Clock) -> None:
        self._documents = documents
        self._reader = reader
        self._batcher = batcher
        self._clock = clock

    async def run(self, rules: Rules, check: Check, kept_us: int) -> None:
        """Compare what is not compared yet. `kept_us`: how long the check is kept afterwards.

        Raises:
            Fault: the store stayed away; call it again.
        """
        try:
            while check.covers == "everything":
                after = None if check.after is None else _product(rules, check.after)
                products = await self._reader.products(rules.environment, after, PAGE)
                if not products:
                    break
                check = await self._page(rules, check, await self._subjects(check, products), products[-1])
            while True:
                page = await self._documents.find(
                    rules.environment, checks.FIGURES, [f"check={check.id}"], limit=PAGE, oldest_first=True
                )
                if not page.rows:
                    break
                check = await self._page(rules, check, [_of_figures(rules, row) for row in page.rows], None)
            await self._write(rules, check, (), _finished, kept_us)
        except _Overtaken:
            return

    async def _subjects(self, check: Check, products: Sequence[ProductKey]) -> list[Subject]:
        mine = [one for one in products if one.organization in check.organizations]
        rows = await self._documents.documents([checks.figures_key(check.id, one) for one in mine])
        found = {row.key: row for row in rows}
        subjects = []
        for one in mine:
            row = found.get(checks.figures_key(check.id, one))
            subjects.append(Subject(one, None if row is None else checks.decode_figures(row.body), row))
        return subjects

    async def _page(
        self, rules: Rules, check: Check, subjects: Sequence[Subject], last: ProductKey | None
    ) -> Check:
        looked_at = self._clock.now_us()
        await self._read_stock(rules, check, subjects)
        measures = [number for name in check.measures if (number := _measure(rules, name)) is not None]
        differing = [one for one in subjects if _differs(one, measures, whole=check.covers != "records")]
        traces = await self._traces(check, differing, measures)
        waiting = await self._waiting(rules, differing)
        documents: list[Findings] = []
        for one in differing:
            sides = Sides(
                theirs=one.theirs,
                listed=one.listed,
                ours=one.ours,
                waiting=waiting.get(one.key, ()),
                traces=traces.get(one.key, ()),
                taken_at=check.taken_at,
                measures=measures,
                whole=check.covers != "records",
            )
            found = compare(sides)
            if found:
                number = check.batches + len(documents) + 1
                documents.append(_kept(rules, check, number, one, found, looked_at, traces.get(one.key, ())))

        def advance(done: Check) -> None:
            done.after = done.after if last is None else (last.k, last.organization, last.product)
            done.products += len(subjects)
            done.batches += len(documents)
            for document in documents:
                for kind, number in checks.counted(document.findings).items():
                    done.found[kind] = done.found.get(kind, 0) + number
                done.moving += sum(one.moving for one in document.findings)
            if last is not None:
                done.progress = min(99, (last.k + _SPAN // 2) * 100 // _SPAN)

        writes = [
            checks.write_findings(checks.findings_key(rules.environment, check.id, one.number), 0, one)
            for one in documents
        ]
        writes += [
            DocumentWrite(one.row.key, one.row.version, b"", delete=True) for one in subjects if one.row
        ]
        return await self._write(rules, check, writes, advance, LEASE_US)

    async def _write(
        self,
        rules: Rules,
        check: Check,
        writes: Sequence[DocumentWrite],
        advance: Callable[[Check], None],
        due_in_us: int,
    ) -> Check:
        """Write a page with the check, if the check is still where it was read."""
        key = checks.check_key(rules.environment, check.id)
        answer = check

        def finish(concluded: Concluded) -> Sequence[DocumentWrite] | Rejected:
            nonlocal answer
            head = concluded.documents[0]
            stored = checks.decode_check(head.body) if head.version else None
            if stored is None or stored != check:
                return Rejected(Reason.STALE_DOCUMENT, "Another process has gone on with the check.")
            advance(stored)
            answer = stored
            return (
                checks.write_check(key, head.version, stored, concluded.now + due_in_us),
                *writes,
            )

        documents = (key, *(one.key for one in writes))
        outcome = await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=documents, finish=finish)
        )
        if not (isinstance(outcome, GroupOutcome) and outcome.accepted):
            raise _Overtaken
        return answer

    # Reading -----------------------------------------------------------------------------------------------

    async def _read_stock(self, rules: Rules, check: Check, subjects: Sequence[Subject]) -> None:
        by_organization: dict[str, list[Subject]] = defaultdict(list)
        for one in subjects:
            by_organization[one.key.organization].append(one)
        for organization, mine in by_organization.items():
            which = StockFilter(
                rules.environment, (organization,), tuple(one.key.product for one in mine), None, records=True
            )
            stocks = await self._reader.stock(which, self._clock.now_us())
            found = {stock.product: stock for stock in stocks}
            for one in mine:
                _fill(rules, check, one, found.get(one.key))

    async def _traces(
        self, check: Check, differing: Sequence[Subject], measures: Sequence[int]
    ) -> dict[ProductKey, list[Trace]]:
        if not differing:
            return {}
        since = EPOCH + timedelta(microseconds=check.taken_at) - LOOK_BACK
        rows = await self._reader.recent_movements(
            [one.key for one in differing], measures, since, TRACES_MAX
        )
        traces: dict[ProductKey, list[Trace]] = defaultdict(list)
        for row in rows:
            traces[row.product].append(
                Trace(
                    row.sequence,
                    row.at,
                    row.position,
                    row.measure,
                    row.delta,
                    row.level,
                    row.command_id,
                    row.caller,
                )
            )
        return traces

    async def _waiting(
        self, rules: Rules, differing: Sequence[Subject]
    ) -> dict[ProductKey, list[tuple[Spot, int, int]]]:
        """Changes that lines of the ERP have brought and that are not posted yet."""
        waiting: dict[ProductKey, list[tuple[Spot, int, int]]] = defaultdict(list)
        by_name = {(one.key.organization, one.key.product): one.key for one in differing}
        names = sorted({f"product={one.key.product.casefold()}" for one in differing})
        after: str | None = None
        while names:
            page = await self._documents.find(
                rules.environment, lines.KIND, ("waits=yes",), any_of=[names], after=after, limit=LINES_PAGE
            )
            for row in page.rows:
                line = lines.decode(row.body)
                key = by_name.get((fold(rules, line.organization), fold(rules, line.product)))
                if key is not None:
                    waiting[key] += _pending(rules, line)
            after = page.next
            if after is None:
                break
        return waiting


def _pending(rules: Rules, line: lines.Line) -> list[tuple[Spot, int, int]]:
    found = []
    for event in line.pending:
        for change in event.changes:
            named = name_dimensions(rules, change.dimensions, None)
            position = named if isinstance(named, Rejected) else on_hand_position(rules, named)
            if isinstance(position, Rejected):
                continue
            for name, quantity in change.figures.items():
                number = _measure(rules, name)
                if number is not None:
                    found.append(((position.key, number), quantity, event.at))
    return found


def _product(rules: Rules, key: tuple[int, str, str]) -> ProductKey:
    k, organization, product = key
    return ProductKey(k, rules.environment, organization, product)


def _of_figures(rules: Rules, row: DocumentRow) -> Subject:
    figures = checks.decode_figures(row.body)
    return Subject(_product(rules, figures.key), figures, row)


def _measure(rules: Rules, name: str) -> int | None:
    source, _, measure = name.partition(".")
    return rules.measures.get((source, measure))


def _fill(rules: Rules, check: Check, one: Subject, stock: ProductStock | None) -> None:
    """Both sides of a product, of the measures that are compared."""
    wanted = {_measure(rules, name) for name in check.measures}
    one.stock, one.theirs, one.ours, one.shown = stock, {}, {}, {}
    if one.figures is not None:
        for position, record in one.figures.records.items():
            one.shown[position] = tuple(record.at.items())
            for name, value in record.values.items():
                number = _measure(rules, name)
                if number is not None:
                    one.theirs[position, number] = value
    if stock is not None:
        one.shown |= stock.shown
        one.ours = {(row.position, row.measure): row.own for row in stock.rows if row.measure in wanted}


def _differs(one: Subject, measures: Sequence[int], *, whole: bool) -> bool:
    """Whether anything differs at this moment: a quick look that spares the ledger where all is well."""
    if any(one.ours.get(spot, 0) != value for spot, value in one.theirs.items()):
        return True
    if not whole:
        return False
    return any(level and spot not in one.theirs and spot[1] in measures for spot, level in one.ours.items())


def _kept(  # noqa: PLR0913 - what a document of findings is made of
    rules: Rules,
    check: Check,
    number: int,
    one: Subject,
    found: Sequence[Finding],
    looked_at: int,
    traces: Sequence[Trace],
) -> Findings:
    names = one.figures or one.stock
    product = one.figures.product if one.figures else (one.stock.name if one.stock else one.key.product)
    kept = [
        KeptFinding(
            id=f"{number}.{place}",
            kind=finding.kind,
            changes=[
                SpotChange(
                    at=_shown(one.shown, change.position),
                    measure=".".join(rules.names[change.measure]),
                    theirs=change.theirs,
                    ours=change.ours,
                )
                for change in finding.changes
            ],
            evidence=finding.evidence,
            moving=finding.moving,
        )
        for place, finding in enumerate(found[: checks.FINDINGS_MAX], start=1)
    ]
    return Findings(
        check=check.id,
        number=number,
        organization=names.organization if names else one.key.organization,
        product=product,
        key=(one.key.k, one.key.organization, one.key.product),
        findings=kept,
        looked_at=looked_at,
        seen=traces[-1].sequence if traces else 0,
        left_out=max(0, len(found) - checks.FINDINGS_MAX),
    )


def _shown(shown: Mapping[str, Dimensions], position: str) -> dict[str, str]:
    return dict(shown.get(position) or decode(position))


def _finished(check: Check) -> None:
    check.state, check.progress = "ready", 100
