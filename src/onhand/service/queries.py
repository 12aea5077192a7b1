"""Reading: on-hand queries, availability, holds, movements, refusals, partitions.

A query takes no locks. It sees what was committed when it read, with expired holds taken off, and the rules of
`Environments.current`. What a row shows is decided by `core.grouping`, which asks the same availability function
that decides reservations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from onhand.core.dimensions import fold, name_dimensions, record_position, reservation_node
from onhand.core.grouping import Row, evaluate
from onhand.core.keys import decode, product_key
from onhand.core.outcomes import Reason, Rejected
from onhand.core.query import Query, check_query, exact_query, index_query, needs_records, wanted_places
from onhand.core.rules import Rules
from onhand.core.stock import ProductStock
from onhand.ports import Clock, Reader
from onhand.rows import HoldFilter, HoldRow, Page, StockFilter
from onhand.service.environments import Environments
from onhand.service.partitions import Partition, partition_by_location, partition_by_product

__all__ = [
    "AvailabilityAnswer",
    "ExactQuery",
    "IndexQuery",
    "OnHandPage",
    "OnHandRow",
    "Partition",
    "Queries",
]

LOCATION: Final = "locationid"

OnHandRow = Row
"""One row of an on-hand answer."""

THREAD_FROM_PRODUCTS: Final = 100
"""Products from which a query is evaluated in a thread, so that reservations do not wait for it."""


class OnHandPage(msgspec.Struct, frozen=True):
    """Rows, and the number of the next page (None when the last warehouse is included)."""

    rows: list[Row]
    next_page: int | None = None
    page_size: int | None = None


class IndexQuery(msgspec.Struct, frozen=True, kw_only=True):
    """POST indexquery / GET onhand, decoded. Names and values as the caller spelled them."""

    data_source: str = ""
    organizations: tuple[str, ...]
    products: tuple[str, ...] = ()
    dimensions: Mapping[str, tuple[str, ...]] = {}
    """Dimension name -> values; siteId and locationId among them. An empty tuple restricts nothing."""
    group_by: tuple[str, ...] = ()
    return_negative: bool = False


class ExactQuery(msgspec.Struct, frozen=True, kw_only=True):
    """POST exactquery, decoded; v2.0 may name organizationId among `keys`."""

    data_source: str = ""
    organizations: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()
    group_by: tuple[str, ...] = ()
    return_negative: bool = False


class AvailabilityAnswer(msgspec.Struct, frozen=True):
    """Quantities of one node of one product. Scaled."""

    organization: str
    product: str
    dimensions: dict[str, str]
    quantities: dict[str, dict[str, int]]
    available: dict[str, int]
    """'source.measure' of each target of a reservation mapping -> largest quantity a checked reserve would get."""


class Queries:
    """Reads that take no locks; they see committed stock and rules at most a second old."""

    def __init__(self, reader: Reader, environments: Environments, clock: Clock) -> None:
        self._reader = reader
        self._environments = environments
        self._clock = clock

    # On hand -----------------------------------------------------------------------------------------------

    async def index(
        self,
        environment_id: str,
        query: IndexQuery,
        *,
        version2: bool = False,
        page: int | None = None,
        page_size: int | None = None,
    ) -> OnHandPage | Rejected:
        """Index query (specification 5.1, 5.2, 5.3). `page` and `page_size` count warehouses, version 2.0 only."""
        rules = await self._environments.current(environment_id)
        prepared = index_query(
            rules,
            organizations=query.organizations,
            products=query.products,
            dimensions=query.dimensions,
            group_by=query.group_by,
            source=query.data_source,
            return_negative=query.return_negative,
        )
        return await self._answer(rules, prepared, 2 if version2 else 1, page, page_size)

    async def exact(
        self,
        environment_id: str,
        query: ExactQuery,
        *,
        version2: bool = False,
        page: int | None = None,
        page_size: int | None = None,
    ) -> OnHandPage | Rejected:
        """Exact query: each tuple of values is a position of its own (specification 5.4)."""
        rules = await self._environments.current(environment_id)
        prepared = exact_query(
            rules,
            organizations=query.organizations,
            products=query.products,
            keys=query.keys,
            values=query.values,
            group_by=query.group_by,
            source=query.data_source,
            return_negative=query.return_negative,
        )
        return await self._answer(rules, prepared, 2 if version2 else 1, page, page_size)

    async def _answer(
        self, rules: Rules, query: Query | Rejected, version: int, page: int | None, page_size: int | None
    ) -> OnHandPage | Rejected:
        if isinstance(query, Rejected):
            return query
        refusal = check_query(rules, query, version)
        if refusal is not None:
            return Rejected(Reason.INVALID_VALUE, refusal)
        if version == 1 or page_size is None:
            return OnHandPage(await self._rows(rules, query, wanted_places(rules, query)))
        if page_size < 1 or (page is not None and page < 1):
            return Rejected(Reason.INVALID_VALUE, "pageNumber and pageSize are whole numbers from 1 up.")
        return await self._page(rules, query, page or 1, page_size)

    async def _page(self, rules: Rules, query: Query, number: int, size: int) -> OnHandPage:
        """One page of warehouses in the order of their ids.

        Without a restriction to products the page is cut from the list of partitions and only its warehouses are
        read; a warehouse all of whose rows the query leaves out then counts as well.
        """
        skip = (number - 1) * size
        places = wanted_places(rules, query)
        if rules.by_location and not query.products:
            stocked = await self._places(rules, query, places)
            warehouses = sorted({_warehouse(place) for place in stocked})
            chosen = set(warehouses[skip : skip + size])
            places = tuple(sorted(place for place in stocked if _warehouse(place) in chosen))
            rows = await self._rows(rules, query, places) if places else []
            rows.sort(key=_location)
        else:
            rows = sorted(await self._rows(rules, query, places), key=_location)
            warehouses = sorted({_location(row) for row in rows})
            chosen = set(warehouses[skip : skip + size])
            rows = [row for row in rows if _location(row) in chosen]
        more = skip + size < len(warehouses)
        return OnHandPage(rows, next_page=number + 1 if more else None, page_size=size)

    async def _places(self, rules: Rules, query: Query, places: tuple[str, ...] | None) -> set[str]:
        """Places with stock of the query's organizations, among the given ones."""
        found = await self._reader.partitions(rules.environment, by_location=True)
        return {
            place
            for organization, _, place in found
            if (not query.organizations or fold(rules, organization) in query.organizations)
            and (places is None or place in places)
        }

    async def _rows(self, rules: Rules, query: Query, places: tuple[str, ...] | None) -> list[Row]:
        stocks = await self._reader.stock(
            StockFilter(
                environment=rules.environment,
                organizations=query.organizations or None,
                products=query.products or None,
                places=places,
                records=needs_records(rules, query),
            ),
            self._clock.now_us(),
        )
        return await _evaluated(rules, query, stocks)

    async def availability(
        self,
        environment_id: str,
        organization: str,
        product: str,
        dimensions: Mapping[str, str],
        data_source: str = "",
    ) -> AvailabilityAnswer | Rejected:
        """What a checked reservation at one node would get, and the other measures there; zeros if nothing is stored."""
        rules = await self._environments.current(environment_id)
        named = name_dimensions(rules, dimensions, data_source)
        if isinstance(named, Rejected):
            return named
        node = reservation_node(rules, named)
        if isinstance(node, Rejected):
            return node
        query = Query(
            organizations=(fold(rules, organization),),
            products=(fold(rules, product),),
            filters={name: frozenset((value,)) for name, value in node.dimensions},
            return_negative=True,
        )
        rows = await self._rows(rules, query, wanted_places(rules, query))
        row = rows[0] if rows else Row(organization, product, dict(node.shown), {})
        targets = {availability.formula.name for availability in rules.mapped.values()}
        return AvailabilityAnswer(
            organization=row.organization,
            product=row.product,
            dimensions=dict(node.shown),
            quantities=row.quantities,
            available={
                f"{source}.{name}": row.quantities.get(source, {}).get(name, 0)
                for source, name in sorted(targets)
            },
        )

    # Holds, ledger, refusals -------------------------------------------------------------------------------

    async def hold(self, environment_id: str, hold_id: str) -> HoldRow | None:
        """One hold."""
        rules = await self._environments.current(environment_id)
        return await self._reader.hold(rules.environment, hold_id, self._clock.now_us())

    async def holds(  # noqa: PLR0913 - filters
        self,
        environment_id: str,
        *,
        organization: str | None = None,
        product: str | None = None,
        reference: str | None = None,
        channel: str | None = None,
        order: str | None = None,
        open_only: bool | None = True,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Holds, newest first. `open_only` None lists open and closed ones, False closed ones."""
        rules = await self._environments.current(environment_id)
        which = HoldFilter(
            environment=rules.environment,
            organization=None if organization is None else fold(rules, organization),
            product=None if product is None else fold(rules, product),
            reference=reference,
            channel=channel,
            order=order,
            open=open_only,
        )
        return await self._reader.holds(which, self._clock.now_us(), after, limit)

    async def movements(  # noqa: PLR0913 - filters
        self,
        environment_id: str,
        organization: str,
        product: str,
        *,
        dimensions: Mapping[str, str] | None = None,
        data_source: str = "",
        measure: tuple[str, str] | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page | Rejected:
        """Why a quantity is what it is: the ledger of a product, newest first."""
        rules = await self._environments.current(environment_id)
        position = None
        if dimensions is not None:
            named = name_dimensions(rules, dimensions, data_source)
            if isinstance(named, Rejected):
                return named
            position = record_position(rules, named).key
        number = None
        if measure is not None:
            number = rules.measures.get((measure[0].lower(), measure[1].lower()))
            if number is None:
                return Rejected(
                    Reason.UNKNOWN_MEASURE,
                    f"Measure {'.'.join(measure)[:200]!r} is not configured; the ledger has physical measures only.",
                )
        key = product_key(rules.environment, fold(rules, organization), fold(rules, product))
        return await self._reader.movements(key, position, number, after, limit)

    async def refusals(
        self, environment_id: str, since: datetime, *, after: str | None = None, limit: int = 100
    ) -> Page:
        """What was refused, newest first."""
        rules = await self._environments.current(environment_id)
        return await self._reader.refusals(rules.environment, since, after, limit)

    async def partitions(self, environment_id: str) -> list[Partition]:
        """Partitions that hold stock."""
        rules = await self._environments.current(environment_id)
        found = await self._reader.partitions(rules.environment, by_location=rules.by_location)
        if rules.by_location:
            return [partition_by_location(organization, place) for organization, _, place in found]
        return [partition_by_product(organization, product) for organization, product, _ in found]


async def _evaluated(rules: Rules, query: Query, stocks: list[ProductStock]) -> list[Row]:
    if len(stocks) < THREAD_FROM_PRODUCTS:
        return evaluate(rules, query, stocks)
    return await asyncio.to_thread(evaluate, rules, query, stocks)


def _location(row: Row) -> str:
    return row.dimensions.get(LOCATION, "").casefold()


def _warehouse(place: str) -> str:
    return dict(decode(place)).get(LOCATION, "").casefold()
