"""What a source remembers of its messages, and what it only counts."""

from __future__ import annotations

from onhand.core.erp import sources
from onhand.core.erp.sources import REFUSED_MAX, RefusedMessage, Source


def test_refusals_beyond_the_bound_are_counted():
    source = Source(name="d365")
    for number in range(1, REFUSED_MAX + 8):
        source.refuse(RefusedMessage(sequence=number, line_id="L", code="illegal-move", message="no", at=1))
    again = sources.decode(sources.encode(source))
    assert (len(again.refused), again.forgotten) == (REFUSED_MAX, 7)
    assert (again.refusal(7), again.refusal(8) is None) == (None, False)
