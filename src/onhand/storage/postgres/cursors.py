"""Opaque page cursors: the order of the last row, as URL-safe text."""

from __future__ import annotations

import base64
import binascii

import msgspec


class CursorError(ValueError):
    """The text is not a cursor of this listing."""


def encode(*values: int) -> str:
    """The cursor that stands for these numbers."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(values)).decode().rstrip("=")


def decode(cursor: str, count: int) -> tuple[int, ...]:
    """The numbers of a cursor.

    Raises:
        CursorError: it was not made by `encode` for this listing.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = msgspec.msgpack.decode(raw, type=tuple[int, ...])
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise CursorError("The page cursor is not valid; start again without it.") from error
    if len(values) != count or not all(-(1 << 63) <= value < 1 << 63 for value in values):
        raise CursorError("The page cursor belongs to another listing; start again without it.")
    return values
