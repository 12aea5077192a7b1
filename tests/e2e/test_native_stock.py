"""Native stock, configuration, ERP and administration over HTTP."""

from __future__ import annotations

from typing import Any

from tests.serving import Running, Tenant

WHERE: dict[str, Any] = {
    "organizationId": "org",
    "productId": "P",
    "dimensions": {"siteId": "1", "locationId": "11"},
}
QUERY = "organizationId=org&productId=P&siteId=1&locationId=11"


async def test_post_adds_put_sets_and_the_ledger_tells(shop: Tenant) -> None:
    body = {**WHERE, "quantities": {"iv": {"onhand": "2.5"}}}
    first = await shop.native("POST", "on-hand", body, Idempotency_Key="k")
    again = await shop.native("POST", "on-hand", body, Idempotency_Key="k")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"
    found = (await shop.native("GET", f"availability?{QUERY}")).json()
    assert found["quantities"]["iv"]["onhand"] == 12.5
    assert found["available"] == {"iv.availabletoreserve": 12.5}
    counted = {**WHERE, "quantities": {"iv": {"onhand": 7}}, "modifiedAt": "2026-02-02T00:00:00Z"}
    assert (await shop.native("PUT", "on-hand", counted)).json()["stale"] is False
    older = {**counted, "modifiedAt": "2026-02-01T00:00:00Z", "quantities": {"iv": {"onhand": 3}}}
    assert (await shop.native("PUT", "on-hand", older)).json()["stale"] is True
    page = (await shop.native("GET", "movements?organizationId=org&productId=P&limit=3")).json()
    assert [(one["kind"], one["delta"], one["level"]) for one in page["items"]] == [
        ("set", 0, 7),  # the stale count: accepted, without effect, and still on record
        ("set", -5.5, 7),
        ("change", 2.5, 12.5),
    ]
    assert [one["sequence"] for one in page["items"]] == [4, 3, 2]
    rest = (await shop.native("GET", f"movements?organizationId=org&productId=P&after={page['next']}")).json()
    assert [one["commandId"] for one in rest["items"]] == ["seed"]
    assert rest["items"][0]["caller"] == "client of shop"


async def test_partitions_and_wipe(shop: Tenant) -> None:
    (one,) = (await shop.native("GET", "partitions")).json()["items"]
    assert (one["organizationId"], one["dimensions"]) == ("org", {"siteid": "1", "locationid": "11"})
    assert (await shop.native("POST", "partitions/wipe", {"partitionIds": ["nothing"]})).status_code in (
        200,
        422,
    )
    wiped = await shop.native("POST", "partitions/wipe", {"partitionIds": [one["partitionId"]]})
    assert (wiped.status_code, wiped.json()) == (200, {"products": 1})
    assert (await shop.native("GET", "partitions")).json()["items"] == []


async def test_audit_finds_nothing(shop: Tenant) -> None:
    report = (await shop.native("POST", "verify")).json()
    assert (report["clean"], report["products"], report["driftCount"]) == (True, 1, 0)


async def test_configuration_is_edited_under_its_etag(shop: Tenant) -> None:
    read = await shop.native("GET", "configuration")
    etag, document = read.headers["etag"], read.json()["document"]
    assert etag == '"1"'
    document["inventorySystemConfigurations"]["iv"]["physicalMeasures"].append("damaged")
    body = {"document": document, "reason": "count damaged goods"}
    assert (await shop.native("POST", "configuration/validate", body)).json()["valid"] is True
    changes = (await shop.native("POST", "configuration/diff", body)).json()["changes"]
    assert any("damaged" in str(change) for change in changes)
    assert (await shop.native("PUT", "configuration", body)).status_code == 428
    applied = await shop.native("PUT", "configuration", body, If_Match=etag)
    assert (applied.status_code, applied.headers["etag"]) == (200, '"2"')
    stale = await shop.native("PUT", "configuration", body, If_Match=etag)
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")
    history = (await shop.native("GET", "configuration/history")).json()["items"]
    assert (history[0]["version"], history[0]["reason"]) == (2, "count damaged goods")
    old = await shop.native("GET", "configuration?version=1")
    assert "damaged" not in old.text
    assert (await shop.native("GET", "configuration?version=77")).status_code == 404
    wrong = {"document": {"reservConfiguration": {"keys": ["nonsense"]}}}
    refused = await shop.native("PUT", "configuration", wrong, If_Match="*")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-configuration")
    assert refused.json()["problems"]
    assert (await shop.native("POST", "configuration/validate", wrong)).json()["valid"] is False


