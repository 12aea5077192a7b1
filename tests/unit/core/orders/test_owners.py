"""Who moves the physical quantity of a warehouse, whoever says it."""

from __future__ import annotations

import pytest

from onhand.core.erp.parameters import Parameters
from onhand.core.orders.configuration import InventorySettings, Warehouse, Workflows, by_name
from onhand.core.orders.owners import contradictions, owned


def workflows(*warehouses: Warehouse, **settings: str) -> Workflows:
    return Workflows(warehouses=by_name(warehouses), inventory=InventorySettings(**settings))


def test_a_warehouse_is_known_by_the_location_of_its_stock():
    there = workflows(
        Warehouse(code="OSLO", location_id="11", owner="ERP"), Warehouse(code="12", owner="erp ")
    )
    found = owned(Parameters(), there)
    assert [found.owner(name) for name in ("11", "12", "oslo")] == ["erp", "erp", "workflow"]


@pytest.mark.parametrize("order", [1, -1])
def test_of_warehouses_that_share_a_location_and_disagree_the_erp_has_it(order):
    two = [
        Warehouse(code="A", location_id="11", owner="erp"),
        Warehouse(code="B", location_id="11", owner="workflow"),
    ]
    there = workflows(*two[::order])
    assert owned(Parameters(), there).owner("11") == "erp"
    (found,) = contradictions(Parameters(), there)
    assert (found.path, found.severity, "'B'" in found.message) == ("warehouseOwners.11", "warning", True)


def test_words_of_the_parameters_that_do_not_count_are_said():
    there = workflows(
        Warehouse(code="W1", owner="workflow"), Warehouse(code="W2"), default_physical_owner="erp"
    )
    parameters = Parameters(warehouse_owners={"w1": "erp", "W2": "workflow", "W3": "workflow"})
    assert [one.path for one in contradictions(parameters, there)] == ["warehouseOwners.w1", "physicalOwner"]
    found = owned(parameters, there)
    assert [found.owner(name) for name in ("W1", "W2", "W3", "W4")] == [
        "workflow",
        "workflow",
        "workflow",
        "erp",
    ]


def test_without_warehouses_the_parameters_stay_as_they_are():
    parameters = Parameters(physical_owner="erp", warehouse_owners={"11": "workflow"})
    assert owned(parameters, workflows()) is parameters
    assert list(contradictions(parameters, workflows())) == []
