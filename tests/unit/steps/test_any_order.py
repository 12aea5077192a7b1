"""Properties of all steps on any order: nothing raises, a second run moves nothing, and moving loses nothing."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from onhand.core.orders.configuration import AvailableWarehouse, InventorySettings, OrderSettings, Warehouse
from onhand.core.orders.model import Component, Order, OrderLine
from onhand.core.orders.moves import ItemRef, LineRef, Recalculate, RepairCost, SetOutOfStock
from onhand.steps.contract import Plan, Result
from onhand.steps.registry import CATALOGUE
from tests.unit.steps.shelf import NOW, D, Shelf, order, replaced, returned, returns, shipment

KEYS = [spec.key for spec in CATALOGUE if spec.plan is not None]
MOVING = [
    "TryAllocateOrderToCurrentWarehouses",
    "TryReallocateEntireOrder",
    "TryReallocateEntireOrderToSpecificWarehouse",
    "TryReallocateToOtherWarehouse",
    "TrySplitUnreservedOrderLines",
    "SetShipmentOrOrderReadyForPickup",
]
PROPERTIES = {
    "orderStatus": "Ship",
    "ToStatus": "Ship",
    "shipmentStatus": "Released",
    "TimeSpan": "1.00:00:00",
    "Status": "Ship",
    "warehouseCode": "WH2",
}

quantities = st.sampled_from([D(0), D(1), D("2.5"), D(3), D(7)])
skus = st.sampled_from(["A", "B", "C"])
codes = st.sampled_from(["WH1", "wh2", "WH3"])

lines = st.builds(
    OrderLine,
    line_item_id=st.sampled_from(["L1", "L2", "L3", "L4"]),
    code=skus | st.just(""),
    quantity=quantities,
    canceled_quantity=quantities,
    delivered_quantity=quantities,
    reserved_inventory=st.booleans(),
    reserved_inventory_quantity=quantities,
    is_awaiting_purchase_order=st.sampled_from([None, False, True]),
    is_virtual_product=st.sampled_from([False, False, True]),
    is_package_product=st.booleans(),
    is_package_broke_down=st.sampled_from([False, False, True]),
    components=st.sampled_from([(), (), (Component(sku_id="C", quantity=D(2)),)]),
    forced_reservation=st.booleans(),
    dimensions=st.sampled_from([{}, {}, {"ColorId": "red"}]),
)


def _distinct(found):
    return tuple({one.line_item_id: one for one in found}.values())


safe_lines = st.lists(lines.map(lambda one: replaced(one, code=one.code or "A")), max_size=4).map(_distinct)


def shipments(of_lines):
    return st.builds(
        lambda parts, **given: shipment(*parts, **given),
        of_lines,
        key=st.sampled_from(["S1", "S2", "S3"]),
        status=st.sampled_from(["Released", "AwaitingInventory", "Shipped", "Transit"]),
        order_status=st.sampled_from(["New", "Ship", "OrderCanceled"]),
        warehouse_code=codes,
        virtual_warehouse_code=st.sampled_from([None, None, "V1"]),
        pick_up_warehouse_code=st.sampled_from([None, "ST1"]),
        completed=st.sampled_from([None, None, NOW]),
    )


def orders(of_lines=safe_lines):
    def made(found, **given):
        distinct = {one.shipment_id: one for one in found}
        return order(*distinct.values(), **given)

    return st.builds(
        made,
        st.lists(shipments(of_lines), max_size=3),
        unassigned=st.lists(lines, max_size=1).map(tuple),
        status=st.sampled_from(["New", "InProgress", "Ship", "Completed", "OrderCanceled", "Unheard"]),
        order_type=st.sampled_from(["Online", "Pos"]),
        return_order_forms=st.lists(
            st.builds(
                lambda key, parts: returns(*parts, key=key),
                st.sampled_from(["R1", "R2"]),
                st.lists(
                    st.builds(
                        returned,
                        st.sampled_from(["L1", "L2", "L9"]),
                        skus | st.just(""),
                        quantities,
                        update_stock=st.sampled_from([None, False, True]),
                    ),
                    max_size=3,
                ),
            ),
            max_size=2,
            unique_by=lambda one: one.return_id,
        ).map(tuple),
    )


plain_lines = st.lists(
    st.builds(
        OrderLine,
        line_item_id=st.sampled_from(["L1", "L2", "L3", "L4"]),
        code=skus,
        quantity=st.sampled_from([D(1), D("2.5"), D(3), D(7)]),
        canceled_quantity=st.sampled_from([D(0), D(0), D(1)]),
        reserved_inventory_quantity=st.sampled_from([D(0), D(1), D(2)]),
    ),
    min_size=1,
    max_size=4,
).map(_distinct)


@st.composite
def open_orders(draw):
    """Orders of which nothing has left."""
    found = []
    for number in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from(["WH1", "WH2"]))
        bound_for = draw(st.sampled_from([None, "ST1"]))
        made = shipment(
            *draw(plain_lines), key=f"S{number}", status="AwaitingInventory", warehouse_code=place
        )
        found.append(replaced(made, pick_up_warehouse_code=bound_for))
    return order(*found, status="New")


WAREHOUSES = (
    (),
    (Warehouse(code="WH1"), Warehouse(code="WH2"), Warehouse(code="WH3", is_virtual=True)),
    (
        Warehouse(code="ST1", available_warehouses=(AvailableWarehouse(warehouse_code="WH2"),)),
        Warehouse(code="WH1"),
        Warehouse(code="WH2"),
        Warehouse(code="WH3"),
    ),
)


@st.composite
def shelves(draw, of=None):
    shelf = Shelf(draw(of if of is not None else orders()), warehouses=draw(st.sampled_from(WAREHOUSES)))
    shelf.inventory = draw(
        st.builds(
            InventorySettings,
            use_virtual_stock_locations=st.booleans(),
            is_available_inventory_ignoring_reserved=st.booleans(),
        )
    )
    shelf.settings = OrderSettings(forced_reservations_consume_counter=draw(st.booleans()))
    for sku in ("A", "B", "C"):
        for place in ("WH1", "WH2", "WH3", "ST1"):
            shelf.stock(sku, place, draw(quantities), draw(st.sampled_from([0, 0, 4])))
    for each in shelf.order.shipments:
        for one in each.line_items:
            if one.code and draw(st.booleans()):
                reserved, released = draw(quantities), draw(quantities)
                shelf.hold(
                    one.line_item_id,
                    reserved,
                    of=each.shipment_id,
                    item=ItemRef(one.code, draw(st.sampled_from([each.warehouse_code or "WH1", "WH2"]))),
                    released=min(reserved, released),
                )
    return shelf


@st.composite
def any_order(draw):
    """Also what no step can work with: blank SKUs, one line twice, no warehouse."""
    of = draw(orders(st.lists(lines, max_size=4)))
    if draw(st.booleans()):
        return of
    form = of.order_form
    bare = tuple(replaced(one, warehouse_code=None) for one in form.shipments)
    return replaced(of, order_form=replaced(form, shipments=bare))


def totals(of: Order) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in of.shipments:
        for one in each.line_items:
            found[one.line_item_id] += one.effective
    return found


def places(of: Order) -> dict[LineRef, str | None]:
    return {
        LineRef(each.shipment_id, one.line_item_id): each.warehouse_code
        for each in of.shipments
        for one in each.line_items
    }


def seen(shelf):
    return {ref: shelf.counts(ref.sku, ref.warehouse) for ref in list(shelf.items)}


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_no_step_raises(data):
    key = data.draw(st.sampled_from(KEYS))
    shelf = data.draw(shelves(any_order()))
    at = data.draw(st.sampled_from([None, "S1", "S9"]))
    properties = data.draw(st.sampled_from([{}, PROPERTIES, {"TimeSpan": "x", "onlyReservedLines": "x"}]))
    assert isinstance(shelf.run(key, shipment_id=at, properties=properties), Result)


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_a_second_run_moves_nothing(data):
    key = data.draw(st.sampled_from(KEYS))
    shelf = data.draw(shelves(open_orders() | orders()))
    at = data.draw(st.sampled_from([None, None, "S1"]))
    flags = data.draw(st.sampled_from([{}, {"AllowLineSplitting": "true", "onlyReservedLines": "true"}]))
    properties = {**PROPERTIES, **flags}
    if data.draw(st.booleans()):
        shelf.run("ReduceInventoryOnlyOnReservedOrderLines", shipment_id="S1")
    shelf.run(key, shipment_id=at, properties=properties)
    counts, transactions = seen(shelf), shelf.transactions
    again = shelf.plan(shelf.facts(key, shipment_id=at, properties=properties))
    moves = [move for unit in again.units for move in unit.moves] if isinstance(again, Plan) else []
    assert [one for one in moves if not isinstance(one, RepairCost | SetOutOfStock | Recalculate)] == []
    shelf.run(key, shipment_id=at, properties=properties)
    assert (seen(shelf), shelf.transactions) == (counts, transactions)


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_d26_moving_loses_neither_a_unit_nor_a_reservation(data):
    key = data.draw(st.sampled_from(MOVING))
    shelf = data.draw(shelves(open_orders()))
    flags = data.draw(st.sampled_from([{}, {"AllowLineSplitting": "true"}]))
    before, placed = totals(shelf.order), places(shelf.order)
    held: Counter[str] = Counter()
    for row in shelf.rows.values():
        held[row.line_item_id] += row.remaining
    shelf.run(key, properties={**PROPERTIES, **flags})
    after: Counter[str] = Counter()
    for row in shelf.rows.values():
        after[row.line_item_id] += row.remaining
    assert totals(shelf.order) == before
    assert after == held
    now = places(shelf.order)
    for ref, row in shelf.rows.items():
        if row.remaining:
            assert ref in now, "a reservation of a line that is not there"
            assert now[ref] == placed.get(ref) or row.warehouse == now[ref], "a line moved without it"


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_the_selective_step_takes_from_its_own_reservation_only(data):
    """What belongs to nobody is lowered only for a line that says it is reserved and has no row of its own."""
    shelf = data.draw(shelves())
    before = {ref: item.loose for ref, item in shelf.items.items()}
    bare: dict[str, Decimal] = {}
    for each in shelf.order.shipments:
        for one in each.line_items:
            if LineRef(each.shipment_id, one.line_item_id) not in shelf.rows:
                bare[one.code] = bare.get(one.code, D(0)) + max(D(0), one.reserved_inventory_quantity)
    shelf.run("ReduceInventoryOnlyOnReservedOrderLines")
    lost: Counter[str] = Counter()
    for ref, item in shelf.items.items():
        lost[ref.sku] += before.get(ref, D(0)) - item.loose
    assert all(taken <= bare.get(sku, D(0)) for sku, taken in lost.items())
