from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from onhand.core.orders import entities, statuses
from onhand.core.orders.configuration import OrderType, Workflows, by_name
from onhand.core.orders.lines import read_order
from onhand.core.orders.model import Order
from onhand.core.orders.refusals import Code, Refused
from onhand.core.orders.requests import ShipmentInfo
from onhand.core.orders.statuses import Entered, WarehouseChange

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def kind(*its_statuses, **more):
    found = entities.read(
        OrderType,
        {
            "name": "Online",
            "orderStatuses": [
                {"name": one, "order": number, "workflowSteps": []}
                if isinstance(one, str)
                else {"order": number, "workflowSteps": [], **one}
                for number, one in enumerate(its_statuses)
            ],
            **more,
        },
    )
    assert isinstance(found, OrderType)
    return found


def order(*shipments, **more):
    found = read_order(
        {
            "id": "O1",
            "marketId": "NO",
            "storeId": "ST1",
            "orderType": "Online",
            "orderForm": {"shipments": [{"lineItems": [{"lineItemId": "L"}], **one} for one in shipments]},
            **more,
        }
    )
    assert isinstance(found, Order)
    return found


def enter(an_order, order_type, status, **more):
    found = statuses.enter(an_order, order_type, status, NOW, **more)
    assert isinstance(found, Entered), found
    return found


def refused(an_order, order_type, status, **more):
    found = statuses.enter(an_order, order_type, status, NOW, **more)
    assert isinstance(found, Refused)
    return found


ONLINE = kind("New", "InProgress", {"name": "Ship", "shipmentStatusUpdate": "Released"}, "Completed")


def test_an_order_enters_a_status_with_its_shipments():
    found = enter(
        order({"shipmentId": "S1", "orderStatus": "New"}, {"shipmentId": "S2"}, status="New"),
        ONLINE,
        " ship ",
    )
    assert found.order.status == "Ship"
    assert found.previous == "New"
    assert [one.order_status for one in found.order.shipments] == ["Ship", "Ship"]
    assert [one.prev_status for one in found.order.shipments] == ["New", None]
    assert [one.status for one in found.order.shipments] == ["Released", "Released"]


def test_a_shipment_that_is_further_along_keeps_its_status():
    found = enter(
        order({"shipmentId": "S1", "orderStatus": "Completed"}, {"shipmentId": "S2"}), ONLINE, "Ship"
    )
    assert [one.order_status for one in found.order.shipments] == ["Completed", "Ship"]
    assert [one.status for one in found.order.shipments] == ["Released", "Released"]


def test_a_shipment_level_update_touches_that_shipment_only():
    before = order({"shipmentId": "S1"}, {"shipmentId": "S2"}, status="New")
    found = enter(before, ONLINE, "Ship", info=ShipmentInfo(shipment_id="S2"))
    first, second = found.order.shipments
    assert first == before.shipments[0]
    assert (second.order_status, second.status) == ("Ship", "Released")
    assert (found.order.status, found.shipment_id, found.previous) == ("New", "S2", "New")


def test_the_order_follows_when_all_shipments_have_the_same_status():
    before = order(
        {"shipmentId": "S1", "orderStatus": "Completed"}, {"shipmentId": "S2"}, status="PartiallyShipped"
    )
    found = enter(before, ONLINE, "Completed", info=ShipmentInfo(shipment_id="S2"))
    assert found.order.status == "Completed"


def test_the_main_status_is_what_the_order_gets():
    main = kind("New", {"name": "Packed", "mainOrderStatus": "InProgress"}, "InProgress")
    assert (
        enter(order({"shipmentId": "S1"}), main, "Packed", info=ShipmentInfo(shipment_id="S1")).order.status
        == "InProgress"
    )


