"""Posts of the compatible surface: read the body, submit it, answer with an envelope.

The three hot routes of the service are here. A `Posting` is what the batcher calls to get the command, possibly
more than once; it remembers the last command, because the answer repeats parts of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar, cast

from onhand.api.compat import translate
from onhand.api.compat.decoding import BodyReader
from onhand.api.compat.envelopes import (
    Envelope,
    Subject,
    Verb,
    bulk,
    envelope,
    failure,
    faulted,
    is_mismatch,
    single,
    unfinished,
)
from onhand.api.compat.recurring import Known, Recurring
from onhand.api.compat.translate import Asker
from onhand.api.compat.wire import Event, Malformed, OnHandBody, ReserveBody, SetOnHandBody, UnreserveBody
from onhand.api.exchange import Call, Reply
from onhand.api.ids import new_id
from onhand.api.route import Give
from onhand.api.services import Services
from onhand.core.commands import AnyCommand, Reserve, Reverse, Unreserve
from onhand.core.dimensions import fold, name_dimensions, reservation_node
from onhand.core.erp.targets import measure_of
from onhand.core.outcomes import Outcome, Rejected
from onhand.core.rules import Rules
from onhand.service.faults import Fault

ON_HAND: Final = BodyReader(OnHandBody)
SET_ON_HAND: Final = BodyReader(SetOnHandBody)
RESERVE: Final = BodyReader(ReserveBody)
UNRESERVE: Final = BodyReader(UnreserveBody)
RECURRING: Final = Recurring()

Body = TypeVar("Body", bound=Event)
Make = Callable[[Rules, Any, Asker], AnyCommand | Rejected]

_UNREAD: Final = ReserveBody()
"""Stands for a body that was not read."""


class Posting:
    """One event on its way: makes its command, and its envelope from the outcome."""

    __slots__ = ("_body", "_made", "_make", "_rules", "_verb", "asker")

    def __init__(self, verb: Verb, make: Make, body: Event, asker: Asker, rules: Rules) -> None:
        self.asker = asker
        self._verb = verb
        self._make = make
        self._body = body
        self._rules = rules
        self._made: AnyCommand | Rejected | None = None

    def __call__(self, rules: Rules) -> AnyCommand | Rejected:
        """The command under these rules."""
        self._rules = rules
        self._made = made = self._make(rules, self._body, self.asker)
        return made

    @property
    def made(self) -> AnyCommand | Rejected | None:
        """The command as it was made last."""
        return self._made

    def answer(self, outcome: Outcome | Fault) -> Envelope:
        """The envelope of what came of it."""
        if isinstance(outcome, Fault):
            return faulted(self._rules, self._subject(), outcome)
        return envelope(self._rules, self._subject(), outcome)

    def reply(self, outcome: Outcome | Fault) -> Reply:
        """The answer to the event, alone in its request."""
        if isinstance(outcome, Fault):
            return unfinished(self.answer(outcome))
        return single(self._rules, self.answer(outcome), outcome)

    def _subject(self) -> Subject:
        made = self._made
        if isinstance(made, Reserve):
            return _reserve_subject(made, translate.reservation_id_of(self._rules, made))
        if isinstance(made, Reverse):
            shared = translate.reservation_id_of(self._rules, made)
            return Subject(self._verb, self.asker.id, reservation_id=shared)
        if isinstance(made, Unreserve):
            return Subject(
                self._verb, self.asker.id, quantity=made.quantity, reservation_id=made.reservation_id
            )
        return Subject(self._verb, self.asker.id, quantity=_offset_of(self._body))


class Recurrence(Posting):
    """A reservation whose command is known from an earlier body."""

    __slots__ = ("_known", "_raw")

    def __init__(self, raw: bytes, known: Known) -> None:
        command = known.command
        super().__init__(
            Verb.RESERVE, translate.reserve, _UNREAD, Asker(command.caller, command.id), known.rules
        )
        self._raw = raw
        self._known = known

    def __call__(self, rules: Rules) -> AnyCommand | Rejected:
        """The command that is known, or under other rules a new one."""
        known = self._known
        if rules is known.rules:
            self._rules = rules
            self._made = known.command
            return known.command
        self._body = cast("ReserveBody", RESERVE.one(self._raw))  # it was readable before
        return super().__call__(rules)

    def _subject(self) -> Subject:
        known = self._known
        if self._made is not known.command:
            return super()._subject()
        return _reserve_subject(known.command, known.reservation_id)


async def on_hand(call: Call, services: Services) -> Reply:
    """POST `/onhand`."""
    return await _single(call, services, Verb.ON_HAND, translate.on_hand, ON_HAND.one(call.body))


def start_on_hand(call: Call, services: Services, give: Give) -> bool:
    """`on_hand` without a task."""
    return _start(call, services, Verb.ON_HAND, translate.on_hand, ON_HAND.one(call.body), give)


async def on_hand_bulk(call: Call, services: Services) -> Reply:
    """POST `/onhand/bulk`."""
    items = ON_HAND.many(call.body, services.limits.items_max)
    return await _bulk(call, services, Verb.ON_HAND, translate.on_hand, items)


async def set_on_hand_bulk(call: Call, services: Services) -> Reply:
    """POST `/setonhand/{inventorySystem}/bulk`."""
    system = call.parameters["inventorySystem"]

    def make(rules: Rules, body: SetOnHandBody, asker: Asker) -> AnyCommand | Rejected:
        return translate.set_on_hand(rules, body, asker, system)

    items = SET_ON_HAND.many(call.body, services.limits.items_max)
    return await _bulk(call, services, Verb.ON_HAND, make, items)


async def reserve(call: Call, services: Services) -> Reply:
    """POST `/onhand/reserve`."""
    return await _single(call, services, Verb.RESERVE, translate.reserve, RESERVE.one(call.body))


def start_reserve(call: Call, services: Services, give: Give) -> bool:
    """`reserve` without a task; a body that came before but for its id is not read again."""
    rules, client = call.of, call.principal.client_id
    known = RECURRING.find(call.body, rules, client)
    if known is not None:
        return _offer(services, Recurrence(call.body, known), rules, give)
    body = RESERVE.one(call.body)
    if isinstance(body, Malformed):
        return _start(call, services, Verb.RESERVE, translate.reserve, body, give)
    posting = Posting(Verb.RESERVE, translate.reserve, body, Asker(client, body.id or new_id()), rules)
    offered = _offer(services, posting, rules, give)
    made = posting.made
    if isinstance(made, Reserve):
        RECURRING.remember(call.body, made, rules)
    return offered


async def reserve_bulk(call: Call, services: Services) -> Reply:
    """POST `/onhand/reserve/bulk`."""
    items = RESERVE.many(call.body, services.limits.items_max)
    return await _bulk(call, services, Verb.RESERVE, translate.reserve, items)


async def unreserve(call: Call, services: Services) -> Reply:
    """POST `/onhand/unreserve`."""
    body = UNRESERVE.one(call.body)
    if isinstance(body, UnreserveBody):
        await find_product(call.of, services, body)
    return await _single(call, services, Verb.UNRESERVE, translate.unreserve, body)


async def unreserve_bulk(call: Call, services: Services) -> Reply:
    """POST `/onhand/unreserve/bulk`."""
    items = UNRESERVE.many(call.body, services.limits.items_max)
    for item in items:
        if isinstance(item, UnreserveBody):
            await find_product(call.of, services, item)
    return await _bulk(call, services, Verb.UNRESERVE, translate.unreserve, items)


async def find_product(rules: Rules, services: Services, body: UnreserveBody) -> None:
    """Complete an unreserve that names no product: the reservation id tells which one it is (2.8)."""
    if (body.product_id or "").strip() or not body.reservation_id or not body.organization_id:
        return
    named = name_dimensions(rules, body.dimensions or {}, body.dimension_data_source)
    node = named if isinstance(named, Rejected) else reservation_node(rules, named)
    if isinstance(node, Rejected):
        return
    organization = fold(rules, body.organization_id.strip())
    async for key in services.reader.candidates(rules.environment, organization, node.key):
        if measure_of(rules, key, node, body.reservation_id) is not None:
            body.product_id = key.product
            return


async def _single(call: Call, services: Services, verb: Verb, make: Make, body: Event | Malformed) -> Reply:
    rules = call.of
    if isinstance(body, Malformed):
        return single(rules, failure(rules, Subject(verb, body.id), 400, body.message))
    posting = Posting(verb, make, body, Asker(call.principal.client_id, body.id or new_id()), rules)
    try:
        return posting.reply(await services.batcher.submit(rules, posting))
    except Fault as fault:
        return posting.reply(fault)


def _start(  # noqa: PLR0913 - the parts of `_single` and who gets the answer
    call: Call, services: Services, verb: Verb, make: Make, body: Event | Malformed, give: Give
) -> bool:
    """`_single` without a task; False when something must be waited for."""
    rules = call.of
    if isinstance(body, Malformed):
        message = failure(rules, Subject(verb, body.id), 400, body.message)
        give(single, rules, message)
        return True
    posting = Posting(verb, make, body, Asker(call.principal.client_id, body.id or new_id()), rules)
    return _offer(services, posting, rules, give)


def _offer(services: Services, posting: Posting, rules: Rules, give: Give) -> bool:
    """Queue a posting and have its answer given; False when something must be waited for."""
    return services.batcher.offer(rules, posting, partial(give, posting.reply))


async def _bulk(
    call: Call, services: Services, verb: Verb, make: Make, items: Sequence[Event | Malformed]
) -> Reply:
    rules, client = call.of, call.principal.client_id
    postings = [
        item
        if isinstance(item, Malformed)
        else Posting(verb, make, item, Asker(client, item.id or new_id()), rules)
        for item in items
    ]
    readable = [posting for posting in postings if isinstance(posting, Posting)]
    outcomes = await services.batcher.submit_all(rules, readable) if readable else []
    came = iter(outcomes)
    answers = [
        failure(rules, Subject(verb, posting.id), 400, posting.message)
        if isinstance(posting, Malformed)
        else posting.answer(next(came))
        for posting in postings
    ]
    return bulk(rules, answers, mismatch=any(map(is_mismatch, outcomes)))


def _reserve_subject(made: Reserve, shared: str) -> Subject:
    return Subject(
        Verb.RESERVE, made.id, checked=made.check, reservation_id=shared, hold=(made.product.k, shared)
    )


def _offset_of(body: Event) -> int:
    """What an unreserve asked for, as far as it can be read; it is repeated as invalid when it is refused."""
    if not isinstance(body, UnreserveBody):
        return 0
    quantity = translate.scaled(body.offset_quantity, "OffsetQty")
    return 0 if isinstance(quantity, Rejected) else quantity
