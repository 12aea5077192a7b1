"""Configuration documents that an environment can start with (specification 1.6, 1.7, 1.7b).

`standalone` needs no ERP and is the default; `default-2024` and `default-2023` are the defaults that the
original gave to new environments of those years.
"""

from __future__ import annotations

from typing import Any, Final

PROFILES: Final = ("standalone", "default-2024", "default-2023")

_RESERVATION: Final = ("siteid", "locationid", "colorid", "sizeid", "styleid")
_RESERVATION_2023: Final = _RESERVATION[:4]

_FNO_DIMENSIONS: Final[dict[str, str]] = {
    "inventbatchid": "batchid",
    "inventcolorid": "colorid",
    "inventlocationid": "locationid",
    "inventserialid": "serialid",
    "inventsiteid": "siteid",
    "inventsizeid": "sizeid",
    "inventstatusid": "statusid",
    "inventstyleid": "styleid",
    "licenseplateid": "licenseplateid",
    "wmslocationid": "wmslocationid",
    "wmspalletid": "wmspalletid",
    "configid": "configid",
    "inventversionid": "versionid",
    **{f"inventdimension{number}": f"customdimension{number}" for number in range(1, 13)},
}

_FNO_2023: Final = (
    "arrived",
    "physicalinvent",
    "reservphysical",
    "onorder",
    "notspecified",
    "availordered",
    "availphysical",
    "picked",
    "postedqty",
    "quotationreceipt",
    "received",
    "ordered",
    "reservordered",
)
_FNO_2024: Final = (*_FNO_2023, "orderedsum", "softreserved")

_ALLOCATION_POOL_TERM: Final = "@iv.@allocated"
_ALLOCATION_GROUPS: Final = ("Channel", "customerGroup", "Region", "OrderType")


def document(profile: str, environment_id: str) -> dict[str, Any]:
    """A fresh document of a profile.

    Raises:
        KeyError: no such profile; `PROFILES` lists them.
    """
    sources, reservation, mapping = _BUILDERS[profile]()
    for (source, measure), target in mapping.items():
        sources[source]["reservMappings"] = {measure: target}
    return {
        "environmentId": environment_id,
        "isUninstalled": False,
        "configurationVersion": 1,
        "indexConfiguration": {
            "version": 0,
            "partitionKeyAttributes": {"setNumber": 0, "keys": ["siteid", "locationid"]},
            "indexAttributeSets": [{"setNumber": 1, "keys": ["colorid", "sizeid", "styleid"]}],
        },
        "inventorySystemConfigurations": sources,
        "isIndexUpgradeInProgress": False,
        "defaultDimensions": {},
        "cachePartitionIdVersion": "ByLocationAndProductIdMod64",
        "partitionConfiguration": {"useProductId": True, "useDimensions": True},
        "scheduleConfiguration": {
            "indexAttributeSets": [{"setNumber": 1, "keys": ["colorid", "sizeid"]}],
            "atpCalculatedMeasures": {},
            "version": 0,
            "schedulePeriodInDays": 30,
            "isScheduleEnabled": True,
            "isEnabled": True,
            "isScheduleV2": True,
            "isSetup": True,
        },
        "reservConfiguration": {
            "isReservEnabled": True,
            "version": 0,
            "keys": list(reservation),
            "isEnabled": True,
            "isSetup": True,
        },
        "allocationConfiguration": {
            "isEnabled": True,
            "isSetup": True,
            "groups": list(_ALLOCATION_GROUPS),
            "groupsOrder": {name: f"g{level}" for level, name in enumerate(_ALLOCATION_GROUPS)},
            "availableToAllocateCalculation": {_ALLOCATION_POOL_TERM: "subtraction"},
        },
        "entityVersion": 2,
    }


