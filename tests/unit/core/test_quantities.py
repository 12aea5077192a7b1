from __future__ import annotations

from decimal import Decimal, localcontext

import pytest

from onhand.core import quantities
from onhand.core.quantities import MAX_UNITS, SCALE, QuantityError


@pytest.mark.parametrize(
    ("given", "scaled"),
    [
        (0, 0),
        (10, 10_000_000),
        (-3, -3_000_000),
        ("10", 10_000_000),
        ("  5 ", 5_000_000),
        ("+7", 7_000_000),
        (".5", 500_000),
        ("1.", 1_000_000),
        ("-0.000001", -1),
        ("1e2", 100_000_000),
        (Decimal("2.50"), 2_500_000),
        (Decimal("1.0000000000000000000000000000000000000000000"), 1_000_000),
        (Decimal("1E+2"), 100_000_000),
        (Decimal(999_999_999), 999_999_999_000_000),
        (Decimal("1E+9"), 1_000_000_000_000_000),
        (Decimal("-0"), 0),
        (MAX_UNITS, MAX_UNITS * SCALE),
        (-MAX_UNITS, -MAX_UNITS * SCALE),
        (str(MAX_UNITS), MAX_UNITS * SCALE),
    ],
)
def test_a_quantity_is_read_exactly(given, scaled):
    assert quantities.parse(given) == scaled


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Decimal("NaN"), "NaN and Infinity are refused"),
        (Decimal("sNaN"), "NaN and Infinity are refused"),
        (Decimal("-Infinity"), "NaN and Infinity are refused"),
        ("NaN", "not a number"),
        ("Infinity", "not a number"),
        ("1_000", "not a number"),
        ("١٢", "not a number"),
        ("1,5", "not a number"),
        ("", "not a number"),
        ("0x10", "not a number"),
        ("1" * 61, "not a number"),
        (Decimal("0.0000001"), "at most 6 decimal places"),
        ("1.1234567", "at most 6 decimal places"),
        (Decimal("1e-999999"), "at most 6 decimal places"),
        (Decimal("1.00000000000000000000000000000000000000000001"), "at most 6 decimal places"),
        (MAX_UNITS + 1, "too large"),
        (-MAX_UNITS - 1, "too large"),
        pytest.param(10**5000, "too large", id="5001 digits"),
        ("1e10", "too large"),
        (Decimal("1e999999"), "too large"),
        (Decimal("1000000000.000001"), "too large"),
        (True, "booleans are refused"),
        (1.5, "binary floats"),
        (None, "not NoneType"),
    ],
)
def test_what_is_no_quantity_is_refused_with_a_reason(given, message):
    with pytest.raises(QuantityError, match=message):
        quantities.parse(given)


def test_reading_does_not_depend_on_the_decimal_context_of_the_caller():
    with localcontext() as context:
        context.prec = 3
        assert quantities.parse(Decimal("123456.654321")) == 123_456_654_321
        assert quantities.to_decimal(123_456_654_321) == Decimal("123456.654321")


@pytest.mark.parametrize(
    ("scaled", "text"),
    [
        (0, "0"),
        (20_000_000, "20"),
        (-3_000_000, "-3"),
        (2_500_000, "2.5"),
        (-1, "-0.000001"),
        (100_000_000, "100"),
        (10_100_000, "10.1"),
    ],
)
def test_output_has_no_superfluous_digits(scaled, text):
    assert quantities.to_text(scaled) == text
    assert isinstance(quantities.to_decimal(scaled), int) == ("." not in text)


def test_floor_units_rounds_down_also_below_zero():
    assert quantities.floor_units(2_999_999) == 2
    assert quantities.floor_units(-1) == -1
    assert quantities.floor_units(5_000_000) == 5


def test_thousands_of_the_largest_quantities_fit_a_column():
    assert 9_000 * quantities.parse(MAX_UNITS) <= 2**63 - 1
