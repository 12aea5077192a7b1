"""What stock is kept under: products, positions and the shard key.

Identity is case-insensitive by default (specification 1.4), so every key carries the *folded* text that is
compared and stored, and the *shown* text, the spelling that a caller used. The storage keeps the spelling it
saw first.

A **position** is a set of dimension values of one product. Each position belongs to a **place** (the values
of the partition dimensions; one empty place when the partition is by product) and projects to a **cell** (its
values in the reservation dimensions). A position that names nothing else is a cell itself; only cells are
looked at when a reservation is decided, so lots, serial numbers and pallets below a cell cost nothing.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from urllib.parse import quote, unquote
from uuid import UUID

import msgspec

Dimensions = tuple[tuple[str, str], ...]
"""(base dimension in lower case, value) pairs in the canonical order of `dimensions.BASE`; never an empty value."""


class ProductKey(msgspec.Struct, frozen=True, cache_hash=True, order=True):
    """A product of an organization in an environment; the unit of locking. Make it with `product_key`."""

    k: int
    """Shard key: signed 64 bits. Locks are taken in ascending order of the whole struct, `k` first."""
    environment: int
    organization: str
    """Folded."""
    product: str
    """Folded."""


class Position(msgspec.Struct, frozen=True):
    """A point at which stock is kept. Equality and hash are those of `key`."""

    key: str
    """Canonical, folded, readable: `siteid=1&locationid=11&colorid=red`; the empty string names nothing."""
    place: str
    """The key restricted to the partition dimensions; the empty string when the partition is by product."""
    cell: str
    """The key restricted to the reservation dimensions; equal to `key` when the position is a cell."""
    dimensions: Dimensions
    """Folded values."""
    shown: Dimensions
    """The same with the caller's spelling."""

    def __hash__(self) -> int:
        """Hash by key: positions are dictionary keys on the hot path."""
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        """Two positions are the same when their keys are."""
        return isinstance(other, Position) and self.key == other.key


@lru_cache(maxsize=50_000)
def product_key(environment: int, organization: str, product: str) -> ProductKey:
    """Key of a product from folded names. Interned: the SHA-256 behind `k` is computed once per product."""
    return ProductKey(shard(str(environment), organization, product), environment, organization, product)


def shard(*parts: str) -> int:
    """First 8 bytes of SHA-256 over the length-prefixed parts, as a signed integer."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return int.from_bytes(digest.digest()[:8], "big", signed=True)


def encode(dimensions: Dimensions) -> str:
    """Readable, reversible text of dimension values; `decode` is its inverse."""
    return "&".join(f"{name}={quote(value, safe=' ')}" for name, value in dimensions)


def decode(key: str) -> Dimensions:
    """Dimension values of a text made by `encode`."""
    if not key:
        return ()
    pairs = (part.partition("=") for part in key.split("&"))
    return tuple((name, unquote(value)) for name, _, value in pairs)


RESERVATIONS = UUID("6f1c2b0e-8f0a-5d4e-9b51-0c7d3f2a9e64")
"""Namespace of reservation ids. Never change it: clients keep the ids."""


@lru_cache(maxsize=50_000)
def reservation_id(product: ProductKey, cell: str, measure: tuple[str, str], *, hyphens: bool = True) -> str:
    """The shared id of all reservations of one measure at one node (specification 3.4).

    It is made from the environment's number, not its name, so that it survives a renamed environment.
    """
    source, name = measure
    text = f"{product.environment}|{product.organization}|{product.product}|{cell}|{source}.{name}"
    # Version 5 of RFC 9562, at a third of the cost of `uuid.uuid5`.
    digest = hashlib.sha1(RESERVATIONS.bytes + text.encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16], "big") & ~(0xF000 << 64 | 0xC000 << 48) | 0x5000 << 64 | 0x8000 << 48
    plain = f"{number:032x}"
    if not hyphens:
        return plain
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"


def hold_id(k: int, product_id: int, number: int) -> str:
    """External id of a hold; it carries the shard key, so that a look-up goes to one shard."""
    return f"{k & 0xFFFF_FFFF_FFFF_FFFF:016x}-{product_id:x}-{number:x}"


def parse_hold_id(text: str) -> tuple[int, int, int] | None:
    """(k, product id, number) of a text made by `hold_id`, or None when it is not one."""
    parts = text.split("-")
    if len(parts) != 3 or len(parts[0]) != 16:
        return None
    try:
        k, product_id, number = (int(part, 16) for part in parts)
    except ValueError:
        return None
    return (k - (1 << 64) if k >= 1 << 63 else k), product_id, number
