"""What is written can be read back: keys, quantities, ids, documents; and sums survive grouping."""

from __future__ import annotations

import copy
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from onhand.core import configuration, dimensions, grouping, keys, quantities
from onhand.core.outcomes import Rejected
from onhand.core.query import Query, index_query, needs_records
from tests.conformance import fixtures
from tests.conformance.fixtures import FIXTURES, compiled
from tests.unit.core.stocks import product_stock

VALUES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20)
NAMED = st.dictionaries(st.sampled_from(dimensions.BASE), VALUES, max_size=6).map(
    lambda chosen: tuple((name, chosen[name]) for name in dimensions.BASE if name in chosen)
)
SCALED = st.integers(-quantities.MAX_UNITS * quantities.SCALE, quantities.MAX_UNITS * quantities.SCALE)
RULES = compiled(fixtures.fx_r())


@given(NAMED)
def test_a_key_decodes_to_what_was_encoded(named):
    assert keys.decode(keys.encode(named)) == named


@given(NAMED, NAMED)
def test_different_dimensions_have_different_keys(one, other):
    assert (keys.encode(one) == keys.encode(other)) == (one == other)


@given(NAMED)
def test_place_and_cell_are_projections_of_the_position(named):
    position = dimensions.record_position(RULES, named)
    assert (
        set(keys.decode(position.place)) <= set(keys.decode(position.cell)) <= set(keys.decode(position.key))
    )
    assert keys.decode(position.key) == position.dimensions
    again = dimensions.record_position(RULES, position.dimensions)
    assert again.key == position.key


@given(NAMED)
def test_the_order_and_the_case_of_names_do_not_matter(named):
    forwards = dimensions.name_dimensions(RULES, dict(named), None)
    backwards = dimensions.name_dimensions(
        RULES, {name.upper(): value for name, value in reversed(named)}, None
    )
    assert forwards == backwards
    assert isinstance(forwards, Rejected) or forwards == named


@given(SCALED)
def test_a_quantity_survives_output_and_input(scaled):
    shown = quantities.to_decimal(scaled)
    assert quantities.parse(shown) == scaled
    assert quantities.parse(quantities.to_text(scaled)) == scaled
    assert Decimal(shown) * quantities.SCALE == scaled


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.text(max_size=30) | st.integers())
def test_any_input_is_read_exactly_or_refused(value):
    try:
        scaled = quantities.parse(value)
    except quantities.QuantityError:
        return
    assert Decimal(scaled) == Decimal(value) * quantities.SCALE
    assert abs(scaled) <= quantities.MAX_UNITS * quantities.SCALE


@given(SCALED)
def test_floor_is_the_integer_below(scaled):
    units = quantities.floor_units(scaled)
    assert units * quantities.SCALE <= scaled < (units + 1) * quantities.SCALE


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(1, 2**63 - 1),
    st.integers(1, 2**63 - 1),
    st.text(max_size=40),
)
def test_a_hold_id_is_read_back_and_other_texts_never_fail(k, product_id, number, text):
    assert keys.parse_hold_id(keys.hold_id(k, product_id, number)) == (k, product_id, number)
    keys.parse_hold_id(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(FIXTURES)), st.data())
def test_a_damaged_document_is_never_a_crash(name, data):
    """`validate` is total, and what it lets pass compiles."""
    document = copy.deepcopy(FIXTURES[name]())  # fixtures share parts
    node = document
    while True:
        key = data.draw(st.sampled_from(sorted(node))) if isinstance(node, dict) else None
        if key is None:
            break
        if not isinstance(node[key], dict) or not node[key] or data.draw(st.booleans()):
            node[key] = data.draw(JSON)
            break
        node = node[key]
    problems = configuration.validate(document)
    configuration.check_change(FIXTURES[name](), document, {("iv", "onhand")}, has_stock=True)
    assert configuration.diff(document, document) == []
    if not [problem for problem in problems if problem.severity == "error"]:
        compiled(document)


RECORDS = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {
                "siteid": st.just("1"),
                "locationid": st.sampled_from(["11", "12"]),
                "colorid": st.sampled_from(["", "red", "Blue"]),
                "batchid": st.sampled_from(["", "b1", "b2"]),
            }
        ),
        st.dictionaries(
            st.sampled_from(["fno.availphysical", "pos.outbound"]), st.integers(-50, 50), max_size=2
        ),
    ),
    min_size=1,
    max_size=12,
)


@given(RECORDS, st.lists(st.sampled_from(["colorid", "batchid", "sizeid"]), unique=True))
def test_grouping_neither_loses_nor_invents_stock(records, group_by):
    stock = product_stock(RULES, *records)
    query = index_query(
        RULES, organizations=["usmf"], products=["d0002"], group_by=group_by, return_negative=True
    )
    assert isinstance(query, Query)
    assert needs_records(RULES, query) == ("batchid" in group_by)
    rows = grouping.evaluate(RULES, query, [stock])
    for source, measure in (("fno", "availphysical"), ("pos", "outbound")):
        total = sum(row.quantities.get(source, {}).get(measure, 0) for row in rows)
        posted = sum(units.get(f"{source}.{measure}", 0) for _, units in records)
        assert total == posted * quantities.SCALE
    seen = [tuple(row.dimensions.values()) for row in rows]
    assert len(seen) == len({tuple(value.casefold() for value in values) for values in seen})
