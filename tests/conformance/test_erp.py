"""Specification 3.6, 4.2, rows E11 and E12: a reservation ends in the ERP, once."""

from __future__ import annotations

import pytest

from tests.erp_side import RED, contoso
from tests.serving import Running


async def test_the_worked_flow_step_by_step(running: Running) -> None:
    """Specification 3.6: what is available does not move when the hard reservation replaces the soft one."""
    erp = await contoso(running, "default-2024")
    await erp.stock(100)
    assert await erp.standing() == {"physical": 100, "hard": 0, "soft": 0, "available": 100}
    order_a = await erp.reserve(10)
    assert await erp.standing() == {"physical": 100, "hard": 0, "soft": 10, "available": 90}
    order_b = await erp.reserve(100)
    assert order_b["processingStatus"] == "failure"
    await erp.line("A-1", 10, reservationId=order_a["reservationId"])
    await erp.move("A-1", "reservedPhysical")
    assert (await erp.standing())["soft"] == 10
    assert await erp.sync() == {"posted": 1, "failed": 0, "waiting": 0}
    assert await erp.standing() == {"physical": 100, "hard": 10, "soft": 0, "available": 90}
    await erp.move("A-1", "deducted")
    await erp.sync()
    assert await erp.standing() == {"physical": 90, "hard": 0, "soft": 0, "available": 90}


