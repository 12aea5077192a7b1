from __future__ import annotations

import pytest

from onhand.core.outcomes import Reason, Rejected
from onhand.core.query import (
    NO_INDEX,
    Query,
    check_query,
    exact_query,
    index_query,
    needs_records,
    row_dimensions,
    wanted_places,
)
from tests.conformance import fixtures
from tests.conformance.fixtures import compiled

BY_PRODUCT = compiled(fixtures.fx_s())
BY_LOCATION = compiled(fixtures.fx_l())
WITH_COLOR = compiled(fixtures.fx_r())
PLACE = {"siteId": ["1"], "locationId": ["11"]}


def index(rules, **given):
    made = index_query(rules, **{"organizations": ["USMF"], **given})
    assert isinstance(made, Query), made
    return made


def exact(rules, keys, values, **given):
    made = exact_query(rules, keys=keys, values=values, **{"organizations": ["USMF"], **given})
    assert isinstance(made, Query), made
    return made


def test_names_are_resolved_and_values_folded():
    made = index(
        BY_PRODUCT,
        products=["A0001", "a0001", ""],
        dimensions={"PosMachineId": ["X1"], "COLORID": ["Red", "red"], "sizeId": []},
        group_by=["ProductId", "colorid", "ColorId", "posMachineId", "organizationid", ""],
        source="pos",
    )
    assert made.organizations == ("usmf",)
    assert made.products == ("a0001",)
    assert made.filters == {"extendeddimension1": {"x1"}, "colorid": {"red"}}
    assert made.group_by == ("colorid", "extendeddimension1")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"dimensions": {"posMachineId": ["1"]}}, Reason.UNKNOWN_DIMENSION),
        ({"group_by": ["hue"]}, Reason.UNKNOWN_DIMENSION),
        ({"source": "nowhere"}, Reason.UNKNOWN_DATA_SOURCE),
        ({"products": ["a\0b"]}, Reason.INVALID_VALUE),
        ({"organizations": ["x" * 201]}, Reason.INVALID_VALUE),
        ({"dimensions": {"siteid": ["\ud800"]}}, Reason.INVALID_VALUE),
    ],
)
def test_what_an_index_query_cannot_mean_is_refused(given, reason):
    refused = index_query(BY_PRODUCT, **{"organizations": ["usmf"], **given})
    assert isinstance(refused, Rejected)
    assert refused.reason is reason


@pytest.mark.parametrize(
    ("keys", "values", "reason"),
    [
        (["siteId", "SITEID"], [["1", "1"]], Reason.INVALID_VALUE),
        (["siteId"], [["1", "2"]], Reason.INVALID_VALUE),
        (["hue"], [["1"]], Reason.UNKNOWN_DIMENSION),
        (["siteId"], [["\0"]], Reason.INVALID_VALUE),
    ],
)
def test_what_an_exact_query_cannot_mean_is_refused(keys, values, reason):
    refused = exact_query(BY_LOCATION, organizations=["usmf"], keys=keys, values=values)
    assert isinstance(refused, Rejected)
    assert refused.reason is reason


def test_f24_the_organization_may_be_a_key():
    made = exact(
        BY_LOCATION, ["organizationId", "siteId", "locationId"], [["SCM_IV", "s1", "l1"]], organizations=[]
    )
    assert made.organizations == ("scm_iv",)
    assert made.group_by == ("siteid", "locationid")
    assert check_query(BY_LOCATION, made, 2) is None
    assert wanted_places(BY_LOCATION, made) == ("siteid=s1&locationid=l1",)
    assert not needs_records(BY_LOCATION, made)


@pytest.mark.parametrize(
    ("rules", "given", "version", "message"),
    [
        (BY_LOCATION, {"dimensions": PLACE}, 1, None),  # F10
        (BY_LOCATION, {}, 1, "at least one productId, or"),  # F11
        (BY_LOCATION, {"dimensions": {"siteId": ["1"], "locationId": []}}, 1, "at least one productId, or"),
        (BY_LOCATION, {"products": ["a"]}, 1, None),  # F12
        (BY_LOCATION, {"products": ["a"], "dimensions": {"siteId": [], "locationId": []}}, 1, None),
        (BY_PRODUCT, {"dimensions": PLACE}, 1, "at least one productId"),  # F13
        (BY_PRODUCT, {"products": ["a"]}, 1, None),
        (
            BY_LOCATION,
            {"products": ["a"], "organizations": ["a", "b"]},
            1,
            "exactly one organizationId",
        ),  # F15
        (BY_LOCATION, {"products": ["a"], "organizations": ["a", "b"]}, 2, None),
        (BY_LOCATION, {"products": ["a"], "organizations": ["a", "A"]}, 1, None),
        (BY_LOCATION, {"products": ["a"], "organizations": []}, 1, "exactly one organizationId"),
        (BY_LOCATION, {"products": ["a"], "organizations": []}, 2, "at least one organizationId"),
        (BY_LOCATION, {"products": [str(n) for n in range(5_000)]}, 1, None),
        (BY_LOCATION, {"products": [str(n) for n in range(5_001)]}, 1, "5,000 products"),  # F16
    ],
)
def test_requirements_of_an_index_query(rules, given, version, message):
    problem = check_query(rules, index(rules, **given), version)
    assert problem is None if message is None else message in (problem or "")


