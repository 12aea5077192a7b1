"""Bodies of the native surface. Quantities are exact decimals, times RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.compat.wire import Numbers

Quantity = Decimal | int


class Request(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What all request bodies share: names in camelCase, nothing unknown."""


class Answer(msgspec.Struct, rename="camel", kw_only=True):
    """What all answers share."""


# Reservations ------------------------------------------------------------------------------------------------


class ReservationRequest(Request, kw_only=True):
    """Take a reservation."""

    organization_id: str
    product_id: str
    dimensions: dict[str, str] = {}
    dimension_data_source: str | None = None
    measure: str | None = None
    """`source.measure`; may be left out where only one measure can be reserved."""
    quantity: Decimal
    check: bool = True
    """False accepts whatever is available."""
    expires_at: datetime | None = None
    ttl_seconds: Decimal | None = None
    reference: str | None = None
    channel: str | None = None


class ReservationTaken(Answer, kw_only=True):
    """An accepted reservation."""

    hold_id: str
    reservation_id: str
    quantity: Quantity
    available: Quantity | UnsetType = UNSET
    """Available at the same place after the call; absent when nothing was checked."""
    expires_at: datetime | UnsetType = UNSET


class ReleaseRequest(Request, kw_only=True):
    """Give a reservation back; without `quantity` all that remains of it."""

    quantity: Decimal | None = None
    reason: str = ""


class ReservationReleased(Answer, kw_only=True):
    """What was given back."""

    hold_id: str
    released: Quantity


class ExtendRequest(Request, kw_only=True):
    """Move the expiry of an open reservation; neither field makes it permanent."""

    expires_at: datetime | None = None
    ttl_seconds: Decimal | None = None


class ReservationExtended(Answer, kw_only=True):
    """The new expiry; absent: none."""

    hold_id: str
    expires_at: datetime | UnsetType = UNSET


class Reservation(Answer, kw_only=True):
    """A hold as it is listed."""

    hold_id: str
    organization_id: str
    product_id: str
    dimensions: dict[str, str]
    measure: str
    quantity: Quantity
    remaining: Quantity
    reference: str
    channel: str
    order: str
    caller: str
    created_at: datetime
    expires_at: datetime | UnsetType = UNSET
    closed_at: datetime | UnsetType = UNSET
    closed_by: str | UnsetType = UNSET


class ReservationPage(Answer, kw_only=True):
    """Newest first; `next` is the cursor of the next page."""

    items: list[Reservation]
    next: str | None = None


# Stock -------------------------------------------------------------------------------------------------------


class Availability(Answer, kw_only=True):
    """Quantities at one node of a product."""

    organization_id: str
    product_id: str
    dimensions: dict[str, str]
    available: dict[str, Quantity]
    quantities: dict[str, dict[str, Quantity]]


class Movement(Answer, kw_only=True):
    """One row of the ledger."""

    organization_id: str
    product_id: str
    sequence: int
    at: datetime
    dimensions: dict[str, str]
    measure: str
    delta: Quantity
    level: Quantity
    hold_id: str | UnsetType = UNSET
    kind: str
    command_id: str
    caller: str
    reason: str


class MovementPage(Answer, kw_only=True):
    """Newest first."""

    items: list[Movement]
    next: str | None = None


class Refusal(Answer, kw_only=True):
    """A refused command with the numbers that were seen."""

    organization_id: str
    product_id: str
    at: datetime
    kind: str
    command_id: str
    caller: str
    channel: str
    dimensions: dict[str, str]
    measure: str
    requested: Quantity
    available: Quantity
    reason: str
    nodes: list[dict[str, str]]


class RefusalPage(Answer, kw_only=True):
    """Newest first."""

    items: list[Refusal]
    next: str | None = None


class PartitionAnswer(Answer, kw_only=True):
    """A partition that holds stock."""

    partition_id: str
    organization_id: str
    product_id: str
    dimensions: dict[str, str]


class PartitionList(Answer, kw_only=True):
    """Partitions that hold stock."""

    items: list[PartitionAnswer]


class WipeRequest(Request, kw_only=True):
    """Partitions to empty."""

    partition_ids: list[str]


class Wiped(Answer, kw_only=True):
    """How many products were wiped."""

    products: int


class OnHandRequest(Request, kw_only=True):
    """Add to physical measures (POST) or set them (PUT)."""

    organization_id: str
    product_id: str
    dimensions: dict[str, str] = {}
    dimension_data_source: str | None = None
    quantities: Numbers
    modified_at: datetime | None = None
    """PUT only: a count older than the stored one changes nothing."""


class OnHandDone(Answer, kw_only=True):
    """The change took place."""

    id: str
    stale: bool = False
    """PUT: a newer count was stored already, nothing changed."""


# ERP ---------------------------------------------------------------------------------------------------------


class ErpOffset(Request, kw_only=True):
    """A reservation that the same stock change makes obsolete; by hold id or by reservation id."""

    id: str | None = None
    """Id of the offset; the same id is offset once. Default: the event's id and the position in the list."""
    hold_id: str | None = None
    reservation_id: str | None = None
    quantity: Decimal
    dimensions: dict[str, str] | None = None
    """Dimensions of the line; default: those of the event."""
    dimension_data_source: str | None = None


class ErpEvent(Request, kw_only=True):
    """A change of the ERP's quantities with the reservations that it offsets; all or nothing."""

    id: str
    organization_id: str
    product_id: str
    dimensions: dict[str, str] = {}
    dimension_data_source: str | None = None
    quantities: Numbers = {}
    offsets: list[ErpOffset] = []


class OffsetResult(Answer, kw_only=True):
    """What became of an offset."""

    id: str
    consumed: Quantity = 0
    surplus: Quantity = 0
    """What was asked for beyond what remained."""
    code: str | UnsetType = UNSET
    """Why the offset was left out; the event itself took place."""
    message: str | UnsetType = UNSET


class ErpResult(Answer, kw_only=True):
    """What became of an event."""

    id: str
    accepted: bool
    replayed: bool = False
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    retryable: bool = False
    offsets: list[OffsetResult] = []


class ErpAnswer(Answer, kw_only=True):
    """One result per event, in order."""

    results: list[ErpResult]
