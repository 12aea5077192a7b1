"""Which figures of the ERP a line's quantity is part of, by status (decisions 20, 21).

A row says, for one unit of an issue line, how much it adds to each measure of `fno` while it stands in a status. A
move takes the old row's share away and adds the new one's. The table can be replaced in the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from onhand.core.erp.statuses import LEFT, Status

ERP_SOURCE: Final = "fno"
"""Data source that belongs to the ERP: no caller of the public calls changes it (specification 1.3)."""

Row = dict[str, int]
"""Measure of `fno` -> units it counts for each unit of the line: 1 or -1."""

Owner = Literal["workflow", "erp"]
"""Who moves the physical quantity of a warehouse."""

DEFAULT: Final[dict[Status, Row]] = {
    Status.ON_ORDER: {"onorder": 1},
    Status.RESERVED_ORDERED: {"reservordered": 1, "availordered": -1},
    Status.RESERVED_PHYSICAL: {"reservphysical": 1, "availphysical": -1, "availordered": -1},
    Status.PICKED: {"picked": 1, "physicalinvent": -1, "availphysical": -1, "availordered": -1},
    Status.DEDUCTED: {"deducted": 1, "physicalinvent": -1, "availphysical": -1, "availordered": -1},
    Status.SOLD: {"postedqty": -1, "physicalinvent": -1, "availphysical": -1, "availordered": -1},
    Status.CANCELLED: {},
}

COMMITMENTS: Final = frozenset({"onorder", "reservordered", "reservphysical"})
"""Measures that promise goods and move none."""


def row(table: Mapping[Status, Row], status: Status, owner: Owner) -> Row:
    """What one unit adds in a status.

    Where the workflow owns the physical quantity, a unit that has left its shelf counts nowhere any more: its
    reservation is gone from the figures, and what leaves the shelf is the workflow's to post.
    """
    if owner == "workflow" and status in LEFT:
        return {}
    return table.get(status, {})


def difference(old: Mapping[str, int], new: Mapping[str, int], quantity: int) -> dict[str, int]:
    """Measure -> scaled change when so much moves from one row to the other; zeros are left out."""
    names = dict.fromkeys([*old, *new])
    moved = {name: (new.get(name, 0) - old.get(name, 0)) * quantity for name in names}
    return {name: change for name, change in moved.items() if change}
