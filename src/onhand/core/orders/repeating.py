"""Requests that may come twice: their marks, what an order remembers of them, and the claim of a creation.

An order remembers the marks of its last changes in its own document, so that a mark commits with what it marks. Whoever
reads the order can tell a change that was carried out from one that was not, also when the answer of the commit was lost
and somebody else has changed the order since. A creation has no order to remember it yet: its key is a document of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite
from onhand.core.keys import shard
from onhand.core.orders.entities import stored_decoder, to_stored

KIND: Final = "order-request"
"""Kind of the documents that claim a key."""
KEYS_MAX: Final = 32
"""Requests with a key of the client that an order remembers; the oldest are forgotten."""
OWN_MAX: Final = 8
"""Changes without one that it remembers: long enough for the process that made them to find its own again."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Who asked for a change, and for what."""

    key: str
    """Digest of the client and its key, or a made one."""
    digest: str = ""
    """Of what was asked; empty where the key is a made one."""


class Claim(msgspec.Struct, frozen=True):
    """Body of the document that says what a key was used for."""

    order_id: str
    digest: str


_claims = stored_decoder(Claim)


def mark_of(client: str, key: str, request: str, body: bytes) -> Mark:
    """The mark of a client's request; `request` says which one, so that a body counts for that one only."""
    return Mark(_digest([client, key]), _digest([request, hashlib.sha256(body).hexdigest()]))


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def remembered(marks: Sequence[Mark], mark: Mark) -> tuple[Mark, ...]:
    """The marks with a new one, bounded."""
    found = [*marks, mark]
    named = [one for one in found if one.digest][-KEYS_MAX:]
    made = [one for one in found if not one.digest][-OWN_MAX:]
    kept = {one.key for one in (*named, *made)}
    return tuple(one for one in found if one.key in kept)


def find_mark(marks: Sequence[Mark], mark: Mark) -> Mark | None:
    """What is remembered under the key of this mark."""
    return next((one for one in marks if one.key == mark.key), None)


def claim_key(environment: int, mark: Mark) -> DocumentKey:
    """Key of the document that claims the key of a creation."""
    return DocumentKey(shard(str(environment), KIND, mark.key), environment, KIND, mark.key)


def claim_write(environment: int, mark: Mark, order_id: str) -> DocumentWrite:
    """The write that claims the key; it must be free."""
    body = to_stored(Claim(order_id=order_id, digest=mark.digest))
    return DocumentWrite(claim_key(environment, mark), 0, body)


def read_claim(body: bytes) -> Claim:
    """A claim as it is stored."""
    return _claims.decode(body)
