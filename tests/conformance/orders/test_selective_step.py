"""Order specification 11.1 to 11.3: the selective reduce step, its quantities, virtual lines and warehouses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from onhand.core.orders.configuration import Warehouse
from tests.conformance.orders.conftest import (
    STEP,
    Shop,
    inventory_settings,
    only,
    properties,
    released,
    results,
)
from tests.e2e.orders.order_calls import line, shipment

RESERVE = {"name": "IncreaseReservedInventory", "properties": properties(onlyReservedLines="true")}
FIVE = ("A", "B", "C", "D", "E")


async def five_lines(shop: Shop) -> None:
    """Scenario 1: A, B and C are reserved for the order, D and E by others."""
    await shop.workflow(New=["IncreaseReservedInventory"], Step=[STEP, "SetAllOrderLinesToReserved"])
    await shop.given(released("S1", *(line(f"L{code}", 1, code) for code in "ABC")))
    await shop.ok("POST", "orders/O1/order-lines", [line(f"L{code}", 1, code) for code in "DE"])
    for code in "DE":
        await shop.reserved_by_others(code, 4)


async def test_1_mixed_reservation(shop: Shop) -> None:
    await five_lines(shop)
    assert await shop.both(*FIVE) == {
        **dict.fromkeys("ABC", (10, 1)),
        **dict.fromkeys("DE", (10, 4)),
    }
    done = await shop.run()
    assert await shop.both(*FIVE) == {**dict.fromkeys("ABC", (9, 0)), **dict.fromkeys("DE", (9, 4))}
    assert len(await shop.transactions()) == 5
    assert results(done) == [(STEP, "Success"), ("SetAllOrderLinesToReserved", "Success")]
    await shop.audit()


async def test_1_with_flags_that_came_with_an_import(shop: Shop) -> None:
    for code in "ABC":
        await shop.counter(code, 1)
    for code in "DE":
        await shop.reserved_by_others(code, 4)
    flagged = [
        line(f"L{code}", 1, code, reservedInventory=True, reservedInventoryQuantity=1) for code in "ABC"
    ]
    await shop.given(released("S1", *flagged, *(line(f"L{code}", 1, code) for code in "DE")))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.both(*FIVE) == {**dict.fromkeys("ABC", (9, 0)), **dict.fromkeys("DE", (9, 4))}


async def test_3_a_sale_of_a_till(shop: Shop) -> None:
    await shop.types(
        Online={"New": []}, Pos={"Completed": {"steps": [STEP], "shipment_status_update": "Released"}}
    )
    await shop.reserved_by_others("A", 4)
    body = {
        "id": "P1",
        "orderNumber": "77",
        "marketId": "NO",
        "storeId": "ST1",
        "orderForm": {"shipments": [released("S1", line("L1", 2))]},
    }
    made = await shop.ok("POST", "orders/pos", body)
    assert (made["orderType"], made["status"]) == ("Pos", "Completed")
    assert await shop.levels() == (8, 4)


async def test_4_goods_received_without_a_reservation(shop: Shop) -> None:
    await shop.stock(5, "F")
    await shop.given(released("S1", line("L1", 5, "F")))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.levels("F") == (0, 0)


async def test_5_a_second_run(shop: Shop) -> None:
    await five_lines(shop)
    await shop.run()
    await shop.workflow(Step=[{"name": STEP, "stopOnError": True}, "CompleteShipment"])
    done = await shop.run()
    assert results(done) == [(STEP, "Warning"), ("CompleteShipment", "Success")]
    first = done["orderActionExecutionResults"][0]
    assert "already reduced" in first["message"]
    assert not first.get("cancelWorkflow")
    assert len(await shop.transactions()) == 5
    assert await shop.both(*FIVE) == {**dict.fromkeys("ABC", (9, 0)), **dict.fromkeys("DE", (9, 4))}


async def test_6_a_shipment_that_waits_for_inventory(shop: Shop) -> None:
    await shop.given(shipment("S1", line("L1", 1), status="AwaitingInventory"))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.transactions() == []


async def test_7_an_order_without_shipments(shop: Shop) -> None:
    made = {
        "id": "O1",
        "orderType": "Online",
        "marketId": "NO",
        "storeId": "ST1",
        "orderForm": {"lineItems": [line()]},
    }
    await shop.ok("POST", "orders", made)
    assert only(await shop.run())["actionStatus"] == "Success"


async def test_8_a_shipment_that_has_left(shop: Shop) -> None:
    await shop.given(shipment("S1", line("L1", 1), status="Shipped"))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.levels() == (10, 0)


async def test_9_a_status_in_lower_case(shop: Shop) -> None:
    await shop.given(shipment("S1", line("L1", 1), status="released"))
    await shop.run()
    assert await shop.levels() == (9, 0)


# 11.2 Quantities and reservations ----------------------------------------------------------------------------


async def test_10_cancelled_units_stay(shop: Shop) -> None:
    await shop.workflow(New=["IncreaseReservedInventory"], Step=[STEP])
    await shop.given(released("S1", line("L1", 10, canceledQuantity=2)))
    assert await shop.levels() == (10, 8)
    await shop.run()
    assert await shop.levels() == (2, 0)
    (one,) = await shop.transactions()
    assert (one["inventoryChange"], one["reservedInventoryChange"]) == (-8, -8)


async def test_11_everything_cancelled(shop: Shop) -> None:
    await shop.given(released("S1", line("L1", 3, canceledQuantity=3)))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert (await shop.levels(), await shop.transactions()) == ((10, 0), [])


async def test_12_more_cancelled_than_ordered(shop: Shop) -> None:
    await shop.given(released("S1", line("L1", 2, canceledQuantity=5)))
    await shop.run()
    assert (await shop.levels(), await shop.transactions()) == ((10, 0), [])
    assert any("InvalidCanceledQuantity" in name for name in await shop.event_names())


async def test_15_the_counter_drifted(shop: Shop) -> None:
    await shop.counter("A", 1)
    await shop.given(released("S1", line("L1", 3, reservedInventory=True, reservedInventoryQuantity=3)))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.levels() == (7, 0)
    (one,) = await shop.transactions()
    assert one["reservedInventoryChange"] == -1
    assert "ReservedUnderflow" in await shop.event_names()


async def test_16_less_stock_than_leaves(shop: Shop) -> None:
    await shop.stock(2, "F")
    await shop.given(released("S1", line("L1", 5, "F")))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.levels("F") == (-3, 0)
    assert "NegativeInventory" in await shop.event_names()


async def test_17_an_item_that_was_never_stored(shop: Shop) -> None:
    await shop.given(released("S1", line("L1", 4, "F")))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.levels("F") == (-4, 0)
    (one,) = await shop.transactions()
    assert one["newInventory"] == -4
    assert "InventoryItemCreated" in await shop.event_names()


async def test_18_fractions_are_exact(shop: Shop) -> None:
    await shop.workflow(New=["IncreaseReservedInventory"], Step=[STEP])
    await shop.given(released("S1", line("L1", 1.25)))
    assert await shop.levels() == (10, Decimal("1.25"))
    await shop.run()
    assert await shop.levels() == (Decimal("8.75"), 0)


async def test_22_a_forced_flag_steals_nothing(shop: Shop) -> None:
    await shop.workflow(New=["SetAllOrderLinesToReserved"], Step=[STEP])
    await shop.reserved_by_others("A", 5)
    await shop.given(released("S1", line("L1", 2)))
    assert (await shop.line())["reservedInventoryQuantity"] == 2
    await shop.run()
    assert await shop.levels() == (8, 5)


# 11.3 Virtual, packages, warehouses --------------------------------------------------------------------------


async def test_23_a_virtual_line(shop: Shop) -> None:
    await shop.given(released("S1", line("L1", 1, "GIFT", isVirtualProduct=True, cost=7), line("L2", 1)))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert [one["lineItemId"] for one in await shop.transactions()] == ["L2"]
    assert (await shop.line("L1"))["cost"] == 7


async def test_24_only_virtual_lines(shop: Shop) -> None:
    await shop.given(released("S1", line("L1", 1, isVirtualProduct=True)))
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.transactions() == []


async def test_26_a_package_that_was_not_broken_down(shop: Shop) -> None:
    package = line("L1", 1, isPackageProduct=True, components=[{"skuId": "B", "quantity": 2}])
    await shop.given(released("S1", package))
    done = only(await shop.run())
    assert (done["actionStatus"], "PackageNotBrokenDown" in done["message"]) == ("Warning", True)
    assert await shop.both("A", "B") == {"A": (10, 0), "B": (10, 0)}


async def test_28_a_shipment_without_a_warehouse(shop: Shop) -> None:
    nowhere = {"shipmentId": "S1", "status": "Released", "lineItems": [line("L1", 1)]}
    await shop.workflow(Step=[{"name": STEP, "stopOnError": True}, "CompleteShipment"])
    await shop.given(nowhere)
    done = await shop.run()
    assert (results(done), done["isAborted"]) == ([(STEP, "Error")], True)
    assert len((await shop.order())["errors"]) == 1
    assert await shop.transactions() == []
    await shop.workflow(Step=[STEP, "CompleteShipment"])
    await shop.given(nowhere, order_id="O2")
    done = await shop.run(order_id="O2")
    assert (results(done)[0], len(results(done)), done["isAborted"]) == ((STEP, "Error"), 2, False)


async def test_29_a_till_without_a_warehouse(shop: Shop) -> None:
    await shop.types(Online={"New": []}, Pos={"New": [], "Step": [STEP]})
    await shop.stock(5, "A", "ST1")
    nowhere = {"shipmentId": "S1", "status": "Released", "lineItems": [line("L1", 1)]}
    await shop.given(nowhere, orderType="Pos")
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.levels("A", "ST1") == (4, 0)


async def test_30_two_warehouses(shop: Shop) -> None:
    await shop.stock(10, "A", "WH2")
    await shop.given(released("S1", line("L1", 1)), released("S2", line("L2", 1), warehouseCode="WH2"))
    await shop.run()
    assert (await shop.levels(), await shop.levels("A", "WH2")) == ((9, 0), (9, 0))


async def test_the_erp_moves_the_physical_quantity(shop: Shop) -> None:
    """Decisions 20: where the ERP owns the quantity, the step offsets and records, but moves no goods."""
    await shop.workflow(New=["IncreaseReservedInventory"], Step=[STEP])
    saved = await shop.send("PUT", "erp/parameters", {"warehouseOwners": {"wh1": "erp"}})
    assert saved.status_code == 200, saved.text
    await shop.given(released("S1", line("L1", 3)))
    assert await shop.levels() == (10, 3)
    assert only(await shop.run())["actionStatus"] == "Success"
    assert await shop.levels() == (10, 0)
    (one,) = [
        row
        for row in await shop.transactions(reductions=False)
        if row.get("shipmentId") and row["transactionType"].startswith("Reduce")
    ]
    assert (one.get("inventoryChange", 0), one["reservedInventoryChange"]) == (0, -3)
    await shop.audit()


@pytest.mark.parametrize(
    ("word", "erp_parameters", "default", "owner"),
    [
        ("erp", {}, "workflow", "erp"),
        ("workflow", {"physicalOwner": "erp"}, "workflow", "workflow"),
        ("workflow", {"warehouseOwners": {"WH1": "erp"}}, "erp", "workflow"),
        (None, {"physicalOwner": "erp"}, "workflow", "erp"),
        (None, {"warehouseOwners": {"wh1": "workflow"}}, "erp", "workflow"),
        (None, {}, "erp", "erp"),
        (None, {}, "workflow", "workflow"),
    ],
)
async def test_both_sides_go_by_one_owner_wherever_it_is_said(
    shop: Shop, word: str | None, erp_parameters: dict[str, Any], default: str, owner: str
) -> None:
    """Decisions 20: exactly one of the two takes the goods off the shelf."""
    await shop.workflow(New=["IncreaseReservedInventory"], Step=[STEP])
    await shop.configure(
        warehouses=(Warehouse(code="WH1", site_id="1", owner=word),),
        inventory=inventory_settings(default_physical_owner=default),
    )
    saved = await shop.send("PUT", "erp/parameters", erp_parameters)
    assert saved.status_code == 200, saved.text
    await shop.given(released("S1", line("L1", 3)))
    await shop.run()
    taken_by_workflow = await shop.levels() == (7, 0)
    told = await shop.tenant.native(
        "PUT",
        "erp/lines/L1",
        {
            "organizationId": "org",
            "productId": "A",
            "dimensions": {"siteId": "1", "locationId": "WH1"},
            "quantity": 3,
            "status": "deducted",
        },
    )
    assert told.status_code == 200, told.text
    changes = [change for event in told.json()["pending"] for change in event["changes"]]
    taken_by_erp = any("fno.physicalinvent" in change["quantities"] for change in changes)
    assert (taken_by_workflow, taken_by_erp) == (owner == "workflow", owner == "erp")
