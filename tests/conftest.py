"""PostgreSQL for the tests: started from the embedded binaries, one server a run, one database a test.

`database_url` is a fresh database with the schema; `postgres_server` a server of its own that a test may kill.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from onhand.storage.postgres import migrate
from onhand.storage.postgres.embedded import EmbeddedServer, create_database

ROOT_VARIABLE = "ONHAND_TEST_ROOT"
TEMPLATE = "onhand_template"


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a directory that PostgreSQL's account can enter (root's own temporary directories are closed)."""
    if ROOT_VARIABLE not in os.environ:
        root = Path(tempfile.mkdtemp(prefix="onhand-test-"))
        if os.geteuid() == 0:
            root.chmod(0o755)
        os.environ[ROOT_VARIABLE] = str(root)  # parallel workers inherit it
        config.add_cleanup(lambda: shutil.rmtree(root, ignore_errors=True))


@pytest.fixture(scope="session")
def run_root() -> Path:
    return Path(os.environ[ROOT_VARIABLE])


@pytest.fixture
def server_directory(run_root: Path) -> Iterator[Path]:
    """A path for a data directory; nothing is there yet."""
    directory = run_root / uuid.uuid4().hex[:12]
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_server(run_root: Path) -> Iterator[str]:
    """URL of the run's server. Not durable: that is what makes a database a test cheap."""
    with EmbeddedServer(run_root / "shared", visitor=True, durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def template_database(shared_server: str) -> str:
    """Name of a database with the schema, made by the first worker that asks."""
    with psycopg.connect(shared_server, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")
        ready = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s AND NOT datallowconn", (TEMPLATE,)
        ).fetchone()
        if ready is None:
            migrate.upgrade(create_database(shared_server, TEMPLATE))
            connection.execute(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")
    return TEMPLATE


@pytest.fixture
def database_url(shared_server: str, template_database: str) -> Iterator[str]:
    """URL of a fresh database with the schema."""
    yield from _database(shared_server, template_database)


@pytest.fixture
def empty_database_url(shared_server: str) -> Iterator[str]:
    """URL of a fresh database without the schema."""
    yield from _database(shared_server, None)


@pytest.fixture
def postgres_server(server_directory: Path) -> Iterator[EmbeddedServer]:
    """A durable server of its own, started, that the test may kill; without the schema."""
    server = EmbeddedServer(server_directory)
    server.start()
    yield server
    server.stop()


def _database(server: str, template: str | None) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield create_database(server, name, template=template)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
