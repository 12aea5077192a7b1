"""Order lines of the ERP: told over HTTP, then posted by one run of the synchronisation, each with the offset of a reservation.

The service is one process with its settings at their defaults, except that the schedule leaves the lines to the run that is
measured. Every line is of quantity 1, hard-reserved when it is told, and ends a soft reservation of a pool by automatic
offset; so a line costs the run a change of three figures, an offset and its document.
"""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from typing import Any

import asyncpg
import httpx
import msgspec

from bench.machine import resident_mb
from bench.onhand_system import ENVIRONMENT, Onhand
from bench.processes import say
from bench.session import Session, highest_memory
from bench.workload import COLOR, LOCATION, ORGANIZATION, SITE, SIZE, product

MESSAGES_AT_ONCE = 512
SENDERS = 4
LINES_OF_A_PRODUCT = 10
CALL_S = 900.0
"""Seconds a call may take; the run of the synchronisation is one call."""

DIMENSIONS = {"SiteId": SITE, "LocationId": LOCATION, "ColorId": COLOR, "SizeId": SIZE}

WRONG = """
    SELECT (SELECT count(*) FROM document WHERE kind = 'erp-line' AND NOT labels @> '{offset=done,state=settled}')
         + abs($1 - (SELECT count(*) FROM document WHERE kind = 'erp-line'))
         + (SELECT count(*) FROM hold WHERE remaining > 0)
         + abs($1 * 1000000 - (SELECT sum(s.own) FROM stock AS s
             JOIN position AS q USING (k, product_id, position_no)
             JOIN measure AS m ON m.environment_no = q.environment_no AND m.measure_id = s.measure_id
            WHERE (m.source, m.name) = ('fno', 'reservphysical')))
"""
"""Lines that are missing or not done, reservations that are left, units that are not hard-reserved; 0 is right."""


async def erp_lines(session: Session, _: set[str]) -> None:
    """P12: lines told and posted, their rates, and the memory of the service meanwhile."""
    lines = session.scale.erp_lines
    onhand = Onhand(session.cluster, session.folder, "onhand_erp")
    await session.start(onhand, lines // LINES_OF_A_PRODUCT)
    pid = onhand.server.pid if onhand.server else 0
    idle = resident_mb(pid)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{onhand.port}", headers=onhand.headers, timeout=CALL_S
    ) as http:
        await _ask(
            http,
            "PUT",
            "erp/parameters",
            {"physicalOwner": "erp", "intervalSeconds": 86_400},
            {"If-Match": "*"},
        )
        onhand.accepted += await _reserve(http, lines)
        task = asyncio.create_task(_tell_and_post(session, http, lines))
        highest = await highest_memory(pid, task)
        posted = await task
    database = await asyncpg.connect(onhand.url)
    try:
        wrong = int(await database.fetchval(WRONG, lines))
    finally:
        await database.close()
    if wrong or posted != lines:
        session.report.notes.append(f"onhand_erp: {posted} of {lines} lines posted, {wrong} contradictions")
    session.report.figures["erp_wrong"] = wrong + abs(lines - posted)
    session.report.figures["erp_mb"] = round(highest, 1)
    session.report.medians |= {
        "erp: lines": lines,
        "erp: MB idle": round(idle, 1),
        "erp: MB at most": round(highest, 1),
    }
    await session.audit(onhand)
    session.end(onhand)


async def _tell_and_post(session: Session, http: httpx.AsyncClient, lines: int) -> int:
    begun = time.perf_counter()
    await _in_parts(
        http, "erp/messages", ({"messages": part} for part in _parts(_line(n) for n in range(lines)))
    )
    told = time.perf_counter() - begun
    session.note("onhand_erp", "lines told/s", lines / told)
    say("  one run of the synchronisation")
    begun = time.perf_counter()
    answer = await _ask(http, "POST", "erp/sync/run")
    took = time.perf_counter() - begun
    session.note("onhand_erp", "lines posted/s", lines / took)
    session.report.figures["erp_sync_s"] = round(took * 100_000 / lines, 1)
    session.report.medians |= {
        "erp: lines told/s": round(lines / told),
        "erp: lines posted/s": round(lines / took),
    }
    return int(answer["posted"])


def _line(number: int) -> dict[str, Any]:
    return {
        "lineId": f"line-{number:07d}",
        "line": {
            "organizationId": ORGANIZATION,
            "productId": product(number // LINES_OF_A_PRODUCT),
            "dimensions": DIMENSIONS,
            "quantity": 1,
            "status": "reservedPhysical",
            "inventoryServiceAutoOffset": True,
        },
    }


async def _reserve(http: httpx.AsyncClient, lines: int) -> int:
    """One reservation for each product, for all its lines; returns how many."""
    bodies = (
        {
            "id": f"pool-{number:07d}",
            "organizationId": ORGANIZATION,
            "productId": product(number),
            "dimensions": DIMENSIONS,
            "quantityDataSource": "iv",
            "modifier": "softreserved",
            "quantity": LINES_OF_A_PRODUCT,
            "ifCheckAvailForReserv": True,
        }
        for number in range(lines // LINES_OF_A_PRODUCT)
    )
    path = f"/api/environment/{ENVIRONMENT}/onhand/reserve/bulk"
    await _in_parts(http, path, _parts(bodies))
    return lines // LINES_OF_A_PRODUCT


def _parts(items: Any) -> Any:  # noqa: ANN401 - an iterator of whatever is sent
    iterator = iter(items)
    while part := list(islice(iterator, MESSAGES_AT_ONCE)):
        yield part


async def _in_parts(http: httpx.AsyncClient, path: str, bodies: Any) -> None:  # noqa: ANN401 - an iterator of bodies
    """Post all bodies, a few at a time."""

    async def sender() -> None:
        for body in bodies:
            await _ask(http, "POST", path, body)

    async with asyncio.TaskGroup() as group:
        for _ in range(SENDERS):
            group.create_task(sender())


async def _ask(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
) -> Any:  # noqa: ANN401 - JSON
    where = path if path.startswith("/") else f"/v1/environments/{ENVIRONMENT}/{path}"
    content = None if body is None else msgspec.json.encode(body)
    answer = await http.request(
        method, where, content=content, headers={"Content-Type": "application/json", **(headers or {})}
    )
    if not answer.is_success:
        raise RuntimeError(f"{method} {where}: {answer.status_code} {answer.text[:500]}")
    return msgspec.json.decode(answer.content)
