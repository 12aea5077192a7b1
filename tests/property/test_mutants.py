"""The checks can fail: each named mistake, put into the source, is caught by at least one of them.

The modules of the decision are loaded again from patched source, beside the real ones, under their own names
while they are loaded; the checks then run on the `decide` and `Stand` of the patched set.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from onhand.core import commands as c
from onhand.core.outcomes import Accepted, Reason
from tests.property.world import DIMENSIONS, ON_HAND, SOFT, World, position, product

PATCHED = (
    "flow",
    "plain",
    "availability",
    "concluding",
    "holdings",
    "book",
    "overlay",
    "holds",
    "refusals",
    "onhand",
    "reservations",
    "order_holds",
    "reads",
    "tracing",
    "decide",
)
"""In the order of their imports."""

MUTANTS = {
    "availability comparison off by one": (
        "reservations",
        "if quantity > available:",
        "if quantity > available + 1:",
    ),
    "shortage comparison too strict": (
        "reservations",
        "if quantity > available:",
        "if quantity >= available:",
    ),
    "stale level in the batch": (
        "book",
        "        if self._stands:\n            self._inform(at, measure, delta)\n",
        "",
    ),
    "coarser reservations ignored": (
        "availability",
        "rise = self._rise(view)\n        return min(afr, rise)",
        "return afr",
    ),
    "coarser demand not followed upwards": (
        "availability",
        "                    below.parent = node\n",
        "                    pass\n",
    ),
    "id with another body taken as the same": (
        "decide",
        "if seen.fingerprint != command.fingerprint:",
        "if False:",
    ),
    "ids of the same batch not seen": (
        "overlay",
        "self._ids.get(command_id) or self._snapshot.ids.get(command_id)",
        "self._snapshot.ids.get(command_id)",
    ),
    "expired holds count": ("decide", "        lapse(book)\n    command_id", "        pass\n    command_id"),
    "a refused group leaves its changes": ("decide", "        step()\n", "        pass\n"),
    "somebody else's hold is drawn": ("holds", "book.holdings.oldest(at.key, measure, owner)", 'book.holdings.oldest(at.key, measure, "cart\\x1f\\x1f")'),
    "a change by nothing leaves no trace": ("decide", "            trace(book, command)\n", "            pass\n"),
    "what is held has no range": ("reservations", "if held > LEVEL_MAX or not fits", "if not fits"),
    "a hold that opens again is in no pool": ("holdings", "        self._pools = None\n\n    def oldest", "\n    def oldest"),
    "a split leaves the whole behind": ("order_holds", "hold.remaining - quantity, hold.expires_at, Kind.ATTACH", "hold.remaining, hold.expires_at, Kind.ATTACH"),
    "another order's hold is taken": ("order_holds", "if known.order not in", "if False and known.order not in"),
    "a top up is not checked": ("order_holds", "if command.check else None", "if False else None"),
    "an order's hold keeps its expiry": ("order_holds", "None if Owner.of(hold.owner).order else hold.expires_at", "hold.expires_at"),
    "settling closes open orders": ("order_holds", "if not hold.counted and", "if"),
    "settling keeps what nobody holds": ("order_holds", "spare = level.own - level.held", "spare = 0"),
    "lowering goes below zero": ("order_holds", "min(command.quantity, max(0, level.own - level.held if command.unattributed else level.own))", "command.quantity"),
    "a refused group leaves terms behind": ("holdings", "self.owner = owner\n        self.counted = counted\n        self.retermed = retermed\n", "pass\n"),
    "flow cannot reroute": ("flow", "if user != demand and user not in origin:", "if False:"),
}  # fmt: skip


def load(module: str = "", old: str = "", new: str = "") -> SimpleNamespace:
    """The decision's modules with one replacement in one of them."""
    names = [f"onhand.core.{name}" for name in PATCHED]
    real = {name: sys.modules[name] for name in names}
    package = sys.modules["onhand.core"]
    fresh = {}
    try:
        for name in names:
            spec = importlib.util.find_spec(name)
            made = fresh[name] = importlib.util.module_from_spec(spec)
            source = spec.loader.get_source(name)
            if name == f"onhand.core.{module}":
                assert source.count(old) == 1, f"{old!r} must occur exactly once in {name}"
                source = source.replace(old, new)
            sys.modules[name] = made
            setattr(package, name.rpartition(".")[2], made)
            exec(compile(source, spec.origin, "exec"), made.__dict__)  # noqa: S102 - our own source
    finally:
        for name in names:
            sys.modules[name] = real[name]
            setattr(package, name.rpartition(".")[2], real[name])
    decide = fresh["onhand.core.decide"]
    return SimpleNamespace(
        decide=decide.decide, reads=decide.reads, Stand=fresh["onhand.core.availability"].Stand
    )


