"""Bounds and faults of the edge over HTTP; the description and its page."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from urllib.parse import urlparse

import httpx
import pytest

from onhand.api import description
from onhand.api.routes import ROUTES
from onhand.api.services import Limits
from onhand.service.principals import SCOPES
from tests.serving import Running, Tenant, serving

RESERVE = {
    "id": "r",
    "organizationId": "org",
    "productId": "P",
    "dimensions": {"siteId": "1", "locationId": "11"},
    "quantityDataSource": "iv",
    "modifier": "softreserved",
    "quantity": 1,
}


async def test_health_and_metrics(running: Running) -> None:
    for path in ("/livez", "/readyz", "/health/ping", "/health/ping/"):
        assert (await running.http.get(path)).status_code == 200, path
    shown = (await running.http.get("/metrics")).text
    assert 'onhand_requests_total{outcome="200",reason="",route="GET /livez"} 1.0' in shown
    await running.services.batcher.stop()
    answer = await running.http.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]) == (503, {"lanes": "a lane has stopped"})


async def test_a_stopping_service_says_retry(shop: Tenant) -> None:
    await shop.running.services.batcher.stop()
    answer = await shop.send("POST", "onhand/reserve", RESERVE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (answer.json()["processingStatus"], answer.json()["statusCode"]) == ("failure", 503)
    bulk = await shop.send("POST", "onhand/reserve/bulk", [RESERVE])
    assert (bulk.status_code, bulk.headers["retry-after"]) == (503, "1")
    native = await shop.native(
        "POST",
        "reservations",
        {**{k: RESERVE[k] for k in ("organizationId", "productId", "dimensions", "quantity")}},
    )
    assert (native.status_code, native.json()["code"], native.json()["retryable"]) == (503, "busy", True)


async def test_size_of_bodies_and_queries(database_url: str) -> None:
    limits = Limits(body_bytes_max=1_000, query_bytes_max=500)
    async with serving(database_url, limits=limits) as running:
        tenant = await running.environment("e1")
        large = await tenant.send("POST", "onhand/reserve", {"id": "x" * 1_000})
        assert (large.status_code, large.json()["statusCode"]) == (413, 413)

        async def chunks():
            for _ in range(20):
                yield b"x" * 100

        streamed = await running.http.post(tenant.path("onhand"), content=chunks(), headers=tenant.headers)
        assert streamed.status_code == 413
        assert (await tenant.send("GET", "onhand?siteId=" + "x" * 500)).status_code == 414
        assert (await tenant.send("GET", "allpartitionids")).status_code == 200


async def test_rate_of_one_client(database_url: str) -> None:
    async with serving(
        database_url, limits=Limits(requests_per_second_max=0.01, burst_requests=3)
    ) as running:
        tenant, other = await running.environment("e1"), await running.environment("e2")
        answers = [await tenant.send("GET", "allpartitionids") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert (await other.send("GET", "allpartitionids")).status_code == 200


async def test_unknown_routes_methods_and_environments(shop: Tenant) -> None:
    assert (await shop.send("GET", "nowhere")).status_code == 404
    wrong = await shop.send("PUT", "onhand", {})
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")
    native = await shop.native("PUT", "reservations", {})
    assert (native.status_code, native.headers["content-type"]) == (405, "application/problem+json")
    everywhere = {"Authorization": f"Bearer {await shop.running.token('*')}"}
    for path in ("/api/environment/none/allpartitionids", "/v1/environments/none/partitions"):
        answer = await shop.running.http.get(path, headers=everywhere)
        assert answer.status_code == 404, path


async def test_scopes_are_required(running: Running) -> None:
    await running.environment("e1")
    reader = {"Authorization": f"Bearer {await running.token('e1', ('onhand:read',))}"}
    for route in ROUTES:
        if route.scope and "{environment}" in route.path:
            path = route.path.replace("{environment}", "e1").replace("{", "").replace("}", "")
            answer = await running.http.request(route.method, path, headers=reader)
            assert (answer.status_code == 403) is (route.scope != "onhand:read"), route.label
            if answer.status_code == 403 and route.surface == "compat":
                assert answer.content == b""


async def test_a_failure_shows_nothing_of_the_inside(
    shop: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_environment_id: str) -> None:
        raise RuntimeError("SELECT secret FROM inside")

    monkeypatch.setattr(type(shop.running.services.queries), "partitions", lambda _self, name: broken(name))
    for answer in (await shop.send("GET", "allpartitionids"), await shop.native("GET", "partitions")):
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert answer.headers["x-ms-correlation-id"] in answer.text


async def test_a_client_that_goes_away_does_no_harm(shop: Tenant) -> None:
    url = urlparse(shop.running.url)
    body = json.dumps({**RESERVE, "id": "gone"}).encode()
    head = f"POST {shop.path('onhand/reserve')} HTTP/1.1\r\nHost: x\r\nAuthorization: {shop.headers['Authorization']}\r\n"
    for cut in (len(body), 10):
        _, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:cut])
        await writer.drain()
        writer.transport.abort()
    for number in range(9):
        answer = await shop.post("onhand/reserve", {**RESERVE, "id": f"after {number}"})
        assert answer["processingStatus"] == "success"


async def test_many_callers_never_oversell(shop: Tenant) -> None:
    bodies = [{**RESERVE, "id": f"r{number}", "quantity": "1.5"} for number in range(40)]
    answers = await asyncio.gather(*(shop.post("onhand/reserve", body) for body in bodies))
    accepted = [answer for answer in answers if answer["processingStatus"] == "success"]
    assert len(accepted) == 6  # 9 of 10 pieces
    assert all(answer["afrFailure"] for answer in answers if answer not in accepted)
    assert (await shop.native("POST", "verify")).json()["clean"] is True


NONSENSE = (
    b"", b"{", b"null", b"[]", b"{}", b"[1]", b'"x"', b"[[]]", b'{"id":"\\u0000"}', b"[" * 50_000, b"\xff\xfe",
    b'{"filters":[],"groupByValues":{"a":1}}', b'{"filters":{"productId":[{}],"values":[1]},"returnNegative":"perhaps"}',
    b'{"document":{"inventorySystemConfigurations":[1],"reservConfiguration":"x"},"switches":{"valueCase":5}}',
    b'{"documents":1e999999999}', b'{"environmentId":"../..","clientId":"","partitionIds":["%00"],"sources":["x"]}',
)  # fmt: skip
QUERIES = (
    "",
    "?a=%00",
    "?limit=-1&after=%ff&version=x&since=yesterday&jobId=x&newversion=9&pageNumber=0&open=maybe",
)


async def test_nonsense_is_never_a_failure(running: Running) -> None:
    tenant = await running.environment("e1")
    everywhere = {"Authorization": f"Bearer {await running.token('*')}", "If-Match": "nonsense"}
    for route in ROUTES:
        path = route.path.replace("{environment}", "e1").replace("{", "").replace("}", "")
        if route.method == "DELETE" and path == "/v1/environments/e1":
            continue
        for number, raw in enumerate(NONSENSE if route.reads_body else NONSENSE[:1]):
            for query in QUERIES if number < 2 else QUERIES[:1]:
                answer = await running.http.request(
                    route.method, path + query, content=raw, headers=everywhere
                )
                allowed = answer.status_code < 500 or answer.status_code == 501
                assert allowed, (route.label, query, raw[:60], answer.text)
    assert (await tenant.send("GET", "allpartitionids")).json() == []


async def test_openapi_and_docs(running: Running) -> None:
    served = await running.http.get("/openapi.json")
    document = served.json()
    assert document["openapi"] == "3.1.0"
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len(operations) == len(ROUTES) == len({one["operationId"] for one in operations})
    assert set(
        document["components"]["securitySchemes"]["token"]["flows"]["clientCredentials"]["scopes"]
    ) == set(SCOPES)
    page = await running.http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert 'id="shortage"' in page.text
    assert "<code>/api/environment</code>" in page.text
    assert "`" not in page.text


def test_committed_description_is_current() -> None:
    committed = Path(__file__).parents[2] / "docs" / "openapi.json"
    assert committed.read_bytes() == description.description(), (
        "python -m onhand.api.openapi > docs/openapi.json"
    )


async def test_metadata_and_keys(running: Running) -> None:
    metadata = (await running.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["token_endpoint"].endswith("/oauth2/token")
    keys = (await running.http.get("/.well-known/jwks.json")).json()["keys"]
    assert [key["kty"] for key in keys] == ["EC"]
    assert "d" not in keys[0]


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, 401, "invalid_client"),
    ],
)
async def test_refused_token_requests(
    running: Running, form: dict[str, str], status: int, error: str
) -> None:
    answer = await running.http.post("/oauth2/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert (await running.http.post("/token", json=[])).status_code == 400
    assert (
        await running.http.post("/token", json={"client_assertion": "x", "context": "e1"})
    ).status_code == 401


async def test_basic_credentials(running: Running) -> None:
    secret = await running.services.access.create_client("pos", ("e1",))
    answer = await running.http.post(
        "/oauth2/token", data={"grant_type": "client_credentials"}, auth=httpx.BasicAuth("pos", secret)
    )
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Health/Ping/", 200),
        ("POST", "/Token", 401),
        ("POST", "/SecurityService/TOKEN/", 401),
        ("POST", "/Contoso.com/OAuth2/V2.0/Token", 401),
        ("POST", "/OAuth2/token%0A", 400),
    ],
)
async def test_open_paths_in_any_case(running: Running, method: str, path: str, status: int) -> None:
    answer = await running.http.request(method, path, json={"client_assertion": "x", "Context": "e1"})
    assert answer.status_code == status


async def test_wrong_method_names_all_right_ones(shop: Tenant) -> None:
    answer = await shop.native("PATCH", "reservations", {})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert (answer.json()["code"], answer.json()["detail"]) == (
        "wrong-method",
        "The operation takes GET, HEAD, POST.",
    )


@pytest.mark.parametrize("credentials", ["a\0b:x", "%00:x", "a:%00"])
async def test_credentials_with_nul_characters_are_wrong_credentials(
    running: Running, credentials: str
) -> None:
    answer = await running.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()},
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_body_that_does_not_come_is_not_waited_for(database_url: str) -> None:
    async with serving(database_url, limits=Limits(body_s=0.2)) as running:
        url = urlparse(running.url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\ngrant")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in head
        writer.close()


async def test_a_write_cut_off_by_the_deadline_does_not_say_that_nothing_was_recorded(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(database_url, limits=Limits(deadline_s=0.2)) as running:
        tenant = await running.environment("e1")

        async def never(*_given: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(type(running.services.jobs), "wipe", never)
        monkeypatch.setattr(type(running.services.queries), "partitions", never)
        written = await tenant.native("POST", "partitions/wipe", {"partitionIds": []})
        assert (written.status_code, written.json()["code"]) == (503, "outcome-unknown")
        read = await tenant.native("GET", "partitions")
        assert (read.status_code, read.json()["code"]) == (503, "deadline-exceeded")


async def test_a_byte_order_mark_is_ignored(shop: Tenant) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(RESERVE).encode()
    answer = await shop.running.http.post(shop.path("onhand/reserve"), content=body, headers=shop.headers)
    assert answer.json()["processingStatus"] == "success"


@pytest.mark.parametrize("rest", ["onhand/bulk", "setonhand/iv/bulk"])
async def test_a_measure_in_two_spellings_is_ambiguous(shop: Tenant, rest: str) -> None:
    body = {**{k: RESERVE[k] for k in ("id", "organizationId", "productId", "dimensions")}}
    body["quantities"] = {"iv": {"onhand": 5}, "IV": {"OnHand": 1}}
    (failed,) = (await shop.post(rest, [body]))["failure"]
    assert failed["statusCode"] == 400
    assert "twice" in failed["message"]
