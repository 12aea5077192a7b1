"""Starting and ending the servers under test, each a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

START_S = 60.0
STOP_S = 20.0


class Server:
    """A process that answers HTTP on a port of this machine."""

    def __init__(
        self, name: str, command: list[str], port: int, log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.port = port
        self._command = command
        self._log = log
        self._environment = clean_environment() | (environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 when it does not run."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)
        deadline = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    tail = self._log.read_text(errors="replace")[-3000:]
                    raise RuntimeError(f"{self.name} did not start:\n{tail}") from None
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End it as a power cut would: no handler runs."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def uvicorn(application: str, port: int, *options: str) -> list[str]:
    """Command that serves an ASGI application as fast as uvicorn can."""
    return [
        sys.executable, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
        "--no-proxy-headers", "--no-server-header", "--backlog", "4096", *options,
    ]  # fmt: skip


def clean_environment() -> dict[str, str]:
    """The caller's environment without settings of onhand, which would change what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ONHAND_")}


def say(text: str) -> None:
    """Tell what is going on."""
    print(text, file=sys.stderr, flush=True)
