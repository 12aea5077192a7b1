"""Numbers of an order: exact decimals of at most six places, written without an exponent."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final

from onhand.core.quantities import MAX_UNITS, PLACES, SCALE, QuantityError

ZERO: Final = Decimal(0)
MILLIONTH: Final = Decimal(1).scaleb(-PLACES)

AMOUNT_MAX: Final = 10_000_000_000_000
"""Size below which a cost, price or rate must stay: thirteen digits before the point, as the storage type has."""

_EXACT: Final = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
"""Arithmetic that refuses to round; independent of the caller's decimal context."""
_WIDE: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_TEXT_MAX: Final = 60
"""Characters; a longer number has no place in an order."""


def quantity(value: Decimal | int | str) -> Decimal:
    """A quantity.

    Raises:
        QuantityError: not a finite number, more than six decimal places, or more than `MAX_UNITS` units.
    """
    return _checked(value, MAX_UNITS, "a quantity")


def amount(value: Decimal | int | str) -> Decimal:
    """A cost, price or rate.

    Raises:
        QuantityError: not a finite number, more than six decimal places, or `AMOUNT_MAX` and more.
    """
    return _checked(value, AMOUNT_MAX, "an amount")


def scaled(value: Decimal) -> int:
    """Millionths of a number that has at most six places; what the engine counts in."""
    return int(_EXACT.multiply(value, SCALE))


def unscaled(value: int) -> Decimal:
    """The number of that many millionths, the inverse of `scaled`."""
    return plain(_EXACT.scaleb(Decimal(value), -PLACES))


def rounded(value: Decimal, places: int = PLACES) -> Decimal:
    """To that many places, half to even; without trailing zeros."""
    return plain(_WIDE.quantize(value, Decimal(1).scaleb(-places)))


def product(left: Decimal, right: Decimal) -> Decimal:
    """The exact product."""
    return _EXACT.multiply(left, right)


def total(values: Iterable[Decimal]) -> Decimal:
    """The exact sum; zero of nothing."""
    result = ZERO
    for value in values:
        result = _EXACT.add(result, value)
    return result


def ratio(dividend: Decimal, divisor: Decimal) -> Decimal:
    """The quotient to six places, half to even.

    Raises:
        ZeroDivisionError: the divisor is zero.
    """
    if not divisor:
        raise ZeroDivisionError("The divisor is zero.")
    return rounded(_WIDE.divide(dividend, divisor))


def plain(value: Decimal) -> Decimal:
    """The same number without trailing zeros, without an exponent and without a negative zero."""
    if not value:
        return ZERO
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < 0:
        value = _EXACT.normalize(value)
        exponent = value.as_tuple().exponent
    return Decimal(int(value)) if isinstance(exponent, int) and exponent > 0 else value


def _checked(value: Decimal | int | str, limit: int, what: str) -> Decimal:
    if type(value) is int and -limit <= value <= limit:
        return Decimal(value)
    number = _number(value)
    if not number.is_finite():
        raise QuantityError(f"{number} is not {what}: NaN and Infinity are refused.")
    if number.copy_abs() > limit:  # not abs(): that rounds to the caller's context
        raise QuantityError(
            f"{_short(number)} is too large: {what} is at most {limit:,}, above or below zero."
        )
    try:
        exact = plain(_EXACT.normalize(number))
    except (Inexact, InvalidOperation):
        raise _too_precise(number, what) from None
    exponent = exact.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -PLACES:
        raise _too_precise(number, what)
    return exact


def _number(value: Decimal | int | str) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise QuantityError(f"It must be a number, not {type(value).__name__}.")
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and (len(text) > _TEXT_MAX or "_" in text or not text.isascii()):
        raise QuantityError(
            f"{text[:_TEXT_MAX]!r} is not a number: write digits with an optional decimal point."
        )
    try:
        return Decimal(text)
    except InvalidOperation:
        raise QuantityError(
            f"{text!r} is not a number: write digits with an optional decimal point."
        ) from None


def _short(number: Decimal) -> str:
    text = str(number)
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}…"


def _too_precise(number: Decimal, what: str) -> QuantityError:
    return QuantityError(f"{_short(number)} is too precise: {what} has at most {PLACES} decimal places.")