def test_f16_sites_times_locations_are_limited_in_version_1():
    dimensions = {"siteId": [str(n) for n in range(101)], "locationId": [str(n) for n in range(100)]}
    made = index(BY_LOCATION, dimensions=dimensions)
    assert "10,100 combinations, the limit is 10,000" in (check_query(BY_LOCATION, made, 1) or "")
    assert check_query(BY_LOCATION, made, 2) is None
    more = compiled(fixtures.fx_l(), maxSiteLocationCombinations=10_100)
    assert check_query(more, made, 1) is None


@pytest.mark.parametrize(
    ("rules", "keys", "values", "products", "message"),
    [
        (BY_LOCATION, [], [[]], [], "must contain siteId and locationId"),  # F21
        (BY_LOCATION, ["locationid", "siteid"], [["11", "1"]], [], None),  # F23
        (BY_LOCATION, ["siteid", "colorid"], [["1", "red"]], ["a"], "must contain siteId and locationId"),
        (BY_PRODUCT, [], [[]], ["a"], None),
        (BY_PRODUCT, [], [[]], [], "at least one productId"),
        (BY_LOCATION, ["locationid", "siteid"], [[str(n), "1"] for n in range(10_001)], [], "10,000 tuples"),
    ],
)
def test_requirements_of_an_exact_query(rules, keys, values, products, message):
    problem = check_query(rules, exact(rules, keys, values, products=products), 1)
    assert problem is None if message is None else message in (problem or "")


def test_without_an_index_set_every_query_fails():
    document = fixtures.fx_s()
    document["indexConfiguration"]["indexAttributeSets"] = []
    rules = compiled(document)
    assert check_query(rules, index(rules, products=["a"]), 1) == NO_INDEX
    document["indexConfiguration"]["indexAttributeSets"] = [{"setNumber": 1, "keys": ["empty"]}]
    rules = compiled(document)
    assert check_query(rules, index(rules, products=["a"]), 1) is None


def test_places_are_the_cross_product_or_all():
    made = index(BY_LOCATION, dimensions={"siteId": ["1", "2"], "locationId": ["11", ""]})
    assert wanted_places(BY_LOCATION, made) == (
        "siteid=1",
        "siteid=1&locationid=11",
        "siteid=2",
        "siteid=2&locationid=11",
    )
    assert (
        wanted_places(BY_LOCATION, index(BY_LOCATION, products=["a"], dimensions={"siteId": ["1"]})) is None
    )
    assert wanted_places(BY_PRODUCT, index(BY_PRODUCT, products=["a"], dimensions=PLACE)) is None


@pytest.mark.parametrize(
    ("rules", "given", "records"),
    [
        (WITH_COLOR, {"group_by": ["ColorId", "LocationId"]}, False),
        (WITH_COLOR, {"dimensions": {"colorId": ["red"], **PLACE}}, False),
        (WITH_COLOR, {"group_by": ["batchId"]}, True),
        (WITH_COLOR, {"dimensions": {"batchId": ["1"]}}, True),
        (BY_PRODUCT, {"group_by": ["colorid"]}, True),
        (BY_PRODUCT, {"dimensions": PLACE}, False),
    ],
)
def test_records_are_needed_below_the_reservation_dimensions_only(rules, given, records):
    assert needs_records(rules, index(rules, **given)) is records


def test_row_dimensions_by_location_always_end_with_the_partition():
    made = index(WITH_COLOR, group_by=["LocationId", "sizeid", "colorid"], dimensions={"styleid": ["wide"]})
    assert row_dimensions(WITH_COLOR, made) == ("sizeid", "colorid", "siteid", "locationid")
    echoing = compiled(fixtures.fx_r(), echoFilterDimensions=True)
    assert row_dimensions(echoing, made) == ("sizeid", "colorid", "styleid", "siteid", "locationid")


def test_row_dimensions_by_product_name_the_partition_when_it_is_used():
    assert row_dimensions(BY_PRODUCT, index(BY_PRODUCT)) == ()
    assert row_dimensions(BY_PRODUCT, index(BY_PRODUCT, dimensions=PLACE)) == ("siteid", "locationid")
    assert row_dimensions(BY_PRODUCT, index(BY_PRODUCT, group_by=["locationid"])) == ("locationid",)
    always = compiled(fixtures.fx_s(), byProductPartitionKeys="always")
    assert row_dimensions(always, index(always)) == ("siteid", "locationid")
