"""The load generator: `python -m bench.load SPECIFICATION`, a process of its own that prints one JSON result.

A hand-written HTTP/1.1 keep-alive client on uvloop, one request in flight per connection. Two modes:

* closed loop: each of N connections sends its next request when its answer has come. Finds the peak.
* open loop: requests are due at fixed times, whatever the server does. Latency counts from the moment a
  request was *due*, also when it had to wait for a free connection, so a stalled server cannot hide its
  stall by slowing the client down (no coordinated omission).

With `replay` a connection that breaks before its answer is opened again and sends the very same bytes, as a
careful client would; 503 is retried alike. That is how a crashed server is tested for lost and doubled work.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time

import msgspec
import uvloop

from bench.histogram import Histogram
from bench.workload import Keys, Requests

TICK_S = 0.001
"""How often due requests of the open loop are looked at; a late tick counts as latency."""
RETRY_S = 0.02
"""Pause before a broken connection is opened again, or a 503 repeated."""
GRACE_S = 30.0
"""How long answers may still come after the last request was sent."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send."""

    port: int
    path: str
    run: str
    """Start of each command id; unique among all runs against one database."""
    keys: Keys
    headers: dict[str, str] = {}
    connections: int = 256
    seconds: float = 10.0
    warm_up: float = 1.0
    """Seconds that are sent but not measured."""
    rate: float | None = None
    """Requests per second of the open loop; None is the closed loop."""
    requests: int | None = None
    """Send exactly this many instead of for a time; everything is measured."""
    bulk: int = 1
    kind: str = "reserve"
    """`reserve` or `on-hand`."""
    body: str | None = None
    """Sent as it is instead of events: a query."""
    replay: bool = False
    seed: int = 1
    success: str = '"processingStatus":"success"'
    """Text in the body of an accepted reservation; in a bulk answer it is counted."""


class Result(msgspec.Struct, kw_only=True):
    """What came back. `requests`, `items` and `latency_us` cover the measured part, the rest everything."""

    requests: int = 0
    seconds: float = 0.0
    items_per_s: float = 0.0
    latency_us: dict[str, int] = {}
    accepted: int = 0
    refused: int = 0
    """Answered 200 and not accepted."""
    statuses: dict[int, int] = {}
    """Answers by HTTP status, retried ones included."""
    broken: int = 0
    """Connections that broke with a request in flight."""
    unanswered: int = 0
    backlog_max: int = 0
    """Open loop: most requests that waited for a free connection at one time."""
    cpu_us_per_request: float = 0.0
    """Cost of this generator."""


