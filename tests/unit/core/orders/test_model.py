from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from onhand.core.orders import entities, lines
from onhand.core.orders.entities import ID_MAX, stored_decoder, to_stored
from onhand.core.orders.model import Order, OrderLine, Shipment, adopted_reservation
from onhand.core.orders.refusals import Code, Refused


def body(**more):
    return {"id": "O1", "marketId": "NO", "storeId": "ST1", **more}


def read(value):
    order = lines.read_order(value)
    assert isinstance(order, Order), order
    return order


def refused(value):
    found = lines.read_order(value)
    assert isinstance(found, Refused)
    assert found.code is Code.VALIDATION_FAILED
    return found


def shipment(*its_lines, shipment_id="S1", **more):
    return {"shipmentId": shipment_id, "lineItems": list(its_lines), **more}


def test_names_are_matched_without_regard_to_case_and_shown_in_camel_case():
    order = read(
        {"ID": "O1", "MarketId": "NO", "STOREID": "ST1", "OrderForm": {"Shipments": [{"ShipmentId": "S1"}]}}
    )
    shown = lines.show_order(order)
    assert shown["marketId"] == "NO"
    assert shown["orderForm"]["shipments"][0]["shipmentId"] == "S1"


def test_a_client_gets_back_what_it_sent_also_what_is_not_known_here():
    sent = body(
        billingAddress={"city": "Oslo", "lines": [1, 2.50, None]},
        orderForm={
            "couponCodes": ["X"],
            "shipments": [shipment({"lineItemId": "L1", "placedPrice": 10.5}, trackingNumber="T1")],
        },
    )
    shown = json.loads(lines.encode_order(read(sent)))
    assert shown["billingAddress"] == {"city": "Oslo", "lines": [1, 2.5, None]}
    assert shown["orderForm"]["couponCodes"] == ["X"]
    assert shown["orderForm"]["shipments"][0]["trackingNumber"] == "T1"
    assert shown["orderForm"]["lineItems"][0]["placedPrice"] == 10.5


def test_numbers_are_exact_also_where_they_mean_nothing_here():
    order = lines.decode_order(
        b'{"marketId":"NO","storeId":"S","netTotal":0.1234567890123456789,"orderForm":{"shipments":[{"shipmentId":"S1",'
        b'"lineItems":[{"lineItemId":"L1","quantity":0.1,"canceledQuantity":"1.250","cost":1e2}]}]}}'
    )
    assert isinstance(order, Order)
    line = order.shipments[0].line_items[0]
    assert (line.quantity, line.canceled_quantity, line.cost) == (Decimal("0.1"), Decimal("1.25"), 100)
    assert b'"cost":100,' in lines.encode_order(order)
    assert b'"netTotal":0.1234567890123456789' in lines.encode_order(order)


def test_the_stored_form_is_the_same_order():
    order = read(
        body(
            created="2026-01-01T10:00:00+02:00",
            odd={"price": "1.10"},
            orderForm={
                "shipments": [shipment({"lineItemId": "L1", "quantity": Decimal("1.25")})],
                "lineItems": [{"lineItemId": "L2"}],
            },
            returnOrderForms=[{"returnId": "R1", "lineItems": [{"lineItemId": "L1", "returnQuantity": 1}]}],
            errors=[{"key": "X", "message": "m"}],
        )
    )
    assert stored_decoder(Order).decode(to_stored(order)) == order


def test_fractions_that_are_kept_survive_the_stored_form_exactly():
    order = lines.decode_order(b'{"marketId":"NO","storeId":"S","netTotal":0.12345678901234567}')
    assert isinstance(order, Order)
    again = stored_decoder(Order).decode(to_stored(order))
    assert again.extra == {"netTotal": Decimal("0.12345678901234567")}


