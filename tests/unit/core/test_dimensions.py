from __future__ import annotations

import pytest

from onhand.core import dimensions, keys
from onhand.core.outcomes import Reason, Rejected
from tests.conformance import fixtures
from tests.conformance.fixtures import compiled


@pytest.fixture
def by_product():
    return compiled(fixtures.fx_s())


@pytest.fixture
def by_location():
    return compiled(fixtures.fx_r())


def reason(outcome):
    assert isinstance(outcome, Rejected), outcome
    return outcome.reason


def test_there_are_33_base_dimensions_and_partition_comes_first():
    assert len(dimensions.BASE) == 33
    assert dimensions.BASE[:2] == ("siteid", "locationid")
    assert len(set(dimensions.BASE)) == 33


def test_output_spelling_is_lower_case_for_the_partition_only():
    assert [dimensions.display(name) for name in ("siteid", "locationid", "colorid", "wmslocationid")] == [
        "siteid",
        "locationid",
        "ColorId",
        "WMSLocationId",
    ]


@pytest.mark.parametrize("name", ["InventDimension7", "CUSTOMDIMENSION7", "customDimension7"])
def test_the_alias_of_custom_dimensions_is_accepted(by_product, name):
    assert dimensions.name_dimensions(by_product, {name: "x"}, None) == (("customdimension7", "x"),)


def test_names_are_case_insensitive_and_ordered(by_product):
    named = dimensions.name_dimensions(
        by_product, {"COLORID": "Red", "LocationId": "11", "siteId": "1"}, None
    )
    assert named == (("siteid", "1"), ("locationid", "11"), ("colorid", "Red"))


def test_external_names_need_their_data_source(by_product):
    dims = {"siteId": "1", "posMachineId": "0001"}
    assert dimensions.name_dimensions(by_product, dims, " POS ") == (
        ("siteid", "1"),
        ("extendeddimension1", "0001"),
    )
    for source in (None, "", " ", "iv"):
        assert reason(dimensions.name_dimensions(by_product, dims, source)) is Reason.UNKNOWN_DIMENSION


def test_an_unknown_data_source_is_refused(by_product):
    refused = dimensions.name_dimensions(by_product, {}, "nowhere")
    assert reason(refused) is Reason.UNKNOWN_DATA_SOURCE
    assert "pos" in refused.message


@pytest.mark.parametrize(
    ("dims", "hint"),
    [
        ({"siteid": "a\0b"}, "NUL"),
        ({"siteid": "x" * 201}, "201 characters"),
        ({"siteid": "\ud800"}, "surrogate"),
        ({"siteid": "1", "SiteId": "2"}, "given twice"),
        ({"siteid": "1", "SiteId": ""}, "given twice"),
        (dict.fromkeys(dimensions.BASE[:2], "é" * 200), "too long together"),
    ],
)
def test_bad_values_are_refused(by_product, dims, hint):
    refused = dimensions.name_dimensions(by_product, dims, None)
    assert reason(refused) is Reason.INVALID_VALUE
    assert hint in refused.message


def test_duplicates_that_agree_are_one(by_product):
    named = dimensions.name_dimensions(by_product, {"colorid": "Red", "ColorId": "RED"}, None)
    assert named == (("colorid", "Red"),)
    sensitive = compiled(fixtures.fx_s(), valueCase="sensitive")
    refused = dimensions.name_dimensions(sensitive, {"colorid": "Red", "ColorId": "RED"}, None)
    assert reason(refused) is Reason.INVALID_VALUE


def test_what_is_resolved_under_one_configuration_is_not_used_under_another():
    """The cache is keyed by the rules object: two versions never see each other's answers."""
    dims = {"posmachineid": "7"}
    first, second = compiled(fixtures.fx_s()), compiled(fixtures.fx_s())
    second.dimension_mappings["pos"]["posmachineid"] = "batchid"
    assert dimensions.name_dimensions(first, dims, "pos") == (("extendeddimension1", "7"),)
    assert dimensions.name_dimensions(second, dims, "pos") == (("batchid", "7"),)


def test_the_rules_that_are_remembered_are_bounded():
    for _ in range(dimensions._REMEMBERED_RULES + 5):
        assert dimensions.name_dimensions(compiled(fixtures.fx_x()), {}, None) == ()
    assert len(dimensions._handles) <= dimensions._REMEMBERED_RULES


