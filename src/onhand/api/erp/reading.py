"""Messages of the wire as the core asks them: names of dimensions resolved, quantities scaled."""

from __future__ import annotations

from typing import Final

import msgspec

from onhand.api.compat.translate import ID_MAX, scaled
from onhand.api.compat.wire import Numbers
from onhand.api.erp.wire import ErpLineRequest, ErpMessageRequest, ErpMoveRequest
from onhand.api.ids import new_id
from onhand.api.problems import EdgeProblem
from onhand.core.dimensions import name_dimensions, text_problem
from onhand.core.erp import targets
from onhand.core.erp.asking import LineAsked, MoveAsked, Spoiled
from onhand.core.erp.figures import ERP_SOURCE
from onhand.core.erp.intake import Asked
from onhand.core.erp.lines import AdjustmentSource, Reservation
from onhand.core.fingerprints import digest
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules

LINE_ID_MAX: Final = 100
"""Characters of a line id."""

HOLDS_MAX: Final = 500
"""Reservations that one line stands for."""


class Envelope(msgspec.Struct, frozen=True):
    """Who sends a message, and how it is numbered."""

    caller: str
    source: str = ""
    supplied: bool = False
    """The parameters say that the connector supplies the figures."""


def line_id(text: str) -> str:
    """A line id as it is kept.

    Raises:
        EdgeProblem: it is empty, too long, or cannot stand in a path.
    """
    found = text.strip()
    if not found or len(found) > LINE_ID_MAX or "/" in found or not found.isprintable():
        raise EdgeProblem(
            422,
            "invalid-value",
            f"An id has 1 to {LINE_ID_MAX} printable characters and no slash: {found[:LINE_ID_MAX]!r}.",
        )
    return found


def source_name(text: str) -> str:
    """A source's name as it is kept; empty stands for none.

    Raises:
        EdgeProblem: it is too long, or cannot stand in a path.
    """
    return line_id(text) if text.strip() else ""


def asked(rules: Rules, message: ErpMessageRequest, envelope: Envelope) -> Asked:
    """What a message asks.

    Raises:
        EdgeProblem: 422, the message is not one line or one move, or is not numbered as its source wants.
    """
    if (message.line is None) is (message.move is None):
        raise EdgeProblem(422, "invalid-body", "A message has either 'line' or 'move'.")
    if bool(envelope.source) is (message.sequence is None):
        raise EdgeProblem(
            422,
            "invalid-body",
            "Messages of a source are numbered: send 'source' and each message's 'sequence', or neither.",
        )
    if message.sequence is not None and not 0 < message.sequence < 1 << 53:
        raise EdgeProblem(422, "invalid-value", "A sequence number is a whole number from 1 up.")
    default = new_id() if message.sequence is None else f"{envelope.source.casefold()}:{message.sequence}"
    given = (message.id or "").strip() or default
    if len(given) > ID_MAX:
        raise EdgeProblem(422, "invalid-value", f"The id of a message has at most {ID_MAX} characters.")
    of = line_id(message.line_id)
    made: LineAsked | MoveAsked | Rejected
    if message.line is not None:
        made = _line(rules, of, message.line, envelope)
    else:
        assert message.move is not None  # noqa: S101 - one of the two, see above
        made = _move(rules, of, message.move, envelope)
    ready = Spoiled(id="", line_id=of, why=made) if isinstance(made, Rejected) else made
    return msgspec.structs.replace(
        ready,
        id=given,
        fingerprint=digest(msgspec.to_builtins(ready)),
        source=envelope.source,
        sequence=message.sequence,
        caller=envelope.caller,
    )


