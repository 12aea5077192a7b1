"""Snapshots that say what they contain: the double-counting stories of two systems."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from typing import Any

from tests.erp_side import RED, Erp, contoso
from tests.serving import Running

WEB = {"organizationId": "usmf", "productId": "D0002", "dimensions": RED}


async def snapshot(
    erp: Erp, identity: str, figures: dict[str, int], *, at: Any = RED, **contains: Any
) -> Any:
    body = {
        "id": identity,
        "records": [{**WEB, "dimensions": at, "quantities": {"fno": figures}}],
        "contains": contains,
    }
    answer = await erp.tenant.native("POST", "erp/snapshots", body)
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["results"]
    return result


async def numbered(erp: Erp, *messages: dict[str, Any]) -> None:
    numbers = [{"sequence": number, **one} for number, one in enumerate(messages, start=1)]
    answer = await erp.tenant.native("POST", "erp/messages", {"source": "d365", "messages": numbers})
    assert answer.status_code == 200, answer.text
    assert all(one["accepted"] for one in answer.json()["results"]), answer.text


async def test_the_erp_has_reduced_already_and_the_shop_still_holds(running: Running) -> None:
    """Without a word about the order the piece is counted twice; the snapshot that names it offsets the reservation."""
    erp = await contoso(running)
    await erp.stock(100)
    reserved = await erp.reserve(10)
    assert (await snapshot(erp, "s1", {"physicalinvent": 90}))["accepted"]
    assert await erp.standing() == {"physical": 90, "hard": 0, "soft": 10, "available": 80}
    shipped = {
        "lineId": "L1",
        "line": {**WEB, "quantity": 10, "status": "deducted", "reservationId": reserved["reservationId"]},
    }
    result = await snapshot(erp, "s2", {"physicalinvent": 90}, messages=[shipped])
    assert [(one["lineId"], one["state"]) for one in result["lines"]] == [("L1", "settled")]
    assert await erp.standing() == {"physical": 90, "hard": 0, "soft": 0, "available": 90}
    # The same snapshot again, and the line's own synchronisation, change nothing.
    assert (await snapshot(erp, "s2", {"physicalinvent": 90}, messages=[shipped]))["replayed"]
    await erp.sync()
    assert await erp.standing() == {"physical": 90, "hard": 0, "soft": 0, "available": 90}


async def test_a_known_line_is_inside_with_everything_that_waits(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    reserved = await erp.reserve(10)
    await erp.line("IN", 6, reservationId=reserved["reservationId"])
    await erp.move("IN", "sold")
    await erp.line("OUT", 4, reservationId=reserved["reservationId"], status="sold")
    assert (await snapshot(erp, "s", {"physicalinvent": 94}, lines=["IN"]))["accepted"]
    assert await erp.standing() == {"physical": 94, "hard": 0, "soft": 4, "available": 90}
    line = await erp.read("IN")
    assert (line["state"], line["history"][-1]["containedIn"]) == ("settled", "s")
    await erp.sync()
    assert await erp.standing() == {"physical": 90, "hard": 0, "soft": 0, "available": 90}


async def test_a_measure_that_the_snapshot_does_not_carry_is_still_posted(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    await erp.line("L", 10, status="reservedPhysical")
    assert (await snapshot(erp, "s", {"physicalinvent": 100}, lines=["L"]))["accepted"]
    assert await erp.standing() == {"physical": 100, "hard": 10, "soft": 0, "available": 90}


async def test_up_to_a_number_what_came_later_is_neither_lost_nor_counted_twice(running: Running) -> None:
    """Four messages; the ERP's figures are of the moment after the second."""
    for posted_before in (False, True):
        erp = (
            await contoso(running)
            if not posted_before
            else Erp(
                await running.environment(
                    "second", (await running.services.environments.configuration("contoso")).document
                )
            )
        )
        await erp.parameters(physicalOwner="erp")
        await erp.stock(100)
        reserved = await erp.reserve(20)
        line = {**WEB, "quantity": 10, "reservationId": reserved["reservationId"]}
        await numbered(
            erp,
            {"lineId": "A", "line": line},
            {"lineId": "A", "move": {"to": "deducted"}},
            {"lineId": "B", "line": line},
            {"lineId": "B", "move": {"to": "deducted", "quantity": 4}},
        )
        if posted_before:
            await erp.sync()
        result = await snapshot(
            erp, "s", {"physicalinvent": 90, "reservphysical": 0, "onorder": 0}, source="d365", upToSequence=2
        )
        assert result["accepted"], result
        assert [one["lineId"] for one in result["lines"]] == ([] if posted_before else ["A"])
        await erp.sync()
        assert await erp.standing() == {"physical": 86, "hard": 0, "soft": 6, "available": 80}


