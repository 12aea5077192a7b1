"""Consistency checks over HTTP: figures in any form, what differs and why, corrections once and only after approval."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from onhand.core import presets
from onhand.service.erp.consistency import RECORDS_MAX
from tests.erp_side import contoso
from tests.serving import Running, Tenant

AT = {"siteId": "1", "locationId": "11"}


@dataclass
class Source:
    """A point of sale that posts to onhand, and keeps its own figures."""

    tenant: Tenant
    source: str = "pos"
    posted: int = 0
    figures: dict[tuple[str, str], int] = field(default_factory=dict)

    async def post(self, product: str, color: str, units: int) -> str:
        """An event that reaches onhand; returns its id."""
        self.posted += 1
        body = {
            "id": f"sale-{self.posted}",
            "organizationId": "usmf",
            "productId": product,
            "dimensions": {**AT, "colorId": color},
            "quantities": {self.source: {"inbound": units}},
        }
        await self.tenant.on_hand(**body)
        return str(body["id"])

    def count(self, product: str, color: str, units: int) -> None:
        """An event that the source itself knows."""
        at = (product, color)
        self.figures[at] = self.figures.get(at, 0) + units

    def records(self) -> list[dict[str, Any]]:
        return [
            {
                "organizationId": "usmf",
                "productId": product,
                "dimensions": {**AT, "colorId": color},
                "quantities": {self.source: {"inbound": units}},
            }
            for (product, color), units in self.figures.items()
        ]


async def call(tenant: Tenant, method: str, rest: str, body: Any = None, status: int = 200) -> Any:
    answer = await tenant.native(method, f"erp/checks{rest}", body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def checked(tenant: Tenant, running: Running, records: list[dict[str, Any]], **more: Any) -> str:
    """Open a check, upload, compare, wait; its id."""
    made = await call(tenant, "POST", "", {"source": "pos", **more}, 201)
    of = str(made["checkId"])
    await call(tenant, "PUT", f"/{of}/figures/1", {"records": records})
    await call(tenant, "POST", f"/{of}/compare", status=202)
    await running.services.erp.consistency.settled(of)
    return of


async def found(tenant: Tenant, of: str, **query: str) -> list[dict[str, Any]]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    items: list[dict[str, Any]] = (await call(tenant, "GET", f"/{of}/findings?{text}"))["items"]
    return items


async def approve(tenant: Tenant, running: Running, of: str, **more: Any) -> dict[str, Any]:
    await call(tenant, "POST", f"/{of}/approve", {"reason": "counted again", **more}, 202)
    await running.services.erp.consistency.settled(of)
    state: dict[str, Any] = await call(tenant, "GET", f"/{of}")
    return state


@pytest.fixture
async def pos(running: Running) -> Source:
    """What the source and onhand agree on: 5 red and 5 blue of two products."""
    made = Source(await running.environment("pos", presets.document("standalone", "pos")))
    for product in ("A", "B"):
        for color in ("red", "blue"):
            await made.post(product, color, 5)
            made.count(product, color, 5)
    return made


async def test_equal_figures_differ_in_nothing(running: Running, pos: Source) -> None:
    of = await checked(pos.tenant, running, pos.records())
    state = await call(pos.tenant, "GET", f"/{of}")
    assert (state["state"], state["differences"], state["products"], state["records"]) == ("ready", 0, 2, 4)
    assert await found(pos.tenant, of) == []


async def test_each_kind_of_difference_is_named_and_corrected_once(running: Running, pos: Source) -> None:
    pos.count("A", "red", 3)  # never came here
    await pos.post("A", "green", 2)  # the source posted it to white
    pos.count("A", "white", 2)
    await pos.post("B", "red", 4)  # twice, under two ids
    twin = await pos.post("B", "red", 4)
    pos.count("B", "red", 4)
    alone = await pos.post("C", "red", 1)  # a product of which the source knows nothing
    pos.count("D", "red", 6)  # a product of which onhand knows nothing
    of = await checked(pos.tenant, running, pos.records())
    items = {one["difference"]: one for one in await found(pos.tenant, of)}
    assert {
        kind: sorted((change["dimensions"]["ColorId"], change["correction"]) for change in one["changes"])
        for kind, one in items.items()
    } == {
        "missedEvent": [("red", 3)],
        "wrongDimension": [("green", -2), ("white", 2)],
        "doublePost": [("red", -4)],
        "onlyHere": [("red", -1)],
        "onlyThere": [("red", 6)],
    }
    assert items["doublePost"]["evidence"] == [twin]
    assert items["onlyHere"]["evidence"] == [alone]
    assert (await approve(pos.tenant, running, of, classes=["missedEvent"]))["applied"] == {"missedEvent": 1}
    state = await approve(pos.tenant, running, of)
    assert state["applied"] == dict.fromkeys(items, 1)
    again = await checked(pos.tenant, running, pos.records())
    assert await found(pos.tenant, again) == []
    await approve(pos.tenant, running, of)
    assert await found(pos.tenant, await checked(pos.tenant, running, pos.records())) == []


async def test_the_approver_and_the_reason_stand_in_the_ledger(running: Running, pos: Source) -> None:
    pos.count("A", "red", 3)
    of = await checked(pos.tenant, running, pos.records())
    state = await approve(pos.tenant, running, of)
    assert (state["approvedBy"], state["reason"]) == ("client of pos", "counted again")
    answer = await pos.tenant.native("GET", "movements?organizationId=usmf&productId=A&limit=1")
    (movement,) = answer.json()["items"]
    assert (movement["caller"], movement["reason"], movement["delta"]) == (
        "client of pos",
        "missedEvent: counted again",
        3,
    )


async def test_nothing_changes_without_approval_and_only_what_was_approved(
    running: Running, pos: Source
) -> None:
    pos.count("A", "red", 3)
    pos.count("B", "red", 4)
    of = await checked(pos.tenant, running, pos.records())
    first, second = await found(pos.tenant, of)
    assert (first["state"], second["state"]) == ("proposed", "proposed")
    await approve(pos.tenant, running, of, findings=[second["findingId"]])
    assert [one["findingId"] for one in await found(pos.tenant, of, state="proposed")] == [first["findingId"]]
    again = await checked(pos.tenant, running, pos.records())
    assert [one["productId"] for one in await found(pos.tenant, again)] == [first["productId"]]


async def test_what_came_before_the_correction_is_not_counted_twice(running: Running, pos: Source) -> None:
    pos.count("A", "red", 3)
    of = await checked(pos.tenant, running, pos.records())
    await pos.post("A", "red", 3)
    state = await approve(pos.tenant, running, of)
    assert (state["applied"], state["settled"]) == ({}, 1)
    (finding,) = await found(pos.tenant, of)
    assert (finding["state"], finding["note"]) == ("settled", "It came meanwhile.")
    assert await found(pos.tenant, await checked(pos.tenant, running, pos.records())) == []


async def test_events_after_the_figures_are_no_differences(running: Running, pos: Source) -> None:
    made = await call(pos.tenant, "POST", "", {"source": "pos"}, 201)
    await pos.post("A", "red", 3)
    of = made["checkId"]
    await call(pos.tenant, "PUT", f"/{of}/figures/1", {"records": pos.records()})
    await call(pos.tenant, "POST", f"/{of}/compare", status=202)
    await running.services.erp.consistency.settled(of)
    assert await found(pos.tenant, of) == []


async def test_a_difference_at_a_record_that_moved_waits_for_a_second_look(
    running: Running, pos: Source
) -> None:
    made = await call(pos.tenant, "POST", "", {"source": "pos"}, 201)
    pos.count("A", "red", 50)
    await pos.post("A", "red", 3)
    of = made["checkId"]
    await call(pos.tenant, "PUT", f"/{of}/figures/1", {"records": pos.records()})
    await call(pos.tenant, "POST", f"/{of}/compare", status=202)
    await running.services.erp.consistency.settled(of)
    (finding,) = await found(pos.tenant, of)
    assert finding["moving"]
    assert (await approve(pos.tenant, running, of))["applied"] == {}
    assert (await approve(pos.tenant, running, of, moving=True))["applied"] == {"missedEvent": 1}


async def test_covers_says_what_is_not_listed(running: Running, pos: Source) -> None:
    listed = [
        one for one in pos.records() if (one["productId"], one["dimensions"]["colorId"]) == ("A", "red")
    ]
    for covers, missing in (("everything", 3), ("products", 1), ("records", 0)):
        items = await found(pos.tenant, await checked(pos.tenant, running, listed, covers=covers))
        assert len([change for one in items for change in one["changes"]]) == missing, covers
        assert {one["difference"] for one in items} <= {"onlyHere"}


async def test_figures_as_csv_and_ndjson_in_parts(running: Running, pos: Source) -> None:
    made = await call(pos.tenant, "POST", "", {"source": "pos"}, 201)
    path = f"/v1/environments/{pos.tenant.environment}/erp/checks/{made['checkId']}/figures"
    records = pos.records()
    lines = [f"usmf,{one['productId']},1,11,{one['dimensions']['colorId']},5" for one in records[:2]]
    bodies = {
        "text/csv": "organization,product,siteid,locationid,colorid,pos.inbound\r\n" + "\r\n".join(lines),
        "application/x-ndjson": "\n".join(msgspec.json.encode(one).decode() for one in records[2:]),
    }
    for part, (kind, body) in enumerate(bodies.items(), start=1):
        for _ in range(2):  # a repeat counts once
            answer = await running.http.put(
                f"{path}/{part}", content=body, headers={**pos.tenant.headers, "content-type": kind}
            )
            assert answer.status_code == 200, answer.text
    assert answer.json()["records"] == 4
    await call(pos.tenant, "POST", f"/{made['checkId']}/compare", status=202)
    await running.services.erp.consistency.settled(made["checkId"])
    assert await found(pos.tenant, made["checkId"]) == []


async def test_the_report_is_a_file(running: Running, pos: Source) -> None:
    pos.count("=A", "red", 3)
    pos.count("B", "red", 4)
    of = await checked(pos.tenant, running, pos.records())
    answer = await pos.tenant.native("GET", f"erp/checks/{of}/findings?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {(row["class"], row["product"], row["dimensions"], row["correction"]) for row in rows} == {
        ("missedEvent", "B", "siteid=1,locationid=11,ColorId=red", "4"),
        ("onlyThere", "'=A", "siteid=1,locationid=11,ColorId=red", "3"),
    }
    lines = (await pos.tenant.native("GET", f"erp/checks/{of}/findings?format=ndjson")).text.splitlines()
    assert [msgspec.json.decode(line)["state"] for line in lines] == ["proposed", "proposed"]
    page = await pos.tenant.native("GET", f"erp/checks/{of}/findings?format=csv&limit=1")
    second = await running.http.get(
        str(page.url).partition("?")[0] + page.links["next"]["url"], headers=pos.tenant.headers
    )
    assert page.text + second.text == answer.text


async def test_what_waits_in_the_lines_of_the_erp_is_no_difference(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(50)
    await erp.line("L1", 5)
    records = [
        {
            "organizationId": "usmf",
            "productId": "D0002",
            "dimensions": {"siteId": "1", "locationId": "11", "colorId": "red", "sizeId": "small"},
            "quantities": {"fno": {"physicalinvent": 50, "onorder": 5}},
        }
    ]
    of = await checked(erp.tenant, running, records, source="fno")
    assert await found(erp.tenant, of) == []
    records[0]["quantities"] = {"fno": {"physicalinvent": 45, "onorder": 5}}
    of = await checked(erp.tenant, running, records, source="fno")
    state = await approve(erp.tenant, running, of)
    assert state["applied"] == {"missedEvent": 1}
    await erp.sync()
    assert (await erp.standing())["physical"] == 45
    assert await found(erp.tenant, await checked(erp.tenant, running, records, source="fno")) == []


async def test_what_cannot_be_checked_is_refused_and_changes_nothing(running: Running, pos: Source) -> None:
    tenant = pos.tenant
    for body, code in (
        ({"source": "nobody"}, "unknown-data-source"),
        ({"source": "pos", "takenAt": "2001-01-01T00:00:00Z"}, "invalid-value"),
        ({"source": "pos", "covers": "some"}, "invalid-body"),
    ):
        answer = await tenant.native("POST", "erp/checks", body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    made = await call(tenant, "POST", "", {"source": "iv"}, 201)
    at = f"/{made['checkId']}"
    record = {"organizationId": "usmf", "productId": "A", "dimensions": AT}
    for quantities, words in (
        ({"pos": {"inbound": 1}}, "by itself"),
        ({"iv": {"nothing": 1}}, "has no measure"),
        ({"iv": {"softreserved": 1}}, "hold by hold"),
        ({}, "no quantity"),
    ):
        answer = await tenant.native(
            "PUT", f"erp/checks{at}/figures/1", {"records": [{**record, "quantities": quantities}]}
        )
        assert answer.status_code == 422, answer.text
        assert words in answer.text
    assert (await call(tenant, "POST", f"{at}/compare", status=409))["code"] == "check-not-ready"
    assert (await call(tenant, "POST", f"{at}/approve", {"reason": "x"}, 409))["code"] == "check-not-ready"
    assert (await call(tenant, "POST", f"{at}/approve", {"reason": " "}, 422))["code"] == "invalid-value"
    good = [{**record, "quantities": {"iv": {"onhand": 1}}}]
    await call(tenant, "PUT", f"{at}/figures/1", {"records": good})
    other = [{**record, "quantities": {"iv": {"onhand": 2}}}]
    assert (await call(tenant, "PUT", f"{at}/figures/1", {"records": other}, 422))[
        "code"
    ] == "payload-mismatch"
    await call(tenant, "PUT", f"{at}/figures/1", {"records": []}, 400)
    await call(tenant, "PUT", f"{at}/figures/2", {"records": good * (RECORDS_MAX + 1)}, 400)
    await call(tenant, "PUT", f"{at}/figures/zero", {"records": good}, 404)
    assert (await call(tenant, "GET", "/none", status=404))["code"] == "unknown-check"
    await call(tenant, "DELETE", at, status=204)
    await call(tenant, "GET", at, status=404)
    await call(tenant, "DELETE", at, status=404)


async def test_another_process_goes_on_where_one_stopped_and_old_checks_are_forgotten(
    running: Running, pos: Source
) -> None:
    pos.count("A", "red", 3)
    consistency = running.services.erp.consistency
    of = await checked(pos.tenant, running, pos.records())
    await call(pos.tenant, "POST", f"/{of}/approve", {"reason": "r"}, 202)
    await consistency.stop()  # as if the process had ended
    running.clock.ahead_s += 120
    await consistency.run_due()
    assert (await call(pos.tenant, "GET", f"/{of}"))["applied"] == {"missedEvent": 1}
    running.clock.ahead_s += 31 * 86_400
    await consistency.run_due()
    assert await consistency.read(running.services.environments.rules("pos"), of) is None
