"""The generator against a small server of our own: it must count, time and replay as it says."""

import asyncio
import threading
from contextlib import asynccontextmanager, suppress

import pytest

from bench.load import Load, Run
from bench.workload import Keys

YES = b'{"processingStatus":"success"}'
NO = b'{"processingStatus":"failure"}'


def reply(body, status=200):
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@asynccontextmanager
async def serving(answer):
    """A server that calls `answer(number, request, writer)` for each request."""
    seen = []
    tasks = set()

    async def client(reader, writer):
        tasks.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])
                seen.append(await reader.readexactly(length))
                await answer(len(seen), seen[-1], writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def load(port, **more):
    return Load(port=port, path="/x", run="t", keys=Keys("hot"), connections=4, **more)


async def test_counts_accepted_and_refused():
    async def answer(number, _, writer):
        writer.write(reply(YES if number % 4 else NO))

    async with serving(answer) as (port, seen):
        result = await Run(load(port, requests=40)).main()
    assert (result.accepted, result.refused, result.requests) == (30, 10, 40)
    assert result.statuses == {200: 40}
    assert len(set(seen)) == 40


async def test_counts_the_items_of_a_bulk_answer():
    async def answer(_, body, writer):
        assert body.startswith(b"[")
        writer.write(reply(b"[" + YES + YES + NO + b"]"))

    async with serving(answer) as (port, _):
        result = await Run(load(port, requests=5, bulk=3)).main()
    assert (result.accepted, result.refused) == (10, 5)


async def test_reads_an_answer_that_comes_in_pieces():
    async def answer(_, __, writer):
        for byte in reply(YES):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(answer) as (port, _):
        result = await Run(load(port, requests=3)).main()
    assert result.accepted == 3


async def test_replay_sends_a_broken_request_again_byte_for_byte_and_retries_503():
    async def answer(number, _, writer):
        if number == 3:
            writer.transport.abort()
        elif number == 5:
            writer.write(reply(b"", 503))
        else:
            writer.write(reply(YES))

    async with serving(answer) as (port, seen):
        result = await Run(load(port, requests=12, replay=True)).main()
    assert result.accepted == 12
    assert result.broken == 1
    assert result.statuses == {200: 12, 503: 1}
    assert seen[2] in seen[3:]
    assert seen[4] in seen[5:]
    assert len(set(seen)) == 12


async def test_open_loop_counts_a_stall_for_every_request_that_was_due_in_it():
    """A server that stalls once must show in many latencies, not in one (coordinated omission)."""
    stall_s = 0.3

    async def answer(number, _, writer):
        if number == 10:
            # Blocks the whole server on purpose, so every connection feels it.
            await asyncio.to_thread(stalled.wait, stall_s)
            running.set()
        elif number > 10:
            await running.wait()
        writer.write(reply(YES))

    stalled = threading.Event()
    running = asyncio.Event()
    async with serving(answer) as (port, _):
        result = await Run(load(port, rate=200.0, seconds=0.8, warm_up=0.0)).main()
    assert result.unanswered == 0
    assert result.latency_us["max"] >= stall_s * 1e6 * 0.95
    assert result.latency_us["p90"] >= 50_000
    assert result.backlog_max > 4


@pytest.mark.parametrize("status", [401, 500])
async def test_other_statuses_are_reported_and_not_counted_as_accepted(status):
    async def answer(_, __, writer):
        writer.write(reply(b"", status))

    async with serving(answer) as (port, _):
        result = await Run(load(port, requests=8)).main()
    assert result.statuses == {status: 8}
    assert (result.accepted, result.refused) == (0, 0)
