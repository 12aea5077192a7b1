"""The schema comes up once, whoever starts at the same time, and a database that does not fit says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from onhand.storage.postgres import migrate
from onhand.storage.postgres.embedded import EmbeddedServer

SYSTEM_BINARIES = sorted(
    path
    for path in Path("/usr/lib/postgresql").glob("*/bin")
    if int(path.parent.name) >= 15 and (path / "postgres").exists()
)


def set_version(url: str, version: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", (version,))


def test_upgrade_brings_an_empty_database_to_head(empty_database_url: str) -> None:
    assert migrate.current(empty_database_url) is None
    assert migrate.upgrade(empty_database_url) == migrate.head()
    assert migrate.current(empty_database_url) == migrate.head()
    migrate.check(empty_database_url)


def test_upgrade_is_idempotent(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO environment (environment_id, configuration_version) VALUES ('a', 1)")
    assert migrate.upgrade(database_url) == migrate.head()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT environment_id FROM environment").fetchall() == [("a",)]


def test_four_processes_upgrade_at_once(empty_database_url: str) -> None:
    program = "import sys; from onhand.storage.postgres import migrate; print(migrate.upgrade(sys.argv[1]))"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_database_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    results = [process.communicate(timeout=60) for process in started]
    assert [(out.strip(), err) for out, err in results] == [(migrate.head(), "")] * 4
    migrate.check(empty_database_url)


def test_no_schema_names_the_command(empty_database_url: str) -> None:
    with pytest.raises(migrate.SchemaError, match=r"no onhand schema\. Run `onhand migrate`"):
        migrate.check(empty_database_url)


def test_older_schema_names_the_command(database_url: str) -> None:
    set_version(database_url, "0000")
    with pytest.raises(
        migrate.SchemaError, match=rf"version 0000, this onhand needs {migrate.head()}.*`onhand migrate`"
    ):
        migrate.check(database_url)


def test_newer_schema_is_refused_by_check_and_upgrade(database_url: str) -> None:
    set_version(database_url, "9999")
    for refuse in (migrate.check, migrate.upgrade):
        with pytest.raises(migrate.SchemaError, match="version 9999, newer than this onhand knows"):
            refuse(database_url)


def test_a_failed_migration_changes_nothing(empty_database_url: str) -> None:
    # Something in the way of a table in the middle of the first migration.
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE document (x int)")
    with pytest.raises(Exception, match="document"):
        migrate.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("document",)]


def test_each_sql_file_has_its_version_in_one_line() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    revisions = [revision.revision for revision in reversed(list(script.walk_revisions()))]
    assert revisions == sorted(path.name[:4] for path in migrate.MIGRATIONS.glob("*.sql"))
    assert script.get_heads() == [migrate.head()]
    for version in (migrate.MIGRATIONS / "versions").glob("[0-9]*.py"):
        assert (migrate.MIGRATIONS / version.with_suffix(".sql").name).exists(), version.name


@pytest.fixture(params=SYSTEM_BINARIES, ids=str)
def system_server(request: pytest.FixtureRequest, server_directory: Path) -> Iterator[str]:
    with EmbeddedServer(server_directory, bin_directory=request.param, durable=False) as url:
        yield url


def test_upgrade_on_the_system_s_postgresql(system_server: str) -> None:
    assert migrate.upgrade(system_server) == migrate.head()
    migrate.check(system_server)
