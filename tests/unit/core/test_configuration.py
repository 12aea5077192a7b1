from __future__ import annotations

import pytest

from onhand.core import configuration
from onhand.core.rules import Switches
from tests.conformance import fixtures
from tests.conformance.fixtures import FIXTURES, compiled, source


def named(rules, signs):
    return {rules.names[number]: sign for number, sign in signs.items()}


@pytest.mark.parametrize("name", FIXTURES)
def test_every_fixture_compiles(name):
    document = FIXTURES[name]()
    rules = compiled(document)
    assert list(rules.measures) == configuration.declared_measures(document)
    assert set(rules.mapped) <= set(rules.names)


def test_fx_r_splits_the_formula_into_net_stock_and_reservations():
    rules = compiled(fixtures.fx_r())
    reserved = rules.measures["iv", "softreservphysical"]
    availability = rules.mapped[reserved]
    assert availability.reserved == {reserved}
    assert availability.formula is rules.calculated["iv", "availabletoreserve"]
    assert named(rules, availability.net) == {
        ("fno", "availphysical"): 1,
        ("pos", "inbound"): 1,
        ("pos", "outbound"): -1,
    }
    assert rules.partition == ("siteid", "locationid")
    assert rules.reservation_dimensions == ("siteid", "locationid", "colorid", "sizeid", "styleid")


def test_fx_s_is_by_product_and_keeps_unconfigured_dimensions_an_error():
    rules = compiled(fixtures.fx_s())
    assert (rules.partition, rules.by_location, rules.filter_unconfigured) == ((), False, False)
    assert rules.index_sets == (("colorid",),)
    assert rules.dimension_mappings["pos"] == {"posmachineid": "extendeddimension1"}
    assert compiled(fixtures.fx_l()).filter_unconfigured


def test_measures_mapped_to_one_target_share_its_availability():
    document = fixtures.document(
        source(
            "a",
            "stock",
            "cart",
            "order",
            "note",
            calculated={"free": (["a.stock"], ["a.cart", "a.order"])},
            mapped={"cart": "a.free", "order": "a.free", "note": "a.free"},
        )
    )
    rules = compiled(document)
    cart, order, note = (rules.measures["a", name] for name in ("cart", "order", "note"))
    assert rules.mapped[cart] is rules.mapped[order] is rules.mapped[note]
    assert rules.mapped[cart].reserved == {cart, order}


def test_a_mapped_measure_that_is_not_subtracted_reserves_nothing():
    document = fixtures.document(source("a", "m", "r", calculated={"c": (["a.m"], [])}, mapped={"r": "a.c"}))
    rules = compiled(document)
    availability = rules.mapped[rules.measures["a", "r"]]
    assert availability.reserved == frozenset()
    assert availability.net == availability.formula.signs


def test_a_measure_that_is_no_longer_declared_keeps_its_name_only():
    document = fixtures.fx_x()
    measures = {1: ("pos", "gone"), 5: ("pos", "outbound"), 6: ("pos", "inbound")}
    rules = configuration.compile_rules(1, "e", 3, document, Switches(), measures)
    assert rules.measures == {("pos", "inbound"): 6, ("pos", "outbound"): 5}
    assert rules.names == measures


def test_a_declared_measure_without_an_id_is_a_fault():
    with pytest.raises(KeyError):
        configuration.compile_rules(1, "e", 1, fixtures.fx_x(), Switches(), {1: ("pos", "inbound")})


def test_aliases_are_resolved_and_names_folded():
    document = fixtures.document(
        source("POS", "InBound", dimensions={"Hue": "InventDimension3"}),
        index=[["ColorId"], ["InventDimension1"]],
    )
    rules = compiled(document)
    assert rules.dimension_mappings == {"pos": {"hue": "customdimension3"}}
    assert rules.index_sets == (("colorid",), ("customdimension1",))
    assert list(rules.measures) == [("pos", "inbound")]


def test_the_partition_is_always_a_reservation_dimension_by_location():
    document = fixtures.fx_x()
    document["reservConfiguration"] = {"isReservEnabled": False, "keys": []}
    rules = compiled(document)
    assert rules.reservation_dimensions == ("siteid", "locationid")
    assert not rules.reservations_enabled


@pytest.mark.parametrize(
    ("section", "enabled"),
    [
        ({}, True),
        ({"isEnabled": False}, False),
        ({"isReservEnabled": True, "isEnabled": False}, True),
        ({"isReservEnabled": "false"}, False),
    ],
)
def test_soft_reservation_is_on_unless_it_is_switched_off(section, enabled):
    document = fixtures.fx_s()
    document["reservConfiguration"] = {"keys": ["siteid", "locationid"], **section}
    assert compiled(document).reservations_enabled is enabled


def test_pbi_is_hidden_unless_the_document_says_otherwise():
    document = fixtures.document(source("pbi", "a"), source("iv", "b"))
    assert compiled(document).hidden_sources == {"pbi"}
    document["inventorySystemConfigurations"]["pbi"]["hiddenFromQuery"] = False
    document["inventorySystemConfigurations"]["iv"]["hiddenFromQuery"] = True
    assert compiled(document).hidden_sources == {"iv"}


def test_switches_of_a_command_line_are_texts():
    switches = configuration.parse_switches({"CLAMPRESERVED": "true", "idRetentionDays": "9"})
    assert switches == Switches(clamp_reserved=True, id_retention_days=9)
    assert configuration.parse_switches({}) == Switches()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"afrQuantity": "some"}, "legal values are available, zero"),
        ({"idRetentionDays": 6}, "at least 7 days"),
        ({"maxSiteLocationCombinations": 0}, "at least 1"),
        ({"afrAggregation": "exactRecord"}, "only with reservationLevels independent"),
        ({"clampReserved": "perhaps"}, "clampReserved cannot be 'perhaps'"),
        ({"authMode": "none"}, "no switch 'authMode'"),
    ],
)
def test_switches_that_cannot_be_read_say_what_is_legal(values, message):
    with pytest.raises(configuration.SwitchError, match=message):
        configuration.parse_switches(values)


def test_exact_record_goes_with_independent_levels():
    values = {"afrAggregation": "exactRecord", "reservationLevels": "independent"}
    assert configuration.parse_switches(values).afr_aggregation == "exactRecord"
