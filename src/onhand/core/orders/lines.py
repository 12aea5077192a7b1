"""Lines across the shipments of an order: what a client sends and sees as the lines of the form.

A client's JSON carries each line twice, in the order form and as copies in the shipments (order specification
6.2, D27). The copy in the shipment is the one that counts; the lines of the form are a projection. Reading an
order keeps of the form's lines those that are in no shipment, and lets a copy inherit what it leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from onhand.core.configuration_document import Problem
from onhand.core.orders import entities, numbers
from onhand.core.orders.entities import Json
from onhand.core.orders.model import Order, OrderForm, OrderLine, ReturnForm, Shipment
from onhand.core.orders.refusals import Refused, invalid

PARTS: Final = (
    "quantity",
    "canceled_quantity",
    "delivered_quantity",
    "return_quantity",
    "replaced_quantity",
    "ready_for_pickup_quantity",
    "reallocate_quantity",
    "reserved_inventory_quantity",
)
"""Quantities of which each shipment has its part; the line of the form shows the sum."""

_OWN: Final = frozenset(
    name.replace("_", "")
    for name in (
        *PARTS,
        "reserved_inventory",
        "forced_reservation",
        "hold_id",
        "soft_reservation_id",
        "cost_total",
    )
)


# Reading and writing -----------------------------------------------------------------------------------------


def decode_order(raw: bytes) -> Order | Refused:
    """An order from a client's JSON, or everything that is wrong with it."""
    value = entities.parse(raw)
    return value if isinstance(value, Refused) else read_order(value)


def read_order(value: Json) -> Order | Refused:
    """An order from a JSON value."""
    found = entities.read(Order, _inherited(value), "The order")
    if isinstance(found, Refused):
        return found
    return checked(found)


def patched_order(order: Order, value: Json) -> Order | Refused:
    """The order with the properties that the JSON names; an order form replaces the form as a whole."""
    found = entities.patched(order, _inherited(value), "The order")
    return found if isinstance(found, Refused) else checked(found)


def checked(order: Order) -> Order | Refused:
    """The order without the form's copies of assigned lines. Refused: an id of a shipment or return that occurs twice."""
    problems = [
        *_twice("orderForm.shipments", [one.shipment_id for one in order.shipments], "shipmentId"),
        *_twice("returnOrderForms", [one.return_id for one in order.return_order_forms], "returnId"),
    ]
    if problems:
        return invalid(problems, "The order")
    assigned = {line.line_item_id for one in order.shipments for line in one.line_items}
    unassigned = tuple(line for line in order.order_form.unassigned if line.line_item_id not in assigned)
    if len(unassigned) == len(order.order_form.unassigned):
        return order
    return _with_form(order, msgspec.structs.replace(order.order_form, unassigned=unassigned))


def show_order(order: Order) -> dict[str, Any]:
    """The order as plain values for a client, with the lines of the form."""
    shown = entities.show(order)
    shown["orderForm"]["lineItems"] = [entities.show(line) for line in form_lines(order)]
    return shown


def encode_order(order: Order) -> bytes:
    """The order as JSON for a client."""
    return entities.to_json(show_order(order))


def _inherited(value: Json) -> Json:
    """The same JSON without the form's copies of lines that a shipment has.

    A line of a shipment that names no code takes what the form's copy says. What each shipment has its own part of
    is inherited only where it is the one shipment of the line.
    """
    name, form = _member(value, "orderform")
    lines_name, listed = _member(form, "lineitems")
    lines = _listed(listed)
    shipments_name, shipments = _member(form, "shipments")
    if not lines or not _listed(shipments):
        return value
    known = {_line_id(line): line for line in lines if isinstance(line, Mapping)}
    counts: dict[Json, int] = {}
    for shipment in _listed(shipments):
        for line in _listed(_member(shipment, "lineitems")[1]):
            counts[_line_id(line)] = counts.get(_line_id(line), 0) + 1
    merged = [_with_details(shipment, known, counts) for shipment in _listed(shipments)]
    loose = [line for line in lines if _line_id(line) not in counts]
    return {**value, name: {**form, lines_name: loose, shipments_name: merged}}


def _with_details(shipment: Json, known: Mapping[Json, Json], counts: Mapping[Json, int]) -> Json:
    name, lines = _member(shipment, "lineitems")
    if not _listed(lines):
        return shipment
    merged = [_completed(line, known.get(_line_id(line)), counts.get(_line_id(line), 0)) for line in lines]
    return {**shipment, name: merged}


