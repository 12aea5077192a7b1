"""The ERP's own changes, with the reservations that they offset (specification 3.6, 4.1, 4.2; decisions 21-24).

One event is one atomic group: the change of the quantities and its offsets are committed together, so that
what is available for reservation does not jump. An offset that names no reservation of exactly the same node
is left out and reported; the stock itself moved in the ERP, so the event takes place all the same.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import msgspec

from onhand.api.compat import translate
from onhand.api.compat.translate import Asker
from onhand.api.compat.wire import OnHandBody
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import decode
from onhand.api.native.wire import ErpAnswer, ErpEvent, ErpOffset, ErpResult, OffsetResult
from onhand.api.problems import FAULTS, EdgeProblem
from onhand.api.services import Services
from onhand.core.commands import Group, GroupMember, Kind, Offset
from onhand.core.erp import targets
from onhand.core.erp.figures import ERP_SOURCE
from onhand.core.erp.targets import HoldFacts, Mismatch
from onhand.core.fingerprints import digest
from onhand.core.outcomes import GroupOutcome, Outcome, Reason, Rejected, Replayed
from onhand.core.quantities import to_decimal
from onhand.core.rules import Rules
from onhand.service.faults import Fault

OFFSETS_MAX: Final = 512
"""Offsets of one event."""

_events = msgspec.json.Decoder(list[ErpEvent])


async def sync(call: Call, services: Services) -> Reply:
    """POST `/erp/sync`."""
    events = decode(_events, call.body)
    if len(events) > services.limits.items_max:
        raise EdgeProblem(
            400,
            "too-many-items",
            f"At most {services.limits.items_max} events are allowed. Send them in parts.",
        )
    if any(len(event.offsets) > OFFSETS_MAX for event in events):
        raise EdgeProblem(400, "too-many-items", f"An event has at most {OFFSETS_MAX} offsets.")
    holds = await _holds(call, services, events)
    makers = [EventMaker(event, call.principal.client_id, holds) for event in events]
    # Submitted in array order, so that events of one product are decided in it: they queue in one lane.
    results = await asyncio.gather(*(_submit(call.of, services, maker) for maker in makers))
    return json_reply(ErpAnswer(results=list(results)))


async def _submit(rules: Rules, services: Services, maker: EventMaker) -> ErpResult:
    try:
        return maker.result(await services.batcher.submit(rules, maker))
    except Fault as fault:
        return maker.result(fault)


async def _holds(call: Call, services: Services, events: list[ErpEvent]) -> dict[str, HoldFacts]:
    wanted = {offset.hold_id for event in events for offset in event.offsets if offset.hold_id}
    return await services.erp.holds.facts(call.of.environment, wanted)


@dataclass
class EventMaker:
    """Makes the group of one event, and its result."""

    event: ErpEvent
    client: str
    holds: dict[str, HoldFacts]

    def __post_init__(self) -> None:
        """Nothing is left out before the group was made."""
        self.left_out: dict[int, Rejected] = {}

    def __call__(self, rules: Rules) -> Group | Rejected:
        """The group under these rules."""
        self.left_out = {}
        event = self.event
        asker = Asker(self.client, event.id.strip())
        if not asker.id:
            return Rejected(Reason.INVALID_VALUE, "The event needs an id.")
        body = OnHandBody(
            organization_id=event.organization_id,
            product_id=event.product_id,
            dimension_data_source=event.dimension_data_source,
            dimensions=event.dimensions,
            quantities=event.quantities,
        )
        commands: list[GroupMember] = []
        if event.quantities:
            change = translate.on_hand(rules, body, asker, Kind.ERP)
            if isinstance(change, Rejected):
                return change
            offsets = digest(change.fingerprint, msgspec.to_builtins(event.offsets))
            commands.append(msgspec.structs.replace(change, fingerprint=offsets))
        for number, offset in enumerate(event.offsets):
            made = self._offset(rules, body, number, offset)
            if isinstance(made, Rejected):
                self.left_out[number] = made
            else:
                commands.append(made)
        if not commands:
            return next(
                iter(self.left_out.values()),
                Rejected(
                    Reason.INVALID_VALUE, "The event changes nothing: it has neither quantities nor offsets."
                ),
            )
        return Group(commands=tuple(commands))

    def _offset(self, rules: Rules, body: OnHandBody, number: int, offset: ErpOffset) -> Offset | Rejected:
        asker = Asker(self.client, self._id(number))
        subject = translate.product(rules, body, asker)
        if isinstance(subject, Rejected):
            return subject
        quantity = translate.scaled(offset.quantity, "quantity")
        if isinstance(quantity, Rejected):
            return quantity
        if quantity <= 0:
            return Rejected(Reason.INVALID_QUANTITY, "The quantity of an offset must be above zero.")
        own = offset.dimensions is not None
        source = offset.dimension_data_source if own else body.dimension_data_source
        node = targets.projected(rules, (offset.dimensions if own else body.dimensions) or {}, source)
        if isinstance(node, Rejected):
            return node
        target = (
            targets.by_hold(rules, subject, node, offset.hold_id, self.holds.get(offset.hold_id))
            if offset.hold_id
            else targets.by_reservation(rules, subject, node, offset.reservation_id or "")
        )
        if isinstance(target, Mismatch):
            return target.why
        return Offset(
            id=asker.id,
            fingerprint=digest(
                "offset", offset.hold_id, offset.reservation_id, quantity, subject.key.product, node.key
            ),
            caller=self.client,
            product=subject.key,
            organization_shown=subject.organization,
            product_shown=subject.product,
            position=node,
            measure=target.measure,
            quantity=quantity,
            hold=target.hold,
            reservation_id=offset.reservation_id or "",
            reason=f"{ERP_SOURCE} {self.event.id}"[:200],
        )

    def _id(self, number: int) -> str:
        return self.event.offsets[number].id or f"{self.event.id.strip()}/{number}"

    def result(self, outcome: Outcome | GroupOutcome | Fault) -> ErpResult:
        """What became of the event."""
        if isinstance(outcome, Fault):
            meaning = FAULTS.get(type(outcome))
            code, title = (meaning.code, meaning.title) if meaning else ("fault", "The service failed")
            return ErpResult(
                id=self.event.id, accepted=False, code=code, message=title, retryable=outcome.retryable
            )
        if isinstance(outcome, Rejected):
            return ErpResult(id=self.event.id, accepted=False, code=outcome.reason, message=outcome.message)
        if not isinstance(outcome, GroupOutcome):
            raise TypeError(f"a group was answered with {type(outcome).__name__}")
        if not outcome.accepted:
            return self._refused(outcome)
        return self._accepted(outcome)

    def _refused(self, outcome: GroupOutcome) -> ErpResult:
        refusals = [one for one in outcome.outcomes if isinstance(one, Rejected)]
        own = [one for one in refusals if one.reason is not Reason.GROUP_MEMBER_REFUSED]
        why = (own or refusals)[0]
        return ErpResult(id=self.event.id, accepted=False, code=why.reason, message=why.message)

    def _accepted(self, outcome: GroupOutcome) -> ErpResult:
        came = list(outcome.outcomes)
        replayed = bool(came) and isinstance(came[0], Replayed)
        offsets = iter(came[1:] if self.event.quantities else came)
        results = []
        for number in range(len(self.event.offsets)):
            why = self.left_out.get(number)
            result = OffsetResult(id=self._id(number))
            if why is not None:
                result.code, result.message = why.reason, why.message
            else:
                one = next(offsets)
                accepted = one.original if isinstance(one, Replayed) else one
                if not isinstance(accepted, Rejected):
                    result.consumed = to_decimal(accepted.released)
                    result.surplus = to_decimal(accepted.surplus)
            results.append(result)
        return ErpResult(id=self.event.id, accepted=True, replayed=replayed, offsets=results)
