"""Three sales channels that race for the same stock over HTTP, each with the habits of its kind.

* The **web shop** reserves a cart as a whole, holds it for a quarter of an hour under the cart's number, and gives
  abandoned carts back by their hold ids.
* The **shops' tills** reserve line by line at their own warehouse, and cancel as the original advises: the same
  request with a negative quantity, even with the same id.
* The **marketplace** sells a colour and size in whichever style there is, so it reserves one level above the
  others, and gives back by reservation id.

All of them lose answers now and then and send the same request twice. Each keeps its own books, which the audit
compares with the service's.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from onhand.cli.demo.retailer import ORGANIZATION, WAREHOUSES, Retailer, Variant
from onhand.client import AsyncClient, Call, Envelope, calls

T = TypeVar("T")

Node = tuple[str, ...]
"""Product, site, location, color, size, style; the style is empty for the marketplace."""

RETRY_SHARE = 0.08
"""Share of requests that are sent twice, as after a lost answer."""
REGRET_SHARE = 0.25
"""Share of carts that are given back."""
WEB_HOLD_SECONDS = 900


@dataclass(slots=True)
class Books:
    """What a channel knows of its own reservations."""

    channel: str
    requests: int = 0
    accepted: int = 0
    refused: int = 0
    repeated: int = 0
    """Requests sent a second time with the same id."""
    contradicted: int = 0
    """Repeats that got another reservation than the first: there must be none."""
    returned: int = 0
    held: Counter[Node] = field(default_factory=Counter)
    """Pieces that the channel believes to hold."""
    seconds: list[float] = field(default_factory=list)
    """Time from request to answer."""


def node_of(variant: Variant, *, any_style: bool = False) -> Node:
    """The node that a reservation of a variant names."""
    place = variant.warehouse
    style = "" if any_style else variant.style
    return (variant.product.id, place.site, place.location, variant.color, variant.size, style)


class Channel:
    """A channel with one connection pool and its books."""

    def __init__(self, name: str, service: AsyncClient, retailer: Retailer) -> None:
        self.books = Books(name)
        self.carts = 0
        """Carts worked through so far."""
        self._service = service
        self._retailer = retailer

    async def trade(self, carts: int, workers: int) -> None:
        """Work through a number of carts with some workers at once."""
        async with asyncio.TaskGroup() as group:
            for worker in range(workers):
                share = carts // workers + (worker < carts % workers)
                dice = random.Random(f"{self._retailer.seed} {self.books.channel} {worker}")  # noqa: S311 - a demo
                group.create_task(self._work(share, worker, dice))

    async def _work(self, carts: int, worker: int, dice: random.Random) -> None:
        for number in range(carts):
            await self._cart(f"{self.books.channel}-{worker}-{number}", dice)
            self.carts += 1

    async def _cart(self, cart: str, dice: random.Random) -> None:
        raise NotImplementedError

    # Requests ------------------------------------------------------------------------------------------------

    async def _timed(self, call: Call[T]) -> T:
        started = time.perf_counter()
        answer = await self._service.send(call)
        self.books.seconds.append(time.perf_counter() - started)
        self.books.requests += 1
        return answer

    async def _reserve(self, body: dict[str, Any], node: Node, *, twice: bool) -> Envelope:
        """Reserve; sometimes twice at the same moment, with the same id."""
        call = calls.reserve(body)
        if not twice:
            answer = await self._timed(call)
        else:
            answers = await asyncio.gather(self._timed(call), self._timed(call))
            answer = self._one_of(answers)
        self._enter(answer, node, int(body["quantity"]))
        return answer

    async def _reserve_all(self, bodies: Sequence[dict[str, Any]]) -> dict[str, Envelope]:
        """Answers by id; lines that were not decided because the service was busy go out again."""
        answers: dict[str, Envelope] = {}
        while left := [body for body in bodies if (seen := answers.get(body["id"])) is None or seen.busy]:
            answers |= (await self._timed(calls.reserve_all(left))).by_id()
        return answers

    def _one_of(self, answers: Sequence[Envelope]) -> Envelope:
        self.books.repeated += len(answers) - 1
        taken = [answer for answer in answers if answer.accepted]
        if len({(answer.reservation_id, answer.hold_id) for answer in taken}) > 1:
            self.books.contradicted += 1
        return taken[0] if taken else answers[0]

    def _enter(self, answer: Envelope, node: Node, pieces: int) -> None:
        if answer.accepted:
            self.books.accepted += 1
            self.books.held[node] += pieces
        else:
            self.books.refused += 1

    def _give_back(self, node: Node, pieces: int) -> None:
        self.books.returned += 1
        self.books.held[node] -= pieces

    def _body(self, id_: str, variant: Variant, pieces: int, *, any_style: bool = False) -> dict[str, Any]:
        dimensions = variant.dimensions
        if any_style:
            del dimensions["StyleId"]
        return calls.reservation(
            id=id_,
            organization=ORGANIZATION,
            product=variant.product.id,
            dimensions=dimensions,
            quantity=pieces,
        )

    async def grab(self, variant: Variant, orders: int, workers: int) -> int:
        """Reserve one piece of a variant again and again; how many of the orders got one."""
        won = 0

        async def worker(numbers: range) -> None:
            nonlocal won
            dice = random.Random(f"{self.books.channel} {numbers.start}")  # noqa: S311 - a demo
            for number in numbers:
                body = self._body(f"drop-{self.books.channel}-{number}", variant, 1)
                answer = await self._reserve(body, node_of(variant), twice=dice.random() < RETRY_SHARE)
                won += answer.accepted

        async with asyncio.TaskGroup() as group:
            for first in range(workers):
                group.create_task(worker(range(first, orders, workers)))
        return won


class Web(Channel):
    """Carts in bulk, with an owner and an expiry."""

    async def _cart(self, cart: str, dice: random.Random) -> None:
        lines = {node_of(variant): variant for variant in _choices(self._retailer, dice)}
        owner = {"reference": cart, "channel": "web", "ttlSeconds": WEB_HOLD_SECONDS}
        bodies = [
            self._body(f"{cart}-{line}", variant, dice.choice((1, 1, 1, 2))) | owner
            for line, variant in enumerate(lines.values())
        ]
        answers = await self._reserve_all(bodies)
        if dice.random() < RETRY_SHARE:
            again = await self._reserve_all(bodies)
            answers = {id_: self._one_of((answers[id_], again[id_])) for id_ in answers}
        regret = dice.random() < REGRET_SHARE
        for body, node in zip(bodies, lines, strict=True):
            answer = answers[str(body["id"])]
            self._enter(answer, node, int(body["quantity"]))
            if answer.accepted and regret:
                path = f"/reservations/{quote(answer.hold_id or '', safe='')}/release"
                await self._timed(calls.ask("POST", path, {}, key=f"{body['id']}-back"))
                self._give_back(node, int(body["quantity"]))


class Pos(Channel):
    """Line by line at one warehouse; cancelled by the same request with a negative quantity."""

    async def _cart(self, cart: str, dice: random.Random) -> None:
        place = dice.choice(WAREHOUSES)
        for line in range(dice.choice((1, 1, 2, 3))):
            variant = self._retailer.choose_at(place, dice)
            body = self._body(f"{cart}-{line}", variant, 1)
            answer = await self._reserve(body, node_of(variant), twice=dice.random() < RETRY_SHARE)
            if answer.accepted and dice.random() < REGRET_SHARE:
                reverse = body | {"quantity": -1, "ifCheckAvailForReserv": False}
                if (await self._timed(calls.reserve(reverse))).accepted:
                    self._give_back(node_of(variant), 1)


class Marketplace(Channel):
    """Any style of a colour and size; given back by reservation id."""

    async def _cart(self, cart: str, dice: random.Random) -> None:
        variant = self._retailer.choose(dice)
        node = node_of(variant, any_style=True)
        pieces = dice.choice((1, 1, 2))
        body = self._body(cart, variant, pieces, any_style=True)
        answer = await self._reserve(body, node, twice=dice.random() < RETRY_SHARE)
        if answer.accepted and dice.random() < REGRET_SHARE:
            back = calls.unreserve(
                id=f"{cart}-back",
                organization=ORGANIZATION,
                product=variant.product.id,
                dimensions=body["dimensions"],
                reservation_id=answer.reservation_id,
                quantity=pieces,
            )
            if (await self._timed(back)).accepted:
                self._give_back(node, pieces)


def _choices(retailer: Retailer, dice: random.Random) -> list[Variant]:
    return [retailer.choose(dice) for _ in range(dice.choice((1, 1, 2, 2, 3, 4)))]
