from __future__ import annotations

from dataclasses import dataclass

import pytest

from onhand.core.orders import entities, lint
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderType,
    Warehouse,
    WorkflowGroup,
    Workflows,
    by_name,
    folded,
)

EVERYWHERE = ()


@dataclass(frozen=True)
class Setting:
    name: str
    type: str = "String"
    required: bool = False


@dataclass(frozen=True)
class Known:
    key: str
    applicable_statuses: tuple[str, ...] = EVERYWHERE
    properties: tuple[Setting, ...] = ()
    implemented: bool = True


CATALOGUE = {
    folded(one.key): one
    for one in (
        Known("IncreaseReservedInventory", ("New",), (Setting("onlyReservedLines", "Boolean"),)),
        Known("ReduceInventory", ("Ship", "Completed")),
        Known("ReduceInventoryAndReservedInventory", ("Ship", "Completed")),
        Known("ReduceInventoryOnlyOnReservedOrderLines", ("Ship", "Completed")),
        Known("RecalculateReservedInventory"),
        Known("SetAllOrderLinesToReserved", ("New",)),
        Known("UpdateShipmentStatus", EVERYWHERE, (Setting("shipmentStatus", required=True),)),
        Known("ChangeStatus", EVERYWHERE, (Setting("orderStatus", required=True), Setting("orderType"))),
        Known(
            "SetUpdateStatusDate",
            EVERYWHERE,
            (Setting("TimeSpan", "TimeSpan", required=True), Setting("Status")),
        ),
        Known(
            "Typed", EVERYWHERE, (Setting("at", "DateTime"), Setting("n", "Integer"), Setting("j", "Json"))
        ),
        Known("MarkOrderLinesForCrossDock", implemented=False),
    )
}


def step(name, *properties, **more):
    return {"name": name, "properties": [{"key": key, "value": value} for key, value in properties], **more}


def status(name, *steps, order=0, **more):
    return {"name": name, "order": order, "workflowSteps": list(steps), **more}


def check(*statuses, workflows=None):
    found = entities.read(OrderType, {"name": "Online", "orderStatuses": list(statuses)})
    assert isinstance(found, OrderType), found
    return lint.check_order_type(found, CATALOGUE, workflows or Workflows())


def rules(*statuses, workflows=None):
    return [one.rule for one in check(*statuses, workflows=workflows)]


RELEASE = step("UpdateShipmentStatus", ("shipmentStatus", "Released"))


def test_a_good_workflow_has_no_findings():
    assert (
        check(
            status("New", step("increasereservedinventory")),
            status("Ship", RELEASE, step("ReduceInventoryOnlyOnReservedOrderLines"), order=1),
            status("Completed", order=2, isDeliveredStatus=True),
            status("OrderCanceled", order=3, isCanceledStatus=True),
        )
        == []
    )


@pytest.mark.parametrize(
    ("statuses", "rule", "path"),
    [
        ([status("New", step("Nonsense"))], "UnknownStep", "orderStatuses[0].workflowSteps[0].name"),
        (
            [status("New", step("Nonsense", active=False))],
            "UnknownStep",
            "orderStatuses[0].workflowSteps[0].name",
        ),
        (
            [status("New", step("x", groupId="G9"))],
            "UnknownGroup",
            "orderStatuses[0].workflowSteps[0].groupId",
        ),
        ([status("New"), status(" new")], "DuplicateStatus", "orderStatuses[1].name"),
        (
            [status("New", step("RecalculateReservedInventory", workflowStepConditions=[{"type": "Maybe"}]))],
            "UnknownCondition",
            "orderStatuses[0].workflowSteps[0].workflowStepConditions[0].type",
        ),
    ],
)
def test_what_is_refused(statuses, rule, path):
    found = check(*statuses)
    assert [(one.rule, one.path, one.severity) for one in found] == [(rule, path, "error")]


def test_a_step_outside_of_its_statuses_warns():
    (found,) = check(status("Returned", step("IncreaseReservedInventory")))
    assert (found.rule, found.severity) == ("OutsideApplicableStatuses", "warning")
    assert rules(status("Returned", step("IncreaseReservedInventory", active=False))) == []


@pytest.mark.parametrize(
    ("steps", "more", "warned"),
    [
        ([step("ReduceInventory")], {}, True),
        ([step("ReduceInventory")], {"shipmentStatusUpdate": "released "}, False),
        ([RELEASE, step("ReduceInventory")], {}, False),
        ([step("ReduceInventory"), RELEASE], {}, True),
        ([{**RELEASE, "active": False}, step("ReduceInventory")], {}, True),
        ([step("UpdateShipmentStatus", ("shipmentStatus", "Packing")), step("ReduceInventory")], {}, True),
    ],
)
def test_a_reduction_without_a_release_warns(steps, more, warned):
    assert ("ReduceWithoutRelease" in rules(status("Ship", *steps, **more))) is warned


