"""Heads of hot requests that came before, byte for byte, with what the parser made of them.

A client on a kept connection sends the same head again and again: the same path, token and agent, and mostly the same
length of the body. Equal bytes parse to equal requests, so a head that is known needs no parser, which is a tenth of the
service's work for a reservation. Nothing is concluded from a head: the token in it is looked up for each request.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from onhand.api.route import Route

HEADS_MAX: Final = 2_000
"""Heads that are remembered; a client with a head of its own for each request makes it forget them all, now and then."""
HEAD_BYTES_MAX: Final = 4_096
"""A longer head is not remembered: tokens are some hundred bytes."""
HEADERS_MAX: Final = 40
"""Nor is one with more headers: anybody can send heads, and small headers take many times their bytes of memory."""

_END: Final = b"\r\n\r\n"


class Head(NamedTuple):
    """What a head says."""

    route: Route
    environment: str
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool
    length: int
    """Bytes of the body."""


class Heads:
    """The heads that one application has seen."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """The head and the body of data that are one whole request with a known head."""
        start = data.find(_END) + len(_END)
        head = self._known.get(data[:start])
        if head is None or len(data) != start + head.length:
            return None
        return head, data[start:]

    def remember(self, data: bytes, head: Head) -> None:
        """Remember the head of data that are one whole request; of other data nothing."""
        start = data.find(_END) + len(_END)
        if len(data) != start + head.length or start > HEAD_BYTES_MAX or len(head.headers) > HEADERS_MAX:
            return
        if len(self._known) >= HEADS_MAX:
            self._known.clear()
        self._known[data[:start]] = head
