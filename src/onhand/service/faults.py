"""Faults: what went wrong outside the rules. A refusal is never one of these."""

from __future__ import annotations

from collections.abc import Sequence

from onhand.core.keys import ProductKey


class Fault(Exception):  # noqa: N818 - the field's word; refusals are values, these are faults
    """Base of all faults; `retryable` says whether the same call may be sent again with the same id."""

    retryable = True


class Busy(Fault):
    """A lane is full; nothing was recorded."""


class DeadlineExceeded(Fault):
    """The deadline passed before the commit was sent; nothing was recorded."""


class StoreUnavailable(Fault):
    """The database cannot be reached; nothing was recorded."""


class OutcomeUnknown(Fault):
    """The commit was sent and its answer lost; retry with the same id."""


class Conflict(Fault):
    """A serialization fault, deadlock or concurrent duplicate id; the batcher gathers and decides again."""


class Stale(Conflict):
    """What was decided on has changed since it was read; nothing was recorded. Never leaves the batcher."""

    def __init__(self, text: str, products: Sequence[ProductKey] = ()) -> None:
        super().__init__(text)
        self.products = products
        """Those that have changed, as far as that is known."""


class UnknownEnvironment(Fault):
    """No environment has this id."""

    retryable = False


class InvariantViolation(Fault):
    """The stored state contradicts itself; the batch was not committed."""

    retryable = False
