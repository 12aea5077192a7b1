"""Specification 11, rows F: queries; and the worked outputs of 5.6."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import Make
from tests.conformance.fixtures import FIXTURES, source
from tests.serving import Tenant

D0002 = {"organizationId": "usmf", "productId": "D0002"}
WHERE = {"siteId": "1", "locationId": "11"}
CELLS = (
    ("Black", "Small", "Wide", 1),
    ("Black", "Small", "Regular", 2),
    ("Black", "Large", "Wide", 3),
    ("Black", "Large", "Regular", 4),
    ("Red", "Small", "Wide", 5),
    ("Red", "Small", "Regular", 6),
    ("Red", "Large", "Regular", 7),
)
FILTERS = {"organizationId": ["usmf"], "productId": ["D0002"]}


async def fx_x(make: Make) -> Tenant:
    iv = await make("FX-X")
    items = [
        {
            "id": str(quantity),
            **D0002,
            "dimensions": {**WHERE, "colorId": colour, "sizeId": size, "styleId": style},
            "quantities": {"pos": {"inbound": quantity}},
        }
        for colour, size, style, quantity in CELLS
    ]
    assert len((await iv.post("onhand/bulk", items))["success"]) == len(CELLS)
    return iv


async def grouped(iv: Tenant, *dimensions: str) -> dict[str, int]:
    rows = await iv.rows(FILTERS, dimensions)
    found = {}
    for row in rows:
        names = [name for name in row["dimensions"] if name not in ("siteid", "locationid")]
        found["/".join(row["dimensions"][name] for name in names)] = row["quantities"]["pos"]["inbound"]
    return found


async def test_F01_F02_F03_F05_index_example(tenant: Make) -> None:
    iv = await fx_x(tenant)
    assert await grouped(iv) == {"": 28}
    assert await grouped(iv, "ColorId") == {"Black": 10, "Red": 18}
    by_size = {"Black/Small": 3, "Black/Large": 7, "Red/Small": 11, "Red/Large": 7}
    assert await grouped(iv, "ColorId", "SizeId") == by_size
    assert await grouped(iv, "SizeId") == {"Small": 14, "Large": 14}
    seven = {f"{colour}/{size}/{style}": quantity for colour, size, style, quantity in CELLS}
    assert await grouped(iv, "ColorId", "SizeId", "StyleId") == seven


async def test_F07_calculated_measure(tenant: Make) -> None:
    iv = await tenant("FX-C")
    fno = {"availphysical": 100, "orderedintotal": 50, "orderedreserved": 10}
    pos = {"inbound": 80, "outbound": 20}
    ecommerce = {"received": 90, "scheduled": 30, "issued": 60, "reserved": 40}
    await iv.erp({"id": "f", **D0002, "dimensions": WHERE, "quantities": {"fno": fno}})
    await iv.on_hand(id="p", **D0002, dimensions=WHERE, quantities={"pos": pos, "ecommerce": ecommerce})
    (row,) = await iv.rows(FILTERS)
    assert row["quantities"] == {
        "fno": fno,
        "pos": pos,
        "ecommerce": ecommerce,
        "crosschannel": {"mycustomavailableforreservation": 220},
    }


async def places(make: Make, *warehouses: str, fixture: str = "FX-L") -> Tenant:
    iv = await make(fixture)
    for number, warehouse in enumerate(warehouses):
        for product in ("A", "B"):
            await iv.on_hand(
                id=f"{product}{warehouse}",
                organizationId="org1",
                productId=product,
                dimensions={"siteId": "1", "locationId": warehouse},
                quantities={"iv": {"onhand": number + 1}},
            )
    return iv


def where(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((row["productId"], row["dimensions"]["locationid"]) for row in rows)


async def test_F08_rows_per_warehouse(tenant: Make) -> None:
    iv = await places(tenant, "11", "12")
    filters = {
        "organizationId": ["org1"],
        "productId": ["A"],
        "siteId": ["1"],
        "locationId": ["11", "12", "13"],
    }
    rows = await iv.rows(filters)
    assert [row["dimensions"] for row in sorted(rows, key=str)] == [
        {"siteid": "1", "locationid": "11"},
        {"siteid": "1", "locationid": "12"},
    ]


async def test_F10_F11_F12_by_location(tenant: Make) -> None:
    iv = await places(tenant, "11", "12")
    everything = {"organizationId": ["org1"], "productId": [], "siteId": ["1"], "locationId": ["11"]}
    assert where(await iv.rows(everything)) == [("A", "11"), ("B", "11")]
    answer = await iv.send(
        "POST", "onhand/indexquery", {"filters": {"organizationId": ["org1"], "productId": [], "siteId": []}}
    )
    assert answer.status_code == 400
    assert answer.json()["statusCode"] == 400
    for filters in ({"productId": ["A"]}, {"productId": ["A"], "siteId": [], "locationId": []}):
        rows = await iv.rows({"organizationId": ["org1"], **filters})
        assert where(rows) == [("A", "11"), ("A", "12")]


async def test_F13_by_product_needs_a_product(tenant: Make) -> None:
    iv = await tenant("FX-S")
    body = {"filters": {"organizationId": ["org1"], "siteId": ["1"], "locationId": ["11"]}}
    assert (await iv.send("POST", "onhand/indexquery", body)).status_code == 400


async def test_F15_several_organizations(tenant: Make) -> None:
    iv = await places(tenant, "11")
    body = {
        "organizationId": "org2",
        "productId": "A",
        "dimensions": WHERE,
        "quantities": {"iv": {"onhand": 1}},
    }
    await iv.on_hand(id="o2", **body)
    query = {"filters": {"organizationId": ["org1", "org2"], "productId": ["A"]}}
    assert (await iv.send("POST", "onhand/indexquery", query)).status_code == 400
    found = await iv.post("onhand/indexquery", query, Api_Version="2.0")
    assert sorted(row["organizationId"] for row in found["Value"]) == ["org1", "org2"]


async def test_F16_limits(tenant: Make) -> None:
    iv = await tenant("FX-L")
    many = [str(number) for number in range(5_001)]
    body = {"filters": {"organizationId": ["org1"], "productId": many, "siteId": ["1"], "locationId": ["11"]}}
    assert (await iv.send("POST", "onhand/indexquery", body)).status_code == 400
    body["filters"]["productId"] = many[:5_000]
    assert (await iv.send("POST", "onhand/indexquery", body)).status_code == 200
    cross = {"organizationId": ["org1"], "productId": ["A"], "siteId": many[:3], "locationId": many[:3_334]}
    assert (await iv.send("POST", "onhand/indexquery", {"filters": cross})).status_code == 400
    cross["locationId"] = many[:3_333]
    assert (await iv.send("POST", "onhand/indexquery", {"filters": cross})).status_code == 200


async def test_F18_version_2_without_paging(tenant: Make) -> None:
    iv = await places(tenant, "11", "12", "13")
    query = {"filters": {"organizationId": ["org1"], "productId": ["A"]}}
    found = await iv.post("onhand/indexquery", query, Api_Version="2.0")
    assert where(found["Value"]) == [("A", "11"), ("A", "12"), ("A", "13")]
    assert found["nextLink"] == ""


async def test_5_2_pages_of_warehouses(tenant: Make) -> None:
    iv = await places(tenant, "11", "12", "13")
    query = {
        "filters": {
            "organizationId": ["org1"],
            "productId": [],
            "siteId": ["1"],
            "locationId": ["11", "12", "13"],
        }
    }
    first = await iv.post("onhand/indexquery?pageNumber=1&pageSize=2", query, Api_Version="2.0")
    assert where(first["Value"]) == [("A", "11"), ("A", "12"), ("B", "11"), ("B", "12")]
    assert first["nextLink"] == "onhand/indexquery?pageNumber=2&pageSize=2"
    second = await iv.post(first["nextLink"], query, Api_Version="2.0")
    assert where(second["Value"]) == [("A", "13"), ("B", "13")]
    assert second["nextLink"] == ""


async def test_F19_get_is_the_same_as_post(tenant: Make) -> None:
    iv = await fx_x(tenant)
    posted = await iv.rows(
        {
            "organizationId": ["usmf"],
            "productId": ["D0002"],
            "siteId": ["1"],
            "locationId": ["11"],
            "colorId": ["red"],
        },
        ("colorId", "sizeId"),
    )
    assert len(posted) == 2
    base = "onhand?organizationId=usmf&productId=D0002&siteId=1&locationId=11&colorId=red&returnNegative=true"
    for group in ("groupBy=colorId,sizeId", "groupBy=ColorId&groupBy=SizeId", "GroupBy=colorId%2CsizeId"):
        answer = await iv.send("GET", f"{base}&{group}")
        assert answer.status_code == 200
        assert answer.json() == posted, group


async def test_F20_exact_tuples(tenant: Make) -> None:
    iv = await fx_x(tenant)
    await iv.on_hand(
        id="12",
        **D0002,
        dimensions={"siteId": "1", "locationId": "12", "colorId": "Black"},
        quantities={"pos": {"inbound": 9}},
    )
    body = {
        "filters": {
            "organizationId": ["usmf"],
            "productId": ["D0002"],
            "dimensions": ["siteId", "locationId", "colorId"],
            "values": [["1", "11", "Red"], ["1", "12", "Black"]],
        },
        "groupByValues": ["colorId", "sizeId"],
        "returnNegative": True,
    }
    rows = await iv.post("onhand/exactquery", body)
    found = {tuple(row["dimensions"].items()): row["quantities"]["pos"]["inbound"] for row in rows}
    site = (("siteid", "1"), ("locationid", "11"))
    assert {frozenset(key): value for key, value in found.items()} == {
        frozenset((*site, ("ColorId", "Red"), ("SizeId", "Small"))): 11,
        frozenset((*site, ("ColorId", "Red"), ("SizeId", "Large"))): 7,
        frozenset((("siteid", "1"), ("locationid", "12"), ("ColorId", "Black"), ("SizeId", ""))): 9,
    }


async def test_F21_exact_query_without_dimensions_by_location(tenant: Make) -> None:
    iv = await places(tenant, "11")
    body = {"filters": {"organizationId": ["org1"], "productId": ["A"], "dimensions": [], "values": [[]]}}
    assert (await iv.send("POST", "onhand/exactquery", body)).status_code == 400


async def test_5_4_exact_query_without_dimensions_by_product(tenant: Make) -> None:
    iv = await places(tenant, "11", "12", fixture="FX-S")
    filters: dict[str, Any] = {
        "organizationId": ["org1"],
        "productId": ["A"],
        "dimensions": [],
        "values": [[]],
    }
    rows = await iv.post("onhand/exactquery", {"filters": filters})
    assert [row["quantities"]["iv"]["onhand"] for row in rows] == [3]
    filters["productId"] = []
    assert (await iv.send("POST", "onhand/exactquery", {"filters": filters})).status_code == 400


async def test_F23_exact_query_without_products(tenant: Make) -> None:
    iv = await places(tenant, "11", "12")
    body = {
        "filters": {
            "organizationId": ["org1"],
            "dimensions": ["siteid", "locationid"],
            "values": [["1", "11"]],
        }
    }
    assert where(await iv.post("onhand/exactquery", body)) == [("A", "11"), ("B", "11")]


async def test_F24_exact_query_version_2(tenant: Make) -> None:
    iv = await tenant("FX-L")
    for organization in ("SCM_IV", "other"):
        await iv.on_hand(
            id=organization,
            organizationId=organization,
            productId="A",
            dimensions={"siteId": "s1", "locationId": "l1"},
            quantities={"iv": {"onhand": 4}},
        )
    body = {
        "filters": {
            "productId": ["A"],
            "keys": ["organizationId", "siteId", "locationId"],
            "values": [["SCM_IV", "s1", "l1"]],
        }
    }
    found = await iv.post("onhand/exactquery", body, Api_Version="2.0")
    assert [row["organizationId"] for row in found["Value"]] == ["SCM_IV"]


async def test_F25_components_are_filled_with_zero(tenant: Make) -> None:
    iv = await tenant("FX-P totals")
    fno = {"availordered": 20, "onorder": 5, "ordered": 20, "orderedsum": 20}
    await iv.erp({"id": "f", **D0002, "dimensions": WHERE, "quantities": {"fno": fno}})
    (row,) = await iv.rows(FILTERS)
    found = row["quantities"]
    zeros = {"physicalinvent": 0, "arrived": 0, "reservphysical": 0, "softreserved": 0}
    assert found["fno"].items() >= {**fno, **zeros}.items()
    assert found["pos"].items() >= {"inbound": 0, "outbound": 0}.items()
    assert found["iv"].items() >= {"availabletoreserve": 20, "totalavailable": 20, "totalonorder": 5}.items()
    assert found["@iv"] == {"@allocated": 0}


async def test_5_6_white_and_black(tenant: Make) -> None:
    iv = await tenant("FX-P totals")
    where_white = {"siteId": "1", "locationId": "13", "colorId": "White"}
    product = {"organizationId": "usmf", "productId": "M0030"}
    await iv.erp(
        {"id": "w", **product, "dimensions": where_white, "quantities": {"fno": {"availordered": 20, "onorder": 5, "ordered": 20, "orderedsum": 20}}},
        {"id": "b", **product, "dimensions": {**where_white, "colorId": "Black"}, "quantities": {"fno": {"availordered": 3, "ordered": 3, "orderedsum": 3}}},
    )  # fmt: skip
    rows = await iv.rows({"organizationId": ["usmf"], "productId": ["M0030"]}, ("ColorId",))
    found = {row["dimensions"]["ColorId"]: row["quantities"] for row in rows}
    assert found["White"]["iv"]["totalonorder"] == found["White"]["fno"]["onorder"] == 5
    assert "onorder" not in found["Black"]["fno"]
    assert "totalonorder" not in found["Black"]["iv"]
    assert found["Black"]["iv"]["availabletoreserve"] == found["Black"]["iv"]["totalavailable"] == 3


async def test_F27_negative_availability(tenant: Make) -> None:
    iv = await tenant("FX-S")
    subject = {"organizationId": "org1", "productId": "A0001", "dimensions": WHERE}
    await iv.on_hand(id="s", **subject, quantities={"iv": {"onhand": 10}})
    soft = {"quantityDataSource": "@iv", "modifier": "@softreserved", "quantity": 100}
    await iv.post("onhand/reserve", {"id": "r", **subject, **soft, "ifCheckAvailForReserv": False})
    filters = {"organizationId": ["org1"], "productId": ["A0001"]}
    (hidden,) = await iv.rows(filters, returnNegative=False)
    assert "@available_to_reserve" not in hidden["quantities"]["@iv"]
    assert hidden["quantities"]["@iv"]["@softreserved"] == 100
    (shown,) = await iv.rows(filters)
    assert shown["quantities"]["@iv"]["@available_to_reserve"] == -90


async def test_F28_body_of_a_real_client(tenant: Make) -> None:
    iv = await places(tenant, "11")
    body = {
        "filters": {"OrganizationId": ["org1"], "ProductId": ["A"], "SiteId": [], "LocationId": []},
        "groupByValues": [],
        "returnNegative": True,
        "QueryATP": False,
        "ATPFromDate": "",
        "ATPToDate": "",
    }
    answer = await iv.send("POST", "onhand/indexQuery", body)
    assert answer.status_code == 200
    assert where(answer.json()) == [("A", "11")]


async def test_F29_nothing_matches(tenant: Make) -> None:
    iv = await places(tenant, "11")
    assert await iv.rows({"organizationId": ["org1"], "productId": ["nothing"]}) == []
    filters = {"organizationId": ["org1"], "productId": ["A"], "siteId": ["nowhere"], "locationId": ["11"]}
    assert await iv.rows(filters) == []


async def test_F31_hidden_source(tenant: Make) -> None:
    iv = await tenant("FX-S")
    document = FIXTURES["FX-S"]()
    calculated = {"totalonhand": (("iv.onhand",), ())}
    document["inventorySystemConfigurations"]["pbi"] = source("pbi", calculated=calculated)
    assert (await iv.send("POST", "configuration/hardupdate", document)).is_success
    await iv.on_hand(
        id="s", organizationId="org1", productId="A", dimensions={}, quantities={"iv": {"onhand": 1}}
    )
    (row,) = await iv.rows({"organizationId": ["org1"], "productId": ["A"]})
    assert row["quantities"]["iv"] == {"onhand": 1}
    assert "pbi" not in row["quantities"]


async def test_F32_spelling_of_dimensions(tenant: Make) -> None:
    iv = await fx_x(tenant)
    rows = await iv.rows(FILTERS, ("colorid",))
    assert {frozenset(row["dimensions"]) for row in rows} == {frozenset(("siteid", "locationid", "ColorId"))}


async def test_2_2_alias_of_the_index_query(tenant: Make) -> None:
    iv = await places(tenant, "11")
    body = {"filters": {"organizationId": ["org1"], "productId": ["A"]}}
    assert await iv.post("indexquery", body) == await iv.post("onhand/indexquery", body)


@pytest.mark.implementation_choice
async def test_1_8_no_index_set(tenant: Make) -> None:
    iv = await tenant("FX-S")
    document = FIXTURES["FX-S"]()
    document["indexConfiguration"]["indexAttributeSets"] = []
    await iv.send("POST", "configuration/hardupdate", document)
    body = {"filters": {"organizationId": ["org1"], "productId": ["A"]}}
    answer = await iv.send("POST", "onhand/indexquery", body)
    assert answer.status_code == 400
    assert "No index hierarchy has been set." in answer.json()["message"]


@pytest.mark.implementation_choice
async def test_what_is_not_built_says_so(tenant: Make) -> None:
    iv = await tenant("FX-S")
    for rest in (
        "onhand/changeschedule",
        "onhand/changeschedule/bulk",
        "allocation/allocate",
        "allocation/query",
        "onhand/productsearch/indexquery",
        "productsearch/products",
        "transaction/adjustment/bulk",
        "logTransactionDetails",
    ):
        answer = await iv.send("POST", rest, {})
        assert (answer.status_code, answer.json()["statusCode"]) == (501, 501), rest
    atp = {"filters": {"organizationId": ["org1"], "productId": ["A"]}, "QueryATP": True}
    assert (await iv.send("POST", "onhand/indexquery", atp)).status_code == 501
