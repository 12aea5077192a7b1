"""One table: reason or fault -> HTTP status and wording (RFC 9457 on the native surface)."""

from __future__ import annotations

import http
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.exchange import PROBLEM, Reply, json_reply
from onhand.core.dimensions import OUTPUT
from onhand.core.keys import decode
from onhand.core.outcomes import Reason, Rejected
from onhand.core.quantities import to_decimal
from onhand.service.faults import (
    Busy,
    Conflict,
    DeadlineExceeded,
    Fault,
    InvariantViolation,
    OutcomeUnknown,
    StoreUnavailable,
    UnknownEnvironment,
)

TYPE: Final = "/docs#{code}"
"""Where a problem is described; relative to the service itself."""


class Meaning(NamedTuple):
    """What a fault is to the caller."""

    status: int
    code: str
    title: str
    detail: str
    retry_after_s: int | None = None


FAULTS: Final[dict[type[Fault], Meaning]] = {
    Busy: Meaning(
        503, "busy", "The service is busy", "Nothing was recorded. Send the same request again.", 1
    ),
    DeadlineExceeded: Meaning(
        503,
        "deadline-exceeded",
        "The deadline passed",
        "Nothing was recorded. Send the same request again.",
        1,
    ),
    StoreUnavailable: Meaning(
        503,
        "store-unavailable",
        "The database cannot be reached",
        "Nothing was recorded. Send it again later.",
        2,
    ),
    Conflict: Meaning(
        503,
        "conflict",
        "Too many concurrent changes",
        "Nothing was recorded. Send the same request again.",
        1,
    ),
    OutcomeUnknown: Meaning(
        503,
        "outcome-unknown",
        "It is not known whether the request took effect",
        "Send it again with the same id: it takes effect once, and the answer says what happened.",
        1,
    ),
    UnknownEnvironment: Meaning(
        404, "unknown-environment", "The environment does not exist", "Check the environment id in the path."
    ),
    InvariantViolation: Meaning(
        500,
        "invariant-violation",
        "The stored state contradicts itself",
        "Nothing was recorded. Give the request id to the operator and run `onhand verify`.",
    ),
}

REFUSALS: Final[dict[Reason, tuple[int, str]]] = {
    Reason.SHORTAGE: (409, "Not enough is available"),
    Reason.NEGATIVE_WITH_CHECK: (422, "A negative quantity cannot be checked"),
    Reason.DIMENSION_NOT_CONFIGURED: (422, "A dimension is not a reservation dimension"),
    Reason.NOT_A_HIERARCHY_PREFIX: (422, "The dimensions are not a prefix of the hierarchy"),
    Reason.PARTITION_MISSING: (422, "Site and location are required"),
    Reason.UNKNOWN_DATA_SOURCE: (422, "The data source is not configured"),
    Reason.UNKNOWN_MEASURE: (422, "The measure is not configured"),
    Reason.UNKNOWN_DIMENSION: (422, "The dimension is unknown"),
    Reason.NO_RESERVATION_MAPPING: (422, "The measure has no reservation mapping"),
    Reason.ERP_OWNED: (403, "The quantity belongs to the ERP"),
    Reason.FOREIGN_SOURCE: (422, "The quantity belongs to another data source"),
    Reason.INVALID_QUANTITY: (422, "The quantity is not valid"),
    Reason.INVALID_VALUE: (422, "A value is not valid"),
    Reason.RESERVATIONS_DISABLED: (409, "Soft reservation is switched off"),
    Reason.NOTHING_RESERVED: (409, "Nothing is reserved"),
    Reason.RESERVATION_MISMATCH: (409, "The reservation does not match"),
    Reason.UNKNOWN_HOLD: (404, "The reservation does not exist"),
    Reason.HOLD_CLOSED: (409, "The reservation is closed"),
    Reason.HOLD_TOO_SMALL: (409, "Less remains than was asked for"),
    Reason.HOLD_OF_ANOTHER_ORDER: (409, "The reservation belongs to another order"),
    Reason.PAYLOAD_MISMATCH: (422, "The key was used with another body"),
    Reason.DUPLICATE_ID: (409, "The key was already used"),
    Reason.STALE_DOCUMENT: (409, "Somebody else changed the document"),
    Reason.GROUP_MEMBER_REFUSED: (409, "Another part of the group was refused"),
    Reason.TOO_COMPLEX: (422, "The reservations of the product are too many to decide"),
    Reason.OUT_OF_RANGE: (422, "The quantity leaves the range"),
    Reason.UNKNOWN_LINE: (404, "The order line does not exist"),
    Reason.UNKNOWN_TRANSACTION: (404, "The line has no such transaction"),
    Reason.ILLEGAL_MOVE: (409, "The line cannot move to that status"),
    Reason.SEQUENCE_GAP: (409, "Earlier messages of the source are missing"),
    Reason.EXTERNALLY_RESERVED: (409, "The line was reserved in another system"),
    Reason.SOFT_RESERVATION_MISSING: (409, "The line has no soft reservation"),
    Reason.LIMIT_REACHED: (422, "A limit is reached"),
    Reason.UNKNOWN_CHECK: (404, "The consistency check does not exist"),
    Reason.CHECK_NOT_READY: (409, "The consistency check is not that far, or further"),
}
"""Status and title on the native surface; a test holds that each reason is here."""

