"""Specification 11, rows C: on-hand posts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import Make
from tests.conformance.fixtures import FIXTURES
from tests.serving import Tenant

T_SHIRT = {"organizationId": "usmf", "productId": "T-shirt"}
TEST201 = {
    "id": "Test201",
    **T_SHIRT,
    "dimensionDataSource": "pos",
    "dimensions": {"siteId": "1", "locationId": "11", "posMachineId": "0001", "colorId": "red"},
    "quantities": {"pos": {"inbound": 1}},
}
BULK = [
    {**TEST201, "id": "Test203", "dimensions": {"siteId": "1", "locationId": "11", "colorId": "red"}},
    {
        **TEST201,
        "id": "Test204",
        "dimensions": {"siteId": "1", "locationId": "11", "colorId": "black"},
        "quantities": {"pos": {"outbound": 3}},
    },
]


async def total(
    iv: Tenant, product: str, source: str, measure: str, organization: str = "usmf", **dims: str
) -> Any:
    filters = {
        "organizationId": [organization],
        "productId": [product],
        **{name: [v] for name, v in dims.items()},
    }
    rows = await iv.rows(filters)
    assert len(rows) <= 1, rows
    return rows[0]["quantities"].get(source, {}).get(measure) if rows else None


async def test_C01_lower_case_keys_and_text_numbers(tenant: Make) -> None:
    iv = await tenant("FX-S")
    body = {
        "id": "d",
        "productid": "A0001",
        "organizationid": "org1",
        "dimensions": {"siteid": "1", "locationid": "11"},
        "quantities": {"iv": {"onhand": "10"}},
    }
    answer = await iv.post("onhand/", body)
    assert answer == {"id": "ohce~d", "processingStatus": "success", "message": "", "statusCode": 200}
    assert await total(iv, "A0001", "iv", "onhand", "org1") == 10


async def test_C02_external_dimension_name(tenant: Make) -> None:
    iv = await tenant("FX-S")
    await iv.on_hand(**TEST201)
    rows = await iv.rows(
        {"organizationId": ["usmf"], "productId": ["T-shirt"]},
        ("siteId", "locationId", "colorId", "extendedDimension1"),
    )
    assert [row["dimensions"] for row in rows] == [
        {"siteid": "1", "locationid": "11", "ColorId": "red", "ExtendedDimension1": "0001"}
    ]
    assert rows[0]["quantities"]["pos"]["inbound"] == 1


async def test_C04_external_name_without_its_source(tenant: Make) -> None:
    iv = await tenant("FX-S")
    body = {name: value for name, value in TEST201.items() if name != "dimensionDataSource"}
    answer = await iv.send("POST", "onhand", body)
    assert answer.status_code == 200
    assert (answer.json()["processingStatus"], answer.json()["statusCode"]) == ("failure", 400)


async def test_C05_bulk(tenant: Make) -> None:
    iv = await tenant("FX-S")
    answer = await iv.post("onhand/bulk", BULK)
    assert [one["id"] for one in answer["success"]] == ["ohce~Test203", "ohce~Test204"]
    assert answer["failure"] == answer["partialSuccess"] == []
    assert await total(iv, "T-shirt", "pos", "inbound", colorId="red") == 1
    assert await total(iv, "T-shirt", "pos", "outbound", colorId="black") == 3


async def test_C06_repeated_bulk_is_replayed(tenant: Make) -> None:
    iv = await tenant("FX-S")
    first = await iv.post("onhand/bulk", BULK)
    assert await iv.post("onhand/bulk", BULK) == first
    assert await total(iv, "T-shirt", "pos", "inbound", colorId="red") == 1
    assert await total(iv, "T-shirt", "pos", "outbound", colorId="black") == 3


@pytest.mark.implementation_choice
async def test_2_4_same_id_other_body_is_refused(tenant: Make) -> None:
    iv = await tenant("FX-S")
    await iv.on_hand(**TEST201)
    other = {**TEST201, "quantities": {"pos": {"inbound": 2}}}
    answer = await iv.send("POST", "onhand", other)
    assert (answer.status_code, answer.json()["statusCode"]) == (200, 409)
    assert answer.headers["x-duplicate-payload-mismatch"] == "true"
    assert await total(iv, "T-shirt", "pos", "inbound") == 1


async def test_C08_the_erps_quantities_are_its_own(tenant: Make) -> None:
    iv = await tenant("FX-P")
    body = {**TEST201, "dimensionDataSource": None, "quantities": {"fno": {"physicalinvent": 1}}}
    body["dimensions"] = {"siteId": "1", "locationId": "11"}
    answer = await iv.post("onhand", body)
    assert (answer["processingStatus"], answer["statusCode"]) == ("failure", 403)
    assert await total(iv, "T-shirt", "fno", "physicalinvent") is None


@pytest.mark.implementation_choice
@pytest.mark.parametrize("quantities", [{"pos": {"foo": 1}}, {"nobody": {"inbound": 1}}])
async def test_C09_unknown_measure(tenant: Make, quantities: dict[str, Any]) -> None:
    iv = await tenant("FX-S")
    answer = await iv.post("onhand", {**TEST201, "quantities": quantities})
    assert (answer["processingStatus"], answer["statusCode"]) == ("failure", 400)


async def test_C10_set_on_hand_is_absolute(tenant: Make) -> None:
    iv = await tenant("FX-S")
    red = {"siteId": "1", "locationId": "11", "colorId": "red"}
    await iv.on_hand(id="a", **T_SHIRT, dimensions=red, quantities={"pos": {"inbound": 37, "outbound": 2}})
    body = {"id": "s", **T_SHIRT, "dimensions": red, "quantities": {"pos": {"inbound": 100}}}
    answer = await iv.post("setonhand/pos/bulk", [body])
    assert [one["statusCode"] for one in answer["success"]] == [200]
    assert await total(iv, "T-shirt", "pos", "inbound") == 100
    assert await total(iv, "T-shirt", "pos", "outbound") == 2


@pytest.mark.implementation_choice
async def test_2_6_set_on_hand_of_another_source_or_an_older_time(tenant: Make) -> None:
    iv = await tenant("FX-S")
    body = {**T_SHIRT, "dimensions": {}, "quantities": {"pos": {"inbound": 5}}}
    answer = await iv.post(
        "setonhand/POS/bulk",
        [
            {**body, "id": "new", "modifiedDateTimeUTC": "2026-03-02T00:00:00Z"},
            {
                **body,
                "id": "old",
                "modifiedDateTimeUTC": "2026-03-01T00:00:00",
                "quantities": {"pos": {"inbound": 9}},
            },
            {**body, "id": "foreign", "quantities": {"iv": {"onhand": 1}}},
        ],
    )
    assert [one["id"] for one in answer["success"]] == ["ohce~new", "ohce~old"]
    assert [one["statusCode"] for one in answer["failure"]] == [400]
    assert await total(iv, "T-shirt", "pos", "inbound") == 5


async def test_C12_no_dimensions_by_location(tenant: Make) -> None:
    iv = await tenant("FX-L")
    body = {"id": "e", "organizationId": "org1", "productId": "A0003", "dimensions": {}}
    await iv.on_hand(**body, quantities={"iv": {"onhand": 10}})


async def test_C13_no_dimensions_by_product(tenant: Make) -> None:
    iv = await tenant("FX-S")
    body = {"organizationId": "org1", "productId": "A0001", "quantities": {"iv": {"onhand": 10}}}
    await iv.on_hand(**body, id="a", dimensions={})
    await iv.on_hand(**body, id="b", dimensions={"siteId": "1", "locationId": "11"})
    assert await total(iv, "A0001", "iv", "onhand", "org1") == 20


async def test_C14_negative_numbers_revert(tenant: Make) -> None:
    iv = await tenant("FX-S")
    for number, quantity in enumerate((10, -2)):
        await iv.on_hand(id=str(number), **T_SHIRT, dimensions={}, quantities={"pos": {"inbound": quantity}})
    assert await total(iv, "T-shirt", "pos", "inbound") == 8


@pytest.mark.implementation_choice
async def test_1_8_more_than_512_items_are_refused(tenant: Make) -> None:
    iv = await tenant("FX-S")
    items = [{**TEST201, "id": str(number)} for number in range(513)]
    answer = await iv.send("POST", "onhand/bulk", items)
    assert answer.status_code == 400
    assert (await iv.send("POST", "onhand/bulk", {"id": "no array"})).status_code == 400
    assert await total(iv, "T-shirt", "pos", "inbound") is None
    answer = await iv.post("onhand/bulk", items[:512])
    assert len(answer["success"]) == 512


@pytest.mark.implementation_choice
async def test_2_1_items_of_a_bulk_are_independent(tenant: Make) -> None:
    iv = await tenant("FX-S", mirrorStatusCode=True)
    items: list[Any] = [
        dict(TEST201),
        5,
        {**TEST201, "id": "x", "quantities": {"pos": {"inbound": "?"}}},
        BULK[0],
    ]
    answer = await iv.post("onhand/bulk", items)
    assert [one["id"] for one in answer["success"]] == ["ohce~Test201", "ohce~Test203"]
    assert [one["id"] for one in answer["failure"]] == ["ohce~", "ohce~x"]


@pytest.mark.implementation_choice
async def test_12_switches_of_answers(tenant: Make) -> None:
    iv = await tenant("FX-S", mirrorStatusCode=True, bulkResponse="failureOnly", onHandIdPrefix="x~")
    wrong = {**TEST201, "quantities": {"pos": {"foo": 1}}}
    answer = await iv.send("POST", "onhand", wrong)
    assert (answer.status_code, answer.json()["id"]) == (400, "x~Test201")
    assert set(await iv.post("onhand/bulk", [wrong])) == {"failure"}


async def test_1_4_names_are_compared_without_case_and_shown_as_first_seen(tenant: Make) -> None:
    iv = await tenant("FX-S")
    body = {"dimensions": {"siteId": "North", "locationId": "11"}, "quantities": {"iv": {"onhand": 1}}}
    await iv.on_hand(id="a", organizationId="USMF", productId="Bike", **body)
    body["dimensions"] = {"siteId": "NORTH", "locationId": "11"}
    await iv.on_hand(id="b", organizationId="usmf", productId="BIKE", **body)
    rows = await iv.rows({"organizationId": ["usmf"], "productId": ["bike"]}, ("siteId",))
    assert [(row["organizationId"], row["productId"]) for row in rows] == [("USMF", "Bike")]
    assert rows[0]["dimensions"] == {"siteid": "North"}
    assert rows[0]["quantities"]["iv"]["onhand"] == 2


def test_fixture_documents_are_complete() -> None:
    assert {"FX-S", "FX-L", "FX-C", "FX-R", "FX-X", "FX-P"} <= set(FIXTURES)
