"""Wire bodies to commands: names resolved, quantities scaled, dimensions mapped; or the reason why not.

Pure functions of the body and the `Rules`, called again by the batcher when the configuration changes between
submission and decision. What needs the stock itself (availability, ids seen before) is not looked at here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from onhand.api.compat import fingerprints
from onhand.api.compat.wire import Event, Numbers, OnHandBody, ReserveBody, SetOnHandBody, UnreserveBody
from onhand.core.commands import ANYONE, ChangeOnHand, Kind, Owner, Reserve, Reverse, SetOnHand, Unreserve
from onhand.core.dimensions import (
    TEXT_MAX,
    name_dimensions,
    on_hand_position,
    reservation_node,
    text_problem,
)
from onhand.core.erp.figures import ERP_SOURCE
from onhand.core.erp.targets import Subject, measure_of
from onhand.core.erp.targets import subject as subject_of
from onhand.core.keys import Position, reservation_id
from onhand.core.outcomes import Reason, Rejected
from onhand.core.quantities import QuantityError, parse
from onhand.core.rules import Rules

ID_MAX: Final = 200
"""Characters of an event id."""

TTL_MAX_S: Final = 10 * 366 * 24 * 3600
"""Seconds a reservation may live at most when a life is given."""

EXPIRES_MAX: Final = 253_402_300_799_000_000
"""Latest expiry in microseconds since 1970: the end of the year 9999, which is as far as times on the wire go."""


class Asker(NamedTuple):
    """Who asks, under which id."""

    client: str
    id: str


def on_hand(
    rules: Rules, body: OnHandBody, asker: Asker, kind: Kind = Kind.CHANGE
) -> ChangeOnHand | Rejected:
    """An on-hand change (specification 2.5); `kind` is `ERP` for the internal synchronisation."""
    subject = product(rules, body, asker)
    if isinstance(subject, Rejected):
        return subject
    named = name_dimensions(rules, body.dimensions or {}, body.dimension_data_source)
    if isinstance(named, Rejected):
        return named
    position = on_hand_position(rules, named)
    if isinstance(position, Rejected):
        return position
    changes = amounts(rules, body.quantities, erp=kind is Kind.ERP)
    if isinstance(changes, Rejected):
        return changes
    return ChangeOnHand(
        id=asker.id,
        fingerprint=fingerprints.on_hand(body),
        caller=asker.client,
        product=subject.key,
        organization_shown=subject.organization,
        product_shown=subject.product,
        kind=kind,
        position=position,
        changes=changes,
    )


def set_on_hand(rules: Rules, body: SetOnHandBody, asker: Asker, system: str) -> SetOnHand | Rejected:
    """An absolute override of measures of the data source `system` (specification 2.6)."""
    subject = product(rules, body, asker)
    if isinstance(subject, Rejected):
        return subject
    named = name_dimensions(rules, body.dimensions or {}, body.dimension_data_source)
    if isinstance(named, Rejected):
        return named
    position = on_hand_position(rules, named)
    if isinstance(position, Rejected):
        return position
    foreign = sorted(
        source for source in body.quantities or {} if source.strip().lower() != system.strip().lower()
    )
    if foreign:
        return Rejected(
            Reason.FOREIGN_SOURCE,
            f"The path names data source {system[:TEXT_MAX]!r}, so quantities of {foreign[0][:TEXT_MAX]!r} cannot be "
            "set here. Send them to the path of their own data source.",
        )
    values = amounts(rules, body.quantities)
    if isinstance(values, Rejected):
        return values
    return SetOnHand(
        id=asker.id,
        fingerprint=fingerprints.set_on_hand(body),
        caller=asker.client,
        product=subject.key,
        organization_shown=subject.organization,
        product_shown=subject.product,
        position=position,
        values=values,
        modified_at=microseconds(body.modified),
    )


def reserve(  # noqa: PLR0911 - one return per thing that can be wrong
    rules: Rules, body: ReserveBody, asker: Asker
) -> Reserve | Reverse | Rejected:
    """A soft reservation, or its reversal when the quantity is negative (specification 2.7, 3.2, 3.3)."""
    if not rules.reservations_enabled:
        return Rejected(
            Reason.RESERVATIONS_DISABLED,
            "Soft reservation is switched off. Set reservConfiguration.isReservEnabled to true.",
        )
    subject = product(rules, body, asker)
    if isinstance(subject, Rejected):
        return subject
    asked = _reserved_quantity(rules, body)
    if isinstance(asked, Rejected):
        return asked
    measure, quantity = asked
    node = _node(rules, body)
    if isinstance(node, Rejected):
        return node
    owner = _owner(body)
    if isinstance(owner, Rejected):
        return owner
    check = body.if_check_avail_for_reserv is not False
    if quantity < 0:
        return Reverse(
            id=asker.id,
            fingerprint=fingerprints.reserve(body),
            caller=asker.client,
            product=subject.key,
            organization_shown=subject.organization,
            product_shown=subject.product,
            position=node,
            measure=measure,
            quantity=-quantity,
            check=check,
            owner=owner,
        )
    lasts = life(body.expires_at, body.ttl_seconds)
    if isinstance(lasts, Rejected):
        return lasts
    return Reserve(
        id=asker.id,
        fingerprint=fingerprints.reserve(body),
        caller=asker.client,
        product=subject.key,
        organization_shown=subject.organization,
        product_shown=subject.product,
        position=node,
        measure=measure,
        quantity=quantity,
        check=check,
        expires_at=lasts[0],
        lives_us=lasts[1],
        owner=owner,
    )


def unreserve(rules: Rules, body: UnreserveBody, asker: Asker) -> Unreserve | Rejected:
    """A release by reservation id (specification 2.8)."""
    subject = product(rules, body, asker)
    if isinstance(subject, Rejected):
        return subject
    quantity = scaled(body.offset_quantity, "OffsetQty")
    if isinstance(quantity, Rejected):
        return quantity
    if quantity <= 0:
        return Rejected(Reason.INVALID_QUANTITY, "OffsetQty must be above zero.")
    node = _node(rules, body)
    if isinstance(node, Rejected):
        return node
    measure = measure_of(rules, subject.key, node, body.reservation_id or "")
    if measure is None:
        return Rejected(
            Reason.RESERVATION_MISMATCH,
            "No reservation has this reservationId with these values of organizationId, productId and dimensions. "
            "Send exactly those that were reserved.",
            surplus=quantity,
        )
    return Unreserve(
        id=asker.id,
        fingerprint=fingerprints.unreserve(body),
        caller=asker.client,
        product=subject.key,
        organization_shown=subject.organization,
        product_shown=subject.product,
        position=node,
        measure=measure,
        quantity=quantity,
        reservation_id=body.reservation_id or "",
    )


# Parts -------------------------------------------------------------------------------------------------------


def product(rules: Rules, body: Event, asker: Asker) -> Subject | Rejected:
    """The product that a body is about."""
    if len(asker.id) > ID_MAX:
        return Rejected(
            Reason.INVALID_VALUE, f"The id has {len(asker.id)} characters; at most {ID_MAX} are allowed."
        )
    return subject_of(rules, body.organization_id or "", body.product_id or "")


def measure_id(rules: Rules, source: str | None, name: str | None, *, erp: bool = False) -> int | Rejected:
    """Id of a physical measure that the caller may change."""
    folded = (source or "").strip().lower(), (name or "").strip().lower()
    found = rules.measures.get(folded)
    if folded[0] == ERP_SOURCE and not erp:
        return Rejected(
            Reason.ERP_OWNED,
            "Quantities of data source 'fno' belong to the ERP and cannot be changed here; they arrive with its "
            "synchronisation.",
        )
    if found is not None:
        return found
    sources = sorted({name for name, _ in rules.measures} | set(rules.dimension_mappings))
    if folded[0] not in sources:
        return Rejected(
            Reason.UNKNOWN_DATA_SOURCE,
            f"Data source {(source or '')[:TEXT_MAX]!r} is not configured. Configured: {', '.join(sources)}.",
        )
    own = sorted(measure for ours, measure in rules.measures if ours == folded[0])
    calculated = (
        " It is a calculated measure; only physical ones can be changed."
        if folded in rules.calculated
        else ""
    )
    return Rejected(
        Reason.UNKNOWN_MEASURE,
        f"Data source {folded[0]!r} has no physical measure {(name or '')[:TEXT_MAX]!r}.{calculated} "
        f"It has: {', '.join(own) or 'none'}.",
    )


def amounts(
    rules: Rules, numbers: Numbers | None, *, erp: bool = False
) -> tuple[tuple[int, int], ...] | Rejected:
    """(measure id, scaled amount) of `quantities`."""
    totals: dict[int, int] = {}
    for source, measures in (numbers or {}).items():
        for name, number in measures.items():
            measure = measure_id(rules, source, name, erp=erp)
            if isinstance(measure, Rejected):
                return measure
            amount = scaled(number, f"quantities.{source}.{name}")
            if isinstance(amount, Rejected):
                return amount
            if measure in totals:
                return Rejected(
                    Reason.INVALID_VALUE,
                    f"quantities names {source[:TEXT_MAX]}.{name[:TEXT_MAX]} twice, in two spellings. Send it once.",
                )
            totals[measure] = amount
    if not totals:
        return Rejected(Reason.INVALID_VALUE, "quantities names no measure.")
    return tuple(totals.items())


def scaled(number: Decimal | None, field: str) -> int | Rejected:
    """Scaled quantity of a number on the wire."""
    if number is None:
        return Rejected(Reason.INVALID_QUANTITY, f"{field} is missing.")
    try:
        return parse(number)
    except QuantityError as error:
        return Rejected(Reason.INVALID_QUANTITY, f"{field[:TEXT_MAX]} is refused: {str(error)[:TEXT_MAX]}")


def microseconds(moment: datetime | None) -> int | None:
    """A time of the wire as microseconds since 1970; without a zone it is UTC."""
    if moment is None:
        return None
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = zoned - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def life(
    expires_at: datetime | None, ttl_seconds: Decimal | None
) -> tuple[int | None, int | None] | Rejected:
    """(expires_at, lives_us) of a reservation; both None: it does not lapse."""
    if ttl_seconds is None:
        moment = microseconds(expires_at)
        if moment is not None and not 0 <= moment <= EXPIRES_MAX:
            return Rejected(Reason.INVALID_VALUE, "expiresAt must lie between the years 1970 and 9999.")
        return moment, None
    if expires_at is not None:
        return Rejected(Reason.INVALID_VALUE, "Send expiresAt or ttlSeconds, not both.")
    if not (ttl_seconds.is_finite() and 0 < ttl_seconds <= TTL_MAX_S):
        return Rejected(Reason.INVALID_VALUE, f"ttlSeconds must be above zero and at most {TTL_MAX_S}.")
    return None, max(1, int(ttl_seconds * 1_000_000))


def reservation_id_of(rules: Rules, command: Reserve | Reverse | Unreserve) -> str:
    """The shared reservation id of a command's node and measure (specification 3.4)."""
    hyphens = rules.switches.reservation_id_format == "uuid5"
    return reservation_id(
        command.product, command.position.key, rules.names[command.measure], hyphens=hyphens
    )


