"""The measurements. Each phase starts what it needs, measures in rounds with the systems in turn, and audits."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Sequence

from bench import ledger_copy
from bench.cluster import binaries
from bench.engine import Drive, Driven
from bench.erp_lines import erp_lines
from bench.floor import Floor
from bench.machine import fdatasync_us, resident_mb
from bench.onhand_system import ENVIRONMENT, Onhand
from bench.processes import say
from bench.session import Session, generate, highest_memory, process
from bench.shipping import shipping
from bench.systems import FastApiRedis, FastApiTransaction, PgBench, RawFunction, System
from bench.workload import Keys, product, query

BULK = 512
BULK_CONNECTIONS = 8
QUERY_CONNECTIONS = 4
PEAK_SHARE = 0.7
OVERLOAD = 10
"""P10: how many times the stock is asked for."""


def middle(values: Sequence[float]) -> float | None:
    """Median, or None when nothing was measured."""
    return statistics.median(values) if values else None


class Figures:
    """Medians of single measurements and the ratios between them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def median(self, system: str, figure: str) -> float | None:
        """Median of a figure; also kept in the report."""
        value = middle(self._session.values(system, figure))
        if value is not None:
            self._session.report.medians[f"{figure}, {system}"] = round(value, 1)
        return value

    def ratio(self, name: str, above: tuple[str, str], below: tuple[str, str]) -> None:
        """Keep a ratio of two medians under the name of a target."""
        over, under = self.median(*above), self.median(*below)
        self._session.report.figures[name] = round(over / under, 3) if over and under else None


async def single(session: Session, goals: set[str]) -> None:
    """P1-P4: single reservations over HTTP, closed loop, all systems in turn. P7 follows on the same server."""
    onhand = Onhand(session.cluster, session.folder)
    wanted: list[tuple[System, set[str]]] = [
        (onhand, {"P1", "P2", "P3", "P4", "P7"}),
        (RawFunction(session.cluster, session.folder), {"P1", "P2"}),
        (FastApiTransaction(session.cluster, session.folder), {"P1", "P2"}),
        (FastApiRedis(session.folder), {"P3"}),
        (Floor(onhand, session.folder), {"P4"}),
    ]
    systems = [system for system, serves in wanted if serves & goals and await session.start(system)]
    if "P1" in goals:
        systems.append(PgBench(session.cluster, session.folder))
        await session.start(systems[-1])
    shares = {"zipf": goals & {"P1", "P3", "P4", "P7"}, "hot": goals & {"P2"}}
    for number in range(session.scale.rounds):
        say(f"round {number + 1} of {session.scale.rounds}")
        for distribution in (name for name, share in shares.items() if share):
            for system in systems:
                await _measure_single(session, system, Keys(distribution, session.scale.skus))
    session.note("onhand", "resident_mb", resident_mb(onhand.server.pid if onhand.server else 0))
    _single_figures(session, goals)
    if "P7" in goals:
        await latency(session, onhand)
    for system in systems:
        if not isinstance(system, Floor):
            await session.audit(system)
        session.end(system)


async def _measure_single(session: Session, system: System, keys: Keys) -> None:
    """One load on one system; the floor is the same for every distribution."""
    if isinstance(system, PgBench):
        rate = await asyncio.to_thread(
            system.measure, binaries(), keys.distribution, keys.skus, session.scale.seconds
        )
        session.note(system.name, keys.distribution, rate)
    elif not (isinstance(system, Floor) and keys.distribution == "hot"):
        await session.measure(system, keys.distribution, keys)


def _single_figures(session: Session, goals: set[str]) -> None:
    figures = Figures(session)
    for figure in ("zipf", "hot"):
        for system in ("onhand", "raw_function", "fastapi_transaction", "fastapi_redis", "pgbench", "floor"):
            figures.median(system, figure)
    rivals = {
        "P1": (
            ("zipf_vs_function", "zipf", "raw_function"),
            ("zipf_vs_fastapi", "zipf", "fastapi_transaction"),
        ),
        "P2": (("hot_vs_function", "hot", "raw_function"), ("hot_vs_fastapi", "hot", "fastapi_transaction")),
        "P3": (("zipf_vs_redis", "zipf", "fastapi_redis"),),
        "P4": (("zipf_vs_floor", "zipf", "floor"),),
    }
    for goal, pairs in rivals.items():
        for name, figure, rival in pairs if goal in goals else ():
            figures.ratio(name, ("onhand", figure), (rival, figure))


