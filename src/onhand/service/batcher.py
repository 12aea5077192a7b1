"""Submissions become batches: lanes, gather, decide, commit, reply. The only module that decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onhand.core.commands import Work
from onhand.core.outcomes import GroupOutcome, Outcome, Rejected
from onhand.core.rules import Rules
from onhand.ports import Clock, Probe, Store
from onhand.service.environments import Environments
from onhand.service.faults import Fault

Build = Callable[[Rules], Work | Rejected]
"""Makes the work from the rules; pure, and called again when the configuration changes meanwhile."""


class Batcher:
    """Decides submissions in batches, one batch per lane at a time."""

    def __init__(  # noqa: PLR0913 - each is a named bound
        self,
        store: Store,
        environments: Environments,
        clock: Clock,
        *,
        probe: Probe,
        lanes: int = 2,
        batch_max: int = 256,
        lane_queue_max: int = 20_000,
        deadline_seconds: float = 5.0,
        conflict_retries: int = 5,
        settle_seconds: float = 10.0,
        drain_seconds: float = 10.0,
    ) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Start the lanes."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Refuse new submissions, answer those that are queued, end the lanes."""
        raise NotImplementedError

    @property
    def healthy(self) -> bool:
        """Whether every lane runs (readiness)."""
        raise NotImplementedError

    async def submit(self, environment: str | Rules, build: Build) -> Outcome | GroupOutcome:
        """Decide one command or group; returns after the durable commit.

        Raises:
            UnknownEnvironment: no environment has this id.
            Busy: the lane is full or the service stops; nothing was recorded.
            DeadlineExceeded, StoreUnavailable, Conflict: nothing was recorded; the same id may be sent again.
            OutcomeUnknown: sent, answer lost and not settled by reading again; send the same id again.
            InvariantViolation: the stored state contradicts itself; nothing was recorded.
        """
        raise NotImplementedError

    async def submit_all(self, rules: Rules, builds: Sequence[Build]) -> list[Outcome | Fault]:
        """Decide many commands; one answer each, in order. A fault concerns only its own item.

        Raises:
            Busy: some lane has no room for its items; nothing was queued and nothing was recorded.
        """
        raise NotImplementedError
