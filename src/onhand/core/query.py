"""On-hand queries: from the names of a request to a `Query`, its requirements and its limits.

An **index query** filters by lists of values, one list a dimension. An **exact query** lists tuples of values.
Both group by dimensions. What must be restricted depends on the partition rule, because an unrestricted query
would read everything (specification 5.1, 5.2, 5.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from onhand.core.dimensions import PARTITION, TEXT_MAX, fold, resolve_name, source_name, text_problem
from onhand.core.keys import encode
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules

ORGANIZATION: Final = "organizationid"
"""The only name among the dimensions of an exact query that is no dimension (version 2)."""

NO_INDEX: Final = "No index hierarchy has been set."

PRODUCTS_MAX: Final = 5_000
"""Products in one query."""

ORGANIZATIONS_MAX: Final = 1_000
"""Organizations in one query of version 2."""

TUPLES_MAX: Final = 10_000
"""Tuples in one exact query."""

PLACES_MAX: Final = 100_000
"""Sites x locations in one query of version 2; version 1 has the switch `maxSiteLocationCombinations`."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """An on-hand query: names resolved, values folded. Make it with `index_query` or `exact_query`."""

    organizations: tuple[str, ...]
    products: tuple[str, ...] = ()
    """Empty: no restriction."""
    filters: dict[str, frozenset[str]] = {}
    """Base dimension -> values; `""` matches stock that names no value. An empty list restricts nothing."""
    group_by: tuple[str, ...] = ()
    """Base dimensions in the order of the request, without repetition."""
    return_negative: bool = False
    exact_dimensions: tuple[str, ...] | None = None
    """Exact query: base dimensions of the tuples, and `ORGANIZATION`; None for an index query."""
    exact_values: frozenset[tuple[str, ...]] = frozenset()


def index_query(  # noqa: PLR0913 - the properties of a request
    rules: Rules,
    *,
    organizations: Iterable[str],
    products: Iterable[str] = (),
    dimensions: Mapping[str, Sequence[str]] | None = None,
    group_by: Iterable[str] = (),
    source: str | None = None,
    return_negative: bool = False,
) -> Query | Rejected:
    """Query of filters and a grouping, named as the caller wrote them; `source` allows external names.

    Rejections: `UNKNOWN_DATA_SOURCE`, `UNKNOWN_DIMENSION`, `INVALID_VALUE`.
    """
    filters: dict[str, frozenset[str]] = {}
    for name, values in (dimensions or {}).items():
        base = _resolve(rules, name, source)
        if isinstance(base, Rejected):
            return base
        folded = _fold_all(rules, name, values)
        if isinstance(folded, Rejected):
            return folded
        if folded:
            wanted = frozenset(folded)
            filters[base] = filters[base] & wanted if base in filters else wanted
    return _query(rules, organizations, products, filters, group_by, source, return_negative=return_negative)


def exact_query(  # noqa: PLR0913 - the properties of a request
    rules: Rules,
    *,
    organizations: Iterable[str] = (),
    products: Iterable[str] = (),
    keys: Sequence[str],
    values: Sequence[Sequence[str]],
    group_by: Iterable[str] = (),
    source: str | None = None,
    return_negative: bool = False,
) -> Query | Rejected:
    """Query of exact tuples; `keys` are grouped by as well, and may contain organizationId (version 2).

    Rejections: `UNKNOWN_DATA_SOURCE`, `UNKNOWN_DIMENSION`, `INVALID_VALUE`.
    """
    bases: list[str] = []
    for name in keys:
        base = ORGANIZATION if name.lower() == ORGANIZATION else _resolve(rules, name, source)
        if isinstance(base, Rejected):
            return base
        bases.append(base)
    if len(set(bases)) != len(bases):
        return _invalid("The dimensions of an exact query must differ; one is named twice.")
    tuples: set[tuple[str, ...]] = set()
    for position, given in enumerate(values):
        if len(given) != len(bases):
            return _invalid(
                f"values[{position}] has {len(given)} values for {len(bases)} dimensions. Send one for each."
            )
        folded = _fold_all(rules, f"values[{position}]", given)
        if isinstance(folded, Rejected):
            return folded
        tuples.add(folded)
    if ORGANIZATION in bases:
        organizations = dict.fromkeys(one[bases.index(ORGANIZATION)] for one in tuples)
    grouped = [*(name for name in keys if name.lower() != ORGANIZATION), *group_by]
    made = _query(rules, organizations, products, {}, grouped, source, return_negative=return_negative)
    if isinstance(made, Rejected):
        return made
    return msgspec.structs.replace(made, exact_dimensions=tuple(bases), exact_values=frozenset(tuples))


def _query(  # noqa: PLR0913 - the properties of a request
    rules: Rules,
    organizations: Iterable[str],
    products: Iterable[str],
    filters: dict[str, frozenset[str]],
    group_by: Iterable[str],
    source: str | None,
    *,
    return_negative: bool,
) -> Query | Rejected:
    if source_name(source) not in {"", *rules.dimension_mappings}:
        return Rejected(
            Reason.UNKNOWN_DATA_SOURCE,
            f"dimensionDataSource {str(source)[:TEXT_MAX]!r} is not a configured data source. "
            f"Configured: {', '.join(sorted(rules.dimension_mappings))}.",
        )
    grouped: dict[str, None] = {}
    for name in group_by:
        if not name.strip() or name.strip().lower() in ("productid", ORGANIZATION):
            continue
        base = _resolve(rules, name, source)
        if isinstance(base, Rejected):
            return base
        grouped[base] = None
    named = _fold_all(rules, "organizationId", organizations)
    wanted = _fold_all(rules, "productId", products)
    if isinstance(named, Rejected):
        return named
    if isinstance(wanted, Rejected):
        return wanted
    return Query(
        organizations=tuple(dict.fromkeys(filter(None, named))),
        products=tuple(dict.fromkeys(filter(None, wanted))),
        filters=filters,
        group_by=tuple(grouped),
        return_negative=return_negative,
    )


def _resolve(rules: Rules, name: str, source: str | None) -> str | Rejected:
    base = resolve_name(rules, name.strip(), source)
    if base is None:
        return Rejected(
            Reason.UNKNOWN_DIMENSION,
            f"{name[:TEXT_MAX]!r} is not a base dimension; external names need dimensionDataSource.",
        )
    return base


def _fold_all(rules: Rules, what: str, values: Iterable[str]) -> tuple[str, ...] | Rejected:
    folded: list[str] = []
    for value in values:
        problem = text_problem(value)
        if problem:
            return _invalid(f"A value of {what[:TEXT_MAX]} is refused: {problem}.")
        folded.append(fold(rules, value))
    return tuple(folded)


def _invalid(message: str) -> Rejected:
    return Rejected(Reason.INVALID_VALUE, message)


# Requirements ------------------------------------------------------------------------------------------------


def check_query(rules: Rules, query: Query, version: int) -> str | None:
    """Why a query of API version 1 or 2 is refused; None when it is not. Specification 1.8, 5.1, 5.2, 5.4."""
    if not rules.index_sets:
        return NO_INDEX
    problem = _check_organizations(len(query.organizations), version)
    if problem:
        return problem
    if len(query.products) > PRODUCTS_MAX:
        return (
            f"A query may name {PRODUCTS_MAX:,} products, this one names {len(query.products):,}. Split it."
        )
    if query.exact_dimensions is not None:
        return _check_exact(rules, query, query.exact_dimensions)
    return _check_index(rules, query, version)


def _check_organizations(count: int, version: int) -> str | None:
    if count != 1 and version == 1:
        return f"A query needs exactly one organizationId, this one names {count}. API version 2.0 takes several."
    if not count:
        return "A query needs at least one organizationId."
    if count > ORGANIZATIONS_MAX:
        return f"A query may name {ORGANIZATIONS_MAX:,} organizations, this one names {count:,}."
    return None


def _check_index(rules: Rules, query: Query, version: int) -> str | None:
    if not rules.by_location:
        return None if query.products else _PRODUCT_NEEDED
    sites, locations = (len(query.filters.get(name, ())) for name in PARTITION)
    if not query.products and not (sites and locations):
        return "Name at least one productId, or at least one siteId and one locationId: the partition is by location."
    limit = rules.switches.max_site_location_combinations if version == 1 else PLACES_MAX
    places = max(sites, 1) * max(locations, 1)
    if places > limit:
        return f"{sites:,} sites x {locations:,} locations are {places:,} combinations, the limit is {limit:,}. Split it."
    return None


_PRODUCT_NEEDED: Final = "Name at least one productId: the partition is by product."


def _check_exact(rules: Rules, query: Query, dimensions: tuple[str, ...]) -> str | None:
    if len(query.exact_values) > TUPLES_MAX:
        return (
            f"A query may list {TUPLES_MAX:,} tuples, this one lists {len(query.exact_values):,}. Split it."
        )
    if not rules.by_location:
        return None if query.products else _PRODUCT_NEEDED
    if not set(PARTITION) <= set(dimensions):
        return "The dimensions of an exact query must contain siteId and locationId: the partition is by location."
    return None


# What to read ------------------------------------------------------------------------------------------------


def row_dimensions(rules: Rules, query: Query) -> tuple[str, ...]:
    """Base dimensions that tell the rows of a product apart, in the order they are shown."""
    wanted = dict.fromkeys(name for name in query.group_by if not (rules.by_location and name in PARTITION))
    if rules.switches.echo_filter_dimensions:
        wanted |= dict.fromkeys(name for name in query.filters if name not in PARTITION)
    always = rules.by_location or rules.switches.by_product_partition_keys == "always"
    wanted |= dict.fromkeys(name for name in PARTITION if always or name in query.filters)
    return tuple(wanted)


def needs_records(rules: Rules, query: Query) -> bool:
    """Whether the query looks at dimensions below the cells (`StockFilter.records`)."""
    used = {*row_dimensions(rules, query), *query.filters, *(query.exact_dimensions or ())} - {ORGANIZATION}
    return not used.issubset(rules.reservation_dimensions)


def wanted_places(rules: Rules, query: Query) -> tuple[str, ...] | None:
    """Place keys to read (`StockFilter.places`); None means all places."""
    if not rules.by_location:
        return None
    pairs: Iterable[tuple[str, str]]
    if query.exact_dimensions is not None:
        if not set(PARTITION) <= set(query.exact_dimensions):
            return None
        site, location = (query.exact_dimensions.index(name) for name in PARTITION)
        pairs = {(one[site], one[location]) for one in query.exact_values}
    else:
        sites, locations = (query.filters.get(name, frozenset[str]()) for name in PARTITION)
        if not sites or not locations:
            return None
        pairs = ((site, location) for site in sites for location in locations)
    return tuple(sorted(place_key(site, location) for site, location in pairs))


def place_key(site: str, location: str) -> str:
    """Place of folded partition values, by location; an empty value names nothing."""
    return encode(tuple(pair for pair in zip(PARTITION, (site, location), strict=True) if pair[1]))
