"""Purchase orders, deliveries and goods receptions over HTTP (order specification 6.8, 8.5)."""

from __future__ import annotations

from typing import Any

import msgspec

from onhand.api.exchange import Call, Reply, json_reply
from onhand.api.ids import new_id
from onhand.api.native.reading import paged
from onhand.api.orders import answers, reading
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services
from onhand.core.configuration_document import Problem
from onhand.core.orders import purchasing as core
from onhand.core.orders.entities import Entity, Name, patched, read, read_part, show
from onhand.core.orders.purchasing import Delivery, PurchaseOrder, ReceptionLine
from onhand.core.orders.queries import read_strictly
from onhand.core.orders.refusals import Code, Refused, invalid
from onhand.service.workflow import purchasing as work
from onhand.service.workflow.purchasing import PurchaseSearch, Split
from onhand.service.workflow.receptions import Received


class StatusRequest(Entity, frozen=True, kw_only=True):
    """Another status."""

    status: Name


class ReceptionAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """What came of a reception."""

    goods_reception_ids: list[str]
    purchase_orders: list[PurchaseOrder]
    rates_missing: list[str]
    """SKUs that came in without their cost, because its currency could not be converted."""


async def create(call: Call, services: Services) -> Reply:
    """POST `/purchase-orders`; without an id it gets one."""
    order = read(PurchaseOrder, answers.body(call))
    if isinstance(order, Refused):
        return answers.refused(order)
    order = msgspec.structs.replace(order, id=order.id or f"PO-{new_id()}")
    done = await services.purchasing.create(call.of, order)
    if isinstance(done, Refused):
        return answers.refused(done)
    return _order(done, 201)


async def get(call: Call, services: Services) -> Reply:
    """GET `/purchase-orders/{id}`."""
    return _order(await services.purchasing.read(call.of, call.parameters["id"]))


async def listing(call: Call, services: Services) -> Reply:
    """GET `/purchase-orders`: the filters of the search in the query string."""
    value: dict[str, Any] = {}
    names = {
        "status": "statuses",
        "storeid": "storeIds",
        "supplierid": "supplierIds",
        "marketid": "marketIds",
    }
    names |= {"warehousecode": "warehouseCodes", "sku": "skus", "ordernumber": "orderNumbers"}
    for key, content in call.query():
        name = key.strip()
        plural = names.get(name.lower())
        if plural is None:
            value[name] = content
        else:
            value.setdefault(plural, []).extend(part.strip() for part in content.split(",") if part.strip())
    return await _search(call, services, value)


async def search(call: Call, services: Services) -> Reply:
    """POST `/purchase-orders/search`."""
    return await _search(call, services, answers.body(call))


async def _search(call: Call, services: Services, value: Any) -> Reply:  # noqa: ANN401 - JSON
    wanted = read_strictly(PurchaseSearch, value)
    if isinstance(wanted, Refused):
        return answers.refused(wanted)
    which = answers.paging(services, wanted.cursor, wanted.limit)
    found = await paged(services.purchasing.search(call.of, wanted, which.cursor, which.limit))
    return answers.page(found.rows, found.total, found.next)


async def put(call: Call, services: Services) -> Reply:
    """PUT `/purchase-orders/{id}`: replaces it; what was delivered stays."""
    value = answers.body(call)
    order = read(PurchaseOrder, value)
    if isinstance(order, Refused):
        return answers.refused(order)
    return await _change(call, services, work.replaced(order), order.version_id)


async def patch(call: Call, services: Services) -> Reply:
    """PATCH `/purchase-orders/{id}`: null takes a property away, a list replaces the list."""
    value = answers.body(call)

    def edit(old: PurchaseOrder) -> PurchaseOrder | Refused:
        new = patched(old, value)
        return new if isinstance(new, Refused) else work.replaced(new)(old)

    return await _change(call, services, edit)


async def delete(call: Call, services: Services) -> Reply:
    """DELETE `/purchase-orders/{id}`: only one of which nothing came."""
    why = await services.purchasing.delete(call.of, call.parameters["id"])
    return Reply(204) if why is None else answers.refused(why)


async def status(call: Call, services: Services) -> Reply:
    """POST `/purchase-orders/{id}/status`."""
    request = read(StatusRequest, answers.body(call))
    if isinstance(request, Refused):
        return answers.refused(request)
    return await _change(call, services, lambda old: msgspec.structs.replace(old, status=request.status))


async def promises(call: Call, services: Services) -> Reply:
    """POST `/purchase-orders/{id}/atp`: what is expected from it. It is computed now; there is nothing to update."""
    found = await services.receptions.promises(call.environment, call.parameters["id"])
    return answers.refused(found) if isinstance(found, Refused) else answers.page(found, len(found), None)


