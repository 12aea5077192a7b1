"""The optimistic road: what takes it, what leaves it, and that nobody can tell from the outcomes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from onhand.core.commands import Group
from onhand.core.outcomes import Accepted, GroupOutcome, Reason, Rejected, Replayed
from onhand.core.quantities import SCALE
from onhand.core.rules import Rules
from onhand.core.snapshot import ProductState
from onhand.rows import ConfigurationRow
from onhand.service.faults import DeadlineExceeded, OutcomeUnknown
from onhand.service.optimistic import AVOIDED_SECONDS
from onhand.service.remembered import Memory, Remembered
from tests.house import SHOP, House, settle
from tests.memory import MemoryStore, Mishap
from tests.shop import RED, change, key, reserve

GATHERED: list[tuple[str, ...]] = []
"""Products of each gather."""


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    assert isinstance(await made.environments.create(SHOP, "standalone", "ops"), ConfigurationRow)
    GATHERED.clear()
    made.store.before_gather = lambda reads: GATHERED.append(tuple(sorted(p.product for p in reads.products)))
    yield made
    for batcher in made.batchers:
        await batcher.stop()


async def stocked(house: House, *products: str, pieces: int = 10, **bounds: Any) -> Any:
    """A batcher; each product has pieces and one reservation, so that its position and both its levels are there."""
    batcher = await house.batcher(**{"cells_remembered": 100, **bounds})
    for product in products:
        assert isinstance(await batcher.submit(SHOP, change(product, pieces + 1, f"c-{product}")), Accepted)
        assert isinstance(await batcher.submit(SHOP, reserve(product, 1, f"first-{product}")), Accepted)
    GATHERED.clear()
    house.store.looks = 0
    return batcher


async def batch(batcher: Any, *builds: Any) -> list[Any]:
    """Submissions of one batch."""
    return await asyncio.gather(*(batcher.submit(SHOP, build) for build in builds), return_exceptions=True)


def left(outcomes: list[Any]) -> list[int]:
    return [outcome.available // SCALE for outcome in outcomes]


async def test_a_product_is_looked_at_once_and_then_remembered(house):
    await stocked(house, "bike", "bell")
    batcher = await house.batcher(cells_remembered=100)
    assert left(await batch(batcher, reserve("bike", 3, "r1"), reserve("bell", 1, "r2"))) == [7, 9]
    assert left(await batch(batcher, reserve("bike", 2, "r3"))) == [5]
    assert left(await batch(batcher, reserve("bell", 2, "r4"), reserve("bike", 1, "r5"))) == [7, 4]
    assert (house.store.looks, GATHERED) == (1, [])


async def test_nothing_is_remembered_when_that_is_switched_off(house):
    batcher = await stocked(house, "bike", cells_remembered=0)
    await batch(batcher, reserve("bike", 3, "r1"))
    assert (house.store.looks, GATHERED) == (0, [("bike",)])


async def test_the_last_pieces_are_refused_under_locks_and_the_others_go_on(house):
    batcher = await stocked(house, "bike", "bell", "helmet", pieces=2)
    outcomes = await batch(
        batcher,
        *(
            reserve("bell", 1, "r1"),
            reserve("bike", 2, "r2"),
            reserve("bike", 1, "r3"),
            reserve("helmet", 1, "r4"),
        ),
    )
    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Rejected, Accepted]
    assert outcomes[2].reason is Reason.SHORTAGE
    assert GATHERED == [("bike",)], "only the product that had a refusal"
    assert [refusal.command_id for refusal in house.store.refused] == ["r3"]


async def test_a_product_that_was_refused_is_avoided_for_a_moment(house, monkeypatch):
    batcher = await stocked(house, "bike", pieces=2)
    await batch(batcher, reserve("bike", 3, "r1"))
    await batch(batcher, reserve("bike", 1, "r2"))
    assert GATHERED == [("bike",), ("bike",)]
    loop = asyncio.get_running_loop()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + AVOIDED_SECONDS)
    assert left(await batch(batcher, reserve("bike", 1, "r3"))) == [0]
    assert GATHERED == [("bike",), ("bike",)]


async def test_other_commands_and_their_products_are_left_to_the_other_road(house):
    batcher = await stocked(house, "bike", "bell", "helmet", "light")
    group = lambda rules: Group(commands=(reserve("bell", 1, "g1")(rules),))  # noqa: E731
    outcomes = await batch(
        batcher,
        change("bike", 5, "c1"),
        reserve("bike", 1, "r1"),
        group,
        *(reserve("bell", 1, "r2"), reserve("helmet", 1, "r3"), reserve("light", 1, "r4")),
        *(reserve("helmet", 1, "r5"), reserve("light", 1, "r6")),
    )
    assert [type(one) for one in outcomes] == [Accepted, Accepted, GroupOutcome, *(Accepted,) * 5]
    assert outcomes[1].available == 14 * SCALE
    assert GATHERED == [("bell", "bike")]


async def test_a_batch_with_few_reservations_is_not_split(house):
    batcher = await stocked(house, "bike", "bell")
    await batch(batcher, change("bike", 1, "c1"), change("bike", 1, "c2"), reserve("bell", 1, "r1"))
    assert GATHERED == [("bell", "bike")]


async def test_what_another_process_changed_is_found_and_decided_again(house):
    batcher = await stocked(house, "bike", "bell", pieces=5)
    other = await house.batcher(cells_remembered=100)
    await batch(batcher, reserve("bike", 1, "r1"), reserve("bell", 1, "r2"))
    await batch(other, reserve("bike", 3, "r3"))
    outcomes = await batch(batcher, reserve("bike", 2, "r4"), reserve("bell", 1, "r5"))
    assert [type(outcome) for outcome in outcomes] == [Rejected, Accepted], "one piece was left"
    assert house.ear.faults["optimistic", "Stale"] == 2
    assert GATHERED == [("bell", "bike")]


async def test_one_product_that_changed_makes_all_be_looked_at_again(house):
    batcher = await stocked(house, "bike", "bell", pieces=9)
    other = await house.batcher(cells_remembered=100)
    await batch(other, reserve("bike", 1, "r1"), reserve("bell", 1, "r2"))
    await batch(batcher, reserve("bike", 1, "r3"))
    for number in range(2):  # the pause after the failure
        await batch(batcher, reserve("bike", 1, f"p{number}"))
    house.store.looks = 0
    assert left(await batch(batcher, reserve("bell", 1, "r4"))) == [7]
    assert house.store.looks == 1
    assert house.ear.faults["optimistic", "Stale"] == 1


async def test_after_another_connection_nothing_is_remembered(house):
    """A failover or a restored backup may bring an old version of a product back, with other contents."""
    batcher = await stocked(house, "bike", pieces=5)
    bike = house.store.product(key(house.rules, "bike"))
    await batch(batcher, reserve("bike", 1, "r1"))
    on_hand = bike.stock[1, house.rules.measures["iv", "onhand"]]
    on_hand.own = 3 * SCALE  # at the same version
    house.store.era += 1
    (outcome,) = await batch(batcher, reserve("bike", 2, "r2"))
    assert isinstance(outcome, Rejected)
    assert house.store.looks == 1


async def test_a_connection_that_is_opened_meanwhile_keeps_the_product_from_being_remembered(house):
    batcher = await stocked(house, "bike")

    def reconnect(_decision: object) -> None:
        house.store.era += 1

    house.store.before_commit = reconnect
    for number in range(3):
        await batch(batcher, reserve("bike", 1, f"r{number}"))
    assert house.store.looks == 2, "what the fixture left was remembered for the first"


async def test_behind_a_pooler_nothing_is_remembered(house):
    batcher = await stocked(house, "bike")
    house.store.era = None
    assert left(await batch(batcher, reserve("bike", 1, "r1"))) == [9]
    assert (house.store.looks, GATHERED) == (0, [("bike",)])


async def test_a_new_configuration_is_found_and_the_submission_built_again(house):
    batcher = await stocked(house, "bike")
    await batch(batcher, reserve("bike", 1, "r1"))
    await house.apply_elsewhere("damaged")
    assert left(await batch(batcher, reserve("bike", 1, "r2"))) == [8]
    assert house.ear.faults["optimistic", "Stale"] == 1


async def test_an_id_that_came_before_is_answered_by_the_other_road(house):
    batcher = await stocked(house, "bike", "bell")
    (first,) = await batch(batcher, reserve("bike", 1, "r1"))
    again, other, fresh = await batch(
        batcher, reserve("bike", 1, "r1"), reserve("bike", 2, "r1"), reserve("bell", 1, "r2")
    )
    assert again == Replayed(first)
    assert other.reason is Reason.PAYLOAD_MISMATCH
    assert isinstance(fresh, Accepted)


async def test_the_same_id_twice_in_a_batch_is_taken_once(house):
    batcher = await stocked(house, "bike")
    first, again = await batch(batcher, reserve("bike", 1, "r1"), reserve("bike", 1, "r1"))
    assert again == Replayed(first)
    assert GATHERED == []


async def test_a_hold_that_lapses_is_released_before_anything_is_decided(house):
    batcher = await stocked(house, "bike", pieces=2)
    assert left(await batch(batcher, reserve("bike", 2, "r1", lives_us=5))) == [0]
    assert GATHERED == []
    house.clock.now += 5
    assert left(await batch(batcher, reserve("bike", 1, "r2"))) == [1]
    assert GATHERED == [("bike",)]
    assert left(await batch(batcher, reserve("bike", 1, "r3"))) == [0]
    assert GATHERED == [("bike",)]


async def test_the_first_reservation_at_a_position_is_made_under_locks(house):
    batcher = await stocked(house, "bike")
    await batcher.submit(SHOP, change("bike", 5, "red", dimensions=RED))
    GATHERED.clear()
    await batch(batcher, reserve("bike", 1, "r1", dimensions={**RED, "sizeId": "s"}))
    assert GATHERED == [("bike",)]


@pytest.mark.parametrize("mishap", [Mishap.LOST_BUT_LANDED, Mishap.LOST_AND_GONE, Mishap.LOST_AND_LATE])
@pytest.mark.parametrize("odd", [0, 1])
async def test_a_lost_answer_is_settled_by_the_other_road(house, mishap, odd):
    """`odd` decides whether a late commit arrives before or after the unit that settles it."""
    batcher = await stocked(house, "bike")
    await batch(batcher, reserve("bike", 1, "r0"))
    house.store.units += odd
    house.store.mishaps = iter([mishap])
    assert left(await batch(batcher, reserve("bike", 2, "r1"), reserve("bike", 3, "r2"))) == [7, 4]
    house.store.arrive(house.store.late)
    assert left(await batch(batcher, reserve("bike", 1, "r3"))) == [3]
    assert house.store.product(key(house.rules, "bike")).version == 2 + 4


async def test_while_a_commit_may_still_arrive_nobody_is_told_that_nothing_was_recorded(house, monkeypatch):
    batcher = await stocked(house, "bike", "bell", deadline_seconds=1.0)
    await batch(batcher, reserve("bike", 1, "r0"))
    house.store.mishaps = iter([Mishap.LOST_AND_LATE])
    loop = asyncio.get_running_loop()
    now = loop.time
    house.store.before_commit = lambda _decision: monkeypatch.setattr(loop, "time", lambda: now() + 2.0)
    (outcome,) = await batch(batcher, reserve("bike", 2, "r1"))
    assert isinstance(outcome, Accepted), (
        "the deadline passed, and only deciding it again keeps the other commit out"
    )
    house.store.arrive(house.store.late)
    assert house.store.product(key(house.rules, "bike")).version == 2 + 2


@pytest.mark.parametrize("then", [Mishap.COMMIT_UNAVAILABLE, Mishap.COMMIT_CONFLICT, Mishap.COMMIT_VIOLATION])
async def test_who_cannot_be_answered_while_a_commit_may_still_arrive_is_told_that_it_is_unknown(house, then):
    batcher = await stocked(house, "bike", "bell", conflict_retries=1)
    house.store.arrive = lambda _late: None  # it is still on its way
    house.store.mishaps = iter([Mishap.LOST_AND_LATE, *[then] * 20])
    outcomes = await batch(batcher, reserve("bike", 2, "r1"), reserve("bell", 2, "r2"))
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 2


async def arriving_before(house: House, units: int) -> None:
    """The late commit arrives right before the unit that comes so many after the next one."""
    late: list[Any] = []
    house.store.arrive = late.extend
    start, original = house.store.units, house.store.unit

    def unit() -> Any:
        if house.store.units == start + units:
            MemoryStore.arrive([*late, *house.store.late])
        return original()

    house.store.unit = unit


@pytest.mark.parametrize("between", [Mishap.COMMIT_CONFLICT, Mishap.LOST_AND_GONE, Mishap.COMMIT_UNAVAILABLE])
async def test_a_commit_that_arrives_between_two_attempts_to_settle_it_is_found(house, between):
    batcher = await stocked(house, "bike")
    await arriving_before(house, 2)
    house.store.mishaps = iter([Mishap.LOST_AND_LATE, between])
    assert left(await batch(batcher, reserve("bike", 2, "r1"))) == [8], "accepted, and no replay"
    assert house.store.product(key(house.rules, "bike")).version == 2 + 1


async def test_a_lost_commit_under_an_old_configuration_can_never_arrive(house):
    """So its batch is built again like any other, and who is refused by that does not keep the others."""
    batcher = await stocked(house, "bike", "bell")
    version = house.rules.version
    await house.apply_elsewhere("damaged")

    def picky(rules: Rules) -> Any:
        if rules.version != version:
            return Rejected(Reason.RESERVATIONS_DISABLED, "not any more")
        return reserve("bike", 1, "r1")(rules)

    house.store.mishaps = iter([Mishap.LOST_AND_LATE])
    outcomes = await batch(batcher, picky, reserve("bell", 1, "r2"))
    assert [type(outcome) for outcome in outcomes] == [Rejected, Accepted]


async def test_holds_that_lapse_at_once_are_left_to_the_other_road(house):
    batcher = await stocked(house, "bike", "bell")
    outcomes = await batch(
        batcher,
        *(reserve("bike", 1, f"r{number}", lives_us=0) for number in range(2)),
        *(reserve("bell", 1, f"b{number}") for number in range(2)),
    )
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 4
    assert GATHERED == [("bike",)]
    assert not house.ear.faults


async def test_a_deadline_that_passes_while_looking_keeps_the_commit_back(house, monkeypatch):
    batcher = await stocked(house, "bike", deadline_seconds=1.0)
    loop = asyncio.get_running_loop()
    now = loop.time
    original = house.store.unit

    def late_unit() -> Any:
        monkeypatch.setattr(loop, "time", lambda: now() + 2.0)
        return original()

    monkeypatch.setattr(house.store, "unit", late_unit)
    (outcome,) = await batch(batcher, reserve("bike", 2, "r1"))
    assert isinstance(outcome, DeadlineExceeded)
    assert house.store.product(key(house.rules, "bike")).version == 2


async def test_after_failures_the_road_is_left_for_a_growing_number_of_batches(house):
    batcher = await stocked(house, "bike", pieces=20)
    fails, works = Mishap.COMMIT_CONFLICT, Mishap.NONE
    house.store.mishaps = iter([fails, *[works] * 3, fails])
    gathered = []
    for number in range(11):
        before = len(GATHERED)
        await batch(batcher, reserve("bike", 1, f"r{number}"))
        gathered.append(len(GATHERED) - before)
    assert gathered == [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], (
        "two batches after the first failure, four after the second"
    )
    assert house.ear.faults["optimistic", "Conflict"] == 2


async def test_a_stop_answers_what_was_sent_with_unknown(house):
    batcher = await stocked(house, "bike", drain_seconds=0.01)
    await batch(batcher, reserve("bike", 1, "r0"))
    never = asyncio.Event()
    original = house.store.unit

    class Hanging:
        def __init__(self, context: Any) -> None:
            self._context = context

        async def __aenter__(self) -> Any:
            unit = await self._context.__aenter__()

            async def hang(_decision: object, _snapshot: object) -> None:
                await never.wait()

            unit.commit_unchanged = hang
            return unit

        async def __aexit__(self, *error: object) -> None:
            await self._context.__aexit__(*error)

    house.store.unit = lambda: Hanging(original())
    task = asyncio.create_task(batch(batcher, reserve("bike", 1, "r1")))
    await settle()
    await batcher.stop()
    assert [type(fault) for fault in await task] == [OutcomeUnknown]


def test_the_oldest_are_forgotten_first_and_wide_products_at_once(house):
    remembered = Remembered(5)
    rules = house.rules

    def memory(cells: int) -> Memory:
        state = ProductState(1, 1, 1, 1, positions=dict.fromkeys(map(str, range(cells))))  # type: ignore[arg-type]
        return Memory(state, 1, ("place",))

    for name, cells in (("a", 2), ("b", 2), ("a", 2), ("c", 2), ("d", 300)):
        remembered.keep(key(rules, name), memory(cells))
    assert [remembered.recall(key(rules, name)) is not None for name in "abcd"] == [True, False, True, False]
    remembered.keep(key(rules, "a"), memory(300))
    assert remembered.recall(key(rules, "a")) is None
    remembered.forget([key(rules, "c"), key(rules, "unknown")])
    for name in "efg":
        remembered.keep(key(rules, name), memory(0))
    assert all(remembered.recall(key(rules, name)) for name in "efg"), "one without cells weighs as one"
