"""Holds of orders: top up, attach, mark; lowering and settling what is reserved."""

from __future__ import annotations

import pytest

from onhand.core import commands as c
from onhand.core.outcomes import Accepted, Reason
from onhand.core.snapshot import HoldState, Level
from tests.property.world import LOOSE, ON_HAND, SOFT, SOFT_2, World, position, product, rules_of

BIKE = product()
RED, SMALL, LOT = position(color="red"), position(color="red", size="small"), position(color="red", batch="b")
ORDER, OTHER = c.Owner(order="o-1/l-1"), c.Owner(order="o-2/l-1")
CART = c.Owner(reference="cart", channel="web")


def asked(kind, name, **fields):
    return kind(id=name, caller="shop", product=BIKE, **fields)


def reserve(name, quantity, owner=c.ANYONE, **fields):
    fields = {"position": RED, "measure": SOFT, "check": False, **fields}
    return asked(c.Reserve, name, quantity=quantity, owner=owner, **fields)


def post(name, quantity, measure=ON_HAND, at=RED):
    return asked(c.ChangeOnHand, name, position=at, changes=((measure, quantity),))


def world_of(*works, **switches):
    world = World(rules_of(**switches))
    world.run([post("stock", 10), *works])
    return world


def hold(world, number=1) -> HoldState:
    return world.rows[BIKE].holds[number]


def done(world, *works, now=0):
    outcomes = world.run(works, now)
    world.check()
    return outcomes if len(works) > 1 else outcomes[0]


# Top up ----------------------------------------------------------------------------------------------------------


def test_a_top_up_raises_what_was_reserved_and_what_remains():
    world = world_of(reserve("r", 4, ORDER))
    assert done(world, asked(c.TopUpHold, "t", hold=1, quantity=3)) == Accepted(0, 1, 100)
    assert (hold(world).quantity, hold(world).remaining) == (7, 7)
    assert world.level(BIKE, RED, SOFT) == Level(7, 0, 7)
    movement = world.movements[-1]
    assert (movement.delta, movement.hold, movement.kind) == (3, 1, c.Kind.TOP_UP)


@pytest.mark.parametrize(
    "close",
    [asked(c.ReleaseHold, "x", hold=1), asked(c.Offset, "x", hold=1, position=RED, measure=SOFT, quantity=9)],
)
def test_a_closed_hold_is_opened_again(close):
    world = world_of(reserve("r", 4), close)
    assert hold(world).remaining == 0
    done(world, asked(c.TopUpHold, "t", hold=1, quantity=3))
    assert (hold(world).quantity, hold(world).remaining) == (7, 3)


def test_a_hold_that_is_opened_again_counts_for_its_order():
    uncounted = asked(c.MarkHold, "m", hold=1, counted=False)
    world = world_of(reserve("r", 4, ORDER), uncounted, asked(c.ReleaseHold, "x", hold=1, quantity=3))
    done(world, asked(c.TopUpHold, "closed order", hold=1, quantity=2))
    assert not hold(world).counted
    done(world, asked(c.ReleaseHold, "y", hold=1), asked(c.TopUpHold, "opened again", hold=1, quantity=3))
    assert hold(world).counted
    done(world, settle())
    assert hold(world).remaining == 3


def test_a_checked_top_up_is_refused_with_the_numbers():
    world = world_of(reserve("r", 4, ORDER))
    refused, accepted = done(
        world,
        asked(c.TopUpHold, "t", hold=1, quantity=7, check=True),
        asked(c.TopUpHold, "u", hold=1, quantity=5, check=True),
    )
    assert (refused.reason, refused.available, refused.shortage.nodes) == (Reason.SHORTAGE, 6, (RED.key,))
    assert accepted == Accepted(1, 1, 100)
    (refusal,) = world.refusals
    assert (refusal.kind, refusal.position, refusal.measure, refusal.requested) == (
        c.Kind.TOP_UP,
        RED.key,
        SOFT,
        7,
    )


def test_a_checked_top_up_of_an_unmapped_measure_follows_the_switch():
    top_up = asked(c.TopUpHold, "t", hold=1, quantity=1, check=True)
    assert done(world_of(reserve("r", 1, measure=LOOSE)), top_up).reason == Reason.NO_RESERVATION_MAPPING
    world = world_of(reserve("r", 1, measure=LOOSE), unmapped_check="accept")
    assert isinstance(done(world, top_up), Accepted)


def test_an_expired_hold_is_topped_up_only_for_an_order():
    world = world_of(reserve("r", 4, ORDER, expires_at=5), reserve("s", 1, expires_at=5))
    order, cart = done(
        world,
        asked(c.TopUpHold, "t", hold=1, quantity=3),
        asked(c.TopUpHold, "u", hold=2, quantity=3),
        now=9,
    )
    assert order == Accepted(0, 1, 100)
    assert cart.reason == Reason.HOLD_CLOSED
    assert (hold(world).remaining, hold(world).expires_at) == (3, None)
    assert done(world, reserve("x", 1), now=99) == Accepted(0, 3, 100)
    assert hold(world).remaining == 3