async def test_what_a_snapshot_cannot_mean_is_refused(running: Running) -> None:
    erp = await contoso(running)
    await erp.line("L", 5)

    async def post(body: dict[str, Any]) -> tuple[int, str]:
        answer = await erp.tenant.native("POST", "erp/snapshots", body)
        return answer.status_code, answer.json().get("code", "")

    record = {**WEB, "quantities": {"fno": {"physicalinvent": 1}}}
    other = {**record, "productId": "D0003"}
    assert await post({"id": "", "records": [record]}) == (422, "invalid-value")
    assert await post({"id": "s", "records": [other], "contains": {"lines": ["L"]}}) == (422, "invalid-value")
    assert await post({"id": "s", "records": [record], "contains": {"lines": ["M"]}}) == (404, "unknown-line")
    assert await post({"id": "s", "records": [record], "contains": {"source": "d365"}}) == (
        422,
        "invalid-body",
    )
    assert await post({"id": "s", "records": [{**record, "quantities": {"iv": {"ordered": 1}}}]}) == (
        422,
        "foreign-source",
    )
    assert await post({"id": "s", "records": [{**record, "quantities": {"fno": {"odd": 1}}}]}) == (
        422,
        "unknown-measure",
    )
    for number in (-1, 1 << 53, 10**30):
        body = {"id": "s", "records": [record], "contains": {"source": "d365", "upToSequence": number}}
        assert await post(body) == (422, "invalid-value")
    twice = (
        await erp.tenant.native("POST", "erp/snapshots", {"id": "s", "records": [record, record]})
    ).json()
    assert twice["results"][0]["code"] == "invalid-value"
    assert (await erp.standing())["physical"] == 0


async def test_the_same_id_with_other_figures_is_refused(running: Running) -> None:
    erp = await contoso(running)
    assert (await snapshot(erp, "s", {"physicalinvent": 5}))["accepted"]
    assert (await snapshot(erp, "s", {"physicalinvent": 10}))["code"] == "payload-mismatch"
    assert (await erp.standing())["physical"] == 5


