"""Change, set and wipe; repeats of ids."""

from __future__ import annotations

import pytest

from onhand.core import commands as c
from onhand.core.outcomes import Accepted, Reason, Replayed
from onhand.core.snapshot import Level
from tests.property.world import ON_HAND, OUTBOUND, SOFT, World, position, product, rules_of

BIKE = product()
RED = position(color="red")
LOT = position(color="red", batch="b1")


def change(number, *changes, at=RED, **fields):
    return c.ChangeOnHand(id=str(number), caller="web", product=BIKE, position=at, changes=changes, **fields)


def assign(number, *values, at=RED, **fields):
    return c.SetOnHand(id=str(number), caller="web", product=BIKE, position=at, values=values, **fields)


def reserve(number, quantity, **fields):
    return c.Reserve(
        **{"id": str(number), "caller": "web", "product": BIKE, "position": RED, "measure": SOFT, **fields},
        quantity=quantity,
    )


def test_a_change_adds_each_delta_as_one_movement():
    world = World()
    assert world.run([change(1, (ON_HAND, 5), (OUTBOUND, 2), reason="count"), change(2, (ON_HAND, -7))]) == [
        Accepted(),
        Accepted(),
    ]
    world.check()
    assert world.level(BIKE, RED, ON_HAND).own == -2
    assert [(m.delta, m.level, m.reason) for m in world.movements] == [
        (5, 5, "count"),
        (2, 2, "count"),
        (-7, -2, ""),
    ]


def test_a_command_that_changes_nothing_leaves_a_trace_of_zero():
    world = World()
    assert world.run([change(1, (ON_HAND, 0), (OUTBOUND, 0))]) == [Accepted()]
    (trace,) = world.movements
    assert (trace.delta, trace.level, trace.command_id) == (0, 0, "1")
    world.run([change(1, (ON_HAND, 0), (OUTBOUND, 0))])
    assert len(world.movements) == 1, "a repeat leaves none"
    world.check()


def test_a_record_below_a_cell_shows_in_the_cell():
    world = World()
    world.run([change(1, (ON_HAND, 5), at=LOT)])
    assert world.level(BIKE, LOT, ON_HAND) == Level(own=5)
    assert world.level(BIKE, RED, ON_HAND) == Level(finer=5)
    assert world.run([reserve(2, 5), reserve(3, 1)])[1].reason == Reason.SHORTAGE
    world.check()


def test_a_change_is_all_or_nothing():
    world = World()
    (outcome,) = world.run([change(1, (ON_HAND, 5), (OUTBOUND, 1 << 63))])
    assert outcome.reason == Reason.OUT_OF_RANGE
    assert world.movements == []
    assert world.run([change(2, (ON_HAND, 1 << 62), at=LOT)]) == [Accepted()]
    (outcome,) = world.run([change(3, (ON_HAND, 1), at=position(color="red", batch="b2"))])
    assert outcome.reason == Reason.OUT_OF_RANGE


def test_a_change_of_a_reserved_measure_goes_to_the_unattributed_balance():
    world = World()
    world.run([change(1, (ON_HAND, 10)), reserve(2, 4), change(3, (SOFT, 3))])
    assert world.level(BIKE, RED, SOFT) == Level(own=7, held=4)


@pytest.mark.parametrize(
    ("switch", "times", "expected", "outcome"),
    [
        ("ignore", (None, None), 7, Accepted()),
        ("ignore", (5, 5), 7, Accepted()),
        ("ignore", (5, 4), 3, Accepted(stale=True)),
        ("ignore", (5, None), 7, Accepted()),
        ("apply", (5, 4), 7, Accepted()),
    ],
)
def test_set(switch, times, expected, outcome):
    world = World(rules_of(set_on_hand_stale=switch))
    world.run([change(1, (ON_HAND, 9))])
    first, second = times
    outcomes = world.run(
        [assign(1, (ON_HAND, 3), modified_at=first), assign(2, (ON_HAND, 7), modified_at=second)]
    )
    assert outcomes == [Accepted(), outcome]
    assert world.level(BIKE, RED, ON_HAND).own == expected
    world.check()


def test_set_in_a_later_batch_remembers_the_time():
    world = World()
    world.run([assign(1, (ON_HAND, 3), modified_at=5)])
    assert world.run([assign(2, (ON_HAND, 4), modified_at=4)]) == [Accepted(stale=True)]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("switch", "fingerprint", "expected"),
    [
        ("replay", 1, Replayed(Accepted())),
        ("refuse", 1, Reason.DUPLICATE_ID),
        ("replay", 2, Reason.PAYLOAD_MISMATCH),
        ("refuse", 2, Reason.PAYLOAD_MISMATCH),
    ],
)
def test_a_repeated_id(together, switch, fingerprint, expected):
    world = World(rules_of(duplicate_id=switch))
    works = [change("a", (ON_HAND, 5), fingerprint=1), change("a", (ON_HAND, 5), fingerprint=fingerprint)]
    outcomes = world.run(works) if together else world.run(works[:1]) + world.run(works[1:])
    assert getattr(outcomes[1], "reason", outcomes[1]) == expected
    assert world.level(BIKE, RED, ON_HAND).own == 5


def test_a_refused_id_is_decided_afresh_and_kinds_have_ids_of_their_own():
    world = World()
    assert world.run([reserve("a", 5)])[0].reason == Reason.SHORTAGE
    assert world.run([change("a", (ON_HAND, 5)), reserve("a", 5)]) == [Accepted(), Accepted(0, 1, 100)]


def test_a_wipe_is_no_member_of_a_group():
    with pytest.raises(ValueError, match="by itself"):
        c.Group(commands=(c.Wipe(id="w", caller="web", product=BIKE, place=RED.place),))


def test_wipe_forgets_stock_holds_and_ids_of_one_place():
    world = World()
    other = position(site="2", color="red")
    world.run([change(1, (ON_HAND, 5)), change(2, (ON_HAND, 6), at=other), change(3, (ON_HAND, 1), at=LOT)])
    world.run([reserve(4, 2), assign(5, (OUTBOUND, 1), modified_at=9)])
    wipe = c.Wipe(id="w", caller="web", product=BIKE, place=RED.place)
    again = [change(1, (ON_HAND, 4)), assign(5, (OUTBOUND, 1), modified_at=8)]
    assert world.run([wipe, *again]) == [Accepted(released=9), Accepted(), Accepted()]
    world.check()
    assert world.level(BIKE, RED, ON_HAND) == Level(own=4)
    assert world.level(BIKE, other, ON_HAND) == Level(own=6)
    assert world.rows[BIKE].holds[1].remaining == 0
    assert world.run([change(2, (ON_HAND, 6), at=other)]) == [Replayed(Accepted())]
