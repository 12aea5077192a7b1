"""One run of the benchmark: what it is given, what it has started, what it has measured so far."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from bench.cluster import Cluster
from bench.load import Load, Result
from bench.machine import resident_mb
from bench.processes import clean_environment, say
from bench.report import Report
from bench.systems import NotMeasured, System
from bench.workload import Keys


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much."""

    rounds: int = 3
    """Each round measures every system once, one after the other."""
    seconds: float = 8.0
    """Measured seconds of one load."""
    warm_up: float = 2.0
    skus: int = 100_000
    connections: int = 256
    records: int = 1_000_000
    """Stock records of the memory run."""
    scarce_skus: int = 100
    scarce_pieces: int = 200
    """P10: pieces of each; ten times as many are asked for."""
    kills: int = 3
    imports: int = 1_000_000
    erp_lines: int = 100_000
    orders: int = 2_000
    """Orders that are made and shipped."""
    growth_records: int = 10_000_000
    growth_movements: int = 100_000_000


FULL = Scale()
QUICK = Scale(
    rounds=1,
    seconds=3.0,
    warm_up=1.0,
    skus=20_000,
    records=200_000,
    scarce_skus=50,
    scarce_pieces=100,
    imports=50_000,
    erp_lines=10_000,
    orders=300,
    growth_records=100_000,
    growth_movements=1_000_000,
)


class Session:
    """Shared by all phases."""

    def __init__(self, scale: Scale, cluster: Cluster, folder: Path, report: Report) -> None:
        self.scale = scale
        self.cluster = cluster
        self.folder = folder
        self.report = report
        self._runs = 0
        self._systems: list[System] = []

    async def start(self, system: System, skus: int | None = None) -> bool:
        """Start a system; False, with a note in the report, when it cannot run here."""
        say(f"starting {system.name}")
        self._systems.append(system)
        try:
            await system.start(skus or self.scale.skus)
        except NotMeasured as reason:
            self.report.notes.append(f"{system.title}: not measured, {reason}")
            return False
        self.report.durability[system.name] = system.durability
        return True

    def run_name(self) -> str:
        """Start of command ids: short, ascending, never the same twice."""
        self._runs += 1
        return f"r{self._runs:03d}"

    async def measure(self, system: System, figure: str, keys: Keys, **more: Any) -> Result:  # noqa: ANN401 - fields of Load
        """Run one load against a system and note what it gave."""
        options = {
            "seconds": self.scale.seconds,
            "warm_up": self.scale.warm_up,
            "connections": self.scale.connections,
        }
        run = self.run_name()
        load = system.load(run=run, keys=keys, seed=self._runs, **(options | more))
        result = await generate(load)
        system.accepted += result.accepted
        self.note(
            system.name,
            figure,
            result.items_per_s,
            load=msgspec.to_builtins(load) | {"headers": {}},
            result=msgspec.to_builtins(result),
        )
        unexpected = {status: count for status, count in result.statuses.items() if status != 200}
        if unexpected or result.refused or result.unanswered:
            self.report.notes.append(
                f"{system.name}, {figure}: answers {result.statuses}, {result.refused} refused,"
                f" {result.unanswered} unanswered"
            )
        return result

    def note(self, system: str, figure: str, value: float, **more: Any) -> None:  # noqa: ANN401 - JSON
        """Keep a single measurement."""
        self.report.runs.append({"system": system, "figure": figure, "value": round(value, 3)} | more)
        latency = more.get("result", {}).get("latency_us", {})
        quantiles = (
            f"  p50 {latency['p50'] / 1000:.1f} ms, p99 {latency['p99'] / 1000:.1f} ms" if latency else ""
        )
        say(f"  {figure:<14} {system:<20} {value:>12,.1f}{quantiles}")

    def values(self, system: str, figure: str) -> list[float]:
        """All single measurements of a figure."""
        return [
            run["value"] for run in self.report.runs if (run["system"], run["figure"]) == (system, figure)
        ]

    async def audit(self, system: System) -> None:
        """Compare a system's books with what the clients saw."""
        found = (await system.books()).facts()
        self.report.books[system.name] = found
        say(f"  books of {system.name}: {found}")

    def end(self, system: System) -> None:
        """Stop a system for good."""
        system.stop()
        self._systems.remove(system)

    def stop_all(self) -> None:
        """Stop whatever still runs."""
        for system in self._systems:
            system.stop()


async def generate(load: Load) -> Result:
    """Run the load generator in a process of its own."""
    return await process("bench.load", load, Result)


async def process(module: str, specification: msgspec.Struct, answer: type[Any]) -> Any:  # noqa: ANN401 - typed by `answer`
    """Run `python -m module SPECIFICATION` and read the JSON that it prints last."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, msgspec.json.encode(specification),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=clean_environment(),
    )  # fmt: skip
    try:
        out, errors = await child.communicate()
    except asyncio.CancelledError:
        child.kill()
        raise
    if child.returncode:
        raise RuntimeError(f"{module} failed:\n{errors.decode(errors='replace')[-3000:]}")
    return msgspec.json.decode(out.strip().splitlines()[-1], type=answer)


async def highest_memory(pid: int, during: asyncio.Task[Any]) -> float:
    """Most memory, in MB, that a process held until a task was done; looked at twice a second."""
    highest = 0.0
    while not during.done():
        highest = max(highest, resident_mb(pid))
        await asyncio.wait([during], timeout=0.5)
    return max(highest, resident_mb(pid))