async def test_snapshots_and_synchronisations_at_once_lose_nothing(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    reserved = await erp.reserve(40)
    line = {**WEB, "quantity": 2, "reservationId": reserved["reservationId"], "status": "deducted"}
    await numbered(erp, *({"lineId": f"L{number}", "line": line} for number in range(20)))
    await asyncio.gather(
        *(
            snapshot(erp, f"s{number}", {"physicalinvent": 80}, source="d365", upToSequence=10)
            for number in range(3)
        ),
        *(erp.sync() for _ in range(3)),
    )
    await erp.sync()
    assert await erp.standing() == {"physical": 60, "hard": 0, "soft": 0, "available": 60}


async def test_a_complete_snapshot_is_shown_before_it_is_applied_and_empties_what_it_does_not_name(
    running: Running,
) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    await erp.stock(7, colorId="blue")
    other = {**WEB, "productId": "GONE"}
    await erp.tenant.erp({"id": "gone", **other, "quantities": {"fno": {"physicalinvent": 3}}})
    listed = (await erp.tenant.native("GET", "erp/products?organizationId=USMF")).json()
    assert sorted(one["productId"] for one in listed["items"]) == ["D0002", "GONE"]
    record = {**WEB, "quantities": {"fno": {"physicalinvent": 90}}}
    gone = {"organizationId": "usmf", "productId": "GONE"}
    body = {"id": "full", "records": [record], "emptied": [gone], "complete": True}
    shown = (await erp.tenant.native("POST", "erp/snapshots", {**body, "preview": True})).json()["results"]
    changes = {
        (one["productId"], change["dimensions"]["ColorId"]): (change["stored"], change["becomes"])
        for one in shown
        for change in one["changes"]
    }
    assert changes == {("D0002", "red"): (100, 90), ("D0002", "blue"): (7, 0), ("GONE", "red"): (3, 0)}
    assert (await erp.standing())["physical"] == 107
    applied = (await erp.tenant.native("POST", "erp/snapshots", body)).json()["results"]
    assert [one["accepted"] for one in applied] == [True, True]
    assert (await erp.standing())["physical"] == 90
    listed = (await erp.tenant.native("GET", "erp/products")).json()
    assert [one["productId"] for one in listed["items"]] == ["D0002"]
    both = await erp.tenant.native(
        "POST", "erp/snapshots", {**body, "emptied": [{**gone, "productId": "d0002"}]}
    )
    assert (both.status_code, both.json()["code"]) == (422, "invalid-value")
    assert (await erp.tenant.native("GET", "erp/products?after=nonsense")).status_code == 400


async def test_a_snapshot_is_refused_while_messages_that_it_contains_are_missing(running: Running) -> None:
    """They would come later and be added to a figure that has them already."""
    erp = await contoso(running)
    await erp.stock(100)
    reserved = await erp.reserve(10)
    line = {**WEB, "quantity": 10, "reservationId": reserved["reservationId"]}
    await numbered(erp, {"lineId": "A", "line": line})
    figures = {"physicalinvent": 90, "reservphysical": 0, "onorder": 0}
    early = await snapshot(erp, "s", figures, source="d365", upToSequence=2)
    assert (early["accepted"], early["code"]) == (False, "sequence-gap")
    late = {"sequence": 2, "lineId": "A", "move": {"to": "deducted"}}
    body = {"source": "d365", "messages": [late]}
    assert (await erp.tenant.native("POST", "erp/messages", body)).status_code == 200
    assert (await snapshot(erp, "s", figures, source="d365", upToSequence=2))["accepted"]
    await erp.sync()
    assert await erp.standing() == {"physical": 90, "hard": 0, "soft": 0, "available": 90}


async def test_messages_that_are_lost_are_left_to_the_snapshot_when_the_source_goes_on(
    running: Running,
) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    await numbered(erp, {"lineId": "A", "line": {**WEB, "quantity": 10}})
    assert (await erp.tenant.native("PUT", "erp/sources/d365", {"next": 3})).status_code == 200
    figures = {"physicalinvent": 90, "onorder": 0}
    assert (await snapshot(erp, "s", figures, source="d365", upToSequence=2))["accepted"]
    late = {"sequence": 2, "lineId": "A", "move": {"to": "deducted"}}
    answer = await erp.tenant.native("POST", "erp/messages", {"source": "d365", "messages": [late]})
    assert answer.json()["results"][0]["replayed"]
    await erp.sync()
    assert (await erp.standing())["physical"] == 90


async def test_a_line_of_two_sources_is_inside_what_either_had_counted(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    await numbered(erp, {"lineId": "A", "line": {**WEB, "quantity": 5, "status": "reservedPhysical"}})
    other = {"source": "other", "messages": [{"sequence": 1, "lineId": "A", "move": {"to": "picked"}}]}
    assert (await erp.tenant.native("POST", "erp/messages", other)).status_code == 200
    figures = {"physicalinvent": 100, "reservphysical": 5}
    assert (await snapshot(erp, "s", figures, source="d365", upToSequence=1))["accepted"]
    await erp.sync()
    assert await erp.standing() == {"physical": 95, "hard": 0, "soft": 0, "available": 95}


async def test_what_waits_and_is_inside_a_complete_snapshot_is_added_nowhere(running: Running) -> None:
    """The snapshot has no record where the line waits, so nothing is there; after it the figures are the ERP's."""
    erp = await contoso(running)
    await erp.stock(100)
    at = {**RED, "locationId": "12"}
    await erp.line("L", 5, dimensions=at, status="reservedPhysical")
    record = {**WEB, "quantities": {"fno": {"physicalinvent": 100}}}
    body = {"id": "full", "records": [record], "complete": True, "contains": {"lines": ["L"]}}
    answer = await erp.tenant.native("POST", "erp/snapshots", body)
    assert answer.json()["results"][0]["accepted"], answer.text
    await erp.sync()
    assert await erp.standing() == {"physical": 100, "hard": 0, "soft": 0, "available": 100}


async def test_an_emptied_product_is_emptied_once_under_one_id(running: Running) -> None:
    erp = await contoso(running)
    await erp.stock(100)
    gone = {"organizationId": "usmf", "productId": "D0002"}
    body = {"id": "full", "records": [], "emptied": [gone], "complete": True}
    assert (await erp.tenant.native("POST", "erp/snapshots", body)).json()["results"][0]["accepted"]
    assert (await erp.standing())["physical"] == 0
    await erp.stock(7, colorId="blue")
    again = (await erp.tenant.native("POST", "erp/snapshots", body)).json()["results"][0]
    assert again["replayed"]
    assert (await erp.standing())["physical"] == 7


async def test_a_cursor_that_the_database_cannot_hold_is_refused(running: Running) -> None:
    erp = await contoso(running)
    cursor = urlsafe_b64encode(b'["a\\u0000","b"]').decode()
    answer = await erp.tenant.native("GET", f"erp/products?after={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")
