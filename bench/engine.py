"""The engine without HTTP: `python -m bench.engine SPECIFICATION`, a process of its own that prints one JSON result.

Batcher, decision and store are those of the service; only the edge is left out. Each of several callers keeps
one list of commands in flight.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import time

import msgspec
import uvloop

from bench.fill import CELL, DIMENSIONS, PLACE
from bench.processes import say
from bench.workload import ORGANIZATION, Keys, product
from onhand.core.commands import Reserve
from onhand.core.keys import Position, product_key
from onhand.core.outcomes import Accepted
from onhand.core.quantities import SCALE
from onhand.core.rules import Rules
from onhand.runtime import opened
from onhand.runtime.serving import GC_THRESHOLDS
from onhand.settings import Settings


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """What to submit."""

    url: str
    environment: str
    run: str
    keys: Keys
    seconds: float = 8.0
    warm_up: float = 1.0
    callers: int = 8
    commands: int = 512
    """Per call."""
    seed: int = 1


class Driven(msgspec.Struct):
    """What came of it."""

    items_per_s: float
    accepted: int
    """Everything, also what was accepted while warming up."""
    refused: int
    cpu_us_per_item: float


async def main(drive: Drive) -> Driven:
    """Submit until the time is over."""
    settings = Settings(database_url=drive.url, log_level="warning")  # type: ignore[arg-type]
    async with opened(settings, say) as house:
        batcher = house.batcher
        await batcher.start()
        rules: Rules = await house.environments.find(drive.environment)
        measure = rules.measures["iv", "softreserved"]
        position = Position(CELL, PLACE, CELL, DIMENSIONS, DIMENSIONS)
        keys = drive.keys.draw(drive.seed)
        totals = {"measured": 0, "accepted": 0, "refused": 0, "sent": 0}
        begun = time.perf_counter()
        measure_from = begun + drive.warm_up
        until = measure_from + drive.seconds

        def command(number: int) -> Reserve:
            return Reserve(
                id=f"{drive.run}{number:020d}",
                fingerprint=number,
                caller="bench",
                product=product_key(rules.environment, ORGANIZATION, product(next(keys))),
                position=position,
                measure=measure,
                quantity=SCALE,
            )

        async def call() -> None:
            while time.perf_counter() < until:
                first = totals["sent"]
                totals["sent"] += drive.commands
                commands = [command(number) for number in range(first, first + drive.commands)]
                outcomes = await batcher.submit_all(rules, [lambda _, made=made: made for made in commands])
                accepted = sum(isinstance(outcome, Accepted) for outcome in outcomes)
                totals["accepted"] += accepted
                totals["refused"] += len(outcomes) - accepted
                if measure_from <= time.perf_counter() <= until:
                    totals["measured"] += len(outcomes)

        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        cpu = _cpu_s()
        await asyncio.gather(*(call() for _ in range(drive.callers)))
        cpu = _cpu_s() - cpu
        await batcher.stop()
    return Driven(
        totals["measured"] / drive.seconds,
        totals["accepted"],
        totals["refused"],
        cpu * 1e6 / max(1, totals["sent"]),
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    print(msgspec.json.encode(uvloop.run(main(msgspec.json.decode(sys.argv[1], type=Drive)))).decode())
