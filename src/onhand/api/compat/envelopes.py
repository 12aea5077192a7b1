"""Answers of the compatible surface: an outcome becomes a result envelope (specification 2.1, 2.4-2.8, 9)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.exchange import Reply
from onhand.core import keys
from onhand.core.dimensions import OUTPUT
from onhand.core.outcomes import Accepted, Outcome, Reason, Rejected, Replayed
from onhand.core.quantities import floor_units, to_decimal
from onhand.core.rules import Rules
from onhand.service.faults import Fault

Status = Literal["success", "partialSuccess", "failure"]

MISMATCH_HEADER: Final = (b"x-duplicate-payload-mismatch", b"true")

STATUS_OF: Final[dict[Reason, int]] = {
    Reason.SHORTAGE: 500,
    Reason.NEGATIVE_WITH_CHECK: 500,
    Reason.PARTITION_MISSING: 500,
    Reason.ERP_OWNED: 403,
    Reason.PAYLOAD_MISMATCH: 409,
    Reason.DUPLICATE_ID: 409,
}
"""`statusCode` of a rejection; every other reason is 400."""

CHECK_FAILED: Final = frozenset({Reason.SHORTAGE, Reason.NEGATIVE_WITH_CHECK})
"""Reasons that mean: the availability check said no (`afrFailure`)."""

_encoder = msgspec.json.Encoder(decimal_format="number")


class Verb(enum.StrEnum):
    """What kind of event an envelope answers; the value is its id prefix unless a switch says otherwise."""

    ON_HAND = "ohce~"
    RESERVE = "ohre~"
    UNRESERVE = "ohoe~"


class ShortageAnswer(msgspec.Struct):
    """At which level a reservation fell short."""

    requested: Decimal | int
    available: Decimal | int
    nodes: list[dict[str, str]]


class Envelope(msgspec.Struct, rename="camel", kw_only=True):
    """The result of one event. Fields that a kind of event does not have are left out."""

    reservation_id: str | UnsetType = UNSET
    afr_failure: bool | UnsetType = UNSET
    afr_quantity: int | UnsetType = UNSET
    total_invalid: Decimal | int | UnsetType = msgspec.field(
        default=UNSET, name="totalInvalidOffsetQtyByReservId"
    )
    hold_id: str | UnsetType = UNSET
    expires_at: datetime | UnsetType = UNSET
    shortage: ShortageAnswer | UnsetType = UNSET
    id: str
    processing_status: Status
    message: str = ""
    status_code: int = 200


class BulkAnswer(msgspec.Struct, rename="camel"):
    """Results of a bulk post; each list keeps the order of the request."""

    success: list[Envelope]
    partial_success: list[Envelope]
    failure: list[Envelope]


class FailureOnly(msgspec.Struct):
    """Results of a bulk post under the switch `bulkResponse: failureOnly`."""

    failure: list[Envelope]


class Subject(msgspec.Struct, frozen=True):
    """What the answer has to repeat of the question."""

    verb: Verb
    id: str
    checked: bool = False
    """Reserve: the availability was checked."""
    quantity: int = 0
    """Unreserve: what was asked for; scaled."""
    reservation_id: str = ""
    hold: tuple[int, str] | None = None


def envelope(rules: Rules, subject: Subject, outcome: Outcome) -> Envelope:
    """The result envelope of an outcome."""
    if isinstance(outcome, Rejected):
        return rejected(rules, subject, outcome)
    if isinstance(outcome, Replayed):
        outcome = outcome.original
    answer = Envelope(id=prefix(rules, subject.verb) + subject.id, processing_status="success")
    if subject.verb is Verb.RESERVE:
        _reserved(rules, subject, outcome, answer)
    elif subject.verb is Verb.UNRESERVE:
        answer.reservation_id = subject.reservation_id
        answer.afr_failure = False
        answer.afr_quantity = 0
        answer.total_invalid = to_decimal(outcome.surplus)
        if outcome.surplus:
            answer.processing_status = "partialSuccess"
            answer.message = f"{to_decimal(outcome.surplus)} more was asked for than was reserved; everything left was released."
    return answer


def _reserved(rules: Rules, subject: Subject, accepted: Accepted, answer: Envelope) -> None:
    answer.reservation_id = subject.reservation_id
    answer.afr_failure = False
    shown = subject.checked and rules.switches.afr_quantity == "available"
    answer.afr_quantity = floor_units(accepted.available) if shown else 0
    if accepted.hold is not None and accepted.product_id is not None and subject.hold is not None:
        answer.hold_id = keys.hold_id(subject.hold[0], accepted.product_id, accepted.hold)
    if accepted.expires_at is not None:
        answer.expires_at = moment(accepted.expires_at)


def rejected(rules: Rules, subject: Subject, why: Rejected) -> Envelope:
    """The result envelope of a refusal."""
    answer = failure(rules, subject, STATUS_OF.get(why.reason, 400), why.message)
    if subject.verb is Verb.RESERVE:
        answer.afr_failure = why.reason in CHECK_FAILED
        if answer.afr_failure and rules.switches.afr_quantity == "available":
            answer.afr_quantity = floor_units(why.available)
        if why.shortage is not None:
            answer.shortage = ShortageAnswer(
                to_decimal(why.shortage.requested),
                to_decimal(why.shortage.available),
                [node(text) for text in why.shortage.nodes],
            )
    elif subject.verb is Verb.UNRESERVE:
        empty = why.reason in (Reason.NOTHING_RESERVED, Reason.RESERVATION_MISMATCH)
        if empty and rules.switches.empty_unreserve == "partialSuccess":
            answer.processing_status, answer.status_code = "partialSuccess", 200
            answer.reservation_id = subject.reservation_id
    return answer


def failure(rules: Rules | None, subject: Subject, status: int, message: str) -> Envelope:
    """The envelope of an event that had no effect."""
    answer = Envelope(
        id=prefix(rules, subject.verb) + subject.id,
        processing_status="failure",
        message=message,
        status_code=status,
    )
    if subject.verb is not Verb.ON_HAND:
        answer.reservation_id, answer.afr_failure, answer.afr_quantity = "", False, 0
    if subject.verb is Verb.UNRESERVE:
        answer.total_invalid = to_decimal(subject.quantity)
    return answer


def faulted(rules: Rules, subject: Subject, fault: Fault) -> Envelope:
    """The envelope of a bulk item that an outage hit."""
    status = 503 if fault.retryable else 500
    return failure(
        rules, subject, status, "The service could not complete this item; send it again with the same id."
    )


def single(rules: Rules, answer: Envelope, outcome: Outcome | None = None) -> Reply:
    """The answer to one event."""
    status = answer.status_code if rules.switches.mirror_status_code else 200
    return Reply(status, _encoder.encode(answer), headers=(MISMATCH_HEADER,) if is_mismatch(outcome) else ())


def unfinished(answer: Envelope) -> Reply:
    """The answer to one event that an outage hit: the HTTP status says so whatever the switches."""
    headers = ((b"retry-after", b"1"),) if answer.status_code == 503 else ()
    return Reply(answer.status_code, _encoder.encode(answer), headers=headers)


def bulk(rules: Rules, answers: Sequence[Envelope], *, mismatch: bool) -> Reply:
    """The answer to a bulk post; HTTP 200 even when items fail."""
    grouped: dict[Status, list[Envelope]] = {"success": [], "partialSuccess": [], "failure": []}
    for answer in answers:
        grouped[answer.processing_status].append(answer)
    body = (
        FailureOnly(grouped["failure"])
        if rules.switches.bulk_response == "failureOnly"
        else BulkAnswer(grouped["success"], grouped["partialSuccess"], grouped["failure"])
    )
    return Reply(200, _encoder.encode(body), headers=(MISMATCH_HEADER,) if mismatch else ())


def is_mismatch(outcome: object) -> bool:
    """Whether the id was refused because it came with another body before."""
    return isinstance(outcome, Rejected) and outcome.reason is Reason.PAYLOAD_MISMATCH


def prefix(rules: Rules | None, verb: Verb) -> str:
    """What stands before the id in an answer."""
    if verb is Verb.ON_HAND and rules is not None:
        return rules.switches.on_hand_id_prefix
    return verb.value


def moment(microseconds: int) -> datetime:
    """A time of the engine as a time of the wire, UTC."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(
        microsecond=microseconds % 1_000_000
    )


@lru_cache(maxsize=10_000)
def _node(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((OUTPUT.get(name, name), value) for name, value in keys.decode(text))


def node(text: str) -> dict[str, str]:
    """A node's key as dimension values in their canonical spelling."""
    return dict(_node(text))
