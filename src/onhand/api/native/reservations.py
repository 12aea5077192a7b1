"""Native reservations: take, list, read, release, extend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

import msgspec

from onhand.api.compat import translate
from onhand.api.compat.envelopes import moment
from onhand.api.compat.translate import Asker
from onhand.api.compat.wire import ReserveBody
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import Query, decode, idempotency_key, paged
from onhand.api.native.wire import (
    ExtendRequest,
    ReleaseRequest,
    Reservation,
    ReservationExtended,
    ReservationPage,
    ReservationReleased,
    ReservationRequest,
    ReservationTaken,
)
from onhand.api.problems import of_rejection
from onhand.api.services import Services
from onhand.core import keys
from onhand.core.commands import AnyCommand, ExtendHold, ReleaseHold, Reserve
from onhand.core.dimensions import OUTPUT
from onhand.core.fingerprints import digest
from onhand.core.keys import Dimensions, ProductKey
from onhand.core.outcomes import Accepted, Outcome, Reason, Rejected, Replayed
from onhand.core.quantities import to_decimal
from onhand.core.rules import Rules
from onhand.rows import HoldRow

REPLAYED: Final = (b"idempotency-replayed", b"true")

_taken = msgspec.json.Decoder(ReservationRequest)
_released = msgspec.json.Decoder(ReleaseRequest)
_extended = msgspec.json.Decoder(ExtendRequest)


async def create(call: Call, services: Services) -> Reply:
    """POST `/reservations`."""
    request = decode(_taken, call.body)
    asker = Asker(call.principal.client_id, idempotency_key(call))
    build = Taking(request, asker)
    outcome = await services.batcher.submit(call.of, build)
    accepted, headers = settled(outcome)
    if isinstance(accepted, Rejected) or build.made is None:
        return of_rejection(accepted) if isinstance(accepted, Rejected) else Reply(500)
    hold = keys.hold_id(build.made.product.k, accepted.product_id or 0, accepted.hold or 0)
    answer = ReservationTaken(
        hold_id=hold,
        reservation_id=translate.reservation_id_of(call.of, build.made),
        quantity=to_decimal(build.made.quantity),
    )
    if request.check:
        answer.available = to_decimal(accepted.available)
    if accepted.expires_at is not None:
        answer.expires_at = moment(accepted.expires_at)
    location = f"/v1/environments/{call.environment}/reservations/{hold}".encode()
    return json_reply(answer, 201, (*headers, (b"location", location)))


class Taking:
    """Makes the reserve command of a native request, and remembers it."""

    def __init__(self, request: ReservationRequest, asker: Asker) -> None:
        self._request = request
        self._asker = asker
        self.made: Reserve | None = None

    def __call__(self, rules: Rules) -> AnyCommand | Rejected:
        """The command under these rules."""
        request = self._request
        source, name = _measure(rules, request.measure)
        body = ReserveBody(
            organization_id=request.organization_id,
            product_id=request.product_id,
            dimension_data_source=request.dimension_data_source,
            dimensions=request.dimensions,
            quantity_data_source=source,
            modifier=name,
            quantity=request.quantity,
            if_check_avail_for_reserv=request.check,
            expires_at=request.expires_at,
            ttl_seconds=request.ttl_seconds,
            reference=request.reference,
            channel=request.channel,
        )
        made = translate.reserve(rules, body, self._asker)
        if isinstance(made, Rejected):
            return made
        if not isinstance(made, Reserve):
            return Rejected(
                Reason.INVALID_QUANTITY, "quantity must be above zero; release a reservation to undo it."
            )
        self.made = made
        return made


async def listing(call: Call, services: Services) -> Reply:
    """GET `/reservations`."""
    query = Query(call)
    after, limit = query.page(services)
    open_only = query.flag("open")
    page = await paged(
        services.queries.holds(
            call.environment,
            organization=query.text("organizationId"),
            product=query.text("productId"),
            reference=query.text("reference"),
            channel=query.text("channel"),
            order=query.text("order"),
            open_only=True if open_only is None and query.text("state") != "all" else open_only,
            after=after,
            limit=limit,
        )
    )
    answer = ReservationPage(items=[shown(call.of, row) for row in page.rows], next=page.next)
    return json_reply(answer, headers=link(call, page.next))


async def read(call: Call, services: Services) -> Reply:
    """GET `/reservations/{holdId}`."""
    row = await services.queries.hold(call.environment, call.parameters["holdId"])
    return of_rejection(_unknown(call)) if row is None else json_reply(shown(call.of, row))


async def delete(call: Call, services: Services) -> Reply:
    """DELETE `/reservations/{holdId}`: release what remains."""
    return await _release(call, services, ReleaseRequest())


async def release(call: Call, services: Services) -> Reply:
    """POST `/reservations/{holdId}/release`: release a part, or what remains."""
    return await _release(call, services, decode(_released, call.body or b"{}"))


async def extend(call: Call, services: Services) -> Reply:
    """POST `/reservations/{holdId}/extend`."""
    request = decode(_extended, call.body or b"{}")
    life = translate.life(request.expires_at, request.ttl_seconds)
    if isinstance(life, Rejected):
        return of_rejection(life)

    def make(key: ProductKey, number: int) -> AnyCommand:
        return ExtendHold(
            id=idempotency_key(call),
            fingerprint=digest("extend", call.parameters["holdId"], request.expires_at, request.ttl_seconds),
            caller=call.principal.client_id,
            product=key,
            hold=number,
            expires_at=life[0],
            lives_us=life[1],
        )

    accepted, headers = await _on_hold(call, services, make)
    if isinstance(accepted, Rejected):
        return of_rejection(accepted)
    answer = ReservationExtended(hold_id=call.parameters["holdId"])
    if accepted.expires_at is not None:
        answer.expires_at = moment(accepted.expires_at)
    return json_reply(answer, headers=headers)


async def _release(call: Call, services: Services, request: ReleaseRequest) -> Reply:
    quantity = None if request.quantity is None else translate.scaled(request.quantity, "quantity")
    if isinstance(quantity, Rejected):
        return of_rejection(quantity)
    if quantity is not None and quantity <= 0:
        return of_rejection(Rejected(Reason.INVALID_QUANTITY, "quantity must be above zero."))

    def make(key: ProductKey, number: int) -> AnyCommand:
        return ReleaseHold(
            id=idempotency_key(call),
            fingerprint=digest("release", call.parameters["holdId"], quantity, request.reason),
            caller=call.principal.client_id,
            product=key,
            hold=number,
            quantity=quantity,
            reason=request.reason[:200],
        )

    accepted, headers = await _on_hold(call, services, make)
    if isinstance(accepted, Rejected):
        return of_rejection(accepted)
    answer = ReservationReleased(hold_id=call.parameters["holdId"], released=to_decimal(accepted.released))
    return json_reply(answer, headers=headers)


async def _on_hold(
    call: Call, services: Services, make: Callable[[ProductKey, int], AnyCommand]
) -> tuple[Accepted | Rejected, tuple[tuple[bytes, bytes], ...]]:
    parsed = keys.parse_hold_id(call.parameters["holdId"])
    key = (
        await services.reader.hold_product(call.of.environment, call.parameters["holdId"]) if parsed else None
    )
    if parsed is None or key is None:
        return _unknown(call), ()
    command = make(key, parsed[2])
    return settled(await services.batcher.submit(call.of, lambda _rules: command))


def settled(outcome: Outcome) -> tuple[Accepted | Rejected, tuple[tuple[bytes, bytes], ...]]:
    """The acceptance or the refusal, and the header that marks a replay."""
    if isinstance(outcome, Replayed):
        return outcome.original, (REPLAYED,)
    return outcome, ()


def shown(rules: Rules, row: HoldRow) -> Reservation:
    """A hold as it goes over the wire."""
    answer = Reservation(
        hold_id=row.id,
        organization_id=row.organization,
        product_id=row.product,
        dimensions=spelled(row.dimensions),
        measure=measure_text(rules, row.measure),
        quantity=to_decimal(row.quantity),
        remaining=to_decimal(row.remaining),
        reference=row.reference,
        channel=row.channel,
        order=row.order,
        caller=row.caller,
        created_at=moment(row.created_at),
    )
    if row.expires_at is not None:
        answer.expires_at = moment(row.expires_at)
    if row.closed_at is not None:
        answer.closed_at = moment(row.closed_at)
    if row.closed_by is not None:
        answer.closed_by = row.closed_by.name.lower()
    return answer


def spelled(dimensions: Dimensions) -> dict[str, str]:
    """Dimension values under their canonical names."""
    return {OUTPUT.get(name, name): value for name, value in dimensions}


def measure_text(rules: Rules, measure: int) -> str:
    """`source.measure`; the number alone where the configuration does not know it any more."""
    name = rules.names.get(measure)
    return f"{name[0]}.{name[1]}" if name else str(measure)


def link(call: Call, following: str | None) -> tuple[tuple[bytes, bytes], ...]:
    """`Link` header of the next page."""
    if following is None:
        return ()
    pairs = [(name, value) for name, value in call.query() if name.strip().lower() != "after"]
    return (
        (b"link", f'<?{urlencode([*pairs, ("after", following)])}>; rel="next"'.encode("latin-1", "replace")),
    )


def _measure(rules: Rules, given: str | None) -> tuple[str, str]:
    if given:
        source, _, name = given.partition(".")
        return source, name
    if len(rules.mapped) == 1:
        return rules.names[next(iter(rules.mapped))]
    return "", ""


def _unknown(call: Call) -> Rejected:
    return Rejected(
        Reason.UNKNOWN_HOLD, f"This environment has no reservation {call.parameters['holdId'][:100]!r}."
    )