BIKE = product()
SMALL = position(color="red", size="small")
RED = position(color="red")


def reserve(name, quantity, at=SMALL, **fields):
    fields = {"id": name, "caller": "web", "product": BIKE, "position": at, "measure": SOFT, **fields}
    return c.Reserve(**fields, quantity=quantity)


class Bench:
    """A model store that decides with the modules under test."""

    def __init__(self, code: SimpleNamespace) -> None:
        self.world = World()
        self.code = code
        stock = {"id": "stock", "caller": "web", "product": BIKE, "position": SMALL}
        self.run(c.ChangeOnHand(**stock, changes=((ON_HAND, 10),)))

    def run(self, *works, now=0):
        snapshot = self.world.gather(self.code.reads(works), now)
        decision = self.code.decide(works, snapshot, self.world.rules, now)
        self.world.apply(decision)
        return [getattr(outcome, "reason", type(outcome)) for outcome in decision.outcomes]


def check_exactly_what_is_there(code):
    assert Bench(code).run(reserve("a", 11), reserve("b", 10)) == [Reason.SHORTAGE, Accepted]


def check_one_batch_does_not_oversell(code):
    assert Bench(code).run(reserve("a", 6), reserve("b", 6)) == [Accepted, Reason.SHORTAGE]


def check_coarser_reservations_hold(code):
    bench = Bench(code)
    assert bench.run(reserve("a", 4, RED), reserve("b", 7)) == [Accepted, Reason.SHORTAGE]
    assert bench.run(reserve("c", 4), reserve("d", 3)) == [Accepted, Reason.SHORTAGE]


def check_levels_reach_the_place(code):
    stand = code.Stand(DIMENSIONS, [(SMALL.key, 10, 1), (RED.key, 0, 2), (position().key, 0, 3)])
    assert [stand.available(at.key) for at in (SMALL, RED, position())] == [4, 4, 4]


def check_crossing_levels_hold(code):
    cells = [
        (position(color=color, size=size).key, quantity, 0)
        for color, size, quantity in (("red", "small", 5), ("red", "large", 5), ("blue", "small", 5))
    ]
    stand = code.Stand(DIMENSIONS, [*cells, (position(size="small").key, 0, 4), (RED.key, 0, 6)])
    assert stand.available(RED.key) == 4
    assert stand.available(position(size="small").key) == 5


def check_another_body_is_refused(code):
    works = [reserve("a", 1, fingerprint=1), reserve("a", 2, fingerprint=2)]
    assert Bench(code).run(*works) == [Accepted, Reason.PAYLOAD_MISMATCH]


def check_expired_holds_do_not_count(code):
    bench = Bench(code)
    bench.run(reserve("a", 10, expires_at=5))
    assert bench.run(reserve("b", 10), now=5) == [Accepted]


def check_groups_are_atomic(code):
    bench = Bench(code)
    bench.run(c.Group(commands=(reserve("a", 6), reserve("b", 6))))
    assert bench.run(reserve("c", 10)) == [Accepted]


def check_others_holds_are_safe(code):
    cart = reserve("a", 5, owner=c.Owner(reference="cart"))
    unreserve = c.Unreserve(id="u", caller="web", product=BIKE, position=SMALL, measure=SOFT, quantity=5)
    expected = [Accepted, Reason.NOTHING_RESERVED, Reason.SHORTAGE]
    assert Bench(code).run(cart, unreserve, reserve("b", 6)) == expected


def check_a_wipe_forgets_what_moved_nothing(code):
    bench = Bench(code)
    count = c.SetOnHand(id="s", caller="web", product=BIKE, position=SMALL, values=((ON_HAND, 10),))
    wipe = c.Wipe(id="w", caller="ops", product=BIKE, place=SMALL.place)
    assert [*bench.run(count), *bench.run(wipe), *bench.run(count)] == [Accepted, Accepted, Accepted]


def check_what_is_held_stays_in_range(code):
    bench = Bench(code)
    most = reserve("a", (1 << 62) - 10, check=False)
    down = c.ChangeOnHand(
        id="d", caller="web", product=BIKE, position=SMALL, changes=((SOFT, 10 - (1 << 62)),)
    )
    expected = [Accepted, Accepted, Reason.OUT_OF_RANGE]
    assert bench.run(most, down, reserve("b", 1 << 61, check=False)) == expected


