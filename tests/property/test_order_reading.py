from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhand.core.orders import entities
from onhand.core.orders.configuration import (
    InventorySettings,
    OrderSettings,
    OrderType,
    ScheduledTask,
    Warehouse,
    WorkflowGroup,
)
from onhand.core.orders.lines import decode_order, encode_order, patched_order, read_order
from onhand.core.orders.model import Order
from onhand.core.orders.refusals import Refused
from onhand.core.orders.requests import LinesUpdate, StatusUpdate

NAMES = (
    "id", "marketId", "storeId", "status", "created", "orderForm", "shipments", "lineItems", "lineItemId", "code",
    "quantity", "cost", "shipmentId", "properties", "key", "value", "name", "order", "orderStatuses", "workflowSteps",
    "tags", "isReadOnly", "$extra", "extra", "lineItemUpdates", "returnOrderForms", "returnId", "dimensions",
)  # fmt: skip
names = st.sampled_from(NAMES).flatmap(
    lambda name: st.sampled_from((name, name.upper(), f" {name} "))
) | st.text(max_size=5)
numbers = st.decimals(allow_nan=False, allow_infinity=False) | st.integers() | st.decimals(-9, 9, places=6)
texts = st.text(max_size=8) | st.sampled_from(
    ("NO", "2026-01-01T00:00:00Z", "0001-01-01", "true", "1.5", "L1", "\x00")
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=25,
)
orders = st.builds(
    lambda more, form: {
        "marketId": "NO",
        "storeId": "ST",
        **more,
        **({} if form is None else {"orderForm": form}),
    },
    st.dictionaries(names, values, max_size=3),
    st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "shipments": st.lists(
                st.fixed_dictionaries(
                    {"shipmentId": st.sampled_from(("S1", "S2"))},
                    optional={"lineItems": st.lists(st.dictionaries(names, values, max_size=4), max_size=2)},
                ),
                max_size=2,
            ),
            "lineItems": st.lists(
                st.fixed_dictionaries({"lineItemId": texts}, optional={"quantity": numbers}), max_size=2
            ),
        },
    ),
)


@given(values | orders)
def test_whatever_a_client_writes_is_an_order_or_refused(value):
    found = read_order(value)
    assert isinstance(found, Order | Refused)
    if isinstance(found, Refused):
        assert found.message
        return
    assert decode_order(encode_order(found)) == found or b"\\u0000" in encode_order(found)
    assert entities.stored_decoder(Order).decode(entities.to_stored(found)) == found


@given(orders, values)
def test_a_patch_gives_an_order_or_is_refused(value, patch):
    order = read_order(value)
    if isinstance(order, Order):
        assert isinstance(patched_order(order, patch), Order | Refused)


@pytest.mark.parametrize(
    "shape",
    [
        OrderType,
        WorkflowGroup,
        OrderSettings,
        InventorySettings,
        Warehouse,
        ScheduledTask,
        StatusUpdate,
        LinesUpdate,
    ],
)
@given(value=values)
def test_whatever_is_configured_is_read_or_refused_and_is_the_same_when_it_is_shown(shape, value):
    found = entities.read(shape, value)
    if not isinstance(found, Refused):
        assert entities.read(shape, entities.show(found)) == found


@given(numbers)
def test_a_number_is_taken_exactly_or_refused(number):
    found = read_order({"marketId": "NO", "storeId": "ST", "lineItemsCost": number})
    if isinstance(found, Order):
        assert found.line_items_cost == number
        assert found.line_items_cost.as_tuple().exponent >= -6
        assert "E" not in str(found.line_items_cost)
    else:
        assert abs(number) > 10**13 or Decimal(number) != Decimal(number).quantize(Decimal("0.000001"))
