"""Rival (b), the usual one: FastAPI, pydantic models, an asyncpg pool, a transaction of plain statements."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

CONNECTIONS = int(os.environ.get("RIVAL_CONNECTIONS", "32"))
AUTHORIZATION = "Bearer " + os.environ.get("RIVAL_TOKEN", "bench")


class ReserveBody(BaseModel):
    """A reservation as it is asked for."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: str
    organization_id: str
    product_id: str
    dimensions: dict[str, str]
    quantity_data_source: str
    modifier: str
    quantity: int
    if_check_avail_for_reserv: bool = True


class Answer(BaseModel):
    """The envelope."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    reservation_id: str
    id: str
    processing_status: str
    message: str = ""
    status_code: int = 200
    afr_failure: bool = False
    afr_quantity: int


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Open and close the pool."""
    async with asyncpg.create_pool(
        os.environ["RIVAL_DATABASE"],
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        server_settings={"jit": "off"},
    ) as pool:
        application.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


def authorized(authorization: Annotated[str, Header()]) -> None:
    """Refuse callers without the token."""
    if authorization != AUTHORIZATION:
        raise HTTPException(401)


@app.post("/reserve", dependencies=[Depends(authorized)])
async def reserve(body: ReserveBody) -> Answer:
    """Lock the place, check three levels, write."""
    place = (
        body.organization_id.lower(),
        body.product_id.lower(),
        body.dimensions["SiteId"],
        body.dimensions["LocationId"],
    )
    color, size = body.dimensions.get("ColorId", ""), body.dimensions.get("SizeId", "")
    async with app.state.pool.acquire() as session, session.transaction():
        rows = await session.fetch(
            "SELECT color, size, on_hand - reserved AS available, reserved FROM stock"
            " WHERE organization = $1 AND product = $2 AND site = $3 AND location = $4"
            " ORDER BY color, size FOR UPDATE",
            *place,
        )
        seen = await session.fetchrow("SELECT available, hold_id FROM request WHERE request_id = $1", body.id)
        if seen:
            return _success(body.id, seen["hold_id"], seen["available"])
        cell = sum(row["available"] for row in rows if row["color"] == color and row["size"] == size)
        colour = sum(row["available"] for row in rows if row["color"] == color)
        available = min(cell, colour, sum(row["available"] for row in rows))
        if available < body.quantity:
            return Answer(
                reservation_id="",
                id=f"ohre~{body.id}",
                processing_status="failure",
                message=f"not enough stock: {available} available",
                status_code=500,
                afr_failure=True,
                afr_quantity=available,
            )
        available -= body.quantity
        level = await session.fetchval(
            "UPDATE stock SET reserved = reserved + $7 WHERE organization = $1 AND product = $2 AND site = $3"
            " AND location = $4 AND color = $5 AND size = $6 RETURNING reserved",
            *place,
            color,
            size,
            body.quantity,
        )
        hold = await session.fetchval(
            "INSERT INTO hold (organization, product, site, location, color, size, quantity, request_id)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING hold_id",
            *place,
            color,
            size,
            body.quantity,
            body.id,
        )
        await session.execute(
            "INSERT INTO ledger (organization, product, site, location, color, size, delta, level, hold_id,"
            " request_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            *place,
            color,
            size,
            body.quantity,
            level,
            hold,
            body.id,
        )
        await session.execute(
            "INSERT INTO request (request_id, available, hold_id) VALUES ($1, $2, $3)",
            body.id,
            available,
            hold,
        )
    return _success(body.id, hold, available)


def _success(request_id: str, hold: int, available: int) -> Answer:
    return Answer(
        reservation_id=str(hold), id=f"ohre~{request_id}", processing_status="success", afr_quantity=available
    )
