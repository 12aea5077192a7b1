"""Changes that a client makes to the lines and shipments of an order (order specification 8.2).

Pure: each takes the order and the client's JSON and gives the order as the client wants it, or says everything that is
wrong. What the change means for reserved stock is found out afterwards (`following`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from onhand.core.configuration_document import Problem
from onhand.core.orders import entities
from onhand.core.orders.entities import Json
from onhand.core.orders.lines import PARTS, all_lines, with_lines, with_shipment, with_shipments
from onhand.core.orders.model import Order, OrderLine, Shipment
from onhand.core.orders.refusals import Code, Refused, invalid

LINES_MAX: Final = 1_000
"""Lines of an order, each counted once for each shipment that has a part of it."""
SHIPMENTS_MAX: Final = 500

_PARTS: Final = frozenset(name.replace("_", "") for name in PARTS)
_LINE: Final = "lineitemid"
_SHIPMENT: Final = "shipmentid"


def bounded(order: Order) -> Order | Refused:
    """The order, refused when it has too many parts, or a line twice in one shipment (A34)."""
    problems: list[Problem] = []
    if len(order.shipments) > SHIPMENTS_MAX:
        problems.append(Problem("orderForm.shipments", f"An order has at most {SHIPMENTS_MAX} shipments."))
    count = sum(1 for _ in all_lines(order)) + len(order.order_form.unassigned)
    if count > LINES_MAX:
        problems.append(Problem("orderForm", f"It has {count} lines; an order has at most {LINES_MAX}."))
    for shipment in order.shipments:
        problems += _twice(f"shipment {shipment.shipment_id}", shipment.line_items)
    problems += _twice("orderForm.lineItems", order.order_form.unassigned)
    return invalid(problems, "The order") if problems else order


def _twice(where: str, lines: Sequence[OrderLine]) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for line in lines:
        if line.line_item_id in seen:
            problems.append(Problem(where, f"lineItemId {line.line_item_id!r} occurs twice."))
        seen.add(line.line_item_id)
    return problems


# Lines -------------------------------------------------------------------------------------------------------


def with_new_lines(order: Order, value: Json, shipment_id: str | None) -> Order | Refused:
    """The order with further lines: in the named shipment, else in its only one, else in none."""
    problems: list[Problem] = []
    lines = []
    for path, one in _items(value):
        line = entities.read_part(OrderLine, one, path, problems)
        if line is not None:
            lines.append(line)
    known = {line.line_item_id for _, line in all_lines(order)}
    known |= {line.line_item_id for line in order.order_form.unassigned}
    problems += [
        Problem("lineItemId", f"The order has a line {line.line_item_id!r} already.")
        for line in lines
        if line.line_item_id in known
    ]
    if not problems and not lines:
        problems.append(Problem("", "Name at least one line."))
    if problems:
        return invalid(problems, "The list of lines")
    if shipment_id is None and len(order.shipments) == 1:
        shipment_id = order.shipments[0].shipment_id
    if shipment_id is None:
        return bounded(_unassigned(order, (*order.order_form.unassigned, *lines)))
    shipment = order.shipment(shipment_id)
    if shipment is None:
        return _no_shipment(shipment_id)
    grown = msgspec.structs.replace(shipment, line_items=(*shipment.line_items, *lines))
    return bounded(with_shipment(order, grown))


def with_patched_lines(order: Order, value: Json) -> Order | Refused:
    """The order with properties of lines changed; each patch names its line, and its shipment where there are several."""
    problems: list[Problem] = []
    for path, patch in _items(value):
        line_id, shipment_id = _text(patch, _LINE), _text(patch, _SHIPMENT)
        homes = _homes(order, line_id, shipment_id)
        if not homes:
            where = f" in shipment {shipment_id!r}" if shipment_id else ""
            problems.append(Problem(path, f"The order has no line {line_id!r}{where}."))
        elif len(homes) > 1 and _PARTS & {_plain(name) for name in patch}:
            problems.append(
                Problem(path, f"Line {line_id!r} is in {len(homes)} shipments: say which by shipmentId.")
            )
        else:
            patched = _patched(order, path, patch, homes, problems)
            order = order if patched is None else patched
    return invalid(problems, "The list of lines") if problems else bounded(order)


def _homes(order: Order, line_id: str, shipment_id: str) -> list[str | None]:
    """Ids of the shipments that have the line; None stands for the unassigned lines."""
    homes: list[str | None] = [
        shipment.shipment_id
        for shipment, line in all_lines(order)
        if line.line_item_id == line_id and shipment_id in ("", shipment.shipment_id)
    ]
    if not shipment_id and any(line.line_item_id == line_id for line in order.order_form.unassigned):
        homes.append(None)
    return homes


def _patched(
    order: Order, path: str, patch: Json, homes: Sequence[str | None], problems: list[Problem]
) -> Order | None:
    line_id = _text(patch, _LINE)
    change = {name: content for name, content in patch.items() if _plain(name) not in (_LINE, _SHIPMENT)}
    found: Refused | None = None

    def changed(line: OrderLine) -> OrderLine:
        nonlocal found
        if line.line_item_id != line_id:
            return line
        made = entities.patched(line, change, "The line")
        if isinstance(made, Refused):
            found = made
            return line
        return made

    for home in homes:
        if home is None:
            order = _unassigned(order, tuple(changed(line) for line in order.order_form.unassigned))
        else:
            order = with_lines(order, lambda _shipment, line: changed(line), home)
    if found is None:
        return order
    problems += [Problem(f"{path}.{one.path}".rstrip("."), one.message) for one in found.problems]
    return None


# Shipments ---------------------------------------------------------------------------------------------------


def with_put_shipments(order: Order, value: Json) -> Order | Refused:
    """The order with these shipments added, or in place of those with their ids; without `lineItems` they keep their lines."""

    def put(path: str, one: Json, problems: list[Problem]) -> Shipment | None:
        made = entities.read_part(Shipment, one, path, problems)
        if made is None:
            return None
        old = order.shipment(made.shipment_id)
        names = {_plain(name) for name in one}
        if old is not None and "lineitems" not in names:
            made = msgspec.structs.replace(made, line_items=old.line_items)
        return made

    return _with_each(order, value, put)


def with_patched_shipments(order: Order, value: Json) -> Order | Refused:
    """The order with properties of these shipments changed; a list of lines replaces all lines of its shipment."""

    def patch(path: str, one: Json, problems: list[Problem]) -> Shipment | None:
        shipment_id = _text(one, _SHIPMENT)
        old = order.shipment(shipment_id)
        if old is None:
            problems.append(Problem(path, f"The order has no shipment {shipment_id!r}."))
            return None
        made = entities.patched(old, one, "The shipment")
        if isinstance(made, Refused):
            problems.extend(Problem(f"{path}.{part.path}", part.message) for part in made.problems)
            return None
        return made

    return _with_each(order, value, patch)


def _with_each(
    order: Order, value: Json, make: Callable[[str, Json, list[Problem]], Shipment | None]
) -> Order | Refused:
    problems: list[Problem] = []
    made = [make(path, one, problems) for path, one in _items(value)]
    ids = [one.shipment_id for one in made if one is not None]
    problems += [
        Problem("shipmentId", f"{one!r} occurs twice.") for one in dict.fromkeys(ids) if ids.count(one) > 1
    ]
    if not problems and not made:
        problems.append(Problem("", "Name at least one shipment."))
    if problems:
        return invalid(problems, "The list of shipments")
    for one in made:
        if one is not None:
            order = with_shipment(order, one)
    return bounded(_without_assigned(order))


def without_shipments(order: Order, shipment_ids: Sequence[str]) -> Order | Refused:
    """The order without these shipments; lines that are in no other one become unassigned."""
    for shipment_id in shipment_ids:
        if order.shipment(shipment_id) is None:
            return Refused(Code.NOT_FOUND, f"The order has no shipment {shipment_id!r}.")
    gone = [one for one in order.shipments if one.shipment_id in shipment_ids]
    left = with_shipments(order, tuple(one for one in order.shipments if one.shipment_id not in shipment_ids))
    there = {line.line_item_id for _, line in all_lines(left)}
    loose: dict[str, OrderLine] = {}
    for shipment in gone:
        for line in shipment.line_items:
            if line.line_item_id not in there:
                loose[line.line_item_id] = _joined(loose.get(line.line_item_id), line)
    return bounded(_unassigned(left, (*left.order_form.unassigned, *loose.values())))


def with_assigned_lines(order: Order, value: Json) -> Order | Refused:
    """The order with lines moved, as a whole, into the named shipments: `[{shipmentId, lineItemIds[]}]`."""
    problems: list[Problem] = []
    wanted: dict[str, str] = {}
    for path, one in _items(value):
        shipment_id = _text(one, _SHIPMENT)
        if order.shipment(shipment_id) is None:
            problems.append(Problem(path, f"The order has no shipment {shipment_id!r}."))
        for line_id in _texts(one, "lineitemids", path, problems):
            if not _homes(order, line_id, ""):
                problems.append(Problem(path, f"The order has no line {line_id!r}."))
            elif wanted.setdefault(line_id, shipment_id) != shipment_id:
                problems.append(Problem(path, f"Line {line_id!r} is named for two shipments."))
    if not problems and not wanted:
        problems.append(Problem("", "Name at least one line."))
    if problems:
        return invalid(problems, "The list of shipments")
    return bounded(_assigned(order, wanted))


def _assigned(order: Order, wanted: Mapping[str, str]) -> Order:
    moved: dict[str, OrderLine] = {}
    for line in (*(line for _, line in all_lines(order)), *order.order_form.unassigned):
        if line.line_item_id in wanted:
            moved[line.line_item_id] = _joined(moved.get(line.line_item_id), line)
    shipments = []
    for shipment in order.shipments:
        there = {line.line_item_id for line in shipment.line_items}
        kept = [
            moved[line.line_item_id] if line.line_item_id in wanted else line
            for line in shipment.line_items
            if wanted.get(line.line_item_id, shipment.shipment_id) == shipment.shipment_id
        ]
        kept += [
            moved[line_id]
            for line_id, home in wanted.items()
            if home == shipment.shipment_id and line_id not in there
        ]
        shipments.append(msgspec.structs.replace(shipment, line_items=tuple(kept)))
    return _without_assigned(with_shipments(order, tuple(shipments)))


def _joined(one: OrderLine | None, other: OrderLine) -> OrderLine:
    """Two parts of a line as one."""
    if one is None:
        return other
    sums = {name: getattr(one, name) + getattr(other, name) for name in PARTS}
    flagged = one.reserved_inventory or other.reserved_inventory
    return msgspec.structs.replace(one, **sums, reserved_inventory=flagged)


def _without_assigned(order: Order) -> Order:
    """The order whose unassigned lines are in no shipment."""
    there = {line.line_item_id for _, line in all_lines(order)}
    return _unassigned(
        order, tuple(line for line in order.order_form.unassigned if line.line_item_id not in there)
    )


def _unassigned(order: Order, lines: tuple[OrderLine, ...]) -> Order:
    if lines == order.order_form.unassigned:
        return order
    form = msgspec.structs.replace(order.order_form, unassigned=lines)
    return msgspec.structs.replace(order, order_form=form)


# Reading JSON ------------------------------------------------------------------------------------------------


def _items(value: Json) -> Iterable[tuple[str, Json]]:
    """(path, item) of a list; a single object is a list of one, whatever is no object is an empty one."""
    if not isinstance(value, list):
        value = [value]
    for number, one in enumerate(value):
        yield f"[{number}]", one if isinstance(one, Mapping) else {}


def _plain(name: str) -> str:
    return name.strip().lower()


def _member(value: Json, wanted: str) -> Json:
    return next((content for name, content in value.items() if _plain(name) == wanted), None)


def _text(value: Json, wanted: str) -> str:
    found = _member(value, wanted)
    return found if isinstance(found, str) else ""


def _texts(value: Json, wanted: str, path: str, problems: list[Problem]) -> list[str]:
    found = _member(value, wanted)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        problems.append(Problem(path, "lineItemIds must be an array of texts."))
        return []
    return found


def _no_shipment(shipment_id: str) -> Refused:
    return Refused(Code.VALIDATION_FAILED, f"The order has no shipment {shipment_id!r}.")
