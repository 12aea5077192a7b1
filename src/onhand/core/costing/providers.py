"""Value providers: what a unit costs when it leaves, and what is remembered when one comes in (order specification 5.1).

A provider takes an item's record and gives the changed one back. It never raises and never refuses: stock moves whether
or not its cost is known.

- **Default** uses the item's cost. Goods that come in with a cost overwrite it.
- **FIFO** takes the oldest batch first. Units beyond the batches are valued at the last known cost, and the batches end
  empty (D32). Goods with a cost become a batch; goods without one make the oldest batch larger.
- **Average** keeps one weighted average; the batches tell the age of the stock and do not change the average when they shrink.

Batches and averages are in the default cost currency; a cost in another one is converted at the rate in force, and
without such a rate counts as no cost, which the answer says. Values are exact; a quotient has 34 digits, so FIFO loses no
value: what the batches held before is what they hold after plus what was taken, to that precision.
"""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from onhand.core.costing.arithmetic import per, plus, times
from onhand.core.costing.batches import ZERO, Batch, total_quantity, total_value
from onhand.core.costing.currencies import code_of
from onhand.core.costing.rates import NO_RATES, RateTable
from onhand.core.orders.items import ItemRecord


class ProviderName(enum.StrEnum):
    """Names of the providers in the inventory settings."""

    DEFAULT = "DefaultInventoryValueProvider"
    FIFO = "FifoInventoryValueProvider"
    AVERAGE = "AverageInventoryValueProvider"


class Consumed(msgspec.Struct, frozen=True):
    """The record after units left, and what one of them cost."""

    record: ItemRecord
    unit: Decimal | None
    """Not rounded; None: not known (A10)."""
    currency: str
    """Of `unit`."""
    value: Decimal | None
    """Of all units, exact where it comes from batches."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Units that come in."""

    quantity: Decimal
    """Above zero."""
    on_hand: Decimal
    """Units of the item before; below zero where units left before they came in."""
    at: datetime
    unit_cost: Decimal | None = None
    """None: not known, as with a return or an adjustment."""
    currency: str = ""
    """Of `unit_cost`; empty: the default cost currency."""
    batch_id: str = ""


class Received(msgspec.Struct, frozen=True):
    """The record after units came in."""

    record: ItemRecord
    rate_missing: bool = False
    """A cost could not be converted to the default currency and was left out."""


class ValueProvider(Protocol):
    """How an item is valued."""

    def consume(self, record: ItemRecord, quantity: Decimal, at: datetime) -> Consumed:
        """Units leave; a quantity of zero or less takes none and tells the present cost."""

    def receive(self, record: ItemRecord, receipt: Receipt) -> Received:
        """Units come in; a quantity of zero or less changes nothing."""

    def value(self, record: ItemRecord, inventory: Decimal) -> Decimal | None:
        """`costTotal` of an item with that inventory; None when its cost is not known."""


def provider_of(name: str, default_currency: str, rates: RateTable = NO_RATES) -> ValueProvider:
    """The provider of that name, in any case; the default one for a name that is not known."""
    wanted = name.strip().lower()
    currency = code_of(default_currency)
    if wanted == ProviderName.FIFO.lower():
        return Fifo(currency, rates)
    if wanted == ProviderName.AVERAGE.lower():
        return Average(currency, rates)
    return Default(currency)


def known_cost(record: ItemRecord) -> Decimal | None:
    """The item's cost; a cost of zero without batches is no cost (A10)."""
    if record.cost is None or (not record.cost and not record.batches):
        return None
    return record.cost


class Default:
    """The item's own cost."""

    def __init__(self, currency: str) -> None:
        self._currency = currency

    def consume(self, record: ItemRecord, quantity: Decimal, at: datetime) -> Consumed:  # noqa: ARG002 - protocol
        """The item's cost; nothing is used up."""
        unit = known_cost(record)
        value = None if unit is None else times(unit, max(ZERO, quantity))
        return Consumed(record, unit, record.cost_currency or self._currency, value)

    def receive(self, record: ItemRecord, receipt: Receipt) -> Received:
        """A cost overwrites the old one with its currency; without one it stays."""
        if receipt.quantity <= ZERO or receipt.unit_cost is None:
            return Received(record)
        return Received(
            _changed(record, receipt.at, cost=receipt.unit_cost, cost_currency=code_of(receipt.currency))
        )

    def value(self, record: ItemRecord, inventory: Decimal) -> Decimal | None:
        """Inventory times cost."""
        return _worth(record, inventory)


