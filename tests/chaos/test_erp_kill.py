"""An ERP whose service is killed again and again: kill -9 between any two instructions, and each unit is offset once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from onhand.cli.simulator.playing import Play, Result, Script
from onhand.cli.simulator.post import Faults
from onhand.client import AsyncClient

pytestmark = pytest.mark.chaos

ENVIRONMENT = "5c1f7a52-31a8-4a0b-9a4e-0f3f3d8c2b11"
KILLS = 4


def test_the_books_agree_after_every_kill(two_services, run_command):
    """One process is killed under the simulator, the other one goes on synchronising what waits."""
    killed = 0

    async def kill(so_far: Play) -> None:
        nonlocal killed
        if so_far.progress > (killed + 1) / (KILLS + 1):
            killed += 1
            two_services[0].kill()
            two_services[0].start()

    async def play() -> Result:
        parameters: dict[str, Any] = {"physicalOwner": "erp", "intervalSeconds": 1}
        async with httpx.AsyncClient(base_url=two_services[1].url) as http:
            answer = await http.put(
                f"/v1/environments/{ENVIRONMENT}/erp/parameters", json=parameters, headers={"If-Match": "*"}
            )
            assert answer.status_code == 200, answer.text
        faults = Faults(lost=8, repeated=8, late=8, disordered=8, unanswered=8)
        script = Script(seed=9, run="chaos", orders=120, products=6, faults=faults, beside=kill)
        client = AsyncClient(two_services[0].url, ENVIRONMENT, attempts_max=14)
        async with client as service:
            return await Play(service, script).run()

    result = asyncio.run(play())
    assert killed == KILLS
    assert result.failed == []
    assert result.tally.gaps
    verified = run_command("verify", database_url=two_services[0].database_url)
    assert verified.returncode == 0, verified.stdout + verified.stderr
