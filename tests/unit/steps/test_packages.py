"""Packages and bundles are broken down into lines of their components (A31)."""

from __future__ import annotations

import pytest

from onhand.core.orders.model import Component
from onhand.steps.contract import Result, Status
from tests.unit.steps.shelf import D, Shelf, line, order, shipment

KEY = "ProductPackageBreakDown"
PARTS = (Component(sku_id="B", quantity=D(2)), Component(product_id="C", quantity=D("0.5")))


def package(key="P1", quantity=3, components=PARTS, **given):
    return line(key, "SET", quantity, is_package_product=True, components=components, **given)


def seen(lines):
    return [(one.line_item_id, one.code, one.quantity, one.canceled_quantity) for one in lines]


def test_components_become_lines_and_the_parent_is_marked():
    shelf = Shelf(order(shipment(package(canceled_quantity=1), line("L2"))))
    result = shelf.run(KEY)
    assert (result.status, result.message) == (Status.SUCCESS, "packages: 1")
    lines = shelf.order.shipments[0].line_items
    assert seen(lines) == [
        ("P1", "SET", 3, 1),
        ("P1-1", "B", 6, 2),
        ("P1-2", "C", D("1.5"), D("0.5")),
        ("L2", "A", 1, 0),
    ]
    assert lines[0].is_package_broke_down
    assert {(one.package_line_item_id, one.package_sku_id) for one in lines[1:3]} == {("P1", "SET")}


def test_a_second_run_changes_nothing():
    shelf = Shelf(order(shipment(package())))
    shelf.run(KEY)
    assert isinstance(shelf.plan(shelf.facts(KEY)), Result)


def test_what_moves_afterwards_are_the_components():
    shelf = Shelf(order(shipment(package())), B=(10, 0), C=(10, 0))
    shelf.run(KEY)
    shelf.run("IncreaseReservedInventory")
    shelf.run("ReduceInventoryOnlyOnReservedOrderLines")
    assert (shelf.counts("SET"), shelf.counts("B"), shelf.counts("C")) == ((0, 0), (4, 0), (D("8.5"), 0))


def test_the_parts_of_a_line_in_two_shipments_keep_one_id():
    shelf = Shelf(order(shipment(package()), shipment(package(quantity=1), key="S2")))
    shelf.run(KEY)
    assert [seen(one.line_items)[1][:3] for one in shelf.order.shipments] == [
        ("P1-1", "B", 6),
        ("P1-1", "B", 2),
    ]


def test_ids_that_are_taken_are_left_alone():
    shelf = Shelf(order(shipment(package(), line("P1-1")), unassigned=(line("P1-2"),)))
    shelf.run(KEY)
    ids = [one.line_item_id for one in shelf.order.shipments[0].line_items]
    assert ids == ["P1", "P1-1-2", "P1-2-2", "P1-1"]


def test_lines_in_no_shipment_are_broken_down_in_a_run_of_the_order():
    of = order(shipment(line()), unassigned=(package(),))
    shelf = Shelf(of)
    shelf.run(KEY, shipment_id="S1")
    assert shelf.order == of
    shelf.run(KEY)
    assert len(shelf.order.order_form.unassigned) == 3


@pytest.mark.parametrize(
    "component",
    [
        Component(quantity=D(1)),
        Component(sku_id=" ", quantity=D(1)),
        Component(sku_id="B", quantity=D(-1)),
        Component(sku_id="B", quantity=D("0.000001")),
        Component(sku_id="B", quantity=D("900000000000")),
    ],
    ids=["no-sku", "blank-sku", "negative", "too-precise", "too-large"],
)
def test_a_component_that_cannot_be_a_line_is_an_error_and_changes_nothing(component):
    of = order(shipment(package(quantity="333333.5", components=(component,))))
    shelf = Shelf(of)
    result = shelf.run(KEY)
    assert (result.status, result.error_key) == (Status.ERROR, "InvalidComponent")
    assert shelf.order == of


def test_a_component_of_quantity_zero_becomes_no_line():
    shelf = Shelf(order(shipment(package(components=(Component(sku_id="B"),)))))
    shelf.run(KEY)
    assert len(shelf.order.shipments[0].line_items) == 1


def test_no_packages():
    assert Shelf(order(shipment(line()))).run(KEY).message == "no packages"
