from __future__ import annotations

import pytest

from onhand.core import configuration
from onhand.core.configuration_document import read
from tests.conformance.fixtures import FIXTURES, fx_s


def test_b03_keys_of_any_case_are_read_and_names_are_stored_in_lower_case():
    stored = configuration.normalize(
        {
            "IndexConfiguration": {"IndexAttributeSets": [{"SetNumber": 1, "Keys": ["ColorId"]}]},
            "inventorysystemconfigurations": {
                "POS": {
                    "PhysicalMeasures": ["Inbound "],
                    "DimensionMappings": {"PosMachineId": "ExtendedDimension1"},
                    "CalculatedMeasures": {"On Hand": {"AdditionModifiers": ["POS.Inbound"]}},
                }
            },
            "allocationConfiguration": {"groups": ["customerGroup"]},
        }
    )
    assert stored == {
        "indexConfiguration": {"indexAttributeSets": [{"setNumber": 1, "keys": ["colorid"]}]},
        "inventorySystemConfigurations": {
            "pos": {
                "physicalMeasures": ["inbound"],
                "dimensionMappings": {"posmachineid": "extendeddimension1"},
                "calculatedMeasures": {"on hand": {"additionModifiers": ["pos.inbound"]}},
            }
        },
        "allocationConfiguration": {"groups": ["customerGroup"]},
    }


def test_unknown_properties_are_kept_as_they_are():
    document = {
        "SomethingNew": {"IsEnabled": True},
        "reservConfiguration": {"Colour": "Red", "keys": []},
        "inventorySystemConfigurations": {"iv": {"Note": ["A", {"B": None}]}},
    }
    assert configuration.normalize(document) == document


@pytest.mark.parametrize("name", FIXTURES)
def test_the_stored_form_is_stable(name):
    document = FIXTURES[name]()
    assert configuration.normalize(document) == document
    assert configuration.normalize(configuration.normalize(document)) == configuration.normalize(document)


def test_null_means_absent():
    document = {
        **fx_s(),
        "reservConfiguration": None,
        "scheduleConfiguration": {"atpCalculatedMeasures": None},
    }
    _, typed, problems = read(document)
    assert problems == []
    assert typed.reserv_configuration.keys == []


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ({"reservConfiguration": {"version": "x"}}, "reservConfiguration.version", "Expected `int`"),
        ({"reservConfiguration": []}, "reservConfiguration", "Expected `object`"),
        (
            {"inventorySystemConfigurations": {"a": {}, "A": {}}},
            "inventorySystemConfigurations.a",
            "occurs twice",
        ),
        (
            {"entityVersion": 1, "ReservConfiguration": {}, "reservConfiguration": {}},
            "reservConfiguration",
            "twice",
        ),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_its_path(document, path, message):
    problems = configuration.validate(document)
    assert [problem.path for problem in problems] == [path]
    assert message in problems[0].message


def test_a_document_that_is_nested_without_end_is_refused():
    document: dict[str, object] = {}
    for _ in range(100):
        document = {"inventorySystemConfigurations": document}
    assert any("nested deeper" in problem.message for problem in configuration.validate(document))


@pytest.mark.parametrize(
    ("part", "by_location"),
    [
        ({}, False),
        ({"cachePartitionIdVersion": "byProductId"}, False),
        ({"cachePartitionIdVersion": "ByLocationAndProductIdMod64"}, True),
        ({"cachePartitionIdVersion": "ByLocation"}, True),
        ({"partitionConfiguration": {"useProductId": True, "useDimensions": True}}, True),
    ],
)
def test_the_partition_rule(part, by_location):
    assert read(part)[1].by_location is by_location
