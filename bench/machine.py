"""Facts of the machine that a result is worth nothing without."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path

WRITES = 400
WAL_PAGE = bytes(8192)


def facts(folder: Path) -> dict[str, object]:
    """Processor, cores, memory, kernel, Python, file system and the time of an fdatasync in `folder`."""
    return {
        "cpu": _line("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": _line("/proc/meminfo", "MemTotal"),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "python_million_additions_ms": additions_ms(),
        "file_system": _file_system(folder),
        "load_average_at_start": round(os.getloadavg()[0], 2),
    }


def additions_ms() -> float:
    """Milliseconds of a million additions: builds of one version of Python differ by a factor of two."""
    times = []
    for _ in range(5):
        begun, total = time.perf_counter(), 0
        for number in range(1_000_000):
            total += number
        times.append((time.perf_counter() - begun) * 1e3)
    return round(min(times), 1)


def fdatasync_us(folder: Path) -> dict[str, float]:
    """Median and p90 of writing one WAL page and flushing it, in microseconds, as PostgreSQL does it.

    An own loop: pg_test_fsync reports only a mean, and not every packaging carries it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "fdatasync.probe"
    flush = getattr(os, "fdatasync", os.fsync)
    times = []
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, WAL_PAGE * 1024)
        os.fsync(descriptor)
        for number in range(WRITES):
            os.lseek(descriptor, (number % 1024) * len(WAL_PAGE), os.SEEK_SET)
            begun = time.perf_counter()
            os.write(descriptor, WAL_PAGE)
            flush(descriptor)
            times.append((time.perf_counter() - begun) * 1e6)
    finally:
        os.close(descriptor)
        path.unlink()
    return {
        "median": round(statistics.median(times), 1),
        "p90": round(statistics.quantiles(times, n=10)[-1], 1),
    }


def resident_mb(pid: int) -> float:
    """Memory that a process holds, in MB; 0 when it is gone or the system does not say."""
    line = _line(f"/proc/{pid}/status", "VmRSS")
    return int(line.split()[0]) / 1024 if line else 0.0


def _line(path: str, name: str) -> str:
    try:
        for line in Path(path).read_text().splitlines():
            if line.startswith(name):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""


def _file_system(folder: Path) -> str:
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, point, name, *_ = line.split()
        if str(folder.resolve()).startswith(point) and len(point) > len(best):
            best, kind = point, name
    return kind