async def split(call: Call, services: Services) -> Reply:
    """POST `/purchase-orders/{id}/order-lines/split`."""
    request = read_strictly(Split, answers.body(call))
    if isinstance(request, Refused):
        return answers.refused(request)
    return await _change(call, services, work.split(request))


async def cancel(call: Call, services: Services) -> Reply:
    """POST `/purchase-orders/{id}/order-lines/{lineItemId}/cancel`: what is open of it does not come."""
    return await _change(call, services, work.cancelled(call.parameters["lineItemId"]))


async def _change(call: Call, services: Services, edit: work.Edit, version: str | None = None) -> Reply:
    expected = reading.expected(call, version)
    return _order(await services.purchasing.change(call.of, call.parameters["id"], edit, expected))


def _order(order: PurchaseOrder | Refused, status_code: int = 200) -> Reply:
    if isinstance(order, Refused):
        return answers.refused(order)
    return json_reply(show(order), status_code, ((b"etag", f'"{order.version_id}"'.encode()),))


# Deliveries and receptions ---------------------------------------------------------------------------------------


async def deliver(call: Call, services: Services) -> Reply:
    """POST `/purchase-orders/{id}/deliveries`: lines that travel together; goods of a transfer leave now."""
    delivery = read(Delivery, answers.body(call))
    if isinstance(delivery, Refused):
        return answers.refused(delivery)
    wrong = _wrong_status(delivery.delivery_status)
    if wrong is not None:
        return answers.refused(wrong)
    delivery = msgspec.structs.replace(delivery, id=delivery.id or f"D-{new_id()}")
    done = await services.receptions.deliver(
        call.environment, call.parameters["id"], delivery, reading.actor(call)
    )
    return answers.refused(done) if isinstance(done, Refused) else json_reply(show(done), 201)


async def get_delivery(call: Call, services: Services) -> Reply:
    """GET `/deliveries/{deliveryId}`."""
    found = await services.receptions.read_delivery(call.environment, call.parameters["deliveryId"])
    return answers.refused(found) if isinstance(found, Refused) else json_reply(show(found))


async def delivery_status(call: Call, services: Services) -> Reply:
    """POST `/deliveries/{deliveryId}/status`."""
    request = read(StatusRequest, answers.body(call))
    if isinstance(request, Refused):
        return answers.refused(request)
    wrong = _wrong_status(request.status)
    if wrong is not None:
        return answers.refused(wrong)
    done = await services.receptions.set_delivery_status(
        call.environment, call.parameters["deliveryId"], request.status
    )
    return answers.refused(done) if isinstance(done, Refused) else json_reply(show(done))


async def receive(call: Call, services: Services) -> Reply:
    """POST `/goods-receptions`: lines of purchase orders that came, all or none."""
    return await _receive(call, services, "")


async def receive_delivery(call: Call, services: Services) -> Reply:
    """POST `/deliveries/{deliveryId}/goods-receptions`: lines of one delivery."""
    found = await services.receptions.read_delivery(call.environment, call.parameters["deliveryId"])
    if isinstance(found, Refused):
        return answers.refused(found)
    return await _receive(call, services, found.id)


async def _receive(call: Call, services: Services, delivery_id: str) -> Reply:
    value = answers.body(call)
    if not isinstance(value, list) or not 0 < len(value) <= core.LINES_MAX:
        raise EdgeProblem(
            400,
            Code.VALIDATION_FAILED,
            f"The body must be an array of 1 to {core.LINES_MAX:,} received lines.",
        )
    problems: list[Problem] = []
    lines = [read_part(ReceptionLine, one, f"[{index}]", problems) for index, one in enumerate(value)]
    problems += [
        Problem(f"[{index}].deliveredQuantity", "It must not be below zero.")
        for index, line in enumerate(lines)
        if line is not None and line.delivered_quantity < 0
    ]
    if problems:
        return answers.refused(invalid(problems, "The reception"))
    done = await services.receptions.receive(
        call.environment, [line for line in lines if line is not None], reading.actor(call), delivery_id
    )
    return answers.refused(done) if isinstance(done, Refused) else _received(done)


def _received(done: Received) -> Reply:
    return json_reply(
        {
            "goodsReceptionIds": list(done.goods_reception_ids),
            "purchaseOrders": [show(one) for one in done.purchase_orders],
            "ratesMissing": list(done.rates_missing),
        }
    )


def _wrong_status(text: str) -> Refused | None:
    if text.lower() in {one.lower() for one in core.DELIVERY_STATUSES}:
        return None
    return Refused(
        Code.VALIDATION_FAILED, f"A delivery is one of {', '.join(core.DELIVERY_STATUSES)}, not {text!r}."
    )
