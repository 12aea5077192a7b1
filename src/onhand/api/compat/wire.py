"""Request bodies of the compatible surface in their canonical spelling (specification 2.5-2.8, 9).

Unknown fields are forbidden here, not because clients must not send them, but because an unknown field may be a
known one in another spelling: `decoding` then takes the tolerant path.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

Numbers = dict[str, dict[str, Decimal]]
"""Data source -> measure -> number; exact, from JSON numbers or strings."""


class Event(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What all events share."""

    id: str | None = None
    organization_id: str | None = None
    product_id: str | None = None
    dimension_data_source: str | None = None
    dimensions: dict[str, str] | None = None


class OnHandBody(Event):
    """POST `/onhand`."""

    quantities: Numbers | None = None


class SetOnHandBody(OnHandBody):
    """POST `/setonhand/{inventorySystem}/bulk`."""

    modified: datetime | None = msgspec.field(default=None, name="modifiedDateTimeUTC")


class ReserveBody(Event):
    """POST `/onhand/reserve`. The last four fields are extensions."""

    quantity_data_source: str | None = None
    modifier: str | None = None
    quantity: Decimal | None = None
    quantities: Numbers | None = None
    """Alternative to the three fields above; names one measure."""
    if_check_avail_for_reserv: bool | None = None
    expires_at: datetime | None = None
    ttl_seconds: Decimal | None = None
    reference: str | None = None
    channel: str | None = None


class UnreserveBody(Event):
    """POST `/onhand/unreserve`."""

    reservation_id: str | None = None
    offset_quantity: Decimal | None = msgspec.field(default=None, name="OffsetQty")


class Malformed(msgspec.Struct, frozen=True):
    """An item that cannot be read; the other items of its request are not affected."""

    id: str
    message: str
