"""Bounds on a request before the application sees it: how large its head is, how slowly it arrives.

uvicorn collects a head of any size and waits for it for ever, so that anybody, without a token, could fill the
memory or hold all connections. What is counted costs nothing on the usual road: a request that arrives in one
piece never starts the clock.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX: Final = 64 * 1024
"""Bytes of request line and headers that come after the first piece; more is answered with 431."""
ARRIVAL_S: Final = 30.0
"""Seconds from the first byte of a request to its last one; then the connection is closed."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with these bounds."""

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - whatever uvicorn gives
        super().__init__(*given, **named)
        self._arriving = False
        self._in_head = False
        self._head_bytes = 0
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close a connection on which nothing comes."""
        super().connection_made(transport)
        self._start_clock(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head; start the clock while a request is incomplete."""
        in_head, arriving = self._in_head, self._arriving
        super().data_received(data)
        if in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self.transport.write(_TOO_LARGE)
                self.transport.close()
        if not (arriving and self._arriving):
            self._stop_clock()
            if self._arriving:
                self._start_clock(ARRIVAL_S)

    def on_message_begin(self) -> None:
        """A head begins."""
        self.head_begins()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self.head_ends()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.request_ends()
        super().on_message_complete()

    def head_begins(self) -> None:
        """From here the bytes of a head are counted, and a pause starts the clock."""
        self._arriving = self._in_head = True
        self._head_bytes = 0

    def head_ends(self) -> None:
        """From here the bytes are a body's."""
        self._in_head = False

    def request_ends(self) -> None:
        """Nothing is awaited any more."""
        self._arriving = False

    def _start_clock(self, seconds: float) -> None:
        self._clock = self.loop.call_later(seconds, self._too_late)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _too_late(self) -> None:
        if self.flow.read_paused:  # then it is we who are slow: an earlier request is being answered
            self._start_clock(ARRIVAL_S)
        else:
            self.transport.close()
