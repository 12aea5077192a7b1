"""Bodies of the native surface. Quantities are exact decimals, times RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from onhand.api.compat.wire import Numbers

Quantity = Decimal | int


class Request(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What all request bodies share: names in camelCase, nothing unknown."""


class Answer(msgspec.Struct, rename="camel", kw_only=True):
    """What all answers share."""


# Reservations ------------------------------------------------------------------------------------------------


class ReservationRequest(Request):
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


class ReservationTaken(Answer):
    """An accepted reservation."""

    hold_id: str
    reservation_id: str
    quantity: Quantity
    available: Quantity | UnsetType = UNSET
    """Available at the same place after the call; absent when nothing was checked."""
    expires_at: datetime | UnsetType = UNSET


class ReleaseRequest(Request):
    """Give a reservation back; without `quantity` all that remains of it."""

    quantity: Decimal | None = None
    reason: str = ""


class ReservationReleased(Answer):
    """What was given back."""

    hold_id: str
    released: Quantity


class ExtendRequest(Request):
    """Move the expiry of an open reservation; neither field makes it permanent."""

    expires_at: datetime | None = None
    ttl_seconds: Decimal | None = None


class ReservationExtended(Answer):
    """The new expiry; absent: none."""

    hold_id: str
    expires_at: datetime | UnsetType = UNSET


class Reservation(Answer):
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


class ReservationPage(Answer):
    """Newest first; `next` is the cursor of the next page."""

    items: list[Reservation]
    next: str | None = None


# Stock -------------------------------------------------------------------------------------------------------


class Availability(Answer):
    """Quantities at one node of a product."""

    organization_id: str
    product_id: str
    dimensions: dict[str, str]
    available: dict[str, Quantity]
    quantities: dict[str, dict[str, Quantity]]


class Movement(Answer):
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


class MovementPage(Answer):
    """Newest first."""

    items: list[Movement]
    next: str | None = None


class Refusal(Answer):
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


class RefusalPage(Answer):
    """Newest first."""

    items: list[Refusal]
    next: str | None = None


class PartitionAnswer(Answer):
    """A partition that holds stock."""

    partition_id: str
    organization_id: str
    product_id: str
    dimensions: dict[str, str]


class PartitionList(Answer):
    """Partitions that hold stock."""

    items: list[PartitionAnswer]


class WipeRequest(Request):
    """Partitions to empty."""

    partition_ids: list[str]


class Wiped(Answer):
    """How many products were wiped."""

    products: int


class OnHandRequest(Request):
    """Add to physical measures (POST) or set them (PUT)."""

    organization_id: str
    product_id: str
    dimensions: dict[str, str] = {}
    dimension_data_source: str | None = None
    quantities: Numbers
    modified_at: datetime | None = None
    """PUT only: a count older than the stored one changes nothing."""


class OnHandDone(Answer):
    """The change took place."""

    id: str
    stale: bool = False
    """PUT: a newer count was stored already, nothing changed."""


# ERP ---------------------------------------------------------------------------------------------------------


class ErpOffset(Request):
    """A reservation that the same stock change makes obsolete; by hold id or by reservation id."""

    id: str | None = None
    """Id of the offset; the same id is offset once. Default: the event's id and the position in the list."""
    hold_id: str | None = None
    reservation_id: str | None = None
    quantity: Decimal
    dimensions: dict[str, str] | None = None
    """Dimensions of the line; default: those of the event."""
    dimension_data_source: str | None = None


class ErpEvent(Request):
    """A change of the ERP's quantities with the reservations that it offsets; all or nothing."""

    id: str
    organization_id: str
    product_id: str
    dimensions: dict[str, str] = {}
    dimension_data_source: str | None = None
    quantities: Numbers = {}
    offsets: list[ErpOffset] = []


class OffsetResult(Answer):
    """What became of an offset."""

    id: str
    consumed: Quantity = 0
    surplus: Quantity = 0
    """What was asked for beyond what remained."""
    code: str | UnsetType = UNSET
    """Why the offset was left out; the event itself took place."""
    message: str | UnsetType = UNSET


class ErpResult(Answer):
    """What became of an event."""

    id: str
    accepted: bool
    replayed: bool = False
    code: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    retryable: bool = False
    offsets: list[OffsetResult] = []


class ErpAnswer(Answer):
    """One result per event, in order."""

    results: list[ErpResult]


# Administration ----------------------------------------------------------------------------------------------


class ConfigurationRequest(Request):
    """A configuration document, and the compatibility switches to change with it."""

    document: dict[str, Any]
    switches: dict[str, Any] | None = None
    reason: str = ""


class ConfigurationAnswer(Answer):
    """One version of a configuration."""

    environment_id: str
    version: int
    document: dict[str, Any]
    switches: dict[str, Any]
    applied_at: datetime
    applied_by: str
    reason: str


class ConfigurationProblem(Answer):
    """Something wrong with a document; only errors forbid applying it."""

    path: str
    message: str
    severity: str


class Validation(Answer):
    """Whether a document may be applied."""

    valid: bool
    problems: list[ConfigurationProblem]


class Difference(Answer):
    """What applying a document would change."""

    changes: list[Any]


class ConfigurationVersion(Answer):
    """A line of the history."""

    version: int
    applied_at: datetime
    applied_by: str
    reason: str


class History(Answer):
    """All versions, newest first."""

    items: list[ConfigurationVersion]


class JobRequest(Request):
    """A long job to start: the clean-up of reservations of some data sources (none named: all)."""

    kind: str = "reservation-resync"
    sources: list[str] = []


class JobAnswer(Answer):
    """State of a job."""

    job_id: str
    kind: str
    status: str
    progress: int
    message: str


class EnvironmentRequest(Request):
    """A new environment, from a profile or from a document."""

    environment_id: str
    profile: str = "standalone"
    document: dict[str, Any] | None = None
    switches: dict[str, Any] | None = None


class EnvironmentAnswer(Answer):
    """An environment."""

    environment_id: str
    configuration_version: int


class EnvironmentList(Answer):
    """Environments that the caller may enter."""

    items: list[EnvironmentAnswer]


class ClientRequest(Request):
    """A new client, or a new secret and new rights for an existing one."""

    client_id: str
    environments: list[str]
    scopes: list[str] = []


class ClientCreated(Answer):
    """The secret is shown once."""

    client_id: str
    client_secret: str


class ClientAnswer(Answer):
    """A client, without its secret."""

    client_id: str
    environments: list[str]
    scopes: list[str]
    disabled: bool


class ClientList(Answer):
    """All clients."""

    items: list[ClientAnswer]


class DriftAnswer(Answer):
    """One contradiction that an audit found."""

    invariant: str
    organization_id: str
    product_id: str
    position: dict[str, str]
    measure: str
    expected: Quantity
    found: Quantity
    message: str


class AuditAnswer(Answer):
    """What an audit found."""

    clean: bool
    products: int
    records: int
    drift_count: int
    drift_units: Quantity
    drifts: list[DriftAnswer]
