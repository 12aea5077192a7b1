"""The stand against brute force, against networkx, against itself: fresh or grown, tree or flow."""

from __future__ import annotations

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from onhand.core.availability import Limits, Stand, parts
from tests.property import oracle

DIMENSIONS = ("siteid", "locationid", "colorid", "sizeid", "styleid")
FAST = settings(deadline=None, max_examples=200)

PLACE = "siteid=1&locationid=11"
colors = st.sampled_from(["", "&colorid=red", "&colorid=blue"])
sizes = st.sampled_from(["", "&sizeid=small", "&sizeid=large"])
keys = st.builds(lambda color, size: PLACE + color + size, colors, sizes)
nested_keys = st.sampled_from(
    [PLACE, f"{PLACE}&colorid=red", f"{PLACE}&colorid=blue"]
    + [f"{PLACE}&colorid={color}&sizeid={size}" for color in ("red", "blue") for size in ("small", "large")]
)


def cells_of(keys):
    cell = st.tuples(keys, st.integers(-4, 12), st.integers(-3, 8))
    return st.lists(cell, max_size=7, unique_by=lambda one: one[0])


def flow_only(cells):
    """A stand that never uses the tree."""
    stand = Stand(DIMENSIONS, cells)
    stand._plant = lambda: False
    return stand


@FAST
@given(cells_of(keys), keys)
def test_available_is_what_brute_force_says(cells, node):
    stand = Stand(DIMENSIONS, cells)
    assert stand.afr(node) == oracle.afr(cells, node)
    assert stand.available(node) == oracle.available(cells, node)


@FAST
@given(cells_of(keys), keys, st.integers(1, 15))
def test_a_quantity_is_accepted_exactly_when_the_rule_holds(cells, node, quantity):
    shortage = Stand(DIMENSIONS, cells).shortage(node, quantity)
    assert (shortage is None) == oracle.accepts(cells, node, quantity)
    if shortage is not None:
        assert shortage.requested == quantity
        assert shortage.available == oracle.available(cells, node)


@FAST
@given(cells_of(keys), st.sets(keys))
def test_available_on_any_cells_is_what_brute_force_says(cells, chosen):
    known = chosen & {key for key, _, _ in cells}
    expected = oracle.available_on(cells, known)
    assert Stand(DIMENSIONS, cells).available_on(chosen) == expected
    assert flow_only(cells).available_on(chosen) == expected


@FAST
@given(cells_of(nested_keys), nested_keys)
def test_nested_recursion_equals_flow(cells, node):
    tree, flow = Stand(DIMENSIONS, cells), flow_only(cells)
    assert tree.available(node) == flow.available(node)


@FAST
@given(cells_of(keys), keys)
def test_flow_equals_networkx(cells, node):
    graph = nx.DiGraph()
    graph.add_nodes_from(["source", "sink"])
    wanted = oracle.demands(cells)
    for key, net, _ in cells:
        if net > 0:
            graph.add_edge(("cell", key), "sink", capacity=net)
            for demand in {*wanted, node}:
                if parts(demand) <= parts(key):
                    graph.add_edge(("demand", demand), ("cell", key))
    for demand, quantity in wanted.items():
        graph.add_edge("source", ("demand", demand), capacity=quantity)
    before = nx.maximum_flow_value(graph, "source", "sink")
    graph.add_edge("source", ("demand", node), capacity=10_000)
    rise = nx.maximum_flow_value(graph, "source", "sink") - before
    assert flow_only(cells).available(node) == min(oracle.afr(cells, node), rise)


@FAST
@given(
    cells_of(keys),
    st.lists(st.tuples(keys, st.integers(-3, 3), st.integers(-4, 6), st.booleans()), max_size=12),
    st.lists(keys, min_size=1, max_size=3),
)
def test_incremental_equals_fresh(cells, moves, asked):
    stand = Stand(DIMENSIONS, cells)
    truth = {key: (net, reserved) for key, net, reserved in cells}
    for cell, net, reserved, physical in moves:
        for node in asked:
            fresh = Stand(DIMENSIONS, [(key, *pair) for key, pair in truth.items()])
            assert stand.available(node) == fresh.available(node)
            assert stand.available_on({cell, node}) == fresh.available_on({cell, node})
        shift = net if physical else 0
        stand.move(cell, shift, reserved)
        was = truth.get(cell, (0, 0))
        truth[cell] = (was[0] + shift, was[1] + reserved)
    fresh = Stand(DIMENSIONS, [(key, *pair) for key, pair in truth.items()])
    for node in asked:
        assert stand.available(node) == fresh.available(node)
        assert stand.shortage(node, 10**6) == fresh.shortage(node, 10**6)


@FAST
@given(cells_of(keys), keys)
def test_the_named_nodes_really_limit(cells, node):
    """Hall: demand of all nodes under the named ones, and the request, exceeds what lies in them."""
    stand = Stand(DIMENSIONS, cells)
    available = stand.available(node)
    shortage = stand.shortage(node, max(1, available + 1))
    if shortage is None or stand.afr(node) == available or available <= 0:
        return
    under = [key for key in oracle.demands(cells) if any(parts(top) <= parts(key) for top in shortage.nodes)]
    touched = sum(
        net for key, net, _ in cells if net > 0 and any(parts(n) <= parts(key) for n in shortage.nodes)
    )
    assert any(parts(top) <= parts(node) for top in shortage.nodes)
    # Demands under the named nodes that are short themselves are served only in part.
    assert available + sum(oracle.demands(cells)[key] for key in under) >= touched


@FAST
@given(cells_of(keys), keys, st.integers(0, 3), st.integers(0, 3))
def test_above_the_bound_nothing_is_promised(cells, node, cells_max, nodes_max):
    bounded = Stand(DIMENSIONS, cells, Limits(cells_max, nodes_max))
    exact = Stand(DIMENSIONS, cells)
    if bounded.too_complex():
        assert bounded.available(node) <= 0
        assert bounded.available(node) == min(0, exact.afr(node))
    else:
        assert bounded.available(node) == exact.available(node)