def test_the_property_name_of_our_own_storage_is_an_ordinary_property_of_a_client():
    order = read({**body(), "$extra": {"a": 1}, "extra": 2})
    shown = lines.show_order(stored_decoder(Order).decode(to_stored(order)))
    assert shown["$extra"] == {"a": 1}
    assert shown["extra"] == 2


def test_times_are_utc_and_blank_or_least_times_are_absent():
    order = read(
        body(
            created="2026-01-01T10:00:00.1234567+02:00",
            modified="2026-01-01T10:00:00",
            completed="0001-01-01T00:00:00",
            canceled="",
            received=None,
        )
    )
    assert order.created == datetime(2026, 1, 1, 8, 0, 0, 123457, tzinfo=UTC)
    assert order.modified == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert (order.completed, order.canceled, order.received) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ([], "", "must be a JSON object"),
        ({"id": "O1"}, "marketId", "is required"),
        (body(marketId=" "), "marketId", "is required"),
        (body(id="x" * (ID_MAX + 1)), "id", "at most 128"),
        (body(id="a\tb"), "id", "control character"),
        (body(status="s" * 201), "status", "at most 200"),
        (body(created="yesterday"), "created", "must be a time"),
        (body(created=5), "created", "must be a time"),
        (body(created="9999-12-31T23:59:59-01:00"), "created", "must be a time"),
        (body(isReadOnly=1), "isReadOnly", "must be true or false"),
        (body(tags={}), "tags", "must be a JSON array"),
        (body(customerId=[1]), "customerId", "must be a text"),
        (body(STATUS="a", status="b"), "status", "given twice"),
        (body(lineItemsCost=Decimal("0.0000001")), "lineItemsCost", "at most 6 decimal places"),
        (body(lineItemsCost=10**14), "lineItemsCost", "too large"),
        (body(orderForm=[]), "orderForm", "must be a JSON object"),
        (body(orderForm={"shipments": [{}]}), "orderForm.shipments[0].shipmentId", "is required"),
        (
            body(orderForm={"shipments": [shipment({"quantity": 1})]}),
            "orderForm.shipments[0].lineItems[0].lineItemId",
            "is required",
        ),
        (
            body(orderForm={"shipments": [shipment({"lineItemId": "L", "quantity": "1,5"})]}),
            "orderForm.shipments[0].lineItems[0].quantity",
            "not a number",
        ),
        (
            body(orderForm={"shipments": [shipment({"lineItemId": "L", "quantity": True})]}),
            "orderForm.shipments[0].lineItems[0].quantity",
            "must be a number",
        ),
        (
            body(orderForm={"shipments": [shipment(), shipment()]}),
            "orderForm.shipments[1]",
            "occurs twice",
        ),
        (body(returnOrderForms=[{"lineItems": []}]), "returnOrderForms[0].returnId", "is required"),
        (body(returnOrderForms=[{"id": "R"}, {"returnId": "R"}]), "returnOrderForms[1]", "occurs twice"),
    ],
)
def test_bad_input_is_refused_with_its_place_and_what_to_do(value, path, message):
    found = refused(value)
    assert [one.path for one in found.problems][:1] == [path]
    assert message in found.problems[0].message
    assert found.problems[0].message in found.message


