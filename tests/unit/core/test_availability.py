"""The worked examples of specification 3.10.6, and the stand's corners."""

from __future__ import annotations

import pytest

from onhand.core.availability import Limits, Plain, Stand, stand_of
from onhand.core.rules import Switches

DIMENSIONS = ("siteid", "locationid", "colorid", "sizeid")
PLACE = "siteid=1&locationid=11"


def key(node: str) -> str:
    """`red/small`, `red`, `small`, or `` for the place."""
    values = [value for value in node.split("/") if value]
    colors = "".join(f"&colorid={value}" for value in values if value in {"red", "blue"})
    sizes = "".join(f"&sizeid={value}" for value in values if value in {"small", "large"})
    return PLACE + colors + sizes


def stand(net, reserved=()):
    reserved = dict(reserved)
    cells = [(key(node), quantity, reserved.pop(node, 0)) for node, quantity in dict(net).items()]
    return Stand(DIMENSIONS, [*cells, *((key(node), 0, quantity) for node, quantity in reserved.items())])


@pytest.mark.parametrize(
    ("node", "plain", "avail", "plain_after", "avail_after"),
    [("red/small", 10, 6, 4, 0), ("red", 6, 6, 0, 0), ("", 6, 6, 0, 0)],
)
def test_example_1_nested(node, plain, avail, plain_after, avail_after):
    one = stand({"red/small": 10}, {"red": 4})
    assert (one.afr(key(node)), one.available(key(node))) == (plain, avail)
    one.reserve(key("red/small"), 6)
    assert (one.afr(key(node)), one.available(key(node))) == (plain_after, avail_after)


def test_example_1_shortage_is_at_red():
    shortage = stand({"red/small": 10}, {"red": 4}).shortage(key("red/small"), 10)
    assert (shortage.requested, shortage.available, shortage.nodes) == (10, 6, (key("red"),))


STOCK_2 = {"red/small": 5, "red/large": 5, "blue/small": 5, "blue/large": 20}


@pytest.mark.parametrize(
    ("node", "free", "small_10", "small_6", "both"),
    [
        ("red", 10, (10, 5), (10, 9), (5, 0)),
        ("small", 10, (0, 0), (4, 4), (0, 0)),
        ("blue", 25, (25, 20), (25, 24), (25, 20)),
        ("large", 25, (25, 25), (25, 25), (25, 20)),
        ("red/small", 5, (5, 0), (5, 4), (5, 0)),
        ("red/large", 5, (5, 5), (5, 5), (5, 0)),
        ("blue/small", 5, (5, 0), (5, 4), (5, 0)),
        ("blue/large", 20, (20, 20), (20, 20), (20, 20)),
        ("", 35, (25, 25), (29, 29), (20, 20)),
    ],
)
def test_example_2_crossing(node, free, small_10, small_6, both):
    assert stand(STOCK_2).available(key(node)) == free
    for reserved, (plain, avail) in (
        ({"small": 10}, small_10),
        ({"small": 6}, small_6),
        ({"small": 10, "red": 5}, both),
    ):
        one = stand(STOCK_2, reserved)
        assert (one.afr(key(node)), one.available(key(node))) == (plain, avail)


def test_example_2_shortage_names_both_levels():
    one = stand(STOCK_2, {"small": 10})
    shortage = one.shortage(key("red"), 8)
    assert (shortage.available, shortage.nodes) == (5, (key("red"), key("small")))
    assert one.shortage(key("red"), 5) is None


@pytest.mark.parametrize(("node", "avail"), [("red/small", -3), ("red", -3), ("blue/small", 5), ("", 2)])
def test_example_3_already_short(node, avail):
    assert stand({"red/small": 10, "blue/small": 5}, {"red/small": 13}).available(key(node)) == avail


def test_example_3_a_shortage_elsewhere_does_not_block():
    one = stand({"red/small": 10, "blue/small": 5}, {"red/small": 13})
    assert one.shortage(key("blue/small"), 5) is None
    assert one.shortage(key(""), 3).nodes == (key(""),)


@pytest.mark.parametrize(("node", "plain"), [("", 7), ("red", 10), ("red/small", 10)])
def test_example_4_coarse_outbound_is_a_standing_demand(node, plain):
    one = stand({"red/small": 10, "": -3})
    assert one.afr(key(node)) == plain
    assert one.available(key(node)) == 7


def test_the_whole_product_is_the_coarsest_node_by_product():
    one = Stand(DIMENSIONS, [("siteid=1&locationid=11", 10, 0), ("", 0, 4)])
    assert one.available("") == 6
    assert one.available("siteid=1&locationid=11") == 6
    assert one.shortage("siteid=1&locationid=11", 7).nodes == ("",)


def test_a_reserved_balance_below_zero_is_not_stock():
    one = stand({"red/small": 5}, {"red/small": -4})
    assert one.afr(key("red/small")) == 9
    assert one.available(key("red/small")) == 5


def test_a_new_cell_joins_the_nodes_that_were_asked_about():
    one = stand({"red/small": 5})
    assert one.available(key("red")) == 5
    one.move(key("red/large"), 3, 0)
    assert one.available(key("red")) == 8


def test_available_on_a_row_of_cells():
    one = stand(STOCK_2, {"small": 10})
    row = [key("red/small"), key("red/large"), key("blue/large")]
    assert one.available_on(row) == 25
    assert one.available_on([key("red/small"), key("blue/small")]) == 0
    assert one.available_on(["colorid=green"]) == 0


def test_above_the_bound_only_crossing_demands_are_refused():
    nested = Stand(DIMENSIONS, [(key("red/small"), 9, 1), (key("red"), 0, 1)], Limits(0, 0))
    assert (nested.too_complex(), nested.available(key("red"))) == (False, 7)
    cells = [(key("red/small"), 9, 0), (key("red"), 0, 1), (key("small"), 0, 1)]
    crossing = Stand(DIMENSIONS, cells, Limits(0, 64))
    assert (crossing.too_complex(), crossing.available(key("red"))) == (True, 0)


def test_independent_sees_each_level_for_itself():
    one = Plain([(key("red/small"), 10, 0), (key("red"), 0, 4)])
    assert (one.available(key("red/small")), one.available(key("red"))) == (10, 6)
    assert one.shortage(key("red/small"), 10) is None
    assert one.shortage(key("red"), 7).nodes == (key("red"),)
    one.reserve(key("red/small"), 10)
    assert one.available(key("red")) == -4


def test_the_switches_choose_the_rule():
    cells = [(key("red/small"), 10, 0), (key("red"), 0, 4)]
    assert stand_of(Switches(), DIMENSIONS, cells).available(key("red/small")) == 6
    independent = Switches(reservation_levels="independent")
    assert stand_of(independent, DIMENSIONS, cells).available(key("red/small")) == 10
    assert stand_of(independent, DIMENSIONS, cells).available(key("")) == 6
    exact = Switches(reservation_levels="independent", afr_aggregation="exactRecord")
    assert stand_of(exact, DIMENSIONS, cells).available(key("")) == 0
    assert stand_of(exact, DIMENSIONS, cells).available(key("red")) == -4
