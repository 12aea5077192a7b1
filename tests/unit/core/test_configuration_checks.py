from __future__ import annotations

import pytest

from onhand.core import configuration, presets
from tests.conformance import fixtures
from tests.conformance.fixtures import FIXTURES, fx_b, fx_l, fx_r, fx_s, source


def found(document, path):
    return [problem for problem in configuration.validate(document) if problem.path.startswith(path)]


def errors(document, path):
    return [problem.message for problem in found(document, path) if problem.severity == "error"]


def iv_formula(plus=(), minus=()):
    document = fx_s()
    document["inventorySystemConfigurations"]["iv"]["calculatedMeasures"]["mine"] = {
        "additionModifiers": list(plus),
        "subtractionModifiers": list(minus),
    }
    return document


@pytest.mark.parametrize("name", FIXTURES)
def test_every_fixture_is_valid(name):
    assert configuration.validate(FIXTURES[name]()) == []


@pytest.mark.parametrize("profile", presets.PROFILES)
def test_every_profile_is_valid_and_fresh(profile):
    document = presets.document(profile, "e")
    assert configuration.validate(document) == []
    document["inventorySystemConfigurations"].clear()
    assert presets.document(profile, "e")["inventorySystemConfigurations"]


@pytest.mark.parametrize(
    ("plus", "minus", "message"),
    [
        (["@iv.@available_to_reserve"], [], "refers to the calculated measure"),
        (["iv.onhand", "iv.onhand"], [], "more than once"),
        (["iv.onhand"], ["IV.OnHand"], "more than once"),
        (["iv.missing"], [], "which no data source declares"),
        (["nosource.onhand"], [], "which no data source declares"),
        (["onhand"], [], "which no data source declares"),
    ],
)
def test_b08_calculated_measures_neither_nest_nor_repeat_nor_invent_terms(plus, minus, message):
    messages = errors(iv_formula(plus, minus), "inventorySystemConfigurations.iv.calculatedMeasures.mine")
    assert len(messages) == 1
    assert message in messages[0]


def test_a_calculated_measure_without_terms_is_a_warning():
    problems = configuration.validate(iv_formula())
    assert [problem.severity for problem in problems] == ["warning"]


@pytest.mark.parametrize(
    ("sources", "path", "message"),
    [
        ([source("a.b", "m")], "inventorySystemConfigurations.a.b", "dot"),
        ([source("a", "m", "m")], "inventorySystemConfigurations.a.physicalMeasures", "declared twice"),
        ([source("a", "")], "inventorySystemConfigurations.a", "printable"),
        ([source("a", "x" * 201)], "inventorySystemConfigurations.a", "printable"),
        ([source("a", "x\0y")], "inventorySystemConfigurations.a", "printable"),
        ([source("@iv", "plain")], "inventorySystemConfigurations.@iv", "must begin with '@'"),
        (
            [source("a", "m", "n", calculated={"m": (["a.n"], [])})],
            "inventorySystemConfigurations.a.calculatedMeasures.m",
            "physical and as a calculated",
        ),
        (
            [source("a", "m", dimensions={"colour": "hue"})],
            "inventorySystemConfigurations.a.dimensionMappings.colour",
            "not a base dimension",
        ),
        (
            [source("a", "m", mapped={"n": "a.c"}, calculated={"c": ([], ["a.m"])})],
            "inventorySystemConfigurations.a.reservMappings.n",
            "not a physical measure",
        ),
        (
            [source("a", "m", mapped={"m": "a.c"})],
            "inventorySystemConfigurations.a.reservMappings.m",
            "not a calculated measure",
        ),
    ],
)
def test_mistakes_in_data_sources(sources, path, message):
    messages = errors(fixtures.document(*sources), path)
    assert len(messages) == 1
    assert message in messages[0]


def test_two_external_names_for_one_dimension_are_a_warning():
    document = fixtures.document(source("a", "m", dimensions={"colour": "colorid", "hue": "colorid"}))
    (problem,) = configuration.validate(document)
    assert problem.severity == "warning"


def test_a_mapped_measure_that_its_target_does_not_subtract_is_a_warning():
    document = fixtures.document(source("a", "m", "r", mapped={"r": "a.c"}, calculated={"c": (["a.m"], [])}))
    (problem,) = configuration.validate(document)
    assert (problem.path, problem.severity) == ("inventorySystemConfigurations.a.reservMappings.r", "warning")


def test_index_sets():
    document = fx_r()
    path = "indexConfiguration.indexAttributeSets"
    sets = document["indexConfiguration"]["indexAttributeSets"]
    sets[:] = [
        {"setNumber": 1, "keys": ["empty"]},
        {"setNumber": 2, "keys": ["empty", "colorid"]},
        {"setNumber": 2, "keys": ["hue"]},
        {"setNumber": 3, "keys": ["colorid", "siteid"]},
        {"setNumber": 4, "keys": ["inventdimension1", "customdimension1"]},
    ]
    assert [(problem.path, problem.severity) for problem in found(document, path)] == [
        (path, "error"),
        (f"{path}[1].keys", "error"),
        (f"{path}[2].keys[0]", "error"),
        (f"{path}[3].keys", "error"),
        (f"{path}[4].keys", "error"),
    ]


