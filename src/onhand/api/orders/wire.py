"""Answers about orders, as they are described and shown."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.orders import answers
from onhand.api.problems import FAULTS, Meaning
from onhand.core.orders.lines import show_order
from onhand.core.orders.model import Order, ReturnForm
from onhand.core.orders.record import StepResult
from onhand.core.orders.refusals import Refused
from onhand.service.faults import Fault
from onhand.service.workflow.engine import RunAnswer

REPLAYED: Final = ((b"idempotency-replayed", b"true"),)
"""Header of an answer to a request that had been carried out before."""


class ExecutionResult(msgspec.Struct, rename="camel", kw_only=True):
    """What a run came to: the order after it, and one result for each step that ran."""

    is_aborted: bool
    order: Order
    order_action_execution_results: list[StepResult]


class OrderPage(msgspec.Struct, rename="camel", kw_only=True):
    """One page of orders."""

    result: list[Order]
    total_hits: int
    """Counted up to 10,000."""
    next_cursor: str | None = None


class FoundReturn(msgspec.Struct, rename="camel", kw_only=True):
    """A return with the order that it belongs to."""

    order_id: str
    order_number: str
    market_id: str
    return_order_form: ReturnForm


class ReturnPage(msgspec.Struct, rename="camel", kw_only=True):
    """Returns of one page of orders."""

    result: list[FoundReturn]
    total_hits: int
    """Orders with such returns, counted up to 10,000."""
    next_cursor: str | None = None


class OrderResult(msgspec.Struct, rename="camel", kw_only=True):
    """What became of one order of a list."""

    order_id: str
    status: int
    """HTTP status that the order would have got by itself."""
    version_id: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    retryable: bool | UnsetType = UNSET


class OrderResults(msgspec.Struct, rename="camel", kw_only=True):
    """One result for each order of the list, in its order."""

    results: list[OrderResult]


def etag(order: Order) -> tuple[tuple[bytes, bytes], ...]:
    """The header that names the version of an order."""
    return ((b"etag", f'"{order.version_id}"'.encode()),)


def order_reply(done: Order | Refused) -> Reply:
    """An order, or why there is none."""
    if isinstance(done, Refused):
        return answers.refused(done)
    return json_reply(show_order(done), headers=etag(done))


def created_reply(call: Call, order: Order, *, replayed: bool) -> Reply:
    """A new order and where it is."""
    place = f"/v1/environments/{call.environment}/orders/".encode() + _quoted(order.id)
    headers = ((b"location", place), *etag(order))
    if replayed:
        headers = (*headers, *REPLAYED)
    return json_reply(show_order(order), 201, headers)


def run_reply(done: RunAnswer | Refused, status: int = 200) -> Reply:
    """What a run came to; failed steps are part of a good answer."""
    if isinstance(done, Refused):
        return answers.refused(done)
    shown: dict[str, Any] = {
        "isAborted": done.is_aborted,
        "order": show_order(done.order),
        "orderActionExecutionResults": list(done.results),
    }
    return json_reply(shown, status, (*etag(done.order), *(REPLAYED if done.replayed else ())))


def result_of(order_id: str, status: int, outcome: str | Refused | Fault) -> OrderResult:
    """One line of the answer to a list; a text is the version of the order."""
    if isinstance(outcome, Refused):
        code = answers.CODES[outcome.code][0]
        return OrderResult(order_id=order_id, status=code, code=outcome.code, detail=outcome.message)
    if isinstance(outcome, Fault):
        meaning = FAULTS.get(type(outcome), _UNFORESEEN)
        return OrderResult(
            order_id=order_id,
            status=meaning.status,
            code=meaning.code,
            detail=f"{meaning.title}. {meaning.detail}",
            retryable=outcome.retryable,
        )
    return OrderResult(order_id=order_id, status=status, version_id=outcome)


_UNFORESEEN = Meaning(503, "fault", "The service failed", "Nothing was recorded. Send it again later.")


def _quoted(text: str) -> bytes:
    return quote(text, safe="").encode()
