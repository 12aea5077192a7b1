"""Specification 11, rows B: configuration and housekeeping."""

from __future__ import annotations

from typing import Any

from tests.conformance.conftest import Make
from tests.conformance.fixtures import FIXTURES


async def test_B01_no_partitions_in_an_empty_environment(tenant: Make) -> None:
    iv = await tenant("FX-S")
    answer = await iv.send("GET", "allpartitionids")
    assert (answer.status_code, answer.json()) == (200, [])


async def test_B02_partitions_can_be_wiped(tenant: Make) -> None:
    iv = await tenant("FX-L")
    body = {
        "id": "a",
        "organizationId": "org1",
        "productId": "A0001",
        "dimensions": {"siteId": "1", "locationId": "11"},
        "quantities": {"iv": {"onhand": 10}},
    }
    await iv.on_hand(**body)
    await iv.on_hand(**{**body, "id": "b", "dimensions": {"siteId": "1", "locationId": "a/b 12"}})
    ids = (await iv.send("GET", "allpartitionids")).json()
    assert len(ids) == 2
    for one, rest in zip(ids, ("partitions/cleanupalldata", "cleanupalldata"), strict=True):
        assert (await iv.send("DELETE", rest, [one])).is_success
    assert (await iv.send("GET", "allpartitionids")).json() == []
    # A wipe clears the id store as well (2.4): the id counts again.
    await iv.on_hand(**body)
    rows = await iv.rows({"organizationId": ["org1"], "productId": ["A0001"]})
    assert rows[0]["quantities"]["iv"]["onhand"] == 10


async def test_B03_hard_update_is_read_back(tenant: Make) -> None:
    iv = await tenant("FX-P")
    document = FIXTURES["FX-S"]()
    assert (await iv.send("POST", "configuration/hardupdate", document)).is_success
    found: dict[str, Any] = (await iv.send("GET", "configuration")).json()
    assert set(found["inventorySystemConfigurations"]) == {"iv", "pos", "@iv"}
    own = found["inventorySystemConfigurations"]["@iv"]
    assert set(own["physicalMeasures"]) == set(
        document["inventorySystemConfigurations"]["@iv"]["physicalMeasures"]
    )
    assert own["reservMappings"] == {"@softreserved": "@iv.@available_to_reserve"}
    assert found["reservConfiguration"]["keys"] == ["siteid", "locationid"]
    assert found["reservConfiguration"]["version"] == 0
    assert found["partitionConfiguration"] == {"useProductId": True, "useDimensions": False}
    assert found["environmentId"] == "e1"


async def test_B05_partition_rule_is_kept_while_data_exist(tenant: Make) -> None:
    iv = await tenant("FX-S")
    await iv.on_hand(
        id="a", organizationId="org1", productId="A0001", dimensions={}, quantities={"iv": {"onhand": 1}}
    )
    before = (await iv.send("GET", "configuration")).json()
    answer = await iv.send("POST", "configuration/hardupdate", FIXTURES["FX-L"]())
    assert answer.status_code == 400
    assert (await iv.send("GET", "configuration")).json() == before


async def test_B07_predefined_measures_are_kept(tenant: Make) -> None:
    iv = await tenant("FX-S")
    for change in ("delete", "rename"):
        document = FIXTURES["FX-S"]()
        measures = document["inventorySystemConfigurations"]["@iv"]["calculatedMeasures"]
        terms = measures.pop("@available_to_allocate")
        if change == "rename":
            measures["@pool"] = terms
        answer = await iv.send("POST", "configuration/hardupdate", document)
        assert answer.status_code == 400, change
        assert "@available_to_allocate" in answer.text


async def test_B08_calculated_measures_do_not_nest_or_repeat(tenant: Make) -> None:
    iv = await tenant("FX-S")
    for terms in (["iv.onhand", "iv.onhand"], ["@iv.@available_to_reserve"]):
        document = FIXTURES["FX-S"]()
        document["inventorySystemConfigurations"]["iv"]["calculatedMeasures"] = {
            "total": {"additionModifiers": terms, "subtractionModifiers": []}
        }
        assert (await iv.send("POST", "configuration/hardupdate", document)).status_code == 400, terms


async def test_I08_environment_id_is_taken_over(tenant: Make) -> None:
    iv = await tenant("FX-S", "old")
    await iv.on_hand(
        id="a", organizationId="org1", productId="A0001", dimensions={}, quantities={"iv": {"onhand": 3}}
    )
    token = await iv.running.token("new", client="mover")
    headers = {"Authorization": f"Bearer {token}"}
    path = "/api/environment/new/updateEnvIdInConfig?oldEnvironmentId=OLD"
    for _ in range(2):  # repeating is harmless
        assert (await iv.running.http.post(path, headers=headers)).status_code == 200
    body = {"filters": {"organizationId": ["org1"], "productId": ["A0001"]}}
    rows = (
        await iv.running.http.post("/api/environment/new/onhand/indexquery", json=body, headers=headers)
    ).json()
    assert rows[0]["quantities"]["iv"]["onhand"] == 3
    # The client went along to the new id, so its old token opens nothing; and the old environment is gone.
    assert (await iv.send("GET", "configuration")).status_code == 403
    headers = {"Authorization": f"Bearer {await iv.running.token('*', client='all')}"}
    assert (await iv.running.http.get(iv.path("configuration"), headers=headers)).status_code == 404