def test_a_hold_that_lives_keeps_its_expiry_when_it_is_topped_up():
    world = world_of(reserve("r", 4, CART, expires_at=50))
    assert done(world, asked(c.TopUpHold, "t", hold=1, quantity=3)) == Accepted(0, 1, 100, 50)
    assert hold(world).expires_at == 50


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"hold": 9, "quantity": 1}, Reason.UNKNOWN_HOLD),
        ({"hold": 1, "quantity": 0}, Reason.INVALID_QUANTITY),
        ({"hold": 1, "quantity": -1}, Reason.INVALID_QUANTITY),
        ({"hold": 1, "quantity": 1 << 62}, Reason.OUT_OF_RANGE),
    ],
)
def test_top_ups_that_are_refused_change_nothing(fields, reason):
    world = world_of(reserve("r", 4))
    before = world.rows_seen()[0]
    assert done(world, asked(c.TopUpHold, "t", **fields)).reason == reason
    assert world.rows_seen()[0] == before


def test_no_top_up_where_reservations_are_switched_off():
    world = world_of(reserve("r", 4))
    world.rules = {1: rules_of(enabled=False)}
    assert done(world, asked(c.TopUpHold, "t", hold=1, quantity=1)).reason == Reason.RESERVATIONS_DISABLED


# Attach ----------------------------------------------------------------------------------------------------------


def test_a_hold_is_attached_as_a_whole_and_no_longer_expires():
    world = world_of(reserve("r", 4, CART, expires_at=50))
    outcome = done(world, asked(c.AttachHold, "a", hold=1, owner=ORDER))
    assert outcome == Accepted(hold=1, product_id=100, released=4)
    assert (hold(world).owner, hold(world).expires_at) == (c.Owner("cart", "web", ORDER.order).key, None)
    assert (world.movements[-1].delta, world.movements[-1].hold) == (0, 1)
    unreserve = asked(c.Unreserve, "u", position=RED, measure=SOFT, quantity=4)
    assert done(world, unreserve).reason == Reason.NOTHING_RESERVED


def test_a_part_is_split_off():
    world = world_of(reserve("r", 4, expires_at=50))
    outcome = done(world, asked(c.AttachHold, "a", hold=1, owner=ORDER, quantity=3))
    assert outcome == Accepted(hold=2, product_id=100, released=3)
    assert (hold(world).quantity, hold(world).remaining, hold(world).expires_at) == (4, 1, 50)
    assert hold(world, 2) == HoldState(2, RED.key, SOFT, 3, 3, ORDER.key, None)
    assert world.level(BIKE, RED, SOFT) == Level(4, 0, 4)


def test_a_part_of_a_hold_of_the_same_order_is_split_off():
    world = world_of(reserve("r", 4, ORDER))
    part = asked(c.AttachHold, "a", hold=1, owner=ORDER, quantity=1)
    whole = asked(c.AttachHold, "b", hold=1, owner=ORDER)
    assert done(world, part, whole) == [
        Accepted(hold=2, product_id=100, released=1),
        Accepted(hold=1, product_id=100, released=3),
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"hold": 1, "owner": OTHER}, Reason.HOLD_OF_ANOTHER_ORDER),
        ({"hold": 2, "owner": ORDER}, Reason.HOLD_CLOSED),
        ({"hold": 3, "owner": ORDER, "quantity": 5}, Reason.HOLD_TOO_SMALL),
        ({"hold": 3, "owner": ORDER, "quantity": 0}, Reason.INVALID_QUANTITY),
        ({"hold": 3, "owner": CART}, Reason.INVALID_VALUE),
        ({"hold": 9, "owner": ORDER}, Reason.UNKNOWN_HOLD),
    ],
)
def test_holds_that_cannot_be_attached(fields, reason):
    world = world_of(reserve("r", 4, ORDER), reserve("s", 1, expires_at=1), reserve("t", 4, CART))
    done(world, asked(c.ReleaseDue, "due"), now=2)
    before = world.rows_seen()[0]
    outcome = done(world, asked(c.AttachHold, "a", **fields), now=2)
    assert outcome.reason == reason
    assert world.rows_seen()[0] == before


def test_an_attached_hold_joins_the_pool_of_its_order_by_age():
    world = world_of(reserve("a", 2), reserve("b", 2, ORDER), reserve("c", 2))
    back = asked(c.Reverse, "back", position=RED, measure=SOFT, quantity=3, owner=ORDER)
    done(world, asked(c.AttachHold, "m", hold=1, owner=ORDER), back)
    assert [hold(world, number).remaining for number in (1, 2, 3)] == [0, 1, 2]


# Mark and settle -------------------------------------------------------------------------------------------------


def test_a_mark_is_kept_and_changes_no_quantity():
    world = world_of(reserve("r", 4, ORDER))
    done(world, asked(c.MarkHold, "m", hold=1, counted=False))
    assert not hold(world).counted
    assert world.level(BIKE, RED, SOFT) == Level(4, 0, 4)
    done(world, asked(c.MarkHold, "n", hold=1, counted=True))
    assert hold(world).counted
    assert done(world, asked(c.MarkHold, "o", hold=2, counted=True)).reason == Reason.UNKNOWN_HOLD


