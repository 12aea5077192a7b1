"""The hot road of the HTTP server: small posts of the compatible surface without the ceremony of ASGI.

Theory of operation
-------------------
uvicorn makes of each request a scope, an event and a cycle, checks each header of the answer with two regular
expressions, and writes head and body separately, which since uvloop writes at once is two system calls and wakes
the client twice. For a reservation that is more work than deciding it. This protocol is uvicorn's own, with one
exception: a complete, ordinary request (HTTP/1.1, a small body of known length, nothing ahead of it on its connection)
for a route of the hot table goes straight to the pipeline, and its answer is written in one piece. Everything
else, and whatever looks unusual in any way, takes uvicorn's road.

A head that came before, byte for byte, is not parsed again (`heads`). Most requests need no task: the caller is known, the body is there, and what is awaited is only the batch, whose outcome
is given to a function. Whatever has to be waited for first (an unknown token, a new environment, a refusal under rules
that may be old, a full lane) runs the handler in a task.

Both roads run the same pipeline with the same handlers, so they give the same answers; a contract test holds them
against each other, byte by byte. To uvicorn a request on the hot road looks like a cycle of its own (`Hot`), so its
keep-alive, pipelining, bounds and shutdown work unchanged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from onhand.api.exchange import Reply
from onhand.api.guard import GuardedProtocol
from onhand.api.heads import Head, Heads
from onhand.api.route import Route

BODY_BYTES_MAX: Final = 64 * 1024
"""Bytes of a body on the hot road; a larger one may be refused while it comes, which is the other road's work."""

_NO_DEFAULTS: Final[list[tuple[bytes, bytes]]] = []


Find = Callable[[bytes, bytes], tuple[Route, str] | None]


