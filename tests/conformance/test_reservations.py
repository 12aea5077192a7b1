"""Specification 11, rows D: reservations, and the worked tables 3.6 and 3.10.6."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import Make
from tests.conformance.fixtures import FIXTURES
from tests.serving import Tenant

A0001 = {"organizationId": "org1", "productId": "A0001"}
PLACE = {"siteId": "1", "locationId": "11"}
SOFT = {"quantityDataSource": "@iv", "modifier": "@softreserved"}


async def seeded(iv: Tenant, quantity: int = 10) -> Tenant:
    await iv.on_hand(id="seed", **A0001, dimensions=PLACE, quantities={"iv": {"onhand": quantity}})
    return iv


async def reserve(iv: Tenant, identity: str, quantity: Any, **more: Any) -> dict[str, Any]:
    body = {"id": identity, **A0001, "dimensions": PLACE, **SOFT, "quantity": quantity, **more}
    answer = await iv.send("POST", "onhand/reserve", body)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    assert isinstance(found["afrFailure"], bool)
    assert type(found["afrQuantity"]) is int
    return found


async def measures(iv: Tenant, source: str = "@iv", **filters: str) -> dict[str, Any]:
    wanted = {"organizationId": "org1", "productId": "A0001", **filters}
    rows = await iv.rows({name: [value] for name, value in wanted.items()})
    assert len(rows) == 1, rows
    found: dict[str, Any] = rows[0]["quantities"][source]
    return found


async def afr(iv: Tenant) -> Any:
    return (await measures(iv))["@available_to_reserve"]


async def test_D01_to_D08_in_sequence(tenant: Make) -> None:
    iv = await seeded(await tenant("FX-S"))
    # D01: more than there is.
    short = await reserve(iv, "d01", 100, ifCheckAvailForReserv=True)
    assert (short["statusCode"], short["processingStatus"]) == (500, "failure")
    assert (short["afrFailure"], short["afrQuantity"], short["reservationId"]) == (True, 10, "")
    assert short["id"] == "ohre~d01"
    assert (await measures(iv)).get("@softreserved", 0) == 0
    # D02: unchecked.
    unchecked = await reserve(iv, "d02", 100, ifCheckAvailForReserv=False)
    assert (unchecked["statusCode"], unchecked["afrFailure"], unchecked["afrQuantity"]) == (200, False, 0)
    assert await afr(iv) == -90
    # D03: a reversal cannot be checked.
    checked = await reserve(iv, "d03", -100, ifCheckAvailForReserv=True)
    assert (checked["statusCode"], checked["afrFailure"]) == (500, True)
    assert await afr(iv) == -90
    # D04: a reversal.
    reversal = await reserve(iv, "d04", -100, ifCheckAvailForReserv=False)
    assert reversal["statusCode"] == 200
    assert reversal["reservationId"] == unchecked["reservationId"]
    assert await afr(iv) == 10
    # D05: an unconfigured dimension, though empty, under version 0.
    colour = {**PLACE, "colorId": ""}
    assert (await reserve(iv, "d05", 1, dimensions=colour))["statusCode"] == 400
    # D06: dropped under version 1.
    assert (await iv.send("POST", "configuration/hardupdate", FIXTURES["FX-S filtering"]())).is_success
    filtered = await reserve(iv, "d06", 1, dimensions=colour)
    assert (filtered["statusCode"], filtered["afrQuantity"]) == (200, 9)
    assert (await measures(iv, siteId="1", locationId="11"))["@softreserved"] == 1
    # D08: the same again.
    assert await reserve(iv, "d06", 1, dimensions=colour) == filtered
    assert await afr(iv) == 9


async def test_D09_quantity_as_text(tenant: Make) -> None:
    iv = await tenant("FX-P")
    await iv.on_hand(
        id="seed", **A0001, dimensions=PLACE, quantities={"iv": {"ordered": "2.5"}, "pos": {"inbound": 5}}
    )
    answer = await reserve(iv, "d09", "1", quantityDataSource="iv", modifier="softreserved")
    assert answer["processingStatus"] == "success"
    assert (answer["afrFailure"], answer["statusCode"], answer["afrQuantity"]) == (False, 200, 6)
    assert len(answer["reservationId"]) == 36


async def fx_r(iv: Tenant) -> None:
    red = {"siteId": "1", "locationId": "11", "colorId": "Red"}
    event = {"organizationId": "usmf", "productId": "D0002", "dimensions": red}
    await iv.erp({"id": "fno", **event, "quantities": {"fno": {"availphysical": 70}}})
    quantities = {"pos": {"inbound": 50, "outbound": 20}, "iv": {"softreservphysical": 90}}
    await iv.on_hand(id="seed", **event, quantities=quantities)


D0002: dict[str, Any] = {
    "organizationId": "usmf",
    "productId": "D0002",
    "dimensions": {"siteId": "1", "locationId": "11", "colorId": "Red"},
    "quantityDataSource": "iv",
    "modifier": "SoftReservPhysical",
}


async def test_D10_last_ten(tenant: Make) -> None:
    iv = await tenant("FX-R")
    await fx_r(iv)
    before = await measures(iv, "iv", organizationId="usmf", productId="D0002")
    assert before["availabletoreserve"] == 10
    answer = await reserve(iv, "d10", 10, **D0002)
    assert (answer["processingStatus"], answer["afrQuantity"]) == ("success", 0)
    after = await measures(iv, "iv", organizationId="usmf", productId="D0002")
    assert after == {"availabletoreserve": 0, "softreservphysical": 100}


async def test_D13_unchecked_beyond(tenant: Make) -> None:
    iv = await tenant("FX-R")
    await fx_r(iv)
    assert (await reserve(iv, "d13", 11, **D0002, ifCheckAvailForReserv=False))["statusCode"] == 200
    after = await measures(iv, "iv", organizationId="usmf", productId="D0002")
    assert after["availabletoreserve"] == -1


async def test_D14_by_location_needs_site_and_location(tenant: Make) -> None:
    iv = await seeded(await tenant("FX-L"))
    assert (await reserve(iv, "d14", 1, dimensions={}))["statusCode"] == 500


async def test_D15_by_location(tenant: Make) -> None:
    iv = await seeded(await tenant("FX-L"))
    assert (await reserve(iv, "d15", 1))["statusCode"] == 200


async def test_D17_subset_of_the_hierarchy(tenant: Make) -> None:
    sized = {**D0002, "dimensions": {"siteId": "1", "locationId": "11", "sizeId": "S"}}
    for name, strict, status in (("e1", False, 200), ("e2", True, 400)):
        iv = await tenant("FX-R", name, strictReservationHierarchy=strict)
        await iv.on_hand(
            id="s",
            organizationId="usmf",
            productId="D0002",
            dimensions=sized["dimensions"],
            quantities={"pos": {"inbound": 5}},
        )
        assert (await reserve(iv, "d17", 1, **sized))["statusCode"] == status


async def test_D18_measure_names_in_any_case(tenant: Make) -> None:
    iv = await tenant("FX-R")
    await fx_r(iv)
    first = await reserve(iv, "a", 1, **D0002)
    second = await reserve(
        iv, "b", 1, **{**D0002, "modifier": "softreservPHYSICAL", "quantityDataSource": "IV"}
    )
    assert first["reservationId"] == second["reservationId"]
    assert (await measures(iv, "iv", organizationId="usmf", productId="D0002"))["softreservphysical"] == 92


async def test_D19_the_erps_own_reservation_measure(tenant: Make) -> None:
    iv = await tenant("FX-P")
    answer = await reserve(iv, "d19", 1, quantityDataSource="fno", modifier="softreserved")
    assert (answer["processingStatus"], answer["statusCode"]) == ("failure", 403)


@pytest.mark.implementation_choice
@pytest.mark.parametrize(("levels", "fine"), [("feasible", 6), ("independent", 10)])
async def test_D21_levels(tenant: Make, levels: str, fine: int) -> None:
    iv = await tenant("FX-R", reservationLevels=levels)
    cell = {"siteId": "1", "locationId": "11", "colorId": "red", "sizeId": "small"}
    subject = {"organizationId": "usmf", "productId": "D0002"}
    await iv.on_hand(id="s", **subject, dimensions=cell, quantities={"pos": {"inbound": 10}})
    coarse = {name: value for name, value in cell.items() if name != "sizeId"}
    assert (await reserve(iv, "r", 4, **{**D0002, "dimensions": coarse}))["statusCode"] == 200
    wanted = {"organizationId": "usmf", "productId": "D0002", "siteId": "1", "locationId": "11"}
    shown = {}
    for level, dims in {
        "()": {},
        "red": {"colorId": "red"},
        "red/small": {"colorId": "red", "sizeId": "small"},
    }.items():
        shown[level] = (await measures(iv, "iv", **{**wanted, **dims}))["availabletoreserve"]
    assert shown == {"()": 6, "red": 6, "red/small": fine}


async def test_D23_order_narrative(tenant: Make) -> None:
    iv = await tenant("FX-P")
    await iv.erp({"id": "f", **A0001, "dimensions": PLACE, "quantities": {"fno": {"physicalinvent": 100}}})
    soft = {"quantityDataSource": "iv", "modifier": "softreserved"}
    first = await reserve(iv, "a", 10, **soft)
    assert (first["processingStatus"], first["afrQuantity"]) == ("success", 90)
    second = await reserve(iv, "b", 100, **soft)
    assert (second["processingStatus"], second["afrQuantity"]) == ("failure", 90)


async def test_3_2_checked_reserve_without_dimensions_by_product(tenant: Make) -> None:
    iv = await seeded(await tenant("FX-S"))
    assert (await reserve(iv, "a", 10, dimensions={}))["statusCode"] == 200


async def test_3_6_worked_flow(tenant: Make) -> None:
    iv = await tenant("FX-P")
    event = {**A0001, "dimensions": PLACE}
    soft = {"quantityDataSource": "iv", "modifier": "softreserved"}

    async def row() -> tuple[int, int, int, int]:
        found = (await iv.rows({"organizationId": ["org1"], "productId": ["A0001"]}))[0]["quantities"]
        return (
            found["fno"]["physicalinvent"],
            found["fno"]["reservphysical"],
            found["iv"]["softreserved"],
            found["iv"]["availabletoreserve"],
        )

    await iv.erp({"id": "initial", **event, "quantities": {"fno": {"physicalinvent": 100}}})
    assert await row() == (100, 0, 0, 100)
    order_a = await reserve(iv, "A", 10, **soft)
    assert await row() == (100, 0, 10, 90)
    assert (await reserve(iv, "B", 100, **soft))["processingStatus"] == "failure"
    assert await row() == (100, 0, 10, 90)
    offset = {"reservationId": order_a["reservationId"], "quantity": 10}
    synced = await iv.erp(
        {"id": "A synced", **event, "quantities": {"fno": {"reservphysical": 10}}, "offsets": [offset]}
    )
    assert synced[0]["offsets"][0]["consumed"] == 10
    assert await row() == (100, 10, 0, 90)
    await iv.erp(
        {"id": "A shipped", **event, "quantities": {"fno": {"physicalinvent": -10, "reservphysical": -10}}}
    )
    assert await row() == (90, 0, 0, 90)


# 3.10.6 ------------------------------------------------------------------------------------------------------

NODES: dict[str, dict[str, str]] = {
    "red": {"colorId": "red"},
    "blue": {"colorId": "blue"},
    "small": {"sizeId": "small"},
    "large": {"sizeId": "large"},
    **{f"{c}/{s}": {"colorId": c, "sizeId": s} for c in ("red", "blue") for s in ("small", "large")},
    "1/11": {},
}


async def stock(iv: Tenant, **cells: int) -> None:
    for cell, quantity in cells.items():
        colour, size = cell.split("_")
        dims = {**PLACE, "colorId": colour, "sizeId": size}
        await iv.on_hand(id=cell, **A0001, dimensions=dims, quantities={"pos": {"inbound": quantity}})


async def take(iv: Tenant, node: str, quantity: int, **more: Any) -> dict[str, Any]:
    soft = {"quantityDataSource": "iv", "modifier": "softreservphysical"}
    return await reserve(
        iv, f"{node} {quantity}", quantity, **soft, dimensions={**PLACE, **NODES[node]}, **more
    )


async def available(iv: Tenant, *nodes: str) -> dict[str, int]:
    shown = {}
    for node in nodes:
        found = await measures(iv, "iv", siteId="1", locationId="11", **NODES[node])
        shown[node] = found["availabletoreserve"]
    return shown


@pytest.mark.implementation_choice
async def test_3_10_6_example_1_nested(tenant: Make) -> None:
    iv = await tenant("FX-R")
    await stock(iv, red_small=10)
    await take(iv, "red", 4)
    nodes = ("red/small", "red", "1/11")
    assert await available(iv, *nodes) == dict.fromkeys(nodes, 6)
    short = await take(iv, "red/small", 10)
    assert (short["statusCode"], short["afrQuantity"]) == (500, 6)
    assert short["shortage"] == {
        "requested": 10,
        "available": 6,
        "nodes": [{"siteid": "1", "locationid": "11", "ColorId": "red"}],
    }
    assert (await take(iv, "red/small", 6))["statusCode"] == 200
    assert await available(iv, *nodes) == dict.fromkeys(nodes, 0)


@pytest.mark.implementation_choice
async def test_3_10_6_example_1_independent(tenant: Make) -> None:
    iv = await tenant("FX-R", reservationLevels="independent")
    await stock(iv, red_small=10)
    await take(iv, "red", 4)
    assert (await take(iv, "red/small", 10))["statusCode"] == 200
    assert await available(iv, "red") == {"red": -4}


TABLE_2 = {
    "none": {"red": 10, "small": 10, "blue": 25, "large": 25, "red/small": 5, "red/large": 5, "blue/small": 5,
             "blue/large": 20, "1/11": 35},
    "10 small": {"red": 5, "small": 0, "blue": 20, "large": 25, "red/small": 0, "red/large": 5, "blue/small": 0,
                 "blue/large": 20, "1/11": 25},
    "6 small": {"red": 9, "small": 4, "blue": 24, "large": 25, "red/small": 4, "red/large": 5, "blue/small": 4,
                "blue/large": 20, "1/11": 29},
    "10 small, 5 red": {"red": 0, "small": 0, "blue": 20, "large": 20, "red/small": 0, "red/large": 0, "blue/small": 0,
                        "blue/large": 20, "1/11": 20},
}  # fmt: skip


@pytest.mark.implementation_choice
@pytest.mark.parametrize("column", TABLE_2)
async def test_3_10_6_example_2_crossing(tenant: Make, column: str) -> None:
    iv = await tenant("FX-R")
    await stock(iv, red_small=5, red_large=5, blue_small=5, blue_large=20)
    for part in [] if column == "none" else column.split(", "):
        quantity, node = part.split()
        assert (await take(iv, node, int(quantity)))["statusCode"] == 200
    assert await available(iv, *TABLE_2[column]) == TABLE_2[column]


@pytest.mark.implementation_choice
async def test_3_10_6_example_2_shortage(tenant: Make) -> None:
    iv = await tenant("FX-R")
    await stock(iv, red_small=5, red_large=5, blue_small=5, blue_large=20)
    await take(iv, "small", 10)
    short = await take(iv, "red", 8)
    assert (short["statusCode"], short["afrQuantity"]) == (500, 5)
    place = {"siteid": "1", "locationid": "11"}
    nodes = short["shortage"]["nodes"]
    assert len(nodes) == 2
    assert {**place, "ColorId": "red"} in nodes
    assert {**place, "SizeId": "small"} in nodes
    assert (await take(iv, "red", 5))["statusCode"] == 200


@pytest.mark.implementation_choice
async def test_3_10_6_example_3_already_short(tenant: Make) -> None:
    iv = await tenant("FX-R")
    await stock(iv, red_small=10, blue_small=5)
    await take(iv, "red/small", 13, ifCheckAvailForReserv=False)
    shown = await available(iv, "red/small", "red", "blue/small", "1/11")
    assert shown == {"red/small": -3, "red": -3, "blue/small": 5, "1/11": 2}
    assert (await take(iv, "1/11", 3))["statusCode"] == 500
    assert (await take(iv, "blue/small", 5))["statusCode"] == 200


@pytest.mark.implementation_choice
async def test_3_10_6_example_4_coarse_outbound(tenant: Make) -> None:
    iv = await tenant("FX-R")
    await stock(iv, red_small=10)
    await iv.on_hand(id="out", **A0001, dimensions=PLACE, quantities={"pos": {"outbound": 3}})
    assert await available(iv, "1/11", "red", "red/small") == {"1/11": 7, "red": 7, "red/small": 7}


# Extensions (section 9) --------------------------------------------------------------------------------------


@pytest.mark.implementation_choice
async def test_9_expiry_reference_and_hold(tenant: Make) -> None:
    iv = await seeded(await tenant("FX-S"))
    answer = await reserve(iv, "x", 4, ttlSeconds=60, reference="cart 7", channel="web")
    assert answer["holdId"]
    assert answer["expiresAt"].endswith("Z")
    held = (await iv.native("GET", f"reservations/{answer['holdId']}")).json()
    assert (held["reference"], held["channel"], held["remaining"]) == ("cart 7", "web", 4)
    assert await afr(iv) == 6
    iv.running.clock.ahead_s = 61
    assert await afr(iv) == 10
    assert (await reserve(iv, "y", 10))["statusCode"] == 200
