"""`python -m bench`: compare onhand with honest rivals on this machine, now.

Takes about ten minutes; `--quick` about two. Nothing is pinned and nothing is left behind but the report.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.cluster import Cluster, free_port
from bench.goals import TARGETS
from bench.load import Load
from bench.phases import PHASES
from bench.processes import Server, say
from bench.report import Report, missed, save, table
from bench.session import FULL, QUICK, Session, generate
from bench.workload import Keys

ROOT = Path(__file__).resolve().parent.parent
OPTIONAL = ("P8", "P9", "P11", "P12", "ship")
"""Measured only when named or with `--all`: they take longer than all others together."""


def arguments(given: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="short runs, small tables: a smoke test, not a result"
    )
    parser.add_argument(
        "--only", default="", metavar="P1,P4", help=f"goals to measure; of {', '.join(TARGETS)}"
    )
    parser.add_argument("--all", action="store_true", help=f"also {', '.join(OPTIONAL)}")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement")
    parser.add_argument("--seconds", type=float, help="measured seconds of each load")
    parser.add_argument(
        "--data",
        type=Path,
        help="folder for the databases, on the disk to be measured; default: a temporary one",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of the report; default docs/benchmarks, nothing with --quick or --only",
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 when a first gate is not met")
    chosen = parser.parse_args(given)
    known = {name.lower(): name for name in TARGETS}
    names = [name.strip().lower() for name in chosen.only.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"unknown goal {', '.join(unknown).upper()}: choose of {', '.join(TARGETS)}")
    every = list(TARGETS) if chosen.all else [name for name in TARGETS if name not in OPTIONAL]
    chosen.goals = [known[name] for name in names] or every
    return chosen


async def main(given: list[str]) -> int:
    """Measure, print, save; 0 when all books agree."""
    chosen = arguments(given)
    scale = QUICK if chosen.quick else FULL
    changes = {"rounds": chosen.rounds, "seconds": chosen.seconds}
    scale = type(scale)(
        **(
            {name: getattr(scale, name) for name in scale.__struct_fields__}
            | {k: v for k, v in changes.items() if v}
        )
    )
    report = Report(
        started=datetime.now(UTC).isoformat(timespec="seconds"), arguments=" ".join(given), commit=_commit()
    )
    with tempfile.TemporaryDirectory(prefix="onhand-bench-", dir=chosen.data) as name:
        folder = Path(name)
        folder.chmod(0o755)
        report.machine = machine.facts(folder)
        report.fdatasync_us = machine.fdatasync_us(folder)
        cluster = Cluster(folder / "postgresql")
        session = Session(scale, cluster, folder, report)
        try:
            await _ceiling(session)
            cluster.start()
            await cluster.prepare_log()
            report.postgresql = await cluster.facts()
            for serves, phase in PHASES:
                if wanted := serves & set(chosen.goals):
                    await phase(session, wanted)
        finally:
            session.stop_all()
            cluster.stop()
    print(table(report, chosen.goals))
    for note in report.notes:
        print(f"note: {note}")
    out = chosen.out or (None if chosen.quick or chosen.only else ROOT / "docs" / "benchmarks")
    if out:
        say(f"written: {save(report, chosen.goals, out)}")
    if not report.books_agree:
        print("The books of a system do not agree with the answers it gave: see above.")
        return 1
    return 1 if chosen.strict and missed(report, chosen.goals) else 0


async def _ceiling(session: Session) -> None:
    """What the load generator can do against a server that does nothing."""
    port = free_port()
    server = Server(
        "constant", [sys.executable, "-m", "bench.constant", str(port)], port, session.folder / "constant.log"
    )
    server.start()
    try:
        load = Load(port=port, path="/", run="ceiling", keys=Keys("zipf", session.scale.skus), seconds=2.0)
        result = await generate(load)
    finally:
        server.stop()
    session.report.ceiling = {
        "requests_per_s": result.items_per_s,
        "cpu_us_per_request": result.cpu_us_per_request,
    }
    session.note("generator", "ceiling", result.items_per_s, cpu_us_per_request=result.cpu_us_per_request)


def _commit() -> str:
    try:
        made = subprocess.run(
            ["git", "-C", ROOT, "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return made.stdout.strip()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped and removed
    sys.exit(asyncio.run(main(sys.argv[1:])))
