"""The one place that says yes or no to stock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onhand.core.commands import Work
from onhand.core.rules import Rules
from onhand.core.snapshot import Decision, Reads, Snapshot


def reads(works: Sequence[Work]) -> Reads:
    """What must be locked and read so that `decide` can answer these works, whatever is accepted."""
    raise NotImplementedError


def decide(works: Sequence[Work], snapshot: Snapshot, rules: Mapping[int, Rules], now: int) -> Decision:
    """Decide the works in order; `now` is in microseconds since 1970, `rules` by environment. Pure and total."""
    raise NotImplementedError
