"""Exchange rates as clients send and see them, and how they are stored: one document for each pair of currencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from onhand.core.commands import DocumentKey
from onhand.core.configuration_document import Problem
from onhand.core.costing.currencies import code_of, is_code
from onhand.core.costing.rates import Pair, Rate
from onhand.core.keys import shard
from onhand.core.orders.entities import Amount, Entity, Moment, Name, read_part
from onhand.core.orders.numbers import ZERO
from onhand.core.orders.refusals import Code, Refused, invalid

EXCHANGE: Final = "exchange-rates"
"""Kind of the document."""

HEAD: Final = "exchange-rates-head"

RATES_MAX: Final = 10_000
"""Rates of one call."""
PAIR_MAX: Final = 20_000
"""Rates of one pair: one a day for 54 years."""


class ExchangeRate(Entity, frozen=True, kw_only=True):
    """One unit of the first currency is `rate` units of the second from `valid_from` on, until the next one."""

    from_currency: Name
    to_currency: Name
    rate: Amount
    valid_from: Moment

    @property
    def pair(self) -> Pair:
        """The two codes."""
        return code_of(self.from_currency), code_of(self.to_currency)


def pair_key(environment: int, pair: Pair) -> DocumentKey:
    """Key of the document of a pair."""
    name = ">".join(pair)
    return DocumentKey(shard(str(environment), EXCHANGE, name), environment, EXCHANGE, name)


def head_key(environment: int) -> DocumentKey:
    """Key of the document whose version tells whether any rate of the environment changed."""
    return DocumentKey(shard(str(environment), HEAD), environment, HEAD, HEAD)


def read_rates(value: Any) -> tuple[ExchangeRate, ...] | Refused:  # noqa: ANN401 - JSON
    """Rates of a body: an array of them, or an object with the array `rates`. All are wrong or none."""
    if isinstance(value, dict):
        value = value.get("rates")
    if not isinstance(value, list):
        return Refused(Code.VALIDATION_FAILED, "Send an array of rates, or an object with the array rates.")
    if len(value) > RATES_MAX:
        return Refused(
            Code.VALIDATION_FAILED,
            f"At most {RATES_MAX:,} rates are allowed in one call. Send them in parts.",
        )
    problems: list[Problem] = []
    found = [read_part(ExchangeRate, one, f"[{index}]", problems) for index, one in enumerate(value)]
    for index, one in enumerate(found):
        if one is not None:
            problems += _wrong(one, f"[{index}]")
    if problems:
        return invalid(problems, "The rates")
    return tuple(one for one in found if one is not None)


def _wrong(one: ExchangeRate, path: str) -> list[Problem]:
    source, target = one.pair
    problems = [
        Problem(f"{path}.{name}", f"{code!r} is not a currency code of three letters, such as NOK.")
        for name, code in (("fromCurrency", source), ("toCurrency", target))
        if not is_code(code)
    ]
    if source == target:
        problems.append(Problem(path, "A currency needs no rate to itself."))
    if one.rate <= ZERO:
        problems.append(Problem(f"{path}.rate", "A rate must be above zero."))
    return problems


def by_pair(rates: Sequence[ExchangeRate]) -> dict[Pair, list[Rate]]:
    """The rates of each pair, in the order given."""
    found: dict[Pair, list[Rate]] = {}
    for one in rates:
        found.setdefault(one.pair, []).append(Rate(one.valid_from, one.rate))
    return found


_decoder: Final = msgspec.json.Decoder(tuple[Rate, ...])


def stored(rates: tuple[Rate, ...]) -> bytes:
    """Body of a pair's document."""
    return msgspec.json.encode(rates)


def unstored(body: bytes) -> tuple[Rate, ...]:
    """The rates of a pair's document; none of an absent one."""
    return _decoder.decode(body) if body else ()
