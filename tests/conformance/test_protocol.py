"""Specification 11, rows A: protocol and authentication."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Make
from tests.serving import Running

FIRST_HOP = "/contoso.example/oauth2/v2.0/token"


async def first_hop(running: Running, method: str = "POST") -> str:
    secret = await running.services.access.create_client("erp", ("e1",))
    form = {
        "client_id": "erp",
        "client_secret": secret,
        "grant_type": "client_credentials",
        "scope": "0cdb527f-a8d1-4bf8-9436-b352c68682b2/.default",
    }
    answer = await running.http.request(method, FIRST_HOP, data=form)
    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert body["token_type"] == "Bearer"  # noqa: S105 - the kind of token
    assert body["expires_in"] == body["ext_expires_in"] == 3600
    return str(body["access_token"])


def exchange(assertion: str, environment: str = "e1") -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": "aad_app",
        "client_assertion": assertion,
        "scope": "https://inventoryservice.operations365.dynamics.com/.default",
        "context": environment,
        "context_type": "finops-env",
    }


async def test_A01_ping_needs_no_token(running: Running) -> None:
    assert (await running.http.get("/health/ping")).status_code == 200


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_A02_token_exchange(running: Running, tenant: Make, method: str) -> None:
    await tenant("FX-S")
    answer = await running.http.post("/token", json=exchange(await first_hop(running, method)))
    body = answer.json()
    assert answer.status_code == 200
    assert body["token_type"] == "bearer"  # noqa: S105 - the kind of token
    assert body["expires_in"] == 3600
    called = await running.http.get(
        "/api/environment/e1/allpartitionids", headers={"Authorization": f"Bearer {body['access_token']}"}
    )
    assert called.status_code == 200


async def test_A04_security_service_token(running: Running, tenant: Make) -> None:
    await tenant("FX-S")
    body = {
        name.title().replace("_", "_"): value for name, value in exchange(await first_hop(running)).items()
    }
    answer = await running.http.post("/securityservice/token", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_in"] == 3600


async def test_A05_bad_tokens_are_401_without_body(running: Running, tenant: Make) -> None:
    iv = await tenant("FX-S")
    path = iv.path("allpartitionids")
    for headers in ({}, {"Authorization": "Bearer garbage"}, {"Authorization": "Basic abc"}):
        answer = await running.http.get(path, headers=headers)
        assert (answer.status_code, answer.content) == (401, b"")
    running.clock.ahead_s = 3_601
    answer = await running.http.get(path, headers=iv.headers)
    assert (answer.status_code, answer.content) == (401, b"")


async def test_A06_first_hop_token_is_refused(running: Running, tenant: Make) -> None:
    iv = await tenant("FX-S")
    headers = {"Authorization": f"Bearer {await first_hop(running)}"}
    assert (await running.http.get(iv.path("allpartitionids"), headers=headers)).status_code == 401


async def test_A07_scheme_in_lower_case_and_no_version(running: Running, tenant: Make) -> None:
    iv = await tenant("FX-S")
    body = {"filters": {"organizationId": ["org1"], "productId": ["A0001"]}}
    answer = await running.http.post(
        iv.path("onhand/indexquery"), json=body, headers={"Authorization": f"bearer {iv.token}"}
    )
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.implementation_choice
async def test_A09_token_of_another_environment(running: Running, tenant: Make) -> None:
    iv = await tenant("FX-S")
    await tenant("FX-S", "e2")
    answer = await running.http.get("/api/environment/e2/allpartitionids", headers=iv.headers)
    assert (answer.status_code, answer.content) == (403, b"")


async def test_A10_every_response_has_ids(running: Running, tenant: Make) -> None:
    iv = await tenant("FX-S")
    answers = [
        await running.http.get("/health/ping"),
        await running.http.get("/nowhere"),
        await running.http.delete("/livez"),
        await running.http.get(iv.path("allpartitionids")),
        await running.http.get(iv.path("nowhere"), headers=iv.headers),
        await iv.send("GET", "allpartitionids"),
        await iv.native("GET", "availability"),
    ]
    for answer in answers:
        assert answer.headers["x-ms-correlation-id"], answer.request.url
        assert answer.headers["x-ms-service-request-id"], answer.request.url
    assert len({answer.headers["x-ms-correlation-id"] for answer in answers}) == len(answers)


async def test_2_1_paths_tolerate_case_slashes_and_white_space(tenant: Make) -> None:
    iv = await tenant("FX-S")
    for rest in ("AllPartitionIds", "allpartitionids/", "allpartitionids%0A", "allpartitionids%20/%0A"):
        answer = await iv.send("GET", rest)
        assert (answer.status_code, answer.json()) == (200, []), rest


async def test_2_1_unknown_headers_are_ignored_and_quoted_version_accepted(tenant: Make) -> None:
    iv = await tenant("FX-S")
    body = {"filters": {"organizationId": ["org1"], "productId": ["A0001"]}}
    answer = await iv.send("POST", "onhand/indexquery", body, Api_Version='"1.0"', ContentType="bogus")
    assert (answer.status_code, answer.json()) == (200, [])
