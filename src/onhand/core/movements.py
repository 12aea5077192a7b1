"""The ledger: each change of a quantity is one movement, and every level is the sum of its movements (I3, I5)."""

from __future__ import annotations

from collections.abc import Iterable

from onhand.core.snapshot import Movement


def fold(movements: Iterable[Movement]) -> dict[tuple[int, int], int]:
    """Level per (position number, measure id) of one product's movements; O(movements)."""
    levels: dict[tuple[int, int], int] = {}
    for movement in movements:
        key = (movement.position, movement.measure)
        levels[key] = levels.get(key, 0) + movement.delta
    return levels
