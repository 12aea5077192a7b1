import asyncio
from typing import Any

import pytest

from onhand.core import presets
from onhand.rows import ConfigurationRow
from onhand.service.environments import Environments, Problems
from onhand.service.faults import StoreUnavailable, UnknownEnvironment
from tests.memory import MemoryCatalogue


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    return MemoryCatalogue()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def environments(catalogue, time) -> Environments:
    return Environments(catalogue, environments_max=3, refresh_seconds=1.0, monotonic=time)


async def created(environments: Environments, name: str = "shop") -> ConfigurationRow:
    row = await environments.create(name, "standalone", "ops")
    assert isinstance(row, ConfigurationRow)
    return row


def changed(row: ConfigurationRow, measure: str = "damaged") -> dict[str, Any]:
    """The row's document with one more physical measure."""
    document = presets.document("standalone", row.environment_id)
    document["inventorySystemConfigurations"]["iv"]["physicalMeasures"].append(measure)
    return document


async def test_a_created_environment_has_rules_in_any_case_of_its_id(environments):
    row = await created(environments, "Shop-1")
    assert row.version == 1
    assert environments.rules("SHOP-1") is environments.rules("shop-1")
    assert environments.rules("shop-1").environment_id == "shop-1"


@pytest.mark.parametrize("bad", ["", " ", "a b", "ümlaut", "-x", "x" * 101])
async def test_a_bad_environment_id_is_refused_and_creates_nothing(environments, catalogue, bad):
    refused = await environments.create(bad, "standalone", "ops")
    assert isinstance(refused, Problems)
    assert "letters" in refused.message
    assert catalogue.rows == {}


async def test_an_unknown_profile_is_refused_by_name(environments):
    refused = await environments.create("shop", "exotic", "ops")
    assert isinstance(refused, Problems)
    assert "standalone" in refused.message


async def test_creating_twice_says_that_it_exists(environments):
    await created(environments)
    refused = await environments.create("SHOP", "standalone", "ops")
    assert isinstance(refused, Problems)
    assert refused.exists


async def test_an_environment_of_another_process_is_found_at_first_sight(environments, catalogue):
    other = Environments(catalogue)
    await created(other)
    with pytest.raises(UnknownEnvironment):
        environments.rules("shop")
    assert (await environments.find("Shop")).environment_id == "shop"
    assert environments.rules("shop").version == 1


async def test_unknown_ids_cost_one_listing_a_second_whatever_their_number(environments, catalogue, time):
    for number in range(50):
        with pytest.raises(UnknownEnvironment):
            await environments.find(f"nobody-{number}")
    assert catalogue.reads == 1
    await created(Environments(catalogue))
    before = catalogue.reads
    with pytest.raises(UnknownEnvironment):
        await environments.find("shop")
    time.now += 1.0
    assert (await environments.find("shop")).environment_id == "shop"
    assert catalogue.reads - before == 2


async def test_queries_see_a_version_applied_elsewhere_within_the_refresh_time(environments, catalogue, time):
    row = await created(environments)
    other = Environments(catalogue)
    await other.apply("shop", changed(row), None, "ops", "count damaged goods")
    assert (await environments.current("shop")).version == 1
    time.now += 1.0
    assert (await environments.current("shop")).version == 2


async def test_only_one_caller_renews_the_rules(environments, catalogue, time):
    await created(environments)
    time.now += 5.0
    before = catalogue.reads
    await asyncio.gather(*(environments.current("shop") for _ in range(20)))
    assert catalogue.reads - before == 1


async def test_the_rules_object_stays_the_same_while_the_version_does(environments, time):
    await created(environments)
    rules = environments.rules("shop")
    time.now += 5.0
    assert await environments.current("shop") is rules
    assert await environments.refresh("shop") is rules


async def test_a_failed_renewal_does_not_block_the_next_one(environments, catalogue, time):
    await created(environments)
    time.now += 5.0
    catalogue.failing = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await environments.current("shop")
    catalogue.failing = None
    before = catalogue.reads
    await environments.current("shop")
    assert catalogue.reads - before == 1


async def test_the_map_is_bounded_and_forgotten_environments_are_found_again(environments):
    for number in range(5):
        await created(environments, f"shop-{number}")
    with pytest.raises(UnknownEnvironment):
        environments.rules("shop-0")
    assert (await environments.find("shop-0")).environment_id == "shop-0"


