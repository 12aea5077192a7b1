from __future__ import annotations

from onhand.core.commands import Kind
from onhand.core.keys import product_key
from onhand.core.movements import fold
from onhand.core.snapshot import Movement


def test_fold_sums_deltas_per_position_and_measure():
    product = product_key(1, "usmf", "bike")
    rows = [(1, 1, 5), (1, 1, -2), (1, 2, 4), (2, 1, 7)]
    movements = [
        Movement(product, sequence, position, measure, delta, 0, Kind.CHANGE, "id", "web")
        for sequence, (position, measure, delta) in enumerate(rows, 1)
    ]
    assert fold(movements) == {(1, 1): 3, (1, 2): 4, (2, 1): 7}
