"""Long jobs: one bounded, idempotent command per product, with progress in the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from onhand.core.outcomes import Rejected
from onhand.ports import Catalogue, Clock, JobRow, Probe, Reader
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments


class Jobs:
    """Starts, runs and resumes jobs."""

    def __init__(  # noqa: PLR0913 - its collaborators and bounds
        self,
        reader: Reader,
        catalogue: Catalogue,
        batcher: Batcher,
        environments: Environments,
        clock: Clock,
        *,
        probe: Probe,
        concurrency: int = 64,
        page: int = 500,
    ) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        """End the jobs that run in this process; they are resumed by the next `run_unfinished`."""
        raise NotImplementedError

    async def start_resync(self, environment_id: str, sources: Sequence[str], by: str) -> str | Rejected:
        """Register the clean-up job of specification 2.9 and run it in the background; returns its job id."""
        raise NotImplementedError

    async def wipe(self, environment_id: str, partition_ids: Sequence[str], by: str) -> int | Rejected:
        """Empty partitions and forget the command ids of their movements; returns how many products were wiped."""
        raise NotImplementedError

    async def run(self, job_id: str) -> None:
        """Run a job to its end, or resume it. Running it twice at once is harmless."""
        raise NotImplementedError

    async def run_unfinished(self) -> int:
        """Run what a crash or a stop left behind; returns how many jobs were run. The schedule calls it."""
        raise NotImplementedError

    async def sweep(self) -> int:
        """Release expired holds, product by product; returns how many products were swept. The schedule calls it."""
        raise NotImplementedError

    async def progress(self, job_id: str) -> JobRow | None:
        """State of a job."""
        raise NotImplementedError
