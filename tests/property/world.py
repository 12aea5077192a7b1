"""A model of the store: keeps rows in memory, reads exactly what is asked for, applies decisions."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import msgspec

from onhand.core.commands import Document, DocumentKey, DocumentWrite, Kind, Wipe, Work
from onhand.core.decide import decide, reads
from onhand.core.keys import Position, ProductKey, encode, product_key
from onhand.core.rules import Availability, Formula, Rules, Switches
from onhand.core.snapshot import (
    CommandId,
    Decision,
    HoldState,
    Level,
    Movement,
    PositionState,
    ProductState,
    Reads,
    Seen,
    Snapshot,
)

ON_HAND, OUTBOUND, SOFT, SOFT_2, LOOSE = 1, 2, 3, 4, 5
"""Measures: in stock (+), sold (-), two reserved ones (-), and a reserved one that is mapped to nothing."""

AVAILABLE = Availability(
    Formula(("iv", "available"), {ON_HAND: 1, OUTBOUND: -1, SOFT: -1, SOFT_2: -1}),
    {ON_HAND: 1, OUTBOUND: -1},
    frozenset({SOFT, SOFT_2}),
)
PRODUCT_ID = 100
"""The same for every product: a real one depends on which product was seen first."""

OWN_KINDS = (Kind.EXPIRE, Kind.CLEAR, Kind.WIPE)
"""Kinds of the service's own commands: they leave no trace of a change by nothing."""

DIMENSIONS = ("siteid", "locationid", "colorid", "sizeid")


def rules_of(*, by_location: bool = True, enabled: bool = True, **switches: Any) -> Rules:
    return Rules(
        environment=1,
        environment_id="e",
        version=1,
        measures={("iv", str(number)): number for number in range(1, 6)},
        names={number: ("iv", str(number)) for number in range(1, 6)},
        calculated={},
        mapped={SOFT: AVAILABLE, SOFT_2: AVAILABLE},
        partition=("siteid", "locationid") if by_location else (),
        reservation_dimensions=DIMENSIONS,
        filter_unconfigured=False,
        reservations_enabled=enabled,
        dimension_mappings={},
        hidden_sources=frozenset(),
        index_sets=(),
        switches=Switches(**switches),
    )


def position(*, by_location: bool = True, site: str = "1", **values: str) -> Position:
    """A position at site 1, location 11; `color`, `size` and (below the cell) `batch` may be named."""
    pairs = [("siteid", site), ("locationid", "11")] if site else []
    names = {"color": "colorid", "size": "sizeid", "batch": "batchid"}
    pairs += [(names[name], values[name]) for name in names if values.get(name)]
    dimensions = tuple(pairs)
    cell = tuple(pair for pair in dimensions if pair[0] in DIMENSIONS)
    place = tuple(pair for pair in dimensions if by_location and pair[0] in DIMENSIONS[:2])
    return Position(encode(dimensions), encode(place), encode(cell), dimensions, dimensions)


def product(name: str = "bike") -> ProductKey:
    return product_key(1, "usmf", name)


class Rows:
    """Rows of one product."""

    def __init__(self) -> None:
        self.counters = (0, 1, 1)
        self.positions: dict[int, PositionState] = {}
        self.stock: dict[tuple[int, int], Level] = {}
        self.holds: dict[int, HoldState] = {}


