"""Currencies: their codes and minor units (ISO 4217)."""

from __future__ import annotations

from typing import Final

from iso4217 import Currency

MINOR_UNITS_DEFAULT: Final = 2
"""Decimal places of a currency that the standard does not list, or lists without a minor unit (gold)."""

_PLACES: Final[dict[str, int]] = {
    one.value: MINOR_UNITS_DEFAULT if one.exponent is None else one.exponent for one in Currency
}


def code_of(text: str | None) -> str:
    """A currency code as it is compared: trimmed, in upper case; empty when there is none."""
    return (text or "").strip().upper()


def is_code(code: str) -> bool:
    """Whether it has the form of a currency code. Codes that the standard no longer lists are in use, so form is all."""
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def minor_units(code: str) -> int:
    """Decimal places of the currency's minor unit: 2 for NOK, 0 for JPY, 3 for KWD."""
    return _PLACES.get(code_of(code), MINOR_UNITS_DEFAULT)