async def test_switches_change_with_the_configuration(shop: Tenant) -> None:
    read = (await shop.native("GET", "configuration")).json()
    body = {"document": read["document"], "switches": {"mirrorStatusCode": True}, "reason": "mirror"}
    assert (await shop.native("PUT", "configuration", body, If_Match='"1"')).status_code == 200
    answer = await shop.send("POST", "onhand", {**WHERE, "quantities": {"iv": {"nothing": 1}}})
    assert answer.status_code == 400


async def test_erp_event_is_atomic_and_replayed(shop: Tenant) -> None:
    taken = (await shop.native("POST", "reservations", {**WHERE, "quantity": 4, "reference": "SO-1"})).json()
    event = {
        "id": "SO-1/shipped",
        **WHERE,
        "quantities": {"iv": {"onhand": -4}, "fno": {"picked": 4}},
        "offsets": [{"holdId": taken["holdId"], "quantity": 4}],
    }
    (result,) = await shop.erp(event)
    assert (result["replayed"], result["offsets"][0]["consumed"]) == (False, 4)
    found = (await shop.native("GET", f"availability?{QUERY}")).json()
    assert found["available"] == {"iv.availabletoreserve": 6}
    assert (found["quantities"]["iv"]["onhand"], found["quantities"]["iv"]["softreserved"]) == (6, 0)
    (again,) = await shop.erp(event)
    assert again["replayed"] is True
    assert (await shop.native("GET", f"availability?{QUERY}")).json() == found
    bad = {"id": "bad", **WHERE, "quantities": {"iv": {"onhand": 1}, "fno": {"nothing": 1}}}
    answer = (await shop.native("POST", "erp/sync", [bad])).json()["results"][0]
    assert (answer["accepted"], answer["code"]) == (False, "unknown-measure")
    assert (await shop.native("GET", f"availability?{QUERY}")).json() == found


async def test_jobs(shop: Tenant) -> None:
    started = await shop.native("POST", "jobs", {"sources": ["iv"]})
    assert started.status_code == 202
    assert started.headers["location"].endswith(started.json()["jobId"])
    await shop.running.services.jobs.run(started.json()["jobId"])
    job = (await shop.native("GET", f"jobs/{started.json()['jobId']}")).json()
    assert job["status"] == "Succeeded"
    assert job["progress"] == 100
    assert (await shop.native("GET", "jobs/none")).status_code == 404
    assert (await shop.native("POST", "jobs", {"kind": "nothing"})).status_code == 422


async def test_environments_and_clients_are_administered(running: Running) -> None:
    headers = {"Authorization": f"Bearer {await running.token('*')}"}
    http = running.http
    made = await http.post("/v1/environments", json={"environmentId": "Shop-2"}, headers=headers)
    assert (made.status_code, made.json()["environmentId"]) == (201, "shop-2")
    twice = await http.post("/v1/environments", json={"environmentId": "shop-2"}, headers=headers)
    assert (twice.status_code, twice.json()["code"]) == (409, "already-exists")
    listed = (await http.get("/v1/environments", headers=headers)).json()["items"]
    assert [one["environmentId"] for one in listed] == ["shop-2"]
    created = await http.post(
        "/v1/clients", json={"clientId": "pos", "environments": ["shop-2"]}, headers=headers
    )
    assert created.status_code == 201
    form = {
        "grant_type": "client_credentials",
        "client_id": "pos",
        "client_secret": created.json()["clientSecret"],
    }
    token = (await http.post("/oauth2/token", data=form)).json()
    assert token["scope"] == "onhand:read onhand:write reservation:write"
    own = {"Authorization": f"Bearer {token['access_token']}"}
    assert (await http.get("/v1/environments/shop-2", headers=own)).status_code == 200
    for method, path in (
        ("DELETE", "/v1/environments/shop-2"),
        ("GET", "/v1/clients"),
        ("POST", "/v1/clients"),
    ):
        answer = await http.request(method, path, headers=own)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    unknown = {"clientId": "x", "environments": [], "scopes": ["all"]}
    assert (await http.post("/v1/clients", json=unknown, headers=headers)).status_code == 422
    assert (await http.delete("/v1/clients/pos", headers=headers)).status_code == 204
    assert (await http.get("/v1/environments/shop-2", headers=own)).status_code == 401
    assert (await http.post("/oauth2/token", data=form)).status_code == 401
    names = (await http.get("/v1/clients", headers=headers)).json()["items"]
    assert "secret" not in str(names).lower()
    assert (await http.delete("/v1/environments/shop-2", headers=headers)).status_code == 204
    assert (await http.get("/v1/environments/shop-2", headers=headers)).status_code == 404
