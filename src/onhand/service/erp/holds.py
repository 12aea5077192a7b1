"""What offsets have to know of reservations before they are decided, read without locks.

A hold never changes its product, node or measure, so what is read here stays true; what remains of it is decided under
the lock.
"""

from __future__ import annotations

from collections.abc import Iterable

from onhand.core.dimensions import fold
from onhand.core.erp.targets import HoldFacts
from onhand.core.keys import reservation_id
from onhand.core.rules import Rules
from onhand.ports import Clock, Reader
from onhand.rows import StockFilter


class Holds:
    """Looks reservations up."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def facts(self, environment: int, hold_ids: Iterable[str]) -> dict[str, HoldFacts]:
        """Those that exist, by their id as it was asked for; one round trip, none without ids."""
        wanted = sorted({one for one in hold_ids if one})
        if not wanted:
            return {}
        rows = await self._reader.holds_named(environment, wanted, self._clock.now_us())
        by_id = {row.id: HoldFacts(row.measure, row.dimensions, row.remaining, row.product) for row in rows}
        return {one: by_id[one.lower()] for one in wanted if one.lower() in by_id}

    async def node_of(self, rules: Rules, organization: str, product: str, wanted: str) -> str:
        """The node of the product whose reservation id this is; empty when it is none of its nodes."""
        plain = wanted.strip().lower().replace("-", "")
        found = await self._reader.stock(
            StockFilter(
                environment=rules.environment,
                organizations=(fold(rules, organization),),
                products=(fold(rules, product),),
                places=None,
                records=False,
            ),
            self._clock.now_us(),
        )
        for stock in found:
            for row in stock.rows:
                name = rules.names.get(row.measure)
                if name and reservation_id(stock.product, row.cell, name, hyphens=False) == plain:
                    return row.cell
        return ""