class Fifo:
    """Oldest batch first."""

    def __init__(self, currency: str, rates: RateTable) -> None:
        self._currency = currency
        self._rates = rates

    def consume(self, record: ItemRecord, quantity: Decimal, at: datetime) -> Consumed:
        """Take from the oldest batches."""
        if not record.batches:
            return Default(self._currency).consume(record, quantity, at)
        if quantity <= ZERO:
            return Consumed(record, record.batches[0].cost_price, self._currency, ZERO)
        rest, taken = _without(record.batches, quantity, at)
        value = total_value(taken)
        last = taken[-1].cost_price
        beyond = plus(quantity, -total_quantity(taken))
        value = plus(value, times(beyond, last))
        left = _changed(
            record, at, batches=rest, cost=rest[0].cost_price if rest else last, cost_currency=self._currency
        )
        return Consumed(left, per(value, quantity), self._currency, value)

    def receive(self, record: ItemRecord, receipt: Receipt) -> Received:
        """A batch of its own when the cost is known; otherwise the oldest batch grows at its own cost."""
        owed = max(ZERO, -receipt.on_hand)
        quantity = plus(receipt.quantity, -owed)
        """Units that left before they came in are valued already; only the rest is there to be valued."""
        if receipt.quantity <= ZERO:
            return Received(record)
        batch = _batch(receipt, quantity, self._currency, self._rates)
        if batch is None:
            missing = receipt.unit_cost is not None
            return Received(self._without_cost(record, receipt, quantity), rate_missing=missing)
        batches = (*record.batches, batch) if quantity > ZERO else record.batches
        cost = batches[0].cost_price if batches else batch.cost_price
        return Received(
            _changed(record, receipt.at, batches=batches, cost=cost, cost_currency=self._currency)
        )

    def _without_cost(self, record: ItemRecord, receipt: Receipt, quantity: Decimal) -> ItemRecord:
        if quantity <= ZERO:
            return record
        if record.batches:
            grown = _grown(record.batches[0], quantity, receipt.at)
            return _changed(record, receipt.at, batches=(grown, *record.batches[1:]))
        cost = known_cost(record)
        if cost is None or (record.cost_currency and record.cost_currency != self._currency):
            return record  # units without a batch are valued at the last known cost anyway
        batch = Batch(
            id=receipt.batch_id,
            transaction_date=receipt.at,
            quantity=quantity,
            cost_price=cost,
            modified=receipt.at,
        )
        return _changed(record, receipt.at, batches=(batch,))

    def value(self, record: ItemRecord, inventory: Decimal) -> Decimal | None:
        """The batches, and units beyond them at the last known cost."""
        if not record.batches or inventory <= ZERO:
            return _worth(record, inventory)
        covered = total_quantity(record.batches)
        if inventory < covered:
            taken = _without(record.batches, plus(covered, -inventory), None)[0]
            return total_value(taken)
        beyond = plus(inventory, -covered)
        return plus(total_value(record.batches), times(beyond, record.batches[-1].cost_price))