def of_hold(kind, name, hold, **fields):
    return kind(id=name, caller="web", product=BIKE, hold=hold, **fields)


def check_an_opened_hold_is_drawn_in_its_turn(code):
    bench = Bench(code)
    owner = c.Owner(reference="cart")
    back = c.Reverse(
        id="b", caller="web", product=BIKE, position=SMALL, measure=SOFT, quantity=3, owner=owner
    )
    bench.run(reserve("a", 3, owner=owner), reserve("b", 3, owner=owner))
    bench.run(
        replace(back, id="b1"),
        replace(back, id="b", quantity=1),
        of_hold(c.TopUpHold, "t", 1, quantity=3),
        replace(back, id="b2"),
    )
    assert [bench.world.rows[BIKE].holds[number].remaining for number in (1, 2)] == [0, 2]
    bench.world.check()


def check_a_split_conserves_and_orders_are_kept_apart(code):
    bench = Bench(code)
    to = {"owner": c.Owner(order="o")}
    expected = [Accepted, Accepted, Reason.HOLD_OF_ANOTHER_ORDER]
    other = of_hold(c.AttachHold, "n", 2, owner=c.Owner(order="p"))
    assert bench.run(reserve("a", 5), of_hold(c.AttachHold, "m", 1, quantity=2, **to), other) == expected
    assert [hold.remaining for hold in bench.world.rows[BIKE].holds.values()] == [3, 2]
    bench.world.check()


def check_a_checked_top_up_takes_what_is_there(code):
    works = [
        reserve("a", 8),
        of_hold(c.TopUpHold, "t", 1, quantity=3, check=True),
        of_hold(c.TopUpHold, "u", 1, quantity=2, check=True),
    ]
    assert Bench(code).run(*works) == [Accepted, Reason.SHORTAGE, Accepted]


def check_an_orders_hold_does_not_expire_any_more(code):
    bench = Bench(code)
    bench.run(reserve("a", 5, owner=c.Owner(order="o"), expires_at=5))
    assert bench.run(of_hold(c.TopUpHold, "t", 1, quantity=2), now=9) == [Accepted]
    assert bench.run(reserve("b", 9), now=10) == [Reason.SHORTAGE]


def check_settling_keeps_what_open_orders_hold(code):
    bench = Bench(code)
    orders = [reserve(name, 2, owner=c.Owner(order=name)) for name in "op"]
    drift = c.ChangeOnHand(id="d", caller="web", product=BIKE, position=SMALL, changes=((SOFT, 3),))
    bench.run(*orders, reserve("api", 1), drift, of_hold(c.MarkHold, "m", 1, counted=False))
    bench.run(c.SettleReserved(id="s", caller="web", product=BIKE, measures=frozenset({SOFT})))
    level = bench.world.level(BIKE, SMALL, SOFT)
    assert (level.own, level.held) == (3, 3)
    assert [hold.remaining for hold in bench.world.rows[BIKE].holds.values()] == [0, 2, 1]


def check_lowering_stops_at_zero_and_spares_holds(code):
    bench = Bench(code)
    lower = c.LowerReserved(id="l", caller="web", product=BIKE, position=SMALL, measure=SOFT, quantity=5)
    bench.run(reserve("a", 3), lower)
    level = bench.world.level(BIKE, SMALL, SOFT)
    assert (level.own, level.held) == (0, 3)


def check_a_refused_group_gives_terms_back(code):
    bench = Bench(code)
    attach = of_hold(c.AttachHold, "m", 1, owner=c.Owner(order="o"))
    refused = c.Group(commands=(attach, reserve("x", 99)))
    unreserve = c.Unreserve(id="u", caller="web", product=BIKE, position=SMALL, measure=SOFT, quantity=5)
    bench.run(reserve("a", 5))
    bench.run(of_hold(c.MarkHold, "k", 1, counted=True), refused)
    assert bench.world.rows[BIKE].holds[1].owner == ""
    assert bench.run(unreserve) == [Accepted]


CHECKS: list[Callable[[SimpleNamespace], None]] = [
    check for name, check in sorted(globals().items()) if name.startswith("check_")
]


def failures(code: SimpleNamespace) -> list[str]:
    failed = []
    for check in CHECKS:
        try:
            check(code)
        except Exception:  # noqa: BLE001 - a mutant may also break with any error
            failed.append(check.__name__)
    return failed


def test_the_source_as_it_is_passes_every_check():
    assert failures(load()) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mistake_is_caught(name):
    assert failures(load(*MUTANTS[name]))
