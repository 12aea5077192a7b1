"""Opaque page cursors: the order of the last row, as URL-safe text."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec

T = TypeVar("T")


class CursorError(ValueError):
    """The text is not a cursor of this listing."""


def encode(*values: int | str) -> str:
    """The cursor that stands for these values."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(values)).decode().rstrip("=")


def decode(cursor: str, count: int) -> tuple[int, ...]:
    """The numbers of a cursor.

    Raises:
        CursorError: it was not made by `encode` for this listing.
    """
    values = _values(cursor, tuple[int, ...])
    if len(values) != count or not all(_stored(value) for value in values):
        raise CursorError("The page cursor belongs to another listing; start again without it.")
    return values


def decode_named(cursor: str) -> tuple[int, str]:
    """The number and the text of a cursor.

    Raises:
        CursorError: it was not made by `encode` for this listing.
    """
    number, text = _values(cursor, tuple[int, str])
    if not _stored(number) or "\0" in text:
        raise CursorError("The page cursor belongs to another listing; start again without it.")
    return number, text


def decode_placed(cursor: str) -> tuple[int, int, str]:
    """The two numbers and the text of a cursor.

    Raises:
        CursorError: it was not made by `encode` for this listing.
    """
    first, second, text = _values(cursor, tuple[int, int, str])
    if not (_stored(first) and _stored(second)) or "\0" in text:
        raise CursorError("The page cursor belongs to another listing; start again without it.")
    return first, second, text


def _stored(value: int) -> bool:
    """Whether a column can hold the number."""
    return -(1 << 63) <= value < 1 << 63


def _values(cursor: str, kind: type[T]) -> T:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(raw, type=kind)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise CursorError("The page cursor is not valid; start again without it.") from error