async def test_E11_one_offset_for_reserved_picked_invoiced(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    reserved = await erp.reserve(25)
    await erp.line("L", 10, reservationId=reserved["reservationId"])
    for status in ("reservedOrdered", "picked", "sold"):
        await erp.move("L", status)
        await erp.sync()
    line = await erp.read("L")
    assert [(one["state"], one["quantity"], one["consumed"]) for one in line["offsets"]] == [("done", 10, 10)]
    assert (await erp.standing())["soft"] == 15


async def test_E12_one_offset_at_picking_when_the_reservation_is_skipped(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    reserved = await erp.reserve(25)
    await erp.line("L", 10, reservationId=reserved["reservationId"])
    await erp.sync()
    assert (await erp.standing())["soft"] == 25
    await erp.move("L", "picked", 4)
    await erp.move("L", "sold")
    await erp.sync()
    line = await erp.read("L")
    assert [(one["state"], one["consumed"]) for one in line["offsets"]] == [("done", 4), ("done", 6)]
    assert (await erp.standing())["soft"] == 15


async def test_contoso_the_order_recreated_with_the_reservation_id(running: Running) -> None:
    """Option 1 of the original's article: the returned reservation id is copied to the ERP's line."""
    erp = await contoso(running)
    await erp.stock(50)
    reserved = await erp.reserve(5)
    before = await erp.standing()
    await erp.line("000123-1", 5, orderId="000123", reservationId=reserved["reservationId"])
    await erp.move("000123-1", "reservedPhysical")
    await erp.sync()
    assert await erp.standing() == {**before, "hard": 5, "soft": 0}
    assert await erp.failed() == []


async def test_contoso_the_order_recreated_with_automatic_offset(running: Running) -> None:
    """Option 2: the reservation id is left blank, item and dimensions say which reservation it is."""
    erp = await contoso(running)
    await erp.stock(50)
    await erp.reserve(5)
    before = await erp.standing()
    await erp.line("000124-1", 5, inventoryServiceAutoOffset=True)
    await erp.move("000124-1", "reservedPhysical")
    await erp.sync()
    assert await erp.standing() == {**before, "hard": 5, "soft": 0}


async def test_contoso_recreated_by_mistake_at_another_warehouse(running: Running) -> None:
    """Reserved at warehouse 11, ordered at warehouse 1: nothing is offset, and both places are shown (decisions 23)."""
    erp = await contoso(running)
    await erp.stock(50)
    await erp.stock(50, locationId="1")
    reserved = await erp.reserve(5)
    here = {**RED, "locationId": "1"}
    await erp.line("000125-1", 5, dimensions=here, reservationId=reserved["reservationId"])
    await erp.move("000125-1", "reservedPhysical")
    await erp.sync()
    assert (await erp.standing())["soft"] == 5
    (failure,) = await erp.failed()
    assert failure["lineId"] == "000125-1"
    assert failure["offset"]["code"] == "reservation-mismatch"
    assert failure["offset"]["lineNode"] == {
        "siteid": "1",
        "locationid": "1",
        "ColorId": "red",
        "SizeId": "small",
    }
    assert failure["offset"]["reservedNode"] == {
        "siteid": "1", "locationid": "11", "ColorId": "red", "SizeId": "small",
    }  # fmt: skip
    # The web shop cancels its order by a negative quantity with the same information.
    cancelled = await erp.reserve(-5, check=False)
    assert cancelled["processingStatus"] == "success"
    assert (await erp.standing())["soft"] == 0


async def test_a_hold_is_offset_by_its_own_id_and_no_other_order_loses_its_own(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(50)
    mine = await erp.reserve(5, reference="order-1")
    other = await erp.reserve(5, reference="order-2")
    assert mine["reservationId"] == other["reservationId"]
    await erp.line("L", 5, holdIds=[mine["holdId"]])
    await erp.move("L", "picked")
    await erp.sync()
    holds = (await erp.tenant.native("GET", "reservations")).json()["items"]
    assert [(one["reference"], one["remaining"]) for one in holds] == [("order-2", 5)]


async def test_an_aggregated_line_stands_for_many_reservations(running: Running) -> None:
    """Decisions 24."""
    erp = await contoso(running)
    await erp.stock(50)
    holds = [(await erp.reserve(units, reference=f"o{units}"))["holdId"] for units in (2, 3, 4)]
    await erp.line("SUM", 9, holdIds=holds)
    await erp.move("SUM", "reservedPhysical", 4)
    await erp.sync()
    assert (await erp.standing())["soft"] == 5
    await erp.move("SUM", "sold")
    await erp.sync()
    assert (await erp.standing())["soft"] == 0
    assert [one["consumed"] for one in (await erp.read("SUM"))["offsets"]] == [4, 5]


@pytest.mark.implementation_choice
async def test_what_remains_is_offset_and_what_is_missing_is_on_the_failed_list(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(50)
    reserved = await erp.reserve(3)
    await erp.line("L", 5, reservationId=reserved["reservationId"])
    await erp.move("L", "reservedPhysical")
    assert await erp.sync() == {"posted": 0, "failed": 1, "waiting": 0}
    (failure,) = await erp.failed()
    offset = failure["offset"]
    assert (offset["state"], offset["consumed"], offset["missing"]) == ("partial", 3, 2)
    assert (offset["code"], offset["message"]) == ("nothing-reserved", "2 of 5 was not reserved any more.")
    here = {"siteid": "1", "locationid": "11", "ColorId": "red", "SizeId": "small"}
    assert (offset["lineNode"], offset["reservedNode"]) == (here, here)
    assert (await erp.read("L"))["state"] == "failed"
    # What was reserved meanwhile is found by another try, and only what is missing is taken.
    await erp.reserve(4)
    assert (await erp.tenant.native("POST", "erp/lines/L/retry", {})).status_code == 200
    assert await erp.sync() == {"posted": 1, "failed": 0, "waiting": 0}
    assert await erp.failed() == []
    assert (await erp.standing())["soft"] == 2


async def test_where_nothing_remains_an_offset_has_no_effect_and_is_listed(running: Running) -> None:
    """Specification 4.2: it is applied only if reserved quantity remains."""
    erp = await contoso(running)
    await erp.stock(50)
    reserved = await erp.reserve(3)
    await erp.line("FIRST", 3, reservationId=reserved["reservationId"], status="reservedPhysical")
    await erp.sync()
    await erp.line("SECOND", 2, reservationId=reserved["reservationId"], status="reservedPhysical")
    await erp.sync()
    (failure,) = await erp.failed()
    offset = failure["offset"]
    assert (failure["lineId"], offset["state"], offset["consumed"], offset["missing"]) == (
        "SECOND", "failed", 0, 2,
    )  # fmt: skip
    assert await erp.standing() == {"physical": 50, "hard": 5, "soft": 0, "available": 45}


async def test_one_wrong_reservation_of_several_fails_by_itself(running: Running) -> None:
    """Specification 4.2: what fails has no effect and is listed; what matches is offset."""
    erp = await contoso(running)
    await erp.stock(50)
    await erp.stock(50, locationId="1")
    first = await erp.reserve(2, reference="o2")
    last = await erp.reserve(4, reference="o4")
    far = await erp.reserve(3, reference="far", dimensions={**RED, "locationId": "1"})
    none = "0000000000000000-1-1"
    await erp.line("SUM", 9, holdIds=[none, first["holdId"], far["holdId"], last["holdId"]])
    await erp.move("SUM", "reservedPhysical")
    await erp.sync()
    holds = (await erp.tenant.native("GET", "reservations")).json()["items"]
    assert [(one["reference"], one["remaining"]) for one in holds] == [("far", 3)]
    (failure,) = await erp.failed()
    offset = failure["offset"]
    assert (offset["state"], offset["consumed"], offset["missing"]) == ("partial", 6, 3)
    assert offset["code"] == "unknown-hold"
    assert [(one["holdId"], one["code"]) for one in offset["refusedHolds"]] == [
        (none, "unknown-hold"),
        (far["holdId"], "reservation-mismatch"),
    ]
    assert offset["refusedHolds"][1]["reservedNode"]["locationid"] == "1"


async def test_a_wrong_reservation_is_listed_also_when_the_others_cover_the_line(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(50)
    good = await erp.reserve(5, reference="good")
    await erp.line("L", 5, holdIds=["0000000000000000-1-1", good["holdId"]], status="picked")
    await erp.sync()
    (failure,) = await erp.failed()
    assert (failure["offset"]["consumed"], failure["offset"]["missing"]) == (5, 0)
    assert (await erp.standing())["soft"] == 0