RETRYABLE: Final = frozenset({Reason.SHORTAGE, Reason.STALE_DOCUMENT})
"""Refusals that may go away by themselves."""


class ShortageDetail(msgspec.Struct):
    """At which level it fell short."""

    requested: Any
    available: Any
    nodes: list[dict[str, str]]


class Problem(msgspec.Struct, kw_only=True):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | UnsetType = UNSET
    code: str
    available: Any = UNSET
    retryable: bool = False
    shortage: ShortageDetail | UnsetType = UNSET
    problems: list[str] | UnsetType = UNSET
    """Each thing that is wrong, where there are several."""


class EdgeProblem(Exception):  # noqa: N818 - it is the answer, not a failure of ours
    """A request that the edge itself refuses; nothing was submitted."""

    def __init__(self, status: int, code: str, detail: str, problems: list[str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.problems = problems
        self.headers: tuple[tuple[bytes, bytes], ...] = ()


def of_edge(error: EdgeProblem) -> Reply:
    """The answer to a request that the edge refuses."""
    return reply(
        Problem(
            type=TYPE.format(code=error.code),
            title=http.HTTPStatus(error.status).phrase,
            status=error.status,
            detail=error.detail,
            code=error.code,
            retryable=error.status in (429, 503),
            problems=error.problems or UNSET,
        ),
        error.headers,
    )


def of_fault(fault: Fault) -> Reply:
    """The answer when something outside the rules went wrong."""
    meaning = FAULTS.get(type(fault), FAULTS[StoreUnavailable])
    problem = Problem(
        type=TYPE.format(code=meaning.code),
        title=meaning.title,
        status=meaning.status,
        detail=meaning.detail,
        code=meaning.code,
        retryable=fault.retryable,
    )
    return reply(problem, retry_after(meaning))


def of_rejection(why: Rejected) -> Reply:
    """The answer when the rules say no."""
    return reply(problem_of(why))


def problem_of(why: Rejected) -> Problem:
    """The problem details of a refusal."""
    status, title = REFUSALS[why.reason]
    problem = Problem(
        type=TYPE.format(code=why.reason),
        title=title,
        status=status,
        detail=why.message,
        code=why.reason,
        retryable=why.reason in RETRYABLE,
    )
    if why.reason is Reason.SHORTAGE:
        problem.available = to_decimal(why.available)
    if why.shortage is not None:
        problem.shortage = ShortageDetail(
            to_decimal(why.shortage.requested),
            to_decimal(why.shortage.available),
            [{OUTPUT[name]: value for name, value in decode(node)} for node in why.shortage.nodes],
        )
    return problem


def reply(problem: Problem, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """A problem as an answer."""
    answer = json_reply(problem, problem.status, headers)
    answer.content_type = PROBLEM
    return answer


def retry_after(meaning: Meaning) -> tuple[tuple[bytes, bytes], ...]:
    """Header that says when to try again."""
    return () if meaning.retry_after_s is None else ((b"retry-after", str(meaning.retry_after_s).encode()),)


def plain(status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """The error body of the compatible surface (specification 2.1)."""
    return json_reply({"statusCode": status, "message": message}, status, headers)
