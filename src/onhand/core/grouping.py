"""Query rows: which stock a query wants, how it is grouped, and which measures a row shows."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from onhand.core.rules import Rules
from onhand.core.stock import ProductStock

NO_INDEX = "No index hierarchy has been set."


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """An on-hand query; names resolved, values folded."""

    organizations: tuple[str, ...]
    products: tuple[str, ...] = ()
    """Empty: no restriction."""
    filters: dict[str, frozenset[str]] = msgspec.field(default_factory=dict)
    """Base dimension -> values; `""` stands for a record that names no value. No entry for an empty list."""
    group_by: tuple[str, ...] = ()
    """Base dimensions in the order of the request; organization and product are dropped before."""
    return_negative: bool = False
    exact_dimensions: tuple[str, ...] | None = None
    """Exact query: base dimensions of the tuples (and `organizationid`); None for an index query."""
    exact_values: frozenset[tuple[str, ...]] = frozenset()


class Row(msgspec.Struct, frozen=True):
    """One row of an answer; quantities are scaled."""

    organization: str
    product: str
    dimensions: dict[str, str]
    """Output spelling -> value as first seen; `""` for none."""
    quantities: dict[str, dict[str, int]]
    """Data source -> measure -> quantity."""


def check_query(rules: Rules, query: Query, version: int) -> str | None:
    """Why a query of API version 1 or 2 is refused; None when it is not (specification 1.8, 5.1, 5.4)."""
    raise NotImplementedError


def needs_records(rules: Rules, query: Query) -> bool:
    """Whether the query looks below the cells (`StockFilter.records`)."""
    raise NotImplementedError


def wanted_places(rules: Rules, query: Query) -> tuple[str, ...] | None:
    """Place keys to read (`StockFilter.places`); None means all."""
    raise NotImplementedError


def evaluate(rules: Rules, query: Query, stocks: Iterable[ProductStock]) -> list[Row]:
    """Rows of the query, in the order of the products, then of first appearance."""
    raise NotImplementedError
