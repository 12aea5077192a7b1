from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from onhand.core.orders.model import Property
from onhand.core.orders.properties import PropertyError, Settings, format_span, parse_span


def settings(*pairs):
    return Settings([Property(key=key, value=value) for key, value in pairs])


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("7.00:00:00", timedelta(days=7)),
        ("00:30:00", timedelta(minutes=30)),
        (" 1.2:03:04 ", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("7", timedelta(days=7)),
        ("12:30", timedelta(hours=12, minutes=30)),
        ("-1.00:00:00", timedelta(days=-1)),
        ("00:00:00.5", timedelta(milliseconds=500)),
        ("00:00:00.1234567", timedelta(microseconds=123456)),
    ],
)
def test_a_time_span_is_read(text, span):
    assert parse_span(text) == span
    assert parse_span(format_span(span)) == span


@pytest.mark.parametrize(
    "text", ["", "-", "1.", "x", "24:00:00", "00:60", "1:2:3", "7.5", "36501", "9999999", "P7D", "\u0667"]
)
def test_anything_else_is_no_time_span(text):
    assert parse_span(text) is None


def test_a_time_span_is_written_with_days_and_two_digits():
    assert format_span(timedelta(days=1, seconds=3661)) == "1.01:01:01"
    assert format_span(timedelta(seconds=-1.5)) == "-0.00:00:01.5000000"


def test_keys_are_compared_trimmed_and_without_case_and_the_last_value_counts():
    found = settings((" OrderStatus", "New"), ("orderstatus", "Ship"), ("orderStatus", " "))
    assert found.text("ORDERSTATUS") == "Ship"
    assert found.has("orderStatus")
    assert not found.has("other")
    assert found.text("other", "x") == "x"


def test_a_repeated_key_and_a_comma_list_are_the_same():
    assert settings(("w", "DC01, FS"), ("w", ""), ("W", "ST1")).texts("w") == ("DC01", "FS", "ST1")


def test_values_are_read_as_the_type_that_is_expected():
    found = settings(
        ("on", "TRUE"), ("off", "false"), ("at", "2026-01-31T10:00:00+02:00"), ("day", "2026-01-31"),
        ("span", "1.00:00:00"), ("number", "1.50"), ("json", '{"a": 0.10}'),
    )  # fmt: skip
    assert found.flag("on")
    assert not found.flag("off", default=True)
    assert found.flag("absent", default=True)
    assert found.moment("at") == datetime(2026, 1, 31, 8, tzinfo=UTC)
    assert found.moment("day") == datetime(2026, 1, 31, tzinfo=UTC)
    assert found.span("span") == timedelta(days=1)
    assert found.number("number") == Decimal("1.5")
    assert found.json("json") == {"a": Decimal("0.10")}
    assert (found.moment("x"), found.span("x"), found.number("x"), found.json("x")) == (
        None,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("kind", ["flag", "span", "moment", "number", "json"])
def test_a_value_of_another_type_names_the_setting(kind):
    with pytest.raises(PropertyError, match="wait must be"):
        getattr(settings(("wait", "{soon")), kind)("wait")
