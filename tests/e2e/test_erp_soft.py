"""Soft reservation of lines from the ERP (specification 4.3) and the offset of adjustments (4.4)."""

from __future__ import annotations

from typing import Any

import pytest

from onhand.core import presets
from tests.erp_side import RED, Erp, contoso
from tests.serving import Running


async def ask(erp: Erp, line: str, what: str = "", **body: Any) -> Any:
    return await erp.tenant.native("POST", f"erp/lines/{line}/soft-reservation{what}", body)


async def buckets(erp: Erp, line: str) -> dict[str, Any]:
    found = (await erp.read(line))["softReservation"]
    return {name: value for name, value in found.items() if value and name not in ("message", "holdIds")}


async def test_a_line_is_reserved_directly_and_offset_at_its_hard_reservation(running: Running) -> None:
    erp = await contoso(running, softReservation=True, blockLevel="block")
    await erp.stock(50)
    await erp.line("L", 10, orderId="SO-1")
    blocked = await erp.moved("L", "reservedPhysical")
    assert (blocked.status_code, blocked.json()["code"]) == (409, "soft-reservation-missing")
    assert (await ask(erp, "L")).status_code == 200
    assert await buckets(erp, "L") == {"reserved": 10}
    assert (await erp.standing())["soft"] == 10
    await erp.move("L", "reservedPhysical", 4)
    await erp.sync()
    assert await erp.standing() == {"physical": 50, "hard": 4, "soft": 6, "available": 40}
    assert await buckets(erp, "L") == {"reserved": 6, "offset": 4}
    await erp.move("L", "sold")
    await erp.sync()
    assert await erp.standing() == {"physical": 40, "hard": 0, "soft": 0, "available": 40}
    assert await buckets(erp, "L") == {"offset": 10}
    (hold,) = (await erp.tenant.native("GET", "reservations?open=false")).json()["items"]
    assert (hold["reference"], hold["order"], hold["closedBy"]) == ("SO-1", "erp:L", "offset")


async def test_by_batch_a_line_is_reserved_by_the_next_synchronisation(running: Running) -> None:
    erp = await contoso(running, softReservation=True)
    await erp.stock(50)
    await erp.line("L", 10)
    await erp.sync()
    assert (await ask(erp, "L", quantity=7, batch=True)).status_code == 200
    assert await buckets(erp, "L") == {"batchReserveInProgress": 7, "unreserved": 3}
    assert (await erp.standing())["soft"] == 0
    await erp.sync()
    assert await buckets(erp, "L") == {"reserved": 7, "unreserved": 3}
    assert (await ask(erp, "L", "/revert", quantity=2, batch=True)).status_code == 200
    assert (await erp.standing())["soft"] == 7
    await erp.sync()
    assert await buckets(erp, "L") == {"reserved": 5, "unreserved": 5}
    assert (await ask(erp, "L", "/revert")).status_code == 200
    assert await buckets(erp, "L") == {"unreserved": 10}
    assert (await erp.standing())["soft"] == 0


@pytest.mark.parametrize("batch", [True, False])
async def test_what_is_not_there_stands_in_its_bucket_and_may_be_asked_for_again(
    running: Running, *, batch: bool
) -> None:
    erp = await contoso(running, softReservation=True)
    await erp.stock(4)
    await erp.line("L", 10)
    answer = await ask(erp, "L", quantity=6, batch=batch)
    assert answer.status_code == (200 if batch else 409)
    await erp.sync()
    assert await buckets(erp, "L") == {"failedNotEnough": 6, "unreserved": 4}
    await erp.stock(10)
    assert (await ask(erp, "L")).status_code == 200
    assert await buckets(erp, "L") == {"reserved": 10}


async def test_what_goes_on_without_a_reservation_is_warned_of_and_counted(running: Running) -> None:
    erp = await contoso(running, softReservation=True, blockLevel="warning")
    await erp.stock(50)
    await erp.line("L", 10)
    assert (await ask(erp, "L", quantity=3, batch=True)).status_code == 200
    answer = await erp.moved("L", "picked", 5)
    assert "no soft reservation" in answer.headers["warning"]
    await erp.sync()
    # What was still being reserved is not reserved any more: it has gone on.
    assert await buckets(erp, "L") == {"offset": 3, "pendingToOffset": 2, "unreserved": 5}
    assert (await erp.standing())["soft"] == 0


async def test_a_line_may_choose_its_own_block_level(running: Running) -> None:
    erp = await contoso(running, softReservation=True, blockLevel="block")
    await erp.line("L", 10, blockLevel="ignore")
    answer = await erp.moved("L", "picked")
    assert (answer.status_code, answer.headers.get("warning")) == (200, None)


async def test_a_cancelled_line_gives_its_own_reservation_back(running: Running) -> None:
    erp = await contoso(running, softReservation=True)
    await erp.stock(50)
    await erp.line("L", 10)
    await ask(erp, "L")
    elsewhere = await erp.put("L", 10, dimensions={**RED, "locationId": "12"})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "illegal-move")
    await erp.line("L", 4)
    await erp.sync()
    assert (await erp.standing())["soft"] == 4
    assert await buckets(erp, "L") == {"reserved": 4}


