"""The store does with random decisions what the model store does, with both forms of gather."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from onhand.core import commands as c
from onhand.core.commands import DocumentKey, Group, Wipe
from onhand.core.decide import decide, reads
from onhand.core.snapshot import Reads, Snapshot
from onhand.service.auditor import drifts
from onhand.storage.postgres.plain import PlainUnit
from onhand.storage.postgres.store import PostgresStore, PostgresUnit
from tests.hand_made import database
from tests.property.test_batches import batches, cut
from tests.property.world import SOFT, World, position, product, rules_of

PRODUCTS = (product("bike"), product("lamp"))
TABLES = "product, position, stock, hold, movement, refusal, command_id, document"


def everything(works) -> Reads:
    """All rows that the works can have left."""
    commands = [
        command for work in works for command in (work.commands if isinstance(work, Group) else [work])
    ]
    return Reads(
        products={key: ("USMF", key.product) for key in PRODUCTS},
        records={(key, None) for key in PRODUCTS},
        holds={(key, number) for key in PRODUCTS for number in range(1, 60)},
        ids=list({(1, command.kind, command.id): None for command in commands}),
        documents={DocumentKey(1, 1, "order", name) for name in "ab"},
    )


async def play(store: PostgresStore, rules, works, now: int) -> None:
    """One batch, or several where a wipe ends one."""
    batch: list[Any] = []
    for work in [*works, None]:
        if batch and (work is None or (isinstance(batch[-1], Wipe) and not isinstance(work, Wipe))):
            async with store.unit() as unit:
                decision = decide(batch, await unit.gather(reads(batch), now), {1: rules}, now)
                if decision.changes:
                    await unit.commit(decision)
            batch = []
        batch.append(work)


def rows_of(snapshot: Snapshot) -> Any:
    """What is stored, without the ids that the database gives."""
    states = {
        key.product: (
            (state.version, state.next_position, state.next_hold),
            sorted(
                (at.number, at.key, at.place, at.cell, at.set_at or None) for at in state.positions.values()
            ),
            sorted((at, (level.own, level.finer, level.held)) for at, level in state.stock.items()),
            sorted(state.holds.items()),
        )
        for key, state in snapshot.products.items()
    }
    ids = {
        at: (seen.fingerprint, replace(seen.accepted, product_id=None)) for at, seen in snapshot.ids.items()
    }
    documents = {key: document for key, document in snapshot.documents.items() if document.version}
    return states, ids, documents


async def compare(url: str, unit: type[PostgresUnit], rules, shares) -> None:
    """Play the shares, (now, works) each, in both stores."""
    world, played = World(rules), []
    async with database(url) as opened:
        await opened.pool.execute(f"TRUNCATE {TABLES}")
        store = PostgresStore(opened.lines, unit)
        for now, works in shares:
            played += works
            world.run(works, now)
            await play(store, rules, works, now)
        wanted = everything(played)
        async with store.unit() as one:
            stored = await one.gather(wanted, -1)
        audits = await opened.reader.audit(PRODUCTS)
    assert [drift for audited in audits for drift in drifts(audited, rules)] == []
    assert rows_of(stored) == rows_of(world.gather(wanted, -1))


BOTH = pytest.mark.parametrize("unit", [PostgresUnit, PlainUnit])


@BOTH
def test_the_store_keeps_what_the_model_keeps(database_url, unit):
    @settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
    @given(batches())
    def run(made) -> None:
        rules, works, times = made
        shares = cut(works, [len(works) // len(times)] * (len(times) - 1))
        asyncio.run(compare(database_url, unit, rules, zip(times, shares, strict=True)))

    run()


@BOTH
async def test_the_store_keeps_holds_of_orders(database_url, unit):
    """Terms of stored and of new holds, in the batch that makes them and in later ones."""
    red = position(color="red")

    def asked(kind, name, **fields):
        return kind(id=name, caller="shop", product=PRODUCTS[0], **fields)

    def reserve(name, quantity, **fields):
        more = {"position": red, "measure": SOFT, "check": False, **fields}
        return asked(c.Reserve, name, quantity=quantity, **more)

    order, cart = c.Owner(order="o/1"), c.Owner(reference="c", channel="web")
    shares = [
        (1, [reserve("r1", 5, owner=cart, expires_at=3), reserve("r2", 4, owner=order), reserve("r3", 2)]),
        (
            2,
            [
                reserve("r4", 1),
                asked(c.AttachHold, "a1", hold=1, owner=order, quantity=2),
                asked(c.MarkHold, "m1", hold=5, counted=False),
                asked(c.MarkHold, "m2", hold=2, counted=False),
                asked(c.AttachHold, "a2", hold=3, owner=c.Owner("x", "y", "o/2")),
                asked(c.AttachHold, "a3", hold=4, owner=order),
                asked(c.TopUpHold, "t1", hold=4, quantity=3),
            ],
        ),
        (
            4,
            [
                asked(c.ReleaseHold, "rel", hold=2),
                asked(c.LowerReserved, "l", position=red, measure=SOFT, quantity=1),
            ],
        ),
        (5, [asked(c.TopUpHold, "t2", hold=2, quantity=7), asked(c.MarkHold, "m3", hold=4, counted=False)]),
    ]
    await compare(database_url, unit, rules_of(), shares)
    settled = [*shares, (6, [asked(c.SettleReserved, "s", measures=frozenset({SOFT}))])]
    await compare(database_url, unit, rules_of(), settled)