class Average:
    """One weighted average."""

    def __init__(self, currency: str, rates: RateTable) -> None:
        self._currency = currency
        self._rates = rates

    def consume(self, record: ItemRecord, quantity: Decimal, at: datetime) -> Consumed:
        """Units leave at the average, which stays; the oldest batches shrink."""
        unit = self._average(record)
        currency = record.cost_currency or self._currency
        if quantity <= ZERO or not record.batches:
            return Consumed(
                record, unit, currency, None if unit is None else times(unit, max(ZERO, quantity))
            )
        rest, _ = _without(record.batches, quantity, at)
        left = _changed(record, at, batches=rest, cost=unit, cost_currency=currency)
        return Consumed(left, unit, currency, None if unit is None else times(unit, quantity))

    def receive(self, record: ItemRecord, receipt: Receipt) -> Received:
        """Weigh the cost of what came in with that of what is there; goods without a cost come in at the average."""
        if receipt.quantity <= ZERO:
            return Received(record)
        batch = _batch(receipt, receipt.quantity, self._currency, self._rates)
        average = self._average(record)
        if batch is None:
            missing = receipt.unit_cost is not None
            return Received(self._without_cost(record, receipt, average), rate_missing=missing)
        old, astray = self._converted(average, record, receipt.at)
        there = max(ZERO, receipt.on_hand) if old is not None else ZERO
        value = plus(times(there, old or ZERO), batch.cost_value)
        cost = per(value, plus(there, receipt.quantity))
        return Received(
            _changed(
                record, receipt.at, batches=(*record.batches, batch), cost=cost, cost_currency=self._currency
            ),
            rate_missing=astray,
        )

    def _without_cost(self, record: ItemRecord, receipt: Receipt, average: Decimal | None) -> ItemRecord:
        if not record.batches:
            return record
        grown = _grown(record.batches[0], receipt.quantity, receipt.at)
        return _changed(record, receipt.at, batches=(grown, *record.batches[1:]), cost=average)

    def _average(self, record: ItemRecord) -> Decimal | None:
        if record.cost is None and record.batches:
            units = total_quantity(record.batches)
            return per(total_value(record.batches), units) if units > ZERO else None
        return known_cost(record)

    def _converted(
        self, cost: Decimal | None, record: ItemRecord, at: datetime
    ) -> tuple[Decimal | None, bool]:
        """A cost that the item had before in the default currency; and whether the rate for it is missing."""
        currency = record.cost_currency or self._currency
        if cost is None or currency == self._currency:
            return cost, False
        rate = self._rates.in_force(currency, self._currency, at)
        return (None, True) if rate is None else (times(cost, rate.rate), False)

    def value(self, record: ItemRecord, inventory: Decimal) -> Decimal | None:
        """Inventory times average."""
        unit = self._average(record)
        return None if unit is None else times(unit, inventory)


NAMES: Final = tuple(name.value for name in ProviderName)


def _worth(record: ItemRecord, inventory: Decimal) -> Decimal | None:
    cost = known_cost(record)
    return None if cost is None else times(cost, inventory)


def _batch(receipt: Receipt, quantity: Decimal, currency: str, rates: RateTable) -> Batch | None:
    """The batch of a receipt; None when its cost is not known or cannot be converted."""
    if receipt.unit_cost is None:
        return None
    billed = code_of(receipt.currency) or currency
    if billed == currency:
        return Batch(
            id=receipt.batch_id,
            transaction_date=receipt.at,
            quantity=quantity,
            cost_price=receipt.unit_cost,
            billing_cost=receipt.unit_cost,
            billing_currency=billed,
            modified=receipt.at,
        )
    rate = rates.in_force(billed, currency, receipt.at)
    if rate is None:
        return None
    return Batch(
        id=receipt.batch_id,
        transaction_date=receipt.at,
        quantity=quantity,
        cost_price=times(receipt.unit_cost, rate.rate),
        billing_cost=receipt.unit_cost,
        billing_currency=billed,
        billing_cost_exchange_rate=rate.rate,
        currency_date=rate.valid_from,
        modified=receipt.at,
    )


def _without(
    batches: tuple[Batch, ...], quantity: Decimal, at: datetime | None
) -> tuple[tuple[Batch, ...], list[Batch]]:
    """(what is left, what was taken) when that many units leave the oldest batches first; at most all of them."""
    taken: list[Batch] = []
    for index, batch in enumerate(batches):
        if quantity < batch.quantity:
            left = msgspec.structs.replace(batch, quantity=plus(batch.quantity, -quantity), modified=at)
            taken.append(msgspec.structs.replace(batch, quantity=quantity))
            return (left, *batches[index + 1 :]), taken
        taken.append(batch)
        quantity = plus(quantity, -batch.quantity)
        if not quantity:
            return batches[index + 1 :], taken
    return (), taken


def _grown(batch: Batch, quantity: Decimal, at: datetime) -> Batch:
    return msgspec.structs.replace(batch, quantity=plus(batch.quantity, quantity), modified=at)


def _changed(record: ItemRecord, at: datetime, **fields: object) -> ItemRecord:
    return msgspec.structs.replace(record, modified=at, **fields)
