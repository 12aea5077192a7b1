"""Identifiers that the edge makes itself: cheap, unique, in the form of a GUID."""

from __future__ import annotations

import itertools
import os
import time

_PREFIX = os.urandom(8).hex()
_HEAD = f"{_PREFIX[:8]}-{_PREFIX[8:12]}-4{_PREFIX[13:16]}-8".encode()
_count = itertools.count(int.from_bytes(os.urandom(4), "big"))


def request_id() -> bytes:
    """A GUID for a request: 60 random bits of the process and a counter."""
    number = b"%015x" % next(_count)
    return _HEAD + number[:3] + b"-" + number[3:]


def new_id() -> str:
    """A GUID for an event without id; ordered by time (version 7), so that the index of ids grows at its end."""
    stamp = b"%012x" % (time.time_ns() // 1_000_000)
    tail = os.urandom(9).hex()
    text = stamp.decode()
    return f"{text[:8]}-{text[8:]}-7{tail[:3]}-8{tail[3:6]}-{tail[6:]}"
