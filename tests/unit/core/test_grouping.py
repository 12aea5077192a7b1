from __future__ import annotations

from typing import Any

import msgspec
import pytest

from onhand.core import grouping, quantities
from onhand.core.query import Query, exact_query, index_query
from onhand.core.rules import Limits
from tests.conformance import fixtures
from tests.conformance.fixtures import compiled, document, source
from tests.unit.core.stocks import product_stock

PLACE = {"siteid": "1", "locationid": "11"}


def ask(rules, *stocks, exact=None, **given: Any):
    """Rows of an index query (or an exact one), quantities in units."""
    given = {"organizations": ["usmf"], "products": ["d0002"], "return_negative": True, **given}
    made = (
        exact_query(rules, keys=exact[0], values=exact[1], **given) if exact else index_query(rules, **given)
    )
    assert isinstance(made, Query), made
    rows = grouping.evaluate(rules, made, stocks)
    return [
        (
            row.dimensions,
            {
                f"{source}.{measure}": quantities.to_decimal(quantity)
                for source, measures in row.quantities.items()
                for measure, quantity in measures.items()
            },
        )
        for row in rows
    ]


def by(rows, *names, measure="pos.inbound"):
    """Measure by the values of some dimensions."""
    return {
        "/".join(dimensions[name] for name in names): quantities[measure] for dimensions, quantities in rows
    }


# 5.6, index sample -------------------------------------------------------------------------------------------

FX_X = compiled(fixtures.fx_x())
SAMPLE = [
    ("Black", "Small", "Wide", 1),
    ("Black", "Small", "Regular", 2),
    ("Black", "Large", "Wide", 3),
    ("Black", "Large", "Regular", 4),
    ("Red", "Small", "Wide", 5),
    ("Red", "Small", "Regular", 6),
    ("Red", "Large", "Regular", 7),
]
INDEX_SAMPLE = product_stock(
    FX_X,
    *(
        ({**PLACE, "ColorId": color, "SizeId": size, "StyleId": style}, {"pos.inbound": units})
        for color, size, style, units in SAMPLE
    ),
)


def test_f01_without_grouping_there_is_one_row():
    assert ask(FX_X, INDEX_SAMPLE) == [(PLACE, {"pos.inbound": 28})]


def test_f02_by_color():
    rows = ask(FX_X, INDEX_SAMPLE, group_by=["ColorId"])
    assert by(rows, "ColorId") == {"Black": 10, "Red": 18}


def test_f03_by_color_and_size():
    rows = ask(FX_X, INDEX_SAMPLE, group_by=["ColorId", "SizeId"])
    assert by(rows, "ColorId", "SizeId") == {
        "Black/Small": 3,
        "Black/Large": 7,
        "Red/Small": 11,
        "Red/Large": 7,
    }


def test_all_three_dimensions_give_the_seven_records():
    rows = ask(FX_X, INDEX_SAMPLE, group_by=["ColorId", "SizeId", "StyleId"])
    assert by(rows, "ColorId", "SizeId", "StyleId") == {
        f"{color}/{size}/{style}": units for color, size, style, units in SAMPLE
    }


def test_f05_a_grouping_that_is_no_index_prefix():
    assert by(ask(FX_X, INDEX_SAMPLE, group_by=["SizeId"]), "SizeId") == {"Small": 14, "Large": 14}


def test_f32_output_spelling_and_first_seen_values():
    stock = product_stock(
        FX_X,
        ({"siteid": "Main", "locationid": "11", "ColorId": "Black"}, {"pos.inbound": 1}),
        ({"siteid": "MAIN", "locationid": "11", "ColorId": "BLACK", "SizeId": "s"}, {"pos.inbound": 2}),
    )
    ((dimensions, shown),) = ask(FX_X, stock, group_by=["colorid"])
    assert dimensions == {"ColorId": "Black", "siteid": "Main", "locationid": "11"}
    assert shown == {"pos.inbound": 3}


