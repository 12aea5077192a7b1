from __future__ import annotations

import pytest

from onhand.core.orders import entities
from onhand.core.orders.configuration import OrderType
from onhand.core.orders.presets import PRESETS, preset, show

KEYS = [one.key for one in PRESETS]


def test_there_are_the_eight_workflows_of_the_specification():
    assert KEYS == [
        "online-standard",
        "mixed-reservation",
        "pos",
        "click-and-collect",
        "drop-ship",
        "backorder",
        "cancellation",
        "return",
    ]
    assert len({one.order_type.name for one in PRESETS}) == len(PRESETS)


@pytest.mark.parametrize("key", KEYS)
def test_a_preset_can_be_sent_as_it_is_shown(key):
    found = preset(key.upper())
    assert found is not None
    assert entities.read(OrderType, show(found)["orderType"]) == found.order_type


@pytest.mark.parametrize("one", PRESETS, ids=KEYS)
def test_a_preset_ends_its_orders(one):
    statuses = one.order_type.order_statuses
    assert any(status.is_delivered_status for status in statuses)
    assert any(status.is_canceled_status for status in statuses)
    first = one.order_type.initial
    assert first is not None
    assert first.workflow_steps


def test_an_unknown_preset_is_none():
    assert preset("other") is None
