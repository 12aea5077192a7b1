"""Native reservations over HTTP."""

from __future__ import annotations

from typing import Any

from tests.serving import Running, Tenant

WHERE = {"organizationId": "org", "productId": "P", "dimensions": {"siteId": "1", "locationId": "11"}}


async def take(shop: Tenant, quantity: Any, key: str = "", **more: Any) -> Any:
    headers = {"Idempotency_Key": key} if key else {}
    return await shop.native("POST", "reservations", {**WHERE, "quantity": quantity, **more}, **headers)


async def test_take_read_and_release(shop: Tenant) -> None:
    taken = await take(shop, 4, reference="cart 1")
    assert taken.status_code == 201
    body = taken.json()
    assert (body["quantity"], body["available"]) == (4, 6)
    assert taken.headers["location"] == f"/v1/environments/shop/reservations/{body['holdId']}"
    held = (await shop.native("GET", f"reservations/{body['holdId']}")).json()
    assert (held["remaining"], held["measure"], held["reference"]) == (4, "iv.softreserved", "cart 1")
    assert held["dimensions"] == {"siteid": "1", "locationid": "11"}
    part = await shop.native("POST", f"reservations/{body['holdId']}/release", {"quantity": "1.5"})
    assert (part.status_code, part.json()["released"]) == (200, 1.5)
    rest = await shop.native("DELETE", f"reservations/{body['holdId']}")
    assert (rest.status_code, rest.json()["released"]) == (200, 2.5)
    again = await shop.native("DELETE", f"reservations/{body['holdId']}")
    assert (again.status_code, again.json()["code"]) == (409, "hold-closed")


async def test_same_key_is_replayed_and_another_body_refused(shop: Tenant) -> None:
    first = await take(shop, 4, "k1")
    second = await take(shop, 4, "k1")
    assert second.status_code == 201
    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    other = await take(shop, 5, "k1")
    assert (other.status_code, other.json()["code"]) == (422, "payload-mismatch")
    assert other.headers["content-type"] == "application/problem+json"


async def test_shortage_is_a_problem_with_numbers(shop: Tenant) -> None:
    short = await take(shop, 11)
    problem = short.json()
    assert short.status_code == problem["status"] == 409
    assert (problem["code"], problem["available"], problem["retryable"]) == ("shortage", 10, True)
    assert problem["shortage"]["requested"] == 11
    refusals = (await shop.native("GET", "refusals")).json()["items"]
    assert [(one["reason"], one["requested"], one["available"]) for one in refusals] == [("shortage", 11, 10)]


async def test_release_of_more_than_remains(shop: Tenant) -> None:
    hold = (await take(shop, 4)).json()["holdId"]
    answer = await shop.native("POST", f"reservations/{hold}/release", {"quantity": 5})
    assert (answer.status_code, answer.json()["code"]) == (409, "hold-too-small")


async def test_extend_moves_the_expiry(shop: Tenant) -> None:
    taken = (await take(shop, 4, ttlSeconds=60)).json()
    moved = await shop.native("POST", f"reservations/{taken['holdId']}/extend", {"ttlSeconds": 600})
    assert moved.status_code == 200
    assert moved.json()["expiresAt"] > taken["expiresAt"]
    shop.running.clock.ahead_s = 61
    assert (
        await shop.native("GET", "availability?organizationId=org&productId=P&siteId=1&locationId=11")
    ).json()["available"] == {"iv.availabletoreserve": 6}
    permanent = await shop.native("POST", f"reservations/{taken['holdId']}/extend", {})
    assert "expiresAt" not in permanent.json()


async def test_an_expired_hold_does_not_come_back(shop: Tenant) -> None:
    taken = (await take(shop, 4, ttlSeconds=60)).json()
    shop.running.clock.ahead_s = 61
    late = await shop.native("POST", f"reservations/{taken['holdId']}/extend", {"ttlSeconds": 600})
    assert (late.status_code, late.json()["code"]) == (409, "hold-closed")


async def test_listing_pages_and_filters(shop: Tenant) -> None:
    for number in range(5):
        assert (await take(shop, 1, reference=f"cart {number % 2}")).status_code == 201
    seen = []
    path = "reservations?reference=cart 0&limit=2"
    after = ""
    while True:
        answer = await shop.native("GET", path + (f"&after={after}" if after else ""))
        page = answer.json()
        seen += [item["holdId"] for item in page["items"]]
        assert ("link" in answer.headers) == (page["next"] is not None)
        if page["next"] is None:
            break
        after = page["next"]
    assert len(seen) == len(set(seen)) == 3
    await shop.native("DELETE", f"reservations/{seen[0]}")
    assert len((await shop.native("GET", path.replace("limit=2", "limit=9"))).json()["items"]) == 2
    closed = (await shop.native("GET", "reservations?open=false")).json()["items"]
    assert [(one["holdId"], one["closedBy"]) for one in closed] == [(seen[0], "release")]
    assert len((await shop.native("GET", "reservations?state=all")).json()["items"]) == 5


async def test_holds_of_another_environment_are_not_there(shop: Tenant, running: Running) -> None:
    hold = (await take(shop, 1)).json()["holdId"]
    other = await running.environment("other")
    for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/release"), ("POST", "/extend")):
        answer = await other.native(method, f"reservations/{hold}{rest}", {} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-hold"), (method, rest)
    for wrong in ("x", "0" * 16 + "-1-1", "zz-1-1"):
        assert (await shop.native("GET", f"reservations/{wrong}")).status_code == 404


async def test_bad_bodies_say_what_is_wrong(shop: Tenant) -> None:
    for body, status, code in (
        ({**WHERE}, 422, "invalid-body"),
        ({**WHERE, "quantity": 1, "nonsense": 1}, 422, "invalid-body"),
        ({**WHERE, "quantity": -1}, 422, "invalid-quantity"),
        ({**WHERE, "quantity": 0}, 422, "invalid-quantity"),
        ({**WHERE, "quantity": "0.0000001"}, 422, "invalid-quantity"),
        ({**WHERE, "quantity": 1, "measure": "iv.nothing"}, 422, "unknown-measure"),
        ({**WHERE, "quantity": 1, "dimensions": {}}, 422, "partition-missing"),
        ({**WHERE, "quantity": 1, "ttlSeconds": 0}, 422, "invalid-value"),
        (
            {**WHERE, "quantity": 1, "ttlSeconds": 1, "expiresAt": "2030-01-01T00:00:00Z"},
            422,
            "invalid-value",
        ),
    ):
        answer = await shop.native("POST", "reservations", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    assert (await shop.native("GET", "reservations?limit=0")).status_code == 400
    answer = await shop.native("GET", "reservations?after=nonsense")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")
