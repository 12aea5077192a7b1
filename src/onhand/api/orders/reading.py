"""Reading requests about orders: who asks, which version is changed, what a query string says."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from onhand.api.compat.translate import ID_MAX
from onhand.api.exchange import Call
from onhand.api.problems import EdgeProblem
from onhand.core.orders import entities
from onhand.core.orders.entities import Entity, Json
from onhand.core.orders.events import Actor
from onhand.core.orders.queries import Paged, read_strictly
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.repeating import Mark, mark_of

P = TypeVar("P", bound=Paged)
E = TypeVar("E", bound=Entity)

VERSION_MAX: Final = 40
"""Characters of a version id."""


def actor(call: Call, user_id: str | None = None) -> Actor:
    """The client, and the person it names."""
    return Actor(user=call.principal.client_id, user_id=user_id or "")


def expected(call: Call, version_id: str | None = None) -> str | None:
    """The version that the client changed: `If-Match`, else `versionId` of the body; None: any.

    Raises:
        EdgeProblem: If-Match is not one ETag.
    """
    given = call.header(b"if-match")
    if given is None:
        return version_id or None
    if given == "*":
        return None
    version = given.removeprefix("W/").strip('"')
    if not version or len(version) > VERSION_MAX or '"' in version:
        raise EdgeProblem(400, Code.VALIDATION_FAILED, "If-Match must be one ETag of this order, or *.")
    return version


def mark(call: Call, request: str) -> Mark | None:
    """The idempotency key of a request, with the digest of what it asks; None without a key.

    Raises:
        EdgeProblem: it is too long.
    """
    key = call.header(b"idempotency-key")
    if not key:
        return None
    if len(key) > ID_MAX:
        raise EdgeProblem(400, Code.VALIDATION_FAILED, f"Idempotency-Key has at most {ID_MAX} characters.")
    return mark_of(call.principal.client_id, key, request, call.body)


def flag(call: Call, name: str) -> bool:
    """A boolean of the query string; false when it is absent.

    Raises:
        EdgeProblem: it is neither true nor false.
    """
    found = text(call, name).lower()
    if found not in ("", "true", "false"):
        raise EdgeProblem(400, Code.VALIDATION_FAILED, f"{name} must be true or false.")
    return found == "true"


def text(call: Call, name: str) -> str:
    """A text of the query string; empty when it is absent."""
    found = texts(call, name)
    return found[-1] if found else ""


def texts(call: Call, name: str) -> list[str]:
    """All values of a parameter of the query string; a comma separates values."""
    return [
        part.strip()
        for key, value in call.query()
        if key.strip().lower() == name.lower()
        for part in value.split(",")
        if part.strip()
    ]


SEARCH: Final = {
    "status": "statuses",
    "ordertype": "orderTypes",
    "storeid": "storeIds",
    "marketid": "marketIds",
    "customerid": "customerIds",
    "ordernumber": "orderNumbers",
    "saleschannel": "salesChannels",
    "warehousecode": "warehouseCodes",
    "sku": "skus",
    "shipmentstatus": "shipmentStatuses",
    "tag": "tags",
    "orderid": "orderIds",
    "category": "categories",
    "operationid": "operationIds",
    "userid": "userIds",
}
"""Parameter in lower case -> list of the search that it adds to; it may be repeated."""


def search_of_query(call: Call, shape: type[P]) -> P | Refused:
    """A search that a query string asks for."""
    value: dict[str, Any] = {}
    for key, content in call.query():
        name = key.strip()
        plural = SEARCH.get(name.lower())
        if plural is None:
            value[name] = content
        else:
            value.setdefault(plural, []).extend(part.strip() for part in content.split(",") if part.strip())
    return read_strictly(shape, value)


def read_loosely(shape: type[E], value: Json) -> E | Refused:
    """A request body that may have more than is known here, such as tracking facts of other systems."""
    return entities.read(shape, value)


def version_in(request: Entity) -> str | None:
    """`versionId` that a body names beside what is known of it."""
    found = next((one for name, one in request.extra.items() if name.strip().lower() == "versionid"), None)
    return found if isinstance(found, str) else None