def test_organization_and_product_are_shown_as_first_seen():
    stock = product_stock(FX_X, (PLACE, {"pos.inbound": 1}), product="T-Shirt", organization="USMF")
    made = index_query(FX_X, organizations=["usmf"], products=["t-shirt"])
    assert isinstance(made, Query)
    (row,) = grouping.evaluate(FX_X, made, [stock])
    assert (row.organization, row.product) == ("USMF", "T-Shirt")


def test_f08_a_row_for_each_warehouse():
    stock = product_stock(
        FX_X,
        *(({"siteid": "1", "locationid": name}, {"pos.inbound": 1}) for name in ("11", "12", "13", "14")),
    )
    rows = ask(FX_X, stock, dimensions={"siteId": ["1"], "locationId": ["11", "12", "13"]})
    assert [dimensions for dimensions, _ in rows] == [
        {"siteid": "1", "locationid": name} for name in ("11", "12", "13")
    ]


def test_f29_a_wrong_site_gives_no_rows():
    assert ask(FX_X, INDEX_SAMPLE, dimensions={"siteId": ["9"]}) == []
    assert ask(FX_X) == []


def test_filters_are_an_or_within_and_an_and_between():
    given = {"dimensions": {"colorId": ["RED", "green"], "sizeId": ["small"]}}
    assert ask(FX_X, INDEX_SAMPLE, **given) == [(PLACE, {"pos.inbound": 11})]
    echoing = compiled(fixtures.fx_x(), echoFilterDimensions=True)
    ((dimensions, _),) = ask(echoing, INDEX_SAMPLE, **given)
    assert dimensions == {"ColorId": "Red", "SizeId": "Small", **PLACE}


def test_an_empty_value_can_be_asked_for():
    stock = product_stock(
        FX_X, (PLACE, {"pos.inbound": 1}), ({**PLACE, "colorid": "red"}, {"pos.inbound": 2})
    )
    assert by(ask(FX_X, stock, group_by=["colorid"]), "ColorId") == {"": 1, "red": 2}
    assert ask(FX_X, stock, dimensions={"colorid": [""]}) == [(PLACE, {"pos.inbound": 1})]


def test_f20_an_exact_query_returns_its_tuples_only():
    rows = ask(
        FX_X,
        INDEX_SAMPLE,
        exact=(["siteId", "locationId", "colorId"], [["1", "11", "red"], ["1", "12", "black"]]),
        group_by=["colorId", "sizeId"],
    )
    assert by(rows, "siteid", "locationid", "ColorId", "SizeId") == {
        "1/11/Red/Small": 11,
        "1/11/Red/Large": 7,
    }


def test_f24_tuples_of_an_exact_query_belong_to_their_organization():
    stocks = [
        product_stock(
            FX_X, ({"siteid": site, "locationid": "11"}, {"pos.inbound": 1}), organization=organization
        )
        for organization in ("org1", "org2")
        for site in ("1", "2")
    ]
    tuples = [["ORG1", "1", "11"], ["org2", "2", "11"]]
    made = exact_query(FX_X, keys=["organizationId", "siteId", "locationId"], values=tuples)
    assert isinstance(made, Query)
    rows = grouping.evaluate(FX_X, made, stocks)
    assert [(row.organization, row.dimensions["siteid"]) for row in rows] == [("org1", "1"), ("org2", "2")]


# Records below the cells -------------------------------------------------------------------------------------

LOTS = product_stock(
    FX_X,
    ({**PLACE, "colorid": "red", "batchid": "b1"}, {"pos.inbound": 3}),
    ({**PLACE, "colorid": "red", "batchid": "b2"}, {"pos.inbound": 4}),
    ({**PLACE, "colorid": "blue"}, {"pos.inbound": 5}),
    ({**PLACE, "colorid": "blue", "batchid": "b1"}, {"pos.inbound": 6}),
)


def test_cells_carry_their_records():
    assert by(ask(FX_X, LOTS, group_by=["colorid"]), "ColorId") == {"red": 7, "blue": 11}


