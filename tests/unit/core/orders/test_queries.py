"""Searches as clients write them."""

from __future__ import annotations

import pytest

from onhand.core.orders.queries import VALUES_MAX, EventQuery, OrderQuery, read_strictly
from onhand.core.orders.refusals import Refused


def test_names_are_matched_without_regard_to_case() -> None:
    query = read_strictly(
        OrderQuery, {"STATUSES": ["New"], "from": "2026-01-01T00:00:00Z", "Limit": "5", "open": "true"}
    )
    assert not isinstance(query, Refused)
    assert (query.statuses, query.limit, query.open) == (("New",), 5, True)
    assert query.recorded_from is not None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"statusses": ["New"]}, "statusses: There is no such property"),
        ({"statuses": "New"}, "must be a JSON array"),
        ({"statuses": ["x"] * (VALUES_MAX + 1)}, "at most 200 values"),
        ({"from": "yesterday"}, "must be a time"),
        ([], "must be a JSON object"),
    ],
)
def test_a_search_that_would_not_do_what_it_says_is_refused(value, says) -> None:
    found = read_strictly(OrderQuery, value)
    assert isinstance(found, Refused)
    assert says in found.message


def test_events_are_asked_for_by_the_order_too() -> None:
    query = read_strictly(EventQuery, {"orderId": "O1", "operationIds": [111102]})
    assert not isinstance(query, Refused)
    assert (query.object_id, query.search().operation_ids) == ("O1", ("111102",))
