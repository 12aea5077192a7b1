"""Whatever the store does to a unit, each submission gets one right answer and has at most one effect."""

import asyncio
from collections import Counter

from hypothesis import event, given, settings
from hypothesis import strategies as st
from tests.memory import Ear, MemoryCatalogue, MemoryStore, Mishap, StillClock
from tests.shop import ON_HAND, change, key, reserve

from onhand.core.commands import Kind
from onhand.core.outcomes import Accepted, Rejected, Replayed
from onhand.core.quantities import SCALE
from onhand.ports import ConfigurationRow
from onhand.service.auditor import Auditor
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.faults import Fault, OutcomeUnknown

NODE = "siteid=1&locationid=11"
PRODUCTS = ("bike", "helmet", "bell")
STOCKED = 6

submissions = st.lists(
    st.tuples(
        st.sampled_from(["change", "reserve"]),
        st.sampled_from(PRODUCTS),
        st.integers(1, 4),
        st.integers(0, 5),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=20,
)
"""(what, product, units, number of the id, batcher). Equal ids with equal bodies are honest retries."""

schedules = st.lists(
    st.sampled_from(list(Mishap)) | st.sampled_from([Mishap.LOST_BUT_LANDED, Mishap.LOST_AND_GONE]),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(submissions, schedules, st.sampled_from([0.0, 60.0]), st.integers(1, 5), st.booleans())
def test_each_submission_has_one_right_answer(wanted, schedule, settle_seconds, batch_max, bulk):
    asyncio.run(_play(wanted, schedule, settle_seconds, batch_max, bulk=bulk))


async def _play(wanted, schedule, settle_seconds, batch_max, *, bulk) -> None:
    catalogue = MemoryCatalogue()
    store = MemoryStore(catalogue.versions)
    environments = Environments(catalogue)
    assert isinstance(await environments.create("shop", "standalone", "ops"), ConfigurationRow)
    rules = environments.rules("shop")
    batchers = [
        Batcher(
            store,
            environments,
            StillClock(),
            probe=Ear(),
            lanes=2,
            batch_max=batch_max,
            conflict_retries=2,
            retry_pause_seconds=0.0,
            settle_seconds=settle_seconds,
            deadline_seconds=600.0,
        )
        for _ in range(2)
    ]
    for batcher in batchers:
        await batcher.start()
    stocked = [change(product, STOCKED, f"stock-{product}") for product in PRODUCTS]
    await batchers[0].submit_all(rules, stocked)
    store.mishaps = iter(schedule)

    builds = []
    for what, product, units, number, which in wanted:
        command_id = f"{what}-{product}-{units}-{number}"
        build = (
            change(product, units, command_id) if what == "change" else reserve(product, units, command_id)
        )
        builds.append((what, product, units, command_id, which, build))
    if bulk:
        halves = [[entry for entry in builds if entry[4] == which] for which in (0, 1)]
        answered = await asyncio.gather(
            *(
                batcher.submit_all(rules, [entry[5] for entry in half])
                for batcher, half in zip(batchers, halves, strict=True)
            )
        )
        builds = [*halves[0], *halves[1]]
        answers = [*answered[0], *answered[1]]
    else:
        answers = await asyncio.gather(
            *(batchers[entry[4]].submit("shop", entry[5]) for entry in builds), return_exceptions=True
        )
    for batcher in batchers:
        await batcher.stop()

    assert len(answers) == len(builds)
    asked = Counter(entry[3] for entry in builds)
    on_hand = dict.fromkeys(PRODUCTS, STOCKED)
    held = dict.fromkeys(PRODUCTS, 0)
    for what, product, units, command_id in {entry[:4] for entry in builds}:
        kind = Kind.CHANGE if what == "change" else Kind.RESERVE
        if (rules.environment, kind, command_id) in store.ids:
            (on_hand if what == "change" else held)[product] += units
    for (what, _, _, command_id, _, _), answer in zip(builds, answers, strict=True):
        assert isinstance(answer, Accepted | Replayed | Rejected | Fault), answer
        event(type(answer).__name__)
        recorded = (
            rules.environment,
            Kind.CHANGE if what == "change" else Kind.RESERVE,
            command_id,
        ) in store.ids
        match answer:
            case Accepted() | Replayed():
                assert recorded
                assert store.ids[
                    rules.environment, Kind.CHANGE if what == "change" else Kind.RESERVE, command_id
                ]
            case OutcomeUnknown():
                pass
            case _:
                assert not recorded or asked[command_id] > 1
        if asked[command_id] == 1:
            assert not isinstance(answer, Replayed), "a first-time caller is never told that it was a replay"
        if what == "change":
            assert not isinstance(answer, Rejected)

    reserved = min(rules.mapped)
    for product in PRODUCTS:
        at = key(rules, product)
        assert store.own(at, NODE, rules.measures[ON_HAND]) == on_hand[product] * SCALE
        assert store.own(at, NODE, reserved) == held[product] * SCALE
        assert held[product] <= on_hand[product]
    report = await Auditor(store, environments, probe=Ear()).audit("shop")
    assert report.clean, report.drifts
