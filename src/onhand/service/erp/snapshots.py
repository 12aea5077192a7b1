"""Snapshots applied, product by product: figures set, what they contain offset, what came after them kept.

Theory of operation. One group a product: it sets the records, posts the offsets of the lines that are inside, and writes
their documents. What the group was made from (the figures that the product had, then the lines) was read without locks,
the figures first. The group refuses itself when a figure of the ERP is not what was read, and a document that changed
refuses it anyway; then all is read again. So no posting that comes in between is lost under the snapshot, and nothing is
offset twice. The id of a snapshot is that of its records' commands: a repeated one is a replay, whatever else it names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from onhand.core.commands import DocumentWrite, Group, GroupMember, SetOnHand
from onhand.core.concluding import Concluded
from onhand.core.erp import intake, lines, posting, snapshots, targets
from onhand.core.erp.asking import LineAsked, Said, Setting, Spoiled
from onhand.core.erp.intake import Asked
from onhand.core.erp.lines import Line
from onhand.core.erp.moving import change_line, move, open_line
from onhand.core.erp.parameters import Parameters
from onhand.core.erp.posting import CALLER, Plan, Scope
from onhand.core.erp.snapshots import Cells, Snapshot
from onhand.core.erp.targets import HoldFacts
from onhand.core.fingerprints import digest
from onhand.core.keys import Position, ProductKey
from onhand.core.outcomes import GroupOutcome, Reason, Rejected, Replayed
from onhand.core.rules import Rules
from onhand.ports import Clock, DocumentRow, Documents, ProductStock, Reader, StockFilter
from onhand.service.batcher import Batcher
from onhand.service.erp.holds import Holds
from onhand.service.erp.lines import refusal_of, unknown
from onhand.service.erp.parameters import ErpParameters

ATTEMPTS: Final = 10
LINES_MAX: Final = 5_000
"""Lines of one product that a snapshot concerns."""
PAGE: Final = 1_000
AT_ONCE: Final = 32
"""Products that are worked on at a time."""

_AGAIN: Final = Rejected(
    Reason.STALE_DOCUMENT, "The ERP's figures of the product changed meanwhile; send the snapshot again."
)
_REPEATED: Final = Rejected(Reason.DUPLICATE_ID, "The snapshot was applied before.")


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a snapshot's product."""

    organization: str
    product: str
    refusal: Rejected | None = None
    replayed: bool = False
    lines: tuple[Line, ...] = ()
    """Lines that were inside and had waited, as they are now."""


class Snapshots:
    """Applies snapshots."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        documents: Documents,
        reader: Reader,
        batcher: Batcher,
        clock: Clock,
        *,
        parameters: ErpParameters,
        holds: Holds,
    ) -> None:
        self._documents = documents
        self._reader = reader
        self._batcher = batcher
        self._clock = clock
        self._parameters = parameters
        self._holds = holds

    async def apply(self, rules: Rules, parts: Sequence[Snapshot]) -> list[Applied]:
        """Apply the parts of a snapshot, each product by itself.

        Raises:
            Fault: some products may be done; the same snapshot may be sent again.
        """
        done: list[Applied] = []
        for start in range(0, len(parts), AT_ONCE):
            done += await asyncio.gather(*(self.one(rules, part) for part in parts[start : start + AT_ONCE]))
        return done

    async def one(self, rules: Rules, snapshot: Snapshot) -> Applied:
        """Apply the part of one product."""
        about = Applied(organization=snapshot.organization, product=snapshot.product)
        left_out: dict[tuple[str, int], Rejected] = {}
        refusal = _AGAIN
        for _ in range(ATTEMPTS):
            made = await self._make(rules, snapshot, left_out)
            if isinstance(made, Rejected):
                return msgspec.structs.replace(about, refusal=made)
            outcome = await self._batcher.submit(rules, made)
            if isinstance(outcome, GroupOutcome) and outcome.accepted:
                return msgspec.structs.replace(about, lines=tuple(made.written))
            refusal = refusal_of(outcome)
            if refusal is _REPEATED:
                return msgspec.structs.replace(about, replayed=True)
            if refusal.reason is Reason.STALE_DOCUMENT:
                continue
            if isinstance(outcome, GroupOutcome) and made.leave_out(outcome, left_out):
                continue
            break
        return msgspec.structs.replace(about, refusal=refusal)

    async def _make(
        self, rules: Rules, snapshot: Snapshot, left_out: dict[tuple[str, int], Rejected]
    ) -> _Applying | Rejected:
        of = targets.subject(rules, snapshot.organization, snapshot.product)
        if isinstance(of, Rejected):
            return of
        stock = await self._stock(rules, of.key)
        found = await self._lines(rules, snapshot)
        if isinstance(found, Rejected):
            return found
        setting = msgspec.structs.replace(await self._parameters.setting(rules), now=self._clock.now_us())
        told = _tell(found, snapshot, setting)
        if isinstance(told, Rejected):
            return told
        wanted = {one for line in told.values() for one in posting.hold_ids(line)}
        return _Applying(
            snapshot=snapshot,
            of=of,
            stock=stock,
            rows=found,
            told=told,
            setting=setting,
            facts=await self._holds.facts(rules.environment, wanted),
            left_out=left_out,
        )

    async def _stock(self, rules: Rules, product: ProductKey) -> ProductStock | None:
        found = await self._reader.stock(
            StockFilter(
                environment=rules.environment,
                organizations=(product.organization,),
                products=(product.product,),
                places=None,
                records=True,
            ),
            self._clock.now_us(),
        )
        return found[0] if found else None

    async def _lines(self, rules: Rules, snapshot: Snapshot) -> dict[str, DocumentRow | None] | Rejected:
        """Lines that the snapshot may concern: those it names, and the product's lines of its source."""
        found: dict[str, DocumentRow | None] = dict.fromkeys(sorted(snapshot.wholly))
        rows = await self._documents.documents([lines.key(rules.environment, one) for one in found])
        found |= {row.key.id: row for row in rows}
        for line_id in snapshot.lines:
            if found[line_id] is None:
                return unknown(line_id)
        cursor: str | None = None
        while snapshot.source and snapshot.up_to is not None:
            page = await self._documents.find(
                rules.environment,
                lines.KIND,
                (
                    f"source={snapshot.source.casefold()}",
                    f"product={snapshot.product.casefold()}",
                    f"organization={snapshot.organization.casefold()}",
                ),
                after=cursor,
                limit=PAGE,
            )
            found |= {row.key.id: row for row in page.rows}
            if len(found) > LINES_MAX:
                return Rejected(
                    Reason.LIMIT_REACHED, f"The snapshot concerns more than {LINES_MAX} lines of one product."
                )
            cursor = page.next
            if cursor is None:
                break
        return found


