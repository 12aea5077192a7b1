"""The tables of the periodic jobs, in a schema of their own beside the engine's.

They belong to procrastinate, which brings their SQL. What is in them is disposable (which tick of which schedule was
started), so another version of the library does not migrate them: it makes them anew. The version that made them is
the comment of the schema.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import psycopg

SCHEMA = "onhand_jobs"
_LIBRARY = "procrastinate"


def wanted() -> str:
    """Version of the tables that this program needs."""
    return importlib.metadata.version(_LIBRARY)


def fits(connection: psycopg.Connection[Any]) -> bool:
    """Whether the tables are there, made by this version of the library or a newer one."""
    row = connection.execute(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s", (SCHEMA,)
    ).fetchone()
    found = "" if row is None or row[0] is None else str(row[0]).removeprefix(f"{_LIBRARY} ")
    return found != "" and _numbers(found) >= _numbers(wanted())


def renew(connection: psycopg.Connection[Any]) -> None:
    """Make the tables anew, unless they fit. To be called in a transaction, under the migrations' lock."""
    if fits(connection):
        return
    connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    connection.execute(f"CREATE SCHEMA {SCHEMA}")
    connection.execute(f"SET LOCAL search_path = {SCHEMA}")
    connection.execute(_sql())
    connection.execute("RESET search_path")
    connection.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{_LIBRARY} {wanted()}'")


def _sql() -> bytes:
    spec = importlib.util.find_spec(_LIBRARY)  # without importing it
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"The package {_LIBRARY} is not installed.")
    return (Path(spec.origin).parent / "sql" / "schema.sql").read_bytes()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