def test_two_reductions_in_one_order_type_warn():
    found = check(
        status(
            "Completed",
            step("ReduceInventory"),
            order=2,
            shipmentStatusUpdate="Released",
            isDeliveredStatus=True,
        ),
        status("Ship", step("ReduceInventoryAndReservedInventory"), order=1, shipmentStatusUpdate="Released"),
    )
    assert [(one.rule, one.path) for one in found] == [
        ("SeveralReductions", "orderStatuses[0].workflowSteps[0]")
    ]


def test_a_reservation_on_creation_and_by_a_step_warns():
    inventory = InventorySettings(is_inventory_reservation_triggered_on_order_creation=True)
    new = status("New", step("IncreaseReservedInventory"))
    assert rules(new, workflows=Workflows(inventory=inventory)) == ["ReservedTwice"]
    assert rules(new) == []


def test_a_recalculation_before_the_save_warns():
    assert rules(status("New", step("RecalculateReservedInventory"))) == ["RecalculateBeforeSave"]
    assert rules(status("New", step("RecalculateReservedInventory", runAfterOrderIsSaved=True))) == []


def test_forced_flags_before_the_selective_reduction_warn():
    force, reduce = step("SetAllOrderLinesToReserved"), step("ReduceInventoryOnlyOnReservedOrderLines")
    new, ship = status("New", force), status("Ship", reduce, order=1, shipmentStatusUpdate="Released")
    assert rules(ship, new) == ["ForcedThenReduced"]
    assert rules(status("Ship", reduce, shipmentStatusUpdate="Released"), status("New", force, order=1)) == []


@pytest.mark.parametrize("name", ["Completed", "pickedup", "PickedUpAndPaid", "Closed", "Delivered"])
def test_a_status_that_looks_delivered_warns(name):
    assert rules(status(name)) == ["LooksDelivered"]
    assert rules(status(name, isDeliveredStatus=True)) == []


def test_a_status_that_looks_cancelled_warns():
    assert rules(status("OrderCanceledByStore")) == ["LooksCanceled"]
    assert rules(status("PartiallyDelivered")) == []


def test_a_step_that_is_not_implemented_is_saved_with_a_warning():
    assert rules(status("New", step("MarkOrderLinesForCrossDock"))) == ["NotImplemented"]


@pytest.mark.parametrize(
    ("a_step", "rule"),
    [
        (step("UpdateShipmentStatus"), "MissingProperty"),
        (step("UpdateShipmentStatus", ("shipmentstatus", " ")), "MissingProperty"),
        (step("IncreaseReservedInventory", ("onlyReservedLines", "perhaps")), "UnreadableProperty"),
        (step("SetUpdateStatusDate", ("TimeSpan", "soon")), "UnreadableProperty"),
        (step("Typed", ("at", "soon")), "UnreadableProperty"),
        (step("Typed", ("n", "one")), "UnreadableProperty"),
        (step("Typed", ("j", "{")), "UnreadableProperty"),
        (step("IncreaseReservedInventory", ("onlyReserved", "true")), "UnknownProperty"),
        (step("ChangeStatus", ("orderStatus", "Ship")), "UnknownStatus"),
        (step("ChangeStatus", ("orderStatus", "Ship"), ("orderType", "Pos")), None),
        (step("RecalculateReservedInventory", ("mine", "x"), runAfterOrderIsSaved=True), None),
    ],
)
def test_settings_of_a_step_are_checked_against_the_catalogue(a_step, rule):
    assert rules(status("New", a_step)) == ([rule] if rule else [])


def test_statuses_that_lead_nowhere_warn():
    assert rules(status("New", availableSteps=["Ship"], mainOrderStatus="Gone")) == [
        "UnknownStatus",
        "UnknownStatus",
    ]


def group(*steps):
    found = entities.read(WorkflowGroup, {"id": "G1", "steps": list(steps)})
    assert isinstance(found, WorkflowGroup)
    return found


def test_the_steps_of_a_group_count_where_the_group_is_called():
    workflows = Workflows(
        groups=by_name((group(RELEASE, step("ReduceInventory"), step("ReduceInventory", active=False)),))
    )
    call = step("any name", groupId="g1")
    assert rules(status("Ship", call), workflows=workflows) == []
    assert rules(status("Ship", call, step("ReduceInventory")), workflows=workflows) == ["SeveralReductions"]


def test_the_steps_of_a_group_are_checked_by_themselves():
    found = lint.check_steps(
        group(step("Nonsense"), step("x", groupId="G1")).steps,
        "steps",
        CATALOGUE,
        Workflows(groups=by_name((group(),))),
        in_group=True,
    )
    assert [(one.rule, one.path) for one in found] == [
        ("UnknownStep", "steps[0].name"),
        ("NestedGroup", "steps[1].groupId"),
    ]


def test_a_reduction_where_the_erp_owns_the_stock_warns():
    workflows = Workflows(warehouses=by_name((Warehouse(code="WH1", owner="ERP"), Warehouse(code="WH2"))))
    (found,) = check(status("Ship", RELEASE, step("ReduceInventory")), workflows=workflows)
    assert found.rule == "ErpOwnsWarehouse"
    assert "WH1" in found.message
    assert "WH2" not in found.message
    assert rules(status("New", step("IncreaseReservedInventory")), workflows=workflows) == []
