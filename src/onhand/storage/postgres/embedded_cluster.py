"""The files of an embedded cluster: made by `initdb`, checked for their version, given their settings."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from onhand.storage.postgres.embedded_binaries import Account, Binaries, EmbeddedServerError

INITDB_LIMIT_S = 300
NEVER_A_PROCESS = 2**22 + 1
"""Above the highest process id that Linux gives."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    # Durable: a reply is sent after the commit reached the disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Modest memory; the working set of a shop fits, and the machine is shared with the service.
    "shared_buffers": "128MB",
    # Checkpoints far apart: after each one every page is written whole to the log once more.
    "checkpoint_timeout": "15min",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "wal_compression": "on",
    "wal_buffers": "16MB",
    # Short statements on few rows: compiling them never pays.
    "jit": "off",
    "random_page_cost": "1.1",
    # Progress of crash recovery, which the launcher shows.
    "log_startup_progress_interval": "1s",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
"""Settings of the server, given on its command line so that they follow the program and not the cluster."""

NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def server_command(
    binaries: Binaries, pgdata: Path, socket_directory: Path, port: int, *, durable: bool
) -> list[str]:
    """The server's command line."""
    settings = {**SETTINGS, **({} if durable else NOT_DURABLE), "port": str(port)}
    settings["unix_socket_directories"] = '"' + str(socket_directory).replace('"', '""') + '"'
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [str(binaries.postgres), "-D", str(pgdata), *options]


def make_cluster(pgdata: Path, binaries: Binaries, account: Account | None, role: str) -> None:
    """Run `initdb` beside `pgdata` and move the result there, so that a half-made cluster is never found."""
    new = pgdata.with_name("pgdata.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if account is not None:
        os.chown(new, account.uid, account.gid)
    command = [binaries.initdb, "-D", new, "--username", role, "--auth=peer", "--data-checksums"]
    command += ["--encoding=UTF8", "--locale=C", "--no-instructions"]
    result = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 - resolved path, our own arguments
        command,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=INITDB_LIMIT_S,
        check=False,
        **(account.demotion() if account else {}),
    )
    if result.returncode != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise EmbeddedServerError(f"initdb failed in {new}: {result.stderr.strip() or result.stdout.strip()}")
    new.rename(pgdata)


def check_version(pgdata: Path, binaries: Binaries) -> None:
    """Refuse a cluster of another major version, and say how to upgrade it."""
    try:
        found = int((pgdata / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise EmbeddedServerError(
            f"{pgdata} is not a PostgreSQL cluster ({error}). Restore it from a backup, or choose another data "
            "directory with --data-directory."
        ) from error
    if found == binaries.major:
        return
    new = pgdata.with_name(f"pgdata-{binaries.major}")
    raise EmbeddedServerError(
        f"{pgdata} was written by PostgreSQL {found}, but {binaries.directory} is PostgreSQL {binaries.major}. "
        f"Nothing was changed. Either set ONHAND_PG_BINDIR to the binaries of PostgreSQL {found}, or make a backup "
        f"and upgrade: {binaries.initdb} -D {new} --username onhand --auth=peer --data-checksums --encoding=UTF8 "
        f"--locale=C && {binaries.directory}/pg_upgrade --username onhand --old-bindir <bin directory of "
        f"PostgreSQL {found}> --new-bindir {binaries.directory} --old-datadir {pgdata} --new-datadir {new}, then "
        f"put {new} in the place of {pgdata}."
    )


def write_authentication(pgdata: Path, role: str, caller: str, account: Account | None) -> None:
    """Let in the caller, the server's own account and root, by their user ids; nobody else, and no network."""
    names = dict.fromkeys((caller, "root", *((account.name,) if account else ())))
    _replace(
        pgdata / "pg_hba.conf",
        f"local all {role} peer map={role}\nlocal replication {role} peer map={role}\n",
    )
    _replace(pgdata / "pg_ident.conf", "".join(f'{role} "{name}" {role}\n' for name in names))


def forget_dead_postmaster(pgdata: Path) -> None:
    """Make the pid file of a server that surely is dead look dead to PostgreSQL too.

    PostgreSQL refuses to start while a process with the number in the pid file exists, be it a zombie or, after a
    restart of the machine or container, an unrelated process. The file is kept, with a number that no process has,
    because it also names the shared memory that PostgreSQL must find unused.
    """
    path = pgdata / "postmaster.pid"
    try:
        first, rest = path.read_text().split("\n", 1)
        process = Path("/proc", str(int(first)))
        state = (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
        command = (process / "cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return  # no such file or process, or no /proc: PostgreSQL decides
    if state == "Z" or b"postgres" not in command:
        _replace(path, f"{NEVER_A_PROCESS}\n{rest}")


def _replace(path: Path, text: str) -> None:
    """Write a file of the cluster in one step, keeping its owner."""
    owner = path.parent.stat()
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(new, owner.st_uid, owner.st_gid)
    new.replace(path)
