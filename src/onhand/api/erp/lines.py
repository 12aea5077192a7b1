"""Order lines of the ERP: messages, listings, the failed list, sources."""

from __future__ import annotations

from typing import Final

import msgspec

from onhand.api.erp import reading, shown
from onhand.api.erp.wire import (
    ErpDismissRequest,
    ErpFailures,
    ErpLinePage,
    ErpLineRequest,
    ErpMessageRequest,
    ErpMessageResult,
    ErpMessagesAnswer,
    ErpMessagesRequest,
    ErpMoveRequest,
    ErpRetryRequest,
    ErpSourcePage,
    ErpSourceRequest,
)
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import Query, decode, idempotency_key, paged
from onhand.api.native.reservations import link
from onhand.api.problems import EdgeProblem, of_rejection
from onhand.api.services import Services
from onhand.core.erp.asking import Message
from onhand.core.erp.intake import MESSAGES_MAX, Answer
from onhand.core.erp.statuses import Status
from onhand.core.outcomes import Rejected
from onhand.service.erp.lines import LineFilter, unknown

STATES: Final = ("settled", "pending", "failed")
REASON_MAX: Final = 500
"""Characters of the reason of a dismissal."""

_messages = msgspec.json.Decoder(ErpMessagesRequest)
_line = msgspec.json.Decoder(ErpLineRequest)
_move = msgspec.json.Decoder(ErpMoveRequest)
_retry = msgspec.json.Decoder(ErpRetryRequest)
_dismiss = msgspec.json.Decoder(ErpDismissRequest)
_source = msgspec.json.Decoder(ErpSourceRequest)


async def messages(call: Call, services: Services) -> Reply:
    """POST `/erp/messages`: a refused message does not stop the others; a missing number of a source does."""
    request = decode(_messages, call.body)
    limit = min(MESSAGES_MAX, services.limits.items_max)
    if len(request.messages) > limit:
        raise EdgeProblem(400, "too-many-items", f"At most {limit} messages are allowed. Send them in parts.")
    envelope = await _envelope(call, services, reading.source_name(request.source))
    asked = [reading.asked(call.of, one, envelope) for one in request.messages]
    taken = await services.erp.tell(call.of, asked, envelope.source)
    if taken.missing is not None:
        first, last = taken.missing
        done = sum(1 for one in asked if (one.sequence or 0) < first)
        raise EdgeProblem(
            409,
            "sequence-gap",
            f"Source {envelope.source!r} has sent nothing under the numbers {first} to {last}. {done} of the "
            f"{len(asked)} messages were taken; send everything from {first} on.",
            [f"missing {first} to {last}"],
        )
    results = [_result(one, answer) for one, answer in zip(asked, taken.answers, strict=True)]
    return json_reply(ErpMessagesAnswer(results=results))


async def put_line(call: Call, services: Services) -> Reply:
    """PUT `/erp/lines/{lineId}`."""
    message = ErpMessageRequest(
        line_id=call.parameters["lineId"], id=idempotency_key(call), line=decode(_line, call.body)
    )
    return await _one(call, services, message)


async def move_line(call: Call, services: Services) -> Reply:
    """POST `/erp/lines/{lineId}/moves`."""
    message = ErpMessageRequest(
        line_id=call.parameters["lineId"], id=idempotency_key(call), move=decode(_move, call.body)
    )
    return await _one(call, services, message)


async def _one(call: Call, services: Services, message: ErpMessageRequest) -> Reply:
    asked = reading.asked(call.of, message, await _envelope(call, services, ""))
    taken = await services.erp.tell(call.of, [asked])
    answer = taken.answers[0]
    if isinstance(answer, Rejected):
        return of_rejection(answer)
    row = await services.erp.lines.read(call.of, asked.line_id)
    if row is None:
        return of_rejection(unknown(asked.line_id))
    headers: list[tuple[bytes, bytes]] = []
    if answer.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    headers += [
        (b"warning", b'199 - "%s"' % one.replace('"', "'").encode("ascii", "replace"))
        for one in answer.warnings
    ]
    return json_reply(shown.line(row), headers=tuple(headers))


