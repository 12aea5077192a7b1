"""The configuration of an environment, compiled: what the engine and the edge look things up in."""

from __future__ import annotations

from typing import Literal

import msgspec

MeasureName = tuple[str, str]
"""(data source, measure), both in lower case."""


class Switches(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Compatibility switches of an environment (specification 12). Defaults are the specification's."""

    reservation_levels: Literal["feasible", "independent"] = "feasible"
    """Whether reservations that name other dimensions limit a checked one. `feasible`: all reservations of a product can be
    satisfied together. `independent`: each level is summed on its own, as the original does; can oversell across levels."""
    strict_reservation_hierarchy: bool = False
    """`true`: the dimensions of a reservation must be the first ones of the hierarchy without a gap. `false`: any of them."""
    max_site_location_combinations: int = 10_000
    """Sites x locations that one query of version 1.0 may name, by location. At least 1; version 2.0 has a limit of its own."""
    require_partition_on_on_hand: bool = False
    """`true`: an on-hand post without site or location is refused, by location. `false`: it is kept with empty values."""
    afr_aggregation: Literal["aggregate", "exactRecord"] = "aggregate"
    """What counts as available. `aggregate`: all records inside what the reservation names. `exactRecord`: only the record with
    exactly these dimensions; only with `reservationLevels: independent`."""
    unmapped_check: Literal["fail", "accept"] = "fail"
    """A checked reservation of a measure without a reservation mapping. `fail`: refused. `accept`: taken without a check."""
    clamp_reserved: bool = False
    """Taking back more than is reserved. `false`: the reserved quantity falls below zero. `true`: it stops at zero."""
    afr_quantity: Literal["available", "zero"] = "available"
    """`afrQuantity` in answers. `available`: what is left at the place, cut to whole pieces. `zero`: always 0."""
    reservation_id_format: Literal["uuid5", "uuid5hex"] = "uuid5"
    """Form of `reservationId`. `uuid5`: 36 characters with hyphens. `uuid5hex`: 32 without."""
    empty_unreserve: Literal["failure", "partialSuccess"] = "failure"
    """An unreserve that finds nothing reserved. `failure`: refused with 400. `partialSuccess`: 200, all of it surplus."""
    duplicate_id: Literal["replay", "refuse"] = "replay"
    """An accepted id with the same body again. `replay`: the first answer again. `refuse`: failure 409."""
    id_retention_days: int = 7
    """Days for which accepted ids are remembered. At least 7."""
    mirror_status_code: bool = False
    """HTTP status of a single event that the rules refuse. `false`: 200. `true`: the `statusCode` of the body."""
    bulk_response: Literal["grouped", "failureOnly"] = "grouped"
    """Body of a bulk answer. `grouped`: `success`, `partialSuccess` and `failure`. `failureOnly`: `failure` alone."""
    on_hand_id_prefix: str = "ohce~"
    """What stands before the id in the answers to on-hand posts."""
    allocation_id_prefix: str = "alc~"
    """What stands before the id in the answers to allocation calls. No effect before allocation is built."""
    body_shapes: Literal["v1"] = "v1"
    """Shapes of bodies that the original does not document; further shapes get further values. No effect yet."""
    hide_negative: Literal["remove", "clamp"] = "remove"
    """Queries with `returnNegative: false`. `remove`: negative numbers are left out, then empty rows. `clamp`: they show as 0."""
    echo_filter_dimensions: bool = False
    """`true`: dimensions that a query only filters by are in its rows as well."""
    by_product_partition_keys: Literal["whenUsed", "always"] = "whenUsed"
    """Site and location in rows, by product. `whenUsed`: when filtered or grouped by. `always`: in every row."""
    value_case: Literal["insensitive", "sensitive"] = "insensitive"
    """Comparison of organization, product and dimension values. `insensitive`: the first spelling is shown. `sensitive`: as given.
    Changes only while the environment is empty."""
    set_on_hand_stale: Literal["ignore", "apply"] = "ignore"
    """A count older than the stored one. `ignore`: success without effect. `apply`: it is set all the same."""
    allocate_beyond_pool: Literal["refuse", "whilePositive"] = "refuse"
    """Allocating more than the pool has. No effect before allocation is built."""
    cumulative_measures: Literal["gross", "net"] = "gross"
    """Whether `@cumulative_allocated` follows what is given back. No effect before allocation is built."""


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
