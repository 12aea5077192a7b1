"""A unit of moves as one atomic group of the engine.

Theory of operation
-------------------
`Application` is made from the record of an order as it was read, with its version. It translates each move into a
`Part`, which has commands, documents and places, and puts them all into one `Group` together with the order's own document. The group
locks the order, the records of items, and then the products; decides all commands; and asks `finish`. There the parts are
concluded in order on one `Working` state, which yields ledger rows, line costs, inventory transactions and records of
items. The order's document is written last, with the checkpoint that the caller put into the record. So stock, ledger,
costs, transactions and checkpoint commit together or not at all (decisions 9).

The order's version is the fence: if it is not the one that was read, the group is refused as stale, and the caller reads again and plans
again. `finish` may be called several times, because a batch may be decided again; what it found is kept from the last
call, the one whose decision was committed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from onhand.core.commands import DocumentKey, DocumentWrite, Group, GroupMember
from onhand.core.concluding import Concluded
from onhand.core.orders import moves as m
from onhand.core.orders.addresses import Address, resolve
from onhand.core.orders.entities import to_stored
from onhand.core.orders.following import settled
from onhand.core.orders.identity import Identity
from onhand.core.orders.ledger import item_of
from onhand.core.orders.marking import followed
from onhand.core.orders.model import Order
from onhand.core.orders.moves import Applied, ItemRef, Move
from onhand.core.orders.part import Part, Untouched
from onhand.core.orders.record import OrderRecord
from onhand.core.orders.recounting import Emptying, Recalculating
from onhand.core.orders.reducing import Reducing, Repairing, Restocking, Reversing
from onhand.core.orders.reserving import (
    Adopting,
    FurtherReserving,
    Releasing,
    Relocating,
    Reserving,
    Splitting,
)
from onhand.core.orders.stocked import Stocked
from onhand.core.orders.working import Note, Surroundings, Working
from onhand.core.outcomes import Outcome, Reason, Rejected
from onhand.core.rules import Rules

Finish = Callable[[OrderRecord, Sequence[Applied], Sequence[Note], Concluded], OrderRecord]
"""Pure: the record as it is to be stored, given what became of the moves."""
Extra = Callable[[OrderRecord, Sequence[Note], Concluded], Sequence[DocumentWrite]]
"""Pure: what is written beside it (events, versions), given the record as it is stored."""


class Stored(msgspec.Struct, frozen=True):
    """An order's document as it was read."""

    key: DocumentKey
    version: int
    record: OrderRecord


