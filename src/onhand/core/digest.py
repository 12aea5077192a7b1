"""What was asked, as 64 bits: an honest retry has the same ones, another body has others."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(order="sorted").encode


def digest(*parts: Any) -> int:  # noqa: ANN401 - anything that JSON can say
    """Signed 64-bit digest of JSON-like parts."""
    return int.from_bytes(blake2b(_encode(parts), digest_size=8).digest(), "big", signed=True)
