"""The line between the ERP and the service: by a seed, what goes over it is lost, repeated, late and out of order.

The sender is an outbox, as every connector should have one: it keeps what was not acknowledged. A gap shows when the
service refuses what came after it; then everything from the first missing number on is sent again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from onhand.cli.simulator.model import Message
from onhand.client import AsyncClient, CallFailed, RefusedByRules, calls

GAP = "sequence-gap"
PER_REQUEST = 20
"""Messages of one request."""
RESENT_AT_ONCE = 200
LATE_MAX = 4
"""Requests that a late one is overtaken by, at most."""
IMPATIENCE = 0.5
"""Chance that a gap is looked at when it shows; otherwise it stays open until the next time."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of the requests, in percent."""

    lost: float = 5.0
    repeated: float = 5.0
    late: float = 5.0
    disordered: float = 5.0
    unanswered: float = 5.0
    """They arrive, and the sender does not learn it."""


@dataclass(slots=True)
class Tally:
    """What happened on the line."""

    requests: int = 0
    messages: int = 0
    """Sent, repetitions included."""
    lost: int = 0
    repeated: int = 0
    late: int = 0
    disordered: int = 0
    unanswered: int = 0
    gaps: int = 0
    """Requests that the service refused because an earlier message was missing."""
    resent: int = 0
    """Messages that were sent again because a gap was noticed."""
    refused: list[str] = field(default_factory=list)
    """Messages that the rules refused: the model makes none such."""


class Post:
    """Carries the messages of one source."""

    def __init__(self, service: AsyncClient, source: str, seed: int, faults: Faults) -> None:
        self._service = service
        self._source = source
        self._faults = faults
        self._random = random.Random(f"post {seed}")  # noqa: S311 - a simulation
        self._held: list[tuple[int, list[Message]]] = []
        self._turn = 0
        self.tally = Tally()

    async def send(self, batch: list[Message], outbox: Sequence[Message]) -> None:
        """Send messages for the first time; some of it goes wrong. `outbox`: everything that was told so far."""
        self._turn += 1
        fate, tally = self._fate(), self.tally
        if fate == "lost":
            tally.lost += 1
        elif fate == "late":
            tally.late += 1
            self._held.append((self._turn + self._random.randint(1, LATE_MAX), batch))
        else:
            if fate == "disordered":
                tally.disordered += 1
                self._random.shuffle(batch)
            await self._deliver(batch, outbox)
            if fate in ("repeated", "unanswered"):
                tally.repeated += fate == "repeated"
                tally.unanswered += fate == "unanswered"
                await self._deliver(batch, outbox)
        ready = [one for turn, one in self._held if turn <= self._turn]
        self._held = [(turn, one) for turn, one in self._held if turn > self._turn]
        for late in ready:
            await self._deliver(late, outbox)

    async def flush(self, outbox: Sequence[Message]) -> None:
        """Send until the service has everything."""
        for _, late in self._held:
            await self._deliver(late, outbox)
        self._held = []
        while await self.expected() <= len(outbox):
            await self._resend(outbox)

    async def expected(self) -> int:
        """Number of the message that the service waits for."""
        try:
            answer = await self._service.send(calls.fetch(f"/erp/sources/{self._source}"))
        except CallFailed as failure:
            if failure.status == 404:
                return 1
            raise
        return int(answer["next"])

    def _fate(self) -> str:
        drawn = self._random.uniform(0.0, 100.0)
        for name in ("lost", "repeated", "late", "disordered", "unanswered"):
            drawn -= getattr(self._faults, name)
            if drawn < 0.0:
                return name
        return ""

    async def _deliver(self, batch: Sequence[Message], outbox: Sequence[Message]) -> None:
        if not await self._post(batch):
            self.tally.gaps += 1
            if self._random.random() < IMPATIENCE:
                await self._resend(outbox)

    async def _resend(self, outbox: Sequence[Message]) -> None:
        """Everything from the first missing number on."""
        first = await self.expected()
        rest = outbox[first - 1 :]
        self.tally.resent += len(rest)
        for start in range(0, len(rest), RESENT_AT_ONCE):
            if not await self._post(rest[start : start + RESENT_AT_ONCE]):
                return

    async def _post(self, batch: Sequence[Message]) -> bool:
        """One request; False when an earlier message is missing."""
        self.tally.requests += 1
        self.tally.messages += len(batch)
        body = {"source": self._source, "messages": [one.body() for one in batch]}
        try:
            answer = await self._service.send(calls.ask("POST", "/erp/messages", body, repeatable=True))
        except RefusedByRules as refusal:
            if refusal.code != GAP:
                raise
            return False
        self.tally.refused += [
            f"{one['sequence']}: {one['message']}" for one in answer["results"] if not one["accepted"]
        ]
        return True
