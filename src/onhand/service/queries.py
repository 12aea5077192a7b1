"""Reading: on-hand queries, availability, holds, movements, refusals, partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from onhand.core.keys import Dimensions
from onhand.core.outcomes import Rejected
from onhand.ports import Clock, HoldRow, Page, Reader
from onhand.service.environments import Environments


class OnHandRow(msgspec.Struct, frozen=True):
    """One row of an on-hand answer. Quantities are scaled."""

    organization: str
    product: str
    dimensions: dict[str, str]
    """Name as asked or configured -> value as first seen."""
    quantities: dict[str, dict[str, int]]
    """Data source -> measure -> quantity."""


class OnHandPage(msgspec.Struct, frozen=True):
    """Rows, and the number of the next page (None when the last warehouse is included)."""

    rows: list[OnHandRow]
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
    """'source.measure' of each reservation target -> largest quantity that a checked reserve would get."""


class Partition(msgspec.Struct, frozen=True):
    """A partition that holds stock."""

    partition_id: str
    organization: str
    product: str
    """Empty by location."""
    dimensions: Dimensions
    """Site and location, empty by product."""


def partition_id(organization: str, *, product: str | None = None, site: str = "", location: str = "") -> str:
    """Readable, percent-encoded: organization/site/location by location, organization/product by product."""
    raise NotImplementedError


class Queries:
    """Reads that take no locks; a query sees committed stock and rules at most a second old."""

    def __init__(
        self,
        reader: Reader,
        environments: Environments,
        clock: Clock,
        *,
        products_max: int = 5_000,
        page_max: int = 1_000,
    ) -> None:
        raise NotImplementedError

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
        raise NotImplementedError

    async def exact(
        self,
        environment_id: str,
        query: ExactQuery,
        *,
        version2: bool = False,
        page: int | None = None,
        page_size: int | None = None,
    ) -> OnHandPage | Rejected:
        """Exact query (specification 5.4)."""
        raise NotImplementedError

    async def availability(
        self,
        environment_id: str,
        organization: str,
        product: str,
        dimensions: Mapping[str, str],
        data_source: str = "",
    ) -> AvailabilityAnswer | Rejected:
        """What could be reserved at one node, and all measures there."""
        raise NotImplementedError

    async def hold(self, environment_id: str, hold_id: str) -> HoldRow | None:
        """One hold."""
        raise NotImplementedError

    async def holds(  # noqa: PLR0913 - filters
        self,
        environment_id: str,
        *,
        organization: str | None = None,
        product: str | None = None,
        reference: str | None = None,
        channel: str | None = None,
        open_only: bool | None = True,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Holds, newest first."""
        raise NotImplementedError

    async def movements(  # noqa: PLR0913 - filters
        self,
        environment_id: str,
        organization: str,
        product: str,
        *,
        dimensions: Mapping[str, str] | None = None,
        measure: tuple[str, str] | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page | Rejected:
        """Why a quantity is what it is: the ledger of a product, newest first."""
        raise NotImplementedError

    async def refusals(
        self, environment_id: str, since: datetime, *, after: str | None = None, limit: int = 100
    ) -> Page:
        """What was refused, newest first."""
        raise NotImplementedError

    async def partitions(self, environment_id: str) -> list[Partition]:
        """Partitions that hold stock."""
        raise NotImplementedError
