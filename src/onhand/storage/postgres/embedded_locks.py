"""The lock files of an embedded server's directory. The kernel drops a lock with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL_S = 0.01
SHARED = fcntl.LOCK_SH
EXCLUSIVE = fcntl.LOCK_EX


class DirectoryLocks:
    """`flock` locks on files of one directory; `hold` keeps them until `release`."""

    def __init__(self, directory: Path, tell: Callable[[str], None]) -> None:
        self._directory = directory
        self._tell = tell
        self._held: list[int] = []

    @property
    def holding(self) -> bool:
        """Whether any lock is held."""
        return bool(self._held)

    def hold(self, name: str, mode: int, waits_for: str) -> None:
        """Wait for a lock and keep it."""
        self._held.append(self.take(name, mode, waits_for))

    def claim(self, name: str) -> str | None:
        """Take a lock exclusively and keep it, without waiting; the number of the process that has it otherwise."""
        lock = self._open(name)
        try:
            fcntl.flock(lock, EXCLUSIVE | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 32, 0).decode(errors="replace").strip()
            os.close(lock)
            return owner or "unknown"
        self._held.append(lock)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return None

    def take(self, name: str, mode: int, waits_for: str) -> int:
        """Wait for a lock; the descriptor that holds it, for the caller to close."""
        lock = self._open(name)
        told = False
        while True:
            try:
                fcntl.flock(lock, mode | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    self._tell(f"Waiting for {waits_for}")
                    told = True
                time.sleep(POLL_S)
            else:
                return lock

    @contextlib.contextmanager
    def held(self, name: str, mode: int, waits_for: str) -> Iterator[None]:
        """Hold a lock for a while."""
        lock = self.take(name, mode, waits_for)
        try:
            yield
        finally:
            os.close(lock)

    def is_free(self, name: str) -> bool:
        """Whether nobody holds the lock exclusively."""
        return self._would_get(name, SHARED)  # shared, so that two who ask do not meet each other

    def is_shared(self, name: str) -> bool:
        """Whether somebody holds the lock, and not exclusively."""
        return not self._would_get(name, EXCLUSIVE) and self._would_get(name, SHARED)

    def release(self) -> None:
        """Let go of everything that is held."""
        while self._held:
            os.close(self._held.pop())

    def _would_get(self, name: str, mode: int) -> bool:
        lock = self._open(name)
        try:
            fcntl.flock(lock, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(lock)

    def _open(self, name: str) -> int:
        lock = os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        give_to_owner(lock, self._directory)
        return lock


def give_to_owner(descriptor: int, directory: Path) -> None:
    """What root makes in somebody's data directory stays usable for its owner."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
