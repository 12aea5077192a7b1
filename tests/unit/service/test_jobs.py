import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from onhand.core.commands import Kind
from onhand.core.outcomes import Accepted, Reason, Rejected, Replayed
from onhand.core.quantities import SCALE
from onhand.rows import ConfigurationRow, JobRow
from onhand.service.auditor import Auditor
from onhand.service.faults import StoreUnavailable
from onhand.service.jobs import RESYNC, Jobs
from onhand.service.queries import Queries
from tests.house import SHOP, House, settle
from tests.memory import Mishap
from tests.shop import change, key, reserve

NODE = "siteid=1&locationid=11"


class Office(House):
    """A house with jobs."""

    async def open(self, **bounds) -> None:
        assert isinstance(await self.environments.create(SHOP, "standalone", "ops"), ConfigurationRow)
        self.lanes = await self.batcher(lanes=2)
        self.jobs = self.staff(**bounds)

    def staff(self, **bounds) -> Jobs:
        settings = {"page": 3, "concurrency": 2, "pause_seconds": 0.0, "patience": 2, **bounds}
        return Jobs(
            self.store, self.catalogue, self.lanes, self.environments, self.clock, probe=self.ear, **settings
        )

    async def fill(self, products: int = 8) -> None:
        for number in range(products):
            await self.lanes.submit(SHOP, change(f"p{number}", 5, f"c{number}"))
            await self.lanes.submit(SHOP, reserve(f"p{number}", 2, f"r{number}"))

    def held(self, product: str) -> int:
        return self.store.own(key(self.rules, product), NODE, min(self.rules.mapped)) // SCALE

    async def ended(self, job_id: str) -> JobRow:
        while job_id in self.jobs._running:
            await asyncio.wait([self.jobs._running[job_id]])
            await settle()
        job = await self.jobs.progress(job_id)
        assert job is not None
        return job


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    made = Office()
    await made.open()
    yield made
    await made.jobs.stop()
    for batcher in made.batchers:
        await batcher.stop()


# Clean-up ----------------------------------------------------------------------------------------------------


async def test_a_clean_up_zeroes_reservations_and_nothing_else(office):
    await office.fill()
    job_id = await office.jobs.start_resync(SHOP, [], "ops")
    assert isinstance(job_id, str)
    assert job_id.startswith("ReservationResyncJob:")
    job = await office.ended(job_id)
    assert (job.status, job.progress) == ("Succeeded", 100)
    for number in range(8):
        assert office.held(f"p{number}") == 0
        assert office.on_hand(f"p{number}") == 5
    assert not any(
        hold.remaining for product in office.store.products_.values() for hold in product.holds.values()
    )
    assert (await Auditor(office.store, office.environments, probe=office.ear).audit(SHOP)).clean
    assert office.ear.jobs == [(RESYNC, "Succeeded")]


async def test_sources_without_reservations_are_left_alone(office):
    await office.fill(1)
    source = next(name for name in office.rules.dimension_mappings if name not in _reserving(office))
    job_id = await office.jobs.start_resync(SHOP, [source.upper()], "ops")
    assert (await office.ended(job_id)).status == "Succeeded"
    assert office.held("p0") == 2


def _reserving(office: Office) -> set[str]:
    return {office.rules.names[measure][0] for measure in office.rules.mapped}


async def test_an_unknown_source_starts_no_job(office):
    refused = await office.jobs.start_resync(SHOP, ["nowhere"], "ops")
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.UNKNOWN_DATA_SOURCE
    assert office.catalogue.jobs == {}


async def test_an_interrupted_job_is_resumed_by_whoever_looks(office):
    await office.fill()
    office.store.mishaps = iter([Mishap.NONE, Mishap.NONE, *[Mishap.GATHER_UNAVAILABLE] * 40])
    job_id = await office.jobs.start_resync(SHOP, [], "ops")
    job = await office.ended(job_id)
    assert job.status == "Running"
    done = sum(not office.held(f"p{number}") for number in range(8))
    assert 0 < done < 8
    office.store.mishaps = iter(())
    assert await office.staff().run_unfinished() == 1
    job = await office.jobs.progress(job_id)
    assert (job.status, job.progress) == ("Succeeded", 100)
    assert not any(office.held(f"p{number}") for number in range(8))
    cleared = [movement for product in office.store.products_.values() for movement in product.movements]
    assert sum(movement.kind == Kind.CLEAR for movement in cleared) == 8, "each product once"
    assert await office.jobs.run_unfinished() == 0


async def test_running_a_job_twice_at_once_is_harmless(office):
    await office.fill()
    job_id = await office.jobs.start_resync(SHOP, [], "ops")
    await asyncio.gather(office.staff().run(job_id), office.staff().run(job_id))
    assert (await office.ended(job_id)).status == "Succeeded"
    assert (await Auditor(office.store, office.environments, probe=office.ear).audit(SHOP)).clean


async def test_progress_grows_with_the_products(office):
    await office.fill(20)
    seen: list[int] = []
    update = office.catalogue.update_job

    async def listened(job_id: str, status: str, progress: int, message: str) -> None:
        seen.append(progress)
        await update(job_id, status, progress, message)

    office.catalogue.update_job = listened
    await office.ended(await office.jobs.start_resync(SHOP, [], "ops"))
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert len(set(seen)) > 5


