import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhand.service.partitions import (
    PartitionKey,
    parse_partition_id,
    partition_by_location,
    partition_by_product,
)
from tests.conformance.fixtures import compiled, fx_l, fx_s

BY_LOCATION = compiled(fx_l())
BY_PRODUCT = compiled(fx_s())

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


def test_ids_are_readable():
    assert partition_by_location("USMF", "siteid=1&locationid=11").partition_id == "USMF/1/11"
    assert partition_by_product("USMF", "D0002/Red").partition_id == "USMF/D0002%2FRed"
    assert partition_by_location("usmf", "").partition_id == "usmf//"


@given(names, names, names)
def test_ids_by_location_come_back(organization, site, location):
    place = parse_partition_id(BY_LOCATION, partition_by_location(organization, "").partition_id)
    assert place == PartitionKey(organization.casefold(), None, "")
    key = parse_partition_id(BY_LOCATION, f"{organization.replace('/', '%2F').replace('%', '%25')}/1/11")
    assert key is not None
    assert key.place == "siteid=1&locationid=11"
    folded = parse_partition_id(
        BY_LOCATION, partition_by_location("o", _place(site.casefold(), location.casefold())).partition_id
    )
    assert folded is not None
    assert folded.place == _place(site.casefold(), location.casefold())


@given(names, names)
def test_ids_by_product_come_back(organization, product):
    key = parse_partition_id(BY_PRODUCT, partition_by_product(organization, product).partition_id)
    assert key == PartitionKey(organization.casefold(), product.casefold(), "")


@pytest.mark.parametrize("text", ["", "usmf", "usmf/1", "/1/11", "usmf/1/11/12"])
def test_what_is_no_id_by_location_is_none(text):
    assert parse_partition_id(BY_LOCATION, text) is None


@pytest.mark.parametrize("text", ["", "usmf", "usmf/", "/bike", "usmf/1/11"])
def test_what_is_no_id_by_product_is_none(text):
    assert parse_partition_id(BY_PRODUCT, text) is None


def test_a_case_sensitive_environment_keeps_the_case():
    switches = msgspec.structs.replace(BY_PRODUCT.switches, value_case="sensitive")
    rules = msgspec.structs.replace(BY_PRODUCT, switches=switches)
    assert parse_partition_id(rules, "USMF/Bike") == PartitionKey("USMF", "Bike", "")


def _place(site: str, location: str) -> str:
    from onhand.core.query import place_key

    return place_key(site, location)
