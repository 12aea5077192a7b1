"""The real command line and the real service, as processes, on a database of their own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

SOURCE = Path(__file__).resolve().parents[3]
STOP_SECONDS = 60


@dataclass
class Town:
    """A data directory, the variables of a shell that uses it, and the processes started there."""

    directory: Path
    variables: dict[str, str]
    processes: list[subprocess.Popen] = field(default_factory=list)

    def run(self, *arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess:
        """Run `onhand` and insist on its exit code."""
        ended = subprocess.run(
            [sys.executable, "-m", "onhand", *arguments],
            capture_output=True,
            text=True,
            env=self.variables | variables,
            cwd=self.directory,
            timeout=240,
            check=False,
        )
        assert ended.returncode == code, f"{arguments}\n{ended.stdout}\n{ended.stderr}"
        return ended

    def json(self, *arguments: str, code: int = 0, **variables: str) -> object:
        """Run `onhand … --json` and return its document."""
        return msgspec.json.decode(self.run(*arguments, "--json", code=code, **variables).stdout)

    def serve(self, *arguments: str) -> subprocess.Popen:
        """Start the service on a free port; ONHAND_URL is set for what follows."""
        with (self.directory / "service.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "onhand", "serve", "--port", "0", "--json", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.variables,
                cwd=self.directory,
            )
        self.processes.append(process)
        line = process.stdout.readline()
        assert line, (self.directory / "service.log").read_text()
        self.variables["ONHAND_URL"] = msgspec.json.decode(line)["url"]
        return process

    def stop(self, process: subprocess.Popen, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        process.send_signal(number)
        process.stdout.close()
        return process.wait(STOP_SECONDS)


def make_town(run_root: Path) -> Iterator[Town]:
    directory = run_root / f"town-{uuid.uuid4().hex[:8]}"
    directory.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ONHAND_")}
    variables = kept | {
        "PYTHONPATH": str(SOURCE / "src"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "80",
    }
    town = Town(directory, variables)
    yield town
    for process in town.processes:
        if process.poll() is None:
            town.stop(process)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def town(run_root):
    """A place of its own for one test."""
    yield from make_town(run_root)


@pytest.fixture(scope="module")
def shop(run_root):
    """A running service with the environment `shop` and a client in the variables."""
    for town in make_town(run_root):
        town.run("environments", "create", "shop")
        made = town.json("clients", "create", "web", "-e", "shop", "--scope", "onhand:read", "--scope", "onhand:write",
                         "--scope", "reservation:write", "--scope", "config:write", "--scope", "order:read",
                        "--scope", "order:write")  # fmt: skip
        town.serve()
        town.variables |= {
            "ONHAND_ENVIRONMENT": "shop",
            "ONHAND_ORGANIZATION": "usmf",
            "ONHAND_CLIENT_ID": made["clientId"],
            "ONHAND_CLIENT_SECRET": made["clientSecret"],
        }
        yield town


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
