"""Calls as values: what to send and how to read the answer. Both clients send the same calls.

    with Client("http://127.0.0.1:8300", "shop", secret) as onhand:
        answer = onhand.send(reserve(id="cart-1", organization="usmf", product="D0002", ...))

A call that carries an id, or only reads, may be repeated; the clients do so when the service is busy or the
connection breaks, always with the same id, so that nothing happens twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from onhand.client.answers import BulkAnswer, Envelope, Json, OnHand

T = TypeVar("T")

_encode = msgspec.json.Encoder(decimal_format="number").encode
_json = msgspec.json.Decoder(float_hook=Decimal)

COMPATIBLE = "/api/environment/{environment}"
NATIVE = "/v1/environments/{environment}"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request to the service and the way to read its answer."""

    method: str
    path: str
    """May hold `{environment}`; the client fills in its own."""
    read: Callable[[bytes], T]
    body: bytes | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Whether sending it twice has the effect of sending it once."""


def _typed(answer: type[T]) -> Callable[[bytes], T]:
    return msgspec.json.Decoder(answer).decode


def read_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON document
    """A JSON document, its fractions as decimals; None for an empty body."""
    return _json.decode(body) if body else None


_envelope = _typed(Envelope)
_bulk = _typed(BulkAnswer)
_rows: Callable[[bytes], list[OnHand]] = msgspec.json.Decoder(list[OnHand]).decode


# Events of the compatible surface ----------------------------------------------------------------------------


def reservation(  # noqa: PLR0913 - the fields of the request
    *,
    id: str,  # noqa: A002 - the field's name on the wire
    organization: str,
    product: str,
    dimensions: Mapping[str, str],
    quantity: Decimal | int,
    source: str = "iv",
    modifier: str = "softreserved",
    check: bool = True,
    dimension_source: str | None = None,
    reference: str | None = None,
    channel: str | None = None,
    lives_seconds: int | None = None,
) -> Json:
    """Body of a reserve; a negative quantity with `check` off takes back what was reserved with the same information."""
    body: Json = {
        "id": id,
        "organizationId": organization,
        "productId": product,
        "dimensions": dict(dimensions),
        "quantityDataSource": source,
        "modifier": modifier,
        "quantity": quantity,
        "ifCheckAvailForReserv": check,
    }
    extensions = {
        "dimensionDataSource": dimension_source,
        "reference": reference,
        "channel": channel,
        "ttlSeconds": lives_seconds,
    }
    return body | {name: value for name, value in extensions.items() if value is not None}


def change(  # noqa: PLR0913 - the fields of the request
    *,
    id: str,  # noqa: A002 - the field's name on the wire
    organization: str,
    product: str,
    dimensions: Mapping[str, str],
    quantities: Mapping[str, Mapping[str, Decimal | int]],
    dimension_source: str | None = None,
) -> Json:
    """Body of an on-hand change (or of a count, for `set_on_hand`)."""
    body: Json = {
        "id": id,
        "organizationId": organization,
        "productId": product,
        "dimensions": dict(dimensions),
        "quantities": quantities,
    }
    return body if dimension_source is None else body | {"dimensionDataSource": dimension_source}


def reserve(body: Json) -> Call[Envelope]:
    """Reserve one line; `reservation` makes the body."""
    return Call("POST", f"{COMPATIBLE}/onhand/reserve", _envelope, _encode(body))


def reserve_all(bodies: Sequence[Json]) -> Call[BulkAnswer]:
    """Reserve up to 512 lines, each on its own."""
    return Call("POST", f"{COMPATIBLE}/onhand/reserve/bulk", _bulk, _encode(bodies))


def unreserve(  # noqa: PLR0913 - the fields of the request
    *,
    id: str,  # noqa: A002 - the field's name on the wire
    organization: str,
    product: str,
    dimensions: Mapping[str, str],
    reservation_id: str,
    quantity: Decimal | int,
) -> Call[Envelope]:
    """Give back a quantity of what is reserved under a reservation id."""
    body = {
        "id": id,
        "organizationId": organization,
        "productId": product,
        "reservationId": reservation_id,
        "dimensions": dict(dimensions),
        "OffsetQty": quantity,
    }
    return Call("POST", f"{COMPATIBLE}/onhand/unreserve", _envelope, _encode(body))


def change_on_hand(body: Json) -> Call[Envelope]:
    """Add quantities to a record; `change` makes the body."""
    return Call("POST", f"{COMPATIBLE}/onhand", _envelope, _encode(body))


def change_all(bodies: Sequence[Json]) -> Call[BulkAnswer]:
    """Add quantities to up to 512 records, each on its own."""
    return Call("POST", f"{COMPATIBLE}/onhand/bulk", _bulk, _encode(bodies))


def set_all(source: str, bodies: Sequence[Json]) -> Call[BulkAnswer]:
    """Set the quantities of one data source at up to 512 records to counted values."""
    return Call("POST", f"{COMPATIBLE}/setonhand/{quote(source, safe='')}/bulk", _bulk, _encode(bodies))


def index_query(  # noqa: PLR0913 - the fields of the request
    *,
    organization: str,
    products: Sequence[str] = (),
    filters: Mapping[str, Sequence[str]] | None = None,
    group_by: Sequence[str] = (),
    negative: bool = True,
    dimension_source: str | None = None,
) -> Call[list[OnHand]]:
    """Quantities by product, place and the grouped dimensions."""
    body: Json = {
        "filters": {"organizationId": [organization], "productId": list(products), **(filters or {})},
        "groupByValues": list(group_by),
        "returnNegative": negative,
    }
    if dimension_source is not None:
        body["dimensionDataSource"] = dimension_source
    return Call("POST", f"{COMPATIBLE}/onhand/indexquery", _rows, _encode(body))


# Native calls ------------------------------------------------------------------------------------------------


def fetch(path: str, **parameters: str | int | None) -> Call[Any]:
    """Read a native resource below the environment; parameters that are None are left out."""
    given = {name: str(value) for name, value in parameters.items() if value is not None}
    return Call("GET", f"{NATIVE}{path}", read_json, parameters=given)


def ask(  # noqa: PLR0913 - the parts of a request
    method: str,
    path: str,
    body: object = None,
    *,
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
    repeatable: bool = False,
) -> Call[Any]:
    """Change a native resource below the environment. With an idempotency key it may be repeated."""
    sent = dict(headers or {}) | ({} if key is None else {"Idempotency-Key": key})
    encoded = None if body is None else _encode(body)
    again = repeatable or key is not None
    return Call(method, f"{NATIVE}{path}", read_json, encoded, headers=sent, repeatable=again)


def system(path: str) -> Call[Any]:
    """Read a resource outside any environment, such as `/readyz`."""
    return Call("GET", path, read_json)
