from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from onhand.core.orders import dividing, splitting
from onhand.core.orders.dividing import Split
from onhand.core.orders.lines import PARTS, all_lines, decode_order, encode_order
from onhand.core.orders.model import Order, OrderForm, OrderLine, Shipment
from onhand.core.orders.parting import Parted
from onhand.core.orders.requests import LinesUpdate, LineUpdate, ShipmentInfo

IDS = ("L1", "L2", "L3")
units = st.integers(0, 24).map(lambda quarter: Decimal(quarter) / 4)


@st.composite
def lines(draw, line_id):
    quantity = draw(st.sampled_from((Decimal("0.75"), Decimal(2), Decimal(5), Decimal(6), Decimal(0))))
    return OrderLine(
        line_item_id=line_id,
        code="A",
        quantity=quantity,
        canceled_quantity=draw(st.sampled_from((Decimal(0),) * 6 + (quantity / 2, quantity))),
        reserved_inventory_quantity=draw(units),
        cost_total=draw(st.none() | units),
        is_virtual_product=draw(st.integers(0, 9)) == 0,
        hold_id=draw(st.none() | st.just("h")),
    )


@st.composite
def orders(draw):
    shipments = tuple(
        Shipment(
            shipment_id=f"S{number}",
            status=draw(st.sampled_from(("AwaitingInventory",) * 5 + ("Shipped",))),
            warehouse_code=draw(st.sampled_from(("WH1", "WH2"))),
            line_items=tuple(draw(lines(one)) for one in IDS if draw(st.booleans())),
        )
        for number in range(draw(st.integers(0, 3)))
    )
    assigned = {line.line_item_id for one in shipments for line in one.line_items}
    unassigned = tuple(draw(lines(one)) for one in IDS if one not in assigned)
    form = OrderForm(shipments=shipments, unassigned=unassigned)
    return Order(id="O", market_id="M", store_id="ST", order_form=form)


@st.composite
def updates(draw):
    chosen = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=2, unique=True))
    some = st.sampled_from((Decimal("0.25"), Decimal("0.5"), Decimal(1), Decimal(2), Decimal(5)))
    little = st.sampled_from((Decimal(0),) * 5 + (Decimal("0.25"),))
    asked = tuple(
        LineUpdate(
            line_item_id=one,
            delivered_quantity=draw(st.just(Decimal(0)) | some),
            canceled_quantity=draw(little),
            split_quantity=draw(little),
        )
        for one in chosen
    )
    target = draw(st.sampled_from((None, None, "S0", "NEW", "NEW")))
    return LinesUpdate(line_item_updates=asked, shipment_info=ShipmentInfo(shipment_id=target))


def copies(order):
    return [*(line for _, line in all_lines(order)), *order.order_form.unassigned]


def sums(order):
    return {
        one: {
            name: sum(getattr(line, name) for line in copies(order) if line.line_item_id == one)
            for name in PARTS
        }
        for one in IDS
    }


@given(orders(), updates(), st.booleans())
def test_an_update_conserves_every_quantity(order, update, over):
    found = splitting.update_lines(order, update, 2, allow_over_delivery=over)
    if not isinstance(found, Parted):
        return
    before, after = sums(order), sums(found.order)
    asked = {one.line_item_id: one for one in update.line_item_updates}
    for one in IDS:
        delivered = asked[one].delivered_quantity if one in asked else 0
        cancelled = asked[one].canceled_quantity if one in asked else 0
        grown = after[one]["quantity"] - before[one]["quantity"]
        assert grown == 0 or (over and 0 < grown <= delivered)
        assert after[one]["delivered_quantity"] - before[one]["delivered_quantity"] == delivered
        assert after[one]["canceled_quantity"] - before[one]["canceled_quantity"] == cancelled
        assert after[one]["reserved_inventory_quantity"] == before[one]["reserved_inventory_quantity"]
    known = [line.cost_total for line in copies(order) if line.cost_total is not None]
    assert sum(line.cost_total or 0 for line in copies(found.order)) == sum(known)


