"""The workflow configuration over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from onhand.core.orders.presets import PRESETS
from tests.e2e.orders.order_calls import Desk, line, shipment
from tests.serving import Running, Tenant, serving


def step(name: str, **settings: str) -> dict[str, Any]:
    return {"name": name, "properties": [{"key": key, "value": value} for key, value in settings.items()]}


def order_type(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "Online",
        "orderStatuses": [{"name": "New", "order": 1, "workflowSteps": list(steps)}],
        **more,
    }


async def test_an_order_type_is_saved_read_listed_and_deleted(shop: Tenant) -> None:
    sent = order_type(step("increasereservedinventory"), ORDERNUMBERTYPE="Web")
    answer = await shop.native("PUT", "order-types/Online", sent)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"1"'
    assert answer.json()["lintWarnings"] == []
    read = await shop.native("GET", "order-types/ONLINE")
    assert (read.status_code, read.headers["etag"]) == (200, '"1"')
    body = read.json()
    assert (body["name"], body["versionId"], body["ORDERNUMBERTYPE"]) == ("Online", "1", "Web")
    assert body["orderStatuses"][0]["workflowSteps"][0]["name"] == "increasereservedinventory"
    listed = (await shop.native("GET", "order-types")).json()
    assert (listed["totalHits"], listed["result"]) == (1, [body])
    gone = await shop.native("DELETE", "order-types/online", if_match='"1"')
    assert gone.status_code == 204
    missing = await shop.native("GET", "order-types/Online")
    assert (missing.status_code, missing.json()["code"]) == (404, "NotFound")
    again = await shop.native("DELETE", "order-types/online")
    assert again.status_code == 404
    back = await shop.native("PUT", "order-types/Online", sent)
    assert back.headers["etag"] == '"3"', "versions go on counting"


async def test_an_order_type_with_orders_is_not_deleted(desk: Desk) -> None:
    """Its statuses would mean nothing any more: what was delivered would count as open again."""
    path = "order-types/online"
    await desk.create("O1", shipment("S1", line()))
    await desk.create("O2")
    await desk.ok("POST", "orders/O1/status", {"status": "Completed"})
    assert "has orders: 2" in await desk.refused(409, "OrderTypeInUse", "DELETE", path)
    await desk.ok("PATCH", "orders/O1", {"orderType": "Plain"})
    assert "has orders: 1" in await desk.refused(409, "OrderTypeInUse", "DELETE", path)
    assert (await desk.ok("GET", path))["name"] == "Online"
    await desk.ok("DELETE", "orders/O2")
    assert (await desk.send("DELETE", path)).status_code == 204
    await desk.refused(404, "NotFound", "DELETE", path)


async def test_a_body_that_was_read_can_be_sent_back(shop: Tenant) -> None:
    await shop.native("PUT", "order-types/Online", order_type())
    body = (await shop.native("GET", "order-types/Online")).json()
    again = await shop.native("PUT", "order-types/Online", {**body, "lintWarnings": []})
    assert again.status_code == 200, again.text
    assert "lintWarnings" not in (await shop.native("GET", "order-types/Online")).json()


async def test_a_stale_change_is_refused_and_changes_nothing(shop: Tenant) -> None:
    await shop.native("PUT", "order-types/Online", order_type())
    changed = await shop.native("PUT", "order-types/Online", order_type(disableWorkflow=True), if_match='"1"')
    assert changed.headers["etag"] == '"2"'
    for body, headers in (
        (order_type(), {"if_match": '"1"'}),
        (order_type(versionId="1"), {}),
        (order_type(VERSIONID=1), {}),
        (order_type(), {"if_match": '"x"'}),
    ):
        answer = await shop.native("PUT", "order-types/Online", body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (412, "VersionConflict")
    stale = await shop.native("DELETE", "order-types/Online", if_match='"1"')
    assert stale.status_code == 412
    absent = await shop.native("PUT", "order-types/Other", {**order_type(), "name": "Other"}, if_match='"1"')
    assert absent.status_code == 412
    assert (await shop.native("GET", "order-types/Online")).json()["disableWorkflow"] is True


async def test_what_is_wrong_is_refused_with_its_place(shop: Tenant) -> None:
    cases: list[tuple[Any, str]] = [
        (order_type(step("Nonsense")), "orderStatuses[0].workflowSteps[0].name"),
        (order_type({"name": "x", "groupId": "G"}), "orderStatuses[0].workflowSteps[0].groupId"),
        ({"name": "Online"}, "orderStatuses"),
        ([], ""),
    ]
    for body, path in cases:
        answer = await shop.native("PUT", "order-types/Online", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "ValidationFailed"), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["path"] == path
    other = await shop.native("PUT", "order-types/Other", order_type())
    assert (other.status_code, "The path names" in other.json()["detail"]) == (400, True)
    nul = await shop.native("PUT", "order-types/a%00b", {"orderStatuses": []})
    assert nul.status_code == 400
    assert (await shop.native("GET", "order-types")).json()["totalHits"] == 0


async def test_warnings_do_not_forbid_saving_and_can_be_asked_before(shop: Tenant) -> None:
    suspicious = order_type(step("ReduceInventory"), step("MarkOrderLinesForCrossDock"))
    asked = await shop.native("POST", "order-types/validate", suspicious)
    assert asked.status_code == 200
    assert (asked.json()["valid"], asked.json()["errors"]) == (True, [])
    rules = [one["rule"] for one in asked.json()["lintWarnings"]]
    assert {"ReduceWithoutRelease", "NotImplemented", "OutsideApplicableStatuses"} <= set(rules)
    assert (await shop.native("GET", "order-types")).json()["totalHits"] == 0
    saved = await shop.native("PUT", "order-types/Online", suspicious)
    assert saved.status_code == 200
    assert [one["rule"] for one in saved.json()["lintWarnings"]] == rules
    bad = (await shop.native("POST", "order-types/validate", {"name": "X"})).json()
    assert (bad["valid"], [one["path"] for one in bad["errors"]]) == (False, ["orderStatuses"])
    unknown = (await shop.native("POST", "order-types/validate", order_type(step("Nonsense")))).json()
    assert [one["rule"] for one in unknown["errors"]] == ["UnknownStep"]


async def test_a_group_is_saved_before_a_step_calls_it_and_stays_while_one_does(shop: Tenant) -> None:
    group = {"id": "G1", "steps": [step("IncreaseReservedInventory")], "stopOnError": True}
    one = await shop.native(
        "PUT", "workflow-groups/G1", {key: group[key] for key in ("steps", "stopOnError")}
    )
    assert (one.status_code, one.json()["id"]) == (200, "G1")
    assert (
        await shop.native("PUT", "order-types/Online", order_type({"name": "x", "groupId": "g1"}))
    ).status_code == 200
    kept = await shop.native("PUT", "workflow-groups", [])
    assert (kept.status_code, "calls group" in kept.text) == (400, True)
    every = await shop.native("PUT", "workflow-groups", [group, {"id": "G2"}])
    assert (every.status_code, every.json()["totalHits"]) == (200, 2)
    fewer = await shop.native("PUT", "workflow-groups", [group], if_match=every.headers["etag"])
    assert [row["id"] for row in fewer.json()["result"]] == ["G1"]
    assert fewer.json()["result"][0]["versionId"] == "1", "an unchanged group keeps its version"
    stale = await shop.native("PUT", "workflow-groups", [group], if_match=every.headers["etag"])
    assert stale.status_code == 412
    twice = await shop.native("PUT", "workflow-groups", [group, {"id": "g1"}])
    assert "occurs twice" in twice.json()["detail"]
    nested = await shop.native("PUT", "workflow-groups/G3", {"steps": [{"name": "x", "groupId": "G1"}]})
    assert "cannot call a group" in nested.json()["detail"]


async def test_settings_have_defaults_and_versions(shop: Tenant) -> None:
    read = await shop.native("GET", "order-settings")
    assert (read.headers["etag"], read.json()["useVerboseLogging"]) == ('"0"', False)
    saved = await shop.native(
        "PUT", "order-settings", {"UseVerboseLogging": True, "other": 1}, if_match='"0"'
    )
    assert saved.status_code == 200, saved.text
    again = (await shop.native("GET", "order-settings")).json()
    assert (again["useVerboseLogging"], again["other"], again["versionId"]) == (True, 1, "1")
    manual = {"availableManualWorkflowSteps": [{**step("Nonsense"), "id": "1"}]}
    assert (await shop.native("PUT", "order-settings", manual)).status_code == 400


async def test_inventory_settings_are_accepted_when_the_measures_fit(shop: Tenant) -> None:
    answer = await shop.native("PUT", "inventory-settings", {"organizationId": "org"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["reservedMeasure"] == "iv.softreserved"
    for settings, message in (
        ({"reservedMeasure": "iv.gone"}, "no physical measure 'iv.gone'"),
        ({"inventoryMeasure": "iv.softreserved", "reservedMeasure": "iv.onhand"}, "no reservation mapping"),
        ({"inventoryMeasure": "iv.softreserved"}, "must add"),
        ({"valueProvider": "Guess"}, "no value provider"),
        ({"defaultPhysicalOwner": "nobody"}, "owns no stock"),
        ({"virtualStockDimension": "Hue"}, "no base dimension"),
    ):
        refused = await shop.native("PUT", "inventory-settings", settings)
        assert (refused.status_code, message in refused.text) == (400, True), refused.text
    assert (await shop.native("GET", "inventory-settings")).json()["organizationId"] == "org"


async def test_a_formula_with_further_terms_warns(fx_r: Tenant) -> None:
    settings = {"inventoryMeasure": "fno.availphysical", "reservedMeasure": "iv.softreservphysical"}
    answer = await fx_r.native("PUT", "inventory-settings", settings)
    rules = [one["rule"] for one in answer.json().get("lintWarnings", [])]
    assert (answer.status_code, "AvailabilityDiffers" in rules) == (200, True), answer.text


async def test_a_warehouse_says_where_its_stock_is(shop: Tenant) -> None:
    bare = await shop.native("PUT", "warehouses/WH1", {"isVirtual": True})
    assert [one["rule"] for one in bare.json()["lintWarnings"]] == ["NoStockAddress"]
    full = {"Code": "wh1", "organizationId": "org", "SiteId": "1", "owner": "erp", "zipCodeRanges": ["1-2"]}
    saved = await shop.native("PUT", "warehouses/WH1", full, if_match='"1"')
    assert saved.json()["lintWarnings"] == []
    read = (await shop.native("GET", "warehouses/wh1")).json()
    assert (read["siteId"], read["owner"], read["zipCodeRanges"]) == ("1", "erp", ["1-2"])
    assert (await shop.native("GET", "warehouses")).json()["totalHits"] == 1
    assert (await shop.native("PUT", "warehouses/WH2", {"owner": "me"})).status_code == 400


async def test_scheduled_tasks_are_saved_as_a_list(shop: Tenant) -> None:
    task = {"ImplementationType": "TryReserveOrderlinesScheduledTask", "Schedule": "*/5 * * * *"}
    later = {"id": "t", "ImplementationType": "TryReallocateOrdersScheduledTask", "Schedule": "0 3 * * mon"}
    saved = await shop.native("PUT", "scheduled-tasks", [task, later])
    assert saved.status_code == 200, saved.text
    assert [one["rule"] for one in saved.json()["lintWarnings"]] == ["NotImplemented"]
    listed = (await shop.native("GET", "scheduled-tasks")).json()["result"]
    assert {one["id"] for one in listed} == {"t", "TryReserveOrderlinesScheduledTask"}
    for bad in ({**task, "Schedule": "hourly"}, {**task, "ImplementationType": "Guess"}, {}):
        assert (await shop.native("PUT", "scheduled-tasks", [bad])).status_code == 400
    assert (await shop.native("PUT", "scheduled-tasks", {})).status_code == 400
    assert (await shop.native("PUT", "scheduled-tasks", [])).json()["totalHits"] == 0


async def test_the_catalogue_of_steps_is_served(shop: Tenant) -> None:
    listed = (await shop.native("GET", "workflow-steps")).json()
    assert listed["totalHits"] == len(listed["result"]) > 20
    one = (await shop.native("GET", "workflow-steps/reduceinventoryonlyonreservedorderlines")).json()
    assert one in listed["result"]
    assert (one["key"], one["tier"], one["implemented"]) == (
        "ReduceInventoryOnlyOnReservedOrderLines",
        1,
        True,
    )
    assert one["errorTable"]
    assert (await shop.native("GET", "workflow-steps/Nonsense")).status_code == 404


async def test_each_preset_can_be_installed_as_it_is(shop: Tenant) -> None:
    listed = (await shop.native("GET", "order-types/presets")).json()["result"]
    assert [one["key"] for one in listed] == [one.key for one in PRESETS]
    for preset in listed:
        kind = {**preset["orderType"], "defaultOrderType": False}
        answer = await shop.native("PUT", f"order-types/{kind['name']}", kind)
        assert answer.status_code == 200, answer.text
        surprising = {one["rule"] for one in answer.json()["lintWarnings"]} - {"OutsideApplicableStatuses"}
        assert not surprising, answer.json()["lintWarnings"]
        if "returnSettings" in preset:
            returns = await shop.native("PUT", "order-settings", {"returnSettings": preset["returnSettings"]})
            assert (returns.status_code, returns.json()["lintWarnings"]) == (200, [])
        for task in preset.get("scheduledTasks", []):
            assert (await shop.native("PUT", "scheduled-tasks", [task])).json()["lintWarnings"] == []


@pytest.mark.parametrize("scope", ["onhand:read", "config:write"])
async def test_to_read_and_to_change_need_their_scopes(running: Running, shop: Tenant, scope: str) -> None:
    token = await running.token("shop", client=f"only {scope}", scopes=(scope,))
    caller = Tenant(running, "shop", token)
    read = await caller.native("GET", "order-types")
    changed = await caller.native("PUT", "order-types/Online", order_type())
    assert (read.status_code, changed.status_code) == ((200, 403) if scope == "onhand:read" else (403, 200))


async def test_changes_at_once_all_take_place_or_say_that_they_are_stale(shop: Tenant) -> None:
    names = [f"T{number}" for number in range(8)]
    answers = await asyncio.gather(
        *(shop.native("PUT", f"order-types/{name}", {"orderStatuses": []}) for name in names)
    )
    assert [one.status_code for one in answers] == [200] * 8
    assert (await shop.native("GET", "order-types")).json()["totalHits"] == 8
    stale = await asyncio.gather(
        *(shop.native("PUT", "order-types/T0", {"orderStatuses": []}, if_match='"1"') for _ in range(4))
    )
    assert sorted(one.status_code for one in stale) == [200, 412, 412, 412]


async def test_what_another_process_changes_is_seen_at_once(
    running: Running, shop: Tenant, database_url: str
) -> None:
    await shop.native("PUT", "order-types/Online", order_type())
    async with serving(database_url) as other:
        there = Tenant(other, shop.environment, shop.token)
        assert (await there.native("PUT", "order-types/Pos", {"orderStatuses": []})).status_code == 200
        assert (await shop.native("GET", "order-types/Pos")).status_code == 200