def test_a_hold_of_the_same_batch_is_marked():
    world = world_of()
    mark = asked(c.MarkHold, "m", hold=1, counted=False)
    done(world, c.Group(commands=(reserve("r", 4, ORDER), mark)))
    assert hold(world) == HoldState(1, RED.key, SOFT, 4, 4, ORDER.key, None, counted=False)


def settle(name="s", *measures):
    return asked(c.SettleReserved, name, measures=frozenset(measures or (SOFT,)), reason="recalculated")


def test_settling_leaves_the_open_holds_that_count():
    world = world_of(
        reserve("closed", 4, ORDER),
        reserve("open", 2, OTHER),
        reserve("cart", 1, CART, position=SMALL),
        reserve("other measure", 5, ORDER, measure=SOFT_2),
        post("drift", 7, SOFT),
        post("lots", 2, SOFT, LOT),
        post("less", -1, SOFT, SMALL),
        *(asked(c.MarkHold, f"m{number}", hold=number, counted=False) for number in (1, 3, 4)),
    )
    assert done(world, settle()) == Accepted(released=4 + 7 + 2 - 1)
    assert [hold(world, number).remaining for number in (1, 2, 3, 4)] == [0, 2, 1, 5]
    assert world.level(BIKE, RED, SOFT) == Level(2, 0, 2)
    assert world.level(BIKE, SMALL, SOFT) == Level(1, 0, 1)
    assert world.level(BIKE, LOT, SOFT) == Level(0, 0, 0)
    assert {(movement.kind, movement.reason) for movement in world.movements[-4:]} == {
        (c.Kind.SETTLE, "recalculated")
    }
    assert done(world, settle("again")) == Accepted()


def test_settling_may_raise_what_is_reserved():
    world = world_of(reserve("r", 4, ORDER), post("less", -3, SOFT))
    assert done(world, settle()) == Accepted(released=-3)
    assert world.level(BIKE, RED, SOFT) == Level(4, 0, 4)


# Lower -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "released", "surplus"), [(2, 2, 0), (5, 5, 0), (9, 5, 4)])
def test_lowering_touches_no_hold_and_stops_at_zero(quantity, released, surplus):
    world = world_of(reserve("r", 4, ORDER), post("drift", 1, SOFT))
    lower = asked(c.LowerReserved, "l", position=RED, measure=SOFT, quantity=quantity, reason="shipped")
    assert done(world, lower) == Accepted(released=released, surplus=surplus)
    assert world.level(BIKE, RED, SOFT) == Level(5 - released, 0, 4)
    assert hold(world).remaining == 4


def test_lowering_what_was_never_reserved_is_all_surplus():
    world = world_of()
    lower = asked(c.LowerReserved, "l", position=SMALL, measure=SOFT, quantity=2)
    assert done(world, lower) == Accepted(surplus=2)
    below = asked(c.LowerReserved, "m", position=RED, measure=SOFT, quantity=2)
    assert done(world, post("d", -3, SOFT), below)[1] == Accepted(surplus=2)
    zero = asked(c.LowerReserved, "z", position=RED, measure=SOFT, quantity=0)
    assert done(world, zero).reason == Reason.INVALID_QUANTITY


# In groups -------------------------------------------------------------------------------------------------------


def test_a_refused_group_gives_all_of_it_back():
    world = world_of(reserve("r", 4, CART, expires_at=50))
    before = world.rows_seen()[0]
    members = (
        asked(c.TopUpHold, "t", hold=1, quantity=3),
        asked(c.AttachHold, "a", hold=1, owner=ORDER, quantity=2),
        asked(c.AttachHold, "b", hold=1, owner=OTHER),
        asked(c.MarkHold, "m", hold=2, counted=False),
        asked(c.LowerReserved, "l", position=RED, measure=SOFT, quantity=1),
        settle(),
    )
    refused = c.Group(commands=(*members, reserve("x", 99, check=True)))
    assert not done(world, refused).accepted
    assert world.rows_seen()[0] == before
    assert done(world, c.Group(commands=members)).accepted
    assert (hold(world).owner, hold(world).remaining) == (c.Owner("cart", "web", OTHER.order).key, 5)
    assert hold(world, 2).remaining == 0


def test_lowering_what_nobody_accounts_for_leaves_the_holds_alone():
    world = world_of(reserve("r", 4, ORDER))
    lowered = asked(c.LowerReserved, "l", position=RED, measure=SOFT, quantity=3, unattributed=True)
    assert done(world, lowered) == Accepted(released=0, surplus=3)
    assert world.level(BIKE, RED, SOFT) == Level(4, 0, 4)


def test_releasing_at_most_what_remains_is_no_refusal():
    world = world_of(reserve("r", 4, ORDER))
    first = asked(c.ReleaseHold, "a", hold=1, quantity=6, at_most=True)
    again = asked(c.ReleaseHold, "b", hold=1, quantity=1, at_most=True)
    assert done(world, first, again) == [
        Accepted(released=4, surplus=2),
        Accepted(released=0, surplus=1),
    ]
