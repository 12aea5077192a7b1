"""Messages of the ERP applied to the documents they concern: a pure step of one group.

Messages with a source come in the order of its sequence. Each changes its line's document or is refused; nothing is posted
to stock here. The documents are those that the group has locked, so two messages of one line never overtake each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from onhand.core.commands import Document, DocumentKey, DocumentWrite
from onhand.core.erp import lines, sources
from onhand.core.erp.asking import LineAsked, Message, MoveAsked, Said, Setting, Spoiled
from onhand.core.erp.lines import Line
from onhand.core.erp.moving import change_line, move, open_line
from onhand.core.erp.sources import RefusedMessage, Source
from onhand.core.outcomes import Reason, Rejected

MESSAGES_MAX: Final = 512
"""Messages of one request."""

Asked = LineAsked | MoveAsked | Spoiled
Answer = Said | Rejected


class Taken(msgspec.Struct):
    """What became of the messages, and the documents as they are now."""

    answers: list[Answer]
    """One per message, in the order given."""
    writes: list[DocumentWrite]
    missing: tuple[int, int] | None = None
    """(first, last) number that the source did not send; messages after it were refused."""


def keys_of(environment: int, messages: Sequence[Asked], source: str) -> tuple[DocumentKey, ...]:
    """Documents that the messages concern: the source's, if there is one, and the lines'."""
    wanted = [sources.key(environment, source)] if source else []
    return tuple(dict.fromkeys([*wanted, *(lines.key(environment, one.line_id) for one in messages)]))


def take(messages: Sequence[Asked], source: str, documents: Sequence[Document], setting: Setting) -> Taken:
    """Apply messages to the documents of `keys_of`."""
    found = {(one.key.kind, one.key.id): one for one in documents}
    kept = {one.key.id: one for one in documents if one.key.kind == lines.KIND}
    desk = _Desk(kept, setting)
    if not source:
        return Taken([desk.answer(one) for one in messages], desk.writes())
    document = found[sources.KIND, source.casefold()]
    of = sources.decode(document.body) if document.version else Source(name=source)
    answers: list[Answer | None] = [None] * len(messages)
    order = sorted(range(len(messages)), key=lambda place: messages[place].sequence or 0)
    for place in order:
        answers[place] = _in_turn(desk, of, messages[place], setting.now)
    writes = desk.writes()
    body = sources.encode(of)
    if body != document.body:
        labels = ("gap=yes",) if of.missing else ()
        writes.append(DocumentWrite(document.key, document.version, body, labels))
    return Taken([one for one in answers if one is not None], writes, of.missing)


def _in_turn(desk: _Desk, source: Source, message: Asked, now: int) -> Answer:
    """A message of a source: before its turn it is refused, after it it is a repeat."""
    sequence = message.sequence or 0
    if sequence > source.next:
        source.gap(sequence, now)
        first, last = source.next, sequence - 1
        return Rejected(
            Reason.SEQUENCE_GAP,
            f"Source {source.name!r} has sent nothing under {_range(first, last)}. Send that first, then this again; "
            f"nothing from {first} on was taken.",
        )
    if sequence < source.next:
        earlier = source.refusal(sequence)
        if earlier is not None:
            return Rejected(Reason(earlier.code), earlier.message)
        if source.fingerprint(sequence) not in (None, message.fingerprint):
            return _mismatch(message)
        return desk.repeat(message)
    answer = desk.answer(message)
    source.taken(message.fingerprint, now)
    if isinstance(answer, Rejected):
        source.refuse(
            RefusedMessage(
                sequence=sequence, line_id=message.line_id, code=answer.reason, message=answer.message, at=now
            )
        )
    return answer


def _range(first: int, last: int) -> str:
    return f"number {first}" if first == last else f"the numbers {first} to {last}"


class _Desk:
    """The lines of one group, each decoded once."""

    def __init__(self, documents: Mapping[str, Document], setting: Setting) -> None:
        self._documents = documents
        self._setting = setting
        self._bodies = {key: one.body for key, one in documents.items()}

    def answer(self, message: Asked) -> Answer:
        """Apply one message to its line; a refusal leaves the line as it was."""
        body = self._bodies[message.line_id]
        setting = self._setting
        if isinstance(message, Spoiled):
            return message.why
        if isinstance(message, LineAsked):
            said = change_line(lines.decode(body), message, setting) if body else open_line(message, setting)
        elif body:
            said = move(lines.decode(body), message, setting)
        else:
            said = _unknown(message)
        if isinstance(said, Said) and said.changed:
            said.line.due_at = due(said.line, setting)
            self._bodies[message.line_id] = lines.encode(said.line)
        return said

    def repeat(self, message: Asked) -> Answer:
        """A number that was used before: the same answer, or a refusal when the line knows it with another content."""
        body = self._bodies[message.line_id]
        if isinstance(message, Spoiled):
            return message.why
        if not body:
            return _unknown(message)
        line = lines.decode(body)
        for known, fingerprint in line.seen:
            if known == message.id and fingerprint != message.fingerprint:
                return _mismatch(message)
        return Said(line=line, changed=False, replayed=True)

    def writes(self) -> list[DocumentWrite]:
        """The lines that changed."""
        changed = []
        for key, document in self._documents.items():
            body = self._bodies[key]
            if body != document.body:
                changed.append(write(document.key, document.version, lines.decode(body)))
        return changed


def write(key: DocumentKey, version: int, line: Line) -> DocumentWrite:
    """The line as a document."""
    return DocumentWrite(key, version, lines.encode(line), lines.labels(line), line.due_at)


def due(line: Line, setting: Setting) -> int | None:
    """When the synchronisation takes the line up: one interval after the first change that waits."""
    parameters = setting.parameters
    if not line.waits or line.refused or not parameters.sync_enabled:
        return None
    if parameters.mode == "direct":
        return setting.now
    planned = setting.now + parameters.interval_seconds * 1_000_000
    return planned if line.due_at is None else min(planned, line.due_at)


def _mismatch(message: Message) -> Rejected:
    return Rejected(
        Reason.PAYLOAD_MISMATCH,
        f"Message {message.id!r} came before with another content. A corrected message needs a number of its own.",
    )


def _unknown(message: Message) -> Rejected:
    return Rejected(
        Reason.UNKNOWN_LINE, f"There is no line {message.line_id!r}: send the line before its status."
    )
