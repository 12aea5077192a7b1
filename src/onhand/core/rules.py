"""The configuration of an environment, compiled: what the engine and the edge look things up in."""

from __future__ import annotations

from typing import Literal

import msgspec

MeasureName = tuple[str, str]
"""(data source, measure), both in lower case."""


class Switches(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Compatibility switches of an environment (specification 12). Defaults are the specification's."""

    reservation_levels: Literal["feasible", "independent"] = "feasible"
    strict_reservation_hierarchy: bool = False
    max_site_location_combinations: int = 10_000
    require_partition_on_on_hand: bool = False
    afr_aggregation: Literal["aggregate", "exactRecord"] = "aggregate"
    unmapped_check: Literal["fail", "accept"] = "fail"
    clamp_reserved: bool = False
    afr_quantity: Literal["available", "zero"] = "available"
    reservation_id_format: Literal["uuid5", "uuid5hex"] = "uuid5"
    empty_unreserve: Literal["failure", "partialSuccess"] = "failure"
    duplicate_id: Literal["replay", "refuse"] = "replay"
    id_retention_days: int = 7
    mirror_status_code: bool = False
    bulk_response: Literal["grouped", "failureOnly"] = "grouped"
    on_hand_id_prefix: str = "ohce~"
    allocation_id_prefix: str = "alc~"
    body_shapes: Literal["v1"] = "v1"
    hide_negative: Literal["remove", "clamp"] = "remove"
    echo_filter_dimensions: bool = False
    by_product_partition_keys: Literal["whenUsed", "always"] = "whenUsed"
    value_case: Literal["insensitive", "sensitive"] = "insensitive"
    set_on_hand_stale: Literal["ignore", "apply"] = "ignore"
    allocate_beyond_pool: Literal["refuse", "whilePositive"] = "refuse"
    cumulative_measures: Literal["gross", "net"] = "gross"


class Formula(msgspec.Struct, frozen=True):
    """A calculated measure: sum of additions minus sum of subtractions, over physical measure ids."""

    name: MeasureName
    signs: dict[int, int]
    """Measure id -> +1 or -1."""


class Availability(msgspec.Struct, frozen=True):
    """An available-for-reservation measure and how its terms split (specification 3.10.1)."""

    formula: Formula
    net: dict[int, int]
    """Terms that are not reserved measures: measure id -> +1 or -1. Their sum at a cell is its net stock."""
    reserved: frozenset[int]
    """Reserved measures: mapped to this formula and subtracted in it."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of the flow; nested demands are not bounded (decisions 13). Settings of the service, not of the environment."""

    cells_max: int = 2_000
    """Cells with stock of one product at one place, while demands cross."""
    nodes_max: int = 64
    """Nodes with demand of one product at one place, while demands cross."""


LIMITS = Limits()


class Rules(msgspec.Struct, frozen=True):
    """One version of an environment's configuration, ready for look-ups. Made by `configuration.compile_rules`."""

    environment: int
    environment_id: str
    version: int
    measures: dict[MeasureName, int]
    names: dict[int, MeasureName]
    calculated: dict[MeasureName, Formula]
    mapped: dict[int, Availability]
    """Reserved measure id -> the measure that a checked reservation of it is held against."""
    partition: tuple[str, ...]
    """('siteid', 'locationid') by location, () by product."""
    reservation_dimensions: tuple[str, ...]
    """Lower case, in hierarchy order."""
    filter_unconfigured: bool
    reservations_enabled: bool
    dimension_mappings: dict[str, dict[str, str]]
    """Data source -> {external name in lower case -> base name in lower case}."""
    hidden_sources: frozenset[str]
    index_sets: tuple[tuple[str, ...], ...]
    """Without set 0."""
    switches: Switches
    limits: Limits = LIMITS
    """The same for decisions and queries, so that what is shown is what would be granted."""

    @property
    def by_location(self) -> bool:
        """Whether stock is partitioned by site and location."""
        return bool(self.partition)
