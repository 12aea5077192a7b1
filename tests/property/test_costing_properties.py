"""Value is neither made nor lost, whatever the order of goods that come and go, and no provider ever raises."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhand.core.costing.batches import Batch, total_quantity, total_value
from onhand.core.costing.lines import COST_PLACES, line_cost
from onhand.core.costing.providers import NAMES, Average, Fifo, Receipt, provider_of
from onhand.core.costing.rates import NO_RATES, Rate, RateTable
from onhand.core.orders.items import ItemRecord

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SLACK = Fraction(1, 10**18)
"""What a quotient of 34 digits may be off by, times the largest quantity here."""


def places(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(lambda millionths: Decimal(millionths).scaleb(-6))


quantities = places(1, 10**12)
costs = places(0, 10**15)
batches = st.lists(st.builds(Batch, quantity=quantities, cost_price=costs), max_size=5).map(tuple)
priced_batches = st.lists(
    st.builds(Batch, quantity=quantities, cost_price=places(1, 10**15)), min_size=1, max_size=5
).map(tuple)
"""Above zero: once the batches are gone, a cost of zero is no cost."""
records = st.builds(
    ItemRecord,
    sku=st.just("A"),
    warehouse_code=st.just("W"),
    cost=st.none() | costs,
    cost_currency=st.sampled_from(["", "NOK", "EUR"]),
    batches=batches,
)
receipts = st.builds(
    Receipt,
    quantity=quantities,
    on_hand=places(-(10**12), 10**12),
    at=st.just(NOW),
    unit_cost=st.none() | costs,
    currency=st.sampled_from(["", "NOK", "EUR", "USD"]),
)
tables = st.sampled_from([NO_RATES, RateTable({("EUR", "NOK"): (Rate(NOW, Decimal("11.5")),)})])


@given(batches.filter(bool), quantities)
def test_fifo_conserves_value(held: tuple[Batch, ...], quantity: Decimal) -> None:
    record = ItemRecord(sku="A", warehouse_code="W", batches=held)
    taken = Fifo("NOK", NO_RATES).consume(record, quantity, NOW)
    beyond = max(Decimal(0), quantity - total_quantity(held))
    assert taken.value is not None
    assert taken.unit is not None
    before, after = Fraction(total_value(held)), Fraction(total_value(taken.record.batches))
    assert before - after + Fraction(beyond) * Fraction(held[-1].cost_price) == Fraction(taken.value)
    units = Fraction(total_quantity(held)) - Fraction(total_quantity(taken.record.batches))
    assert units == Fraction(quantity) - Fraction(beyond)
    assert abs(Fraction(taken.unit) * Fraction(quantity) - Fraction(taken.value)) <= SLACK
    assert all(batch.quantity > 0 for batch in taken.record.batches)


@given(priced_batches, quantities, quantities)
def test_fifo_taken_in_two_parts_is_worth_the_same(
    held: tuple[Batch, ...], first: Decimal, second: Decimal
) -> None:
    fifo = Fifo("NOK", NO_RATES)
    record = ItemRecord(sku="A", warehouse_code="W", batches=held)
    one = fifo.consume(record, first, NOW)
    two = fifo.consume(one.record, second, NOW)
    both = fifo.consume(record, first + second, NOW)
    assert one.value is not None
    assert two.value is not None
    assert both.value is not None
    assert Fraction(one.value) + Fraction(two.value) == Fraction(both.value)
    assert two.record.batches == both.record.batches


@given(st.lists(st.tuples(quantities, costs), min_size=1, max_size=6))
def test_average_is_the_weighted_mean_of_what_came(parts: list[tuple[Decimal, Decimal]]) -> None:
    record = ItemRecord(sku="A", warehouse_code="W")
    units = value = Fraction(0)
    for quantity, cost in parts:
        receipt = Receipt(
            quantity=quantity, on_hand=Decimal(units.numerator) / units.denominator, at=NOW, unit_cost=cost
        )
        record = Average("NOK", NO_RATES).receive(record, receipt).record
        units += Fraction(quantity)
        value += Fraction(quantity) * Fraction(cost)
        assert record.cost is not None
        assert abs(Fraction(record.cost) * units - value) <= Fraction(1, 10**9)


@given(records, receipts, quantities, tables, st.sampled_from(NAMES))
def test_no_provider_raises_or_goes_below_zero(
    record: ItemRecord, receipt: Receipt, quantity: Decimal, rates: RateTable, name: str
) -> None:
    provider = provider_of(name, "NOK", rates)
    received = provider.receive(record, receipt).record
    taken = provider.consume(received, quantity, NOW)
    provider.value(taken.record, quantity)
    assert taken.unit is None or taken.unit >= 0
    assert taken.currency in ("NOK", "EUR", "USD")
    assert all(batch.quantity >= 0 for batch in taken.record.batches)


@pytest.mark.parametrize("quantity", [Decimal(0), Decimal(-3)])
@given(record=records, name=st.sampled_from(NAMES))
def test_nothing_taken_or_brought_changes_nothing(quantity: Decimal, record: ItemRecord, name: str) -> None:
    provider = provider_of(name, "NOK")
    assert provider.consume(record, quantity, NOW).record == record
    assert provider.receive(record, Receipt(quantity=quantity, on_hand=Decimal(1), at=NOW)).record == record


@given(costs, quantities, st.sampled_from(["NOK", "JPY", "KWD"]))
def test_a_line_is_rounded_by_less_than_half_a_place(unit: Decimal, quantity: Decimal, currency: str) -> None:
    shown = line_cost(unit / 7, quantity, currency)
    assert abs(Fraction(shown.cost) - Fraction(unit / 7)) <= Fraction(1, 2 * 10**COST_PLACES)
    exact = Fraction(unit / 7) * Fraction(quantity)
    assert abs(Fraction(shown.cost_total) - exact) <= Fraction(1, 2 * 100)
