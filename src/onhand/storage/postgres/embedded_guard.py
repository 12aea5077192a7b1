"""Runs the embedded PostgreSQL and stops it with its last user. A program of its own, standard library only.

Theory of operation. Each process that uses the server holds a shared lock on `users.lock`; the kernel drops it
when the process ends, however it ends. This program starts the server and waits for the exclusive lock: once it
has it, nobody uses the server any more, and it shuts the server down. As the server's parent it also collects it,
so that a killed server never stays behind as a zombie, and starts it again when it was killed. The lock
`guard.lock`, inherited from the starter, tells everybody that a guard is at work.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

RESTARTS_MAX = 10
"""Failed starts in a row (about half a minute); a server that ran for a while starts a new count."""

STEADY_S = 60.0
"""A run after which a server's own failure starts a new count."""

STEADY_BEFORE_KILL_S = 1.0
"""The same for a server that was killed: that is nobody's fault."""

RESTART_DELAY_S = 0.1
RESTART_DELAY_MAX_S = 5.0

STOP_LIMIT_S = 300.0
"""A fast shutdown (with its checkpoint) that takes longer becomes an immediate one: recovery at the next start."""


class Guard:
    """Starts the server, starts it again when it is killed, stops it when nobody uses it."""

    def __init__(self, command: list[str], users_lock: str, demotion: dict[str, Any]) -> None:
        self._command = command
        self._users_lock = users_lock
        self._demotion = demotion
        self._server: subprocess.Popen[bytes] | None = None
        self._unused = threading.Event()
        self._turn = threading.Lock()

    def run(self) -> int:
        """Until the server was stopped; its exit status."""
        threading.Thread(target=self._wait_for_last_user, daemon=True).start()
        restarts = 0
        while True:
            started = time.monotonic()
            with self._turn:
                if self._unused.is_set():
                    return 0
                self._server = subprocess.Popen(self._command, cwd="/", **self._demotion)  # noqa: S603
            status = self._server.wait()
            if status == 0 or self._unused.is_set():
                return status
            steady = time.monotonic() - started > (STEADY_BEFORE_KILL_S if status < 0 else STEADY_S)
            restarts = 0 if steady else restarts + 1
            if restarts > RESTARTS_MAX:
                return status
            # A killed server leaves children that hold its shared memory for a moment: the delay lets them go.
            self._unused.wait(min(RESTART_DELAY_S * 2 ** min(restarts, 10), RESTART_DELAY_MAX_S))

    def _wait_for_last_user(self) -> None:
        users = os.open(self._users_lock, os.O_RDWR)
        fcntl.flock(
            users, fcntl.LOCK_EX
        )  # held until this process ends: no new user meets a server that goes
        with self._turn:
            self._unused.set()
            server = self._server
        if server is None:
            return
        server.send_signal(signal.SIGINT)
        try:
            server.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)


def main() -> int:
    """Run with one JSON argument: command, users_lock, demotion."""
    # The guard ends with the last user. A signal to the whole process group (Ctrl-C, service manager) is meant for
    # the users, which still need the server while they finish.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return abs(Guard(**json.loads(sys.argv[1])).run())


if __name__ == "__main__":
    sys.exit(main())