def _source(
    name: str,
    physical: tuple[str, ...],
    calculated: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] | None = None,
    dimensions: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A data source; calculated measures are given as (additions, subtractions)."""
    return {
        "dataSourceName": name,
        "dimensionMappings": dict(dimensions or {}),
        "physicalMeasures": list(physical),
        "calculatedMeasures": {
            measure: {"additionModifiers": list(additions), "subtractionModifiers": list(subtractions)}
            for measure, (additions, subtractions) in (calculated or {}).items()
        },
        "reservMappings": {},
    }


def _predefined() -> dict[str, Any]:
    return _source(
        "@iv",
        ("@allocated", "@cumulative_allocated", "@consumed", "@cumulative_consumed"),
        {"@available_to_allocate": ((), (_ALLOCATION_POOL_TERM,))},
    )


def _pos(prefix: str = "") -> dict[str, Any]:
    inbound, outbound = f"{prefix}inbound", f"{prefix}outbound"
    quantity = (("fno.availphysical", f"pos.{inbound}"), (f"pos.{outbound}",))
    return _source("pos", (inbound, outbound), {"availquantity": quantity})


def _erp_sources() -> dict[str, Any]:
    return {
        "iom": _source("iom", ("onorder", "onhand")),
        "erp": _source("erp", ("unrestricted", "qualityinspection")),
    }


Profile = tuple[dict[str, dict[str, Any]], tuple[str, ...], dict[tuple[str, str], str]]
"""Data sources, reservation dimensions, reservation mappings."""


def _standalone() -> Profile:
    sources = {
        "iv": _source(
            "iv",
            ("onhand", "ordered", "softreserved"),
            {"availabletoreserve": (("iv.onhand",), ("iv.softreserved",))},
        ),
        "pos": _pos(),
        "fno": _source("fno", _FNO_2024, dimensions=_FNO_DIMENSIONS),
        "@iv": _predefined(),
    }
    return sources, _RESERVATION, {("iv", "softreserved"): "iv.availabletoreserve"}


def _default_2024() -> Profile:
    available = (
        ("fno.physicalinvent", "fno.ordered", "fno.arrived", "pos.inbound", "iv.ordered"),
        ("fno.reservphysical", "iv.softreserved", "pos.outbound", "fno.softreserved"),
    )
    sources = {
        "iv": _source(
            "iv",
            ("ordered", "softreserved"),
            {
                "availabletoreserve": available,
                "totalavailable": (("fno.availordered",), ("iv.softreserved", _ALLOCATION_POOL_TERM)),
                "totalonhand": (("fno.physicalinvent",), ()),
            },
        ),
        "fno": _source("fno", _FNO_2024, dimensions=_FNO_DIMENSIONS),
        "pos": _pos(),
        **_erp_sources(),
        "@iv": _predefined(),
    }
    return sources, _RESERVATION, {("iv", "softreserved"): "iv.availabletoreserve"}


def _default_2023() -> Profile:
    soft = ("iv.softreservphysical", "iv.softreservordered")
    hard = ("fno.reservphysical", "fno.reservordered", "iv.reservphysical", "iv.reservordered")
    coming = ("fno.ordered", "fno.arrived", "iv.ordered")
    stock = (
        "fno.physicalinvent",
        "iom.onhand",
        "erp.unrestricted",
        "erp.qualityinspection",
        "pos.posinbound",
    )
    out = ("pos.posoutbound",)
    open_orders = ("fno.onorder", "iom.onorder")
    calculated = {
        "orderedtotal": (coming, ()),
        "onhand": (stock, out),
        "reservedtotal": ((*hard, *soft), ()),
        "softreserved": (soft, ()),
        "hardreserved": (hard, ()),
        "openorder": (open_orders, ()),
        "onhandavailable": (stock, ("fno.reservphysical", "iv.softreservphysical", *out)),
        "availabletoreserve": ((*stock, *coming), (*hard, *soft, *out)),
        "inventorysupply": ((*coming, *stock), out),
        "inventorydemand": ((*open_orders, *soft, *hard), ()),
    }
    physical = ("ordered", "softreservphysical", "softreservordered", "reservordered", "reservphysical")
    sources = {
        "iv": _source("iv", physical, calculated),
        "fno": _source("fno", _FNO_2023, dimensions=_FNO_DIMENSIONS),
        "pos": _pos("pos"),
        **_erp_sources(),
        "@iv": _predefined(),
    }
    return sources, _RESERVATION_2023, {("iv", "softreservphysical"): "iv.availabletoreserve"}


_BUILDERS: Final = {
    "standalone": _standalone,
    "default-2024": _default_2024,
    "default-2023": _default_2023,
}
