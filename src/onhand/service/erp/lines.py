"""Order lines of the ERP: messages taken, lines read, failed offsets retried or dismissed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.erp import intake, lines, sources
from onhand.core.erp.asking import Setting
from onhand.core.erp.intake import Asked, Taken
from onhand.core.erp.lines import Line
from onhand.core.erp.sources import Source
from onhand.core.outcomes import GroupOutcome, Outcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.rows import DocumentRow, Page
from onhand.service.batcher import Batcher
from onhand.service.erp.parameters import ErpParameters

Change = Callable[[Line, Setting], Line | Rejected]
"""Changes a fresh copy of a line; pure."""


class LineFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines to list; None means no restriction. Values are compared without regard to case."""

    order_id: str | None = None
    product: str | None = None
    source: str | None = None
    status: str | None = None
    state: str | None = None

    def labels(self) -> list[str]:
        """As the lines' documents are labelled."""
        folded = {"order": self.order_id, "product": self.product, "source": self.source}
        exact = {"status": self.status, "state": self.state}
        return [
            *(lines.label(name, value) for name, value in folded.items() if value),
            *(f"{name}={value}" for name, value in exact.items() if value),
        ]


class ErpLines:
    """Takes messages about lines."""

    def __init__(self, documents: Documents, batcher: Batcher, parameters: ErpParameters) -> None:
        self._documents = documents
        self._batcher = batcher
        self._parameters = parameters

    async def tell(self, rules: Rules, messages: Sequence[Asked], source: str = "") -> Taken:
        """Apply messages, at most `intake.MESSAGES_MAX`; each is answered by itself. With a source they are numbered.

        Raises:
            Fault: nothing was taken; the same messages may be sent again.
        """
        setting = await self._parameters.setting(rules)
        keys = intake.keys_of(rules.environment, messages, source)
        taken = Taken([], [])

        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            nonlocal taken
            now = msgspec.structs.replace(setting, now=concluded.now)
            taken = intake.take(messages, source, concluded.documents, now)
            return taken.writes

        outcome = await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=keys, finish=finish)
        )
        if isinstance(outcome, Rejected):
            return Taken([outcome] * len(messages), [])
        return taken

    async def read(self, rules: Rules, line_id: str) -> DocumentRow | None:
        """One line's document."""
        return await self._documents.document(lines.key(rules.environment, line_id))

    async def rows(self, rules: Rules, line_ids: Sequence[str]) -> list[DocumentRow]:
        """The documents of those lines that exist."""
        return await self._documents.documents([lines.key(rules.environment, one) for one in line_ids])

    async def find(self, rules: Rules, which: LineFilter, after: str | None, limit: int) -> Page:
        """Lines, newest first."""
        return await self._documents.find(
            rules.environment, lines.KIND, which.labels(), after=after, limit=limit
        )

    async def source(self, rules: Rules, name: str) -> Source | None:
        """One source of messages."""
        row = await self._documents.document(sources.key(rules.environment, name))
        return None if row is None else sources.decode(row.body)

    async def sources(self, rules: Rules, after: str | None, limit: int) -> Page:
        """Sources, newest first."""
        return await self._documents.find(rules.environment, sources.KIND, after=after, limit=limit)

    async def set_next(self, rules: Rules, name: str, following: int) -> Source:
        """Let a source go on at another number, after a resync: what it had sent up to there is known to be inside."""
        key = sources.key(rules.environment, name)
        made = Source(name=name)

        def finish(concluded: Concluded) -> Sequence[DocumentWrite]:
            nonlocal made
            document = concluded.documents[0]
            made = sources.decode(document.body) if document.version else Source(name=name)
            made.next, made.gap_to, made.gap_at, made.recent = following, None, None, []
            return (DocumentWrite(key, document.version, sources.encode(made)),)

        await self._batcher.submit(rules, lambda _: Group(commands=(), documents=(key,), finish=finish))
        return made

    # Failed offsets ----------------------------------------------------------------------------------------

    async def retry(self, rules: Rules, line_id: str, number: int | None) -> Line | Rejected:
        """Let the synchronisation try a failed offset again (None: all of the line, and what it could not post)."""

        def again(line: Line, _setting: Setting) -> Line | Rejected:
            chosen = [
                one
                for one in line.offsets
                if one.state in lines.FAILED and (number is None or one.number == number)
            ]
            if not chosen and not (number is None and line.refused):
                return _nothing(line, number)
            for one in chosen:
                one.state, one.dimensions, one.refused = "pending", line.where(one), []
            line.refused = ""
            return line

        return await self.change(rules, line_id, again)

    async def dismiss(self, rules: Rules, line_id: str, number: int, reason: str) -> Line | Rejected:
        """Take a failed offset off the list for good: the reservation is left as it is."""

        def drop(line: Line, _setting: Setting) -> Line | Rejected:
            one = line.offset(number)
            if one is None or one.state not in lines.FAILED:
                return _nothing(line, number)
            one.state, one.message = "dismissed", reason or one.message
            return line

        return await self.change(rules, line_id, drop)

    async def change(
        self, rules: Rules, line_id: str, change: Change, at: int | None = None
    ) -> Line | Rejected:
        """Change one line's document by itself.

        `at`: only if it still has this version, because what is written was concluded from it; otherwise the answer is
        a stale document.
        """
        setting = await self._parameters.setting(rules)
        key = lines.key(rules.environment, line_id)
        answer: Line | Rejected = unknown(line_id)

        def finish(concluded: Concluded) -> Sequence[DocumentWrite] | Rejected:
            nonlocal answer
            document = concluded.documents[0]
            if not document.version:
                answer = unknown(line_id)
                return answer
            now = msgspec.structs.replace(setting, now=concluded.now)
            answer = change(lines.decode(document.body), now)
            if isinstance(answer, Rejected):
                return answer
            answer.due_at = intake.due(answer, now)
            return (_write(key, document.version if at is None else at, answer),)

        outcome = await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=(key,), finish=finish)
        )
        if isinstance(outcome, GroupOutcome) and outcome.accepted:
            return answer
        return refusal_of(outcome)


def _write(key: DocumentKey, version: int, line: Line) -> DocumentWrite:
    return intake.write(key, version, line)


def refusal_of(outcome: Outcome | GroupOutcome) -> Rejected:
    """Why a command or a group was refused.

    Raises:
        TypeError: it was not.
    """
    refusal = outcome.refusal if isinstance(outcome, GroupOutcome) else outcome
    if not isinstance(refusal, Rejected):
        raise TypeError(f"not a refusal: {outcome!r}")
    return refusal


def unknown(line_id: str) -> Rejected:
    """No such line."""
    return Rejected(Reason.UNKNOWN_LINE, f"There is no line {line_id!r}.")


def _nothing(line: Line, number: int | None) -> Rejected:
    what = "nothing that failed" if number is None else f"no failed offset {number}"
    return Rejected(Reason.INVALID_VALUE, f"Line {line.line_id!r} has {what}.")
