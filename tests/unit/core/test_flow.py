from __future__ import annotations

from onhand.core.flow import Network


def test_a_push_reroutes_what_was_served_before():
    network = Network([5, 5], [[0, 1], [0]])
    assert network.push(0, 5) == 5
    assert network.push(1, 5) == 5
    assert network.push(0, 1) == 0


def test_a_push_returns_what_was_possible():
    network = Network([3], [[0], [0]])
    assert network.push(0, 2) == 2
    assert network.push(1, 9) == 1


def test_a_copy_has_a_flow_of_its_own():
    network = Network([3], [[0]])
    assert network.copy().push(0, 3) == 3
    assert network.push(0, 3) == 3


def test_reachable_names_the_demands_that_compete():
    network = Network([3, 3], [[0], [0], [1]])
    network.push(0, 3)
    network.push(2, 3)
    network.push(1, 1)
    assert network.reachable(1) == {0, 1}
