"""Records that commit with stock: what a group reads and writes of them, and what searches read."""

from __future__ import annotations

import msgspec


class DocumentKey(msgspec.Struct, frozen=True, cache_hash=True, order=True):
    """A document that commits with stock (an order, an ERP line). Make `d` with `keys.shard`."""

    d: int
    environment: int
    kind: str
    id: str


class Document(msgspec.Struct, frozen=True):
    """A document at a version; version 0 with an empty body means absent."""

    key: DocumentKey
    version: int
    body: bytes


class DocumentWrite(msgspec.Struct, frozen=True):
    """Replace, insert or delete a document if it still has the expected version."""

    key: DocumentKey
    expected_version: int
    """0: it must be absent, which makes its key a unique one."""
    body: bytes
    labels: tuple[str, ...] = ()
    """Facts to search by, such as "status=ship"; folded by the caller, without control characters. Replaced as a whole."""
    due_at: int | None = None
    """Microseconds since 1970: when work on it is due; None when none is."""
    delete: bool = False
    """Remove it; the body is ignored."""

    @property
    def version(self) -> int:
        """The version it has afterwards: one higher, or 0 when it is deleted."""
        return 0 if self.delete else self.expected_version + 1


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
