"""Why a request of the order workflow is refused as it is written; nothing has changed then."""

from __future__ import annotations

import enum

import msgspec

from onhand.core.configuration_document import Problem


class Code(enum.StrEnum):
    """Machine-readable reason (order specification 8.1); the edge maps each to an HTTP status."""

    VALIDATION_FAILED = "ValidationFailed"
    UNKNOWN_ORDER_TYPE = "UnknownOrderType"
    UNKNOWN_STATUS = "UnknownStatus"
    STATUS_NOT_AVAILABLE = "StatusNotAvailable"
    ORDER_QUEUED = "OrderQueued"
    ORDER_READ_ONLY = "OrderReadOnly"
    OVER_DELIVERY = "OverDelivery"
    DUPLICATE_GOODS_RECEPTION = "DuplicateGoodsReception"
    NOT_FOUND = "NotFound"
    ORDER_LOCKED = "OrderLocked"
    DUPLICATE_ID = "DuplicateId"
    PAYLOAD_MISMATCH = "PayloadMismatch"
    VERSION_CONFLICT = "VersionConflict"
    ITEM_RESERVED = "ItemReserved"
    ORDER_TYPE_IN_USE = "OrderTypeInUse"
    TASK_RUNNING = "TaskRunning"


class Refused(msgspec.Struct, frozen=True):
    """A refusal: its code, what to do about it, and each thing that is wrong where there are several."""

    code: Code
    message: str
    problems: tuple[Problem, ...] = ()


def invalid(problems: list[Problem], what: str) -> Refused:
    """Refusal of a body that does not fit; the message names the first problem and how many there are."""
    first = problems[0]
    where = f"{first.path}: " if first.path else ""
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return Refused(
        Code.VALIDATION_FAILED, f"{what} cannot be accepted: {where}{first.message}{more}", tuple(problems)
    )
