"""Tables as arguments: a text array whose elements are the columns, each an array literal that PostgreSQL parses.

The literals are made by the JSON encoder, at a seventh of the cost of coding each element for the wire; JSON arrays and
array literals differ in their brackets and in the escapes of control characters only. The array around them is
binary, so that nothing in it has to be escaped once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

import msgspec

_encode = msgspec.json.Encoder().encode

TEXT_OID = 25
_HEAD = Struct("!5i").pack
"""Dimensions, flags, type of the elements, number of elements, number of the first."""
_LENGTH = Struct("!i").pack

EMPTY = _HEAD(0, 0, TEXT_OID, 0, 1)[:12]
"""A table without rows: an array without dimensions."""


def table(columns: Sequence[bytes]) -> bytes:
    """A table of columns made by `literal` or `binaries`, as the binary form of `text[]`."""
    parts = [_HEAD(1, 0, TEXT_OID, len(columns), 1)]
    for column in columns:
        parts.append(_LENGTH(len(column)))
        parts.append(column)
    return b"".join(parts)


def literal(column: Sequence[object]) -> bytes:
    """An array literal of integers, truth values or texts; None is NULL."""
    if not column:
        return b"{}"
    text = _encode(column)
    if b"\\" in text:
        text = f"[{','.join(_element(value) for value in column)}]".encode()
    return b"{%b}" % text[1:-1]


def binaries(column: Sequence[bytes]) -> bytes:
    """An array literal of `bytea` values."""
    return b'{"\\\\x%b"}' % '","\\\\x'.join([value.hex() for value in column]).encode() if column else b"{}"


def _element(value: object) -> str:
    """One element with the two escapes that array literals have."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return "NULL" if value is None else f"{value:d}"
