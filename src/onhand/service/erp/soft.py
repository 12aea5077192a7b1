"""Soft reservation of lines by the ERP: directly, or by the next synchronisation.

A reservation and the line's document are one group, so a line never holds what it does not know of, nor the other way
round. A refusal is written into the line as well: that is what its buckets show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from onhand.core import keys
from onhand.core.commands import DocumentWrite, Group, GroupMember, Owner, ReleaseHold, Reserve
from onhand.core.concluding import Concluded
from onhand.core.erp import intake, lines, soft, targets
from onhand.core.erp.asking import Setting
from onhand.core.erp.lines import Line, SoftHold
from onhand.core.erp.posting import CALLER
from onhand.core.erp.soft import SoftAsked
from onhand.core.erp.targets import HoldFacts
from onhand.core.fingerprints import digest
from onhand.core.outcomes import Accepted, GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.rows import DocumentRow
from onhand.service.batcher import Batcher
from onhand.service.erp.holds import Holds
from onhand.service.erp.lines import ErpLines, LineFilter, refusal_of, unknown
from onhand.service.erp.parameters import ErpParameters

ATTEMPTS: Final = 8
"""How often a line whose document changes meanwhile is read again."""

ORDER_LINES_MAX: Final = 500
"""Lines of an order that one request reserves."""

CHANNEL: Final = "erp"
"""Channel of the holds that the ERP takes."""


class _Step(msgspec.Struct, frozen=True):
    """One change of what a line holds."""

    quantity: int
    revert: bool
    requested: bool
    """It waited for the synchronisation."""
    message: SoftAsked | None = None


class SoftReservations:
    """Reserves lines and reverts them."""

    def __init__(
        self,
        documents: Documents,
        batcher: Batcher,
        *,
        parameters: ErpParameters,
        lines: ErpLines,
        holds: Holds,
    ) -> None:
        self._documents = documents
        self._batcher = batcher
        self._parameters = parameters
        self._lines = lines
        self._holds = holds

    async def ask(self, rules: Rules, asked: SoftAsked) -> Rejected | None:
        """Reserve or revert; None when it was done, or left to the next synchronisation."""
        setting = await self._parameters.setting(rules)
        for _ in range(ATTEMPTS):
            row = await self._lines.read(rules, asked.line_id)
            if row is None:
                return unknown(asked.line_id)
            line = lines.decode(row.body)
            known = dict(line.seen).get(asked.id)
            if known is not None:
                return None if known == asked.fingerprint else _mismatch(asked)
            quantity = soft.wanted(line, asked, setting)
            if isinstance(quantity, Rejected):
                return quantity
            if not quantity:
                return None
            if asked.batch:
                outcome = await self._note(rules, asked, quantity)
            else:
                step = _Step(quantity, asked.revert, requested=False, message=asked)
                outcome = await self._take(rules, row, step)
            if outcome is None or outcome.reason is not Reason.STALE_DOCUMENT:
                return outcome
        return Rejected(Reason.STALE_DOCUMENT, f"Line {asked.line_id!r} changes all the time; try again.")

    async def ask_order(
        self, rules: Rules, order_id: str, asked: SoftAsked
    ) -> list[tuple[str, Rejected | None]] | Rejected:
        """Reserve or revert all lines of an order, each by itself."""
        page = await self._lines.find(rules, LineFilter(order_id=order_id), None, ORDER_LINES_MAX + 1)
        if not page.rows:
            return Rejected(Reason.UNKNOWN_LINE, f"There is no line of order {order_id!r}.")
        if len(page.rows) > ORDER_LINES_MAX:
            return Rejected(
                Reason.LIMIT_REACHED,
                f"Order {order_id!r} has more than {ORDER_LINES_MAX} lines: ask for each line.",
            )
        ids = [row.key.id for row in page.rows]
        answers = await asyncio.gather(
            *(self.ask(rules, msgspec.structs.replace(asked, line_id=one)) for one in ids)
        )
        return list(zip(ids, answers, strict=True))

    async def work(self, rules: Rules, row: DocumentRow) -> DocumentRow | None:
        """Do what a line left to the synchronisation; the line as it is then, or None when it is gone."""
        for _ in range(ATTEMPTS):
            line = lines.decode(row.body)
            if line.soft.reverting:
                step = _Step(line.soft.reverting, revert=True, requested=True)
            elif line.soft.requested:
                step = _Step(line.soft.requested, revert=False, requested=True)
            else:
                return row
            await self._take(rules, row, step)
            read = await self._documents.document(row.key)
            if read is None:
                return None
            row = read
        return row

    async def _note(self, rules: Rules, asked: SoftAsked, quantity: int) -> Rejected | None:
        def note(line: Line, setting: Setting) -> Line | Rejected:
            possible = soft.wanted(line, asked, setting)
            if isinstance(possible, Rejected):
                return possible
            soft.request(line, min(quantity, possible), revert=asked.revert)
            soft.seen(line, asked)
            return line

        changed = await self._lines.change(rules, asked.line_id, note)
        return changed if isinstance(changed, Rejected) else None

    async def _take(self, rules: Rules, row: DocumentRow, step: _Step) -> Rejected | None:
        """One group; a refusal is written into the line, unless the line changed meanwhile."""
        parameters = await self._parameters.of(rules)
        facts: Mapping[str, HoldFacts] = {}
        if step.revert:
            ids = [one.hold_id for one in lines.decode(row.body).soft.holds]
            facts = await self._holds.facts(row.key.environment, ids)
        setting = await self._parameters.setting(rules)
        taking = _Taking(row, step, setting, parameters.reserved_measure, facts)
        outcome = await self._batcher.submit(rules, taking)
        if isinstance(outcome, GroupOutcome) and outcome.accepted:
            return None
        why = refusal_of(outcome)
        if why.reason is Reason.STALE_DOCUMENT:
            return why
        return await self._note_refusal(rules, row, step, why)

    async def _note_refusal(self, rules: Rules, row: DocumentRow, step: _Step, why: Rejected) -> Rejected:
        """What to answer: the refusal, or that the line it was about is no longer so and has to be judged again."""

        def note(line: Line, _setting: Setting) -> Line:
            if step.revert:
                line.soft.reverting = 0 if step.requested else line.soft.reverting
                line.soft.message = why.message
            else:
                quantity = min(step.quantity, line.soft.requested) if step.requested else step.quantity
                soft.refused(line, quantity, why, requested=step.requested)
            return line

        noted = await self._lines.change(rules, row.key.id, note, at=row.version)
        return noted if isinstance(noted, Rejected) else why


class _Taking:
    """Builds the group of one step."""

    def __init__(
        self,
        row: DocumentRow,
        step: _Step,
        setting: Setting,
        measure: str | None,
        facts: Mapping[str, HoldFacts],
    ) -> None:
        self._row = row
        self._step = step
        self._setting = setting
        self._measure = measure
        self._facts = facts

    def __call__(self, rules: Rules) -> Group | Rejected:
        """The group under these rules."""
        line = lines.decode(self._row.body)
        of = targets.subject(rules, line.organization, line.product)
        if isinstance(of, Rejected):
            return of
        given: list[SoftHold] = []
        if self._step.revert:
            given = soft.shares(line, self._step.quantity)
            commands = self._releases(line, of, given)
        else:
            made = self._reserve(rules, line, of)
            if isinstance(made, Rejected):
                return made
            commands = [made]

        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            fresh = lines.decode(self._row.body)
            if self._step.revert:
                soft.reverted(fresh, given, requested=self._step.requested)
            else:
                soft.taken(
                    fresh, _hold_of(concluded, of.key.k), self._step.quantity, requested=self._step.requested
                )
            if self._step.message is not None:
                soft.seen(fresh, self._step.message)
            fresh.due_at = intake.due(fresh, msgspec.structs.replace(self._setting, now=concluded.now))
            return (intake.write(self._row.key, self._row.version, fresh),)

        return Group(commands=tuple(commands), documents=(self._row.key,), finish=finish)

    def _reserve(self, rules: Rules, line: Line, of: targets.Subject) -> Reserve | Rejected:
        node = targets.projected(rules, line.dimensions, None)
        if isinstance(node, Rejected):
            return node
        measure = targets.reserved_measure(rules, self._measure)
        if isinstance(measure, Rejected):
            return measure
        return Reserve(
            id=f"{line.line_id}#s{line.soft.attempt}",
            fingerprint=digest("erp-soft", line.line_id, node.key, measure, self._step.quantity),
            caller=line.changed_by or CALLER,
            product=of.key,
            organization_shown=of.organization,
            product_shown=of.product,
            position=node,
            measure=measure,
            quantity=self._step.quantity,
            owner=Owner(reference=line.order_id, channel=CHANNEL, order=f"erp:{line.line_id}"),
        )

    def _releases(self, line: Line, of: targets.Subject, given: Sequence[SoftHold]) -> list[GroupMember]:
        """What of the holds is still there; somebody may have given one back already."""
        commands: list[GroupMember] = []
        for one in given:
            facts, parsed = self._facts.get(one.hold_id), keys.parse_hold_id(one.hold_id)
            quantity = 0 if facts is None else min(one.quantity, facts.remaining)
            if quantity and parsed is not None:
                commands.append(
                    ReleaseHold(
                        id=f"{line.line_id}#r{line.soft.attempt}.{len(commands)}",
                        fingerprint=digest("erp-revert", line.line_id, one.hold_id, quantity),
                        caller=line.changed_by or CALLER,
                        product=of.key,
                        hold=parsed[2],
                        quantity=quantity,
                        reason=f"{line.line_id}: soft reservation reverted"[:200],
                    )
                )
        return commands


def _hold_of(concluded: Concluded, k: int) -> str:
    outcome = concluded.outcomes[0]
    accepted = outcome if isinstance(outcome, Accepted) else getattr(outcome, "original", None)
    if accepted is None or accepted.hold is None or accepted.product_id is None:
        raise TypeError(f"an accepted reservation names no hold: {outcome!r}")
    return keys.hold_id(k, accepted.product_id, accepted.hold)


def _mismatch(asked: SoftAsked) -> Rejected:
    return Rejected(
        Reason.PAYLOAD_MISMATCH,
        f"Message {asked.id!r} came before with another content. Send a new one under an id of its own.",
    )
