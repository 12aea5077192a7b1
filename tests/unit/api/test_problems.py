"""The table of problems, ids, rates and bodies of the edge."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest

from onhand.api import ids, problems
from onhand.api.pipeline import Disconnected, read_body
from onhand.api.problems import EdgeProblem
from onhand.api.rates import Rates
from onhand.core.outcomes import Reason, Rejected
from onhand.service import faults


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_problem(reason: Reason) -> None:
    reply = problems.of_rejection(Rejected(reason, "why", available=1_500_000))
    body = msgspec.json.decode(reply.body)
    assert 400 <= reply.status < 500
    assert (body["status"], body["code"], body["detail"]) == (reply.status, reason, "why")
    assert ("available" in body) is (reason is Reason.SHORTAGE)


@pytest.mark.parametrize(
    "kind", [one for one in vars(faults).values() if isinstance(one, type) and issubclass(one, faults.Fault)]
)
def test_every_fault_has_a_problem(kind: type[faults.Fault]) -> None:
    reply = problems.of_fault(kind("SELECT secret FROM inside"))
    assert b"secret" not in reply.body
    assert reply.status in (404, 500, 503)
    assert (reply.status == 503) is (msgspec.json.decode(reply.body)["retryable"] is True)


def test_ids_are_guids_and_differ() -> None:
    made = {ids.new_id() for _ in range(1_000)} | {ids.request_id().decode() for _ in range(1_000)}
    assert len(made) == 2_000
    assert all(str(uuid.UUID(one)) == one for one in made)
    assert uuid.UUID(ids.new_id()).version == 7


def test_new_ids_grow_with_time() -> None:
    first, second = ids.new_id(), ids.new_id()
    assert first[:13] <= second[:13]


def test_rates_let_a_burst_pass_then_hold_back() -> None:
    rates = Rates(1.0, 3)
    assert [rates.wait_s("a") > 0 for _ in range(4)] == [False, False, False, True]
    assert rates.wait_s("b") == 0
    assert Rates(0.0, 1).wait_s("a") == Rates(0.0, 1).wait_s("a") == 0


def receiver(*messages: dict[str, Any]) -> Any:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return receive


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_body_in_parts() -> None:
    assert await read_body(receiver(part(b"ab", more=True), part(b"c")), None, 3) == b"abc"


@pytest.mark.parametrize(
    ("length", "messages"),
    [(b"4", []), (None, [part(b"abcd")]), (None, [part(b"ab", more=True), part(b"cd", more=True)])],
)
async def test_too_large_bodies_are_refused_while_they_are_read(length: bytes | None, messages: Any) -> None:
    with pytest.raises(EdgeProblem) as refused:
        await read_body(receiver(*messages), length, 3)
    assert refused.value.status == 413


async def test_client_that_goes_away() -> None:
    with pytest.raises(Disconnected):
        await read_body(receiver(part(b"a", more=True), {"type": "http.disconnect"}), None, 3)
