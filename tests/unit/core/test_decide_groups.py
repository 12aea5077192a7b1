"""Groups: all accepted or none, documents included."""

from __future__ import annotations

import copy
import gc

import pytest

from onhand.core import commands as c
from onhand.core.decide import decide, reads
from onhand.core.outcomes import Accepted, GroupOutcome, Reason, Rejected, Replayed
from onhand.core.snapshot import Level
from tests.property.world import ON_HAND, SOFT, World, position, product

RED = position(color="red")
ORDER = c.DocumentKey(1, 1, "order", "o-1")


def change(number, quantity, name="bike"):
    return c.ChangeOnHand(
        id=str(number), caller="web", product=product(name), position=RED, changes=((ON_HAND, quantity),)
    )


def reserve(number, quantity, name="bike"):
    return c.Reserve(
        id=str(number), caller="web", product=product(name), position=RED, measure=SOFT, quantity=quantity
    )


def stocked():
    world = World()
    world.run([change("s1", 10), change("s2", 10, "lamp")])
    return world


def test_all_members_are_accepted():
    world = stocked()
    group = c.Group(commands=(reserve(1, 4), reserve(2, 5, "lamp"), reserve(3, 6)))
    outcomes = (Accepted(6, 1, 100), Accepted(5, 1, 100), Accepted(0, 2, 100))
    assert world.run([group]) == [GroupOutcome(outcomes, accepted=True)]
    world.check()


def test_one_refusal_refuses_all_and_changes_nothing():
    world = stocked()
    before = copy.deepcopy(world.rows_seen()[:3])
    group = c.Group(commands=(reserve(1, 4), change(2, 1, "lamp"), reserve(3, 7)))
    (outcome,) = world.run([group])
    assert not outcome.accepted
    assert [one.reason for one in outcome.outcomes] == [
        Reason.GROUP_MEMBER_REFUSED,
        Reason.GROUP_MEMBER_REFUSED,
        Reason.SHORTAGE,
    ]
    assert "command 3 (id 3)" in outcome.outcomes[0].message
    assert world.rows_seen()[:3] == before
    assert len(world.refusals) == 1
    assert world.run([reserve(1, 10)]) == [Accepted(0, 1, 100)]


def test_the_state_after_a_refused_group_is_that_before_it():
    world = stocked()
    refused = c.Group(
        commands=(reserve(1, 4), c.ReleaseHold(id="r", caller="web", product=product(), hold=9))
    )
    outcomes = world.run([reserve("a", 3), refused, reserve("b", 7), reserve("c", 1)])
    assert outcomes[2] == Accepted(0, 2, 100)
    assert outcomes[3].reason == Reason.SHORTAGE
    world.check()


def test_availability_first_asked_for_in_a_refused_group_is_not_kept():
    world = stocked()
    unchecked = c.Reserve(
        id="u", caller="web", product=product(), position=RED, measure=SOFT, quantity=8, check=False
    )
    refused = c.Group(commands=(unchecked, reserve(1, 3)))
    assert world.run([refused, reserve("a", 10)])[1] == Accepted(0, 1, 100)


def test_members_see_each_other_and_repeats_count_as_accepted():
    world = stocked()
    world.run([reserve(1, 4)])
    release = c.ReleaseHold(id="r", caller="web", product=product(), hold=2)
    (outcome,) = world.run([c.Group(commands=(reserve(1, 4), reserve(2, 6), release))])
    assert outcome.outcomes == (Replayed(Accepted(6, 1, 100)), Accepted(0, 2, 100), Accepted(released=6))
    world.check()


def write(version_step=0, body=b"x"):
    def finish(concluded):
        return [c.DocumentWrite(one.key, one.version + version_step, body) for one in concluded.documents]

    return finish