async def latency(session: Session, onhand: Onhand) -> None:
    """P7: one connection against the time of a flush, then the open loop at 70 % of the peak."""
    keys = Keys("zipf", session.scale.skus)
    flush = fdatasync_us(session.folder)
    alone = await session.measure(onhand, "1 connection", keys, connections=1)
    flush_after = fdatasync_us(session.folder)
    time_of_one = statistics.mean((flush["median"], flush_after["median"]))
    session.report.figures["latency_in_flushes"] = round(alone.latency_us["p50"] / time_of_one, 2)
    session.report.medians["1 connection, p50 us"] = alone.latency_us["p50"]
    session.report.medians["fdatasync beside it, us"] = round(time_of_one, 1)
    peak = Figures(session).median("onhand", "zipf") or 0.0
    steady = await session.measure(onhand, "70 % of peak", keys, rate=PEAK_SHARE * peak)
    session.report.figures["p99_ms"] = round(steady.latency_us["p99"] / 1000, 2)
    for name in ("p50", "p99", "p99.9"):
        session.report.medians[f"70 % of peak, {name} us"] = steady.latency_us[name]


async def engine(session: Session, goals: set[str]) -> None:
    """P5 and P6: bulk over HTTP, the engine in-process, COPY of the ledger, in turn on one database."""
    scale = session.scale
    onhand = Onhand(session.cluster, session.folder, "onhand_bulk")
    await session.start(onhand)
    keys = Keys("zipf", scale.skus)
    for number in range(scale.rounds):
        say(f"round {number + 1} of {scale.rounds}")
        if "P5" in goals:
            await session.measure(
                onhand, "bulk", keys, path=f"{onhand.path}/bulk", bulk=BULK, connections=BULK_CONNECTIONS
            )
        drive = Drive(
            url=onhand.url,
            environment=ENVIRONMENT,
            run=session.run_name(),
            keys=keys,
            seconds=scale.seconds,
            warm_up=scale.warm_up,
            seed=number,
        )
        driven: Driven = await process("bench.engine", drive, Driven)
        onhand.accepted += driven.accepted
        session.note("engine", "engine", driven.items_per_s, cpu_us_per_item=round(driven.cpu_us_per_item, 2))
        if "P6" in goals:
            for name, rate in (
                await ledger_copy.measure(onhand.url, drive.run, keys, scale.seconds / 2)
            ).items():
                session.note("copy", name, rate)
    figures = Figures(session)
    figures.median("copy", "copy_without_index")
    if "P5" in goals:
        figures.ratio("bulk_vs_engine", ("onhand_bulk", "bulk"), ("engine", "engine"))
    if "P6" in goals:
        figures.ratio("engine_vs_copy", ("engine", "engine"), ("copy", "copy"))
    await session.audit(onhand)
    session.end(onhand)


async def overload(session: Session, _: set[str]) -> None:
    """P10: ten times the stock is asked for, by many connections, while the service is killed again and again.

    Each client sends the bytes of a broken request again. At the end every piece must be sold exactly once.
    """
    scale = session.scale
    onhand = Onhand(session.cluster, session.folder, "onhand_scarce", scale.scarce_pieces)
    await session.start(onhand, scale.scarce_skus)
    stock = scale.scarce_skus * scale.scarce_pieces
    load = onhand.load(
        run=session.run_name(),
        keys=Keys("uniform", scale.scarce_skus),
        connections=2 * scale.connections,
        requests=OVERLOAD * stock,
        replay=True,
    )
    task = asyncio.create_task(generate(load))
    server = onhand.server
    killed = 0
    while server is not None and killed < scale.kills and not task.done():
        await asyncio.wait([task], timeout=1.0)
        if not task.done():
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            killed += 1
    result = await task
    onhand.accepted = result.accepted
    session.note(
        "onhand_scarce",
        "overload",
        result.accepted,
        kills=killed,
        broken=result.broken,
        unanswered=result.unanswered,
    )
    books = await onhand.books()
    wrong = (
        abs(books.holds - stock)
        + abs(books.accepted - books.holds)
        + sum(books.faults.values())
        + result.unanswered
    )
    session.report.figures["oversold"] = wrong
    session.report.medians |= {
        "overload: pieces": stock,
        "overload: asked for": OVERLOAD * stock,
        "overload: kills": killed,
    }
    await session.audit(onhand)
    session.end(onhand)