class HotApplication(Protocol):
    """What the protocol needs of the application."""

    heads: Heads

    def hot(self, method: bytes, url: bytes) -> tuple[Route, str] | None:
        """The hot route and the environment of a request target; None: take the other road."""

    def start_hot(
        self,
        route: Route,
        environment: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        give: Callable[[Reply, bytes], None],
    ) -> bool:
        """Have the answer given, now or later, without a task; False: nothing was started."""

    async def answer_hot(
        self, route: Route, environment: str, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> tuple[Reply, bytes]:
        """The answer and the id of the request."""


class _Nobody:
    """Stands where a cycle has the event that its application waits for: here nobody does."""

    def set(self) -> None:
        """Wake nobody."""


_NOBODY: Final = _Nobody()


class Hot:
    """A request on the hot road; has what uvicorn's protocol touches of a cycle."""

    __slots__ = (
        "body", "disconnected", "environment", "headers", "keep_alive", "message_event", "response_complete", "route",
    )  # fmt: skip

    def __init__(
        self, route: Route, environment: str, headers: list[tuple[bytes, bytes]], *, keep_alive: bool
    ) -> None:
        self.route = route
        self.environment = environment
        self.headers = headers
        self.keep_alive = keep_alive
        self.body = b""
        self.message_event = _NOBODY
        self.disconnected = False
        self.response_complete = False


class HotProtocol(GuardedProtocol):
    """uvicorn's HTTP protocol with the hot road in front. The application is a `HotApplication`."""

    _defaults: tuple[list[tuple[bytes, bytes]], bytes] = (_NO_DEFAULTS, b"")
    """The server's default headers as they were last seen, and their bytes."""
    app: Any
    cycle: Any

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - whatever uvicorn gives
        super().__init__(*given, **named)
        self._hot: Find | None = getattr(self.app, "hot", None)
        """None when the application was wrapped in a middleware: then no request takes the hot road."""
        self._heads: Heads = getattr(self.app, "heads", None) or Heads()
        self._piece = b""
        """What the parser is being given, if it began with a request."""
        self._rests_since = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Start a request whose head is known; leave everything else to the parser."""
        if self._hot is not None and not self._arriving:
            found = self._heads.find(data) if self._free() else None
            if found is not None:
                self._stop_clock()
                self._unset_keepalive_if_required()
                head, body = found
                self.cycle = cycle = Hot(
                    head.route, head.environment, head.headers, keep_alive=head.keep_alive
                )
                cycle.body = body
                self._start(cycle)
                return
            self._piece = data
        super().data_received(data)
        self._piece = b""  # an idle connection holds nothing

    def on_message_begin(self) -> None:
        """Collect; the scope is only made on the other road."""
        self.head_begins()
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Choose the road."""
        hot = self._hot
        if hot is not None and self._ordinary():
            parser = self.parser
            found = hot(parser.get_method(), self.url)
            if found is not None and parser.get_http_version() == "1.1" and not parser.should_upgrade():
                self.head_ends()
                route, environment = found
                self.cycle = Hot(route, environment, self.headers, keep_alive=parser.should_keep_alive())
                return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def _ordinary(self) -> bool:
        """Nothing ahead on the connection, room in the server, a small body of known length."""
        if self.expect_100_continue or not self._free():
            return False
        small = False
        for name, value in self.headers:
            if name == b"content-length":
                small = len(value) < 6 and value.isdigit() and int(value) <= BODY_BYTES_MAX
            elif name == b"transfer-encoding":
                return False
        return small

    def _free(self) -> bool:
        """Nothing ahead on the connection, room in the server."""
        cycle, bound = self.cycle, self.limit_concurrency
        if not (cycle is None or cycle.response_complete):
            return False
        return bound is None or (len(self.connections) < bound and len(self.tasks) < bound)

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        cycle = self.cycle
        if type(cycle) is Hot:
            cycle.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Start answering."""
        cycle = self.cycle
        if type(cycle) is Hot:
            self.request_ends()
            head = Head(
                cycle.route, cycle.environment, cycle.headers, cycle.keep_alive, length=len(cycle.body)
            )
            self._heads.remember(self._piece, head)
            self._start(cycle)
        else:
            super().on_message_complete()

    def _start(self, cycle: Hot) -> None:
        """Without a task if that is possible."""

        def give(reply: Reply, identity: bytes) -> None:
            if self.flow.write_paused:
                self._in_task(self._write_later(cycle, reply, identity))
            else:
                self._write(cycle, reply, identity)

        if not self.app.start_hot(cycle.route, cycle.environment, cycle.headers, cycle.body, give):
            self._in_task(self._answer(cycle))

    def _in_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, cycle: Hot) -> None:
        reply, identity = await self.app.answer_hot(cycle.route, cycle.environment, cycle.headers, cycle.body)
        await self._write_later(cycle, reply, identity)

    async def _write_later(self, cycle: Hot, reply: Reply, identity: bytes) -> None:
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        self._write(cycle, reply, identity)

    def _write(self, cycle: Hot, reply: Reply, identity: bytes) -> None:
        if cycle.disconnected:
            return  # nobody is left to answer; what was decided stays decided
        self.transport.write(self._bytes(reply, identity, keep_alive=cycle.keep_alive))
        cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        if self.pipeline or self.flow.read_paused or not cycle.keep_alive:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._rest()

    # Idle connections --------------------------------------------------------------------------------------

    def _rest(self) -> None:
        """From now on the connection is idle. One timer that looks now and then, instead of uvicorn's for each answer."""
        self._rests_since = self.loop.time()
        if self._watch is None:
            self._watch = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        """Close the connection if it has been idle for too long; an answer, or uvicorn's timer, takes over if it is not."""
        self._watch = None
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self._arriving or self.timeout_keep_alive_task is not None:
            return
        left = self._rests_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch = self.loop.call_later(left, self._look)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is watched any more."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)

    def _bytes(self, reply: Reply, identity: bytes, *, keep_alive: bool) -> bytes:
        """The whole answer, as uvicorn would write it."""
        defaults = self.server_state.default_headers
        if defaults is not self._defaults[0]:
            HotProtocol._defaults = (defaults, _lines(defaults))
        body = reply.body
        parts = [
            STATUS_LINE[reply.status],
            self._defaults[1],
            b"content-length: %d\r\nx-ms-correlation-id: %b\r\nx-ms-service-request-id: %b\r\n"
            % (len(body), identity, identity),
        ]
        if reply.headers:
            parts.append(_lines(reply.headers))
        if body:
            parts.append(b"content-type: %b\r\n" % reply.content_type)
        parts.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        parts.append(body)
        return b"".join(parts)


def _lines(headers: list[tuple[bytes, bytes]] | tuple[tuple[bytes, bytes], ...]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
