"""Order specification 11.7: the workflow engine. Row 83 is of tier 2 (test_tier_two)."""

from __future__ import annotations

import pytest

from tests.conformance.orders.conftest import STEP, Shop, only, properties, released, results
from tests.e2e.orders.order_calls import line, order, shipment

BROKEN = {"name": "ChangeStatusIfOutOfStock"}
"""A step without its required property ends in an error."""


async def test_67_an_error_that_halts(shop: Shop) -> None:
    await shop.workflow(Step=[{**BROKEN, "stopOnError": True}, STEP])
    await shop.given()
    done = await shop.run()
    assert (results(done), done["isAborted"]) == ([("ChangeStatusIfOutOfStock", "Error")], True)
    found = await shop.order()
    assert found["status"] == "Step"
    assert len(found["errors"]) == 1
    assert await shop.levels() == (10, 0)


async def test_68_an_error_that_does_not_halt(shop: Shop) -> None:
    last = {"name": "CompleteShipment", "workflowStepConditions": [{"type": "Error"}]}
    await shop.workflow(Step=[BROKEN, STEP, last])
    await shop.given()
    done = await shop.run()
    assert [status for _, status in results(done)] == ["Error", "Success", "Success"]
    assert done["isAborted"] is False


async def test_69_a_condition_that_is_not_met(shop: Shop) -> None:
    await shop.settings(use_verbose_logging=True)
    last = {"name": "SetAllOrderLinesToReserved", "workflowStepConditions": [{"type": "Success"}]}
    await shop.workflow(Step=[STEP, last])
    await shop.given()
    assert len(results(await shop.run())) == 2
    assert results(await shop.run()) == [(STEP, "Warning")]
    assert "Skipped SetAllOrderLinesToReserved" in await shop.event_names()


async def test_71_tags_in_any_case(shop: Shop) -> None:
    await shop.workflow(Step=[{"name": STEP, "enabledForTags": ["pos"]}])
    await shop.given(tags=["POS"])
    await shop.run()
    assert await shop.levels() == (9, 0)


async def test_72_a_status_that_changes_to_itself(shop: Shop) -> None:
    change = {"name": "ChangeStatus", "properties": properties(orderStatus="Ship")}
    await shop.workflow(Ship=[change])
    await shop.given()
    done = await shop.run("Ship")
    assert results(done) == [("ChangeStatus", "Success")]
    assert done["order"]["status"] == "Ship"


async def test_72_statuses_that_trigger_each_other_for_ever(shop: Shop) -> None:
    def to(status: str) -> dict[str, object]:
        return {"name": "ChangeStatus", "properties": properties(orderStatus=status)}

    await shop.workflow(Ping=[to("Pong")], Pong=[to("Ping")])
    await shop.given()
    done = await shop.run("Ping")
    assert len(results(done)) == 11
    assert [one["key"] for one in (await shop.order())["errors"]] == ["WorkflowLoop"]


async def test_74_a_step_after_the_save(shop: Shop) -> None:
    await shop.counter("A", 4)
    await shop.workflow(Step=[{"name": "RecalculateReservedInventory", "runAfterOrderIsSaved": True}])
    await shop.given()
    done = await shop.run()
    assert done["orderActionExecutionResults"] == []
    assert await shop.levels() == (10, 0)


async def test_75_a_status_without_its_workflow(shop: Shop) -> None:
    await shop.given()
    done = await shop.run(skipRunWorkflow=True)
    assert done["order"]["status"] == "Step"
    assert await shop.transactions() == []


async def test_76_a_dry_run(shop: Shop) -> None:
    before = await shop.given()
    done = await shop.ok("POST", "orders/O1/dry-run", {"status": "Step"})
    assert only(done)["actionStatus"] == "Success"
    assert await shop.order() == before
    assert (await shop.levels(), await shop.transactions()) == ((10, 0), [])


async def test_77_an_unknown_status(shop: Shop) -> None:
    before = await shop.given()
    await shop.refused(400, "UnknownStatus", "POST", "orders/O1/status", {"status": "Nowhere"})
    assert await shop.order() == before


@pytest.mark.parametrize(
    ("more", "code"), [({"status": "Queued"}, "OrderQueued"), ({"isReadOnly": True}, "OrderReadOnly")]
)
async def test_78_an_order_that_cannot_be_changed(shop: Shop, more: dict[str, object], code: str) -> None:
    body = order("O1", released("S1", line("L1", 1)), **more)
    await shop.ok("POST", "orders/bulk?mode=import", [body])
    await shop.refused(400, code, "POST", "orders/O1/status", {"status": "Step"})


async def test_80_workflow_is_off(shop: Shop) -> None:
    await shop.types(Online={"New": [], "Ship": [STEP], "disable_workflow": True})
    await shop.given()
    done = await shop.run("Ship")
    assert (done["order"]["status"], done["orderActionExecutionResults"]) == ("Ship", [])
    assert await shop.transactions() == []


async def test_81_an_inactive_step(shop: Shop) -> None:
    await shop.workflow(Step=[{"name": STEP, "active": False}])
    await shop.given()
    assert (await shop.run())["orderActionExecutionResults"] == []


async def test_82_an_unknown_step(shop: Shop) -> None:
    await shop.workflow(Step=["NoSuchStep", STEP])
    await shop.given(shipment("S1", line("L1", 1), status="Released"))
    done = await shop.run()
    assert results(done) == [("NoSuchStep", "Error"), (STEP, "Success")]


async def test_a_step_of_a_later_tier_is_a_warning(shop: Shop) -> None:
    await shop.workflow(Step=["SplitAllLineItems", STEP])
    await shop.given()
    assert results(await shop.run()) == [("SplitAllLineItems", "Warning"), (STEP, "Success")]
