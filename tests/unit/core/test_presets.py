from __future__ import annotations

import pytest

from onhand.core import presets
from tests.conformance.fixtures import compiled


def terms(rules, source, measure):
    signs = rules.calculated[source, measure].signs
    return {("+" if sign > 0 else "-") + ".".join(rules.names[number]) for number, sign in signs.items()}


def reserved(rules):
    return {rules.names[number]: one.formula.name for number, one in rules.mapped.items()}


@pytest.mark.parametrize("profile", presets.PROFILES)
def test_profiles_partition_by_location_and_refuse_unconfigured_dimensions(profile):
    rules = compiled(presets.document(profile, "e"))
    assert rules.by_location
    assert not rules.filter_unconfigured
    assert rules.index_sets == (("colorid", "sizeid", "styleid"),)
    assert rules.dimension_mappings["fno"]["inventdimension12"] == "customdimension12"
    assert len(rules.dimension_mappings["fno"]) == 25


def test_standalone_sells_what_is_on_hand():
    rules = compiled(presets.document("standalone", "e"))
    assert terms(rules, "iv", "availabletoreserve") == {"+iv.onhand", "-iv.softreserved"}
    assert reserved(rules) == {("iv", "softreserved"): ("iv", "availabletoreserve")}
    assert set(rules.dimension_mappings) == {"iv", "pos", "fno", "@iv"}


def test_default_2024():
    rules = compiled(presets.document("default-2024", "e"))
    assert terms(rules, "iv", "availabletoreserve") == {
        "+fno.physicalinvent",
        "+fno.ordered",
        "+fno.arrived",
        "+pos.inbound",
        "+iv.ordered",
        "-fno.reservphysical",
        "-iv.softreserved",
        "-pos.outbound",
        "-fno.softreserved",
    }
    assert terms(rules, "iv", "totalavailable") == {
        "+fno.availordered",
        "-iv.softreserved",
        "-@iv.@allocated",
    }
    assert terms(rules, "pos", "availquantity") == {"+fno.availphysical", "+pos.inbound", "-pos.outbound"}
    assert len([name for name in rules.measures if name[0] == "fno"]) == 15
    assert rules.reservation_dimensions[-1] == "styleid"


def test_default_2023():
    rules = compiled(presets.document("default-2023", "e"))
    assert reserved(rules) == {("iv", "softreservphysical"): ("iv", "availabletoreserve")}
    assert rules.reservation_dimensions == ("siteid", "locationid", "colorid", "sizeid")
    assert terms(rules, "iv", "softreserved") == {"+iv.softreservphysical", "+iv.softreservordered"}
    assert terms(rules, "iv", "onhandavailable") == {
        "+fno.physicalinvent",
        "+iom.onhand",
        "+erp.unrestricted",
        "+erp.qualityinspection",
        "+pos.posinbound",
        "-fno.reservphysical",
        "-iv.softreservphysical",
        "-pos.posoutbound",
    }
    assert len(terms(rules, "iv", "availabletoreserve")) == 15
    assert len(terms(rules, "iv", "inventorydemand")) == 8
    assert len([name for name in rules.calculated if name[0] == "iv"]) == 10


def test_an_unknown_profile_is_a_key_error():
    with pytest.raises(KeyError):
        presets.document("default-1999", "e")