def _line(  # noqa: PLR0911 - one return per thing that can be wrong
    rules: Rules, of: str, body: ErpLineRequest, envelope: Envelope
) -> LineAsked | Rejected:
    subject = targets.subject(rules, body.organization_id, body.product_id)
    if isinstance(subject, Rejected):
        return subject
    dimensions = _dimensions(rules, body.dimensions, body.dimension_data_source)
    if isinstance(dimensions, Rejected):
        return dimensions
    quantity = scaled(body.quantity, "quantity")
    if isinstance(quantity, Rejected):
        return quantity
    if quantity < 0:
        return Rejected(
            Reason.INVALID_QUANTITY, "The quantity of a line is not negative: lower it to cancel."
        )
    reservation = _reservation(body)
    if isinstance(reservation, Rejected):
        return reservation
    for name, text in (("orderId", body.order_id), ("transactionId", body.transaction_id)):
        if _too_long(text):
            return _long(name)
    figures = _figures(body.quantities, envelope)
    if isinstance(figures, Rejected):
        return figures
    adjusted = bool(body.offset_data_source and body.offset_physical_measure)
    return LineAsked(
        id="",
        line_id=of,
        order_id=body.order_id.strip(),
        kind=body.kind,
        organization=subject.organization,
        product=subject.product,
        dimensions=dimensions,
        quantity=quantity,
        status=body.status,
        transaction=body.transaction_id.strip(),
        reservation=reservation,
        block_level=body.block_level,
        release_on_cancel=body.release_on_cancel,
        adjustment=AdjustmentSource(
            data_source=body.offset_data_source, physical_measure=body.offset_physical_measure
        )
        if adjusted
        else None,
        figures=figures,
    )


def _move(rules: Rules, of: str, body: ErpMoveRequest, envelope: Envelope) -> MoveAsked | Rejected:
    dimensions = _dimensions(rules, body.dimensions, body.dimension_data_source)
    if isinstance(dimensions, Rejected):
        return dimensions
    quantity = None if body.quantity is None else scaled(body.quantity, "quantity")
    if isinstance(quantity, Rejected):
        return quantity
    if quantity is not None and quantity <= 0:
        return Rejected(Reason.INVALID_QUANTITY, "The quantity that moves must be above zero.")
    for name, text in (("transactionId", body.transaction_id), ("newTransactionId", body.new_transaction_id)):
        if _too_long(text):
            return _long(name)
    figures = _figures(body.quantities, envelope)
    if isinstance(figures, Rejected):
        return figures
    return MoveAsked(
        id="",
        line_id=of,
        to=body.to,
        origin=body.origin,
        transaction=body.transaction_id.strip(),
        new_transaction=body.new_transaction_id.strip(),
        quantity=quantity,
        dimensions=dimensions,
        figures=figures,
    )


def _too_long(text: str) -> bool:
    return len(text) > LINE_ID_MAX or text_problem(text) is not None


def _long(name: str) -> Rejected:
    return Rejected(Reason.INVALID_VALUE, f"{name} has at most {LINE_ID_MAX} characters, and no NUL.")


def _dimensions(rules: Rules, given: dict[str, str], source: str | None) -> dict[str, str] | Rejected:
    named = name_dimensions(rules, given, source)
    if isinstance(named, Rejected):
        return named
    return {name: value for name, value in named if value}


def _reservation(body: ErpLineRequest) -> Reservation | Rejected:
    holds = tuple(one.strip() for one in body.hold_ids)
    if len(holds) > HOLDS_MAX or any(not one or len(one) > ID_MAX for one in holds):
        return Rejected(Reason.INVALID_VALUE, f"holdIds has at most {HOLDS_MAX} ids, none of them empty.")
    ways = [bool(holds), bool(body.reservation_id.strip()), body.inventory_service_auto_offset]
    if sum(ways) > 1:
        return Rejected(
            Reason.INVALID_VALUE,
            "Name the reservation in one way: holdIds, reservationId or inventoryServiceAutoOffset.",
        )
    if body.is_soft_reserved_externally and not any(ways):
        return Rejected(
            Reason.INVALID_VALUE,
            "A line that is soft-reserved externally needs its reservationId or holdIds.",
        )
    return Reservation(
        hold_ids=tuple(dict.fromkeys(holds)),
        reservation_id=body.reservation_id.strip()[:ID_MAX],
        auto=body.inventory_service_auto_offset,
        external=body.is_soft_reserved_externally,
    )


def _figures(numbers: Numbers, envelope: Envelope) -> dict[str, int] | Rejected | None:
    if not numbers:
        return None
    if not envelope.supplied:
        return Rejected(
            Reason.INVALID_VALUE,
            "The figures follow from the statuses here. Leave 'quantities' out, or set the parameter figures to 'supplied'.",
        )
    found: dict[str, int] = {}
    for source, measures in numbers.items():
        if source.strip().lower() != ERP_SOURCE:
            return Rejected(Reason.FOREIGN_SOURCE, f"A line supplies figures of {ERP_SOURCE!r} only.")
        for name, number in measures.items():
            quantity = scaled(number, f"quantities.{source}.{name}")
            if isinstance(quantity, Rejected):
                return quantity
            found[f"{ERP_SOURCE}.{name.strip().lower()}"] = quantity
    return found
