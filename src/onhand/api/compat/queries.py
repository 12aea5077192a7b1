"""Queries of the compatible surface (specification 5.1-5.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from onhand.api import problems
from onhand.api.compat.decoding import Unreadable, lower_keys, read_json, text
from onhand.api.compat.unbuilt import not_implemented
from onhand.api.exchange import Call, Json, Reply, json_reply
from onhand.api.services import Services
from onhand.core.outcomes import Rejected
from onhand.core.quantities import to_decimal
from onhand.service.queries import ExactQuery, IndexQuery, OnHandPage, OnHandRow

VALUES_MAX: Final = 20_000
"""Values of one filter, or tuples of one exact query."""

_NOT_DIMENSIONS: Final = frozenset({"organizationid", "productid", "dimensiondatasource"})
_NOT_FILTERS: Final = frozenset(
    {
        "groupby",
        "groupbyvalues",
        "returnnegative",
        "queryatp",
        "atpfromdate",
        "atptodate",
        "pagenumber",
        "pagesize",
    }
)


async def index_query(call: Call, services: Services) -> Reply:
    """POST `/onhand/indexquery`, versions 1.0 and 2.0."""
    body = lower_keys(read_json(call.body))
    if flag(body.get("queryatp"), "QueryATP"):
        return not_implemented("Available-to-promise")
    filters = lower_keys(body.get("filters") or {})
    query = IndexQuery(
        data_source=_source(body, filters),
        organizations=texts(filters.get("organizationid"), "organizationId"),
        products=texts(filters.get("productid"), "productId"),
        dimensions={
            name: texts(values, name) for name, values in filters.items() if name not in _NOT_DIMENSIONS
        },
        group_by=texts(body.get("groupbyvalues"), "groupByValues"),
        return_negative=flag(body.get("returnnegative"), "returnNegative"),
    )
    return await _index(call, services, query)


async def get_on_hand(call: Call, services: Services) -> Reply:
    """GET `/onhand`: an index query in the query string."""
    named: dict[str, list[str]] = {}
    for name, value in call.query():
        named.setdefault(name.strip().lower(), []).append(value)
    if flag((named.get("queryatp") or [""])[-1], "QueryATP"):
        return not_implemented("Available-to-promise")
    group_by = [
        part.strip()
        for name in ("groupby", "groupbyvalues")
        for value in named.get(name, ())
        for part in value.split(",")
    ]
    query = IndexQuery(
        data_source=(named.get("dimensiondatasource") or [""])[-1],
        organizations=_given(named.get("organizationid", ())),
        products=_given(named.get("productid", ())),
        dimensions={
            name: _given(values)
            for name, values in named.items()
            if name not in _NOT_DIMENSIONS and name not in _NOT_FILTERS
        },
        group_by=_given(group_by),
        return_negative=flag((named.get("returnnegative") or [""])[-1], "returnNegative"),
    )
    return await _index(call, services, query)


async def exact_query(call: Call, services: Services) -> Reply:
    """POST `/onhand/exactquery`, versions 1.0 and 2.0."""
    body = lower_keys(read_json(call.body))
    if flag(body.get("queryatp"), "QueryATP"):
        return not_implemented("Available-to-promise")
    filters = lower_keys(body.get("filters") or {})
    values = filters.get("values") or []
    if not isinstance(values, list) or len(values) > VALUES_MAX:
        raise Unreadable(f"filters.values must be an array of at most {VALUES_MAX} arrays.")
    keys = texts(filters.get("dimensions"), "dimensions") or texts(filters.get("keys"), "keys")
    query = ExactQuery(
        data_source=_source(body, filters),
        organizations=texts(filters.get("organizationid"), "organizationId"),
        products=texts(filters.get("productid"), "productId"),
        keys=keys,
        values=tuple(_tuple(row) for row in values),
        group_by=texts(body.get("groupbyvalues"), "groupByValues"),
        return_negative=flag(body.get("returnnegative"), "returnNegative"),
    )
    version2 = is_version2(call)
    number, size = _paging(call) if version2 else (None, None)
    found = await services.queries.exact(
        call.environment, query, version2=version2, page=number, page_size=size
    )
    return _reply(found, "onhand/exactquery", version2=version2)


async def _index(call: Call, services: Services, query: IndexQuery) -> Reply:
    version2 = is_version2(call)
    number, size = _paging(call) if version2 else (None, None)
    found = await services.queries.index(
        call.environment, query, version2=version2, page=number, page_size=size
    )
    return _reply(found, "onhand/indexquery", version2=version2)


def _reply(found: OnHandPage | Rejected, path: str, *, version2: bool) -> Reply:
    if isinstance(found, Rejected):
        return problems.plain(400, found.message)
    rows = [shown(row) for row in found.rows]
    if not version2:
        return json_reply(rows)
    following = (
        "" if found.next_page is None else f"{path}?pageNumber={found.next_page}&pageSize={found.page_size}"
    )
    return json_reply({"Value": rows, "nextLink": following})


def shown(row: OnHandRow) -> dict[str, Any]:
    """A row as it goes over the wire."""
    return {
        "organizationId": row.organization,
        "productId": row.product,
        "dimensions": row.dimensions,
        "quantities": {
            source: {name: to_decimal(quantity) for name, quantity in measures.items()}
            for source, measures in row.quantities.items()
        },
    }


def is_version2(call: Call) -> bool:
    """Whether the caller asked for version 2.0; absent means 1.0, quotes do not matter.

    Raises:
        Unreadable: another version.
    """
    given = (call.header(b"api-version") or "").strip("\"' ")
    if given in ("", "1.0", "1"):
        return False
    if given in ("2.0", "2"):
        return True
    raise Unreadable("Api-Version must be 1.0 or 2.0.")


def _paging(call: Call) -> tuple[int | None, int | None]:
    named = {name.strip().lower(): value for name, value in call.query()}
    return _count(named.get("pagenumber"), "pageNumber"), _count(named.get("pagesize"), "pageSize")


def _count(value: str | None, name: str) -> int | None:
    if value is None or not value.strip():
        return None
    if not (value.strip().isdecimal() and 0 < len(value.strip()) <= 9 and int(value) > 0):
        raise Unreadable(f"{name} must be a whole number from 1 on.")
    return int(value)


def texts(value: Json, name: str) -> tuple[str, ...]:
    """A list of texts; a single text stands for a list of one, null and empty texts for nothing.

    Raises:
        Unreadable: something else is there.
    """
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    if len(items) > VALUES_MAX:
        raise Unreadable(f"{name[:100]} has {len(items)} values; at most {VALUES_MAX} are allowed.")
    found = []
    for item in items:
        given = text(item)
        if given is None:
            continue
        if not isinstance(given, str):
            raise Unreadable(f"{name[:100]} must be an array of texts.")
        if given.strip():
            found.append(given.strip())
    return tuple(found)


def flag(value: Json, name: str) -> bool:
    """A boolean, or a text that says one.

    Raises:
        Unreadable: something else is there.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in ("true", "false", "1", "0", ""):
        return value.strip().lower() in ("true", "1")
    raise Unreadable(f"{name} must be true or false.")


def _tuple(row: Json) -> tuple[str, ...]:
    if not isinstance(row, list):
        raise Unreadable("filters.values must be an array of arrays.")
    found = []
    for item in row:
        given = text("" if item is None else item)
        if not isinstance(given, str):
            raise Unreadable("filters.values must hold texts.")
        found.append(given.strip())
    return tuple(found)


def _source(body: dict[str, Any], filters: dict[str, Any]) -> str:
    """`dimensionDataSource`, also from inside `filters`, where preview clients put it."""
    given = texts(body.get("dimensiondatasource"), "dimensionDataSource") or texts(
        filters.get("dimensiondatasource"), "dimensionDataSource"
    )
    return given[0] if given else ""


def _given(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(value.strip() for value in values if value.strip())
