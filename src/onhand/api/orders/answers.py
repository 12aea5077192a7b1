"""Answers of the order side: pages, refusals with their codes (order specification 8.1), query parameters."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api import problems
from onhand.api.exchange import PROBLEM, Call, Reply, json_reply
from onhand.api.native.reading import CURSOR_MAX, LIMIT_DEFAULT
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services
from onhand.core.orders.entities import Json, parse
from onhand.core.orders.refusals import Code, Refused

CODES: Final[dict[Code, tuple[int, str]]] = {
    Code.VALIDATION_FAILED: (400, "The request does not fit"),
    Code.UNKNOWN_ORDER_TYPE: (400, "The order type is not configured"),
    Code.UNKNOWN_STATUS: (400, "The order type has no such status"),
    Code.STATUS_NOT_AVAILABLE: (400, "The status cannot follow the present one"),
    Code.ORDER_QUEUED: (400, "The order is still being processed"),
    Code.ORDER_READ_ONLY: (400, "The order is read-only"),
    Code.OVER_DELIVERY: (400, "More is delivered than was ordered"),
    Code.DUPLICATE_GOODS_RECEPTION: (400, "The goods reception was processed before"),
    Code.NOT_FOUND: (404, "It does not exist"),
    Code.ORDER_LOCKED: (409, "Another operation works on the order"),
    Code.DUPLICATE_ID: (409, "The id exists already"),
    Code.PAYLOAD_MISMATCH: (422, "The key was used with another body"),
    Code.VERSION_CONFLICT: (412, "Somebody else changed it"),
    Code.ITEM_RESERVED: (409, "The item has open reservations"),
    Code.ORDER_TYPE_IN_USE: (409, "There are orders of the type"),
    Code.TASK_RUNNING: (409, "The task runs already"),
}
"""Status and title of each code; a test holds that all are here."""

T = TypeVar("T")


class Wrong(msgspec.Struct):
    """One thing that is wrong."""

    path: str
    message: str


class OrderProblem(msgspec.Struct, kw_only=True):
    """RFC 9457 problem details of the order side."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Wrong] | UnsetType = UNSET


class ResultPage(msgspec.Struct, rename="camel", kw_only=True):
    """A page of a search."""

    result: list[Any]
    total_hits: int
    """Counted up to a bound."""
    next_cursor: str | None = None
    """Send it as `cursor` to get the next page; absent at the end."""


def refused(why: Refused) -> Reply:
    """The answer to a request that cannot be carried out as written."""
    status, title = CODES[why.code]
    problem = OrderProblem(
        type=problems.TYPE.format(code=why.code),
        title=title,
        status=status,
        detail=why.message,
        code=why.code,
        errors=[Wrong(one.path, one.message) for one in why.problems] or UNSET,
    )
    answer = json_reply(problem, status)
    answer.content_type = PROBLEM
    return answer


def page(rows: Sequence[Any], total: int, following: str | None) -> Reply:
    """A page."""
    return json_reply(ResultPage(result=list(rows), total_hits=total, next_cursor=following))


def body(call: Call) -> Json:
    """The JSON of the body.

    Raises:
        EdgeProblem: it is not JSON.
    """
    value = parse(call.body)
    if isinstance(value, Refused):
        raise EdgeProblem(400, value.code, value.message)
    return value


class Paging(msgspec.Struct, frozen=True):
    """Which page is wanted."""

    cursor: str | None
    limit: int


def paging(services: Services, cursor: Json, limit: Json) -> Paging:
    """The page of a listing; `limit` is a number or its text.

    Raises:
        EdgeProblem: the limit is not a number from 1 to the largest page, or the cursor is too long.
    """
    largest = services.limits.page_max
    if limit is None or limit == "":
        size = min(LIMIT_DEFAULT, largest)
    else:
        text = str(limit)
        size = int(text) if text.isdecimal() and len(text) <= 6 else 0
    if not 0 < size <= largest:
        raise EdgeProblem(400, Code.VALIDATION_FAILED, f"limit must be from 1 to {largest}.")
    if cursor is not None and (not isinstance(cursor, str) or len(cursor) > 4 * CURSOR_MAX):
        raise unknown_cursor()
    return Paging(cursor or None, size)


def unknown_cursor() -> EdgeProblem:
    """The answer to a cursor that this listing did not make."""
    return EdgeProblem(400, Code.VALIDATION_FAILED, "cursor is not one of this listing; start without it.")


def to_cursor(value: Json) -> str:
    """An opaque text for a JSON value."""
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def of_cursor(cursor: str, shape: type[T]) -> T:
    """The value of a text that `to_cursor` made.

    Raises:
        EdgeProblem: it did not make it.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=shape)
    except (binascii.Error, ValueError) as error:
        raise unknown_cursor() from error