class Application:
    """One unit: makes its group, and knows afterwards what became of it."""

    def __init__(  # noqa: PLR0913 - what a unit consists of
        self,
        around: Surroundings,
        stored: Stored,
        moves: Sequence[Move],
        *,
        edit: Callable[[Order], Order] | None = None,
        finish: Finish,
        extra: Extra,
        index: Callable[[OrderRecord], tuple[tuple[str, ...], int | None]],
        stock: Mapping[ItemRef, Stocked] | None = None,
        attempt: str = "",
        commands: Sequence[GroupMember] = (),
        settles: bool = False,
        claim: DocumentWrite | None = None,
    ) -> None:
        """`attempt` makes the ids of effects that belong to no line unique; `commands` come first and are not concluded.

        `claim` is a document that must not be there yet.
        """
        self._around = around
        self._stored = stored
        self._moves = tuple(moves)
        self._edit = edit
        self._settles = settles
        self._finish_record = finish
        self._extra = extra
        self._index = index
        self._stock = stock or {}
        self._attempt = attempt
        self._commands = tuple(commands)
        self._claim = claim
        self._parts: list[Part] = []
        self._documents: tuple[DocumentKey, ...] = ()
        self.applied: tuple[Applied, ...] = ()
        self.notes: tuple[Note, ...] = ()
        self.after = stored

    def __call__(self, rules: Rules) -> Group | Rejected:
        """The group under these rules."""
        self._around = msgspec.structs.replace(self._around, rules=rules)
        self._parts = []
        for move in self._moves:
            part = self._part(move)
            if isinstance(part, Rejected):
                return part
            self._parts.append(part)
        documents = dict.fromkeys(key for part in self._parts for key in part.documents)
        claimed = () if self._claim is None else (self._claim.key,)
        self._documents = (self._stored.key, *claimed, *documents)
        return Group(
            commands=(*self._commands, *(command for part in self._parts for command in part.commands)),
            documents=self._documents,
            places=tuple(dict.fromkeys(place for part in self._parts for place in part.places)),
            finish=self._finish,
        )

    def _finish(self, concluded: Concluded) -> Sequence[DocumentWrite] | Rejected:
        stored = self._stored
        found = dict(zip(self._documents, concluded.documents, strict=True))
        claims = [] if self._claim is None else [self._claim]
        if any(found[one.key].version for one in claims):
            return Rejected(Reason.DUPLICATE_ID, "The key was used meanwhile; nothing was done.")
        if found[stored.key].version != stored.version:
            return Rejected(Reason.STALE_DOCUMENT, "The order changed meanwhile; nothing was done.")
        opened = followed(stored.record, self._commands, concluded)
        work = Working(self._around, opened, stored.key, concluded, found)
        applied: list[Applied] = []
        at = len(self._commands)
        for part in self._parts:
            outcomes: Sequence[Outcome] = concluded.outcomes[at : at + len(part.commands)]
            at += len(part.commands)
            one = part.conclude(work, outcomes)
            if isinstance(one, Rejected):
                return one
            applied.append(one)
        record = work.record
        if self._edit is not None and record.order is not None:
            edited = self._edit(record.order)
            record = msgspec.structs.replace(
                record, order=settled(record, edited) if self._settles else edited
            )
        record = self._finish_record(record, applied, work.notes, concluded)
        labels, due_at = self._index(record)
        write = DocumentWrite(stored.key, stored.version, to_stored(record), labels, due_at)
        self.applied, self.notes = tuple(applied), tuple(work.notes)
        self.after = Stored(stored.key, write.version, record)
        return [write, *claims, *work.writes(), *self._extra(record, work.notes, concluded)]

    # Parts -------------------------------------------------------------------------------------------------

    def _part(self, move: Move) -> Part | Rejected:  # noqa: C901, PLR0911, PLR0912 - one case a move
        around, record = self._around, self._stored.record
        identity = Identity(self._stored.key)
        if isinstance(move, m.RepairCost):
            return Repairing(record, move)
        if isinstance(move, m.Recalculate):
            return self._recalculating(identity, move)
        if isinstance(move, m.SplitRow):
            return self._splitting(identity, move)
        if isinstance(move, m.Relocate):
            return self._relocating(identity, move)
        address = resolve(around.rules, around.workflows, move.item)
        if isinstance(address, Rejected):
            return address
        match move:
            case m.Reserve():
                if self._relocation_of(move) is not None:
                    return FurtherReserving(move, address)
                return Reserving(around, identity, record, move, address)
            case m.Release():
                return Releasing(around, identity, record, move, address)
            case m.Reduce():
                return Reducing(around, identity, record, move, address)
            case m.Restock():
                return Restocking(around, identity, move, address)
            case m.SetOutOfStock():
                return Emptying(around, identity, move, address, self._stock, self._attempt)
            case m.Adopt():
                return Adopting(around, identity, record, move, address)
            case m.Reverse():
                return Reversing(around, identity, record, move, address)

    def _recalculating(self, identity: Identity, move: m.Recalculate) -> Part | Rejected:
        around = self._around
        addresses: dict[tuple[object, str], Address] = {}
        for warehouse in around.workflows.warehouses.values():
            address = resolve(around.rules, around.workflows, ItemRef(move.sku, warehouse.code))
            if isinstance(address, Address):
                addresses.setdefault((address.product, address.place), address)
        return Recalculating(around, identity, move, list(addresses.values()), self._attempt)

    def _relocating(self, identity: Identity, move: m.Relocate) -> Part | Rejected:
        source = resolve(self._around.rules, self._around.workflows, move.source)
        target = resolve(self._around.rules, self._around.workflows, move.target)
        if isinstance(source, Rejected):
            return source
        if isinstance(target, Rejected):
            return target
        further = sum(
            (
                one.quantity
                for one in self._moves
                if isinstance(one, m.Reserve) and self._relocation_of(one) == move
            ),
            m.ZERO,
        )
        split = self._split_before(move)
        return Relocating(self._around, identity, self._stored.record, move, source, target, split, further)

    def _relocation_of(self, move: m.Reserve) -> m.Relocate | None:
        """The relocation of this unit that brings the line to the item where more of it is reserved."""
        row = self._stored.record.row(move.line)
        moved = row is not None and row.remaining > 0
        found = (
            one
            for one in self._moves
            if isinstance(one, m.Relocate) and one.line == move.line and one.target == move.item
        )
        return next(found, None) if moved else None

    def _split_before(self, move: m.Relocate) -> m.SplitRow | None:
        """The split of this unit that makes the row which is relocated; its hold would have no number yet."""
        if self._stored.record.row(move.line) is not None:
            return None
        splits = (one for one in self._moves if isinstance(one, m.SplitRow) and one.target == move.line)
        return next(splits, None)

    def _relocated(self, move: m.SplitRow) -> bool:
        """Whether the part that is split off goes to another item in the same unit."""
        return any(isinstance(one, m.Relocate) and self._split_before(one) == move for one in self._moves)

    def _splitting(self, identity: Identity, move: m.SplitRow) -> Part | Rejected:
        row = self._stored.record.row(move.line)
        if row is None or self._relocated(move):
            return Untouched(move)
        address = resolve(self._around.rules, self._around.workflows, item_of(row))
        if isinstance(address, Rejected):
            return address
        return Splitting(self._around, identity, self._stored.record, move, address)
