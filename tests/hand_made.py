"""Decisions made by hand, for tests of the storage: they obey the schema and know no business rule."""

from __future__ import annotations

from contextlib import asynccontextmanager
from copy import deepcopy
from types import SimpleNamespace

from onhand.core import presets
from onhand.core.commands import Kind
from onhand.core.keys import Dimensions, Position, ProductKey, encode, product_key
from onhand.core.outcomes import Accepted
from onhand.core.snapshot import (
    Decision,
    HoldChange,
    Level,
    LevelChange,
    Movement,
    NewHold,
    NewId,
    NewPosition,
    PositionState,
    ProductChange,
    Reads,
    Snapshot,
)
from onhand.storage.postgres.catalogue import PostgresCatalogue
from onhand.storage.postgres.documents import PostgresDocuments
from onhand.storage.postgres.pool import open_pool
from onhand.storage.postgres.reader import PostgresReader
from onhand.storage.postgres.store import PostgresStore, lines_for

NOW = 1_800_000_000_000_000
"""A moment of 2027, in microseconds."""
PIECE = 1_000_000
RESERVATION = ("siteid", "locationid", "colorid")
PARTITION = ("siteid", "locationid")
STOCKED, RESERVED = 1, 2


def sku(name: str, environment: int = 1) -> ProductKey:
    return product_key(environment, "usmf", name)


def at(
    site: str = "1",
    location: str = "11",
    reservation: tuple[str, ...] = RESERVATION,
    partition: tuple[str, ...] = PARTITION,
    **further: str,
) -> Position:
    dimensions: Dimensions = tuple({"siteid": site, "locationid": location, **further}.items())
    return Position(
        encode(dimensions),
        encode(tuple(pair for pair in dimensions if pair[0] in partition)),
        encode(tuple(pair for pair in dimensions if pair[0] in reservation)),
        dimensions,
        tuple((name, value.upper()) for name, value in dimensions),
    )


def wanting(*products: ProductKey, **more) -> Reads:
    return Reads(products={key: (key.organization.upper(), key.product.upper()) for key in products}, **more)


class Hand:
    """Changes a snapshot and remembers what to write."""

    def __init__(self, snapshot: Snapshot, now: int = NOW) -> None:
        self._read = snapshot  # the store compares with it, so it stays as it is
        self.snapshot = deepcopy(snapshot)
        self.decision = Decision(now)
        self._levels: dict = {}
        self._products: dict = {}

    def position(self, product: ProductKey, where: Position) -> int:
        state = self.snapshot.products[product]
        if where.key in state.positions:
            return state.positions[where.key].number
        if where.cell != where.key:
            dimensions = tuple(pair for pair in where.dimensions if f"{pair[0]}=" in where.cell)
            self.position(product, Position(where.cell, where.place, where.cell, dimensions, dimensions))
        number = state.next_position
        state.next_position += 1
        state.positions[where.key] = PositionState(number, where.key, where.place, where.cell)
        self.decision.positions.append(NewPosition(product, number, where))
        self._products[product] = state
        return number

    def move(self, product, where, measure, delta, kind, command, hold=None, held=0) -> None:
        state = self.snapshot.products[product]
        number = self.position(product, where)
        level = state.stock.setdefault((where.key, measure), Level())
        level.own += delta
        level.held += held
        self._levels[product, number, measure] = level
        if where.cell != where.key:
            above = state.stock.setdefault((where.cell, measure), Level())
            above.finer += delta
            self._levels[product, state.positions[where.cell].number, measure] = above
        state.version += 1
        self._products[product] = state
        self.decision.movements.append(
            Movement(product, state.version, number, measure, delta, level.own, kind, command, "tester", hold)
        )

    def remember(self, command: str, kind: Kind, environment: int = 1, **accepted) -> None:
        self.decision.ids.append(NewId(environment, kind, command, 7, Accepted(**accepted)))

    def post(self, product, where, quantity, command, measure=STOCKED) -> None:
        self.move(product, where, measure, quantity, Kind.CHANGE, command)
        self.remember(command, Kind.CHANGE, product.environment)

    def reserve(self, product, where, quantity, command, expires_at=None, reference="") -> int:
        state = self.snapshot.products[product]
        number = state.next_hold
        state.next_hold += 1
        self.move(product, where, RESERVED, quantity, Kind.RESERVE, command, number, held=quantity)
        self.decision.new_holds.append(
            NewHold(
                product=product,
                number=number,
                position=state.positions[where.key].number,
                place=where.place,
                measure=RESERVED,
                quantity=quantity,
                remaining=quantity,
                reference=reference,
                channel="web",
                order="",
                owner=reference,
                expires_at=expires_at,
                caller="tester",
                command_id=command,
            )
        )
        self.remember(command, Kind.RESERVE, product.environment, hold=number)
        return number

    def release(self, product, where, hold, command) -> None:
        state = self.snapshot.products[product].holds[hold]
        self.move(
            product, where, RESERVED, -state.remaining, Kind.RELEASE, command, hold, held=-state.remaining
        )
        self.decision.holds.append(HoldChange(product, hold, 0, state.expires_at, Kind.RELEASE))

    def decide(self) -> Decision:
        self.decision.levels = [
            LevelChange(
                product,
                number,
                measure,
                level.own,
                level.finer,
                level.held,
                key,
                stored=(key, measure) in self._read.products[product].stock,
            )
            for (product, number, measure), level in self._levels.items()
            for key in [
                next(
                    at.key for at in self.snapshot.products[product].positions.values() if at.number == number
                )
            ]
        ]
        self.decision.products = [
            ProductChange(product, state.version, state.next_position, state.next_hold)
            for product, state in self._products.items()
        ]
        return self.decision


@asynccontextmanager
async def database(url: str, **pool_settings):
    """Pool, store, reader and catalogue over a database with environment 1."""
    settings = {"connections_min": 1, "connections_max": 6} | pool_settings
    pool = await open_pool(url, **settings)
    del settings["connections_min"]
    lines = lines_for(url, most=settings.pop("connections_max"), **settings)
    try:
        catalogue = PostgresCatalogue(pool)
        if not await catalogue.environments():
            await catalogue.create_environment("env", presets.document("standalone", "env"), {}, "tester")
        yield SimpleNamespace(
            pool=pool,
            lines=lines,
            store=PostgresStore(lines),
            reader=PostgresReader(pool),
            documents=PostgresDocuments(pool),
            catalogue=catalogue,
        )
    finally:
        await lines.close()
        pool.terminate()


async def do(store, reads: Reads, act, now: int = NOW) -> Hand:
    """One unit: gather, `act(hand)`, commit."""
    async with store.unit() as unit:
        hand = Hand(await unit.gather(reads, now), now)
        act(hand)
        await unit.commit(hand.decide())
    return hand
