"""Rival (a), the best hand-rolled one: raw ASGI, msgspec, one prepared database function call a request.

No framework, no pool object (a connection costs an append and a pop), no reset between uses. With no free
connection a request waits in order of arrival.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec

from bench.rivals.wire import ReserveBody, answer

CONNECTIONS = int(os.environ.get("RIVAL_CONNECTIONS", "32"))
AUTHORIZATION = b"Bearer " + os.environ.get("RIVAL_TOKEN", "bench").encode()
RESERVE = "SELECT accepted, available, hold FROM reserve($1, $2, $3, $4, $5, $6, $7, $8)"

_free: deque[Any] = deque()
_waiting: deque[asyncio.Future[Any]] = deque()
_decode = msgspec.json.Decoder(ReserveBody).decode
_encode = msgspec.json.Encoder().encode


async def _open() -> None:
    for _ in range(CONNECTIONS):
        session = await asyncpg.connect(os.environ["RIVAL_DATABASE"], server_settings={"jit": "off"})
        _free.append(await session.prepare(RESERVE))


async def _call(body: ReserveBody) -> asyncpg.Record:
    if _free:
        statement = _free.pop()
    else:
        turn = asyncio.get_running_loop().create_future()
        _waiting.append(turn)
        statement = await turn
    try:
        named = body.dimensions
        return await statement.fetchrow(
            body.id,
            body.organization_id.lower(),
            body.product_id.lower(),
            named["SiteId"],
            named["LocationId"],
            named.get("ColorId", ""),
            named.get("SizeId", ""),
            body.quantity,
        )
    finally:
        while _waiting:
            turn = _waiting.popleft()
            if not turn.done():
                turn.set_result(statement)
                break
        else:
            _free.append(statement)


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """The ASGI application: any POST is a reserve."""
    if scope["type"] == "lifespan":
        await receive()
        await _open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status, content = 401, b""
    if any(name == b"authorization" and value == AUTHORIZATION for name, value in scope["headers"]):
        event = await receive()
        raw = event["body"]
        while event.get("more_body"):
            event = await receive()
            raw += event["body"]
        try:
            body = _decode(raw)
        except msgspec.MsgspecError as error:
            status, content = 400, _encode({"statusCode": 400, "message": str(error)})
        else:
            row = await _call(body)
            status, content = 200, _encode(answer(body.id, accepted=row[0], available=row[1], hold=row[2]))
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))],
        }
    )
    await send({"type": "http.response.body", "body": content})
