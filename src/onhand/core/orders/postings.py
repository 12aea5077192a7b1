"""Inventory transactions of changes that no order asked for, made from the movements of the ledger.

A reservation of the API or an on-hand post is written once, as movements. Read as inventory transactions they get the
levels of the item as a whole (the sum of its records), which the reader adds to each movement. Movements of one command at
one item are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from onhand.core.commands import Kind
from onhand.core.keys import Dimensions, ProductKey
from onhand.core.orders.numbers import unscaled
from onhand.core.orders.transactions import InventoryTransaction, structured

TYPES: Final[Mapping[Kind, str]] = {
    Kind.RESERVE: "Reserve",
    Kind.REVERSE: "Unreserve",
    Kind.UNRESERVE: "Unreserve",
    Kind.RELEASE: "Unreserve",
    Kind.EXPIRE: "Unreserve",
    Kind.OFFSET: "Unreserve",
    Kind.SET: "AbsoluteUpdate",
    Kind.LOWER: "Unreserve",
    Kind.TOP_UP: "Reserve",
    Kind.CLEAR: "RecalculateReserved",
    Kind.SETTLE: "RecalculateReserved",
}
"""Transaction type of a command; of every other one it is an adjustment."""

OTHER: Final = "Adjustment"


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of one of the two measures of an item, with the item's levels after it. Quantities are scaled."""

    key: ProductKey
    organization: str
    product: str
    """As shown."""
    sequence: int
    at: datetime
    place: str
    dimensions: Dimensions
    """As shown."""
    is_reserved: bool
    """Of the reserved measure; else of the inventory measure."""
    delta: int
    inventory: int
    reserved: int
    kind: Kind
    command_id: str
    caller: str
    reason: str
    cursor: str = ""
    """Of the page that follows it."""


class PostingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which movements of items to read; None means no restriction. All texts are folded."""

    environment: int
    inventory: int
    """Measure id."""
    reserved: int
    """Measure id."""
    product: ProductKey | None = None
    """One product: its ledger in its own order, which is cheap however long it is."""
    sku: str | None = None
    """The product of that name of every organization."""
    places: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    caller: str | None = None


class ItemFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which items to list; None means no restriction. All texts are folded."""

    environment: int
    inventory: int
    """Measure id."""
    organizations: tuple[str, ...]
    places: tuple[str, ...]
    products: tuple[str, ...] | None = None
    since: datetime | None = None
    """With a movement from then on."""
    in_stock: bool | None = None


class ItemSpot(msgspec.Struct, frozen=True):
    """A product at a place."""

    product: ProductKey
    place: str


class Site(msgspec.Struct, frozen=True):
    """A warehouse as transactions show it."""

    code: str
    name: str = ""


def gathered(postings: Sequence[Posting]) -> list[list[Posting]]:
    """Postings, newest first, in runs that are one transaction each: neighbours of one command at one item."""
    runs: list[list[Posting]] = []
    for posting in postings:
        if runs and _event(runs[-1][-1]) == _event(posting):
            runs[-1].append(posting)
        else:
            runs.append([posting])
    return runs


def _event(posting: Posting) -> tuple[ProductKey, str, Kind, str]:
    return posting.key, posting.place, posting.kind, posting.command_id


def transaction(
    run: Sequence[Posting], site: Site, types: Mapping[Kind, str] = TYPES
) -> InventoryTransaction:
    """The transaction of a run of postings; the newest comes first and has the levels."""
    newest = run[0]
    return InventoryTransaction(
        id=structured("movement", newest.organization, newest.product, str(newest.sequence)),
        transaction_date=newest.at,
        transaction_type=types.get(newest.kind, OTHER),
        variant=newest.product,
        warehouse_code=site.code,
        warehouse_name=site.name,
        inventory_change=_sum(run, reserved=False),
        new_inventory=unscaled(newest.inventory),
        reserved_inventory_change=_sum(run, reserved=True),
        new_reserved_inventory=unscaled(newest.reserved),
        reason=newest.reason,
        user_id=newest.caller,
    )


def _sum(run: Sequence[Posting], *, reserved: bool) -> Decimal:
    return unscaled(sum(posting.delta for posting in run if posting.is_reserved is reserved))
