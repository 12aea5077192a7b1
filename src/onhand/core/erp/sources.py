"""A source of messages: its gap-free sequence, the gap that stands open, and what was refused.

Messages of a source are numbered without gaps. One that comes before its turn is refused, and so is everything after it,
until the missing ones have come: a service that parked them would answer "accepted" to what it may have to refuse
later, and would need room without a bound. The sender keeps what was not accepted, which every outbox does anyway.
"""

from __future__ import annotations

from typing import Final

import msgspec

from onhand.core import keys
from onhand.core.commands import DocumentKey

KIND: Final = "erp-source"

REFUSED_MAX: Final = 100
"""Refused messages that a source remembers, the latest."""

RECENT_MAX: Final = 512
"""Numbers whose content a source remembers, the latest: as many as one request has."""


class RefusedMessage(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A message that the rules refused. Its number is used up: the sequence goes on."""

    sequence: int
    line_id: str
    code: str
    message: str
    at: int


class Source(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Body of a document of kind `erp-source`."""

    name: str
    next: int = 1
    """Number that the next message must have."""
    last_at: int | None = None
    gap_to: int | None = None
    """Last missing number; the first one is `next`. None: no gap is known."""
    gap_at: int | None = None
    refused: list[RefusedMessage] = []
    forgotten: int = 0
    """Refused messages that it does not remember any more."""
    recent: list[int] = []
    """Fingerprints of the messages before `next`, the latest last."""

    @property
    def missing(self) -> tuple[int, int] | None:
        """(first, last) missing number."""
        if self.gap_to is None or self.gap_to < self.next:
            return None
        return self.next, self.gap_to

    def gap(self, sequence: int, now: int) -> None:
        """A message came that is too early."""
        self.gap_to, self.gap_at = max(sequence - 1, self.gap_to or 0), now

    def taken(self, fingerprint: int, now: int) -> None:
        """The message that was expected came."""
        self.next += 1
        self.recent = [*self.recent, fingerprint][-RECENT_MAX:]
        self.last_at = now
        if self.gap_to is not None and self.gap_to < self.next:
            self.gap_to = self.gap_at = None

    def fingerprint(self, sequence: int) -> int | None:
        """What came under an earlier number; None when it is forgotten."""
        place = sequence - self.next + len(self.recent)
        return self.recent[place] if place >= 0 else None

    def refuse(self, refused: RefusedMessage) -> None:
        """Remember a refusal; the oldest beyond the bound are counted only."""
        refusals = [*self.refused, refused]
        self.forgotten += max(0, len(refusals) - REFUSED_MAX)
        self.refused = refusals[-REFUSED_MAX:]

    def refusal(self, sequence: int) -> RefusedMessage | None:
        """What was said to an earlier message, when it was refused."""
        return next((one for one in self.refused if one.sequence == sequence), None)


_decoder = msgspec.json.Decoder(Source)
_encode = msgspec.json.Encoder().encode


def key(environment: int, name: str) -> DocumentKey:
    """Key of the source's document; names are compared without regard to case."""
    folded = name.casefold()
    return DocumentKey(keys.shard(str(environment), "erp-source", folded), environment, KIND, folded)


def decode(body: bytes) -> Source:
    """The source in a document; a fresh copy."""
    return _decoder.decode(body)


def encode(source: Source) -> bytes:
    """Body of the source's document."""
    return _encode(source)