async def test_an_environment_that_left_the_map_is_found_at_once(catalogue, time):
    """Its id is known from the last listing, however short ago that was."""
    small = Environments(catalogue, environments_max=1, monotonic=time)
    await small.create("one", "standalone", "ops")
    await small.create("two", "standalone", "ops")
    assert (await small.find("one")).environment_id == "one"
    assert (await small.find("two")).environment_id == "two"
    await small.delete("one")
    with pytest.raises(UnknownEnvironment):
        await small.find("one")


async def test_apply_writes_the_next_version_with_its_reason(environments):
    row = await created(environments)
    applied = await environments.apply("shop", changed(row), None, "ops", "count damaged goods", 1)
    assert isinstance(applied, ConfigurationRow)
    assert (applied.version, applied.reason, applied.applied_by) == (2, "count damaged goods", "ops")
    assert ("iv", "damaged") in environments.rules("shop").measures
    assert [one.version for one in await environments.history("shop")] == [2, 1]
    assert (await environments.configuration("shop", 1)).version == 1


async def test_measure_ids_survive_a_change_of_the_document(environments):
    row = await created(environments)
    before = environments.rules("shop").measures
    await environments.apply("shop", changed(row), None, "ops", "")
    after = environments.rules("shop").measures
    assert {name: after[name] for name in before} == before


async def test_an_outdated_edit_changes_nothing(environments):
    row = await created(environments)
    refused = await environments.apply("shop", changed(row), None, "ops", "", expected_version=7)
    assert isinstance(refused, Problems)
    assert refused.stale
    assert environments.rules("shop").version == 1


async def test_a_document_with_errors_changes_nothing_and_names_the_place(environments):
    row = await created(environments)
    document = changed(row)
    measures = document["inventorySystemConfigurations"]["iv"]["calculatedMeasures"]
    measures["broken"] = {"additionModifiers": ["iv.nosuchmeasure"], "subtractionModifiers": []}
    refused = await environments.apply("shop", document, None, "ops", "")
    assert isinstance(refused, Problems)
    assert "broken" in refused.message
    assert environments.rules("shop").version == 1


async def test_unknown_switches_are_refused_and_known_ones_kept(environments):
    row = await created(environments)
    refused = await environments.apply("shop", changed(row), {"noSuchSwitch": 1}, "ops", "")
    assert isinstance(refused, Problems)
    await environments.apply("shop", changed(row), {"clampReserved": True}, "ops", "")
    await environments.apply("shop", changed(row, "lost"), None, "ops", "")
    assert environments.rules("shop").switches.clamp_reserved


async def test_the_case_rule_cannot_change_under_stock(environments, catalogue):
    row = await created(environments)
    catalogue.stocked = True
    refused = await environments.apply("shop", changed(row), {"valueCase": "sensitive"}, "ops", "")
    assert isinstance(refused, Problems)
    assert "valueCase" in refused.message
    catalogue.stocked = False
    assert not isinstance(
        await environments.apply("shop", changed(row), {"valueCase": "sensitive"}, "ops", ""), Problems
    )


async def test_diff_and_validate_change_nothing(environments):
    row = await created(environments)
    assert [problem for problem in environments.validate(changed(row)) if problem.severity == "error"] == []
    assert await environments.diff("shop", changed(row))
    assert await environments.diff("shop", presets.document("standalone", "shop")) == []
    assert environments.rules("shop").version == 1


async def test_rename_keeps_the_number_and_frees_the_old_id(environments):
    row = await created(environments)
    assert await environments.rename("shop", "Store") is None
    assert environments.rules("store").environment == row.environment
    with pytest.raises(UnknownEnvironment):
        environments.rules("shop")
    with pytest.raises(UnknownEnvironment):
        await environments.rename("shop", "elsewhere")


async def test_an_environment_with_stock_is_not_deleted(environments, catalogue):
    await created(environments)
    catalogue.stocked = True
    assert isinstance(await environments.delete("shop"), Problems)
    catalogue.stocked = False
    assert await environments.delete("shop") is None
    with pytest.raises(UnknownEnvironment):
        environments.rules("shop")


async def test_rules_by_number_serve_jobs_without_knowing_the_id(environments, catalogue):
    row = await created(Environments(catalogue))
    assert (await environments.numbered(row.environment)).environment_id == "shop"
    with pytest.raises(UnknownEnvironment):
        await environments.numbered(99)
