"""Configuration documents of the conformance cases (specification 11): one function each, a fresh document a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from onhand.core import configuration, presets
from onhand.core.rules import Rules

Document = dict[str, Any]

ENVIRONMENT = "00000000-0000-4000-8000-000000000001"

BY_PRODUCT: Document = {
    "cachePartitionIdVersion": "ByProductId",
    "partitionConfiguration": {"useProductId": True, "useDimensions": False},
}
BY_LOCATION: Document = {
    "cachePartitionIdVersion": "ByLocationAndProductIdMod64",
    "partitionConfiguration": {"useProductId": True, "useDimensions": True},
}

_PREDEFINED = ("@softreserved", "@allocated", "@consumed", "@cumulative_allocated", "@cumulative_consumed")
_GROUPS = ("channel", "customerGroup", "region", "orderType", "df")


def source(
    name: str,
    *physical: str,
    calculated: Mapping[str, tuple[Iterable[str], Iterable[str]]] | None = None,
    dimensions: Mapping[str, str] | None = None,
    mapped: Mapping[str, str] | None = None,
) -> Document:
    """A data source; `calculated` maps a measure to its additions and subtractions."""
    return {
        "dataSourceName": name,
        "dimensionMappings": dict(dimensions or {}),
        "physicalMeasures": list(physical),
        "calculatedMeasures": {
            measure: {"additionModifiers": list(plus), "subtractionModifiers": list(minus)}
            for measure, (plus, minus) in (calculated or {}).items()
        },
        "reservMappings": dict(mapped or {}),
    }


def document(
    *sources: Document,
    partition: Document = BY_LOCATION,
    reservation: Iterable[str] = ("siteid", "locationid", "colorid", "sizeid", "styleid"),
    version: int = 0,
    index: Iterable[Iterable[str]] = (("colorid", "sizeid", "styleid"),),
    groups: Iterable[str] = (),
) -> Document:
    """A whole document around data sources."""
    names = list(groups)
    return {
        "environmentId": ENVIRONMENT,
        "configurationVersion": 1,
        "indexConfiguration": {
            "version": 0,
            "partitionKeyAttributes": {"setNumber": 0, "keys": ["siteid", "locationid"]},
            "indexAttributeSets": [{"setNumber": n, "keys": list(keys)} for n, keys in enumerate(index, 1)],
        },
        "inventorySystemConfigurations": {one["dataSourceName"]: one for one in sources},
        **partition,
        "reservConfiguration": {"isReservEnabled": True, "version": version, "keys": list(reservation)},
        "allocationConfiguration": {
            "isEnabled": bool(names),
            "groups": names,
            "groupsOrder": {name: f"g{n}" for n, name in enumerate(names)},
        },
    }


def fx_s() -> Document:
    """By product, soft reservation and allocation in `@iv`, only site and location reservable."""
    made = document(
        source("iv", "onhand"),
        source("pos", "inbound", "outbound", dimensions={"posmachineid": "extendeddimension1"}),
        source(
            "@iv",
            *_PREDEFINED,
            calculated={
                "@available_to_reserve": (("iv.onhand",), ("@iv.@softreserved",)),
                "@available_to_allocate": (("iv.onhand",), ("@iv.@allocated",)),
            },
            mapped={"@softreserved": "@iv.@available_to_reserve"},
        ),
        partition=BY_PRODUCT,
        reservation=("siteid", "locationid"),
        groups=_GROUPS,
    )
    made["indexConfiguration"]["indexAttributeSets"] = [{"setNumber": 2, "keys": ["colorid"]}]
    made["allocationConfiguration"]["availableToAllocateCalculation"] = {
        "iv.onhand": "addition",
        "@iv.@allocated": "subtraction",
    }
    return made


def fx_s_filtering() -> Document:
    """FX-S with "Filter unconfigured dimensions" on (reservation version 1)."""
    made = fx_s()
    made["reservConfiguration"]["version"] = 1
    return made


def fx_l() -> Document:
    """FX-S by location, reservation version 1."""
    return {**fx_s_filtering(), **BY_LOCATION}


def fx_c() -> Document:
    """The calculated measure of 5.6 over pos, fno and ecommerce."""
    plus = (
        "fno.availphysical",
        "fno.orderedintotal",
        "pos.inbound",
        "ecommerce.received",
        "ecommerce.scheduled",
    )
    minus = ("fno.orderedreserved", "pos.outbound", "ecommerce.issued", "ecommerce.reserved")
    return document(
        source("pos", "inbound", "outbound"),
        source("fno", "availphysical", "orderedintotal", "orderedreserved"),
        source("ecommerce", "received", "scheduled", "issued", "reserved"),
        source("crosschannel", calculated={"mycustomavailableforreservation": (plus, minus)}),
    )


def fx_r() -> Document:
    """The available-for-reservation sample of the reservation article."""
    available = (("fno.availphysical", "pos.inbound"), ("pos.outbound", "iv.softreservphysical"))
    return document(
        source(
            "iv",
            "softreservphysical",
            calculated={"availabletoreserve": available},
            mapped={"softreservphysical": "iv.availabletoreserve"},
        ),
        source("fno", "availphysical"),
        source("pos", "inbound", "outbound"),
    )


def fx_x() -> Document:
    """The index sample of 5.6."""
    return document(source("pos", "inbound", "outbound"))


def fx_p() -> Document:
    """The current default profile."""
    return presets.document("default-2024", ENVIRONMENT)


def fx_p_totals() -> Document:
    """FX-P with the two measures that case F25 adds."""
    made = fx_p()
    made["inventorySystemConfigurations"]["iv"]["calculatedMeasures"] |= {
        "totalordered": {"additionModifiers": ["fno.ordered"], "subtractionModifiers": []},
        "totalonorder": {"additionModifiers": ["fno.onorder"], "subtractionModifiers": []},
    }
    return made


def fx_b() -> Document:
    """Bike allocation: a pool over fno and pos."""
    pool = (("fno.onordered", "pos.inbound"), ("@iv.@allocated",))
    return document(
        source("fno", "onordered"),
        source("pos", "inbound", "outbound"),
        source(
            "@iv",
            *_PREDEFINED,
            calculated={
                "@available_to_allocate": pool,
                "@available_to_reserve": (("fno.onordered", "pos.inbound"), ("@iv.@softreserved",)),
            },
            mapped={"@softreserved": "@iv.@available_to_reserve"},
        ),
        groups=("channel", "customerGroup", "region", "orderType"),
    )


FIXTURES: dict[str, Callable[[], Document]] = {
    "FX-S": fx_s,
    "FX-S filtering": fx_s_filtering,
    "FX-L": fx_l,
    "FX-C": fx_c,
    "FX-R": fx_r,
    "FX-X": fx_x,
    "FX-P": fx_p,
    "FX-P totals": fx_p_totals,
    "FX-B": fx_b,
}


def compiled(made: Document, **switches: Any) -> Rules:
    """Rules of a document, with measure ids 1, 2, … in the order of declaration; switches in camel case."""
    measures = dict(enumerate(configuration.declared_measures(made), 1))
    return configuration.compile_rules(
        1, ENVIRONMENT, 1, made, configuration.parse_switches(switches), measures
    )