def _node(rules: Rules, body: Event) -> Position | Rejected:
    named = name_dimensions(rules, body.dimensions or {}, body.dimension_data_source)
    if isinstance(named, Rejected):
        return named
    return reservation_node(rules, named)


def _reserved_quantity(rules: Rules, body: ReserveBody) -> tuple[int, int] | Rejected:
    source, name, number = body.quantity_data_source, body.modifier, body.quantity
    if body.quantities and name is None and number is None:
        pairs = [
            (source, name, number)
            for source, named in body.quantities.items()
            for name, number in named.items()
        ]
        if len(pairs) != 1:
            return Rejected(
                Reason.INVALID_VALUE, "quantities of a reservation must name exactly one measure."
            )
        source, name, number = pairs[0]
    if not (source or "").strip():
        source = _only_source(rules, name)
    measure = measure_id(rules, source, name)
    if isinstance(measure, Rejected):
        return measure
    amount = scaled(number, "quantity")
    if isinstance(amount, Rejected):
        return amount
    if amount == 0:
        return Rejected(Reason.INVALID_QUANTITY, "quantity must not be zero.")
    return measure, amount


def _only_source(rules: Rules, name: str | None) -> str | None:
    """The data source of a measure name that only one reservable measure has (`quantityDataSource` is optional)."""
    wanted = (name or "").strip().lower()
    sources = [rules.names[measure][0] for measure in rules.mapped if rules.names[measure][1] == wanted]
    return sources[0] if len(sources) == 1 else None


def _owner(body: ReserveBody) -> Owner | Rejected:
    if not (body.reference or body.channel):
        return ANYONE
    for field, value in (("reference", body.reference), ("channel", body.channel)):
        problem = text_problem(value or "")
        if problem or "\x1f" in (value or ""):
            return Rejected(
                Reason.INVALID_VALUE, f"{field} is refused: {problem or 'it has a control character'}."
            )
    return Owner(reference=body.reference or "", channel=body.channel or "")