@given(orders(), updates(), st.booleans())
def test_a_shipment_that_leaves_holds_only_what_leaves(order, update, over):
    found = splitting.update_lines(order, update, 2, allow_over_delivery=over)
    if not isinstance(found, Parted) or not found.delivered:
        return
    leaving = {one.shipment_id: one for one in found.order.shipments if one.shipment_id in found.runs}
    assert set(leaving) == set(found.runs)
    for shipment in leaving.values():
        assert shipment.status != "Shipped"
        for line in shipment.line_items:
            assert line.delivered_quantity == line.effective or not line.moves_stock


@given(orders(), updates(), st.booleans())
def test_no_shipment_has_a_line_twice_and_no_emptied_one_is_left(order, update, over):
    found = splitting.update_lines(order, update, 2, allow_over_delivery=over)
    if not isinstance(found, Parted):
        return
    ids = [one.shipment_id for one in found.order.shipments]
    assert len(ids) == len(set(ids))
    empty = {one.shipment_id for one in order.shipments if not one.line_items}
    for one in found.order.shipments:
        assert len({line.line_item_id for line in one.line_items}) == len(one.line_items)
        assert one.line_items or one.shipment_id in empty


@given(orders(), updates(), st.booleans())
def test_the_ledger_that_follows_the_splits_holds_what_the_lines_say(order, update, over):
    found = splitting.update_lines(order, update, 2, allow_over_delivery=over)
    if not isinstance(found, Parted):
        return
    ledger = {
        (one.shipment_id, line.line_item_id): line.reserved_inventory_quantity
        for one, line in all_lines(order)
    }
    for split in found.splits:
        source, target = (split.source, split.line_item_id), (split.target, split.line_item_id)
        moved = split.reservation(ledger.get(source, Decimal(0)))
        ledger[source] = ledger.get(source, Decimal(0)) - moved
        ledger[target] = ledger.get(target, Decimal(0)) + moved
    assigned = {line.line_item_id for _, line in all_lines(order)}
    for one, line in all_lines(found.order):
        if line.line_item_id in assigned:
            assert ledger.get((one.shipment_id, line.line_item_id), 0) == line.reserved_inventory_quantity
            ledger.pop((one.shipment_id, line.line_item_id), None)
    assert not any(ledger.values())


@given(lines("L"), st.data(), st.booleans())
def test_a_divided_line_is_the_line(line, data, first):
    if line.effective <= Decimal("0.25"):
        return
    quarters = int((line.effective * 4).to_integral_value(rounding="ROUND_CEILING"))
    quantity = Decimal(data.draw(st.integers(1, max(1, quarters - 1)))) / 4
    if quantity >= line.effective:
        return
    goes, stays = dividing.divided(line, quantity, first=first)
    assert goes.effective == quantity
    assert stays.effective == line.effective - quantity
    for name in PARTS:
        assert getattr(goes, name) + getattr(stays, name) == getattr(line, name)
    split = Split(
        line_item_id="L", source="a", target="b", quantity=quantity, kept=stays.effective, goes_first=first
    )
    reserved = line.reserved_inventory_quantity
    assert split.reservation(reserved) == goes.reserved_inventory_quantity
    wanted = min(quantity, reserved) if first else reserved - min(stays.effective, reserved)
    assert goes.reserved_inventory_quantity == wanted
    back = dividing.joined(stays, goes)
    assert {name: getattr(back, name) for name in PARTS} == {name: getattr(line, name) for name in PARTS}
    assert back.cost_total == line.cost_total


@given(orders())
def test_an_order_that_is_shown_and_read_again_is_the_same(order):
    assigned = {line.line_item_id for _, line in all_lines(order)}
    assert assigned.isdisjoint(line.line_item_id for line in order.order_form.unassigned)
    assert decode_order(encode_order(order)) == msgspec.structs.replace(order)
