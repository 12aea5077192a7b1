"""Orders over HTTP: create, read, replace, change, delete."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from tests.e2e.orders.conftest import configure
from tests.e2e.orders.order_calls import Desk, line, order, shipment

PLAIN = {"orderType": "Plain"}


async def test_create_and_read(desk: Desk) -> None:
    answer = await desk.send("POST", "orders", order("O 1/2", shipment("S1", line("L1", "1.5")), **PLAIN))
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == "/v1/environments/shop/orders/O%201%2F2"
    assert answer.headers["etag"] == f'"{made["versionId"]}"'
    assert (made["status"], made["orderForm"]["shipments"][0]["orderStatus"]) == ("New", "New")
    assert made["orderForm"]["lineItems"][0]["quantity"] == 1.5
    assert made["orderNumber"].isdecimal()
    read = await desk.send("GET", "orders/O%201%2F2")
    assert (read.status_code, read.json()) == (200, made)
    head = await desk.send("HEAD", "orders/O%201%2F2")
    assert (head.status_code, head.content) == (200, b"")
    assert (await desk.send("HEAD", "orders/none")).status_code == 404
    await desk.refused(404, "NotFound", "GET", "orders/o%201%2F2")


async def test_names_are_read_without_regard_to_case_and_the_rest_is_kept(desk: Desk) -> None:
    body = {"ID": "O1", "MarketId": "NO", "storeID": "ST1", "giftWrap": {"colour": "red", "price": 1.10}}
    made = await desk.ok("POST", "orders", body)
    assert (made["id"], made["orderType"], made["giftWrap"]) == (
        "O1",
        "Plain",
        {"colour": "red", "price": 1.1},
    )


async def test_ids_and_numbers_are_given(desk: Desk) -> None:
    one = await desk.create(None, **PLAIN)
    other = await desk.create(None, **PLAIN)
    assert one["id"] != other["id"]
    assert int(other["orderNumber"]) == int(one["orderNumber"]) + 1
    named = await desk.create("O1", orderNumber="77", **PLAIN)
    assert (named["id"], named["orderNumber"]) == ("O1", "77")


async def test_an_id_exists_once(desk: Desk) -> None:
    await desk.create("O1", **PLAIN)
    assert "O1" in await desk.refused(409, "DuplicateId", "POST", "orders", order("O1", **PLAIN))


async def test_a_repeated_creation_is_answered_like_the_first(desk: Desk) -> None:
    body = order(None, shipment("S1", line()), **PLAIN)
    first = await desk.send("POST", "orders", body, Idempotency_Key="k1")
    again = await desk.send("POST", "orders", body, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    detail = await desk.refused(
        422, "PayloadMismatch", "POST", "orders", order(None, **PLAIN), Idempotency_Key="k1"
    )
    assert "another body" in detail
    other = await desk.send("POST", "orders", body, Idempotency_Key="k2")
    assert other.json()["id"] != first.json()["id"]


async def test_a_key_belongs_to_one_request_whatever_order_it_names(desk: Desk) -> None:
    bodies = [order(one, shipment("S1", line("L1", 2))) for one in ("O1", "O2")]
    first = await desk.send("POST", "orders", bodies[0], Idempotency_Key="k1")
    assert "another body" in await desk.refused(
        422, "PayloadMismatch", "POST", "orders", bodies[1], Idempotency_Key="k1"
    )
    await desk.refused(404, "NotFound", "GET", "orders/O2")
    assert await desk.levels() == (10, 2)
    again = await desk.send("POST", "orders", bodies[0], Idempotency_Key="k1")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.json() == first.json()
    await desk.refused(
        422, "PayloadMismatch", "POST", "orders/pos", {**bodies[0], "orderNumber": "7"}, Idempotency_Key="k1"
    )


async def test_a_repeated_creation_takes_no_further_number(desk: Desk) -> None:
    body = order(None, **PLAIN)
    first = (await desk.send("POST", "orders", body, Idempotency_Key="k1")).json()
    await desk.send("POST", "orders", body, Idempotency_Key="k1")
    assert int((await desk.create(None, **PLAIN))["orderNumber"]) == int(first["orderNumber"]) + 1


async def test_one_key_with_two_orders_at_once_makes_one(desk: Desk) -> None:
    bodies = [order(one, shipment("S1", line("L1", 1))) for one in ("O1", "O2", "O3")]
    answers = await asyncio.gather(
        *(desk.send("POST", "orders", body, Idempotency_Key="k1") for body in bodies)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422]
    assert len(await desk.ok("POST", "orders/exists", ["O1", "O2", "O3"])) == 1
    assert await desk.levels() == (10, 1)


async def test_a_creation_that_is_sent_twice_at_once_makes_one_order(desk: Desk) -> None:
    body = order(None, shipment("S1", line("L1", 1)))
    sent = [desk.send("POST", "orders", body, Idempotency_Key="k1") for _ in range(4)]
    answers = await asyncio.gather(*sent)
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await desk.levels() == (10, 1)


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (order("X", orderType="Nope"), "UnknownOrderType", "Known: Online, Plain, Pos"),
        (order("X", status="Nope", **PLAIN), "UnknownStatus", "It has: New, Packed, Completed"),
        (order("X", status="Deleted", **PLAIN), "UnknownStatus", "cannot be created as deleted"),
        ({"id": "X", "storeId": "ST1"}, "ValidationFailed", "marketId is required"),
        (order("X", shipment("S1", line(quantity="many"))), "ValidationFailed", "quantity"),
        (order("X", shipment("S1"), shipment("S1")), "ValidationFailed", "occurs twice"),
        (order("X", shipment("S1", line(), line())), "ValidationFailed", "occurs twice"),
        ([], "ValidationFailed", "JSON object"),
    ],
)
async def test_what_does_not_fit_is_refused_and_changes_nothing(desk: Desk, body, code, says) -> None:
    assert says in await desk.refused(400, code, "POST", "orders", body)
    await desk.refused(404, "NotFound", "GET", "orders/X")


async def test_put_replaces_from_the_version_that_was_read(desk: Desk) -> None:
    made = await desk.create("O1", shipment("S1", line()), tags=["a"], **PLAIN)
    body = order("O1", shipment("S1", line("L1", 5)), versionId=made["versionId"], **PLAIN)
    done = await desk.ok("PUT", "orders/O1", body)
    assert (done["isAborted"], done["orderActionExecutionResults"]) == (False, [])
    after = done["order"]
    assert int(after["versionId"]) == int(made["versionId"]) + 1
    assert not after["tags"]
    assert (after["created"], after["orderNumber"]) == (made["created"], made["orderNumber"])
    assert after["orderForm"]["lineItems"][0]["quantity"] == 5
    present = after["versionId"]
    assert f"version {present}" in await desk.refused(412, "VersionConflict", "PUT", "orders/O1", body)
    await desk.refused(412, "VersionConflict", "PUT", "orders/O1", order("O1", **PLAIN), If_Match='"1"')
    await desk.ok("PUT", "orders/O1", order("O1", **PLAIN), If_Match=f'"{present}"')
    await desk.ok("PUT", "orders/O1", order("O1", **PLAIN), If_Match="*")
    await desk.refused(404, "NotFound", "PUT", "orders/O9", order("O9", **PLAIN))
    await desk.refused(400, "ValidationFailed", "PUT", "orders/O1", order("O9", **PLAIN))


async def test_patch_changes_what_it_names(desk: Desk) -> None:
    made = await desk.create("O1", shipment("S1", line()), tags=["a"], note="x", **PLAIN)
    patch = {"Tags": ["b"], "note": None, "versionId": made["versionId"]}
    done = await desk.ok("PATCH", "orders/O1", patch)
    assert (done["tags"], "note" in done) == (["b"], False)
    assert int(done["versionId"]) == int(made["versionId"]) + 1
    await desk.refused(412, "VersionConflict", "PATCH", "orders/O1", patch)
    for body, code in (
        ({"status": "Completed"}, "StatusNotAvailable"),
        ({"status": "Nope"}, "UnknownStatus"),
        ({"orderType": "Nope"}, "UnknownOrderType"),
        ({"id": "O2"}, "ValidationFailed"),
        ({"marketId": None}, "ValidationFailed"),
        ([], "ValidationFailed"),
    ):
        await desk.refused(400, code, "PATCH", "orders/O1", body)
    assert (await desk.ok("PATCH", "orders/O1", {"status": "packed"}))["status"] == "Packed"
    await desk.refused(404, "NotFound", "PATCH", "orders/O9", {"tags": []})


async def test_a_patch_of_the_status_runs_no_workflow(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line()))
    before = await desk.levels()
    await desk.ok("PATCH", "orders/O1", {"status": "Ship"})
    assert await desk.levels() == before


async def test_older_versions_can_be_read(desk: Desk) -> None:
    first = int((await desk.create("O1", note="first", **PLAIN))["versionId"])
    await desk.ok("PATCH", "orders/O1", {"note": "second"})
    await desk.ok("PATCH", "orders/O1", {"note": "third"})
    for version, note in ((f"{first}", "first"), (f"{first + 1}", "second"), (f"{first + 2}", "third")):
        read = await desk.send("GET", f"orders/O1/versions/{version}")
        assert (read.json()["note"], read.json()["versionId"]) == (note, version)
        assert read.headers["etag"] == f'"{version}"'
    for version in ("0", f"{first + 3}", "x", "99999999999999"):
        await desk.refused(404, "NotFound", "GET", f"orders/O1/versions/{version}")


async def test_deleted_orders_can_be_read_until_they_are_gone_for_ever(desk: Desk) -> None:
    await desk.create("O1", **PLAIN)
    assert (await desk.send("DELETE", "orders/O1")).status_code == 204
    assert (await desk.send("DELETE", "orders/O1")).status_code == 204
    assert (await desk.ok("GET", "orders/O1"))["status"] == "Deleted"
    await desk.refused(409, "DuplicateId", "POST", "orders", order("O1", **PLAIN))
    assert (await desk.send("DELETE", "orders/O1?permanently=true")).status_code == 204
    await desk.refused(404, "NotFound", "GET", "orders/O1")
    await desk.refused(404, "NotFound", "DELETE", "orders/O1")
    await desk.refused(404, "NotFound", "GET", "orders/O1/versions/1")
    events = (await desk.ok("GET", "orders/O1/events"))["result"]
    assert [one["category"] for one in events if one["category"] != "Workflow"] == [
        "Deleted",
        "Deleted",
        "Created",
    ]
    made = await desk.create("O1", **PLAIN)
    assert made["status"] == "New"


async def test_a_deletion_for_ever_gives_back_what_is_reserved(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3)))
    assert await desk.levels() == (10, 3)
    await desk.ok("DELETE", "orders/O1")
    assert await desk.levels() == (10, 3)
    await desk.ok("DELETE", "orders/O1?permanently=true")
    assert await desk.levels() == (10, 0)
    await desk.audit()


async def test_what_left_under_an_id_is_not_reserved_again_for_an_order_made_anew(desk: Desk) -> None:
    """It would never be consumed: a line leaves once for ever, also that of an order which is made anew (scenario 64)."""
    await configure(desk.tenant, is_inventory_reservation_triggered_on_order_creation=True)
    await desk.create("O1", shipment("S1", line("L1", 3)))
    await desk.ok("POST", "orders/O1/status", {"status": "Ship"})
    await desk.ok("DELETE", "orders/O1?permanently=true")
    assert await desk.levels() == (7, 0)
    await desk.create("O1", shipment("S1", line("L1", 3), line("L2", 1)))
    assert await desk.levels() == (7, 1)
    told = (await desk.ok("GET", "orders/O1/events?category=Information"))["result"]
    assert [one["message"] for one in told if "L1 of shipment S1" in one["message"]] != []
    done = await desk.ok("POST", "orders/O1/status", {"status": "Ship"})
    assert done["orderActionExecutionResults"][0]["message"].startswith("already reduced: 1; reduced now: 1")
    assert await desk.levels() == (6, 0)
    await desk.audit()


async def test_exists_names_those_that_do(desk: Desk) -> None:
    await desk.create("O1", **PLAIN)
    await desk.create("O2", **PLAIN)
    assert await desk.ok("POST", "orders/exists", ["O2", "X", "O1", "O2"]) == ["O2", "O1"]
    await desk.refused(400, "ValidationFailed", "POST", "orders/exists", [1])
    await desk.refused(400, "ValidationFailed", "POST", "orders/exists", {})


async def test_a_creation_runs_the_workflow_of_the_initial_status(desk: Desk) -> None:
    made = await desk.create("O1", shipment("S1", line("L1", 3)))
    part = made["orderForm"]["shipments"][0]["lineItems"][0]
    assert (part["reservedInventory"], part["reservedInventoryQuantity"]) == (True, 3)
    assert part["holdId"]
    assert await desk.levels() == (Decimal(10), Decimal(3))
    await desk.audit()


async def test_put_runs_the_workflow_when_asked(desk: Desk) -> None:
    made = await desk.create("O1", shipment("S1", line("L1", 3)))
    done = await desk.ok("PUT", "orders/O1?runWorkflow=true", made | {"status": "Ship"})
    kinds = [one["actionType"] for one in done["orderActionExecutionResults"]]
    assert kinds == ["ReduceInventoryAndReservedInventory", "CompleteShipment"]
    assert done["order"]["status"] == "Ship"
    assert await desk.levels() == (7, 0)
    await desk.refused(400, "ValidationFailed", "PUT", "orders/O1?runWorkflow=maybe", made)
    await desk.audit()


async def test_an_order_of_a_till_is_completed_at_once(desk: Desk) -> None:
    await desk.stock(5, location="ST1")
    body = {"marketId": "NO", "storeId": "ST1", "orderNumber": "7", "orderForm": {"shipments": [
        {"shipmentId": "S1", "lineItems": [line("L1", 2)]}]}}  # fmt: skip
    made = await desk.ok("POST", "orders/pos", body)
    assert (made["id"], made["orderType"], made["status"]) == ("NO:ST1:7", "Pos", "Completed")
    assert await desk.levels(location="ST1") == (3, 0)
    await desk.refused(409, "DuplicateId", "POST", "orders/pos", body)
    assert await desk.levels(location="ST1") == (3, 0)
    for missing in ("orderNumber", "marketId", "storeId"):
        less = {name: value for name, value in body.items() if name != missing}
        await desk.refused(400, "ValidationFailed", "POST", "orders/pos", less)
