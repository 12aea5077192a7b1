"""Entering statuses over HTTP: runs, refusals, dry runs, locks."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.orders.order_calls import Desk, line, order, shipment

PLAIN = {"orderType": "Plain"}


async def test_a_status_runs_its_workflow(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3)))
    answer = await desk.send("POST", "orders/O1/status", {"status": " ship ", "userId": "anna"})
    assert answer.status_code == 200
    done = answer.json()
    assert [one["actionStatus"] for one in done["orderActionExecutionResults"]] == ["Success", "Success"]
    assert (done["isAborted"], done["order"]["status"]) == (False, "Ship")
    assert answer.headers["etag"] == f'"{done["order"]["versionId"]}"'
    assert await desk.ok("GET", "orders/O1") == done["order"]
    assert await desk.levels() == (7, 0)
    events = await desk.ok("POST", "events/search", {"userIds": ["Anna"], "operationIds": ["111102"]})
    (completed,) = events["result"]
    assert (completed["objectId"], completed["category"]) == ("O1", "Workflow")
    assert [one["type"] for one in completed["attachments"]] == ["workflowJson"]
    await desk.audit()


async def test_a_second_run_moves_nothing(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3)))
    await desk.ok("POST", "orders/O1/status", {"status": "Ship"})
    again = await desk.ok("POST", "orders/O1/status", {"status": "Ship"})
    assert again["isAborted"] is False
    assert await desk.levels() == (7, 0)
    await desk.audit()


async def test_a_status_without_its_workflow(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3)))
    done = await desk.ok("POST", "orders/O1/status", {"status": "Ship", "skipRunWorkflow": True})
    assert (done["order"]["status"], done["orderActionExecutionResults"]) == ("Ship", [])
    assert await desk.levels() == (10, 3)


async def test_one_shipment_enters_a_status(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 3)), shipment("S2", line("L2", 1)))
    body = {"status": "Ship", "shipmentInfo": {"shipmentId": "S1", "trackingNumber": "T1"}}
    one = (await desk.ok("POST", "orders/O1/status", body))["order"]
    first, second = one["orderForm"]["shipments"]
    assert (first["orderStatus"], first["trackingNumber"], second["orderStatus"]) == ("Ship", "T1", "New")
    assert await desk.levels() == (7, 1)
    body = {"status": "Ship", "shipmentInfo": {"shipmentId": "S2"}}
    assert (await desk.ok("POST", "orders/O1/status", body))["order"]["status"] == "Ship"
    assert await desk.levels() == (6, 0)
    await desk.audit()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "ValidationFailed"),
        ({"status": "Nope"}, "UnknownStatus"),
        ({"status": "Completed"}, "StatusNotAvailable"),
        ({"status": "Packed", "shipmentInfo": {"shipmentId": "S9"}}, "ValidationFailed"),
        ([], "ValidationFailed"),
    ],
)
async def test_what_cannot_be_entered_is_refused_and_changes_nothing(desk: Desk, body, code) -> None:
    made = await desk.create("O1", shipment("S1", line()), **PLAIN)
    await desk.refused(400, code, "POST", "orders/O1/status", body)
    assert await desk.ok("GET", "orders/O1") == made


async def test_queued_and_read_only_orders_enter_nothing(desk: Desk) -> None:
    await desk.create("O1", status="Queued", **PLAIN)
    await desk.create("O2", isReadOnly=True, status="Queued", **PLAIN)
    await desk.refused(400, "OrderQueued", "POST", "orders/O1/status", {"status": "Packed"})
    await desk.ok("PATCH", "orders/O2", {"status": "New"})
    await desk.refused(400, "OrderReadOnly", "POST", "orders/O2/status", {"status": "Packed"})
    await desk.refused(404, "NotFound", "POST", "orders/O9/status", {"status": "Packed"})


async def test_a_stale_version_is_refused(desk: Desk) -> None:
    made = await desk.create("O1", shipment("S1", line()), **PLAIN)
    await desk.ok("PATCH", "orders/O1", {"note": "x"})
    stale = f'"{made["versionId"]}"'
    await desk.refused(
        412, "VersionConflict", "POST", "orders/O1/status", {"status": "Packed"}, If_Match=stale
    )
    body = {"status": "Packed", "versionId": made["versionId"]}
    await desk.refused(412, "VersionConflict", "POST", "orders/O1/status", body)


async def test_a_dry_run_changes_nothing(desk: Desk) -> None:
    made = await desk.create("O1", shipment("S1", line("L1", 3)))
    done = await desk.ok("POST", "orders/O1/dry-run", {"status": "Ship"})
    assert [one["actionType"] for one in done["orderActionExecutionResults"]] == [
        "ReduceInventoryAndReservedInventory",
        "CompleteShipment",
    ]
    assert await desk.ok("GET", "orders/O1") == made
    assert await desk.levels() == (10, 3)
    await desk.refused(400, "UnknownStatus", "POST", "orders/O1/dry-run", {"status": "Nope"})
    await desk.refused(400, "ValidationFailed", "POST", "orders/O1/dry-run", {"state": "Ship"})
    await desk.refused(404, "NotFound", "POST", "orders/O9/dry-run", {"status": "Ship"})


async def test_a_manual_step_is_run_by_its_id_or_key(desk: Desk) -> None:
    step = {"name": "ReduceReservedInventory", "id": "give-back"}
    await desk.ok("PUT", "order-settings", {"availableManualWorkflowSteps": [step]})
    await desk.create("O1", shipment("S1", line("L1", 3)))
    done = await desk.ok("POST", "orders/O1/manual-steps/give-back")
    assert [one["actionType"] for one in done["orderActionExecutionResults"]] == ["ReduceReservedInventory"]
    assert await desk.levels() == (10, 0)
    events = await desk.ok("GET", "orders/O1/events?operationId=210103")
    assert events["totalHits"] == 1
    await desk.ok("POST", "orders/O1/manual-steps/reducereservedinventory", {"userId": "anna"})
    await desk.refused(404, "NotFound", "POST", "orders/O1/manual-steps/other", {})
    await desk.refused(
        400, "ValidationFailed", "POST", "orders/O1/manual-steps/give-back", {"shipmentId": "S9"}
    )


async def test_many_at_once_ship_each_order_once(desk: Desk) -> None:
    for number in range(4):
        await desk.create(f"O{number}", shipment("S1", line("L1", 1)))
    sent = [
        desk.send("POST", f"orders/O{number}/status", {"status": "Ship"}) for number in (*range(4), *range(4))
    ]
    answers = await asyncio.gather(*sent)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"OrderLocked"}
    assert await desk.levels() == (6, 0)
    await desk.audit()


async def test_an_order_is_locked_while_its_workflow_runs(desk: Desk) -> None:
    await desk.create("O1", shipment("S1", line("L1", 1)))
    services = desk.tenant.running.services.orders

    async def entered() -> None:
        await desk.ok("POST", "orders/O1/status", {"status": "Ship"})

    task = asyncio.create_task(entered())
    codes: set[str] = set()
    while not task.done():
        answer = await desk.send("PATCH", "orders/O1", {"note": "x"})
        codes.add(answer.json().get("code", "done"))
    await task
    assert codes <= {"done", "OrderLocked"}
    found = await services.searching.order("shop", "O1")
    assert found is not None
    assert await desk.levels() == (9, 0)


async def test_orders_of_another_environment_are_not_seen(desk: Desk) -> None:
    await desk.create("O1", **PLAIN)
    other = Desk(await desk.tenant.running.environment("other"))
    await other.refused(404, "NotFound", "GET", "orders/O1")
    await other.refused(400, "UnknownOrderType", "POST", "orders", order("O1", **PLAIN))


async def test_scopes_are_asked_for(desk: Desk) -> None:
    running = desk.tenant.running
    reader = await running.token("shop", ("order:read",), client="reader")
    stock = await running.token("shop", ("onhand:read",), client="stock")
    for token, method, path, status in (
        (reader, "GET", "orders", 200),
        (reader, "POST", "orders", 403),
        (stock, "GET", "orders", 403),
    ):
        answer = await running.http.request(
            method, f"/v1/environments/shop/{path}", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == status
