"""The play: the web shop reserves, the ERP tells, now and then the synchronisation runs; at the end everything is compared."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.simulator import books
from onhand.cli.simulator.books import Check
from onhand.cli.simulator.model import COLORS, ORGANIZATION, PLACES, SEVERAL, Erp, Line, Message, Record
from onhand.cli.simulator.post import PER_REQUEST, Faults, Post, Tally
from onhand.cli.simulator.terms import Terms, read_terms
from onhand.client import AsyncClient, calls

OPENING = 100_000
"""Pieces of each record that the ERP has at the beginning."""
EVENTS_AT_ONCE = 200
SYNC_EVERY = 25
"""Requests between two synchronisations on demand; the service's own go on beside them."""


async def _nothing(_: Play) -> None:
    """Nothing happens beside the play."""


@dataclass(slots=True, kw_only=True)
class Script:
    """What is played."""

    seed: int = 1
    run: str = "erp-sim"
    orders: int = 200
    products: int = 20
    rate: float = 0.0
    """Messages a second; 0: as fast as they are taken."""
    faults: Faults = field(default_factory=Faults)
    beside: Callable[[Play], Awaitable[None]] = _nothing
    """Called before each request; tests and the demo let things happen there."""


@dataclass(slots=True)
class Result:
    """What came of it."""

    messages: int
    lines: int
    ways: Counter[str]
    tally: Tally
    synchronised: int
    seconds: float
    checks: list[Check]

    @property
    def failed(self) -> list[str]:
        """What does not hold."""
        return [check.says for check in self.checks if not check.passed]


class Play:
    """One play against one service."""

    def __init__(self, service: AsyncClient, script: Script) -> None:
        self._service = service
        self._script = script
        self.post = Post(service, script.run, script.seed, script.faults)
        self.progress = 0.0
        self.synchronised = 0

    async def run(self) -> Result:
        """Play to the end.

        Raises:
            CommandFailed: the environment does not fit.
            CallFailed: the service cannot be reached, or does not let this client do it.
        """
        script = self._script
        terms = await read_terms(self._service)
        erp = Erp(script.seed, script.run, script.orders, script.products, terms.trigger)
        opening = await self._stock(erp)
        begun = time.perf_counter()
        batch: list[Message] = []
        for message in erp.steps():
            if message.opens:
                await self._reserve(message.line, terms)
            batch.append(message)
            if len(batch) == PER_REQUEST:
                await self._send(batch, erp, begun)
                batch = []
        if batch:
            await self._send(batch, erp, begun)
        await self.post.flush(erp.messages)
        await self._synchronise()
        took = time.perf_counter() - begun
        self.progress = 1.0
        tally = self.post.tally
        checks = await books.compare(self._service, erp, terms, opening, len(tally.refused))
        return Result(
            len(erp.messages), len(erp.lines), books.shares(erp.lines), tally, self.synchronised, took, checks
        )

    async def _send(self, batch: list[Message], erp: Erp, begun: float) -> None:
        await self._script.beside(self)
        if self._script.rate:
            due = begun + len(erp.messages) / self._script.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await self.post.send(batch, erp.messages)
        self.progress = erp.progress
        if self.post.tally.requests // SYNC_EVERY > self.synchronised:
            await self._synchronise()

    async def _synchronise(self) -> None:
        self.synchronised += 1
        await self._service.send(calls.ask("POST", "/erp/sync/run", repeatable=True))

    async def _stock(self, erp: Erp) -> Counter[tuple[Record, str]]:
        """The ERP's opening figures, posted by it; with the same run name it is a repeat."""
        opening: Counter[tuple[Record, str]] = Counter()
        events: list[dict[str, Any]] = []
        for product in erp.products:
            for site, location in PLACES:
                for color in COLORS:
                    record = (product, site, location, color)
                    opening[record, "physicalinvent"] = opening[record, "availphysical"] = OPENING
                    events.append(
                        {
                            "id": f"{erp.source}-stock-{len(events)}",
                            "organizationId": ORGANIZATION,
                            "productId": product,
                            "dimensions": {"siteid": site, "locationid": location, "colorid": color},
                            "quantities": {"fno": {"physicalinvent": OPENING, "availphysical": OPENING}},
                        }
                    )
        for start in range(0, len(events), EVENTS_AT_ONCE):
            answer = await self._service.send(
                calls.ask("POST", "/erp/sync", events[start : start + EVENTS_AT_ONCE], repeatable=True)
            )
            if not all(one["accepted"] for one in answer["results"]):
                raise CommandFailed(Exit.REFUSED, f"The opening stock was refused: {answer['results'][0]}")
        return opening

    async def _reserve(self, line: Line, terms: Terms) -> None:
        """The web shop's part: it has checked what it sells, and leaves the rest to the ERP."""
        source, _, measure = terms.reserved.partition(".")
        owned = line.way in ("named", SEVERAL)
        for number, quantity in enumerate(line.reservations()):
            body = calls.reservation(
                id=f"{line.id}-{number}",
                organization=ORGANIZATION,
                product=line.product,
                dimensions=line.dimensions(reserved=True),
                quantity=quantity,
                source=source,
                modifier=measure,
                check=False,
                reference=f"{line.id}-{number}" if owned else None,
            )
            answer = await self._service.send(calls.reserve(body))
            if not answer.accepted:
                raise CommandFailed(Exit.REFUSED, f"A reservation was refused: {answer.message}")
            line.reservation_id = answer.reservation_id
            if owned and answer.hold_id:
                line.hold_ids.append(answer.hold_id)
