from __future__ import annotations

import copy

from onhand.core import configuration
from tests.conformance import fixtures
from tests.conformance.fixtures import fx_b, fx_l, fx_r, fx_s


def changed(document, change):
    after = copy.deepcopy(document)
    change(after)
    return after


def test_b05_the_partition_rule_is_frozen_while_stock_exists():
    assert configuration.check_change(fx_s(), fx_l(), set(), has_stock=False) == []
    problems = configuration.check_change(fx_s(), fx_l(), set(), has_stock=True)
    assert [(problem.path, problem.severity) for problem in problems] == [("partitionConfiguration", "error")]


def test_b07_predefined_measures_cannot_be_renamed_or_deleted():
    def rename(document):
        measures = document["inventorySystemConfigurations"]["@iv"]["calculatedMeasures"]
        measures["@pool"] = measures.pop("@available_to_allocate")

    problems = configuration.check_change(fx_b(), changed(fx_b(), rename), set(), has_stock=False)
    assert [problem.severity for problem in problems] == ["error"]
    assert "@iv.@available_to_allocate is predefined" in problems[0].message


def test_the_pool_may_gain_terms():
    def extend(document):
        pool = document["inventorySystemConfigurations"]["@iv"]["calculatedMeasures"][
            "@available_to_allocate"
        ]
        pool["subtractionModifiers"].append("pos.outbound")

    assert (
        configuration.check_change(fx_b(), changed(fx_b(), extend), {("pos", "inbound")}, has_stock=True)
        == []
    )


def test_a_measure_is_frozen_only_while_it_holds_data():
    after = changed(
        fx_s(),
        lambda document: document["inventorySystemConfigurations"]["pos"]["physicalMeasures"].remove(
            "outbound"
        ),
    )
    assert configuration.check_change(fx_s(), after, {("pos", "inbound")}, has_stock=True) == []
    problems = configuration.check_change(fx_s(), after, {("pos", "outbound")}, has_stock=True)
    assert [problem.severity for problem in problems] == ["error"]
    assert "pos.outbound holds data" in problems[0].message


def test_a_data_source_is_frozen_while_one_of_its_measures_holds_data():
    after = changed(fx_s(), lambda document: document["inventorySystemConfigurations"].pop("pos"))
    assert configuration.check_change(fx_s(), after, set(), has_stock=True) == []
    used = {("pos", "inbound"), ("pos", "outbound")}
    assert len(configuration.check_change(fx_s(), after, used, has_stock=True)) == 2


def test_a_physical_measure_with_data_cannot_become_a_calculated_one():
    def turn(document):
        pos = document["inventorySystemConfigurations"]["pos"]
        pos["physicalMeasures"] = ["inbound"]
        pos["calculatedMeasures"] = {"outbound": {"additionModifiers": ["pos.inbound"]}}

    problems = configuration.check_change(
        fx_s(), changed(fx_s(), turn), {("pos", "outbound")}, has_stock=True
    )
    assert [problem.severity for problem in problems] == ["error"]


def test_allocation_groups_are_frozen_while_something_is_allocated():
    def regroup(document):
        document["allocationConfiguration"] |= {"groups": ["channel"], "groupsOrder": {"channel": "g0"}}

    after = changed(fx_b(), regroup)
    assert configuration.check_change(fx_b(), after, set(), has_stock=True) == []
    problems = configuration.check_change(fx_b(), after, {("@iv", "@allocated")}, has_stock=True)
    assert [problem.path for problem in problems] == ["allocationConfiguration.groups"]


def test_changes_of_reservation_dimensions_and_targets_are_warnings():
    def change(document):
        document["reservConfiguration"] |= {"keys": ["siteid", "locationid"], "version": 1}
        document["inventorySystemConfigurations"]["iv"]["reservMappings"] = {}

    used = {("iv", "softreservphysical")}
    problems = configuration.check_change(fx_r(), changed(fx_r(), change), used, has_stock=True)
    assert [(problem.path, problem.severity) for problem in problems] == [
        ("reservConfiguration.keys", "warning"),
        ("reservConfiguration.version", "warning"),
        ("inventorySystemConfigurations.iv.reservMappings.softreservphysical", "warning"),
    ]


def test_an_external_name_that_moves_is_a_warning_while_stock_exists():
    def remap(document):
        document["inventorySystemConfigurations"]["pos"]["dimensionMappings"]["posmachineid"] = "batchid"

    after = changed(fx_s(), remap)
    assert configuration.check_change(fx_s(), after, set(), has_stock=False) == []
    (problem,) = configuration.check_change(fx_s(), after, set(), has_stock=True)
    assert problem.severity == "warning"


def test_diff_names_what_changed_and_ignores_spelling():
    upper = {key.upper(): value for key, value in fx_s().items()}
    assert configuration.diff(fx_s(), upper) == []
    after = fx_s()
    after["reservConfiguration"]["version"] = 1
    after["inventorySystemConfigurations"]["iv"]["physicalMeasures"] = ["onhand", "ordered"]
    after["inventorySystemConfigurations"]["web"] = {"physicalMeasures": ["sold"]}
    del after["inventorySystemConfigurations"]["pos"]["dimensionMappings"]
    assert [str(change) for change in configuration.diff(fx_s(), after)] == [
        '+ inventorySystemConfigurations.iv.physicalMeasures: "ordered"',
        '- inventorySystemConfigurations.pos.dimensionMappings: {"posmachineid":"extendeddimension1"}',
        '+ inventorySystemConfigurations.web: {"physicalMeasures":["sold"]}',
        "~ reservConfiguration.version: 0 -> 1",
    ]


def test_diff_shows_a_new_order_of_a_hierarchy():
    after = fx_r()
    after["reservConfiguration"]["keys"].reverse()
    (change,) = configuration.diff(fx_r(), after)
    assert (change.path, change.kind) == ("reservConfiguration.keys", "changed")


def test_a_profile_can_replace_another_one_while_nothing_is_stored():
    assert configuration.check_change(fixtures.fx_p(), fx_s(), set(), has_stock=False) == []
