"""Cost batches of an inventory item: what came in at which price, oldest first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from onhand.core.costing.arithmetic import plus, times

ZERO = Decimal(0)


class Batch(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Units that came in together and are still there."""

    id: str = ""
    transaction_date: datetime | None = None
    """When they came in."""
    quantity: Decimal
    cost_price: Decimal
    """Of one unit, in the default cost currency."""
    billing_cost: Decimal | None = None
    """Of one unit, as it was billed."""
    billing_currency: str = ""
    billing_cost_exchange_rate: Decimal | None = None
    """From the billing currency to the default one, as used; None when they are the same."""
    currency_date: datetime | None = None
    """From when that rate was valid."""
    modified: datetime | None = None

    @property
    def cost_value(self) -> Decimal:
        """What the batch is worth, in the default cost currency."""
        return times(self.quantity, self.cost_price)


def total_quantity(batches: Iterable[Batch]) -> Decimal:
    """Units in the batches."""
    found = ZERO
    for batch in batches:
        found = plus(found, batch.quantity)
    return found


def total_value(batches: Iterable[Batch]) -> Decimal:
    """What the batches are worth together."""
    found = ZERO
    for batch in batches:
        found = plus(found, batch.cost_value)
    return found
