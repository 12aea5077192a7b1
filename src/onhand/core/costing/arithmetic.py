"""Arithmetic on money: products are exact, quotients keep 34 digits, whatever the caller's decimal context is."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

_WIDE: Final = Context(prec=90, rounding=ROUND_HALF_EVEN)
"""Holds the product of a cost, a rate and a quantity of the largest size without rounding."""
_QUOTIENT: Final = Context(prec=34, rounding=ROUND_HALF_EVEN)


def times(left: Decimal, right: Decimal) -> Decimal:
    """The product."""
    return _WIDE.multiply(left, right)


def plus(left: Decimal, right: Decimal) -> Decimal:
    """The sum."""
    return _WIDE.add(left, right)


def per(value: Decimal, quantity: Decimal) -> Decimal:
    """The value of one unit; `quantity` is above zero."""
    return _QUOTIENT.divide(value, quantity)


def to_places(value: Decimal, places: int) -> Decimal:
    """Rounded half to even to that many places, without trailing zeros."""
    rounded = _WIDE.quantize(value, Decimal(1).scaleb(-places))
    if not rounded:
        return Decimal(0)
    normal = _WIDE.normalize(rounded)
    exponent = normal.as_tuple().exponent
    return Decimal(int(normal)) if isinstance(exponent, int) and exponent > 0 else normal
