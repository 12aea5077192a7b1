"""What goods cost: the providers, the rates and the lines, scenario by scenario of the order specification (11.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from onhand.core.costing.batches import Batch
from onhand.core.costing.currencies import code_of, is_code, minor_units
from onhand.core.costing.lines import (
    LineCost,
    Priced,
    form_cost,
    line_cost,
    order_cost,
    order_currency,
    priced,
    repaired,
)
from onhand.core.costing.providers import Average, Default, Fifo, Receipt, provider_of
from onhand.core.costing.rates import NO_RATES, Rate, RateTable, merged
from onhand.core.orders.items import ItemRecord

D = Decimal
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
EUR_NOK = RateTable({("EUR", "NOK"): (Rate(NOW - DAY, D("11.50")), Rate(NOW + DAY, D("12")))})


def item(cost: str | None = None, currency: str = "", *batches: tuple[str, str]) -> ItemRecord:
    return ItemRecord(
        sku="A",
        warehouse_code="WH1",
        cost=None if cost is None else D(cost),
        cost_currency=currency,
        batches=tuple(Batch(quantity=D(units), cost_price=D(price)) for units, price in batches),
    )


def shape(record: ItemRecord) -> list[tuple[Decimal, Decimal]]:
    return [(batch.quantity, batch.cost_price) for batch in record.batches]


def came(units: str, cost: str | None = None, currency: str = "", on_hand: str = "0") -> Receipt:
    return Receipt(
        quantity=D(units),
        on_hand=D(on_hand),
        at=NOW,
        unit_cost=None if cost is None else D(cost),
        currency=currency,
    )


def test_41_same_currency_needs_no_rate() -> None:
    taken = Default("NOK").consume(item("19"), D(3), NOW)
    assert taken.unit is not None
    cost = priced(taken.unit, taken.currency, D(3), "NOK", NO_RATES, NOW)
    assert cost == Priced(LineCost(D(19), D(57)))


def test_42_the_rate_in_force_converts() -> None:
    taken = Default("EUR").consume(item("10"), D(2), NOW)
    assert (taken.unit, taken.currency) == (D(10), "EUR")
    cost = priced(D(10), "EUR", D(2), "NOK", EUR_NOK, NOW)
    assert cost == Priced(LineCost(D(115), D(230)), D("11.50"), NOW - DAY)


def test_43_the_items_own_currency_is_decisive() -> None:
    taken = Default("NOK").consume(item("10", "EUR"), D(1), NOW)
    assert taken.currency == "EUR"


def test_44_no_currency_means_the_default_one() -> None:
    rates = RateTable({("NOK", "SEK"): (Rate(NOW, D("0.98")),)})
    taken = Default("NOK").consume(item("100"), D(1), NOW)
    assert taken.unit is not None
    cost = priced(taken.unit, taken.currency, D(1), "SEK", rates, NOW)
    assert cost is not None
    assert cost.line == LineCost(D(98), D(98))


@pytest.mark.parametrize("cost", [None, "0"])
def test_45_no_cost_is_no_cost(cost: str | None) -> None:
    for provider in (Default("NOK"), Fifo("NOK", NO_RATES), Average("NOK", NO_RATES)):
        assert provider.consume(item(cost), D(1), NOW).unit is None
        assert provider.value(item(cost), D(1)) is None


def test_a_cost_of_zero_with_batches_is_a_cost() -> None:
    assert Default("NOK").consume(item("0", "", ("1", "0")), D(1), NOW).unit == 0


def test_46_without_a_rate_there_is_no_cost_until_one_is_entered() -> None:
    assert priced(D(10), "EUR", D(2), "NOK", NO_RATES, NOW) is None
    late = RateTable({("EUR", "NOK"): (Rate(NOW + DAY, D(11)), Rate(NOW + 2 * DAY, D(12)))})
    again = repaired(D(10), "EUR", D(2), "NOK", rate=None, rate_date=None, reduced_at=NOW, rates=late)
    assert again == Priced(LineCost(D(110), D(220)), D(11), NOW + DAY)
    nothing = repaired(D(10), "EUR", D(2), "NOK", rate=None, rate_date=None, reduced_at=NOW, rates=NO_RATES)
    assert nothing is None


def test_47_cancelled_units_cost_nothing() -> None:
    assert line_cost(D(19), D(10) - D(2), "NOK").cost_total == 152


def test_48_batches_are_consumed_oldest_first() -> None:
    taken = Fifo("NOK", NO_RATES).consume(item(None, "", ("3", "10"), ("5", "12")), D(4), NOW)
    assert taken.value == 42
    assert taken.unit == D("10.5")
    assert shape(taken.record) == [(D(4), D(12))]
    assert taken.record.cost == 12


def test_49_units_beyond_the_batches_are_valued_at_the_last_known_cost() -> None:
    provider = Fifo("NOK", NO_RATES)
    taken = provider.consume(item("99", "EUR", ("2", "10"), ("1", "13")), D(5), NOW)
    assert taken.value == 2 * 10 + 1 * 13 + 2 * 13
    assert taken.record.batches == ()
    assert (taken.record.cost, taken.record.cost_currency) == (D(13), "NOK")
    later = provider.consume(taken.record, D(1), NOW)
    assert later.unit == 13


def test_50_a_repair_starts_from_the_stored_numbers() -> None:
    stored = repaired(
        D(10), "EUR", D(2), "NOK", rate=D("11.50"), rate_date=NOW - DAY, reduced_at=NOW, rates=NO_RATES
    )
    assert stored == priced(D(10), "EUR", D(2), "NOK", EUR_NOK, NOW)


def test_rounding_of_the_unit_does_not_leak_into_the_total() -> None:
    third = Fifo("NOK", NO_RATES).consume(item(None, "", ("1", "1"), ("2", "0")), D(3), NOW)
    assert third.unit is not None
    assert line_cost(third.unit, D(3), "NOK") == LineCost(D("0.333333"), D(1))
    assert line_cost(third.unit, D(3), "JPY") == LineCost(D("0.333333"), D(1))


def test_rounding_is_half_to_even() -> None:
    assert line_cost(D("0.0000005"), D(1), "NOK").cost == 0
    assert line_cost(D("0.0000015"), D(1), "NOK").cost == D("0.000002")
    assert line_cost(D("1.00005"), D(1), "NOK").cost_total == 1
    assert line_cost(D("1.00015"), D(1), "NOK").cost_total == D("1.0002")


@pytest.mark.parametrize(
    ("currency", "total"),
    [("JPY", "1.23"), ("NOK", "1.2346"), ("KWD", "1.23457"), ("XAU", "1.2346"), ("ZZZ", "1.2346")],
)
def test_a_total_has_two_places_beyond_the_minor_unit(currency: str, total: str) -> None:
    assert line_cost(D("1.2345678"), D(1), currency).cost_total == D(total)


def test_a_line_in_several_shipments_has_the_sum_and_the_weighted_unit() -> None:
    parts = [(D(3), D(10), D(30)), (D(1), D(14), D(14)), (D(5), None, None)]
    assert form_cost(parts) == LineCost(D(11), D(44))
    assert form_cost([(D(2), None, None)]) is None
    assert form_cost([(D(0), D(7), D(0))]) == LineCost(D(7), D(0))
    assert order_cost([D(44), None, D("0.5")]) == D("44.5")


@pytest.mark.parametrize(
    ("billing", "market", "expected"), [("sek", "NOK", "SEK"), (None, " dkk ", "DKK"), ("", None, "NOK")]
)
def test_currency_of_an_order(billing: str | None, market: str | None, expected: str) -> None:
    assert order_currency(billing, market, "NOK") == expected


def test_only_an_exact_pair_converts() -> None:
    assert EUR_NOK.in_force("EUR", "NOK", NOW - 2 * DAY) is None
    assert EUR_NOK.in_force("NOK", "EUR", NOW) is None
    at_the_moment = EUR_NOK.in_force("EUR", "NOK", NOW + DAY)
    assert at_the_moment is not None
    assert at_the_moment.rate == 12


def test_a_rate_of_the_same_moment_is_replaced() -> None:
    first, second = Rate(NOW, D(1)), Rate(NOW, D(2))
    assert merged((Rate(NOW + DAY, D(9)), first), (second, Rate(NOW - DAY, D(5)))) == (
        Rate(NOW - DAY, D(5)),
        second,
        Rate(NOW + DAY, D(9)),
    )


def test_default_overwrites_with_a_cost_and_keeps_without() -> None:
    provider = Default("NOK")
    assert provider.receive(item("19"), came("5")).record.cost == 19
    record = provider.receive(item("19"), came("5", "3", "eur")).record
    assert (record.cost, record.cost_currency) == (D(3), "EUR")
    assert provider.value(record, D(10)) == 30


def test_fifo_takes_goods_in() -> None:
    provider = Fifo("NOK", EUR_NOK)
    bought = provider.receive(item(None, "", ("1", "9")), came("2", "10", "EUR")).record
    assert shape(bought) == [(D(1), D(9)), (D(2), D("115.0"))]
    assert (bought.batches[1].billing_cost, bought.batches[1].billing_cost_exchange_rate) == (
        D(10),
        D("11.50"),
    )
    assert bought.batches[1].currency_date == NOW - DAY
    assert shape(provider.receive(bought, came("4")).record)[0] == (D(5), D(9))
    assert shape(provider.receive(item("7"), came("4")).record) == [(D(4), D(7))]
    assert shape(provider.receive(item(), came("4")).record) == []
    assert shape(provider.receive(item("7", "EUR"), came("4")).record) == []


def test_fifo_without_a_rate_takes_goods_in_without_their_cost() -> None:
    received = Fifo("NOK", NO_RATES).receive(item(None, "", ("1", "9")), came("2", "10", "EUR"))
    assert received.rate_missing
    assert shape(received.record) == [(D(3), D(9))]


def test_fifo_values_units_that_were_sold_before_they_came_only_once() -> None:
    received = Fifo("NOK", NO_RATES).receive(item("7"), came("5", "8", on_hand="-3"))
    assert shape(received.record) == [(D(2), D(8))]
    none = Fifo("NOK", NO_RATES).receive(item("7"), came("5", "8", on_hand="-9"))
    assert (shape(none.record), none.record.cost) == ([], D(8))


def test_fifo_value_of_what_is_there() -> None:
    provider, record = Fifo("NOK", NO_RATES), item(None, "", ("3", "10"), ("5", "12"))
    assert provider.value(record, D(8)) == 90
    assert provider.value(record, D(10)) == 90 + 24
    assert provider.value(record, D(5)) == 60
    assert provider.value(item("4", "", ("3", "10")), D(-2)) == -8


def test_average_weighs() -> None:
    provider = Average("NOK", EUR_NOK)
    first = provider.receive(item(), came("10", "10")).record
    second = provider.receive(first, came("10", "20", on_hand="10")).record
    assert second.cost == 15
    taken = provider.consume(second, D(15), NOW)
    assert (taken.unit, taken.value, shape(taken.record)) == (D(15), D(225), [(D(5), D(20))])
    assert taken.record.cost == 15
    again = provider.receive(taken.record, came("5", "1", "EUR", on_hand="5")).record
    assert again.cost == D("13.25")
    assert provider.receive(again, came("5", on_hand="10")).record.cost == D("13.25")
    assert provider.value(again, D(10)) == D("132.5")


def test_average_converts_the_old_cost_too() -> None:
    provider = Average("NOK", EUR_NOK)
    record = provider.receive(item("2", "EUR"), came("1", "11", on_hand="1")).record
    assert (record.cost, record.cost_currency) == (D(17), "NOK")
    unknown = Average("NOK", NO_RATES).receive(item("2", "EUR"), came("1", "11", on_hand="1"))
    assert (unknown.record.cost, unknown.rate_missing) == (D(11), True)


def test_average_of_batches_without_a_cost() -> None:
    taken = Average("NOK", NO_RATES).consume(item(None, "", ("1", "10"), ("3", "2")), D(2), NOW)
    assert taken.unit == 4


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("FifoInventoryValueProvider", Fifo),
        (" averageinventoryvalueprovider ", Average),
        ("", Default),
        ("anything", Default),
    ],
)
def test_provider_by_name(name: str, kind: type) -> None:
    assert isinstance(provider_of(name, "nok"), kind)


@pytest.mark.parametrize(("code", "places"), [("nok", 2), ("JPY", 0), ("KWD", 3), ("IQD", 3), ("CLF", 4)])
def test_minor_units_are_those_of_the_standard(code: str, places: int) -> None:
    assert minor_units(code) == places


@pytest.mark.parametrize(
    ("text", "good"), [("NOK", True), ("nok", False), ("NO", False), ("N0K", False), ("ÅÅÅ", False)]
)
def test_form_of_a_code(text: str, good: bool) -> None:  # noqa: FBT001 - a table
    assert is_code(text) is good
    assert code_of(f" {text.lower()} ") == text.upper()