def test_a_derived_status_is_the_main_status_of_the_furthest_shipment():
    steps = (
        "New",
        {"name": "Pack", "mainOrderStatus": "InProgress"},
        {"name": "Send", "mainOrderStatus": "PartiallyShipped"},
    )
    before = order(
        {"shipmentId": "S1", "orderStatus": "New"}, {"shipmentId": "S2", "orderStatus": "Pack"}, status="New"
    )
    plain = enter(before, kind(*steps), "Send", info=ShipmentInfo(shipment_id="S2"))
    assert plain.order.status == "New"
    derived = enter(
        before, kind(*steps, deriveOrderStatusFromShipments=True), "Send", info=ShipmentInfo(shipment_id="S2")
    )
    assert derived.order.status == "PartiallyShipped"


def test_shipments_without_lines_do_not_hold_the_order_back():
    before = order({"shipmentId": "S1"}, {"shipmentId": "S2", "lineItems": []}, status="New")
    assert enter(before, ONLINE, "Ship", info=ShipmentInfo(shipment_id="S1")).order.status == "Ship"


def test_the_log_has_each_status_once_with_the_time_since_the_one_before():
    def entered(an_order, status, later):
        found = statuses.enter(an_order, ONLINE, status, NOW + timedelta(seconds=later), log=True)
        assert isinstance(found, Entered)
        return found.order

    found = order({"shipmentId": "S1"})
    for later, status in enumerate(("New", "Ship", "New", "Ship")):
        found = entered(found, status, later)
    log = found.shipments[0].order_status_log
    assert [(one.status, one.duration_since_previous_ms) for one in log] == [("New", None), ("Ship", 1000)]


def test_to_enter_the_same_status_again_keeps_what_was_before():
    found = enter(
        order({"shipmentId": "S1", "orderStatus": "Ship", "prevStatus": "New"}, status="Ship"), ONLINE, "SHIP"
    )
    assert (found.order.shipments[0].order_status, found.order.shipments[0].prev_status) == ("Ship", "New")


def test_the_policy_of_available_statuses_holds_only_when_it_is_enforced():
    policy = {"name": "New", "availableSteps": ["ship"], "enforceAvailableStepsPolicy": True}
    strict, loose = (
        kind(policy, "Ship", "Completed"),
        kind({**policy, "enforceAvailableStepsPolicy": False}, "Completed"),
    )
    new = order({"shipmentId": "S1"}, status="New")
    assert enter(new, strict, "Ship").order.status == "Ship"
    assert enter(new, strict, "New").order.status == "New"
    found = refused(new, strict, "Completed")
    assert found.code is Code.STATUS_NOT_AVAILABLE
    assert "ship" in found.message
    assert enter(new, strict, "Completed", enforced=False).order.status == "Completed"
    assert enter(new, loose, "Completed").order.status == "Completed"


def test_the_policy_looks_at_the_status_of_the_shipment_in_a_shipment_level_update():
    strict = kind(
        "New",
        {"name": "Ship", "availableSteps": ["Completed"], "enforceAvailableStepsPolicy": True},
        "Completed",
    )
    before = order({"shipmentId": "S1", "orderStatus": "Ship"}, {"shipmentId": "S2"}, status="New")
    assert (
        refused(before, strict, "New", info=ShipmentInfo(shipment_id="S1")).code is Code.STATUS_NOT_AVAILABLE
    )
    enter(before, strict, "Completed", info=ShipmentInfo(shipment_id="S1"))


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ("Gone", Code.UNKNOWN_STATUS, "It has: New, InProgress, Ship, Completed"),
        (" ", Code.VALIDATION_FAILED, "status is required"),
    ],
)
def test_an_unknown_or_missing_status_is_refused(status, code, message):
    found = refused(order(), ONLINE, status)
    assert found.code is code
    assert message in found.message


def test_an_unknown_shipment_is_refused():
    assert (
        "no shipment 'S9'"
        in refused(order({"shipmentId": "S1"}), ONLINE, "Ship", info=ShipmentInfo(shipment_id="S9")).message
    )


