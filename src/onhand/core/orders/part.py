"""A move, as the commands that it needs and what is concluded from their outcomes."""

from __future__ import annotations

from collections.abc import Sequence

from onhand.core.commands import DocumentKey, GroupMember
from onhand.core.keys import ProductKey
from onhand.core.orders.moves import Applied, Move
from onhand.core.orders.working import Working
from onhand.core.outcomes import Outcome, Rejected


class Part:
    """One move of a unit. Made from the record as it was read, which the group finds unchanged or is refused."""

    commands: tuple[GroupMember, ...] = ()
    documents: tuple[DocumentKey, ...] = ()
    """Beside the order's: what it reads and may write."""
    places: tuple[tuple[ProductKey, str], ...] = ()

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:
        """What really happened; a rejection refuses the unit. Pure but for `work`."""
        raise NotImplementedError


class Untouched(Part):
    """A move that finds nothing to move."""

    def __init__(self, move: Move) -> None:
        self.move = move

    def conclude(self, work: Working, outcomes: Sequence[Outcome]) -> Applied | Rejected:  # noqa: ARG002 - nothing to do
        """Nothing happened."""
        return Applied(move=self.move, already=True)
