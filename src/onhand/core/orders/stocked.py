"""An inventory item as it was when somebody looked; nothing is locked."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Stocked(msgspec.Struct, frozen=True, kw_only=True):
    """Quantities of an item."""

    inventory: Decimal
    reserved: Decimal
    available: Decimal
    """Answered by the availability measure of the environment, like a checked reservation."""
    exists: bool = True
    records: tuple[str, ...] = ()
    """Position keys of the records that have an inventory."""


NOTHING_STOCKED = Stocked(inventory=Decimal(0), reserved=Decimal(0), available=Decimal(0), exists=False)
