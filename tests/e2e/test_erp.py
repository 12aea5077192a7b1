"""The ERP side over HTTP: messages, parameters, the synchronisation, the failed list."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from onhand.service.erp.parameters import WAKE_AFTER_US
from tests.erp_side import RED, Erp, contoso
from tests.serving import Running

LINE = {"organizationId": "usmf", "productId": "D0002", "dimensions": RED, "quantity": 5}


async def tell(erp: Erp, *messages: dict[str, Any], source: str = "d365") -> Any:
    return await erp.tenant.native("POST", "erp/messages", {"source": source, "messages": list(messages)})


def numbered(sequence: int, line_id: str, /, **body: Any) -> dict[str, Any]:
    return {"sequence": sequence, "lineId": line_id, **body}


# Messages ----------------------------------------------------------------------------------------------------


async def test_messages_of_a_source_come_in_order_and_a_gap_is_named(running: Running) -> None:
    erp = await contoso(running)
    first, second, third, fourth = (
        numbered(1, "L1", line=LINE),
        numbered(2, "L2", line=LINE),
        numbered(3, "L1", move={"to": "picked"}),
        numbered(4, "L2", move={"to": "sold"}),
    )
    gap = await tell(erp, first, third, fourth)
    assert gap.status_code == 409
    assert gap.json()["code"] == "sequence-gap"
    assert gap.json()["problems"] == ["missing 2 to 3"]
    source = (await erp.tenant.native("GET", "erp/sources/D365")).json()
    assert (source["next"], source["missing"]) == (2, [2, 3])
    assert (await erp.read("L1"))["transactions"][0]["status"] == "onOrder"
    # Out of order within a request is no gap; what came before is a repeat.
    answer = await tell(erp, fourth, third, second, first)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [one["sequence"] for one in results] == [4, 3, 2, 1]
    assert all(one["accepted"] for one in results)
    assert [one.get("replayed", False) for one in results] == [False, False, False, True]
    source = (await erp.tenant.native("GET", "erp/sources/d365")).json()
    assert source["next"] == 5
    assert "missing" not in source


async def test_a_refused_message_uses_its_number_up_and_is_remembered(running: Running) -> None:
    erp = await contoso(running)
    bad = numbered(2, "L1", move={"to": "cancelled", "quantity": 9})
    answer = await tell(erp, numbered(1, "L1", line=LINE), bad, numbered(3, "L1", move={"to": "picked"}))
    assert [one["accepted"] for one in answer.json()["results"]] == [True, False, True]
    again = (await tell(erp, bad)).json()["results"][0]
    assert (again["accepted"], again["code"]) == (False, "illegal-move")
    (refused,) = (await erp.tenant.native("GET", "erp/sources/d365")).json()["refused"]
    assert (refused["sequence"], refused["lineId"], refused["code"]) == (2, "L1", "illegal-move")
    unknown = numbered(4, "L1", line={**LINE, "dimensions": {"nonsense": "x"}})
    assert (await tell(erp, unknown)).json()["results"][0]["code"] == "unknown-dimension"
    assert (await erp.tenant.native("GET", "erp/sources/d365")).json()["next"] == 5


async def test_the_same_number_with_a_doubled_quantity_is_refused(running: Running) -> None:
    erp = await contoso(running)
    assert (await tell(erp, numbered(1, "L1", line=LINE))).status_code == 200
    doubled = numbered(1, "L1", line={**LINE, "quantity": 10})
    assert (await tell(erp, doubled)).json()["results"][0]["code"] == "payload-mismatch"
    assert (await erp.read("L1"))["quantity"] == 5


async def test_the_same_key_is_a_replay_and_with_another_quantity_a_refusal(running: Running) -> None:
    erp = await contoso(running)
    await erp.line("L1", 10)
    move = {"to": "picked", "quantity": 4}
    path = "erp/lines/L1/moves"
    first = await erp.tenant.native("POST", path, move, Idempotency_Key="k")
    again = await erp.tenant.native("POST", path, move, Idempotency_Key="k")
    other = await erp.tenant.native("POST", path, {**move, "quantity": 8}, Idempotency_Key="k")
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert again.headers["idempotency-replayed"] == "true"
    assert other.json()["code"] == "payload-mismatch"
    assert {one["status"]: one["quantity"] for one in again.json()["transactions"]} == {
        "onOrder": 6,
        "picked": 4,
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**LINE, "quantity": 0}, "invalid-quantity"),
        ({**LINE, "quantity": -1}, "invalid-quantity"),
        ({**LINE, "productId": " "}, "invalid-value"),
        ({**LINE, "holdIds": ["a"], "reservationId": "b"}, "invalid-value"),
        ({**LINE, "isSoftReservedExternally": True}, "invalid-value"),
        ({**LINE, "quantities": {"fno": {"picked": 1}}}, "invalid-value"),
        ({**LINE, "status": "cancelled"}, "illegal-move"),
        ({**LINE, "status": "gone"}, "invalid-body"),
        ({**LINE, "unknown": 1}, "invalid-body"),
        ({**LINE, "orderId": "x" * 101}, "invalid-value"),
        ({**LINE, "transactionId": "x" * 101}, "invalid-value"),
    ],
)
async def test_what_a_line_cannot_be_is_said_and_changes_nothing(
    running: Running, body: Any, code: str
) -> None:
    erp = await contoso(running)
    answer = await erp.tenant.native("PUT", "erp/lines/L1", body)
    assert answer.is_client_error
    assert answer.json()["code"] == code
    assert (await erp.tenant.native("GET", "erp/lines/L1")).status_code == 404


async def test_an_id_that_no_header_and_no_path_can_carry_is_refused(running: Running) -> None:
    erp = await contoso(running)
    for bad in ("a/b", "a\nb: c", "", "x" * 101):
        answer = await erp.tenant.native(
            "POST", "erp/messages", {"messages": [{"lineId": bad, "line": LINE}]}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-value")
    odd = {"lineId": "L1", "line": {**LINE, "orderId": "SO\x1f1"}}
    assert (await erp.tenant.native("POST", "erp/messages", {"messages": [odd]})).status_code == 200
    assert (await erp.read("L1"))["orderId"] == "SO\x1f1"


async def test_lines_are_listed_by_what_they_are(running: Running) -> None:
    erp = await contoso(running)
    await erp.line("L1", 5, orderId="SO-1")
    await erp.line("L2", 5, orderId="SO-2")
    await erp.move("L2", "picked")
    await erp.sync()
    await erp.line("L3", 5, orderId="so-2")

    async def listed(query: str) -> list[str]:
        answer = await erp.tenant.native("GET", f"erp/lines?{query}")
        assert answer.status_code == 200, answer.text
        return [one["lineId"] for one in answer.json()["items"]]

    assert await listed("orderId=SO-2") == ["L3", "L2"]
    assert await listed("status=picked") == ["L2"]
    assert await listed("state=pending") == ["L3"]
    assert await listed("productId=d0002&limit=1") == ["L3"]
    assert (await erp.tenant.native("GET", "erp/lines?state=odd")).status_code == 400


async def test_writing_needs_the_scope_of_the_erp(running: Running) -> None:
    erp = await contoso(running)
    token = await running.token("contoso", ("onhand:read",), client="reader")
    for method, path, status in (
        ("PUT", "erp/lines/L1", 403), ("POST", "erp/sync/run", 403), ("GET", "erp/failed", 200),
    ):  # fmt: skip
        answer = await running.http.request(
            method, f"/v1/environments/{erp.tenant.environment}/{path}", json=LINE if method == "PUT" else None,
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        assert answer.status_code == status, path


# Parameters --------------------------------------------------------------------------------------------------


async def test_parameters_have_defaults_versions_and_findings(running: Running) -> None:
    erp = Erp(await running.environment("plain"))
    answer = await erp.tenant.native("GET", "erp/parameters")
    read = answer.json()
    assert answer.headers["etag"] == '"0"'
    assert (read["parameters"]["offsetModifier"], read["parameters"]["intervalSeconds"]) == ("reserve", 60)
    assert read["parameters"]["deltas"]["picked"]["physicalinvent"] == -1
    assert any(one["path"] == "physicalOwner" for one in read["findings"])
    saved = await erp.tenant.native("PUT", "erp/parameters", {"intervalSeconds": 5}, If_Match='"0"')
    assert (saved.status_code, saved.json()["version"]) == (200, 1)
    stale = await erp.tenant.native("PUT", "erp/parameters", {"intervalSeconds": 6}, If_Match='"0"')
    assert stale.status_code == 412
    bad = await erp.tenant.native(
        "PUT", "erp/parameters", {"batchSize": 1001, "reservedMeasure": "iv.onhand"}
    )
    assert (bad.status_code, len(bad.json()["problems"])) == (422, 2)
    assert (await erp.tenant.native("PUT", "erp/parameters", {"odd": 1})).status_code == 422
    assert (await erp.tenant.native("GET", "erp/parameters")).json()["parameters"]["intervalSeconds"] == 5


async def test_the_lint_says_where_what_is_available_jumps(running: Running) -> None:
    """Decisions 25: no jump is promised only where the status moves a measure that the formula subtracts."""
    erp = await contoso(running)
    answer = await erp.tenant.native(
        "POST", "erp/parameters/validate", {"physicalOwner": "erp", "offsetModifier": "reserve"}
    )
    assert [one for one in answer.json()["findings"] if "rise" in one["message"]] == []
    answer = await erp.tenant.native("POST", "erp/parameters/validate", {"offsetModifier": "onOrder"})
    (jump,) = [one for one in answer.json()["findings"] if "rise" in one["message"]]
    assert "rise by 1 for each unit" in jump["message"]
    await erp.parameters(physicalOwner="erp", offsetModifier="onOrder")
    await erp.stock(50)
    reserved = await erp.reserve(5)
    await erp.line("L1", 5, reservationId=reserved["reservationId"])
    await erp.sync()
    assert (await erp.standing())["available"] == 50


# The synchronisation -------------------------------------------------------------------------------------------


async def test_a_line_is_posted_one_interval_after_its_message(running: Running) -> None:
    erp = await contoso(running, intervalSeconds=60)
    await erp.stock(50)
    await erp.line("L1", 5)
    sync = running.services.erp.sync
    assert (await sync.run()).posted == 0
    running.clock.ahead_s = 61
    assert (await sync.run()).posted == 1
    assert (await erp.read("L1"))["state"] == "settled"
    assert (await sync.run()).posted == 0


async def test_switched_off_and_on_again_it_loses_nothing(running: Running) -> None:
    erp = await contoso(running)
    sync = running.services.erp.sync
    await erp.stock(50)
    reserved = await erp.reserve(5)
    await erp.line("L1", 5, reservationId=reserved["reservationId"])
    await erp.line("L2", 1)
    await erp.parameters(physicalOwner="erp", syncEnabled=False)
    await erp.move("L1", "reservedPhysical")
    running.clock.ahead_s = 100
    assert (await sync.run()).parked == 1
    await erp.move("L1", "picked")
    running.clock.ahead_s = 200
    assert (await sync.run()).posted == 0
    await erp.parameters(physicalOwner="erp", syncEnabled=True)
    running.clock.ahead_s += WAKE_AFTER_US / 1_000_000 + 1
    await sync.run()
    running.clock.ahead_s += 61
    assert (await sync.run()).posted == 2
    assert await erp.standing() == {"physical": 45, "hard": 0, "soft": 0, "available": 45}


async def test_direct_mode_posts_with_the_message(running: Running) -> None:
    erp = await contoso(running, mode="direct")
    await erp.stock(50)
    reserved = await erp.reserve(5)
    await erp.line("L1", 5, reservationId=reserved["reservationId"])
    line = await erp.move("L1", "reservedPhysical")
    assert line["offsets"][0]["state"] == "done"
    assert await erp.standing() == {"physical": 50, "hard": 5, "soft": 0, "available": 45}


async def test_two_synchronisations_at_once_post_each_line_once(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    reserved = await erp.reserve(40)
    for number in range(20):
        await erp.line(f"L{number}", 2, reservationId=reserved["reservationId"], status="picked")
    await asyncio.gather(*(erp.sync() for _ in range(4)))
    assert await erp.standing() == {"physical": 60, "hard": 0, "soft": 0, "available": 60}


@pytest.mark.parametrize("turns", [1, 5, 20, 60, 200, 600])
async def test_a_synchronisation_that_dies_anywhere_is_finished_by_the_next(
    running: Running, turns: int
) -> None:
    """Cut off after so many turns of the event loop: before, in the middle of or after the commits."""
    erp = await contoso(running)
    await erp.stock(100)
    reserved = await erp.reserve(40)
    line = {**LINE, "quantity": 2, "reservationId": reserved["reservationId"], "status": "deducted"}
    answer = await tell(erp, *(numbered(number, f"L{number}", line=line) for number in range(1, 21)))
    assert answer.status_code == 200, answer.text
    rules = running.services.environments.rules("contoso")
    dying = asyncio.create_task(running.services.erp.sync.run_now(rules))
    for _ in range(turns):
        await asyncio.sleep(0)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    await erp.sync()
    await erp.sync()
    assert await erp.standing() == {"physical": 60, "hard": 0, "soft": 0, "available": 60}
    consumed = [(await erp.read(f"L{number}"))["offsets"][0]["consumed"] for number in range(1, 21)]
    assert consumed == [2] * 20


async def test_a_line_that_cannot_be_posted_is_on_the_failed_list_and_holds_nobody_up(
    running: Running,
) -> None:
    erp = await contoso(running)
    await erp.line("BAD", 5, dimensions={**RED, "siteId": ""}, status="picked")
    await erp.line("OK", 5, status="picked")
    environments = running.services.environments
    row = await environments.configuration("contoso")
    await environments.apply("contoso", row.document, {"requirePartitionOnOnHand": True}, "ops", "")
    assert await erp.sync() == {"posted": 1, "failed": 1, "waiting": 0}
    assert [(one["lineId"], "partition-missing" in one["refused"]) for one in await erp.failed()] == [
        ("BAD", True)
    ]
    await environments.apply("contoso", row.document, {"requirePartitionOnOnHand": False}, "ops", "")
    assert (await erp.tenant.native("POST", "erp/lines/BAD/retry", {})).status_code == 200
    assert await erp.sync() == {"posted": 1, "failed": 0, "waiting": 0}


async def test_a_failed_offset_is_retried_or_dismissed(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(50)
    for name in ("L1", "L2"):
        await erp.line(name, 5, inventoryServiceAutoOffset=True, status="reservedPhysical")
    await erp.sync()
    assert sorted(one["lineId"] for one in await erp.failed()) == ["L1", "L2"]
    assert (await erp.failed())[0]["offset"]["code"] == "nothing-reserved"
    await erp.reserve(5)
    assert (await erp.tenant.native("POST", "erp/lines/L1/retry", {"offset": 1})).json()["state"] == "pending"
    dismissed = await erp.tenant.native(
        "POST", "erp/lines/L2/dismiss", {"offset": 1, "reason": "paid in the shop"}
    )
    assert dismissed.json()["offsets"][0]["state"] == "dismissed"
    await erp.sync()
    assert await erp.failed() == []
    assert (await erp.read("L1"))["offsets"][0]["consumed"] == 5
    nothing = await erp.tenant.native("POST", "erp/lines/L1/retry", {"offset": 1})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "invalid-value")
    assert (await erp.tenant.native("POST", "erp/lines/none/retry", {})).status_code == 404


async def test_a_hold_that_does_not_exist_fails_the_offset_and_not_the_figures(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(50)
    await erp.line("L1", 5, holdIds=["0000000000000000-1-1"], status="picked")
    await erp.sync()
    assert (await erp.failed())[0]["offset"]["code"] == "unknown-hold"
    assert (await erp.standing())["physical"] == 45


async def test_a_cancelled_line_gives_its_reservation_back_when_it_says_so(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(50)
    kept, given = await erp.reserve(5, reference="a"), await erp.reserve(5, reference="b")
    await erp.line("KEEP", 5, holdIds=[kept["holdId"]])
    await erp.line("GIVE", 5, holdIds=[given["holdId"]], releaseOnCancel=True)
    for name in ("KEEP", "GIVE"):
        await erp.move(name, "cancelled")
    await erp.sync()
    assert (await erp.standing())["soft"] == 5
    holds = (await erp.tenant.native("GET", "reservations")).json()["items"]
    assert [one["reference"] for one in holds] == ["a"]


async def test_each_movement_names_its_line(running: Running) -> None:
    erp = await contoso(running)
    await erp.line("L1", 5, status="picked")
    await erp.sync()
    found = await erp.tenant.native("GET", "movements?organizationId=usmf&productId=D0002")
    assert {(one["kind"], one["reason"]) for one in found.json()["items"]} == {
        ("erp", "L1: new line: 5 picked")
    }


async def test_the_workflow_owns_the_quantity_by_default_and_the_offset_still_happens(
    running: Running,
) -> None:
    """Decisions 20."""
    erp = await contoso(running, physicalOwner="workflow")
    await erp.stock(50)
    reserved = await erp.reserve(5)
    await erp.line("L1", 5, reservationId=reserved["reservationId"], status="sold")
    await erp.sync()
    assert await erp.standing() == {"physical": 50, "hard": 0, "soft": 0, "available": 50}


async def test_a_line_that_was_entered_at_another_warehouse_is_corrected_and_offset(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(50)
    reserved = await erp.reserve(5)
    mistaken = {**RED, "locationId": "1"}
    await erp.line("L1", 5, dimensions=mistaken, reservationId=reserved["reservationId"])
    await erp.move("L1", "reservedPhysical")
    await erp.sync()
    assert (await erp.failed())[0]["offset"]["code"] == "reservation-mismatch"
    await erp.line("L1", 5, reservationId=reserved["reservationId"])
    assert (await erp.tenant.native("POST", "erp/lines/L1/retry", {})).status_code == 200
    await erp.sync()
    assert await erp.failed() == []
    assert await erp.standing() == {"physical": 50, "hard": 5, "soft": 0, "available": 45}


async def test_two_lines_that_stand_for_the_same_reservations_share_them(running: Running) -> None:
    """Posted in one batch, both were planned on the first reservation; the second is not forgotten."""
    erp = await contoso(running)
    await erp.stock(50)
    holds = [(await erp.reserve(5, reference=name))["holdId"] for name in ("a", "b")]
    for name in ("L1", "L2"):
        await erp.line(name, 5, holdIds=holds, status="reservedPhysical")
    await erp.sync()
    assert await erp.failed() == []
    assert await erp.standing() == {"physical": 50, "hard": 10, "soft": 0, "available": 40}


async def test_a_number_that_came_with_another_content_is_refused_whatever_it_did(running: Running) -> None:
    """Also when it was about another line, or had changed nothing."""
    erp = await contoso(running)
    same = numbered(3, "L1", line=LINE)
    await tell(erp, numbered(1, "L1", line=LINE), numbered(2, "L2", line=LINE), same)
    answer = await tell(
        erp, numbered(2, "L1", move={"to": "picked"}), numbered(3, "L1", move={"to": "picked"})
    )
    assert [one.get("code") for one in answer.json()["results"]] == ["payload-mismatch"] * 2
    assert (await tell(erp, same)).json()["results"][0]["replayed"]
    assert (await erp.read("L1"))["transactions"][0]["status"] == "onOrder"
