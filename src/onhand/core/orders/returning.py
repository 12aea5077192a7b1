"""Returns: what a client sends, and the return form that is made of it (order specification 6.7).

Registering a return moves no stock; the return workflow does.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from onhand.core.configuration_document import Problem
from onhand.core.orders import entities
from onhand.core.orders.configuration import ReturnSettings, same
from onhand.core.orders.entities import Entity, Id, Json, Name, Quantity
from onhand.core.orders.lines import form_lines, with_lines, with_return
from onhand.core.orders.model import Order, OrderLine, Property, ReturnForm, ReturnLine, Shipment
from onhand.core.orders.numbers import ZERO
from onhand.core.orders.refusals import Code, Refused, invalid
from onhand.core.orders.statuses import Entered

COMPLETED: Final = "Completed"
"""The one status of the ready-made return workflow."""


class ReturnedLine(Entity, frozen=True, kw_only=True):
    """A line that comes back; a credited amount is kept with it."""

    line_item_id: Id
    return_quantity: Quantity = ZERO
    return_reason: str | None = None
    return_type: Name | None = None
    is_stock_updated: Annotated[bool | None, msgspec.Meta(extra={"aliases": ("updateStock",)})] = None
    internal_warehouse_location: str | None = None
    properties: tuple[Property, ...] = ()


class ReturnRequest(Entity, frozen=True, kw_only=True):
    """A return to register. What belongs to credits is kept with the return and decides nothing here."""

    returns: tuple[ReturnedLine, ...]
    return_id: Id | None = None
    store_id: Name | None = None
    status: Name | None = None
    return_type: Name | None = None
    rma_number: Name | None = None
    comment: str | None = None
    user_id: str | None = None


class ReturnStatusRequest(Entity, frozen=True, kw_only=True):
    """The status that a return is to enter."""

    status: Name
    skip_run_workflow: bool = False
    user_id: str | None = None


def registered(
    order: Order, request: ReturnRequest, settings: ReturnSettings, now: datetime
) -> tuple[Order, ReturnForm] | Refused:
    """The order with a return form; refused for lines that it does not have, or more than was ordered of them."""
    return_id = request.return_id or _next_id(order)
    problems: list[Problem] = []
    if any(form.return_id == return_id for form in order.return_order_forms):
        return Refused(Code.DUPLICATE_ID, f"The order has a return {return_id!r} already.")
    if not request.returns:
        problems.append(Problem("returns", "Name at least one line."))
    lines = []
    for number, one in enumerate(request.returns):
        found = _returned(order, one, request, now)
        if isinstance(found, str):
            problems.append(Problem(f"returns[{number}]", found))
        else:
            lines.append(found)
    ids = [one.line_item_id for one in request.returns]
    problems += [
        Problem("returns", f"Line {one!r} is named twice.")
        for one in dict.fromkeys(ids)
        if ids.count(one) > 1
    ]
    if problems:
        return invalid(problems, "The return")
    form = ReturnForm(
        return_id=return_id,
        status=request.status or initial_status(settings),
        return_type=request.return_type,
        rma_number=request.rma_number,
        return_comment=request.comment,
        store_id=request.store_id or order.store_id,
        created=now,
        modified=now,
        user_id=request.user_id,
        line_items=tuple(lines),
        extra=request.extra,
    )
    order = with_return(order, form)
    for line in lines:
        order = _counted(order, line.line_item_id, line.return_quantity)
    return order, form


def initial_status(settings: ReturnSettings) -> str:
    """Status of a new return: the first one that is configured."""
    first = min(settings.return_statuses, key=lambda one: one.order, default=None)
    return COMPLETED if first is None else first.name


def entered(
    order: Order, settings: ReturnSettings, return_id: str, status: str, now: datetime
) -> Entered | Refused:
    """A return enters a status of the return workflow; the order stays in its own."""
    form = find_return(order, return_id)
    if form is None:
        return no_return(return_id)
    wanted = next((one for one in settings.return_statuses if same(one.name, status)), None)
    if wanted is None:
        known = ", ".join(one.name for one in settings.return_statuses)
        return Refused(Code.UNKNOWN_STATUS, f"The return workflow has no status {status!r}. It has: {known}.")
    changed = msgspec.structs.replace(form, status=wanted.name, modified=now)
    return Entered(with_return(order, changed), wanted, None, form.status)


def patched_return(order: Order, return_id: str, value: Json, now: datetime) -> Order | Refused:
    """The order with properties of a return changed; neither its id nor, without a workflow, its lines' quantities."""
    form = find_return(order, return_id)
    if form is None:
        return no_return(return_id)
    changed = entities.patched(form, value, "The return")
    if isinstance(changed, Refused):
        return changed
    if changed.return_id != return_id:
        return Refused(Code.VALIDATION_FAILED, "returnId cannot be changed.")
    if _quantities(changed) != _quantities(form):
        return Refused(
            Code.VALIDATION_FAILED, "What came back cannot be changed afterwards. Register another return."
        )
    return with_return(order, msgspec.structs.replace(changed, modified=now))


def find_return(order: Order, return_id: str) -> ReturnForm | None:
    """The return of this id; ids are compared exactly."""
    return next((form for form in order.return_order_forms if form.return_id == return_id), None)


def no_return(return_id: str) -> Refused:
    """There is no such return."""
    return Refused(Code.NOT_FOUND, f"The order has no return {return_id!r}.")


def _quantities(form: ReturnForm) -> list[tuple[str, Decimal]]:
    return sorted((line.line_item_id, line.return_quantity) for line in form.line_items)


def _returned(order: Order, asked: ReturnedLine, request: ReturnRequest, now: datetime) -> ReturnLine | str:
    """The line of the form, or what is wrong."""
    line = next((one for one in form_lines(order) if one.line_item_id == asked.line_item_id), None)
    if line is None:
        return f"The order has no line {asked.line_item_id!r}."
    if asked.return_quantity <= ZERO:
        return "returnQuantity must be above zero."
    before = sum(
        (
            one.return_quantity
            for form in order.return_order_forms
            for one in form.line_items
            if one.line_item_id == asked.line_item_id
        ),
        ZERO,
    )
    if before + asked.return_quantity > line.effective:
        left = max(ZERO, line.effective - before)
        return f"At most {left} of line {asked.line_item_id!r} can come back."
    return ReturnLine(
        line_item_id=line.line_item_id,
        code=line.code,
        dimensions=line.dimensions,
        quantity=line.quantity,
        return_quantity=asked.return_quantity,
        return_reason=asked.return_reason,
        return_type=asked.return_type or request.return_type,
        return_date=now,
        update_stock=asked.is_stock_updated,
        internal_warehouse_location=asked.internal_warehouse_location,
        is_virtual_product=line.is_virtual_product,
        cost=line.cost,
        properties=asked.properties,
        extra=asked.extra,
    )


def _counted(order: Order, line_id: str, quantity: Decimal) -> Order:
    """The order whose line counts so much as returned; parts in several shipments are filled one after the other."""
    left = quantity

    def change(_shipment: Shipment, line: OrderLine) -> OrderLine:
        nonlocal left
        if line.line_item_id != line_id:
            return line
        part = min(left, max(ZERO, line.effective - line.return_quantity))
        left -= part
        return msgspec.structs.replace(line, return_quantity=line.return_quantity + part)

    return with_lines(order, change)


def _next_id(order: Order) -> str:
    taken = {form.return_id for form in order.return_order_forms}
    number = len(taken) + 1
    while f"R{number}" in taken:
        number += 1
    return f"R{number}"
