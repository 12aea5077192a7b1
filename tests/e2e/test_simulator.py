"""The simulated ERP against the real service over HTTP: whatever the line does, the books agree at the end (I7)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from onhand.cli.exits import CommandFailed
from onhand.cli.simulator.model import CANCELLED, STATUSES, Erp
from onhand.cli.simulator.playing import Play, Result, Script
from onhand.cli.simulator.post import Faults
from onhand.client import AsyncClient, BearerToken
from onhand.core import presets
from tests.serving import Running, Tenant

HOSTILE = Faults(lost=15, repeated=15, late=15, disordered=15, unanswered=15)


async def environment(running: Running, profile: str = "default-2024", **parameters: Any) -> Tenant:
    made = await running.environment("sim", presets.document(profile, "sim"))
    answer = await made.native("PUT", "erp/parameters", {"physicalOwner": "erp", **parameters}, If_Match="*")
    assert answer.status_code == 200, answer.text
    return made


async def play(tenant: Tenant, **script: Any) -> Result:
    client = AsyncClient(tenant.running.url, tenant.environment, BearerToken(tenant.token))
    async with client as service:
        return await Play(service, Script(**{"orders": 25, "products": 4, "faults": HOSTILE, **script})).run()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_books_agree_whatever_the_line_does(running: Running, seed: int) -> None:
    result = await play(await environment(running), seed=seed)
    assert result.failed == []
    tally = result.tally
    assert tally.gaps
    assert tally.resent
    assert all((tally.lost, tally.repeated, tally.late, tally.disordered, tally.unanswered))
    report = await running.services.auditor.audit("sim")
    assert report.clean, report.drifts


@pytest.mark.parametrize(
    ("profile", "parameters"),
    [
        ("default-2023", {"mode": "direct"}),
        ("standalone", {"offsetModifier": "onOrder"}),
        ("default-2024", {"physicalOwner": "workflow", "warehouseOwners": {"12": "erp"}}),
    ],
)
async def test_the_books_agree_under_other_terms(
    running: Running, profile: str, parameters: dict[str, Any]
) -> None:
    result = await play(await environment(running, profile, **parameters), orders=15)
    assert result.failed == []


async def test_the_same_run_again_is_a_repeat(running: Running) -> None:
    tenant = await environment(running)
    first = await play(tenant, orders=8)
    again = await play(tenant, orders=8)
    assert (first.failed, again.failed) == ([], [])
    assert first.messages == again.messages


async def test_what_does_not_agree_is_found(running: Running) -> None:
    """The comparison can fail: an event that the ERP knows nothing of, a reservation that somebody else took back."""
    tenant = await environment(running)

    async def meddle(so_far: Play) -> None:
        if so_far.progress > 0.5 and not meddled:
            meddled.append(True)
            record = {
                "organizationId": "usmf",
                "productId": "erp-sim-P001",
                "dimensions": {"siteid": "1", "locationid": "11", "colorid": "red"},
            }
            await tenant.erp({"id": "by-hand", **record, "quantities": {"fno": {"physicalinvent": 1}}})
            await tenant.post(
                "onhand/reserve",
                {
                    "id": "by-hand",
                    **record,
                    "quantityDataSource": "iv",
                    "modifier": "softreserved",
                    "quantity": 1,
                    "ifCheckAvailForReserv": False,
                },
            )

    meddled: list[bool] = []
    result = await play(tenant, beside=meddle)
    assert result.failed == [
        "What is left of the reservations agrees",
        "The ERP's figures are the ledger's",
    ]


async def test_an_environment_that_does_not_fit_is_refused(running: Running) -> None:
    tenant = await environment(running, figures="supplied")
    with pytest.raises(CommandFailed, match="figures is not 'derived'"):
        await play(tenant)
    assert (await tenant.native("GET", "erp/lines")).json()["items"] == []


def test_the_same_seed_tells_the_same_story_and_another_one_another() -> None:
    def told(seed: int) -> list[Any]:
        return [(one.line.id, one.opens, one.move) for one in Erp(seed, "run", 30).steps()]

    assert told(1) == told(1)
    assert told(1) != told(2)


@pytest.mark.parametrize("seed", range(20))
def test_the_model_moves_everything_to_its_end(seed: int) -> None:
    erp = Erp(seed, "run", 40)
    messages = list(erp.steps())
    assert [one.sequence for one in messages] == list(range(1, len(messages) + 1))
    assert erp.progress == 1.0
    for line in erp.lines:
        assert set(+line.standing) <= {STATUSES[-1], CANCELLED}
        assert sum(line.standing.values()) == line.quantity
        assert 0 <= line.due <= line.quantity
    kinds = Counter(one.move.get("to") for one in messages)
    assert set(kinds) == {None, CANCELLED, *STATUSES}