def test_the_info_is_kept_with_its_shipment_and_a_new_warehouse_is_told():
    info = entities.read(
        ShipmentInfo,
        {
            "shipmentId": "S1",
            "warehouseCode": "ST1",
            "trackingNumber": "T",
            "comment": None,
            "shipmentMethodName": "Post",
            "properties": [{"key": "A", "value": "2"}],
        },
    )
    assert isinstance(info, ShipmentInfo)
    before = order({"shipmentId": "S1", "warehouseCode": "WH1", "properties": [{"key": "a"}, {"key": "b"}]})
    found = enter(before, ONLINE, "Ship", info=info)
    shipment = found.order.shipments[0]
    assert (shipment.warehouse_code, shipment.shipping_method_name) == ("ST1", "Post")
    assert shipment.extra == {"trackingNumber": "T"}
    assert [one.key for one in shipment.properties] == ["b", "A"]
    assert found.changes == (WarehouseChange("S1", "WH1", "ST1"),)


def test_info_without_a_shipment_id_belongs_to_the_only_shipment():
    info = entities.read(ShipmentInfo, {"trackingNumber": "T"})
    assert isinstance(info, ShipmentInfo)
    assert enter(order({"shipmentId": "S1"}), ONLINE, "Ship", info=info).order.shipments[0].extra == {
        "trackingNumber": "T"
    }
    assert (
        "names no shipmentId"
        in refused(order({"shipmentId": "S1"}, {"shipmentId": "S2"}), ONLINE, "Ship", info=info).message
    )
    enter(order({"shipmentId": "S1"}, {"shipmentId": "S2"}), ONLINE, "Ship", info=ShipmentInfo())


def test_an_order_that_is_taken_in_or_read_only_is_not_changed():
    queued, read_only = statuses.writable(order(status="queued ")), statuses.writable(order(isReadOnly=True))
    assert queued is not None
    assert queued.code is Code.ORDER_QUEUED
    assert read_only is not None
    assert read_only.code is Code.ORDER_READ_ONLY
    assert statuses.writable(order(status="New")) is None


def test_an_order_type_is_found_by_name_and_the_default_one_without():
    workflows = Workflows(order_types=by_name((ONLINE, kind(name="Pos", defaultOrderType=True))))
    found = statuses.resolve(workflows, "ONLINE")
    assert isinstance(found, OrderType)
    assert found.name == "Online"
    default = statuses.resolve(workflows, None)
    assert isinstance(default, OrderType)
    assert default.name == "Pos"
    unknown = statuses.resolve(workflows, "PreOrder")
    assert isinstance(unknown, Refused)
    assert unknown.code is Code.UNKNOWN_ORDER_TYPE
    assert "Online, Pos" in unknown.message
    none = statuses.resolve(Workflows(), "")
    assert isinstance(none, Refused)
    assert "Known: none" in none.message


def test_an_order_gets_the_order_type_whose_status_it_enters():
    assert enter(order(orderType=""), ONLINE, "New").order.order_type == "Online"
    assert enter(order(orderType="ONLINE"), ONLINE, "New").order.order_type == "ONLINE"


def test_an_order_is_open_until_its_status_says_otherwise():
    flagged = kind(
        "New", {"name": "Done", "isDeliveredStatus": True}, {"name": "Off", "isCanceledStatus": True}
    )
    opened = {
        status: statuses.is_open(order(status=status), flagged)
        for status in ("new", "Done", "OFF ", "Unknown", "Deleted")
    }
    assert opened == {"new": True, "Done": False, "OFF ": False, "Unknown": True, "Deleted": False}
    assert statuses.is_open(order(status="Done"), None)


def test_a_shipment_is_completed_when_it_says_so_or_is_shipped():
    shipment = order({"shipmentId": "S1"}).shipments[0]
    assert not statuses.is_completed(shipment)
    assert statuses.is_completed(msgspec.structs.replace(shipment, status=" shipped"))
    assert statuses.is_completed(msgspec.structs.replace(shipment, completed=NOW))
    assert statuses.is_released(msgspec.structs.replace(shipment, status="released"))
    assert not statuses.is_released(msgspec.structs.replace(shipment, status="Shipped"))
