"""The committed description, fuzzed against the running service: no failure, and answers as described."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serving import serving

DESCRIPTION = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8"))
ENVIRONMENT = "fuzzed"
NOT_DONE = frozenset({501, 503})
EXAMPLES = 6
SPARED = frozenset({"DELETE /v1/environments/{environment}"})
"""Would take the environment away from the others."""
AS_DESCRIBED = [response_schema_conformance, status_code_conformance, content_type_conformance]


@dataclass
class Target:
    """A service in a thread of its own, because the fuzzer is not asynchronous."""

    url: str
    token: str


@pytest.fixture
def target(database_url: str) -> Iterator[Target]:
    found: list[Target] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with serving(database_url) as running:
            await running.environment(ENVIRONMENT)
            found.append(Target(running.url, await running.token("*", client="fuzzer")))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert ready.wait(60), "the service did not start"
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()


@pytest.mark.slow
def test_every_operation_holds(target: Target) -> None:
    failures: list[str] = []
    for result in schemathesis.openapi.from_dict(DESCRIPTION).get_all_operations():
        operation = result.ok()
        if operation.label not in SPARED:
            fuzz(operation, target, failures)
    assert not failures, "\n\n".join(failures)


def fuzz(operation: APIOperation, target: Target, failures: list[str]) -> None:
    """Send the examples of one operation; what goes wrong is collected, so that one run shows all of it."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def probe(case: schemathesis.Case) -> None:
        if "environment" in case.path_parameters:
            case.path_parameters["environment"] = ENVIRONMENT  # or hardly a request would reach its handler
        answer = case.call(base_url=target.url, headers={"Authorization": f"Bearer {target.token}"})
        if answer.status_code >= 500 and answer.status_code not in NOT_DONE:
            failures.append(f"{operation.label} {answer.status_code}: {answer.text}")
            return
        try:
            case.validate_response(answer, checks=AS_DESCRIBED)
        except FailureGroup as group:
            failures.append(f"{operation.label} {answer.status_code}: {group.exceptions[0]}")

    probe()