def test_every_thing_that_is_wrong_is_named_at_once():
    found = refused({"isReadOnly": "maybe", "created": "x"})
    assert [one.path for one in found.problems] == ["isReadOnly", "created"]
    found = refused({})
    assert [one.path for one in found.problems] == ["marketId", "storeId"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{", "not valid JSON"),
        (b'{"id":"a\\u0000b"}', "NUL"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":"\xff"}', "not valid JSON"),
    ],
)
def test_a_body_that_is_no_json_is_refused(raw, message):
    found = lines.decode_order(raw)
    assert isinstance(found, Refused)
    assert message in found.message


def test_a_byte_order_mark_is_ignored():
    assert isinstance(lines.decode_order(b'\xef\xbb\xbf{"marketId":"NO","storeId":"S"}'), Order)


def test_another_name_of_a_property_is_taken_and_its_own_name_wins():
    order = read(body(orderForm={"shipments": [shipment(isReallocated=True)]}))
    assert order.shipments[0].is_allocated is True
    order = read(body(orderForm={"shipments": [shipment(isAllocated=False, isReallocated=True)]}))
    assert order.shipments[0].is_allocated is False
    assert "isReallocated" not in lines.show_order(order)["orderForm"]["shipments"][0]


def test_a_line_of_a_shipment_counts_and_the_forms_copy_is_its_projection():
    order = read(
        body(
            orderForm={
                "lineItems": [
                    {"lineItemId": "L1", "code": "A", "quantity": 9},
                    {"lineItemId": "L2", "quantity": 4},
                ],
                "shipments": [
                    shipment({"lineItemId": "L1", "quantity": 2, "canceledQuantity": 1}),
                    shipment({"lineItemId": "L1", "quantity": 3}, shipment_id="S2"),
                ],
            }
        )
    )
    assert [line.line_item_id for line in order.order_form.unassigned] == ["L2"]
    first, second = lines.form_lines(order)
    assert (first.line_item_id, first.code, first.quantity, first.canceled_quantity) == ("L1", "A", 5, 1)
    assert (second.line_item_id, second.quantity) == ("L2", 4)


def test_a_copy_inherits_what_it_leaves_out_but_no_part_of_a_quantity_that_others_share():
    form = {"lineItemId": "L1", "code": "A", "quantity": 5, "placedPrice": 7, "isVirtualProduct": True}
    alone = read(body(orderForm={"lineItems": [form], "shipments": [shipment({"lineItemId": "L1"})]}))
    line = alone.shipments[0].line_items[0]
    assert (line.code, line.quantity, line.is_virtual_product, line.extra) == (
        "A",
        5,
        True,
        {"placedPrice": 7},
    )
    shared = read(
        body(
            orderForm={
                "lineItems": [form],
                "shipments": [
                    shipment({"lineItemId": "L1", "quantity": 2}),
                    shipment({"LineItemId": "L1"}, shipment_id="S2"),
                ],
            }
        )
    )
    assert [one.line_items[0].quantity for one in shared.shipments] == [2, 0]
    assert [one.line_items[0].code for one in shared.shipments] == ["A", "A"]


def test_a_copy_that_names_its_code_is_whole():
    order = read(
        body(
            orderForm={
                "lineItems": [{"lineItemId": "L1", "code": "A", "holdId": "h"}],
                "shipments": [shipment({"lineItemId": "L1", "code": "B"})],
            }
        )
    )
    assert (order.shipments[0].line_items[0].code, order.shipments[0].line_items[0].hold_id) == ("B", None)


def test_what_is_shown_can_be_sent_back():
    order = read(
        body(
            orderForm={
                "lineItems": [{"lineItemId": "L2", "quantity": 4}],
                "shipments": [
                    shipment({"lineItemId": "L1", "quantity": 2, "holdId": "h"}),
                    shipment({"lineItemId": "L1", "quantity": 3}, shipment_id="S2"),
                ],
            }
        )
    )
    assert lines.decode_order(lines.encode_order(order)) == order


def test_the_cost_of_a_line_in_several_shipments_is_the_sum_and_the_weighted_unit_cost():
    order = read(
        body(
            orderForm={
                "shipments": [
                    shipment({"lineItemId": "L1", "quantity": 2, "cost": 10, "costTotal": 20}),
                    shipment(
                        {"lineItemId": "L1", "quantity": 1, "cost": 11, "costTotal": 11}, shipment_id="S2"
                    ),
                ]
            }
        )
    )
    (line,) = lines.form_lines(order)
    assert (line.cost, line.cost_total) == (Decimal("10.333333"), 31)


def test_a_patch_changes_what_it_names_and_null_takes_away():
    order = read(body(status="New", tags=["a"], odd=1, other=2, completed="2026-01-01T00:00:00Z"))
    changed = lines.patched_order(order, {"TAGS": ["b"], "completed": None, "odd": None, "isReadOnly": None})
    assert isinstance(changed, Order)
    assert (changed.tags, changed.completed, changed.status) == (("b",), None, "New")
    assert changed.extra == {"other": 2}
    assert changed.is_read_only is False
    refusal = lines.patched_order(order, {"storeId": None})
    assert isinstance(refusal, Refused)
    assert "storeId" in refusal.message


def test_the_effective_quantity_is_never_below_zero():
    line = OrderLine(line_item_id="L", quantity=Decimal(2), canceled_quantity=Decimal(5))
    assert line.effective == 0
    assert OrderLine(
        line_item_id="L", quantity=Decimal("2.5"), canceled_quantity=Decimal(1)
    ).effective == Decimal("1.5")


def test_virtual_lines_and_packages_move_no_stock():
    plain = OrderLine(line_item_id="L")
    assert plain.moves_stock
    order = read(
        body(
            orderForm={
                "shipments": [shipment({"lineItemId": "P", "components": [{"skuId": "A", "quantity": 2}]})]
            }
        )
    )
    assert not order.shipments[0].line_items[0].moves_stock
    assert not msgspec.structs.replace(plain, is_virtual_product=True).moves_stock
    assert not msgspec.structs.replace(plain, is_package_broke_down=True).moves_stock


def test_the_adopted_reservation_is_the_hold_or_the_reservation_also_as_a_property():
    def line(**more):
        return (
            read(body(orderForm={"shipments": [shipment({"lineItemId": "L", **more})]}))
            .shipments[0]
            .line_items[0]
        )

    assert adopted_reservation(line()) is None
    assert adopted_reservation(line(softReservationId="r")) == "r"
    assert adopted_reservation(line(softReservationId="r", holdId="h")) == "h"
    assert adopted_reservation(line(properties=[{"key": "SoftReservationId ", "value": "p"}])) == "p"


def test_the_value_of_a_property_may_be_written_as_any_json():
    order = read(
        body(properties=[{"key": "a", "value": True}, {"key": "b", "value": {"x": [1]}}, {"key": "c"}])
    )
    assert [one.value for one in order.properties] == ["true", '{"x":[1]}', None]


def test_parts_of_an_order_are_replaced_without_touching_the_rest():
    order = read(body(orderForm={"shipments": [shipment({"lineItemId": "L"}), shipment(shipment_id="S2")]}))
    changed = lines.with_shipment(order, Shipment(shipment_id="S2", status="Released"))
    changed = lines.with_shipment(changed, Shipment(shipment_id="S3"))
    assert [(one.shipment_id, one.status) for one in changed.shipments] == [
        ("S1", "AwaitingInventory"),
        ("S2", "Released"),
        ("S3", "AwaitingInventory"),
    ]
    coded = lines.with_lines(changed, lambda _, line: msgspec.structs.replace(line, code="A"))
    assert [line.code for _, line in lines.all_lines(coded)] == ["A"]
    assert lines.with_lines(coded, lambda _, line: msgspec.structs.replace(line, code="B"), "S2") == coded


def test_nothing_of_a_list_is_dropped_because_one_item_is_wrong():
    found = refused(body(errors=[{"key": 1}, 5]))
    assert [one.path for one in found.problems] == ["errors[1]"]


def test_a_whole_number_is_read_exactly():
    problems = []
    shape = entities.read_part
    assert (
        shape(
            Shipment,
            {
                "shipmentId": "S",
                "orderStatusLog": [{"status": "New", "durationSincePreviousMs": Decimal("1.5")}],
            },
            "",
            problems,
        )
        is None
    )
    assert problems[0].path == "orderStatusLog[0].durationSincePreviousMs"
