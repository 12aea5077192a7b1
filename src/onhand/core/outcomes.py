"""What the engine answers. A refusal is a value; only faults are exceptions."""

from __future__ import annotations

import enum

import msgspec


class Reason(enum.StrEnum):
    """Why the rules said no. One row of docs/reference/reasons.md each."""

    SHORTAGE = "shortage"
    NEGATIVE_WITH_CHECK = "negative-with-check"
    DIMENSION_NOT_CONFIGURED = "dimension-not-configured"
    NOT_A_HIERARCHY_PREFIX = "not-a-hierarchy-prefix"
    PARTITION_MISSING = "partition-missing"
    UNKNOWN_DATA_SOURCE = "unknown-data-source"
    UNKNOWN_MEASURE = "unknown-measure"
    UNKNOWN_DIMENSION = "unknown-dimension"
    NO_RESERVATION_MAPPING = "no-reservation-mapping"
    ERP_OWNED = "erp-owned"
    FOREIGN_SOURCE = "foreign-source"
    INVALID_QUANTITY = "invalid-quantity"
    INVALID_VALUE = "invalid-value"
    RESERVATIONS_DISABLED = "reservations-disabled"
    NOTHING_RESERVED = "nothing-reserved"
    RESERVATION_MISMATCH = "reservation-mismatch"
    UNKNOWN_HOLD = "unknown-hold"
    HOLD_CLOSED = "hold-closed"
    HOLD_TOO_SMALL = "hold-too-small"
    HOLD_OF_ANOTHER_ORDER = "hold-of-another-order"
    PAYLOAD_MISMATCH = "payload-mismatch"
    DUPLICATE_ID = "duplicate-id"
    STALE_DOCUMENT = "stale-document"
    GROUP_MEMBER_REFUSED = "group-member-refused"
    TOO_COMPLEX = "too-complex"
    OUT_OF_RANGE = "out-of-range"
    UNKNOWN_LINE = "unknown-line"
    UNKNOWN_TRANSACTION = "unknown-transaction"
    ILLEGAL_MOVE = "illegal-move"
    SEQUENCE_GAP = "sequence-gap"
    EXTERNALLY_RESERVED = "externally-reserved"
    SOFT_RESERVATION_MISSING = "soft-reservation-missing"
    LIMIT_REACHED = "limit-reached"
    UNKNOWN_CHECK = "unknown-check"
    CHECK_NOT_READY = "check-not-ready"


class Shortage(msgspec.Struct, frozen=True):
    """At which level a checked reservation fell short (specification 3.10.5). Quantities are scaled."""

    requested: int
    available: int
    nodes: tuple[str, ...]
    """Position keys (folded)."""


class Accepted(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """The effect took place. Stored with the command id and replayed as it is, so fields are only ever added at the end."""

    available: int = 0
    """Available for reservation at the node after the call; scaled; 0 when no check was made."""
    hold: int | None = None
    """Number within its product of the hold that was made, topped up, attached or marked."""
    product_id: int | None = None
    expires_at: int | None = None
    """Microseconds since 1970."""
    released: int = 0
    """Scaled: how much was released, consumed or attached."""
    surplus: int = 0
    """Scaled: how much was asked for beyond what was reserved."""
    stale: bool = False
    """A set-on-hand older than the stored one: nothing changed."""


class Replayed(msgspec.Struct, frozen=True):
    """The id was accepted before with the same body: the first answer again, and no effect."""

    original: Accepted


class Rejected(msgspec.Struct, frozen=True):
    """The rules say no; nothing changed."""

    reason: Reason
    message: str
    """What, why and what to do next."""
    available: int = 0
    """Scaled; with `SHORTAGE`, what could be had."""
    shortage: Shortage | None = None
    surplus: int = 0
    """Scaled; for an unreserve that found nothing, the whole quantity."""


Outcome = Accepted | Replayed | Rejected


class GroupOutcome(msgspec.Struct, frozen=True):
    """Outcome of a group: one outcome per command, and the documents as written."""

    outcomes: tuple[Outcome, ...]
    accepted: bool
    versions: tuple[int, ...] = ()
    """New version per document write; 0 where it was deleted."""
    refusal: Rejected | None = None
    """Why nothing of it took effect: the refusal of a member, of a stale document, or of `finish`."""
