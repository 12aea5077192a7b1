"""The hot road through the HTTP server and uvicorn's own give identical answers, byte by byte."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from onhand.api.hot import BODY_BYTES_MAX, Hot, HotProtocol
from tests.conformance.fixtures import FIXTURES
from tests.serving import Tenant, serving

BODY = {"organizationId": "o", "productId": "P", "dimensions": {"siteId": "1", "locationId": "11"}}
STOCK = {**BODY, "quantities": {"iv": {"onhand": 50}}}
RESERVE = {**BODY, "quantityDataSource": "@iv", "modifier": "@softreserved", "quantity": 1}
PATH = "/api/environment/e1/onhand/reserve"

taken: list[str] = []
"""Paths' rests that went the hot road."""
parsed: list[bytes] = []
"""What was given to the parser."""
in_tasks: list[str] = []
"""Requests among them that needed a task."""


class Watching:
    """A parser that tells what it is fed."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def feed_data(self, data: bytes) -> None:
        parsed.append(data)
        self._parser.feed_data(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)


class Watched(HotProtocol):
    """Tells which requests take the hot road."""

    def _start(self, cycle: Hot) -> None:
        taken.append(cycle.route.path.rpartition("{environment}/")[2])
        super()._start(cycle)

    def data_received(self, data: bytes) -> None:
        """Watch the parser."""
        parser, watched = self.parser, Watching(self.parser)
        self.parser = watched
        super().data_received(data)
        if self.parser is watched:
            self.parser = parser

    def _in_task(self, work: Coroutine[Any, Any, None]) -> None:
        in_tasks.append(work.__name__)
        super()._in_task(work)


@pytest.fixture
async def tenants(database_url: str) -> AsyncIterator[tuple[Tenant, Tenant]]:
    """The same environment behind both protocols."""
    taken.clear()
    in_tasks.clear()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(database_url, http=Watched))
        tenant = await first.environment("e1", FIXTURES["FX-S"]())
        second = await stack.enter_async_context(serving(database_url, http=HttpToolsProtocol))
        assert (await tenant.post("onhand", {**STOCK, "id": "stock"}))["processingStatus"] == "success"
        yield tenant, Tenant(second, tenant.environment, tenant.token)


def request(
    tenant: Tenant, body: object, *, path: str = PATH, method: str = "POST", version: str = "1.1", **more: str
) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Host": "x", "Content-Length": str(len(raw)), **tenant.headers}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"{method} {path} HTTP/{version}\r\n{lines}\r\n".encode() + raw


async def talk(tenant: Tenant, parts: list[bytes], answers: int) -> list[bytes]:
    """Send parts, read so many answers, then what else comes until the server closes or idles."""
    host, _, port = tenant.running.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        return [await answer(reader) for _ in range(answers)]
    finally:
        writer.close()
        await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length
    varying = re.sub(rb"(x-ms-[a-z-]+|date): [^\r]+", rb"\1: *", head)
    return varying + await reader.readexactly(int(length[1]))


CASES = {
    "accepted": ({**RESERVE, "id": "1"}, {}, "onhand/reserve"),
    "shortage": ({**RESERVE, "id": "2", "quantity": 99}, {}, "onhand/reserve"),
    "other body": ({**RESERVE, "id": "stock"}, {}, "onhand/reserve"),
    "not JSON": (b"nope", {}, "onhand/reserve"),
    "bulk": ([{**RESERVE, "id": "3"}, 7], {"path": f"{PATH}/bulk"}, "onhand/reserve/bulk"),
    "on hand": ({**STOCK, "id": "4"}, {"path": PATH.removesuffix("/reserve")}, "onhand"),
    "no token": ({**RESERVE, "id": "5"}, {"Authorization": ""}, "onhand/reserve"),
    "bad token": ({**RESERVE, "id": "5"}, {"Authorization": "Bearer x"}, "onhand/reserve"),
    "unknown environment": ({**RESERVE, "id": "6"}, {"path": PATH.replace("e1", "e9")}, "onhand/reserve"),
    "upper-case environment": ({**RESERVE, "id": "7"}, {"path": PATH.replace("e1", "E1")}, "onhand/reserve"),
    "closing": ({**RESERVE, "id": "8"}, {"Connection": "close"}, "onhand/reserve"),
    "other case of the path": ({**RESERVE, "id": "9"}, {"path": PATH.replace("onhand", "OnHand")}, None),
    "trailing slash": ({**RESERVE, "id": "10"}, {"path": PATH + "/"}, None),
    "query string": ({**RESERVE, "id": "11"}, {"path": PATH + "?a=b"}, None),
    "escaped environment": ({**RESERVE, "id": "12"}, {"path": PATH.replace("e1", "%651")}, None),
    "old version": ({**RESERVE, "id": "13"}, {"version": "1.0"}, None),
    "old version kept alive": ({**RESERVE, "id": "14"}, {"version": "1.0", "Connection": "keep-alive"}, None),
    "expectation": ({**RESERVE, "id": "15"}, {"Expect": "100-continue"}, None),
    "other method": ({**RESERVE, "id": "16"}, {"method": "PUT"}, None),
    "large": ({**RESERVE, "id": "17", "more": "x" * BODY_BYTES_MAX}, {}, None),
    "upgrade": ({**RESERVE, "id": "18"}, {"Connection": "upgrade", "Upgrade": "websocket"}, None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_identical_answers(tenants: tuple[Tenant, Tenant], case: str) -> None:
    body, more, road = CASES[case]
    taken.clear()
    hot, plain = [await talk(tenant, [request(tenant, body, **more)], 1) for tenant in tenants]
    assert hot == plain
    assert taken == ([road] if road else [])


async def test_an_ordinary_request_needs_no_task_and_one_that_waits_does(
    tenants: tuple[Tenant, Tenant],
) -> None:
    tenant = tenants[0]
    in_tasks.clear()
    await talk(tenant, [request(tenant, {**RESERVE, "id": "quick"})], 1)
    assert in_tasks == []
    await talk(tenant, [request(tenant, {**RESERVE, "id": "refused", "modifier": "nothing"})], 1)
    await talk(tenant, [request(tenant, {**RESERVE, "id": "stranger"}, Authorization="Bearer x")], 1)
    assert in_tasks == ["_answer", "_answer"]


async def test_a_head_that_came_before_is_not_parsed_again(tenants: tuple[Tenant, Tenant]) -> None:
    def sent(identity: str, **more: str) -> bytes:
        return request(tenants[0], {**RESERVE, "id": identity}, **more)

    parsed.clear()
    apart = [sent("a"), sent("b"), sent("long"), sent("c"), sent("d", Authorization="Bearer x"), sent("e")]
    hot, plain = [[(await talk(tenant, [one], 1))[0] for one in apart] for tenant in tenants]
    assert hot == plain
    assert parsed == [apart[0], apart[2], apart[4]]
    assert b'~b","processingStatus":"success"' in hot[1], "each has the answer to its own body"


async def test_a_body_that_came_before_is_answered_as_any_other(tenants: tuple[Tenant, Tenant]) -> None:
    bodies = [
        {"id": "b1", **RESERVE},
        {"id": "b2", **RESERVE},
        {"id": "b2", **RESERVE},
        {"id": "b2", **RESERVE, "quantity": 2},
        {"id": "b3", **RESERVE, "quantity": 60},
        {"id": "b4", **RESERVE, "quantity": 60},
        {"id": "b5", **RESERVE, "modifier": "nothing"},
        {"id": "b6", **RESERVE, "modifier": "nothing"},
        {"id": "b\u00e9", **RESERVE},
        {"id": "", **RESERVE, "quantity": 60},
    ]
    made_here = re.compile(rb'"id":"ohre~[0-9a-f]{8}-[^"]+"')
    succeeded = []
    for body in bodies:
        hot, plain = [(await talk(tenant, [request(tenant, body)], 1))[0] for tenant in tenants]
        assert made_here.sub(b"*", hot) == made_here.sub(b"*", plain), body
        succeeded.append(b'"success"' in hot)
    assert succeeded == [True, True, True, *[False] * 5, True, False]


async def test_a_body_that_came_before_follows_a_new_configuration(tenants: tuple[Tenant, Tenant]) -> None:
    tenant = tenants[0]
    for identity in ("n1", "n2"):
        assert b'"success"' in (await talk(tenant, [request(tenant, {"id": identity, **RESERVE})], 1))[0]
    document = FIXTURES["FX-S"]()
    document["reservConfiguration"]["isReservEnabled"] = False
    await tenant.post("configuration/hardupdate", document)
    refused = (await talk(tenant, [request(tenant, {"id": "n3", **RESERVE})], 1))[0]
    assert b'"success"' not in refused
    assert b"switched off" in refused


async def test_a_known_head_with_another_body_than_it_says(tenants: tuple[Tenant, Tenant]) -> None:
    whole = request(tenants[0], {**RESERVE, "id": "w1"})
    end = whole.index(b"\r\n\r\n") + 4
    other = request(tenants[0], {**RESERVE, "id": "w2"})
    for parts, count in (
        ([whole[:end], whole[end:]], 1),
        ([whole[:-3], whole[-3:]], 1),
        ([whole + other], 2),
        ([whole + other[:end], other[end:]], 2),
        ([whole, other[:40], other[40:] + whole], 3),
    ):
        hot, plain = [await talk(tenant, parts, count) for tenant in tenants]
        assert hot == plain, parts


async def test_a_chunked_body_takes_the_other_road(tenants: tuple[Tenant, Tenant]) -> None:
    raw = json.dumps({**RESERVE, "id": "c"}).encode()
    answers = []
    for tenant in tenants:
        head = request(tenant, b"", Content_Length="", Transfer_Encoding="chunked")
        answers.append(await talk(tenant, [head, b"%x\r\n%b\r\n0\r\n\r\n" % (len(raw), raw)], 1))
    assert answers[0] == answers[1]
    assert taken == ["onhand"]


async def test_a_request_that_comes_byte_by_byte(tenants: tuple[Tenant, Tenant]) -> None:
    sent = request(tenants[0], {**RESERVE, "id": "slow"})
    hot, plain = [await talk(tenant, [bytes([byte]) for byte in sent], 1) for tenant in tenants]
    assert hot == plain
    assert b'"success"' in hot[0]


async def test_requests_in_one_piece_are_answered_in_order(tenants: tuple[Tenant, Tenant]) -> None:
    def sent(tenant: Tenant) -> bytes:
        bodies = [{**RESERVE, "id": f"p{number}"} for number in range(4)]
        return b"".join(
            request(tenant, body) if number != 2 else request(tenant, body, path=PATH + "/")
            for number, body in enumerate(bodies)
        )

    hot, plain = [await talk(tenant, [sent(tenant)], 4) for tenant in tenants]
    assert hot == plain
    assert [json.loads(one.partition(b"\r\n\r\n")[2])["id"] for one in hot] == [
        f"ohre~p{number}" for number in range(4)
    ]


async def test_a_connection_is_used_again_and_again_on_either_road(tenants: tuple[Tenant, Tenant]) -> None:
    tenant = tenants[0]
    host, _, port = tenant.running.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for number in range(6):
        path = PATH if number % 2 else PATH + "/"
        writer.write(request(tenant, {**RESERVE, "id": f"k{number}"}, path=path))
        assert b'"success"' in await answer(reader)
    writer.close()
    await writer.wait_closed()
    assert taken.count("onhand/reserve") == 3


async def test_an_idle_connection_is_closed_and_one_in_use_is_not(
    tenants: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = tenants[0]
    monkeypatch.setattr(tenant.running.server.config, "timeout_keep_alive", 0.3)
    host, _, port = tenant.running.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    loop = asyncio.get_running_loop()
    until, number = loop.time() + 1.0, 0
    while loop.time() < until:  # answers of both roads, each in time
        path = PATH if number % 3 else PATH + "/"
        writer.write(request(tenant, {"id": f"i{number}", **RESERVE}, path=path))
        assert await answer(reader)
        number += 1
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_connection_that_waits_for_its_answer_is_not_idle(
    tenants: tuple[Tenant, Tenant], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = tenants[0]
    monkeypatch.setattr(tenant.running.server.config, "timeout_keep_alive", 0.2)
    host, _, port = tenant.running.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request(tenant, {"id": "w0", **RESERVE}))
    assert b'"success"' in await answer(reader)
    async with await psycopg.AsyncConnection.connect(database_url) as session:
        await session.execute("SELECT FROM product FOR UPDATE")
        writer.write(request(tenant, {"id": "w1", **RESERVE}))
        await session.execute("SELECT pg_sleep(0.7)")
    assert b'"success"' in await answer(reader)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_client_that_goes_away_is_not_answered_and_its_reservation_stands(
    tenants: tuple[Tenant, Tenant],
) -> None:
    tenant = tenants[0]
    host, _, port = tenant.running.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(request(tenant, {**RESERVE, "id": "gone"}))
    await writer.drain()
    writer.transport.abort()
    again = await tenant.post("onhand/reserve", {**RESERVE, "id": "gone"})
    more = await tenant.post("onhand/reserve", {**RESERVE, "id": "next"})
    assert again["processingStatus"] == more["processingStatus"] == "success"
    assert again["afrQuantity"] - more["afrQuantity"] == 1
