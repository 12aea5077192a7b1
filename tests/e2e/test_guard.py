"""Requests that never become one: heads without end, and bytes that do not come."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlparse

import pytest

from onhand.runtime import guard
from tests.serving import Running

LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


async def connected(running: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlparse(running.url)
    return await asyncio.open_connection(url.hostname, url.port)


@pytest.mark.parametrize(
    ("start", "more"),
    [(LIVE + b"X: ", b"a" * 100_000), (LIVE, b"X: a\r\n" * 20_000), (b"GET /", b"a" * 100_000)],
    ids=["one header", "many headers", "path"],
)
async def test_a_head_without_end_is_refused(running: Running, start: bytes, more: bytes) -> None:
    reader, writer = await connected(running)
    sent = 0
    writer.write(start)
    try:
        while sent < 50_000_000:
            writer.write(more)
            await writer.drain()
            sent += len(more)
    except ConnectionError:
        pass
    assert sent < 20_000_000
    with contextlib.suppress(ConnectionError):
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
    writer.transport.abort()
    assert (await running.http.get("/livez")).status_code == 200


@pytest.mark.parametrize(
    "start",
    [b"", b"GET /li", LIVE, b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\ngr"],
    ids=["nothing", "request line", "headers", "body"],
)
async def test_a_request_that_does_not_come_loses_its_connection(
    running: Running, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(guard, "ARRIVAL_S", 0.2)
    monkeypatch.setattr(running.server.config, "timeout_keep_alive", 0.2)
    reader, writer = await connected(running)
    writer.write(start)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_slow_but_complete_requests_are_answered(running: Running) -> None:
    reader, writer = await connected(running)
    for piece in (b"GET /li", b"vez HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", LIVE + b"\r\n" + LIVE + b"\r\n"):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    for _ in range(3):
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 200 ")
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
    writer.close()