def test_no_index_set_is_a_warning_because_only_queries_fail():
    document = fx_r()
    document["indexConfiguration"]["indexAttributeSets"] = [
        {"setNumber": 0, "keys": ["siteid", "locationid"]}
    ]
    (problem,) = configuration.validate(document)
    assert problem.severity == "warning"


def test_reservation_keys_contain_the_partition_by_location_only():
    document = fx_l()
    document["reservConfiguration"]["keys"] = ["siteid"]
    assert "must contain locationid" in errors(document, "reservConfiguration.keys")[0]
    document |= fixtures.BY_PRODUCT
    assert configuration.validate(document) == []


def test_reservation_version_and_keys_are_checked():
    document = fx_s()
    document["reservConfiguration"] = {"version": 2, "keys": ["siteid", "siteid", "hue"]}
    assert [problem.path for problem in found(document, "reservConfiguration")] == [
        "reservConfiguration.version",
        "reservConfiguration.keys[2]",
        "reservConfiguration.keys",
    ]


def test_partition_properties_that_contradict_are_refused():
    document = {**fx_s(), "cachePartitionIdVersion": "ByLocationAndProductIdMod64"}
    assert "contradicts" in errors(document, "partitionConfiguration.useDimensions")[0]
    document = fx_s()
    document["indexConfiguration"]["partitionKeyAttributes"]["keys"] = ["siteid", "colorid"]
    assert "cannot be edited" in errors(document, "indexConfiguration.partitionKeyAttributes.keys")[0]


@pytest.mark.parametrize(
    ("groups", "order", "message"),
    [
        (["a", "b"], {"a": "g0", "b": "g2"}, "without a gap"),
        (["a", "b"], {"a": "g0", "b": "g0"}, "without a gap"),
        (["a"], {"b": "g0"}, "same groups; differing: a, b"),
        (["a", "A"], {"a": "g0", "A": "g1"}, "occurs twice"),
        ([f"n{n}" for n in range(9)], {f"n{n}": f"g{n}" for n in range(9)}, "limit is 8 levels"),
    ],
)
def test_allocation_groups(groups, order, message):
    document = fx_b()
    document["allocationConfiguration"] |= {"groups": groups, "groupsOrder": order}
    messages = errors(document, "allocationConfiguration.groups")
    assert len(messages) == 1
    assert message in messages[0]


def test_allocation_needs_its_predefined_measures():
    document = fx_b()
    predefined = document["inventorySystemConfigurations"]["@iv"]
    predefined["physicalMeasures"].remove("@consumed")
    del predefined["calculatedMeasures"]["@available_to_allocate"]
    messages = errors(document, "inventorySystemConfigurations.@iv")
    assert ["@iv.@consumed" in messages[0], "@available_to_allocate" in messages[1]] == [True, True]


def test_terms_of_the_allocation_pool_are_checked():
    document = fx_s()
    document["allocationConfiguration"]["availableToAllocateCalculation"] = {
        "iv.none": "addition",
        "iv.onhand": "plus",
    }
    messages = errors(document, "allocationConfiguration.availableToAllocateCalculation")
    assert ["not a physical measure" in messages[0], "addition or subtraction" in messages[1]] == [True, True]


def with_schedule(**schedule):
    return {**fixtures.fx_p(), "scheduleConfiguration": schedule}


def test_atp_version_1_has_a_week_and_eight_measures():
    path = "scheduleConfiguration.atpCalculatedMeasures"
    assert errors(with_schedule(atpCalculatedMeasures={"iv": {"totalonhand": 7}}), path) == []
    assert "1 to 7 days" in errors(with_schedule(atpCalculatedMeasures={"iv": {"totalonhand": 8}}), path)[0]
    assert (
        "limit is 8"
        in errors(with_schedule(atpCalculatedMeasures={"iv": {"availabletoreserve": 7}}), path)[0]
    )
    assert (
        "not a calculated"
        in errors(with_schedule(atpCalculatedMeasures={"iv": {"softreserved": 7}}), path)[0]
    )


@pytest.mark.parametrize(("days", "legal"), [(1, True), (180, True), (0, False), (181, False)])
def test_atp_version_2_has_half_a_year(days, legal):
    document = with_schedule(
        isScheduleV2=True,
        schedulePeriodInDays=days,
        atpCalculatedMeasures={"iv": {"availabletoreserve": 30}},
        indexAttributeSets=[{"setNumber": 1, "keys": ["colorid"]}],
    )
    assert (errors(document, "scheduleConfiguration") == []) is legal


def test_a_problem_reads_as_one_line():
    document = {**fx_s(), "reservConfiguration": {"version": 7}}
    (problem,) = configuration.validate(document)
    assert str(problem).startswith("error: reservConfiguration.version: It must be 0")
