"""Specification 11, rows E: unreserve, offset, clean-up; and the numbers of 2.8."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import Make
from tests.serving import Tenant

A0001 = {"organizationId": "org1", "productId": "A0001"}
PLACE = {"siteId": "1", "locationId": "11"}
SOFT = {"quantityDataSource": "@iv", "modifier": "@softreserved"}


async def reserved(iv: Tenant, quantity: int, identity: str = "r", **more: Any) -> str:
    body = {"id": identity, **A0001, "dimensions": PLACE, **SOFT, "quantity": quantity, **more}
    answer = await iv.post("onhand/reserve", {"ifCheckAvailForReserv": False, **body})
    assert answer["processingStatus"] == "success", answer
    return str(answer["reservationId"])


async def unreserve(
    iv: Tenant, reservation: str, quantity: Any, identity: str = "u", **more: Any
) -> dict[str, Any]:
    body = {
        "id": identity,
        **A0001,
        "reservationId": reservation,
        "dimensions": PLACE,
        "OffsetQty": quantity,
        **more,
    }
    answer: dict[str, Any] = await iv.post("onhand/unreserve", body)
    return answer


async def left(iv: Tenant, source: str = "@iv", measure: str = "@softreserved") -> Any:
    rows = await iv.rows({"organizationId": ["org1"], "productId": ["A0001"]})
    return rows[0]["quantities"][source][measure]


async def test_E01_and_E08_partial_release(tenant: Make) -> None:
    iv = await tenant("FX-S")
    reservation = await reserved(iv, 100)
    answer = await unreserve(iv, reservation, 10)
    assert answer == {
        "reservationId": reservation,
        "afrFailure": False,
        "afrQuantity": 0,
        "totalInvalidOffsetQtyByReservId": 0,
        "id": "ohoe~u",
        "processingStatus": "success",
        "message": "",
        "statusCode": 200,
    }
    assert await left(iv) == 90


async def test_E04_text_number_and_other_spelling(tenant: Make) -> None:
    iv = await tenant("FX-S")
    reservation = await reserved(iv, 10)
    body = {"ID": "u", **A0001, "ReservationId": reservation, "dimensions": PLACE, "offsetQty": "5"}
    answer = await iv.post("onhand/unreserve/", body)
    assert answer["processingStatus"] == "success"
    assert await left(iv) == 5


async def test_E05_dimension_names_in_other_case(tenant: Make) -> None:
    iv = await tenant("FX-S")
    reservation = await reserved(iv, 10)
    answer = await unreserve(iv, reservation, 4, dimensions={"SITEID": "1", "locationid": "11"})
    assert answer["processingStatus"] == "success"
    assert await left(iv) == 6


async def test_E07_repeated_unreserve_is_replayed(tenant: Make) -> None:
    iv = await tenant("FX-S")
    reservation = await reserved(iv, 100)
    first = await unreserve(iv, reservation, 10)
    assert await unreserve(iv, reservation, 10) == first
    assert await left(iv) == 90


async def test_E09_clean_up_job(tenant: Make) -> None:
    iv = await tenant("FX-P")
    soft = {"quantityDataSource": "iv", "modifier": "softreserved"}
    await iv.on_hand(
        id="s", **A0001, dimensions=PLACE, quantities={"pos": {"inbound": 50}, "iv": {"ordered": 7}}
    )
    await reserved(iv, 30, **soft)
    started = await iv.post("onhand/reserve/resyncjob", ["iv"])
    job = started["jobId"]
    assert job.partition(":")[2]
    await iv.running.services.jobs.run(job)  # as long as it takes; running it twice is harmless
    state = (await iv.send("GET", f"getJobProgress?jobId={job}")).json()
    assert (state["status"], state["progress"], state["jobId"]) == ("Succeeded", 100, job)
    found = (await iv.rows({"organizationId": ["org1"], "productId": ["A0001"]}))[0]["quantities"]
    assert (found["iv"]["softreserved"], found["iv"]["ordered"], found["pos"]["inbound"]) == (0, 7, 50)
    assert (await iv.native("GET", "reservations")).json()["items"] == []
    assert (await iv.send("GET", "getJobProgress?jobId=SomeJob:unknown")).status_code == 404


@pytest.mark.implementation_choice
async def test_2_8_more_than_reserved(tenant: Make) -> None:
    iv = await tenant("FX-S")
    answer = await unreserve(iv, await reserved(iv, 10), 12)
    assert (answer["processingStatus"], answer["statusCode"]) == ("partialSuccess", 200)
    assert answer["totalInvalidOffsetQtyByReservId"] == 2
    assert await left(iv) == 0


@pytest.mark.implementation_choice
@pytest.mark.parametrize(("switch", "status"), [("failure", 400), ("partialSuccess", 200)])
async def test_2_8_nothing_left(tenant: Make, switch: str, status: int) -> None:
    iv = await tenant("FX-S", emptyUnreserve=switch)
    reservation = await reserved(iv, 10)
    await unreserve(iv, reservation, 10, "u1")
    answer = await unreserve(iv, reservation, 3, "u2")
    assert (answer["processingStatus"], answer["statusCode"]) == (switch, status)
    assert answer["totalInvalidOffsetQtyByReservId"] == 3
    assert await left(iv) == 0


@pytest.mark.implementation_choice
async def test_2_8_other_dimensions_or_an_unknown_id(tenant: Make) -> None:
    iv = await tenant("FX-S")
    reservation = await reserved(iv, 10)
    elsewhere = await unreserve(iv, reservation, 4, "u1", dimensions={"siteId": "1", "locationId": "12"})
    unknown = await unreserve(iv, "00000000-0000-5000-8000-000000000000", 4, "u2")
    nothing = await unreserve(iv, reservation, 0, "u3")
    for answer in (elsewhere, unknown, nothing):
        assert (answer["processingStatus"], answer["statusCode"], answer["afrFailure"]) == (
            "failure",
            400,
            False,
        )
    assert elsewhere["totalInvalidOffsetQtyByReservId"] == 4
    assert await left(iv) == 10


async def test_2_8_product_is_optional(tenant: Make) -> None:
    iv = await tenant("FX-S")
    reservation = await reserved(iv, 10)
    body = {
        "id": "u",
        "organizationId": "org1",
        "reservationId": reservation,
        "dimensions": PLACE,
        "OffsetQty": 3,
    }
    answer = await iv.post("onhand/unreserve/bulk", [body])
    assert [one["statusCode"] for one in answer["success"]] == [200]
    assert await left(iv) == 7


@pytest.mark.implementation_choice
async def test_2_8_holds_with_an_owner_are_left_alone(tenant: Make) -> None:
    iv = await tenant("FX-S")
    reservation = await reserved(iv, 5, "mine", reference="order 1")
    assert await reserved(iv, 3, "shared") == reservation
    answer = await unreserve(iv, reservation, 8)
    assert (answer["processingStatus"], answer["totalInvalidOffsetQtyByReservId"]) == ("partialSuccess", 5)
    assert await left(iv) == 5


# Offsets by the ERP ------------------------------------------------------------------------------------------


async def line(iv: Tenant) -> dict[str, Any]:
    await iv.erp(
        {"id": "initial", **A0001, "dimensions": PLACE, "quantities": {"fno": {"physicalinvent": 100}}}
    )
    reservation = await reserved(iv, 10, quantityDataSource="iv", modifier="softreserved")
    return {"id": "SO-1/1", "reservationId": reservation, "quantity": 10}


async def test_E11_one_offset_when_reserved_then_picked_then_invoiced(tenant: Make) -> None:
    iv = await tenant("FX-P")
    offset = await line(iv)
    steps = (
        {"reservphysical": 10},
        {"reservphysical": -10, "picked": -10},
        {"picked": 10, "physicalinvent": -10},
    )
    consumed = []
    for number, change in enumerate(steps):
        event = {"id": f"SO-1/1/{number}", **A0001, "dimensions": PLACE, "quantities": {"fno": change}}
        (result,) = await iv.erp({**event, "offsets": [offset]})
        consumed.append(result["offsets"][0]["consumed"])
        assert await left(iv, "iv", "softreserved") == 0
    assert consumed[0] == 10
    movements = (
        await iv.native("GET", "movements?organizationId=org1&productId=A0001&measure=iv.softreserved")
    ).json()
    assert [one["delta"] for one in movements["items"] if one["kind"] == "offset"] == [-10]


async def test_E12_reservation_skipped_offset_when_picked(tenant: Make) -> None:
    iv = await tenant("FX-P")
    offset = await line(iv)
    await iv.erp({"id": "on order", **A0001, "dimensions": PLACE, "quantities": {"fno": {"onorder": 10}}})
    assert await left(iv, "iv", "softreserved") == 10
    picked = {"id": "picked", **A0001, "dimensions": PLACE, "quantities": {"fno": {"picked": -10}}}
    (result,) = await iv.erp({**picked, "offsets": [offset]})
    assert (result["offsets"][0]["consumed"], result["offsets"][0]["surplus"]) == (10, 0)
    assert await left(iv, "iv", "softreserved") == 0


@pytest.mark.implementation_choice
async def test_4_2_offset_at_another_warehouse_has_no_effect(tenant: Make) -> None:
    iv = await tenant("FX-P")
    offset = await line(iv)
    elsewhere = {"siteId": "1", "locationId": "1"}
    event = {"id": "picked", **A0001, "dimensions": elsewhere, "quantities": {"fno": {"picked": -10}}}
    (result,) = await iv.erp({**event, "offsets": [offset, {"holdId": "none", "quantity": 1}]})
    assert [one["code"] for one in result["offsets"]] == ["reservation-mismatch", "unknown-hold"]
    assert await left(iv, "iv", "softreserved") == 10
