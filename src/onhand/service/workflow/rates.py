"""Exchange rates: entered, listed, and looked up for conversions (order specification 5.2)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from onhand.core.commands import DocumentWrite, Group
from onhand.core.concluding import Concluded
from onhand.core.costing.rates import NO_RATES, Pair, Rate, RateTable, merged
from onhand.core.orders.exchange import (
    EXCHANGE,
    PAIR_MAX,
    ExchangeRate,
    by_pair,
    head_key,
    pair_key,
    stored,
    unstored,
)
from onhand.core.outcomes import GroupOutcome, Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Documents
from onhand.service.batcher import Batcher

_PAGE: Final = 500
"""Pairs that one statement reads."""
KEPT: Final = 100
"""Environments whose decoded rates are kept."""


class Rates:
    """The exchange rates of an environment. Reads see what is committed.

    Every entry also writes the head, one small document. Its version says whether the decoded table of an environment, which
    may have a hundred thousand rates, is still the present one.
    """

    def __init__(self, documents: Documents, batcher: Batcher) -> None:
        self._documents = documents
        self._batcher = batcher
        self._kept: OrderedDict[int, tuple[int, RateTable]] = OrderedDict()

    async def table(self, environment: int, pairs: Iterable[Pair]) -> RateTable:
        """The rates of these pairs; pairs of equal currencies need none. One round trip, none without pairs."""
        keys = {pair_key(environment, pair): pair for pair in pairs if pair[0] != pair[1]}
        if not keys:
            return RateTable()
        rows = await self._documents.documents(list(keys))
        return RateTable({keys[row.key]: unstored(row.body) for row in rows})

    async def whole(self, environment: int, seen: int | None = None) -> RateTable:
        """All rates of an environment; `seen` is the version of the head, 0 without one, if it was just read.

        One round trip without `seen`, and one for each `_PAGE` pairs after somebody entered some.
        """
        if seen is None:
            head = await self._documents.document(head_key(environment))
            seen = 0 if head is None else head.version
        if not seen:
            return NO_RATES
        kept = self._kept.get(environment)
        if kept is not None and kept[0] == seen:
            return kept[1]
        table = await self._read(environment)
        # Read after the head: it may have more than this version, and then the next call reads it again.
        self._kept[environment] = (seen, table)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return table

    async def _read(self, environment: int) -> RateTable:
        pairs: dict[Pair, tuple[Rate, ...]] = {}
        after: str | None = None
        while True:
            page = await self._documents.find(environment, EXCHANGE, (), after=after, limit=_PAGE)
            for row in page.rows:
                source, _, target = row.key.id.partition(">")
                pairs[source, target] = unstored(row.body)
            after = page.next
            if after is None:
                return RateTable(pairs)

    async def listing(
        self, environment: int, source: str = "", target: str = "", at: datetime | None = None
    ) -> list[ExchangeRate]:
        """All rates, by pair and time; with `at` only those in force then."""
        labels = [f"from={source}"] * bool(source) + [f"to={target}"] * bool(target)
        found: list[ExchangeRate] = []
        after: str | None = None
        while True:
            page = await self._documents.find(environment, EXCHANGE, labels, after=after, limit=_PAGE)
            for row in page.rows:
                first, _, second = row.key.id.partition(">")
                rates = unstored(row.body)
                if at is not None:
                    one = RateTable({(first, second): rates}).in_force(first, second, at)
                    rates = () if one is None else (one,)
                found += [
                    ExchangeRate(
                        from_currency=first, to_currency=second, rate=one.rate, valid_from=one.valid_from
                    )
                    for one in rates
                ]
            after = page.next
            if after is None:
                return sorted(found, key=_order)

    async def put(self, rules: Rules, rates: tuple[ExchangeRate, ...]) -> Rejected | None:
        """Enter rates, all or none; one of the same pair and moment is replaced.

        Raises:
            Fault: see `Batcher.submit`.
        """
        new = by_pair(rates)
        if not new:
            return None
        keys = [head_key(rules.environment), *(pair_key(rules.environment, pair) for pair in new)]

        def finish(concluded: Concluded) -> list[DocumentWrite] | Rejected:
            head, *documents = concluded.documents
            writes = [DocumentWrite(head.key, head.version, b"")]
            for (pair, some), document in zip(new.items(), documents, strict=True):
                all_ = merged(unstored(document.body), some)
                if len(all_) > PAIR_MAX:
                    return Rejected(
                        Reason.INVALID_VALUE, f"{pair[0]} to {pair[1]} may have {PAIR_MAX:,} rates at most."
                    )
                labels = (f"from={pair[0]}", f"to={pair[1]}")
                writes.append(DocumentWrite(document.key, document.version, stored(all_), labels))
            return writes

        outcome = await self._batcher.submit(
            rules, lambda _: Group(commands=(), documents=tuple(keys), finish=finish)
        )
        if isinstance(outcome, GroupOutcome):
            return outcome.refusal
        return outcome if isinstance(outcome, Rejected) else None


def _order(rate: ExchangeRate) -> tuple[str, str, datetime]:
    return rate.from_currency, rate.to_currency, rate.valid_from