async def test_a_job_of_an_unknown_kind_fails_and_says_so(office):
    row = JobRow(
        job_id="X:1",
        environment=1,
        kind="X",
        parameters={},
        status="Queued",
        progress=0,
        message="",
    )
    await office.catalogue.create_job(row, "ops")
    await office.jobs.run("X:1")
    job = await office.jobs.progress("X:1")
    assert job.status == "Failed"
    assert "X" in job.message


async def test_a_job_of_a_deleted_environment_fails_instead_of_coming_back_for_ever(office):
    await office.fill(1)
    job_id = await office.jobs.start_resync(SHOP, [], "ops")
    await office.ended(job_id)
    office.catalogue.jobs[job_id] = msgspec.structs.replace(office.catalogue.jobs[job_id], status="Queued")
    office.environments._entries.clear()
    office.catalogue.rows.clear()
    await office.jobs.run(job_id)
    assert (await office.jobs.progress(job_id)).status == "Failed"


async def test_stopping_leaves_the_job_for_the_next_process(office):
    await office.fill()
    office.store.gate = asyncio.Event()
    job_id = await office.jobs.start_resync(SHOP, [], "ops")
    await settle()
    await office.jobs.stop()
    assert (await office.jobs.progress(job_id)).status == "Running"
    office.store.gate.set()
    assert await office.jobs.run_unfinished() == 1
    assert (await office.jobs.progress(job_id)).status == "Succeeded"


# Wipe --------------------------------------------------------------------------------------------------------


async def test_a_wiped_partition_is_empty_and_its_ids_count_again(office):
    await office.fill(5)
    elsewhere = {"siteId": "2", "locationId": "21"}
    await office.lanes.submit(SHOP, change("p0", 7, "kept", dimensions=elsewhere))
    (first, second) = await Queries(office.store, office.environments, office.clock).partitions(SHOP)
    assert (first.partition_id, second.partition_id) == ("usmf/1/11", "usmf/2/21")
    assert await office.jobs.wipe(SHOP, [first.partition_id], "ops") == 5
    assert office.on_hand("p0") == 0
    (left,) = await Queries(office.store, office.environments, office.clock).partitions(SHOP)
    assert left == second
    assert isinstance(await office.lanes.submit(SHOP, change("p0", 5, "c0")), Accepted), "counts again"
    assert isinstance(
        await office.lanes.submit(SHOP, change("p0", 7, "kept", dimensions=elsewhere)), Replayed
    )
    assert (await Auditor(office.store, office.environments, probe=office.ear).audit(SHOP)).clean


async def test_a_bad_partition_id_refuses_the_whole_wipe(office):
    await office.fill(1)
    refused = await office.jobs.wipe(SHOP, ["USMF/1/11", "nonsense"], "ops")
    assert isinstance(refused, Rejected)
    assert "organization/site/location" in refused.message
    assert office.on_hand("p0") == 5


async def test_wiping_what_is_empty_is_zero(office):
    assert await office.jobs.wipe(SHOP, ["USMF/9/99"], "ops") == 0
    assert await office.jobs.wipe(SHOP, [], "ops") == 0


async def test_a_wipe_that_meets_an_outage_says_so(office):
    await office.fill(1)
    office.store.mishaps = iter([Mishap.GATHER_UNAVAILABLE] * 50)
    with pytest.raises(StoreUnavailable):
        await office.jobs.wipe(SHOP, ["USMF/1/11"], "ops")


# Sweeper -----------------------------------------------------------------------------------------------------


async def test_the_sweeper_releases_what_has_expired(office):
    for number in range(7):
        await office.lanes.submit(SHOP, change(f"p{number}", 5, f"c{number}"))
        await office.lanes.submit(SHOP, reserve(f"p{number}", 2, f"r{number}", lives_us=1_000_000))
    await office.lanes.submit(SHOP, reserve("p0", 1, "for ever"))
    assert await office.jobs.sweep() == 0
    office.clock.now += 1_000_000
    assert await office.jobs.sweep() == 7
    assert [office.held(f"p{number}") for number in range(7)] == [1, 0, 0, 0, 0, 0, 0]
    assert await office.jobs.sweep() == 0


async def test_a_sweep_is_bounded_and_goes_on_next_time(office):
    for number in range(7):
        await office.lanes.submit(SHOP, reserve(f"p{number}", 2, f"r{number}", check=False, lives_us=1))
    office.clock.now += 1
    jobs = office.staff(sweep_products_max=4)
    assert await jobs.sweep() == 6
    assert await jobs.sweep() == 1


async def test_a_sweep_during_an_outage_ends_quietly(office):
    await office.lanes.submit(SHOP, reserve("p0", 2, "r0", check=False, lives_us=1))
    office.clock.now += 1
    office.store.mishaps = iter([Mishap.GATHER_UNAVAILABLE] * 50)
    assert await office.jobs.sweep() == 0
    office.store.mishaps = iter(())
    assert await office.jobs.sweep() == 1
