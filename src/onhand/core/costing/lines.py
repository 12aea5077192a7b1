"""What an order line costs (order specification 5.2, D28, A10 to A14).

A cost is rounded only where it is shown. The total of a line comes from the unrounded unit, so that it does not depend
on the rounding of the unit; a repair comes to the same numbers as the first time because it starts from the same unit,
currency and rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from onhand.core.costing.arithmetic import per, plus, times, to_places
from onhand.core.costing.currencies import code_of, minor_units
from onhand.core.costing.rates import Rate, RateTable

COST_PLACES: Final = 6
EXTRA_PLACES: Final = 2
"""Decimal places of a total beyond the minor unit of its currency."""

ZERO: Final = Decimal(0)


class LineCost(msgspec.Struct, frozen=True):
    """`cost` and `costTotal` of a line, in the order's currency."""

    cost: Decimal
    cost_total: Decimal


class Priced(msgspec.Struct, frozen=True):
    """What a line costs, and the rate that was used; no rate when the currencies are the same."""

    line: LineCost
    rate: Decimal | None = None
    rate_date: datetime | None = None


def order_currency(billing: str | None, market: str | None, default: str) -> str:
    """Currency of an order's costs: its own, else that of its market, else the default cost currency (A13)."""
    return code_of(billing) or code_of(market) or code_of(default)


def line_cost(unit: Decimal, quantity: Decimal, currency: str) -> LineCost:
    """Cost and total of `quantity` units; `unit` is not rounded yet and in `currency`."""
    return LineCost(
        to_places(unit, COST_PLACES),
        to_places(times(unit, quantity), minor_units(currency) + EXTRA_PLACES),
    )


def priced(  # noqa: PLR0913 - the facts of one conversion
    unit: Decimal, unit_currency: str, quantity: Decimal, currency: str, rates: RateTable, at: datetime
) -> Priced | None:
    """What `quantity` units cost in the order's currency at a moment; None when no rate is in force (A11)."""
    if unit_currency == currency:
        return Priced(line_cost(unit, quantity, currency))
    return _converted(unit, quantity, currency, rates.in_force(unit_currency, currency, at))


def repaired(  # noqa: PLR0913 - what the transaction keeps, and the order's currency
    unit: Decimal,
    unit_currency: str,
    quantity: Decimal,
    currency: str,
    *,
    rate: Decimal | None,
    rate_date: datetime | None,
    reduced_at: datetime,
    rates: RateTable,
) -> Priced | None:
    """What a line costs that was reduced before, from what its transaction keeps; None while there is no rate (C7).

    The stored rate counts. Where none existed at the time it is the one in force then, else the first one since; the
    caller stores the one that is returned.
    """
    if unit_currency == currency:
        return Priced(line_cost(unit, quantity, currency))
    if rate is not None:
        return Priced(line_cost(times(unit, rate), quantity, currency), rate, rate_date)
    return _converted(unit, quantity, currency, rates.for_repair(unit_currency, currency, reduced_at))


def _converted(unit: Decimal, quantity: Decimal, currency: str, rate: Rate | None) -> Priced | None:
    if rate is None:
        return None
    return Priced(line_cost(times(unit, rate.rate), quantity, currency), rate.rate, rate.valid_from)


def form_cost(parts: Iterable[tuple[Decimal, Decimal | None, Decimal | None]]) -> LineCost | None:
    """Cost of a line over its shipments: the sum of the totals and the weighted unit (A14); None when no part has one.

    Each part is (effective quantity, cost, total); parts without a cost do not count.
    """
    known = [(quantity, cost, total or ZERO) for quantity, cost, total in parts if cost is not None]
    if not known:
        return None
    units, value, total = ZERO, ZERO, ZERO
    for quantity, cost, part in known:
        units = plus(units, quantity)
        value = plus(value, times(quantity, cost))
        total = plus(total, part)
    cost = to_places(per(value, units), COST_PLACES) if units > ZERO else known[0][1]
    return LineCost(cost, total)


def order_cost(totals: Iterable[Decimal | None]) -> Decimal:
    """`lineItemsCost` of an order: the sum of its lines' totals."""
    found = ZERO
    for total in totals:
        found = plus(found, total or ZERO)
    return found