def test_a_grouping_by_batch_counts_each_record_once():
    rows = ask(FX_X, LOTS, group_by=["batchid"])
    assert by(rows, "BatchId") == {"b1": 9, "b2": 4, "": 5}
    assert ask(FX_X, LOTS, dimensions={"batchid": ["b1"]}) == [(PLACE, {"pos.inbound": 9})]


# Partition by product ----------------------------------------------------------------------------------------

FX_S = compiled(fixtures.fx_s())
TWO_SITES = product_stock(
    FX_S,
    ({"siteid": "1", "locationid": "11"}, {"iv.onhand": 3}),
    ({"siteid": "2", "locationid": "21"}, {"iv.onhand": 4}),
    ({}, {"iv.onhand": 10}),
)


def test_c13_by_product_everything_is_summed():
    ((dimensions, shown),) = ask(FX_S, TWO_SITES)
    assert dimensions == {}
    assert (shown["iv.onhand"], shown["@iv.@available_to_reserve"]) == (17, 17)


def test_by_product_site_and_location_appear_when_filtered_or_grouped():
    filtered = ask(FX_S, TWO_SITES, dimensions={"siteId": ["1", "2"]})
    assert [dimensions for dimensions, _ in filtered] == [{"siteid": "1"}, {"siteid": "2"}]
    assert by(ask(FX_S, TWO_SITES, group_by=["locationid"]), "locationid", measure="iv.onhand") == {
        "11": 3,
        "21": 4,
        "": 10,
    }
    always = compiled(fixtures.fx_s(), byProductPartitionKeys="always")
    assert [dimensions for dimensions, _ in ask(always, TWO_SITES)] == [
        {"siteid": "1", "locationid": "11"},
        {"siteid": "2", "locationid": "21"},
        {"siteid": "", "locationid": ""},
    ]


# Measures ----------------------------------------------------------------------------------------------------


def test_f07_a_calculated_measure_over_several_sources():
    rules = compiled(fixtures.fx_c())
    posted = {
        "fno.availphysical": 100,
        "fno.orderedintotal": 50,
        "fno.orderedreserved": 10,
        "pos.inbound": 80,
        "pos.outbound": 20,
        "ecommerce.received": 90,
        "ecommerce.scheduled": 30,
        "ecommerce.issued": 60,
        "ecommerce.reserved": 40,
    }
    ((_, shown),) = ask(rules, product_stock(rules, (PLACE, posted)))
    assert shown == {**posted, "crosschannel.mycustomavailableforreservation": 220}


def test_f25_missing_components_are_shown_as_zero():
    rules = compiled(fixtures.fx_p_totals())
    stock = product_stock(
        rules,
        (
            {**PLACE, "colorid": "White"},
            {"fno.availordered": 20, "fno.onorder": 5, "fno.ordered": 20, "fno.orderedsum": 20},
        ),
        (
            {**PLACE, "colorid": "Black"},
            {"fno.availordered": 3, "fno.ordered": 3, "fno.orderedsum": 3},
        ),
    )
    (_, white), (_, black) = ask(rules, stock, group_by=["colorid"])
    assert white == {
        "fno.arrived": 0,
        "fno.availordered": 20,
        "fno.onorder": 5,
        "fno.ordered": 20,
        "fno.orderedsum": 20,
        "fno.physicalinvent": 0,
        "fno.reservphysical": 0,
        "fno.softreserved": 0,
        "pos.inbound": 0,
        "pos.outbound": 0,
        "iv.ordered": 0,
        "iv.softreserved": 0,
        "@iv.@allocated": 0,
        "iv.availabletoreserve": 20,
        "iv.totalavailable": 20,
        "iv.totalordered": 20,
        "iv.totalonorder": 5,
    }
    assert not {"fno.onorder", "iv.totalonorder", "iv.totalonhand", "pos.availquantity"} & set(black)
    assert (black["iv.availabletoreserve"], black["iv.totalavailable"], black["fno.arrived"]) == (3, 3, 0)


