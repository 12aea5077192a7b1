"""Order specification 2.5 and D7: a step that is an HTTP endpoint, against a real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from onhand.core.orders.outside import NOT_ALLOWED, NOT_ANSWERED, Answer, NoAnswer, Request
from onhand.outside import HttpOutside
from tests.conformance.orders.conftest import (
    STEP,
    WAREHOUSES,
    Shop,
    inventory_settings,
    only,
    properties,
    released,
    results,
)
from tests.e2e.orders.order_calls import line
from tests.serving import Running, serving


class Endpoint:
    """A little HTTP server that records what it gets and answers what a test says."""

    def __init__(self) -> None:
        self.port = 0
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.answer: Any = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.before_answer: Callable[[], Awaitable[None]] | None = None

    def url(self, path: str = "/hooks/order") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in head[1:] if one)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.got.append((head[0], headers, json.loads(body)))
        if self.before_answer is not None:
            await self.before_answer()
        raw = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(raw)}\r\n{extra}\r\n".encode() + raw)
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with listening() as made:
        yield made


@pytest.fixture
async def running(database_url: str, endpoint: Endpoint) -> AsyncIterator[Running]:
    async with serving(database_url, http_actions=(endpoint.url("/hooks"),)) as service:
        yield service


@pytest.fixture
async def shop(running: Running) -> Shop:
    made = Shop(await running.environment("shop"), running=running)
    await made.stock(10)
    await made.configure(warehouses=WAREHOUSES, inventory=inventory_settings())
    return made


def action(endpoint: Endpoint, path: str = "/hooks/order", **more: Any) -> dict[str, Any]:
    return {"name": "HttpAction", "id": "mine", "connector": endpoint.url(path), **more}


async def test_the_endpoint_gets_order_and_step(shop: Shop, endpoint: Endpoint) -> None:
    await shop.workflow(Step=[action(endpoint, properties=properties(flavour="plain"))])
    await shop.given(released("S1", line("L1", 2)), colour="red")
    assert only(await shop.run(shipment_id="S1"))["actionStatus"] == "Success"
    ((request, headers, body),) = endpoint.got
    assert request.startswith("POST /hooks/order ")
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"].endswith("/0/mine")
    assert (body["value"]["id"], body["value"]["status"], body["value"]["colour"]) == ("O1", "Step", "red")
    assert body["value"]["orderForm"]["shipments"][0]["lineItems"][0]["quantity"] == 2
    assert (body["workflowStep"]["name"], body["shipmentId"]) == ("HttpAction", "S1")
    assert body["workflowStep"]["properties"][0]["value"] == "plain"


async def test_results_are_taken_over(shop: Shop, endpoint: Endpoint) -> None:
    endpoint.answer = {
        "OrderActionExecutionResults": [
            {"actionType": "Fraud", "actionStatus": "Success", "message": "no fraud"},
            {"actionType": "Gift", "actionStatus": "warning", "triggerNewStatus": "Packed"},
        ]
    }
    await shop.workflow(Step=[action(endpoint), STEP], Packed=[])
    await shop.given()
    done = await shop.run()
    assert results(done) == [
        ("Fraud", "Success"),
        ("Gift", "Warning"),
        ("HttpAction", "Warning"),
        (STEP, "Success"),
    ]
    assert (await shop.order())["status"] == "Packed"


@pytest.mark.parametrize("aborted", [False, True])
async def test_an_error_goes_on_and_an_abort_halts(shop: Shop, endpoint: Endpoint, *, aborted: bool) -> None:
    endpoint.answer = {
        "isAborted": aborted,
        "orderActionExecutionResults": [{"actionStatus": "Error", "errorReason": "no credit"}],
    }
    await shop.workflow(Step=[action(endpoint), STEP])
    await shop.given()
    done = await shop.run()
    assert done["isAborted"] is aborted
    assert [one for one, _ in results(done)] == ["HttpAction", "HttpAction", *([] if aborted else [STEP])]
    (failure,) = (await shop.order())["errors"]
    assert "no credit" in failure["message"]
    assert await shop.levels() == (10 if aborted else 9, 0)


async def test_a_patch_is_applied_but_never_to_the_ledger(shop: Shop, endpoint: Endpoint) -> None:
    await shop.stock(5, location="WH2")
    await shop.workflow(New=["IncreaseReservedInventory"], Step=[action(endpoint)])
    await shop.given(released("S1", line("L1", 2)))
    endpoint.answer = {
        "orderPatch": {
            "id": "OTHER",
            "tags": ["vip"],
            "customField": 7,
            "orderForm": {
                "shipments": [
                    {
                        "shipmentId": "S1",
                        "warehouseCode": "WH2",
                        "status": "Released",
                        "lineItems": [
                            line("L1", 2, reservedInventoryQuantity=99, holdId="aaaaaaaaaaaaaaaa-1-9"),
                            line("L2", 1, reservedInventory=True, reservedInventoryQuantity=1),
                        ],
                    }
                ]
            },
        }
    }
    assert only(await shop.run())["actionStatus"] == "Success"
    found = await shop.order()
    assert (found["id"], found["tags"], found["customField"]) == ("O1", ["vip"], 7)
    first, second = found["orderForm"]["shipments"][0]["lineItems"]
    assert (first["reservedInventoryQuantity"], second["reservedInventoryQuantity"]) == (2, 0)
    assert first["holdId"] != "aaaaaaaaaaaaaaaa-1-9"
    assert (await shop.levels(), await shop.levels("A", "WH2")) == ((10, 0), (5, 2))
    await shop.audit()


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"status": "Completed"}, "triggerNewStatus"),
        ({"orderForm": {"shipments": [{"lineItems": []}]}}, "shipmentId"),
        ({"orderForm": {"shipments": [{"shipmentId": "S1", "lineItems": [line("L1", 1), line("L1", 1)]}]}}, "twice"),
    ],
)  # fmt: skip
async def test_a_patch_that_cannot_be_applied_changes_nothing(
    shop: Shop, endpoint: Endpoint, patch: dict[str, Any], message: str
) -> None:
    endpoint.answer = {"orderPatch": {"tags": ["vip"], **patch}}
    await shop.workflow(Step=[action(endpoint)])
    await shop.given()
    done = only(await shop.run())
    assert (done["actionStatus"], message in done["errorReason"]) == ("Error", True), done
    found = await shop.order()
    assert (found["status"], found.get("tags", [])) == ("Step", [])


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        ({}, 500, "status 500"),
        ({}, 302, "status 302"),
        (b"<html>", 200, "not valid JSON"),
        ([], 200, "no JSON object"),
        ({"isAborted": "yes"}, 200, "isAborted"),
        ({"orderPatch": []}, 200, "") ,
        ({"orderPatch": [1]}, 200, "orderPatch"),
        ({"orderActionExecutionResults": [{"actionStatus": "Fine"}]}, 200, "actionStatus"),
        ({"orderActionExecutionResults": [{}] * 101}, 200, "at most 100"),
        (b" " * (1024 * 1024 + 1), 200, "larger than"),
    ],
)  # fmt: skip
async def test_what_cannot_be_used_is_an_error(
    shop: Shop, endpoint: Endpoint, answer: Any, status: int, message: str
) -> None:
    endpoint.answer, endpoint.status = answer, status
    endpoint.headers = {"Location": endpoint.url("/hooks/elsewhere")}
    await shop.workflow(Step=[action(endpoint), STEP])
    await shop.given()
    done = await shop.run()
    first = done["orderActionExecutionResults"][0]
    assert first["actionStatus"] == ("Error" if message else "Success")
    assert message in first.get("errorReason", "")
    assert len(endpoint.got) == 1, "a redirect is not followed"
    assert await shop.levels() == (9, 0)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"connector": ""}, "connector is missing"),
        ({"connector": "http://127.0.0.1:9/hooks"}, "http_action_allow"),
        ({"properties": properties(timeout="0.00:01:00")}, "timeout"),
        ({"properties": properties(timeout="soon")}, "timeout"),
    ],
)
async def test_nothing_is_sent(shop: Shop, endpoint: Endpoint, step: dict[str, Any], message: str) -> None:
    await shop.workflow(
        Step=[action(endpoint, **step)] if "connector" not in step else [{**action(endpoint), **step}]
    )
    await shop.given()
    done = only(await shop.run())
    assert (done["actionStatus"], message in done["errorReason"]) == ("Error", True), done
    assert endpoint.got == []


async def test_a_dry_run_calls_nobody(shop: Shop, endpoint: Endpoint) -> None:
    await shop.workflow(Step=[action(endpoint)])
    await shop.given()
    done = await shop.ok("POST", "orders/O1/dry-run", {"status": "Step"})
    assert only(done)["actionStatus"] == "Success"
    assert endpoint.got == []


async def test_the_call_is_made_again_with_the_same_key(shop: Shop, endpoint: Endpoint) -> None:
    """An order that changes during the call is read again, and the step with it; so it is after a crash."""
    await shop.workflow(Step=[action(endpoint)])
    await shop.given()
    endpoint.answer = {"orderPatch": {"tags": ["vip"]}}
    desk = shop.running.services.orders

    async def taken_over() -> None:
        endpoint.before_answer = None
        shop.running.clock.ahead_s += timedelta(minutes=5).total_seconds()
        await desk.overdue.take_up()

    endpoint.before_answer = taken_over
    await shop.run()
    keys = {headers["idempotency-key"] for _, headers, _ in endpoint.got}
    assert (len(endpoint.got), len(keys)) == (2, 1)
    assert (await shop.order())["tags"] == ["vip"]


# The adapter -------------------------------------------------------------------------------------------------


def request(url: str, seconds: float = 5) -> Request:
    return Request(url=url, body=b"{}", patience=timedelta(seconds=seconds))


async def test_an_endpoint_that_is_silent(endpoint: Endpoint) -> None:
    released_ = asyncio.Event()
    endpoint.before_answer = released_.wait  # type: ignore[assignment]
    answer = await HttpOutside([endpoint.url("/")]).post(request(endpoint.url(), 0.1), "k")
    released_.set()
    assert isinstance(answer, NoAnswer)
    assert (answer.key, "did not answer within 0.1 s" in answer.reason) == (NOT_ANSWERED, True)


async def test_an_endpoint_that_is_not_there() -> None:
    async with listening() as gone:
        url = gone.url()
    answer = await HttpOutside([url]).post(request(url), "k")
    assert isinstance(answer, NoAnswer)
    assert (answer.key, "ConnectError" in answer.reason) == (NOT_ANSWERED, True)


async def test_an_answer_that_is_compressed(endpoint: Endpoint) -> None:
    endpoint.headers = {"Content-Encoding": "gzip"}
    answer = await HttpOutside([endpoint.url("/")]).post(request(endpoint.url()), "k")
    assert isinstance(answer, NoAnswer)


async def test_an_answer(endpoint: Endpoint) -> None:
    endpoint.answer, endpoint.status = b"hello", 201
    answer = await HttpOutside([endpoint.url("")]).post(request(endpoint.url("/any?x=1")), "k")
    assert answer == Answer(status=201, body=b"hello")
    refused = await HttpOutside([]).post(request(endpoint.url()), "k")
    assert isinstance(refused, NoAnswer)
    assert refused.key == NOT_ALLOWED


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.example/orders", True),
        ("https://HOOKS.example:443/orders/new?x=1", True),
        ("https://hooks.example/orders/../admin", False),
        ("https://hooks.example/orders/%2e%2e/admin", False),
        ("https://hooks.example/orders%2f..%2fadmin", False),
        ("https://hooks.example/ordersadmin", False),
        ("https://hooks.example/", False),
        ("http://hooks.example/orders", False),
        ("https://hooks.example:8443/orders", False),
        ("https://hooks.example.evil/orders", False),
        ("https://hooks.example@evil/orders", False),
        ("https://evil\\@hooks.example/orders", False),
        ("https://user:secret@hooks.example/orders", False),
        ("https://hooks.example/orders#part", False),
        ("file:///etc/passwd", False),
        ("//hooks.example/orders", False),
        ("orders", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_what_begins_with_a_prefix_is_allowed(url: str, *, allowed: bool) -> None:
    assert HttpOutside(["https://hooks.example/orders/"]).allows(url) is allowed


@pytest.mark.parametrize("prefix", ["ftp://x/", "https://", "https://u:p@x/", "nothing"])
def test_a_prefix_that_is_none(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"must|URL"):
        HttpOutside([prefix])
