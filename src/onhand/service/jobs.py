"""Long jobs: one bounded, idempotent command per product, with progress in the catalogue.

A job is a row. The process that registers it runs it at once; if that process dies, the schedule finds the row
(`run_unfinished`) and runs it again from the start. That is harmless: the command of a product has an id made of the
job id and the product, so what was done is replayed and what was not is done. Two processes may even run the same
job. Products come in the order of their shard keys, which are spread evenly, so the key tells the progress.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import uuid4

import structlog

from onhand.core.commands import ClearReserved, ReleaseDue, SettleReserved, Wipe
from onhand.core.keys import ProductKey, product_key
from onhand.core.outcomes import Reason, Rejected
from onhand.core.rules import Rules
from onhand.ports import Catalogue, Clock, Probe, Reader
from onhand.rows import JobRow
from onhand.service.batcher import Batcher
from onhand.service.environments import Environments
from onhand.service.faults import Busy, Fault, UnknownEnvironment
from onhand.service.partitions import parse_partition_id

RESYNC: Final = "ReservationResyncJob"
"""Sets what is reserved to zero."""
RECALCULATION: Final = "ReservedRecalculationJob"
"""Makes what is reserved equal to the open holds."""

CALLER: Final = "onhand"
"""Whom the movements of the sweeper name."""

_SPAN: Final = 1 << 64

log = structlog.get_logger("onhand.jobs")

JobCommand = ClearReserved | SettleReserved | ReleaseDue | Wipe


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
        sweep_products_max: int = 10_000,
        patience: int = 6,
        pause_seconds: float = 0.1,
    ) -> None:
        """Bounds: `concurrency` commands wait at a time, `page` products are read at a time.

        A retryable fault is met with `patience` attempts; the pause between them doubles.
        """
        self._reader = reader
        self._catalogue = catalogue
        self._batcher = batcher
        self._environments = environments
        self._clock = clock
        self._probe = probe
        self._concurrency = concurrency
        self._page = page
        self._sweep_products_max = sweep_products_max
        self._patience = patience
        self._pause_seconds = pause_seconds
        self._running: dict[str, asyncio.Task[None]] = {}

    async def stop(self) -> None:
        """End the jobs that run in this process; the schedule resumes them after the next start."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Clean-up ----------------------------------------------------------------------------------------------

    async def start_resync(self, environment_id: str, sources: Sequence[str], by: str) -> str | Rejected:
        """Register the clean-up job of specification 2.9 and run it in the background; returns its job id.

        No source means all of them.
        """
        rules = await self._environments.current(environment_id)
        wanted = {source.strip().lower() for source in sources}
        unknown = wanted - rules.dimension_mappings.keys()
        if unknown:
            return Rejected(
                Reason.UNKNOWN_DATA_SOURCE,
                f"Not a configured data source: {', '.join(sorted(unknown))[:200]}. "
                f"Configured: {', '.join(sorted(rules.dimension_mappings))}.",
            )
        measures = sorted(m for m in rules.mapped if not wanted or rules.names[m][0] in wanted)
        return await self._start(rules, RESYNC, measures, by, {"sources": sorted(wanted)})

    async def start_recalculation(self, environment_id: str, measures: Sequence[int], by: str) -> str:
        """Register the job that recalculates what is reserved of all products and run it; returns its job id."""
        rules = await self._environments.current(environment_id)
        return await self._start(rules, RECALCULATION, measures, by, {})

    async def _start(
        self, rules: Rules, kind: str, measures: Sequence[int], by: str, further: dict[str, object]
    ) -> str:
        job_id = f"{kind}:{uuid4()}"
        await self._catalogue.create_job(
            JobRow(
                job_id=job_id,
                environment=rules.environment,
                kind=kind,
                parameters={**further, "measures": list(measures), "by": by},
                status="Queued",
                progress=0,
                message="",
            ),
            by,
        )
        self._spawn(job_id)
        return job_id

    def _spawn(self, job_id: str) -> None:
        task = asyncio.create_task(self._run_quietly(job_id), name=job_id)
        self._running[job_id] = task
        task.add_done_callback(lambda _: self._running.pop(job_id, None))

    async def _run_quietly(self, job_id: str) -> None:
        try:
            await self.run(job_id)
        except Exception:
            log.exception(
                "job_interrupted", job_id=job_id
            )  # its row stays unfinished: the schedule resumes it

    async def run(self, job_id: str) -> None:
        """Run a job to its end, or resume it.

        Raises:
            Fault: the store stayed away; the job stays unfinished and is resumed by the schedule.
        """
        job = await self._catalogue.job(job_id)
        if job is None or job.status in ("Succeeded", "Failed"):
            return
        if job.kind not in (RESYNC, RECALCULATION):
            await self._catalogue.update_job(
                job_id, "Failed", job.progress, f"This version knows no {job.kind}."
            )
            return
        begun = time.monotonic()
        try:
            message = await self._each_product(job)
        except (Fault, asyncio.CancelledError) as error:
            if not isinstance(error, UnknownEnvironment):
                self._probe.job(job.kind, "Interrupted", time.monotonic() - begun)
                raise
            status, message = "Failed", str(error)
        except Exception as error:
            log.exception("job_failed", job_id=job_id)
            status, message = "Failed", f"{type(error).__name__}: {error}"
        else:
            status = "Succeeded"
        await self._catalogue.update_job(
            job_id, status, 100 if status == "Succeeded" else job.progress, message
        )
        self._probe.job(job.kind, status, time.monotonic() - begun)

    async def _each_product(self, job: JobRow) -> str:
        measures = frozenset(int(measure) for measure in job.parameters["measures"])
        caller = str(job.parameters.get("by", CALLER))
        command = SettleReserved if job.kind == RECALCULATION else ClearReserved
        done = 0
        after: ProductKey | None = None
        await self._catalogue.update_job(job.job_id, "Running", job.progress, "")
        while products := await self._reader.products(job.environment, after, self._page):
            if measures:
                faults = await self._submit(
                    [
                        command(
                            id=f"{job.job_id}:{product.organization}:{product.product}",
                            caller=caller,
                            product=product,
                            measures=measures,
                            reason=job.job_id,
                        )
                        for product in products
                    ]
                )
                _raise_first(faults)
            after = products[-1]
            done += len(products)
            progress = min(99, (after.k + _SPAN // 2) * 100 // _SPAN)
            await self._catalogue.update_job(job.job_id, "Running", progress, f"{done} products")
        return f"{done} products"

    async def run_unfinished(self) -> int:
        """Run what a crash or a stop left behind; returns how many were run. The schedule calls it."""
        rows = [row for row in await self._catalogue.unfinished_jobs() if row.job_id not in self._running]
        for row in rows:
            self._spawn(row.job_id)
            await asyncio.wait([self._running[row.job_id]])
        return len(rows)

    async def progress(self, job_id: str) -> JobRow | None:
        """State of a job."""
        return await self._catalogue.job(job_id)

    # Wipe --------------------------------------------------------------------------------------------------

    async def wipe(self, environment_id: str, partition_ids: Sequence[str], by: str) -> int | Rejected:
        """Empty partitions and forget the command ids of their movements; returns how many products were wiped.

        All ids are checked first: a bad one refuses the call and nothing changes.

        Raises:
            Fault: some products may be wiped already; the same call may be sent again.
        """
        rules = await self._environments.current(environment_id)
        keys = {text: parse_partition_id(rules, text) for text in partition_ids}
        bad = [text for text, key in keys.items() if key is None]
        if bad:
            form = "organization/site/location" if rules.by_location else "organization/product"
            return Rejected(
                Reason.INVALID_VALUE,
                f"Not a partition id of this environment: {bad[0][:200]!r}. The form is {form}, percent-encoded.",
            )
        attempt = uuid4()
        wiped = 0
        for key in filter(None, keys.values()):
            if key.product is None:
                products = await self._reader.products_at(rules.environment, key.organization, key.place)
            else:
                products = [product_key(rules.environment, key.organization, key.product)]
            faults = await self._submit(
                [
                    Wipe(
                        id=f"wipe:{attempt}:{product.organization}:{product.product}:{key.place}",
                        caller=by,
                        product=product,
                        place=key.place,
                        reason="partition deleted",
                    )
                    for product in products
                ]
            )
            _raise_first(faults)
            wiped += len(products)
        return wiped

    # Sweeper -----------------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Release expired holds product by product; returns how many products were swept. The schedule calls it.

        Expired holds do not count anyway; the sweep makes that visible in the ledger.
        """
        swept = 0
        while swept < self._sweep_products_max:
            due = await self._reader.due_products(self._clock.now_us(), self._page)
            attempt = uuid4()
            faults = await self._submit(
                [
                    ReleaseDue(
                        id=f"sweep:{attempt}:{product.organization}:{product.product}",
                        caller=CALLER,
                        product=product,
                    )
                    for product in due
                ]
            )
            swept += len(due) - len(faults)
            if faults:
                log.warning("sweep_incomplete", products=len(faults), fault=str(faults[0]))
            if faults or len(due) < self._page:
                break
        return swept

    # Submitting --------------------------------------------------------------------------------------------

    async def _submit(self, commands: Sequence[JobCommand]) -> list[Fault]:
        """Submit commands, so many at a time; returns the faults that patience did not help against."""
        faults: list[Fault] = []
        for start in range(0, len(commands), self._concurrency):
            chunk = commands[start : start + self._concurrency]
            for environment in {command.product.environment for command in chunk}:
                rules = await self._environments.numbered(environment)
                mine = [command for command in chunk if command.product.environment == environment]
                faults += await self._submit_patiently(rules, mine)
        return faults

    async def _submit_patiently(self, rules: Rules, commands: list[JobCommand]) -> list[Fault]:
        lasting: list[Fault] = []
        faults: list[Fault] = []
        for attempt in range(self._patience):
            if attempt:
                await asyncio.sleep(self._pause_seconds * 2**attempt)
            faults, again = [], []
            try:
                answers = await self._batcher.submit_all(rules, [_as_it_is(command) for command in commands])
            except Busy as busy:
                faults, again = [busy] * len(commands), commands
            else:
                for command, answer in zip(commands, answers, strict=True):
                    if isinstance(answer, Rejected):
                        log.warning("job_command_refused", command=command.id, message=answer.message)
                    elif isinstance(answer, Fault) and answer.retryable:
                        faults.append(answer)
                        again.append(command)
                    elif isinstance(answer, Fault):
                        lasting.append(answer)
            commands = again
            if not commands:
                break
        return lasting + faults


def _as_it_is(command: JobCommand) -> Callable[[Rules], JobCommand]:
    """A build for a command that does not depend on the rules."""
    return lambda _: command


def _raise_first(faults: list[Fault]) -> None:
    if faults:
        raise faults[0]
