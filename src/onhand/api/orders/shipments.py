"""Shipments of orders over HTTP (order specification 8.2)."""

from __future__ import annotations

from onhand.api.exchange import Call, Reply
from onhand.api.orders import answers, reading, wire
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services
from onhand.core.orders.refusals import Code


async def put(call: Call, services: Services) -> Reply:
    """PUT `/orders/{orderId}/shipments`: add, or replace by id; one shipment or a list."""
    done = await services.orders.parts.put_shipments(
        call.environment,
        call.parameters["orderId"],
        answers.body(call),
        reading.actor(call),
        reading.expected(call),
    )
    return wire.order_reply(done)


async def patch(call: Call, services: Services) -> Reply:
    """PATCH `/orders/{orderId}/shipments`: one patch or a list."""
    done = await services.orders.parts.patch_shipments(
        call.environment,
        call.parameters["orderId"],
        answers.body(call),
        reading.actor(call),
        reading.expected(call),
    )
    return wire.order_reply(done)


async def delete(call: Call, services: Services) -> Reply:
    """DELETE `/orders/{orderId}/shipments?shipmentId=`; the parameter may be repeated."""
    shipment_ids = [value for name, value in call.query() if name.strip().lower() == "shipmentid" and value]
    if not shipment_ids:
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "The query parameter shipmentId is missing.")
    done = await services.orders.parts.delete_shipments(
        call.environment,
        call.parameters["orderId"],
        list(dict.fromkeys(shipment_ids)),
        reading.actor(call),
        reading.expected(call),
    )
    return wire.order_reply(done)


async def assign(call: Call, services: Services) -> Reply:
    """PUT `/orders/{orderId}/shipments/order-lines`: move lines into shipments."""
    done = await services.orders.parts.assign_lines(
        call.environment,
        call.parameters["orderId"],
        answers.body(call),
        reading.actor(call),
        reading.expected(call),
    )
    return wire.order_reply(done)
