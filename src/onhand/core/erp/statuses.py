"""Statuses of an issue line's inventory transactions, and which moves between them are legal.

The order is that of the goods' way out: ordered, reserved, picked, shipped (packing slip), invoiced. Steps may be
skipped forward. A move back undoes what the later status had done to the figures; it never brings a reservation back.
"""

from __future__ import annotations

import enum
from typing import Final


class Status(enum.StrEnum):
    """Where a quantity of a line stands. The order is that of the enumeration."""

    ON_ORDER = "onOrder"
    RESERVED_ORDERED = "reservedOrdered"
    """Reserved by the ERP against a receipt that is still to come."""
    RESERVED_PHYSICAL = "reservedPhysical"
    PICKED = "picked"
    DEDUCTED = "deducted"
    """Shipped: the packing slip is posted."""
    SOLD = "sold"
    """Invoiced."""
    CANCELLED = "cancelled"
    """Taken off the line."""


class Step(enum.StrEnum):
    """What a move is."""

    SAME = "="
    FORWARD = "F"
    BACK = "B"
    CANCEL = "C"
    ILLEGAL = "-"


ORDER: Final = tuple(Status)
RANK: Final[dict[Status, int]] = {status: rank for rank, status in enumerate(ORDER)}

LEFT: Final = frozenset({Status.PICKED, Status.DEDUCTED, Status.SOLD})
"""Statuses in which the goods have left their shelf: only they move a physical quantity (decisions 20)."""

_ROWS: Final[dict[Status, str]] = {
    # to:                      on order, r. ordered, r. physical, picked, deducted, sold, cancelled
    Status.ON_ORDER:          "= F F F F F C",
    Status.RESERVED_ORDERED:  "B = F F F F C",
    Status.RESERVED_PHYSICAL: "B B = F F F C",
    Status.PICKED:            "B B B = F F -",
    Status.DEDUCTED:          "B B B B = F -",
    Status.SOLD:              "- - - - B = -",
    Status.CANCELLED:         "- - - - - - =",
}  # fmt: skip

TRANSITIONS: Final[dict[Status, dict[Status, Step]]] = {
    origin: dict(zip(ORDER, map(Step, row.split()), strict=True)) for origin, row in _ROWS.items()
}
"""From -> to -> what the move is. The reference page and the tests read it."""

WHY_NOT: Final[dict[Status, str]] = {
    Status.PICKED: "the goods were picked: move them back to a status before picking first",
    Status.DEDUCTED: "the packing slip is posted: take it back, to a status before picking, first",
    Status.SOLD: "it is invoiced: the only way is back to 'deducted', by taking the invoice back",
    Status.CANCELLED: "it was cancelled: raise the quantity of the line to order it again",
}
"""Why the moves that are missing from a row of the table are refused."""


def step(origin: Status, target: Status) -> Step:
    """What a move is."""
    return TRANSITIONS[origin][target]


def refusal(origin: Status, target: Status) -> str:
    """Why a move is illegal, as part of a sentence."""
    return f"from {origin.value!r} to {target.value!r} is not a legal move: {WHY_NOT[origin]}"
