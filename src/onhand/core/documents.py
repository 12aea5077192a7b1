"""A stored document as searches and background work read it."""

from __future__ import annotations

import msgspec

from onhand.core.commands import DocumentKey


class DocumentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A document with its labels and times; times are in microseconds since 1970."""

    key: DocumentKey
    version: int
    body: bytes
    labels: tuple[str, ...]
    due_at: int | None
    """When work on it is due; None when none is."""
    created_at: int
    changed_at: int
