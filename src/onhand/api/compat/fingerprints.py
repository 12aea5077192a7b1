"""What a caller asked, as 64 bits: an honest retry has the same ones, another body has others.

Taken from the request before anything of the configuration is applied (decisions 5): names of dimensions and
measures in lower case, values as they were sent, numbers without their spelling (`5`, `5.0` and `"5"` are
one). The id itself is left out; it is what the fingerprint is compared under.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from onhand.api.compat.wire import Event, Numbers, OnHandBody, ReserveBody, SetOnHandBody, UnreserveBody
from onhand.core.fingerprints import digest
from onhand.core.quantities import QuantityError, parse

__all__ = ["digest", "on_hand", "reserve", "set_on_hand", "unreserve"]


def on_hand(body: OnHandBody) -> int:
    """Fingerprint of an on-hand change."""
    return digest("change", *_event(body), _numbers(body.quantities))


def set_on_hand(body: SetOnHandBody) -> int:
    """Fingerprint of an absolute override."""
    return digest("set", *_event(body), _numbers(body.quantities), body.modified)


def reserve(body: ReserveBody) -> int:
    """Fingerprint of a reservation or its reversal."""
    return digest(
        "reserve",
        *_event(body),
        _lower(body.quantity_data_source),
        _lower(body.modifier),
        _number(body.quantity),
        _numbers(body.quantities),
        body.if_check_avail_for_reserv is not False,
        body.expires_at,
        _number(body.ttl_seconds),
        body.reference,
        body.channel,
    )


def unreserve(body: UnreserveBody) -> int:
    """Fingerprint of an unreserve."""
    return digest("unreserve", *_event(body), body.reservation_id, _number(body.offset_quantity))


def _event(body: Event) -> tuple[Any, ...]:
    dimensions = body.dimensions
    return (
        body.organization_id,
        body.product_id,
        _lower(body.dimension_data_source),
        {name.lower(): value for name, value in dimensions.items()} if dimensions else None,
    )


def _numbers(numbers: Numbers | None) -> Mapping[str, Any] | None:
    if not numbers:
        return None
    return {
        source.lower(): {name.lower(): _number(value) for name, value in measures.items()}
        for source, measures in numbers.items()
    }


def _number(value: Decimal | None) -> int | str | None:
    if value is None:
        return None
    try:
        return parse(value)
    except QuantityError:
        return str(value)


def _lower(name: str | None) -> str | None:
    return name.strip().lower() if name else None
