"""The update of order lines: deliver, cancel or split parts of lines (order specification 8.2, A15, A16, C10).

Pure: an order and a request go in, the changed order comes out, with the shipments whose workflow is to run and
what the reservation ledger has to follow. A line is divided before the workflow runs, so that a shipment holds
exactly what leaves with it: whatever of the shipment is not delivered by this update goes to a new shipment.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from onhand.core.configuration_document import Problem
from onhand.core.orders.configuration import OrderType
from onhand.core.orders.lines import form_lines
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.parting import Parted, Parting, Reduced, left
from onhand.core.orders.refusals import Refused, invalid
from onhand.core.orders.requests import LinesUpdate
from onhand.core.orders.statuses import PARTIALLY_SHIPPED, status_of_shipments


def update_lines(
    order: Order,
    request: LinesUpdate,
    revision: int,
    *,
    reduced: Reduced = (),
    allow_over_delivery: bool = False,
) -> Parted | Refused:
    """The order after the update. `revision` is the order's version: new shipments are named after it."""
    problems = _problems(order, request)
    if problems:
        return invalid(problems, "The update")
    work = Parting(order, request, revision, reduced)
    for one in request.line_item_updates:
        refusal = (
            work.cancel(one)
            or work.deliver(one, allow_over_delivery=allow_over_delivery)
            or work.split(one)
            or work.note(one)
        )
        if refusal is not None:
            return refusal
    work.part_with_the_rest()
    return work.finished()


def status_after(order: Order, order_type: OrderType, *, delivered: bool) -> str:
    """Status of the order after the runs of an update: what its shipments lead to, or partially shipped."""
    found = status_of_shipments(order, order_type)
    if found is not None:
        return found
    return PARTIALLY_SHIPPED if delivered else order.status


def cancelled(order: Order, line_item_ids: Collection[str], *, reduced: Reduced = ()) -> Order | Refused:
    """The order with everything of these lines cancelled that has not left; reservations stay (C11)."""
    known = {line.line_item_id for line in form_lines(order)}
    unknown = sorted(set(line_item_ids) - known)
    if unknown:
        return invalid([_no_line(order, one, f"lineItemIds[{one}]") for one in unknown], "The request")
    wanted = frozenset(line_item_ids)

    def cancel(shipment: Shipment | None, line: OrderLine) -> OrderLine:
        if line.line_item_id not in wanted or not left(shipment, line, reduced):
            return line
        return msgspec.structs.replace(
            line, canceled_quantity=line.canceled_quantity + left(shipment, line, reduced)
        )

    form = order.order_form
    return msgspec.structs.replace(
        order,
        order_form=msgspec.structs.replace(
            form,
            shipments=tuple(
                msgspec.structs.replace(one, line_items=tuple(cancel(one, line) for line in one.line_items))
                for one in form.shipments
            ),
            unassigned=tuple(cancel(None, line) for line in form.unassigned),
        ),
    )


def _problems(order: Order, request: LinesUpdate) -> list[Problem]:
    problems: list[Problem] = []
    known = {line.line_item_id for line in form_lines(order)}
    seen: set[str] = set()
    for place, lines in (
        *((f"shipment {one.shipment_id!r}", one.line_items) for one in order.shipments),
        ("the lines without a shipment", order.order_form.unassigned),
    ):
        if len({line.line_item_id for line in lines}) < len(lines):
            problems.append(
                Problem("", f"A lineItemId occurs twice in {place}. Give each line its own first.")
            )
    if not request.line_item_updates:
        problems.append(Problem("lineItemUpdates", "It must name at least one line."))
    for number, one in enumerate(request.line_item_updates):
        path = f"lineItemUpdates[{number}]"
        if one.line_item_id in seen:
            problems.append(Problem(path, f"Line {one.line_item_id!r} is named twice."))
        if one.line_item_id not in known:
            problems.append(_no_line(order, one.line_item_id, path))
        seen.add(one.line_item_id)
        problems += [
            Problem(f"{path}.{name}", f"{name} must not be below zero.")
            for name, value in (
                ("deliveredQuantity", one.delivered_quantity),
                ("canceledQuantity", one.canceled_quantity),
                ("splitQuantity", one.split_quantity),
            )
            if value < 0
        ]
    return problems


def _no_line(order: Order, line_item_id: str, path: str) -> Problem:
    known = ", ".join(line.line_item_id for line in form_lines(order)) or "none"
    return Problem(path, f"The order has no line {line_item_id!r}. It has: {known}.")