def _tell(
    rows: Mapping[str, DocumentRow | None], snapshot: Snapshot, setting: Setting
) -> dict[str, Line] | Rejected:
    """The lines with what the snapshot itself says about them."""
    told = {line_id: lines.decode(row.body) for line_id, row in rows.items() if row is not None}
    for message in snapshot.messages:
        said = _say(told.get(message.line_id), message, setting)
        if isinstance(said, Rejected):
            return said
        told[message.line_id] = said.line
    for line in told.values():
        same = (line.organization.casefold(), line.product.casefold())
        if same != (snapshot.organization.casefold(), snapshot.product.casefold()):
            return Rejected(
                Reason.INVALID_VALUE,
                f"Line {line.line_id!r} is of product {line.product!r}: the snapshot has no record of it. Send both together.",
            )
    return told


def _say(line: Line | None, message: Asked, setting: Setting) -> Said | Rejected:
    if isinstance(message, Spoiled):
        return message.why
    if isinstance(message, LineAsked):
        return open_line(message, setting) if line is None else change_line(line, message, setting)
    return unknown(message.line_id) if line is None else move(line, message, setting)


class _Applying(msgspec.Struct, kw_only=True):
    """Builds the group of one product, again whenever the rules change."""

    snapshot: Snapshot
    of: targets.Subject
    stock: ProductStock | None
    rows: dict[str, DocumentRow | None]
    told: dict[str, Line]
    setting: Setting
    facts: dict[str, HoldFacts]
    left_out: dict[tuple[str, int], Rejected]
    written: list[Line] = msgspec.field(default_factory=list)
    offsets: dict[int, tuple[str, int]] = msgspec.field(default_factory=dict)
    """Place among the commands -> (line, number of the offset)."""

    def __call__(self, rules: Rules) -> Group | Rejected:
        """The group under these rules."""
        named = self._cells(rules)
        if isinstance(named, Rejected):
            return named
        positions, cells = named
        commands: list[GroupMember] = list(self._sets(positions, cells))
        sets = len(commands)
        plans: list[tuple[str, Plan, int, Scope]] = []
        self.offsets = {}
        for line_id, line in self.told.items():
            scope = Scope(snapshots.inside(line, self.snapshot), frozenset(cells), self.snapshot.id)
            if not scope.events and not self._told(line_id):
                continue
            plan = self._plan(rules, line, scope)
            if isinstance(plan, Rejected):
                return plan
            plans.append((line_id, plan, len(commands), scope))
            self.offsets |= {len(commands) + place: (line_id, number) for place, number in plan.offsets}
            commands += plan.commands
        places = {position.place for position in positions.values()}
        before = self._totals(rules, places)
        return Group(
            commands=tuple(commands),
            documents=tuple(lines.key(rules.environment, line_id) for line_id, *_ in plans),
            places=tuple((self.of.key, place) for place in sorted(places)),
            finish=lambda concluded: self._finish(plans, sets, before, concluded),
        )

    def leave_out(self, outcome: GroupOutcome, left_out: dict[tuple[str, int], Rejected]) -> bool:
        """Leave out the offset that the engine refused; False when it was something else."""
        for place, one in enumerate(outcome.outcomes):
            if (
                isinstance(one, Rejected)
                and one.reason is not Reason.GROUP_MEMBER_REFUSED
                and place in self.offsets
            ):
                left_out[self.offsets[place]] = one
                return True
        return False

    def _told(self, line_id: str) -> bool:
        return any(one.line_id == line_id for one in self.snapshot.messages)

    def _plan(self, rules: Rules, line: Line, scope: Scope) -> Plan | Rejected:
        mine = {number: why for (line_id, number), why in self.left_out.items() if line_id == line.line_id}
        return posting.plan(rules, line, self._parameters, self.facts, mine, scope=scope)

    @property
    def _parameters(self) -> Parameters:
        return self.setting.parameters

    def _cells(self, rules: Rules) -> tuple[dict[str, Position], Cells] | Rejected:
        """What is set where: the snapshot's figures, and on them what was posted after it."""
        named = snapshots.cells_of(rules, self.snapshot)
        if isinstance(named, Rejected):
            return named
        positions, cells = named
        if self.snapshot.complete and self.stock is not None:
            erp = snapshots.measures(rules)
            for row in self.stock.rows:
                if row.measure in erp and row.own:
                    cells.setdefault((row.position, row.measure), 0)
        for line in self.told.values():
            later = snapshots.after(rules, line, self.snapshot)
            if isinstance(later, Rejected):
                return later
            for cell, quantity in later.items():
                if cell in cells or self.snapshot.complete:
                    cells[cell] = cells.get(cell, 0) + quantity
        for key, _ in cells:
            positions.setdefault(key, snapshots.position_of(rules, key))
        return positions, cells

    def _sets(self, positions: Mapping[str, Position], cells: Cells) -> list[SetOnHand]:
        """The id and the fingerprint are those of what was asked, so that a repeated snapshot is known whatever came since."""
        asked = digest(
            "erp-snapshot",
            msgspec.to_builtins(self.snapshot.records),
            self.snapshot.source,
            self.snapshot.up_to,
        )
        commands = []
        for key, position in positions.items():
            values = tuple((measure, quantity) for (at, measure), quantity in cells.items() if at == key)
            if values:
                commands.append(
                    SetOnHand(
                        id=f"{self.snapshot.id}@{digest(self.of.key.organization, self.of.key.product, key):x}",
                        fingerprint=asked,
                        caller=self.snapshot.caller or CALLER,
                        product=self.of.key,
                        organization_shown=self.of.organization,
                        product_shown=self.of.product,
                        position=position,
                        values=values,
                        reason=f"snapshot {self.snapshot.id}"[:200],
                    )
                )
        return commands

    def _totals(self, rules: Rules, places: set[str]) -> dict[tuple[str, int], int]:
        """(place, measure of the ERP) -> what was read there."""
        erp = snapshots.measures(rules)
        totals = {(place, measure): 0 for place in places for measure in erp}
        for row in self.stock.rows if self.stock is not None else ():
            place = snapshots.position_of(rules, row.position).place
            if row.position == row.cell and (place, row.measure) in totals:
                totals[place, row.measure] += row.own + row.finer
        return totals

    def _finish(
        self,
        plans: Sequence[tuple[str, Plan, int, Scope]],
        sets: int,
        before: Mapping[tuple[str, int], int],
        concluded: Concluded,
    ) -> Sequence[DocumentWrite] | Rejected:
        if any(isinstance(one, Replayed) for one in concluded.outcomes[:sets]):
            return _REPEATED
        for (place, measure), total in before.items():
            if concluded.before(self.of.key, place, measure) != total:
                return _AGAIN
        self.written = []
        writes = []
        for document, (line_id, plan, start, scope) in zip(concluded.documents, plans, strict=True):
            row = self.rows.get(line_id)
            fresh = lines.decode(lines.encode(self.told[line_id]))
            outcomes = concluded.outcomes[start : start + len(plan.commands)]
            line = posting.conclude(fresh, plan, outcomes, concluded.now, scope)
            line.due_at = intake.due(line, msgspec.structs.replace(self.setting, now=concluded.now))
            self.written.append(line)
            writes.append(intake.write(document.key, 0 if row is None else row.version, line))
        return writes