def _completed(line: Json, base: Json, count: int) -> Json:
    if base is None:
        return line
    own = {_folded(key) for key in line}
    if "code" in own:
        return line
    return {
        **{
            key: content
            for key, content in base.items()
            if _folded(key) not in own and (count == 1 or _folded(key) not in _OWN)
        },
        **line,
    }


def _line_id(line: Json) -> Json:
    found = _member(line, "lineitemid")[1]
    return str(found) if isinstance(found, str | int) else None


def _member(value: Json, wanted: str) -> tuple[str, Json]:
    """Name as it is spelled, and content, of a property; the content is None when it is absent."""
    if isinstance(value, Mapping):
        for key, content in value.items():
            if _folded(key) == wanted:
                return key, content
    return wanted, None


def _folded(key: str) -> str:
    return key.strip().lower()


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _twice(path: str, ids: list[str], name: str) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for number, one in enumerate(ids):
        if one in seen:
            problems.append(Problem(f"{path}[{number}]", f"{name} {one!r} occurs twice in the order."))
        seen.add(one)
    return problems


# The lines of the form ---------------------------------------------------------------------------------------


def form_lines(order: Order) -> tuple[OrderLine, ...]:
    """The lines of the order form: each line once, in the order in which the shipments have them, then the unassigned."""
    parts: dict[str, list[OrderLine]] = {}
    for shipment in order.shipments:
        for line in shipment.line_items:
            parts.setdefault(line.line_item_id, []).append(line)
    return (*(_joined(lines) for lines in parts.values()), *order.order_form.unassigned)


def _joined(lines: list[OrderLine]) -> OrderLine:
    if len(lines) == 1:
        return lines[0]
    sums: dict[str, Any] = {name: numbers.total(getattr(one, name) for one in lines) for name in PARTS}
    return msgspec.structs.replace(
        lines[0],
        **sums,
        reserved_inventory=any(one.reserved_inventory for one in lines),
        forced_reservation=any(one.forced_reservation for one in lines),
        cost=_unit_cost(lines),
        cost_total=total_cost(lines),
    )


def total_cost(lines: list[OrderLine]) -> Decimal | None:
    """Sum of the total costs that are known; None when none is."""
    known = [one.cost_total for one in lines if one.cost_total is not None]
    return numbers.total(known) if known else None


def _unit_cost(lines: list[OrderLine]) -> Decimal | None:
    """Unit cost weighted by the effective quantities (A14), of the parts whose cost is known."""
    known = [(one.cost, one.effective) for one in lines if one.cost is not None]
    weight = numbers.total(quantity for _, quantity in known)
    if not known or not weight:
        return known[0][0] if known else None
    return numbers.ratio(numbers.total(numbers.product(cost, part) for cost, part in known), weight)


# Changing one part of an order -------------------------------------------------------------------------------


def with_shipments(order: Order, shipments: tuple[Shipment, ...]) -> Order:
    """The order with these shipments."""
    return _with_form(order, msgspec.structs.replace(order.order_form, shipments=shipments))


def with_shipment(order: Order, shipment: Shipment) -> Order:
    """The order with the shipment in place of the one with its id, or as its last."""
    others = order.shipments
    if order.shipment(shipment.shipment_id) is None:
        return with_shipments(order, (*others, shipment))
    return with_shipments(
        order, tuple(shipment if one.shipment_id == shipment.shipment_id else one for one in others)
    )


def with_lines(
    order: Order, change: Callable[[Shipment, OrderLine], OrderLine], shipment_id: str | None = None
) -> Order:
    """The order with each line of the shipment, or of all shipments, changed."""
    return with_shipments(
        order,
        tuple(
            one
            if shipment_id is not None and one.shipment_id != shipment_id
            else msgspec.structs.replace(one, line_items=tuple(change(one, line) for line in one.line_items))
            for one in order.shipments
        ),
    )


def with_return(order: Order, form: ReturnForm) -> Order:
    """The order with the return form in place of the one with its id, or as its last."""
    forms = order.return_order_forms
    if not any(one.return_id == form.return_id for one in forms):
        return msgspec.structs.replace(order, return_order_forms=(*forms, form))
    kept = tuple(form if one.return_id == form.return_id else one for one in forms)
    return msgspec.structs.replace(order, return_order_forms=kept)


def all_lines(order: Order) -> Iterator[tuple[Shipment, OrderLine]]:
    """Each line of each shipment."""
    for shipment in order.shipments:
        for line in shipment.line_items:
            yield shipment, line


def _with_form(order: Order, form: OrderForm) -> Order:
    return msgspec.structs.replace(order, order_form=form)
