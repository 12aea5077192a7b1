"""The goals, as ratios within one run, and how a measured figure is judged."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import msgspec


class Verdict(enum.StrEnum):
    """How a figure stands. A rival that cannot run here makes a goal not measured, never met."""

    GOAL = "goal met"
    GATE = "gate met"
    MISSED = "not met"
    SHOWN = "below goal, no gate"
    NO_GOAL = "measured, no goal"
    NOT_MEASURED = "not measured"


class Target(msgspec.Struct, frozen=True):
    """One number that is compared: at least, or at most when `ceiling` is set."""

    figure: str
    """Name of the measured figure."""
    words: str
    goal: float | None
    """None: shown beside the others, compared with nothing."""
    gate: float | None
    """None: what is reached before the goal is shown and not judged."""
    ceiling: bool = False
    unit: str = "x"

    def verdict(self, measured: float | None) -> Verdict:
        """How a measured figure stands."""
        if measured is None:
            return Verdict.NOT_MEASURED
        if self.goal is None:
            return Verdict.NO_GOAL
        if self._holds(measured, self.goal):
            return Verdict.GOAL
        if self.gate is None:
            return Verdict.SHOWN
        return Verdict.GATE if self._holds(measured, self.gate) else Verdict.MISSED

    def _holds(self, measured: float, bound: float) -> bool:
        return measured <= bound if self.ceiling else measured >= bound

    def bound(self, value: float | None) -> str:
        """A goal or gate in words."""
        if value is None:
            return "-"
        return f"{'<=' if self.ceiling else '>='} {value:g} {self.unit}"


TARGETS: Mapping[str, Sequence[Target]] = {
    "P1": (
        Target("zipf_vs_function", "single reserve, zipf, vs raw ASGI + one function call", 7, 3),
        Target("zipf_vs_fastapi", "single reserve, zipf, vs FastAPI + a transaction", 25, 10),
    ),
    "P2": (
        Target("hot_vs_function", "single reserve, one hot SKU, vs raw ASGI + one function call", 30, 10),
        Target("hot_vs_fastapi", "single reserve, one hot SKU, vs FastAPI + a transaction", 60, 25),
    ),
    "P3": (Target("zipf_vs_redis", "single reserve, zipf, vs FastAPI + Redis Lua, AOF always", 8, 4),),
    "P4": (
        Target("zipf_vs_floor", "single reserve, zipf, vs the same server answering a constant", 0.70, 0.45),
    ),
    "P5": (Target("bulk_vs_engine", "bulk of 512 vs the engine in-process", 0.85, 0.6),),
    "P6": (Target("engine_vs_copy", "engine in-process vs COPY of as many ledger rows", 0.5, 0.25),),
    "P7": (
        Target(
            "latency_in_flushes", "median latency at 1 connection, in fdatasync times", 4, 8, ceiling=True
        ),
        Target("p99_ms", "p99 at 70 % of peak, open loop", 25, 50, ceiling=True, unit="ms"),
    ),
    "P8": (Target("growth", "throughput at many records vs at 100,000", 0.8, 0.6),),
    "P9": (
        Target(
            "query_one_p99_ms",
            "on-hand query, one product at one location, p99",
            5,
            None,
            ceiling=True,
            unit="ms",
        ),
        Target(
            "query_index_p99_ms",
            "index query, 100 products by colour, p99",
            30,
            None,
            ceiling=True,
            unit="ms",
        ),
    ),
    "P10": (
        Target(
            "oversold",
            "pieces oversold, lost or doubled: 10x overload, kill -9, replay",
            0,
            0,
            ceiling=True,
            unit="",
        ),
    ),
    "P11": (
        Target(
            "import_s", "import of 1 million on-hand records by bulk posts", 60, None, ceiling=True, unit="s"
        ),
    ),
    "P12": (
        Target(
            "erp_sync_s",
            "100,000 order lines of an ERP through one synchronisation",
            60,
            None,
            ceiling=True,
            unit="s",
        ),
        Target("erp_mb", "server's memory meanwhile", 400, None, ceiling=True, unit="MB"),
        Target("erp_wrong", "lines not offset exactly once", 0, 0, ceiling=True, unit=""),
    ),
    "ship": (
        Target("ship_rate", "orders of 5 lines through the status Ship", None, None, unit="orders/s"),
        Target("ship_p50_ms", "p50 of a status update, 32 at a time", None, None, ceiling=True, unit="ms"),
        Target("ship_p99_ms", "p99 of a status update, 32 at a time", None, None, ceiling=True, unit="ms"),
        Target(
            "ship_wrong", "reductions, reservations or pieces that are wrong", 0, 0, ceiling=True, unit=""
        ),
    ),
    "memory": (
        Target(
            "server_mb",
            "server's memory with 1 million stock records, under load",
            300,
            300,
            ceiling=True,
            unit="MB",
        ),
    ),
}
