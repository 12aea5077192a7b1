"""The group of one product of a snapshot: built from what was read, it refuses itself when that is no longer so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from onhand.core.commands import DocumentWrite, Group, GroupMember, SetOnHand
from onhand.core.concluding import Concluded
from onhand.core.erp import intake, lines, posting, snapshots, targets
from onhand.core.erp.asking import Setting
from onhand.core.erp.lines import Line
from onhand.core.erp.posting import CALLER, Aim, Plan, Scope
from onhand.core.erp.snapshots import Cells, Snapshot
from onhand.core.erp.targets import HoldFacts
from onhand.core.fingerprints import digest
from onhand.core.keys import Dimensions, Position, encode
from onhand.core.outcomes import GroupOutcome, Reason, Rejected, Replayed
from onhand.core.rules import Rules
from onhand.rows import DocumentRow, ProductStock

AGAIN: Final = Rejected(
    Reason.STALE_DOCUMENT, "The ERP's figures of the product changed meanwhile; send the snapshot again."
)
REPEATED: Final = Rejected(Reason.DUPLICATE_ID, "The snapshot was applied before.")


class Difference(msgspec.Struct, frozen=True):
    """A figure that a snapshot would change."""

    dimensions: Dimensions
    measure: str
    stored: int
    becomes: int


class Applying(msgspec.Struct, kw_only=True):
    """Builds the group of one product, again whenever the rules change."""

    snapshot: Snapshot
    of: targets.Subject
    stock: ProductStock | None
    rows: dict[str, DocumentRow | None]
    told: dict[str, Line]
    setting: Setting
    facts: dict[str, HoldFacts]
    left_out: dict[tuple[str, Aim], Rejected]
    written: list[Line] = msgspec.field(default_factory=list)
    offsets: dict[int, tuple[str, Aim]] = msgspec.field(default_factory=dict)
    """Place among the commands -> (line, what it offsets)."""

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
        everywhere = snapshots.measures(rules) if self.snapshot.complete else frozenset()
        for line_id, line in self.told.items():
            scope = Scope(
                snapshots.inside(line, self.snapshot), frozenset(cells), everywhere, self.snapshot.id
            )
            if not scope.events and not self._told(line_id):
                continue
            plan = self._plan(rules, line, scope)
            if isinstance(plan, Rejected):
                return plan
            plans.append((line_id, plan, len(commands), scope))
            self.offsets |= {len(commands) + place: (line_id, aim) for place, aim in plan.offsets}
            commands += plan.commands
        places = {position.place for position in positions.values()}
        before = self._totals(rules, places)
        return Group(
            commands=tuple(commands),
            documents=tuple(lines.key(rules.environment, line_id) for line_id, *_ in plans),
            places=tuple((self.of.key, place) for place in sorted(places)),
            finish=lambda concluded: self._finish(plans, sets, before, concluded),
        )

    def foreseen(self, rules: Rules) -> tuple[tuple[Difference, ...], tuple[Line, ...]] | Rejected:
        """The figures that would change, and the lines that are inside and wait."""
        named = self._cells(rules)
        if isinstance(named, Rejected):
            return named
        positions, cells = named
        stored = {
            (row.position, row.measure): row.own
            for row in (self.stock.rows if self.stock is not None else ())
        }
        changes = [
            Difference(
                positions[key].shown, ".".join(rules.names[measure]), stored.get((key, measure), 0), becomes
            )
            for (key, measure), becomes in cells.items()
            if stored.get((key, measure), 0) != becomes
        ]
        waiting = [
            line
            for line in self.told.values()
            if snapshots.inside(line, self.snapshot) or self._told(line.line_id)
        ]
        return tuple(changes), tuple(waiting)

    def leave_out(self, outcome: GroupOutcome, left_out: dict[tuple[str, Aim], Rejected]) -> bool:
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
        mine = {aim: why for (line_id, aim), why in self.left_out.items() if line_id == line.line_id}
        return posting.plan(rules, line, self.setting.parameters, self.facts, mine, scope=scope)

    def _cells(self, rules: Rules) -> tuple[dict[str, Position], Cells] | Rejected:
        """What is set where: the snapshot's figures, and on them what was posted after it."""
        named = snapshots.cells_of(rules, self.snapshot)
        if isinstance(named, Rejected):
            return named
        positions, cells = named
        if self.snapshot.complete:
            self._empty(rules, cells)
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

    def _empty(self, rules: Rules, cells: Cells) -> None:
        """Zero for every figure of the ERP that is stored and not named.

        A product without a figure is set to zero at its total, so that something remembers the snapshot's id.
        """
        erp = snapshots.measures(rules)
        if erp and not cells:
            cells[snapshots.position_of(rules, encode(())).key, min(erp)] = 0
        for row in self.stock.rows if self.stock is not None else ():
            if row.measure in erp and row.own:
                cells.setdefault((row.position, row.measure), 0)

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
            return REPEATED
        for (place, measure), total in before.items():
            if concluded.before(self.of.key, place, measure) != total:
                return AGAIN
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
