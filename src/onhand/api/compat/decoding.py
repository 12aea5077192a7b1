"""From bytes to wire structs: fast for canonical bodies, tolerant for all others (specification 1.4).

The fast path is one call of a msgspec decoder, numbers straight to exact decimals. Only when that fails is the
body read again without types: names are matched without regard to case, unknown fields are dropped, texts that
came as numbers and numbers that came as texts are taken. Both paths end in the same structs.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

import msgspec

from onhand.api.compat.wire import Malformed
from onhand.api.exchange import Json

Body = TypeVar("Body", bound=msgspec.Struct)
T = TypeVar("T")

_untyped: Final = msgspec.json.Decoder(float_hook=Decimal)
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
"""What decoding may raise: bad JSON, bad UTF-8, numbers out of all range, nesting too deep."""
_NUL: Final = b"\\u0000"
_MARK: Final = b"\xef\xbb\xbf"
"""Byte order mark, which some clients send in front of their JSON (RFC 8259, 8.1 allows to ignore it)."""

TEXTS: Final = frozenset(
    {
        "id",
        "organizationId",
        "productId",
        "dimensionDataSource",
        "quantityDataSource",
        "modifier",
        "reservationId",
        "reference",
        "channel",
    }
)


class Unreadable(Exception):  # noqa: N818 - the edge's word for 400
    """The request cannot be read as a whole."""


class BodyReader(Generic[Body]):
    """Reads one kind of body, alone or in a list."""

    def __init__(self, shape: type[Body]) -> None:
        self._shape = shape
        self._one = msgspec.json.Decoder(shape)
        self._many = msgspec.json.Decoder(list[shape])  # type: ignore[valid-type]
        self._names = {name.lower(): name for name in (f.encode_name for f in msgspec.structs.fields(shape))}

    def one(self, raw: bytes) -> Body | Malformed:
        """A single object.

        Raises:
            Unreadable: the body is not a JSON object.
        """
        found = self._canonical(self._one, raw)
        if found is not None:
            return found
        value = read_json(raw)
        if not isinstance(value, dict):
            raise Unreadable("The body must be a JSON object.")
        return self._convert(value)

    def many(self, raw: bytes, items_max: int) -> list[Body | Malformed]:
        """A list of objects; an item that cannot be read does not spoil the others.

        Raises:
            Unreadable: the body is not a JSON array, or has more than `items_max` items.
        """
        items = self._canonical(self._many, raw)
        if items is None:
            value = read_json(raw)
            if not isinstance(value, list):
                raise Unreadable("The body must be a JSON array.")
            check_count(len(value), items_max)
            return [self._convert(item) for item in value]
        check_count(len(items), items_max)
        return list(items)

    @staticmethod
    def _canonical(decoder: msgspec.json.Decoder[T], raw: bytes) -> T | None:
        if _NUL in raw:
            return None
        try:
            return decoder.decode(raw)
        except UNREADABLE:
            return None  # the tolerant path says what is wrong, or reads it

    def _convert(self, value: Json) -> Body | Malformed:
        if not isinstance(value, dict):
            return Malformed("", "The item must be a JSON object.")
        canonical: dict[str, Any] = {}
        for key, content in value.items():
            name = self._names.get(key.strip().lower())
            if name is not None:
                canonical[name] = _canonical(name, content)
        try:
            return msgspec.convert(canonical, self._shape, strict=False)
        except UNREADABLE as error:
            given = canonical.get("id")
            return Malformed(given if isinstance(given, str) else "", f"The body cannot be read: {error}.")


def read_json(raw: bytes) -> Json:
    """Any JSON value, fractions as exact decimals.

    Raises:
        Unreadable: it is not JSON, is nested too deeply, or has a NUL character, which cannot be stored.
    """
    if _NUL in raw:
        raise Unreadable("The body has a NUL character (\\u0000), which cannot be stored.")
    try:
        return _untyped.decode(raw.removeprefix(_MARK))
    except UNREADABLE as error:
        raise Unreadable(f"The body is not valid JSON: {error}") from error


def lower_keys(value: Json) -> dict[str, Any]:
    """A JSON object with its names in lower case.

    Raises:
        Unreadable: the value is not an object.
    """
    if not isinstance(value, dict):
        raise Unreadable("The body must be a JSON object.")
    return {key.strip().lower(): content for key, content in value.items()}


def check_count(count: int, items_max: int) -> None:
    """Refuse a request with too many items.

    Raises:
        Unreadable: there are more than `items_max`.
    """
    if count > items_max:
        raise Unreadable(
            f"The request has {count} items; at most {items_max} are allowed. Send them in parts."
        )


def text(value: Json) -> Json:
    """A number as the text it stands for; everything else as it is."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    return value


def _canonical(name: str, content: Json) -> Json:
    if name in TEXTS:
        return text(content)
    if name == "dimensions" and isinstance(content, dict):
        return {key: "" if value is None else text(value) for key, value in content.items()}
    if name == "quantities" and isinstance(content, dict):
        return {
            source: {key: _number(value) for key, value in measures.items()}
            if isinstance(measures, dict)
            else measures
            for source, measures in content.items()
        }
    if name in ("quantity", "OffsetQty", "ttlSeconds"):
        return _number(content)
    if name in ("expiresAt", "modifiedDateTimeUTC") and isinstance(content, str) and not content.strip():
        return None
    return content


def _number(value: Json) -> Json:
    if isinstance(value, str):
        return value.strip()
    return value
