"""Answers of the compatible surface. Quantities are exact decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

Quantities = dict[str, dict[str, Decimal]]
"""Data source -> measure -> quantity."""


class ShortageFacts(msgspec.Struct, frozen=True):
    """At which level a reservation fell short."""

    requested: Decimal
    available: Decimal
    nodes: list[dict[str, str]] = []


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """Result of one event; fields that an event does not have keep their defaults."""

    processing_status: Literal["success", "partialSuccess", "failure"]
    status_code: int
    id: str = ""
    message: str = ""
    reservation_id: str = ""
    afr_failure: bool = False
    afr_quantity: Decimal = Decimal(0)
    total_invalid_offset_qty_by_reserv_id: Decimal = Decimal(0)
    hold_id: str | None = None
    expires_at: str | None = None
    shortage: ShortageFacts | None = None

    @property
    def accepted(self) -> bool:
        """Whether the event took effect, now or at its first attempt."""
        return self.processing_status != "failure"

    @property
    def busy(self) -> bool:
        """Whether the item was not decided because of pressure or an outage; send it again with the same id."""
        return self.processing_status == "failure" and self.status_code == 503


class BulkAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Results of a bulk request, each list in the order of the request."""

    success: list[Envelope] = []
    partial_success: list[Envelope] = []
    failure: list[Envelope] = []

    def by_id(self) -> dict[str, Envelope]:
        """Request id -> result; the type prefix of the answer's id is taken off."""
        return {
            envelope.id.partition("~")[2]: envelope
            for envelopes in (self.success, self.partial_success, self.failure)
            for envelope in envelopes
        }


class OnHand(msgspec.Struct, frozen=True, rename="camel"):
    """One row of an on-hand query."""

    organization_id: str
    product_id: str
    dimensions: dict[str, str]
    quantities: Quantities


class Token(msgspec.Struct, frozen=True):
    """An access token; `expires_in` in seconds."""

    access_token: str
    expires_in: int
    token_type: str = "bearer"  # noqa: S105 - a type, not a secret
    scope: str = ""


Json = dict[str, Any]
"""An object of the native surface, numbers as decimals."""
