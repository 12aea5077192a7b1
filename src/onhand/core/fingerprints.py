"""The fingerprint of a command: what was asked, as 64 bits."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

_encode = msgspec.json.Encoder(order="sorted").encode


def digest(*parts: object) -> int:
    """Signed 64-bit digest of JSON-like parts. Never change it: stored ids are compared by it."""
    return int.from_bytes(blake2b(_encode(parts), digest_size=8).digest(), "big", signed=True)
