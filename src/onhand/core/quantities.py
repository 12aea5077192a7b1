"""Quantities: scaled integers inside, exact decimals on the wire, never binary floats.

A quantity is counted in millionths of a unit. One posted quantity is at most `MAX_UNITS` units, so that 9,000
quantities of the largest size still sum to a signed 64-bit integer, which is what a column holds.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

SCALE = 1_000_000
"""Scaled units in one unit: six decimal places."""

PLACES = 6

MAX_UNITS = 1_000_000_000
"""Largest size of one posted quantity, in units."""

_DIGITS = 9
"""Every whole number of so many digits is within `MAX_UNITS`."""

_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation, Overflow])
"""Arithmetic that refuses to round; independent of the caller's decimal context."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_TEXT_MAX = 60
"""Characters; a longer number has no place in a request."""


class QuantityError(ValueError):
    """A quantity that cannot be read; the message says what is wrong with it."""


def parse(value: Decimal | int | str) -> int:
    """Scaled integer of a number or of a text that holds one; blanks around a text do not matter.

    Raises:
        QuantityError: not a finite number, more than six decimal places, or more than `MAX_UNITS` units.
    """
    if type(value) is int:
        if -MAX_UNITS <= value <= MAX_UNITS:
            return value * SCALE
        raise _too_large(value)
    if isinstance(value, Decimal):
        return _scale(value)
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _TEXT_MAX or not _NUMBER.fullmatch(text):
            raise QuantityError(
                f"{text[:_TEXT_MAX]!r} is not a number: write digits with an optional decimal point."
            )
        return _scale(Decimal(text))
    raise QuantityError(
        f"A quantity must be a number or a text that holds one, not {type(value).__name__}: "
        "binary floats and booleans are refused because they are not exact quantities."
    )


def _scale(value: Decimal) -> int:
    if (
        value.is_finite() and value.adjusted() < _DIGITS
    ):  # whole numbers, which most are, at a third of the cost
        units = int(value)
        if units == value:
            return units * SCALE
    if not value.is_finite():
        raise QuantityError(f"{value} is not a quantity: NaN and Infinity are refused.")
    if value.copy_abs() > MAX_UNITS:  # not abs(): that rounds to the caller's context, and may overflow
        raise _too_large(value)
    try:
        shifted = _EXACT.scaleb(value, PLACES)
    except Inexact:
        raise _too_precise(value) from None
    scaled = int(shifted)
    if scaled != shifted:
        raise _too_precise(value)
    return scaled


def _too_large(value: Decimal | int) -> QuantityError:
    shown = str(value) if isinstance(value, Decimal) or abs(value) < 10**30 else "The number"
    return QuantityError(
        f"{shown} is too large: a quantity is at most {MAX_UNITS:,} units, above or below zero."
    )


def _too_precise(value: Decimal) -> QuantityError:
    return QuantityError(f"{value} is too precise: a quantity has at most {PLACES} decimal places.")


def to_decimal(scaled: int) -> Decimal | int:
    """Number of units: an `int` when it is integral, else a `Decimal` without trailing zeros."""
    units, rest = divmod(scaled, SCALE)
    if not rest:
        return units
    return _EXACT.normalize(_EXACT.scaleb(Decimal(scaled), -PLACES))


def to_text(scaled: int) -> str:
    """The same as text, for messages: `2.5`, `-3`."""
    return str(to_decimal(scaled))


def floor_units(scaled: int) -> int:
    """Whole units, rounded down."""
    return scaled // SCALE