class World:
    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = {1: rules or rules_of()}
        self.rows: dict[ProductKey, Rows] = {}
        self.ids: dict[CommandId, Seen] = {}
        self.documents: dict[DocumentKey, Document] = {}
        self.movements: list[Movement] = []
        self.refusals: list[Any] = []

    def run(self, works: Sequence[Work], now: int = 0) -> list[Any]:
        """One batch, or several where a wipe ends one, as the lanes cut them."""
        outcomes: list[Any] = []
        batch: list[Work] = []
        for work in works:
            if batch and isinstance(batch[-1], Wipe) and not isinstance(work, Wipe):
                outcomes += self._decide(batch, now)
                batch = []
            batch.append(work)
        return outcomes + self._decide(batch, now)

    def _decide(self, works: Sequence[Work], now: int) -> list[Any]:
        """Decide and apply; checks that deciding twice gives the same and leaves the snapshot alone."""
        snapshot = self.gather(reads(works), now)
        before = copy.deepcopy(snapshot)
        decision = decide(works, snapshot, self.rules, now)
        assert snapshot == before
        assert decide(works, snapshot, self.rules, now) == decision
        self.apply(decision)
        return decision.outcomes

    def gather(self, needed: Reads, now: int) -> Snapshot:
        snapshot = Snapshot({1: 1})
        for key in needed.products:
            rows = self.rows.setdefault(key, Rows())
            snapshot.products[key] = self._product(key, rows, needed, now)
        snapshot.ids = {at: self.ids[at] for at in needed.ids if at in self.ids}
        snapshot.documents = {at: self.documents[at] for at in needed.documents if at in self.documents}
        return snapshot

    def _product(self, key: ProductKey, rows: Rows, needed: Reads, now: int) -> ProductState:
        state = ProductState(PRODUCT_ID, *rows.counters)
        numbers, drawn = self._holds(key, rows, needed, now)
        state.holds = {number: copy.copy(rows.holds[number]) for number in sorted(numbers | drawn)}
        known = {at.key: at for at in rows.positions.values()}
        wanted = {text for at, text in needed.positions if at == key}
        for number in numbers:
            at = known[rows.holds[number].position]
            wanted |= {at.key, at.cell}
        for at in rows.positions.values():
            as_cell = at.key == at.cell and ((key, at.place) in needed.places or key in needed.whole)
            as_record = (key, None) in needed.records or (key, at.place) in needed.records
            if as_cell or as_record or at.key in wanted:
                state.positions[at.key] = copy.copy(at)
        for (number, measure), level in rows.stock.items():
            if rows.positions[number].key in state.positions:
                state.stock[rows.positions[number].key, measure] = copy.copy(level)
        return state

    def _holds(self, key: ProductKey, rows: Rows, needed: Reads, now: int) -> tuple[set[int], set[int]]:
        """Holds asked for by number, due, or all; and those that the queries draw from, as few as allowed."""
        places = {at.key: at.place for at in rows.positions.values()}
        open_holds = [hold for _, hold in sorted(rows.holds.items()) if hold.remaining]
        numbers = {number for at, number in needed.holds if at == key and number in rows.holds}
        numbers |= {h.number for h in open_holds if h.expires_at is not None and h.expires_at <= now}
        drawn = set()
        for query in needed.hold_queries:
            pool = (query.product, query.position, query.measure, query.owner)
            left = query.quantity
            for hold in open_holds:
                same = (key, hold.position, hold.measure, hold.owner) == pool
                if same and hold.number not in numbers and left > 0:
                    left -= hold.remaining
                    drawn.add(hold.number)
        every = {place for at, place in needed.all_holds if at == key}
        numbers |= {h.number for h in open_holds if None in every or places[h.position] in every}
        return numbers, drawn

    def apply(self, decision: Decision) -> None:
        for key, place in decision.wipes:
            self._wipe(key, place)
        for change in decision.products:
            self.rows[change.product].counters = (change.version, change.next_position, change.next_hold)
        for new in decision.positions:
            positions = self.rows[new.product].positions
            assert new.number not in positions
            assert new.position.key not in {at.key for at in positions.values()}
            at = new.position
            positions[new.number] = PositionState(new.number, at.key, at.place, at.cell)
        assert len({(c.product, c.position, c.measure) for c in decision.levels}) == len(decision.levels)
        for level in decision.levels:
            stock = self.rows[level.product].stock
            stock[level.position, level.measure] = Level(level.own, level.finer, level.held)
        for key, number, time in decision.set_at:
            self.rows[key].positions[number].set_at = time
        for hold in decision.new_holds:
            rows = self.rows[hold.product]
            assert hold.number not in rows.holds
            assert (hold.closed_by is None) == (hold.remaining > 0)
            rows.holds[hold.number] = HoldState(
                hold.number,
                rows.positions[hold.position].key,
                hold.measure,
                hold.quantity,
                hold.remaining,
                hold.owner,
                hold.expires_at,
                decision.now,
                hold.counted,
            )
        assert len({(c.product, c.number) for c in decision.terms}) == len(decision.terms)
        for terms in decision.terms:
            stored = self.rows[terms.product].holds[terms.number]
            assert terms.quantity >= stored.quantity
            stored.quantity, stored.owner, stored.counted = terms.quantity, terms.owner.key, terms.counted
        assert len({(c.product, c.number) for c in decision.holds}) == len(decision.holds)
        for change in decision.holds:
            stored = self.rows[change.product].holds[change.number]
            stored.remaining, stored.expires_at = change.remaining, change.expires_at
        self.movements += decision.movements
        for new_id in decision.ids:
            at = (new_id.environment, new_id.kind, new_id.id)
            assert at not in self.ids
            self.ids[at] = Seen(new_id.fingerprint, new_id.accepted)
        self._write(decision.documents)
        self.refusals += decision.refusals

    def _write(self, writes: Sequence[DocumentWrite]) -> None:
        for write in writes:
            known = self.documents.pop(write.key, None)
            assert (known.version if known else 0) == write.expected_version
            if not write.delete:
                self.documents[write.key] = Document(write.key, write.version, write.body)

    def _wipe(self, key: ProductKey, place: str) -> None:
        rows = self.rows[key]
        numbers = {at.number for at in rows.positions.values() if at.place == place}
        for at in [at for at in rows.stock if at[0] in numbers]:
            del rows.stock[at]
        for movement in self.movements:
            if movement.product == key and movement.position in numbers:
                self.ids.pop((key.environment, movement.kind, movement.command_id), None)

    def level(self, key: ProductKey, at: Position, measure: int) -> Level:
        rows = self.rows[key]
        numbers = [stored.number for stored in rows.positions.values() if stored.key == at.key]
        return rows.stock.get((numbers[0], measure), Level()) if numbers else Level()

    def cells(self, key: ProductKey, place: str) -> list[tuple[str, int, int]]:
        """Supply and demand at a place, straight from the rows."""
        found = []
        rows = self.rows[key]
        for at in rows.positions.values():
            if at.place == place and at.cell == at.key:
                total = {m: rows.stock.get((at.number, m), Level()) for m in range(1, 5)}
                sums = {m: level.own + level.finer for m, level in total.items()}
                found.append((at.key, sums[ON_HAND] - sums[OUTBOUND], sums[SOFT] + sums[SOFT_2]))
        return found

    def check(self) -> None:
        """I2, I3, I5 and the projection of finer records, over all rows."""
        for key, rows in self.rows.items():
            mine = [movement for movement in self.movements if movement.product == key]
            assert [movement.sequence for movement in mine] == list(range(1, len(mine) + 1))
            assert rows.counters[0] == len(mine)
            folded: dict[tuple[int, int], int] = {}
            for movement in mine:
                at = (movement.position, movement.measure)
                assert movement.delta or movement.kind not in OWN_KINDS
                assert movement.caller
                assert movement.command_id
                folded[at] = folded.get(at, 0) + movement.delta
                assert movement.level == folded[at]
            for at, level in rows.stock.items():
                assert folded.pop(at, 0) == level.own
            assert not any(folded.values())
            self._check_projections(rows)

    def _check_projections(self, rows: Rows) -> None:
        held: dict[tuple[str, int], int] = {}
        for hold in rows.holds.values():
            assert 0 <= hold.remaining <= hold.quantity
            held[hold.position, hold.measure] = held.get((hold.position, hold.measure), 0) + hold.remaining
        finer: dict[tuple[str, int], int] = {}
        for (number, measure), level in rows.stock.items():
            at = rows.positions[number]
            assert held.pop((at.key, measure), 0) == level.held
            if at.cell != at.key:
                finer[at.cell, measure] = finer.get((at.cell, measure), 0) + level.own
        assert not any(held.values())
        for (number, measure), level in rows.stock.items():
            assert finer.pop((rows.positions[number].key, measure), 0) == level.finer
        assert not any(finer.values())

    def rows_seen(self) -> Any:
        """Everything that I6 speaks of, to compare two worlds."""
        return msgspec.to_builtins(
            [
                [
                    [
                        key.product,
                        rows.counters,
                        sorted(rows.positions.items()),
                        sorted(rows.stock.items()),
                        sorted(rows.holds.items()),
                    ]
                    for key, rows in sorted(self.rows.items())
                ],
                sorted(
                    ((at[1], at[2], seen.fingerprint, repr(seen.accepted)) for at, seen in self.ids.items())
                ),
                self.movements,
                self.refusals,
                sorted((at.id, document.version, document.body) for at, document in self.documents.items()),
            ]
        )