def test_a_measure_that_was_stored_is_shown_even_when_it_is_zero():
    stock = product_stock(FX_X, (PLACE, {"pos.inbound": 2}), (PLACE, {"pos.inbound": -2}))
    assert ask(FX_X, stock) == [(PLACE, {"pos.inbound": 0})]


NEGATIVE = product_stock(FX_S, (PLACE, {"iv.onhand": 10, "@iv.@softreserved": 100}))


def test_f27_negative_calculated_measures_are_hidden_unless_asked_for():
    ((_, shown),) = ask(FX_S, NEGATIVE)
    assert shown["@iv.@available_to_reserve"] == -90
    ((_, hidden),) = ask(FX_S, NEGATIVE, return_negative=False)
    assert "@iv.@available_to_reserve" not in hidden
    assert (hidden["iv.onhand"], hidden["@iv.@softreserved"]) == (10, 100)
    clamping = compiled(fixtures.fx_s(), hideNegative="clamp")
    ((_, clamped),) = ask(clamping, NEGATIVE, return_negative=False)
    assert clamped["@iv.@available_to_reserve"] == 0


def test_negative_physical_measures_stay():
    stock = product_stock(FX_X, (PLACE, {"pos.inbound": -2}))
    assert ask(FX_X, stock, return_negative=False) == [(PLACE, {"pos.inbound": -2})]


def test_f31_hidden_sources_are_computed_with_and_left_out():
    rules = compiled(
        document(
            source("iv", "a", calculated={"sum": (["iv.a", "pbi.b"], [])}),
            source("pbi", "b", calculated={"c": (["iv.a"], [])}),
        )
    )
    stock = product_stock(rules, (PLACE, {"iv.a": 1, "pbi.b": 2}))
    assert ask(rules, stock) == [(PLACE, {"iv.a": 1, "iv.sum": 3})]
    only_hidden = product_stock(rules, (PLACE, {"pbi.b": 0}))
    assert ask(compiled(document(source("pbi", "b"))), product_stock(rules, (PLACE, {"pbi.b": 1}))) == []
    assert ask(rules, only_hidden) == [(PLACE, {"iv.a": 0, "iv.sum": 0})]


# 3.10.6, what is shown for available for reservation ---------------------------------------------------------

FX_R = compiled(fixtures.fx_r())
PLAIN = compiled(fixtures.fx_r(), reservationLevels="independent")
AFR = "iv.availabletoreserve"


def record(color="", size="", more=None, **posted):
    names = {
        "stock": "fno.availphysical",
        "held": "iv.softreservphysical",
        "outbound": "pos.outbound",
    }
    dims = {**PLACE, "colorid": color, "sizeid": size, **(more or {})}
    return dims, {names[name]: units for name, units in posted.items()}


def shown(rules, stock, *group_by, **given):
    return by(
        ask(rules, stock, group_by=group_by, **given),
        *({"colorid": "ColorId", "sizeid": "SizeId", "batchid": "BatchId"}[name] for name in group_by),
        measure=AFR,
    )


def test_d21_and_example_1_nested_levels():
    stock = product_stock(FX_R, record("red", "small", stock=10), record("red", held=4))
    node = {"colorId": ["red"], "sizeId": ["small"]}
    assert shown(FX_R, stock, dimensions=node) == {"": 6}
    assert shown(PLAIN, stock, dimensions=node) == {"": 10}
    for rules in (FX_R, PLAIN):
        assert shown(rules, stock, "colorid") == {"red": 6}
        assert shown(rules, stock) == {"": 6}
    assert shown(FX_R, stock, "colorid", "sizeid") == {"red/small": 6, "red/": 6}
    assert shown(PLAIN, stock, "colorid", "sizeid") == {"red/small": 10, "red/": -4}


FOUR = (("red", "small", 5), ("red", "large", 5), ("blue", "small", 5), ("blue", "large", 20))


