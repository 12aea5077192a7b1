"""Exchange rates in force (order specification 5.2, C7).

Only an exact pair is used: never the inverse of another, never two in a row. Whoever needs no conversion asks for none.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter

import msgspec

Pair = tuple[str, str]
"""(from, to): codes in upper case."""

_valid_from = attrgetter("valid_from")


class Rate(msgspec.Struct, frozen=True, array_like=True):
    """One unit of the first currency is `rate` units of the second from a moment on."""

    valid_from: datetime
    """In UTC."""
    rate: Decimal
    """Above zero."""


class RateTable(msgspec.Struct, frozen=True):
    """The rates of some pairs. Looking one up costs the logarithm of their number."""

    pairs: Mapping[Pair, tuple[Rate, ...]] = {}
    """Ascending by time, one rate a moment."""

    def in_force(self, source: str, target: str, at: datetime) -> Rate | None:
        """The rate with the latest `valid_from` that is not after `at`."""
        rates = self.pairs.get((source, target), ())
        index = bisect_right(rates, at, key=_valid_from)
        return rates[index - 1] if index else None

    def for_repair(self, source: str, target: str, at: datetime) -> Rate | None:
        """What a transaction that found no rate is converted with later: the rate in force at its time, else the first since."""
        rates = self.pairs.get((source, target), ())
        return self.in_force(source, target, at) or (rates[0] if rates else None)


NO_RATES = RateTable()


def merged(known: Iterable[Rate], new: Iterable[Rate]) -> tuple[Rate, ...]:
    """Both, ascending; where two have the same moment the new one counts, and of the new ones the last."""
    by_moment = {rate.valid_from: rate for rate in (*known, *new)}
    return tuple(sorted(by_moment.values(), key=_valid_from))