async def test_what_was_reserved_elsewhere_is_not_reserved_reverted_or_changed_here(running: Running) -> None:
    erp = await contoso(running, softReservation=True, blockLevel="block")
    await erp.stock(50)
    reserved = await erp.reserve(10)
    web = {"reservationId": reserved["reservationId"], "isSoftReservedExternally": True}
    await erp.line("L", 10, **web)
    for answer in (await ask(erp, "L"), await ask(erp, "L", "/revert"), await erp.put("L", 11, **web)):
        assert (answer.status_code, answer.json()["code"]) == (409, "externally-reserved")
    await erp.move("L", "reservedPhysical")
    await erp.sync()
    assert await erp.standing() == {"physical": 50, "hard": 10, "soft": 0, "available": 40}


async def test_a_whole_order_is_reserved_and_each_line_answers(running: Running) -> None:
    erp = await contoso(running, softReservation=True)
    await erp.stock(12)
    for name in ("A", "B"):
        await erp.line(name, 10, orderId="SO 7")
    answer = await erp.tenant.native("POST", "erp/orders/so%207/soft-reservation", {})
    results = {one["lineId"]: one for one in answer.json()["results"]}
    assert sorted(one["accepted"] for one in results.values()) == [False, True]
    assert {one.get("code") for one in results.values()} == {None, "shortage"}
    assert (await erp.tenant.native("POST", "erp/orders/SO 7/soft-reservation/revert", {})).status_code == 200
    assert (await erp.standing())["soft"] == 0
    assert (await erp.tenant.native("POST", "erp/orders/none/soft-reservation", {})).status_code == 404


async def test_the_same_key_reserves_once(running: Running) -> None:
    erp = await contoso(running, softReservation=True)
    await erp.stock(50)
    await erp.line("L", 10)
    path = "erp/lines/L/soft-reservation"
    for _ in range(2):
        answer = await erp.tenant.native("POST", path, {"quantity": 3}, Idempotency_Key="k")
        assert answer.status_code == 200
    assert (await erp.standing())["soft"] == 3
    other = await erp.tenant.native("POST", path, {"quantity": 6}, Idempotency_Key="k")
    assert (other.status_code, other.json()["code"]) == (422, "payload-mismatch")


async def test_soft_reservation_has_to_be_switched_on(running: Running) -> None:
    erp = await contoso(running)
    await erp.line("L", 10)
    assert (await ask(erp, "L")).json()["code"] == "reservations-disabled"
    assert (await ask(erp, "none")).status_code == 404
    await erp.parameters(physicalOwner="erp", softReservation=True)
    assert (await ask(erp, "L", quantity=0)).status_code == 422
    assert (await ask(erp, "L", quantity=11)).json()["code"] == "invalid-quantity"


async def test_a_movement_that_was_posted_before_is_taken_back_when_the_erp_posts_it_too(
    running: Running,
) -> None:
    """Specification 4.4: a till had posted pos.sold +10; the ERP's invoice would count it again."""
    document = presets.document("default-2023", "till")
    document["inventorySystemConfigurations"]["pos"]["physicalMeasures"].append("sold")
    erp = Erp(await running.environment("till", document))
    rule = {"kind": "salesOrder", "trigger": "invoice", "dataSource": "pos", "physicalMeasure": "sold"}
    bad = await erp.tenant.native(
        "PUT", "erp/parameters", {"adjustmentOffsets": [{**rule, "trigger": "post"}]}
    )
    assert (bad.status_code, "trigger" in bad.json()["detail"]) == (422, True)
    await erp.parameters(physicalOwner="erp", adjustmentOffsets=[rule])
    await erp.tenant.on_hand(
        id="till-1",
        organizationId="usmf",
        productId="D0002",
        dimensions=RED,
        quantities={"pos": {"sold": 10}},
    )
    await erp.line("L", 10, offsetDataSource="pos", offsetPhysicalMeasure="sold")
    await erp.line("OTHER", 5)
    for name in ("L", "OTHER"):
        await erp.move(name, "sold")
    await erp.sync()
    rows = await erp.tenant.rows({"organizationId": ["usmf"], "productId": ["D0002"]})
    assert (rows[0]["quantities"]["pos"]["sold"], rows[0]["quantities"]["fno"]["physicalinvent"]) == (0, -15)


async def test_what_a_line_holds_is_never_left_behind(running: Running) -> None:
    """Neither by another reservation nor by switching the feature off."""
    erp = await contoso(running, softReservation=True)
    await erp.stock(50)
    await erp.line("L", 10)
    assert (await ask(erp, "L")).status_code == 200
    other = await erp.put("L", 10, inventoryServiceAutoOffset=True)
    assert (other.status_code, other.json()["code"]) == (409, "illegal-move")
    await erp.parameters(physicalOwner="erp", softReservation=False, blockLevel="block")
    assert (await ask(erp, "L", "/revert", quantity=2)).status_code == 200
    await erp.move("L", "reservedPhysical")
    await erp.sync()
    assert await erp.standing() == {"physical": 50, "hard": 10, "soft": 0, "available": 40}
    assert await buckets(erp, "L") == {"offset": 8, "pendingToOffset": 2}