class Connection(asyncio.Protocol):
    """One keep-alive connection: at most one request in flight."""

    __slots__ = ("buffer", "due", "needed", "request", "run", "transport")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.needed = 0
        self.request: bytes | None = None
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what is to be replayed, or ask for work."""
        self.transport = transport
        self.buffer = b""
        self.needed = 0
        if self.request is not None:
            transport.write(self.request)
        else:
            self.run.free(self)

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at a time."""
        self.request = request
        self.due = due
        if self.transport is not None:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Collect an answer."""
        if self.buffer:
            data = self.buffer + data
        if len(data) < self.needed:
            self.buffer = data
            return
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self.buffer = data
            return
        start = data.find(b"ontent-", 0, end)
        while start >= 0 and data[start + 7 : start + 13].lower() != b"length":
            start = data.find(b"ontent-", start + 7, end)
        if start < 0:
            raise ValueError(f"an answer without Content-Length: {data[:end]!r}")
        stop = data.find(b"\r", start)
        self.needed = end + 4 + int(data[start + 14 : stop])
        if len(data) < self.needed:
            self.buffer = data
            return
        self.buffer = b""
        self.needed = 0
        self.run.answered(self, int(data[9:12]), data)

    def connection_lost(self, _: Exception | None) -> None:
        """Tell the run."""
        self.transport = None
        self.run.broken(self)


class Run:
    """One measurement."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.result = Result()
        self.histogram = Histogram()
        self.requests = Requests(
            load.path, load.headers, load.keys, load.run, load.seed, load.bulk, load.kind, load.body
        )
        self.success = load.success.encode()
        self.statuses: dict[int, int] = {}
        self.idle: list[Connection] = []
        self.opening: set[asyncio.Task[None]] = set()
        self.backlog: list[float] = []
        self.backlog_head = 0
        self.sent = 0
        self.in_flight = 0
        self.measure_from = 0.0
        self.until = 0.0
        self.last = 0.0
        self.started = 0.0
        self.done = asyncio.Event()
        self.open = load.rate is not None

    async def main(self) -> Result:
        """Run it."""
        loop = asyncio.get_running_loop()
        load = self.load
        connections = [Connection(self) for _ in range(load.connections)]
        self.until = float("inf")
        self.measure_from = float("inf")
        self.open = True  # nothing is sent before all are connected
        for connection in connections:
            await loop.create_connection(lambda c=connection: c, "127.0.0.1", load.port)
        self.open = load.rate is not None
        self.started = time.perf_counter()
        cpu = _cpu_s()
        self.measure_from = self.started + (0 if load.requests else load.warm_up)
        self.until = float("inf") if load.requests else self.measure_from + load.seconds
        if self.open:
            await self._open_loop(load.rate or 1.0)
        else:
            idle, self.idle = self.idle, []
            for connection in idle:
                self.free(connection)
        try:
            limit = GRACE_S + (600 if load.requests else load.warm_up + load.seconds)
            async with asyncio.timeout(limit):
                await self.done.wait()
        except TimeoutError:
            self.result.unanswered = self.in_flight
        self.done.set()
        for connection in connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.gather(*self.opening, return_exceptions=True)
        return self._conclude(_cpu_s() - cpu)

    async def _open_loop(self, rate: float) -> None:
        number = 0
        waiting = self.backlog
        while True:
            now = time.perf_counter()
            due = self.started + number / rate
            while due <= now and due < self.until:
                waiting.append(due)
                number += 1
                due = self.started + number / rate
            while self.idle and self.backlog_head < len(waiting):
                self._send(self.idle.pop(), waiting[self.backlog_head])
                self.backlog_head += 1
            self.result.backlog_max = max(self.result.backlog_max, len(waiting) - self.backlog_head)
            if due >= self.until:
                break
            await asyncio.sleep(TICK_S)
        self._finished()

    def free(self, connection: Connection) -> None:
        """Give a connection its next request."""
        if self.open:
            if self.backlog_head < len(self.backlog):
                self._send(connection, self.backlog[self.backlog_head])
                self.backlog_head += 1
            else:
                self.idle.append(connection)
            self._finished()
            return
        now = time.perf_counter()
        if now >= self.until or (self.load.requests is not None and self.sent >= self.load.requests):
            self._finished()
            return
        self._send(connection, now)

    def _send(self, connection: Connection, due: float) -> None:
        self.sent += 1
        self.in_flight += 1
        connection.send(self.requests.next(), due)

    def answered(self, connection: Connection, status: int, data: bytes) -> None:
        """Count an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status == 503 and self.load.replay:
            asyncio.get_running_loop().call_later(
                RETRY_S, connection.send, connection.request, connection.due
            )
            return
        now = time.perf_counter()
        if status == 200:
            accepted = data.count(self.success) if self.load.bulk > 1 else self.success in data
            self.result.accepted += accepted
            self.result.refused += self.load.bulk - accepted
        if self.measure_from <= now <= self.until:
            self.result.requests += 1
            self.last = now
            self.histogram.record(int((now - connection.due) * 1e6))
        connection.request = None
        self.in_flight -= 1
        self.free(connection)

    def broken(self, connection: Connection) -> None:
        """Open a broken connection again when its request is to be replayed; drop the request otherwise."""
        if self.done.is_set():
            return
        if connection.request is not None:
            self.result.broken += 1
            if not self.load.replay:
                connection.request = None
                self.in_flight -= 1
                self._finished()
        if self.load.replay:
            task = asyncio.ensure_future(self._reconnect(connection))
            self.opening.add(task)
            task.add_done_callback(self.opening.discard)

    async def _reconnect(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        if connection in self.idle:
            self.idle.remove(connection)
        while not self.done.is_set():
            try:
                await loop.create_connection(lambda: connection, "127.0.0.1", self.load.port)
            except OSError:
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _finished(self) -> None:
        over = self.sent >= self.load.requests if self.load.requests else time.perf_counter() >= self.until
        if over and not self.in_flight and self.backlog_head == len(self.backlog):
            self.done.set()

    def _conclude(self, cpu_s: float) -> Result:
        result = self.result
        result.statuses = self.statuses
        end = self.last if self.load.requests else self.until
        result.seconds = max(end - self.measure_from, 1e-9)
        result.items_per_s = result.requests * self.load.bulk / result.seconds
        result.latency_us = self.histogram.summary()
        result.cpu_us_per_request = cpu_s * 1e6 / max(1, self.sent)
        return result


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(text: str) -> None:
    """Run the load described by a JSON text and print its result."""
    load = msgspec.json.decode(text, type=Load)

    async def run() -> Result:
        return await Run(load).main()

    print(msgspec.json.encode(uvloop.run(run())).decode())


if __name__ == "__main__":
    main(sys.argv[1])
