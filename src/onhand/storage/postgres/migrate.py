"""The database schema: bring it up to this program's version, or say why it does not fit.

Migrations are the files of `migrations/`. All that are pending run in one transaction that holds an advisory lock, so
processes that start at the same time wait for the first one and then find nothing to do, and a failed migration
changes nothing. Alembic and SQLAlchemy are imported only when there is something to do: they would be most of the
time of a start.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

MIGRATIONS = Path(__file__).parent / "migrations"

OLDEST_SERVER = 150000
"""`server_version_num` of the oldest PostgreSQL that onhand supports."""

LOCK_KEY = 0x6F6E68616E64
"""Advisory lock of the migrations."""

LOCK_WAIT = "10min"
"""Longest wait for another process's migration."""


class SchemaError(Exception):
    """The database does not fit this program; the message says what to do. Nothing was changed."""


def head() -> str:
    """The schema version that this program needs."""
    return max(path.name[:4] for path in MIGRATIONS.glob("[0-9]*.sql"))


def current(url: str) -> str | None:
    """The schema version of the database; None when it has no schema. One connection, two queries.

    Raises:
        SchemaError: the server is too old.
    """
    with psycopg.connect(url) as connection:
        version = connection.info.server_version
        if version < OLDEST_SERVER:
            raise SchemaError(
                f"The server is PostgreSQL {version // 10000}; onhand needs {OLDEST_SERVER // 10000} or newer. "
                "Upgrade the server, or leave --database-url out to use the bundled one."
            )
        if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def check(url: str) -> None:
    """Return when the schema is the one that this program needs.

    Raises:
        SchemaError: no schema, an older or a newer one; the message names the command to run.
    """
    found, needed = current(url), head()
    if found == needed:
        return
    if found is None:
        raise SchemaError("The database has no onhand schema. Run `onhand migrate` to make it.")
    if found < needed:
        raise SchemaError(
            f"The database schema is version {found}, this onhand needs {needed}. Make a backup and run "
            "`onhand migrate`; older processes of onhand must be stopped first."
        )
    raise SchemaError(
        f"The database schema is version {found}, newer than this onhand knows ({needed}). Install the version of "
        "onhand that wrote it; there is no way down."
    )


def upgrade(url: str) -> str:
    """Bring the schema up to `head()`; the version that it has then. Safe to run at the same time and repeatedly.

    Raises:
        SchemaError: the server is too old or the schema newer than this program.
    """
    found, needed = current(url), head()
    if found is not None and found >= needed:
        check(url)
        return found
    from alembic import command  # noqa: PLC0415 - see the top
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine, text  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    # The driver parses the URL, so every form that libpq knows works (several hosts, service files, TLS options).
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return needed


def run_sql(version_file: str) -> None:
    """Run the SQL file beside `versions/` that has the name of this migration; for the migrations only."""
    from alembic import op  # noqa: PLC0415 - see the top

    statements = (MIGRATIONS / Path(version_file).with_suffix(".sql").name).read_text(encoding="utf-8")
    # Without parameters the driver sends the text as it is: several statements, and % stays %.
    op.get_bind().execution_options(no_parameters=True).exec_driver_sql(statements)