def test_documents_are_written_with_the_stock_and_seen_by_later_groups():
    world = stocked()
    group = c.Group(commands=(reserve(1, 4),), documents=(ORDER,), finish=write(body=b"1"))
    later = c.Group(commands=(), documents=(ORDER,), finish=write(body=b"2"))
    first, second = world.run([group, later])
    assert (first.versions, second.versions) == ((1,), (2,))
    assert world.documents[ORDER] == c.Document(ORDER, 2, b"2")


def test_finish_sees_outcomes_and_documents_in_order():
    seen = []
    other = c.DocumentKey(0, 1, "order", "o-2")

    def finish(concluded):
        seen.append((list(concluded.outcomes), [one.key for one in concluded.documents]))
        return []

    stocked().run([c.Group(commands=(reserve(1, 4),), documents=(ORDER, other), finish=finish)])
    assert seen[0] == ([Accepted(6, 1, 100)], [ORDER, other])


def test_a_stale_document_refuses_the_group():
    world = stocked()
    group = c.Group(commands=(reserve(1, 4),), documents=(ORDER,), finish=write(version_step=1))
    (outcome,) = world.run([group])
    assert not outcome.accepted
    assert [one.reason for one in outcome.outcomes] == [Reason.STALE_DOCUMENT]
    assert world.documents == {}
    assert world.level(product(), RED, SOFT) == Level()


def test_a_document_that_was_not_asked_for_can_only_be_new():
    def finish(expected):
        return lambda _concluded: [c.DocumentWrite(ORDER, expected, b"x")]

    world = stocked()
    (outcome,) = world.run([c.Group(commands=(reserve(1, 4),), finish=finish(1))])
    assert outcome.outcomes[0].reason == Reason.STALE_DOCUMENT
    made, again = world.run([c.Group(commands=(), finish=finish(0)), c.Group(commands=(), finish=finish(0))])
    assert (made.accepted, again.accepted) == (True, False)
    assert world.documents[ORDER].version == 1


def test_what_lapsed_before_a_refused_group_stays_lapsed():
    world = stocked()
    hold = c.Reserve(
        id="h", caller="web", product=product(), position=RED, measure=SOFT, quantity=4, expires_at=5
    )
    world.run([hold])
    (outcome,) = world.run([c.Group(commands=(reserve(1, 11),))], now=5)
    assert not outcome.accepted
    assert world.level(product(), RED, SOFT) == Level()
    world.check()


def test_a_decided_batch_leaves_nothing_to_the_cycle_collector():
    """Cycles per batch would make the collector the largest cost of a busy service."""
    world = stocked()
    works = [reserve(1, 1), c.Group(commands=(reserve(2, 1), reserve(3, 1, "lamp"))), reserve(4, 99)]
    snapshot = world.gather(reads(works), 0)
    gc.collect()
    gc.disable()
    try:
        decide(works, snapshot, world.rules, 0)
        assert gc.collect() == 0
    finally:
        gc.enable()


def both(name="bike"):
    return product(name), RED.place


def test_finish_sees_the_totals_of_its_places_before_and_after_its_commands():
    world = stocked()
    world.run([change("lot", 3), reserve("r", 2)])
    seen = []

    def finish(concluded):
        seen.append(
            [
                (concluded.before(*where, measure), concluded.total(*where, measure))
                for where in (both(), both("lamp"), both("ghost"))
                for measure in (ON_HAND, SOFT)
            ]
        )
        return ()

    def group(*commands):
        return c.Group(commands=commands, places=(both(), both("lamp"), both("ghost")), finish=finish)

    batch = c.ChangeOnHand(
        id="b",
        caller="web",
        product=product("lamp"),
        position=position(color="red", batch="b1"),
        changes=((ON_HAND, 5),),
    )
    refused = c.Group(commands=(change("x", 50), reserve("y", 99)))
    world.run([reserve("r2", 1), group(reserve(1, 4), batch), refused, group(change(2, -1)), group()])
    assert seen[: len(seen) // 2] == [  # the world decides twice
        [(13, 13), (3, 7), (10, 15), (0, 0), (0, 0), (0, 0)],
        [(13, 12), (7, 7), (15, 15), (0, 0), (0, 0), (0, 0)],
        [(12, 12), (7, 7), (15, 15), (0, 0), (0, 0), (0, 0)],
    ]
    world.check()


