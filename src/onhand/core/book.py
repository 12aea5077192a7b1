"""One product's working state in a batch.

Every change goes through a few methods here, which keep the projections together: `own` with its movement (I5),
`held` with the holds (I2), `finer` of the cell above a record, and the stands that answer questions of
availability.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from onhand.core.availability import Plain, stand_of
from onhand.core.commands import Kind
from onhand.core.holdings import Holdings
from onhand.core.keys import Dimensions, Position, ProductKey, decode
from onhand.core.rules import Availability, MeasureName, Rules
from onhand.core.snapshot import (
    Decision,
    Level,
    LevelChange,
    Movement,
    NewPosition,
    PositionState,
    ProductChange,
    ProductState,
)

if TYPE_CHECKING:
    from onhand.core.overlay import Batch

NO_LEVEL = Level()
"""What is read where nothing was stored; never written to."""


class Cause(msgspec.Struct, frozen=True):
    """Whom a movement names (I5)."""

    kind: Kind
    command_id: str
    caller: str
    reason: str = ""


class Book:
    """Working state of one product."""

    __slots__ = (
        "_entered",
        "_levels",
        "_positions",
        "_set_at",
        "_stands",
        "_state",
        "_wiped",
        "batch",
        "holdings",
        "key",
        "lapsed",
        "next_position",
        "rules",
        "version",
    )

    def __init__(self, batch: Batch, key: ProductKey, state: ProductState) -> None:
        self.batch = batch
        self.key = key
        self.rules = batch.rules.get(key.environment)
        self.version = state.version
        self.next_position = state.next_position
        self.holdings = Holdings(batch, key, state)
        self.lapsed = 0
        """Scaled: how much lapsed when the current work touched the product."""
        self._state = state
        self._levels: dict[tuple[str, int], Level] = {}
        self._positions: dict[str, PositionState] = state.positions
        self._entered: list[NewPosition] = []
        self._set_at: dict[str, int] = {}
        self._stands: dict[tuple[str, MeasureName], tuple[Availability, Plain]] = {}
        self._wiped: set[str] = set()

    @property
    def product_id(self) -> int:
        """Opaque handle of the product."""
        return self._state.product_id

    # Positions

    def position(self, key: str) -> PositionState | None:
        """A known position."""
        return self._positions.get(key)

    def enter(self, position: Position) -> PositionState:
        """The position, new if it was not known; so is the cell above it."""
        known = self._positions.get(position.key)
        if known is not None:
            return known
        if position.cell != position.key:
            self._enter_cell(position.cell, position.place, position.shown)
        if self._positions is self._state.positions:
            self._positions = dict(self._positions)
        number = self.next_position
        self.next_position += 1
        made = PositionState(number, position.key, position.place, position.cell)
        self._positions[position.key] = made
        self._entered.append(NewPosition(self.key, number, position))
        if self.batch.undo is not None:
            self.batch.undo.append(partial(self._positions.pop, position.key))
        return made

    def _enter_cell(self, cell: str, place: str, shown: Dimensions) -> None:
        if cell not in self._positions:
            folded = decode(cell)
            names = {name for name, _ in folded}
            self.enter(Position(cell, place, cell, folded, tuple(pair for pair in shown if pair[0] in names)))

    def set_at(self, at: PositionState) -> int | None:
        """Latest time of a set-on-hand at the position."""
        return self._set_at.get(at.key, at.set_at)

    def note_set(self, at: PositionState, time: int) -> None:
        """Remember the time of a set-on-hand."""
        self._set_at[at.key] = time

    # Levels

    def level(self, position: str, measure: int) -> Level:
        """The level as it is now; not to be changed."""
        at = (position, measure)
        level = self._levels.get(at)
        if level is None:
            level = self._state.stock.get(at, NO_LEVEL)
            if self._wiped and level is not NO_LEVEL and self._place(position) in self._wiped:
                return NO_LEVEL
        return level

    def shift(  # noqa: PLR0913 - the columns of one change
        self, at: PositionState, measure: int, delta: int, held: int, cause: Cause, hold: int | None = None
    ) -> None:
        """Change `own` and `held`; the movement, the cell's `finer` and the stands follow."""
        level = self._own(at.key, measure)
        level.own += delta
        level.held += held
        if not delta:
            return
        self._move(at, measure, delta, level.own, cause, hold)
        if at.cell != at.key:
            self._enter_cell(at.cell, at.place, decode(at.cell))
            self._own(at.cell, measure).finer += delta
        if self._stands:
            self._inform(at, measure, delta)

    def trace(self, at: PositionState, measure: int, cause: Cause, hold: int | None = None) -> None:
        """Enter an accepted command that changed no quantity into the ledger, as a movement of zero.

        A wipe finds the command ids of a place through its movements.
        """
        self._move(at, measure, 0, self.level(at.key, measure).own, cause, hold)

    def _move(  # noqa: PLR0913 - the columns of one movement
        self, at: PositionState, measure: int, delta: int, own: int, cause: Cause, hold: int | None
    ) -> None:
        self.version += 1
        self.batch.decision.movements.append(
            Movement(
                self.key,
                self.version,
                at.number,
                measure,
                delta,
                own,
                cause.kind,
                cause.command_id,
                cause.caller,
                hold,
                cause.reason,
            )
        )

    def levels(self) -> list[tuple[PositionState, int, Level]]:
        """Every level that is known, as it is now, in the order of position numbers and measures."""
        found = [
            (at, measure, self.level(position, measure))
            for position, measure in {**self._state.stock, **self._levels}
            if (at := self._positions.get(position)) is not None
        ]
        found.sort(key=lambda one: (one[0].number, one[1]))
        return found

    def totals(self, place: str) -> dict[int, int]:
        """Measure -> sum over the cells of a place, as it is now; the snapshot has all of them."""
        sums: dict[int, int] = {}
        for position, measure in {**self._state.stock, **self._levels}:
            at = self._positions.get(position)
            if at is None or at.place != place or at.cell != position:
                continue
            level = self.level(position, measure)
            sums[measure] = sums.get(measure, 0) + level.own + level.finer
        return sums

    def _own(self, position: str, measure: int) -> Level:
        """A level of the batch's own, to be changed."""
        at = (position, measure)
        undo = self.batch.undo
        level = self._levels.get(at)
        if level is None:
            stored = self.level(position, measure)
            level = self._levels[at] = Level(stored.own, stored.finer, stored.held)
            if undo is not None:
                undo.append(partial(self._levels.pop, at))
        elif undo is not None:
            undo.append(partial(_restore, level, level.own, level.finer, level.held))
        return level

    def _place(self, position: str) -> str | None:
        at = self._positions.get(position)
        return None if at is None else at.place

    # Availability

    def stand(self, rules: Rules, place: str, availability: Availability) -> Plain:
        """Supply and demand at a place, built at the first question and kept up to date."""
        key = (place, availability.formula.name)
        found = self._stands.get(key)
        if found is not None:
            return found[1]
        net: dict[str, int] = {}
        reserved: dict[str, int] = {}
        stock = {**self._state.stock, **self._levels} if self._levels else self._state.stock
        positions, counts, holds = self._positions, availability.net, availability.reserved
        forgotten = place in self._wiped
        for (position, measure), level in stock.items():
            sign = counts.get(measure)
            if sign is None and measure not in holds:
                continue
            at = positions.get(position)
            if at is None or at.place != place or at.cell != position:
                continue
            if forgotten and (position, measure) not in self._levels:
                continue
            if sign is not None:
                net[position] = net.get(position, 0) + sign * (level.own + level.finer)
            else:
                reserved[position] = reserved.get(position, 0) + level.own + level.finer
        cells = [(cell, quantity, reserved.pop(cell, 0)) for cell, quantity in net.items()]
        cells += [(cell, 0, quantity) for cell, quantity in reserved.items()]
        made = stand_of(rules.switches, rules.reservation_dimensions, cells, rules.limits)
        self._stands[key] = (availability, made)
        if self.batch.undo is not None:  # it counts what the group did before, which would not be taken back
            self.batch.undo.append(partial(self._drop_stand, key))
        return made

    def _drop_stand(self, key: tuple[str, MeasureName]) -> None:
        self._stands.pop(key, None)

    def _inform(self, at: PositionState, measure: int, delta: int) -> None:
        """Tell the stands of the place about a change."""
        for (place, _), (availability, stand) in self._stands.items():
            if place != at.place:
                continue
            net = availability.net.get(measure, 0) * delta
            reserved = delta if measure in availability.reserved else 0
            if net or reserved:
                stand.move(at.cell, net, reserved)
                if self.batch.undo is not None:
                    self.batch.undo.append(partial(stand.move, at.cell, -net, -reserved))

    # Wiping, taking back, closing

    def wipe(self, place: str) -> None:
        """Forget the rows of a place, all of them zero by now, and the command ids behind its movements."""
        numbers = set()
        for at in self._positions.values():
            if at.place == place:
                numbers.add(at.number)
                if self.set_at(at) is not None:
                    self._set_at[at.key] = 0
        for key in [key for key in self._levels if self._place(key[0]) == place]:
            del self._levels[key]
        self._wiped.add(place)
        self._stands = {}
        decision = self.batch.decision
        decision.wipes.append((self.key, place))
        self.batch.forget(
            {
                (self.key.environment, movement.kind, movement.command_id)
                for movement in decision.movements
                if movement.product == self.key and movement.position in numbers
            }
        )

    def rewinder(self) -> Callable[[], None]:
        """A function that sets the counters and lists back to what they are now."""
        counters = (self.version, self.next_position)
        entered = len(self._entered)
        rewind_holdings = self.holdings.rewinder()
        set_at = dict(self._set_at)

        def rewind() -> None:
            self.version, self.next_position = counters
            del self._entered[entered:]
            self._set_at = set_at
            rewind_holdings()

        return rewind

    def close(self, decision: Decision) -> None:
        """Add what is to be written of this product to the decision."""
        state = self._state
        key = self.key
        counters = (self.version, self.next_position, self.holdings.next)
        if counters != (state.version, state.next_position, state.next_hold):
            decision.products.append(ProductChange(key, *counters))
        decision.positions += self._entered
        positions, stored = self._positions, state.stock
        for at, level in self._levels.items():
            position, measure = at
            number = positions[position].number
            decision.levels.append(
                LevelChange(
                    key, number, measure, level.own, level.finer, level.held, position, stored=at in stored
                )
            )
        for text, time in self._set_at.items():
            decision.set_at.append((key, positions[text].number, time))
        self.holdings.close(decision)


def _restore(level: Level, own: int, finer: int, held: int) -> None:
    level.own = own
    level.finer = finer
    level.held = held