async def read_line(call: Call, services: Services) -> Reply:
    """GET `/erp/lines/{lineId}`."""
    row = await services.erp.lines.read(call.of, reading.line_id(call.parameters["lineId"]))
    if row is None:
        return of_rejection(unknown(call.parameters["lineId"]))
    return json_reply(shown.line(row))


async def list_lines(call: Call, services: Services) -> Reply:
    """GET `/erp/lines`."""
    query = Query(call)
    state, status = query.text("state"), query.text("status")
    if state is not None and state not in STATES:
        raise EdgeProblem(400, "invalid-query", f"state is one of {', '.join(STATES)}.")
    if status is not None and status not in set(Status):
        raise EdgeProblem(400, "invalid-query", f"status is one of {', '.join(Status)}.")
    which = LineFilter(
        order_id=query.text("orderId"),
        product=query.text("productId"),
        source=query.text("source"),
        status=status,
        state=state,
    )
    after, limit = query.page(services)
    page = await paged(services.erp.lines.find(call.of, which, after, limit))
    return json_reply(
        ErpLinePage(items=[shown.line(row) for row in page.rows], next=page.next),
        headers=link(call, page.next),
    )


async def list_failures(call: Call, services: Services) -> Reply:
    """GET `/erp/failed`."""
    after, limit = Query(call).page(services)
    page = await paged(services.erp.lines.find(call.of, LineFilter(state="failed"), after, limit))
    items = [one for row in page.rows for one in shown.failures(row)]
    return json_reply(ErpFailures(items=items, next=page.next), headers=link(call, page.next))


async def retry(call: Call, services: Services) -> Reply:
    """POST `/erp/lines/{lineId}/retry`."""
    request = decode(_retry, call.body or b"{}")
    of = reading.line_id(call.parameters["lineId"])
    changed = await services.erp.lines.retry(call.of, of, request.offset)
    return of_rejection(changed) if isinstance(changed, Rejected) else await read_line(call, services)


async def dismiss(call: Call, services: Services) -> Reply:
    """POST `/erp/lines/{lineId}/dismiss`."""
    request = decode(_dismiss, call.body)
    of = reading.line_id(call.parameters["lineId"])
    changed = await services.erp.lines.dismiss(call.of, of, request.offset, request.reason[:REASON_MAX])
    return of_rejection(changed) if isinstance(changed, Rejected) else await read_line(call, services)


async def list_sources(call: Call, services: Services) -> Reply:
    """GET `/erp/sources`."""
    after, limit = Query(call).page(services)
    page = await paged(services.erp.lines.sources(call.of, after, limit))
    items = [shown.source(row) for row in page.rows]
    return json_reply(ErpSourcePage(items=items, next=page.next), headers=link(call, page.next))


async def read_source(call: Call, services: Services) -> Reply:
    """GET `/erp/sources/{source}`."""
    name = reading.source_name(call.parameters["source"])
    found = await services.erp.lines.source(call.of, name)
    if found is None:
        raise EdgeProblem(404, "unknown-source", f"No message of a source {name!r} came yet.")
    return json_reply(shown.source_of(found))


async def set_source(call: Call, services: Services) -> Reply:
    """PUT `/erp/sources/{source}`."""
    request = decode(_source, call.body)
    if not 0 < request.next < 1 << 53:
        raise EdgeProblem(422, "invalid-value", "next is a whole number from 1 up.")
    made = await services.erp.lines.set_next(
        call.of, reading.source_name(call.parameters["source"]), request.next
    )
    return json_reply(shown.source_of(made))


async def _envelope(call: Call, services: Services, source: str) -> reading.Envelope:
    parameters = await services.erp.parameters.of(call.of)
    return reading.Envelope(
        caller=call.principal.client_id, source=source, supplied=parameters.figures == "supplied"
    )


def _result(asked: Message, answer: Answer) -> ErpMessageResult:
    made = ErpMessageResult(line_id=asked.line_id, id=asked.id, accepted=not isinstance(answer, Rejected))
    if asked.sequence is not None:
        made.sequence = asked.sequence
    if isinstance(answer, Rejected):
        made.code, made.message = answer.reason, answer.message
    else:
        made.changed, made.replayed, made.warnings = answer.changed, answer.replayed, list(answer.warnings)
    return made
