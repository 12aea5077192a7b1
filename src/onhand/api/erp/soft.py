"""Soft reservation of lines and orders from the ERP (specification 4.3)."""

from __future__ import annotations

import msgspec

from onhand.api.compat.translate import scaled
from onhand.api.erp import reading, shown
from onhand.api.erp.wire import ErpOrderSoftRequest, ErpSoftAnswer, ErpSoftRequest, ErpSoftResult
from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.native.reading import decode, idempotency_key
from onhand.api.problems import of_rejection
from onhand.api.services import Services
from onhand.core.erp.soft import SoftAsked
from onhand.core.fingerprints import digest
from onhand.core.outcomes import Reason, Rejected
from onhand.service.erp.lines import unknown

_request = msgspec.json.Decoder(ErpSoftRequest)
_order = msgspec.json.Decoder(ErpOrderSoftRequest)


async def reserve(call: Call, services: Services) -> Reply:
    """POST `/erp/lines/{lineId}/soft-reservation`."""
    return await _line(call, services, revert=False)


async def revert(call: Call, services: Services) -> Reply:
    """POST `/erp/lines/{lineId}/soft-reservation/revert`."""
    return await _line(call, services, revert=True)


async def reserve_order(call: Call, services: Services) -> Reply:
    """POST `/erp/orders/{orderId}/soft-reservation`."""
    return await _of_order(call, services, revert=False)


async def revert_order(call: Call, services: Services) -> Reply:
    """POST `/erp/orders/{orderId}/soft-reservation/revert`."""
    return await _of_order(call, services, revert=True)


async def _line(call: Call, services: Services, *, revert: bool) -> Reply:
    request = decode(_request, call.body or b"{}")
    quantity = None if request.quantity is None else scaled(request.quantity, "quantity")
    if isinstance(quantity, Rejected):
        return of_rejection(quantity)
    if quantity is not None and quantity <= 0:
        return of_rejection(Rejected(Reason.INVALID_QUANTITY, "The quantity must be above zero."))
    of = reading.line_id(call.parameters["lineId"])
    refused = await services.erp.soft.ask(
        call.of, _asked(call, of, quantity, revert=revert, batch=request.batch)
    )
    if refused is not None:
        return of_rejection(refused)
    row = await services.erp.lines.read(call.of, of)
    return of_rejection(unknown(of)) if row is None else json_reply(shown.line(row))


async def _of_order(call: Call, services: Services, *, revert: bool) -> Reply:
    request = decode(_order, call.body or b"{}")
    asked = _asked(call, "", None, revert=revert, batch=request.batch)
    answers = await services.erp.soft.ask_order(call.of, call.parameters["orderId"].strip(), asked)
    if isinstance(answers, Rejected):
        return of_rejection(answers)
    results = []
    for line_id, refused in answers:
        result = ErpSoftResult(line_id=line_id, accepted=refused is None)
        if refused is not None:
            result.code, result.message = refused.reason, refused.message
        results.append(result)
    return json_reply(ErpSoftAnswer(results=results))


def _asked(call: Call, line_id: str, quantity: int | None, *, revert: bool, batch: bool) -> SoftAsked:
    return SoftAsked(
        id=idempotency_key(call),
        fingerprint=digest("erp-soft", revert, quantity, batch),
        line_id=line_id,
        caller=call.principal.client_id,
        quantity=quantity,
        revert=revert,
        batch=batch,
    )