def test_totals_of_a_place_begin_after_what_lapsed():
    world = stocked()
    hold = c.Reserve(
        id="h", caller="web", product=product(), position=RED, measure=SOFT, quantity=4, expires_at=5
    )
    world.run([hold])
    seen = []
    group = c.Group(
        commands=(),
        places=(both(),),
        finish=lambda concluded: seen.append(concluded.before(*both(), SOFT)) or (),
    )
    (outcome,) = world.run([group], now=5)
    assert outcome.accepted
    assert set(seen) == {0}
    assert world.level(product(), RED, SOFT) == Level()


def test_a_place_that_was_not_asked_for_is_a_fault():
    group = c.Group(commands=(change(1, 1),), finish=lambda concluded: concluded.total(*both(), SOFT) and ())
    with pytest.raises(LookupError, match=r"add it to Group\.places"):
        stocked().run([group])


def test_finish_sees_the_holds_that_its_commands_named_or_made():
    world = stocked()
    world.run([reserve(1, 4), reserve(2, 1)])
    seen = {}

    def finish(concluded):
        for number in (1, 2, 3):
            hold = concluded.hold(product(), number)
            seen[number] = hold and (hold.quantity, hold.remaining, hold.created_at)
        return ()

    release = c.ReleaseHold(id="r", caller="web", product=product(), hold=1, quantity=3)
    part = c.ReleaseHold(id="p", caller="web", product=product(), hold=3, quantity=1)
    world.run([c.Group(commands=(release, reserve(3, 5), part), finish=finish)], now=7)
    assert seen == {1: (4, 1, 0), 2: None, 3: (5, 4, 7)}


def test_finish_refuses_the_whole_group():
    world = stocked()
    before = world.rows_seen()
    no = Rejected(Reason.INVALID_VALUE, "The counter would go below zero.")
    group = c.Group(
        commands=(reserve(1, 4), change(2, 1, "lamp")), documents=(ORDER,), finish=lambda _concluded: no
    )
    alone = c.Group(commands=(), documents=(ORDER,), finish=lambda _concluded: no)
    assert world.run([group, alone]) == [
        GroupOutcome((no, no), accepted=False, refusal=no),
        GroupOutcome((), accepted=False, refusal=no),
    ]
    assert world.rows_seen() == before


def test_a_refused_group_says_why():
    world = stocked()
    short = c.Group(commands=(change(1, 1), reserve(2, 99)))
    stale = c.Group(commands=(), documents=(ORDER,), finish=write(version_step=1))
    reasons = [outcome.refusal.reason for outcome in world.run([short, stale])]
    assert reasons == [Reason.SHORTAGE, Reason.STALE_DOCUMENT]


def test_a_document_is_deleted_and_made_anew_by_groups_of_one_batch():
    world = stocked()

    def group(*steps):
        def finish(_concluded):
            return [c.DocumentWrite(ORDER, version, body, delete=not body) for version, body in steps]

        return c.Group(commands=(), documents=(ORDER,), finish=finish)

    outcomes = world.run(
        [group((0, b"1")), group((1, b"")), group((0, b"2")), group((1, b"3")), group((0, b"late"))]
    )
    assert [outcome.versions for outcome in outcomes] == [(1,), (0,), (1,), (2,), ()]
    assert outcomes[-1].refusal.reason == Reason.STALE_DOCUMENT
    assert world.documents[ORDER] == c.Document(ORDER, 2, b"3")
    (outcome,) = world.run([group((2, b""), (0, b"again"), (1, b""))])
    assert outcome.versions == (0, 1, 0)
    assert ORDER not in world.documents
    (outcome,) = world.run([group((0, b""))])
    assert outcome.accepted, "what is absent may be deleted"