async def memory(session: Session, _: set[str]) -> None:
    """What the service holds in memory while a million records are reserved from evenly."""
    scale = session.scale
    onhand = Onhand(session.cluster, session.folder, "onhand_memory")
    await session.start(onhand, scale.records)
    pid = onhand.server.pid if onhand.server else 0
    idle = resident_mb(pid)
    task = asyncio.create_task(
        session.measure(onhand, "uniform", Keys("uniform", scale.records), seconds=2 * scale.seconds)
    )
    highest = await highest_memory(pid, task)
    await task
    session.report.figures["server_mb"] = round(highest, 1)
    session.report.medians |= {
        "memory: records": scale.records,
        "memory: MB idle": round(idle, 1),
        "memory: MB at most": round(highest, 1),
    }
    await session.audit(onhand)
    session.end(onhand)


async def growth(session: Session, _: set[str]) -> None:
    """P8: the same load on a hundred times the stock and a ledger a thousand times as long (filled, not played)."""
    scale = session.scale
    systems = [
        Onhand(session.cluster, session.folder, "onhand_small"),
        Onhand(session.cluster, session.folder, "onhand_grown", movements=scale.growth_movements),
    ]
    sizes = (scale.skus, scale.growth_records)
    for system, records in zip(systems, sizes, strict=True):
        await session.start(system, records)
    for _round in range(scale.rounds):
        for system, records in zip(systems, sizes, strict=True):
            await session.measure(system, "zipf", Keys("zipf", records))
    Figures(session).ratio("growth", ("onhand_grown", "zipf"), ("onhand_small", "zipf"))
    for system in systems:
        await session.audit(system)
        session.end(system)


async def queries(session: Session, _: set[str]) -> None:
    """P9: an on-hand query of one product, and an index query of 100 products grouped by colour."""
    onhand = Onhand(session.cluster, session.folder, "onhand_query")
    await session.start(onhand)
    for figure, target, products, group_by in (
        ("query one", "query_one_p99_ms", range(1), []),
        ("query 100", "query_index_p99_ms", range(100), ["ColorId"]),
    ):
        result = await session.measure(
            onhand,
            figure,
            Keys("hot"),
            path=f"/api/environment/{ENVIRONMENT}/onhand/indexquery",
            connections=QUERY_CONNECTIONS,
            body=query(products, group_by).decode(),
            success=f'"productId":"{product(products[-1])}"',
        )
        onhand.accepted -= result.accepted  # queries reserve nothing
        session.report.figures[target] = round(result.latency_us["p99"] / 1000, 2)
        session.report.medians[f"{figure}, p50 us"] = result.latency_us["p50"]
    session.end(onhand)


async def imports(session: Session, _: set[str]) -> None:
    """P11: on-hand records of new products by bulk posts of 512."""
    scale = session.scale
    onhand = Onhand(session.cluster, session.folder, "onhand_import")
    await session.start(onhand, 1)
    posts = scale.imports // BULK
    result = await session.measure(
        onhand,
        "import",
        Keys("once", scale.imports),
        path=f"/api/environment/{ENVIRONMENT}/onhand/bulk",
        kind="on-hand",
        bulk=BULK,
        connections=BULK_CONNECTIONS,
        requests=posts,
    )
    onhand.accepted -= result.accepted  # nothing was reserved
    if result.accepted == posts * BULK:
        session.report.figures["import_s"] = round(result.seconds * 1_000_000 / (posts * BULK), 1)
    session.report.medians["import: records"] = result.accepted
    await session.audit(onhand)
    session.end(onhand)


PHASES: Sequence[tuple[set[str], Callable[..., object]]] = (
    ({"P1", "P2", "P3", "P4", "P7"}, single),
    ({"P5", "P6"}, engine),
    ({"P10"}, overload),
    ({"memory"}, memory),
    ({"P9"}, queries),
    ({"P11"}, imports),
    ({"P12"}, erp_lines),
    ({"ship"}, shipping),
    ({"P8"}, growth),
)