@pytest.mark.parametrize(
    ("held", "red", "small", "blue", "large", "cells", "whole"),
    [
        ([], 10, 10, 25, 25, (5, 5, 5, 20), 35),
        ([record(size="small", held=10)], 5, 0, 20, 25, (0, 5, 0, 20), 25),
        ([record(size="small", held=6)], 9, 4, 24, 25, (4, 5, 4, 20), 29),
        ([record(size="small", held=10), record("red", held=5)], 0, 0, 20, 20, (0, 0, 0, 20), 20),
    ],
)
def test_example_2_crossing_levels(held, red, small, blue, large, cells, whole):
    stock = product_stock(FX_R, *(record(color, size, stock=units) for color, size, units in FOUR), *held)
    colors = shown(FX_R, stock, "colorid")
    assert (colors["red"], colors["blue"]) == (red, blue)
    sizes = shown(FX_R, stock, "sizeid")
    assert (sizes["small"], sizes["large"]) == (small, large)
    both = shown(FX_R, stock, "colorid", "sizeid")
    assert tuple(both[f"{color}/{size}"] for color, size, _ in FOUR) == cells
    assert shown(FX_R, stock) == {"": whole}


def test_a_row_may_stand_for_several_values():
    stock = product_stock(
        FX_R,
        *(record(color, size, stock=units) for color, size, units in FOUR),
        record(size="small", held=10),
    )
    reds_and_greens = {"colorId": ["red", "green"]}
    assert shown(FX_R, stock, dimensions=reds_and_greens) == {"": 5}
    assert shown(FX_R, stock, "sizeid", dimensions=reds_and_greens) == {"small": 0, "large": 5}


def test_example_3_already_short():
    stock = product_stock(FX_R, record("red", "small", stock=10, held=13), record("blue", "small", stock=5))
    assert shown(FX_R, stock, "colorid", "sizeid") == {"red/small": -3, "blue/small": 5}
    assert shown(FX_R, stock, "colorid") == {"red": -3, "blue": 5}
    assert shown(FX_R, stock) == {"": 2}


def test_example_4_coarse_outbound():
    stock = product_stock(FX_R, record("red", "small", stock=10), record(outbound=3))
    assert shown(FX_R, stock) == {"": 7}
    assert shown(FX_R, stock, "colorid") == {"red": 7, "": 7}
    assert shown(FX_R, stock, "colorid", "sizeid") == {"red/small": 7, "/": 7}


def test_restrictions_below_the_cells_take_the_smaller_value():
    stock = product_stock(
        FX_R,
        record("red", more={"batchid": "b1"}, stock=3),
        record("red", more={"batchid": "b2"}, stock=9),
        record("red", held=4),
    )
    assert shown(FX_R, stock) == {"": 8}
    assert shown(FX_R, stock, "batchid") == {"b1": 3, "b2": 8, "": 8}
    assert shown(FX_R, stock, dimensions={"batchid": ["b2"]}) == {"": 8}
    assert shown(PLAIN, stock, "batchid") == {"b1": 3, "b2": 9, "": -4}


def test_places_do_not_share_reservations():
    stock = product_stock(
        FX_R,
        record("red", stock=10),
        ({"siteid": "1", "locationid": "12", "colorid": "red"}, {"fno.availphysical": 7}),
        ({"siteid": "1", "locationid": "12"}, {"iv.softreservphysical": 5}),
        ({"colorid": "red"}, {"fno.availphysical": 1}),
    )
    rows = ask(FX_R, stock, dimensions={"colorId": ["red"]})
    assert by(rows, "locationid", measure=AFR) == {"11": 10, "12": 2, "": 1}


def test_a_query_keeps_to_the_bound_of_the_flow_as_a_reservation_does():
    stock = product_stock(
        FX_R,
        *(record(*one[:2], stock=one[2]) for one in FOUR),
        record("red", held=1),
        record(size="small", held=1),
    )
    assert shown(FX_R, stock, "colorid") == {"red": 9, "blue": 25, "": 33}
    bounded = msgspec.structs.replace(FX_R, limits=Limits(nodes_max=1))
    assert shown(bounded, stock, "colorid") == {"red": 0, "blue": 0, "": 0}
