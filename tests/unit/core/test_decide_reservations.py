"""Reserve, reverse, unreserve, offset, release, extend, clear: one table or case each."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from onhand.core import commands as c
from onhand.core.onhand import LEVEL_MAX
from onhand.core.outcomes import Accepted, Reason, Rejected
from onhand.core.rules import Limits
from onhand.core.snapshot import Level
from tests.property.world import LOOSE, ON_HAND, SOFT, World, position, product, rules_of

BIKE = product()
RED = position(color="red", size="small")
CART = c.Owner(reference="cart")


class Desk:
    """Sends commands with fresh ids, one batch each."""

    def __init__(self, stock=10, **rules):
        self.world = World(rules_of(**rules))
        self.count = 0
        if stock:
            self.send(c.ChangeOnHand, position=RED, changes=((ON_HAND, stock),))

    def send(self, kind, now=0, **fields):
        self.count += 1
        fields = {"id": str(self.count), "caller": "web", "product": BIKE, **fields}
        (outcome,) = self.world.run([kind(**fields)], now)
        self.world.check()
        return outcome

    def reserve(self, quantity, **fields):
        return self.send(c.Reserve, **{"position": RED, "measure": SOFT, "quantity": quantity, **fields})

    def shared(self, kind, quantity, **fields):
        return self.send(kind, position=RED, measure=SOFT, quantity=quantity, **fields)

    def level(self, measure=SOFT, at=RED):
        return self.world.level(BIKE, at, measure)

    def left(self):
        return {number: hold.remaining for number, hold in self.world.rows[BIKE].holds.items()}


@pytest.mark.parametrize(
    ("fields", "rules", "expected"),
    [
        ({}, {}, Accepted(6, 1, 100)),
        ({"quantity": 10}, {}, Accepted(0, 1, 100)),
        ({"check": False, "quantity": 99}, {}, Accepted(0, 1, 100)),
        ({"lives_us": 5}, {}, Accepted(6, 1, 100, 5)),
        ({"lives_us": 5, "expires_at": 9}, {}, Accepted(6, 1, 100, 9)),
        ({"measure": LOOSE}, {"unmapped_check": "accept"}, Accepted(0, 1, 100)),
        ({"measure": LOOSE, "check": False}, {}, Accepted(0, 1, 100)),
        ({"quantity": 11}, {}, Reason.SHORTAGE),
        ({"quantity": 0}, {}, Reason.INVALID_QUANTITY),
        ({"measure": LOOSE}, {}, Reason.NO_RESERVATION_MAPPING),
        ({}, {"enabled": False}, Reason.RESERVATIONS_DISABLED),
        ({"check": False, "quantity": 1 << 63}, {}, Reason.OUT_OF_RANGE),
    ],
)
def test_reserve(fields, rules, expected):
    desk = Desk(**rules)
    outcome = desk.reserve(**{"quantity": 4, **fields})
    assert (outcome.reason if isinstance(outcome, Rejected) else outcome) == expected
    if isinstance(outcome, Rejected):
        assert desk.left() == {}


def test_a_shortage_says_where_and_is_recorded():
    desk = Desk()
    desk.reserve(4, position=position(color="red"))
    outcome = desk.reserve(10_000_000, owner=c.Owner(channel="shop"))
    assert outcome.shortage.nodes == (position(color="red").key,)
    assert outcome.available == outcome.shortage.available == 6
    assert "ColorId red" in outcome.message
    (refusal,) = desk.world.refusals
    assert (refusal.requested, refusal.available, refusal.channel) == (10_000_000, 6, "shop")


def test_a_reserve_is_a_hold_and_a_movement():
    desk = Desk()
    desk.reserve(4, owner=CART)
    assert desk.level() == Level(own=4, held=4)
    last = desk.world.movements[-1]
    assert (last.delta, last.level, last.hold, last.kind) == (4, 4, 1, c.Kind.RESERVE)


def test_an_environment_without_rules_reserves_nothing():
    desk = Desk()
    desk.world.rules = {}
    assert desk.reserve(1).reason == Reason.INVALID_VALUE


def test_unreserve_takes_the_balance_then_the_oldest_shared_holds():
    desk = Desk(stock=100)
    desk.reserve(5)
    desk.reserve(5, owner=CART)
    desk.reserve(5)
    desk.send(c.ChangeOnHand, position=RED, changes=((SOFT, 3),))
    assert desk.shared(c.Unreserve, 2) == Accepted(released=2)
    assert desk.left() == {1: 5, 2: 5, 3: 5}
    assert desk.shared(c.Unreserve, 7) == Accepted(released=7)
    assert desk.left() == {1: 0, 2: 5, 3: 4}
    assert desk.shared(c.Unreserve, 9) == Accepted(released=4, surplus=5)
    assert desk.left() == {1: 0, 2: 5, 3: 0}
    refused = desk.shared(c.Unreserve, 1)
    assert (refused.reason, refused.surplus) == (Reason.NOTHING_RESERVED, 1)


def test_unreserve_of_nothing_may_count_as_partial_success():
    assert Desk(empty_unreserve="partialSuccess").shared(c.Unreserve, 3) == Accepted(surplus=3)


@pytest.mark.parametrize(
    ("clamp", "expected", "own"),
    [(False, Accepted(released=9), -2), (True, Accepted(released=7, surplus=2), 0)],
)
def test_reverse_beyond_what_is_reserved(clamp, expected, own):
    desk = Desk(clamp_reserved=clamp)
    desk.reserve(4, owner=CART)
    desk.reserve(3)
    assert desk.shared(c.Reverse, 9, owner=CART) == expected
    assert desk.left() == {1: 0, 2: 3}
    assert desk.level() == Level(own=own, held=3)


def test_reverse_with_check_is_refused():
    desk = Desk()
    assert desk.shared(c.Reverse, 1, check=True).reason == Reason.NEGATIVE_WITH_CHECK
    assert desk.world.refusals[0].requested == -1


def test_reverse_needs_a_quantity():
    assert Desk().shared(c.Reverse, 0).reason == Reason.INVALID_QUANTITY


@pytest.mark.parametrize(
    ("fields", "expected", "left"),
    [
        ({"hold": 1, "quantity": 3}, Accepted(released=3), {1: 1, 2: 2}),
        ({"hold": 1, "quantity": 9}, Accepted(released=4, surplus=5), {1: 0, 2: 2}),
        ({"quantity": 9}, Accepted(released=2, surplus=7), {1: 4, 2: 0}),
        ({"hold": 7, "quantity": 1}, Reason.UNKNOWN_HOLD, {1: 4, 2: 2}),
        ({"hold": 1, "quantity": 0}, Reason.INVALID_QUANTITY, {1: 4, 2: 2}),
        ({"hold": 1, "quantity": 1, "measure": LOOSE}, Reason.RESERVATION_MISMATCH, {1: 4, 2: 2}),
        ({"hold": 1, "quantity": 1, "position": position()}, Reason.RESERVATION_MISMATCH, {1: 4, 2: 2}),
    ],
)
def test_offset(fields, expected, left):
    desk = Desk()
    desk.reserve(4, owner=CART)
    desk.reserve(2)
    outcome = desk.send(c.Offset, **{"position": RED, "measure": SOFT, **fields})
    assert (outcome.reason if isinstance(outcome, Rejected) else outcome) == expected
    assert desk.left() == left


@pytest.mark.parametrize(
    ("quantity", "expected", "left"),
    [(None, Accepted(released=4), 0), (1, Accepted(released=1), 3), (4, Accepted(released=4), 0)],
)
def test_release(quantity, expected, left):
    desk = Desk()
    desk.reserve(4, owner=CART)
    assert desk.send(c.ReleaseHold, hold=1, quantity=quantity) == expected
    assert desk.left() == {1: left}
    assert desk.level() == Level(own=left, held=left)


def test_release_refuses_more_than_is_left_and_closed_holds():
    desk = Desk()
    desk.reserve(4)
    refused = desk.send(c.ReleaseHold, hold=1, quantity=5)
    assert (refused.reason, refused.available) == (Reason.HOLD_TOO_SMALL, 4)
    desk.send(c.ReleaseHold, hold=1)
    assert desk.send(c.ReleaseHold, hold=1).reason == Reason.HOLD_CLOSED
    assert desk.send(c.ReleaseHold, hold=9).reason == Reason.UNKNOWN_HOLD
    assert [refusal.reason for refusal in desk.world.refusals] == [
        Reason.HOLD_TOO_SMALL,
        Reason.HOLD_CLOSED,
        Reason.UNKNOWN_HOLD,
    ]


def test_an_expired_hold_counts_no_more_from_that_moment():
    desk = Desk()
    desk.reserve(8, expires_at=100)
    assert desk.reserve(8, now=99).reason == Reason.SHORTAGE
    assert desk.reserve(8, now=100) == Accepted(2, 2, 100)
    lapse = next(m for m in desk.world.movements if m.kind == c.Kind.EXPIRE)
    assert (lapse.delta, lapse.hold, lapse.command_id) == (-8, 1, "expire~1")


def test_extend_keeps_a_hold_and_does_not_revive_one():
    desk = Desk()
    desk.reserve(8, expires_at=100)
    assert desk.send(c.ExtendHold, hold=1, lives_us=50, now=90) == Accepted(expires_at=140)
    assert desk.reserve(8, now=120).reason == Reason.SHORTAGE
    assert desk.send(c.ExtendHold, hold=1, now=140).reason == Reason.HOLD_CLOSED
    assert desk.send(c.ExtendHold, hold=2).reason == Reason.UNKNOWN_HOLD


def test_extend_without_a_moment_makes_a_hold_permanent():
    desk = Desk()
    desk.reserve(8, expires_at=100)
    desk.send(c.ExtendHold, hold=1)
    assert desk.reserve(8, now=10**9).reason == Reason.SHORTAGE


def test_release_due_reports_what_lapsed():
    desk = Desk()
    desk.reserve(3, expires_at=5)
    desk.reserve(4, expires_at=6)
    desk.reserve(1, expires_at=7)
    assert desk.send(c.ReleaseDue, now=6) == Accepted(released=7)
    assert desk.left() == {1: 0, 2: 0, 3: 1}


def test_clear_takes_the_measure_to_zero_and_closes_its_holds():
    desk = Desk()
    desk.reserve(3, owner=CART)
    desk.reserve(2, position=position())
    desk.send(c.ChangeOnHand, position=RED, changes=((SOFT, 1), (LOOSE, 7)))
    assert desk.send(c.ClearReserved, measures=frozenset({SOFT})) == Accepted(released=6)
    assert desk.left() == {1: 0, 2: 0}
    assert (desk.level(), desk.level(LOOSE).own, desk.level(ON_HAND).own) == (Level(), 7, 10)
    assert desk.reserve(10) == Accepted(0, 3, 100)


def test_crossing_reservations_beyond_the_bound_are_refused_as_too_complex():
    desk = Desk()
    desk.world.rules[1] = replace(desk.world.rules[1], limits=Limits(nodes_max=1))
    desk.send(c.ChangeOnHand, position=position(color="red", size="large"), changes=((ON_HAND, 10),))
    assert isinstance(desk.reserve(1, position=position(color="red")), Accepted)
    assert isinstance(desk.reserve(1, position=position(size="small")), Accepted)
    assert desk.reserve(1).reason == Reason.TOO_COMPLEX
    assert desk.reserve(99).reason == Reason.SHORTAGE, "no bound is needed to see that"


def test_what_is_held_stays_in_range():
    """Held and unattributed stay in the range of a column together, whatever takes the level down between."""
    desk = Desk(stock=0)
    assert isinstance(desk.reserve(LEVEL_MAX, check=False), Accepted)
    assert isinstance(desk.send(c.ChangeOnHand, position=RED, changes=((SOFT, -LEVEL_MAX),)), Accepted)
    assert desk.reserve(LEVEL_MAX, check=False).reason == Reason.OUT_OF_RANGE
    assert desk.level() == Level(own=0, held=LEVEL_MAX)
