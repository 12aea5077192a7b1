"""The holds of one product in a batch: those that the snapshot holds, as changed, and the new ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from onhand.core.commands import AttachHold, Kind, Owner, Reserve
from onhand.core.keys import ProductKey
from onhand.core.snapshot import (
    Decision,
    HoldChange,
    HoldState,
    HoldTerms,
    NewHold,
    PositionState,
    ProductState,
)

if TYPE_CHECKING:
    from onhand.core.overlay import Batch


class Hold:
    """A hold that the batch looks at or changes."""

    __slots__ = (
        "changed",
        "closed_by",
        "counted",
        "created_at",
        "expires_at",
        "measure",
        "number",
        "owner",
        "position",
        "quantity",
        "remaining",
        "retermed",
    )

    def __init__(self, state: HoldState) -> None:
        self.number = state.number
        self.position = state.position
        self.measure = state.measure
        self.quantity = state.quantity
        self.owner = state.owner
        self.remaining = state.remaining
        self.expires_at = state.expires_at
        self.created_at = state.created_at
        self.counted = state.counted
        self.closed_by: Kind | None = None
        self.changed = False
        self.retermed = False

    def restore_terms(self, quantity: int, owner: str, *, counted: bool, retermed: bool) -> None:
        """Take a change of terms back."""
        self.quantity = quantity
        self.owner = owner
        self.counted = counted
        self.retermed = retermed

    def restore(
        self, remaining: int, expires_at: int | None, closed_by: Kind | None, *, changed: bool
    ) -> None:
        """Take a change back."""
        self.remaining = remaining
        self.expires_at = expires_at
        self.closed_by = closed_by
        self.changed = changed


class Holdings:
    """Holds by number; a stored one is copied when it is first looked at."""

    __slots__ = ("_batch", "_holds", "_keys", "_new", "_pools", "_product", "_state", "due", "next")

    def __init__(self, batch: Batch, product: ProductKey, state: ProductState) -> None:
        self._batch = batch
        self._product = product
        self._state = state
        self._holds: dict[int, Hold] = {}
        self._new: list[NewHold] = []
        self._keys: list[str] = []
        """Position key of each new hold."""
        self._pools: dict[tuple[str, int, str], deque[int]] | None = None
        self.next = state.next_hold
        """Number of the next hold."""
        self.due: list[int] = []
        """Open holds that lapse before the next work on the product is decided."""
        if state.holds:
            now = batch.now
            self.due = sorted(
                hold.number
                for hold in state.holds.values()
                if hold.remaining > 0 and hold.expires_at is not None and hold.expires_at <= now
            )

    def add(  # noqa: PLR0913 - the columns of one hold
        self,
        command: Reserve | AttachHold,
        at: PositionState,
        measure: int,
        quantity: int,
        owner: Owner,
        expires_at: int | None,
    ) -> int:
        """Make the hold of an accepted command; its number."""
        number = self.next
        self.next += 1
        self._new.append(
            NewHold(
                self._product,
                number,
                at.number,
                at.place,
                measure,
                quantity,
                quantity,
                owner.reference,
                owner.channel,
                owner.order,
                owner.key,
                expires_at,
                command.caller,
                command.id,
            )
        )
        self._keys.append(at.key)
        if self._pools is not None:
            self._pools.setdefault((at.key, measure, owner.key), deque()).append(number)
        if expires_at is not None and expires_at <= self._batch.now:
            self.due.append(number)
        return number

    def get(self, number: int) -> Hold | None:
        """A hold, stored or new; None when there is no such hold."""
        hold = self._holds.get(number)
        if hold is not None:
            return hold
        state = self._state.holds.get(number)
        if state is None:
            index = number - self._state.next_hold
            if not 0 <= index < len(self._new):
                return None
            new = self._new[index]
            state = HoldState(
                number,
                self._keys[index],
                new.measure,
                new.quantity,
                new.remaining,
                new.owner,
                new.expires_at,
                self._batch.now,
                new.counted,
            )
        hold = self._holds[number] = Hold(state)
        if self._batch.undo is not None:
            self._batch.undo.append(partial(self._holds.pop, number))
        return hold

    def state(self, number: int) -> HoldState | None:
        """A hold as it is now, as a value."""
        hold = self.get(number)
        if hold is None:
            return None
        return HoldState(
            hold.number,
            hold.position,
            hold.measure,
            hold.quantity,
            hold.remaining,
            hold.owner,
            hold.expires_at,
            hold.created_at,
            hold.counted,
        )

    def numbers(self) -> list[int]:
        """Every known hold, oldest first."""
        return [*sorted(self._state.holds), *(hold.number for hold in self._new)]

    def change(self, hold: Hold, remaining: int, expires_at: int | None, kind: Kind) -> None:
        """Give a hold its new state; `kind` closes it when nothing remains."""
        if self._batch.undo is not None:
            before = (hold.remaining, hold.expires_at, hold.closed_by)
            self._batch.undo.append(partial(hold.restore, *before, changed=hold.changed))
        hold.remaining = remaining
        hold.expires_at = expires_at
        hold.closed_by = None if remaining else kind
        hold.changed = True

    def change_terms(self, hold: Hold, *, quantity: int, owner: str, counted: bool) -> None:
        """Give a hold its new terms. It may move to another pool, or into one again because it is open again."""
        if self._batch.undo is not None:
            undo = partial(hold.restore_terms, hold.quantity, hold.owner)
            self._batch.undo.append(partial(undo, counted=hold.counted, retermed=hold.retermed))
        hold.quantity = quantity
        hold.owner = owner
        hold.counted = counted
        hold.retermed = True
        self._pools = None

    def oldest(self, position: str, measure: int, owner: str) -> Iterator[Hold]:
        """Open holds of the owner at a position, oldest first."""
        if self._pools is None:
            self._pools = {}
            for number in self.numbers():
                hold = self.get(number)
                if hold is not None and hold.remaining > 0:
                    key = (hold.position, hold.measure, hold.owner)
                    self._pools.setdefault(key, deque()).append(number)
        pool = self._pools.get((position, measure, owner))
        if pool is None:
            return
        if self._batch.undo is None:
            while pool and ((hold := self.get(pool[0])) is None or not hold.remaining):
                pool.popleft()
        for number in pool:
            hold = self.get(number)
            if hold is not None and hold.remaining:
                yield hold

    def rewinder(self) -> Callable[[], None]:
        """A function that sets the counter and lists back to what they are now."""
        following, length = self.next, len(self._new)

        def rewind() -> None:
            self.next = following
            del self._new[length:]
            del self._keys[length:]
            self._pools = None
            self.due = []

        return rewind

    def close(self, decision: Decision) -> None:
        """Add new and changed holds to the decision."""
        for hold in self._holds.values():
            index = hold.number - self._state.next_hold
            if index >= 0:
                self._close_new(index, hold)
                continue
            if hold.retermed:
                owner = Owner.of(hold.owner)
                decision.terms.append(
                    HoldTerms(self._product, hold.number, hold.quantity, owner, hold.counted)
                )
            if hold.changed:
                decision.holds.append(
                    HoldChange(self._product, hold.number, hold.remaining, hold.expires_at, hold.closed_by)
                )
        decision.new_holds += self._new

    def _close_new(self, index: int, hold: Hold) -> None:
        if hold.changed:
            self._new[index] = msgspec.structs.replace(
                self._new[index],
                remaining=hold.remaining,
                expires_at=hold.expires_at,
                closed_by=hold.closed_by,
            )
        if hold.retermed:
            owner = Owner.of(hold.owner)
            self._new[index] = msgspec.structs.replace(
                self._new[index],
                quantity=hold.quantity,
                reference=owner.reference,
                channel=owner.channel,
                order=owner.order,
                owner=hold.owner,
                counted=hold.counted,
            )
