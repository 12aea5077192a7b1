"""Rival (c): FastAPI and one Lua script a request on Redis, whose append-only file is flushed before each answer."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI
from redis.asyncio import BlockingConnectionPool, Redis

from bench.rivals.fastapi_transaction import Answer, ReserveBody, authorized

CONNECTIONS = int(os.environ.get("RIVAL_CONNECTIONS", "64"))
SCRIPT = Path(__file__).with_name("reserve.lua").read_text()


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Open and close the pool."""
    pool = BlockingConnectionPool(
        host="127.0.0.1", port=int(os.environ["RIVAL_REDIS_PORT"]), max_connections=CONNECTIONS, timeout=None
    )
    async with Redis(connection_pool=pool) as redis:
        application.state.reserve = redis.register_script(SCRIPT)
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/reserve", dependencies=[Depends(authorized)])
async def reserve(body: ReserveBody) -> Answer:
    """One script call."""
    named = body.dimensions
    product = body.product_id.lower()
    place = f"{body.organization_id.lower()}:{product}:{named['SiteId']}:{named['LocationId']}"
    color = named.get("ColorId", "")
    reply = await app.state.reserve(
        keys=[f"stock:{place}", f"request:{body.id}", "ledger", "holds"],
        args=[f"{color}:{named.get('SizeId', '')}", color, body.quantity, body.id, product],
    )
    accepted, available, *hold = reply.decode().split()
    if accepted == "1":
        return Answer(
            reservation_id=hold[0],
            id=f"ohre~{body.id}",
            processing_status="success",
            afr_quantity=int(available),
        )
    return Answer(
        reservation_id="",
        id=f"ohre~{body.id}",
        processing_status="failure",
        message=f"not enough stock: {available} available",
        status_code=500,
        afr_failure=True,
        afr_quantity=int(available),
    )