def test_a_record_has_a_place_a_cell_and_both_spellings(by_location):
    named = dimensions.name_dimensions(
        by_location,
        {"BatchId": "B 1", "ColorId": "Red&Blue", "SiteId": "1", "LocationId": "11", "SizeId": ""},
        None,
    )
    position = dimensions.record_position(by_location, named)
    assert position.key == "siteid=1&locationid=11&colorid=red%26blue&batchid=b 1"
    assert position.place == "siteid=1&locationid=11"
    assert position.cell == "siteid=1&locationid=11&colorid=red%26blue"
    assert ("colorid", "red&blue") in position.dimensions
    assert ("colorid", "Red&Blue") in position.shown
    assert keys.decode(position.key) == position.dimensions


def test_by_product_there_is_one_empty_place(by_product):
    position = dimensions.record_position(by_product, (("siteid", "1"), ("colorid", "red")))
    assert (position.place, position.cell, position.key) == ("", "siteid=1", "siteid=1&colorid=red")


def test_case_sensitive_values_keep_their_case():
    rules = compiled(fixtures.fx_s(), valueCase="sensitive")
    assert dimensions.record_position(rules, (("siteid", "Main"),)).key == "siteid=Main"


def test_an_on_hand_record_may_lack_the_partition_unless_the_switch_demands_it(by_location):
    assert dimensions.on_hand_position(by_location, ()).key == ""
    strict = compiled(fixtures.fx_r(), requirePartitionOnOnHand=True)
    assert reason(dimensions.on_hand_position(strict, (("siteid", "1"),))) is Reason.PARTITION_MISSING
    assert dimensions.on_hand_position(strict, (("siteid", "1"), ("locationid", "11"))).place


def test_d05_an_unconfigured_dimension_is_refused_even_without_a_value(by_product):
    named = dimensions.name_dimensions(by_product, {"siteId": "1", "locationId": "11", "colorId": ""}, None)
    refused = dimensions.reservation_node(by_product, named)
    assert reason(refused) is Reason.DIMENSION_NOT_CONFIGURED
    assert "ColorId" in refused.message


def test_d06_with_the_filter_on_it_is_dropped():
    rules = compiled(fixtures.fx_s_filtering())
    for value in ("", "red"):
        named = dimensions.name_dimensions(rules, {"siteId": "1", "locationId": "11", "colorId": value}, None)
        assert dimensions.reservation_node(rules, named).key == "siteid=1&locationid=11"


def test_an_empty_value_of_a_configured_dimension_equals_an_absent_one(by_location):
    place = {"siteId": "1", "locationId": "11"}
    one = dimensions.name_dimensions(by_location, {**place, "colorId": ""}, None)
    other = dimensions.name_dimensions(by_location, place, None)
    assert dimensions.reservation_node(by_location, one) == dimensions.reservation_node(by_location, other)


@pytest.mark.parametrize("dims", [(), (("siteid", "1"),), (("siteid", "1"), ("locationid", ""))])
def test_d14_by_location_site_and_location_are_required(by_location, dims):
    assert reason(dimensions.reservation_node(by_location, dims)) is Reason.PARTITION_MISSING


def test_by_product_both_are_optional(by_product):
    assert dimensions.reservation_node(by_product, ()).key == ""
    assert dimensions.reservation_node(by_product, (("locationid", "11"),)).key == "locationid=11"


def test_d17_any_subset_with_the_partition_unless_the_hierarchy_is_strict(by_location):
    place = (("siteid", "1"), ("locationid", "11"))
    gap = (*place, ("sizeid", "small"))
    assert dimensions.reservation_node(by_location, gap).key == "siteid=1&locationid=11&sizeid=small"
    strict = compiled(fixtures.fx_r(), strictReservationHierarchy=True)
    assert reason(dimensions.reservation_node(strict, gap)) is Reason.NOT_A_HIERARCHY_PREFIX
    for more in ((), (("colorid", "red"),), (("colorid", "red"), ("sizeid", "small"))):
        assert dimensions.reservation_node(strict, (*place, *more)).cell


def test_refused_dimension_sets_are_not_remembered(by_product):
    before = len(dimensions._named_sets)
    dimensions.name_dimensions(by_product, {"nonsense" * 1000: "x"}, None)
    assert len(dimensions._named_sets) == before
