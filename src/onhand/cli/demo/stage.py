"""What the demo plays on: a database of its own and the real service as a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from onhand.cli.exits import CommandFailed, Exit
from onhand.client import AsyncClient, ClientSecret
from onhand.runtime import visited
from onhand.service.auditor import AuditReport
from onhand.settings import Settings

RETAIL, CONTOSO = "retail", "contoso"
CHANNELS = ("web", "pos", "marketplace")
STOP_SECONDS = 30


@dataclass(slots=True)
class Stage:
    """The running service and the keys to it."""

    directory: Path
    url: str
    secrets: Mapping[str, str]
    """Client -> secret."""
    process: subprocess.Popen[bytes]

    def client(self, client_id: str, environment: str = RETAIL) -> AsyncClient:
        """An HTTP client like that of any channel."""
        return AsyncClient(self.url, environment, ClientSecret(client_id, self.secrets[client_id]))

    async def audit(self) -> AuditReport:
        """The service's own audit of the retailer's environment, on the database."""
        async with visited(_settings(self.directory), _silent) as house:
            return await house.auditor.audit(RETAIL)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A fresh database with two environments and four clients, and the service on a free port."""
    with _directory() as directory:
        secrets = await _furnish(directory)
        with _service(directory) as (process, url):
            yield Stage(directory, url, secrets, process)


@contextmanager
def _directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="onhand-demo-"))
    if os.geteuid() == 0:
        path.chmod(0o755)  # PostgreSQL does not run as root, and its account must get in
    try:
        yield path / "data"
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _settings(directory: Path) -> Settings:
    return Settings(data_directory=directory)


def _silent(_line: str) -> None:
    return


async def _furnish(directory: Path) -> dict[str, str]:
    async with visited(_settings(directory), _silent) as house:
        await house.environments.create(RETAIL, "standalone", "demo")
        await house.environments.create(CONTOSO, "default-2023", "demo")
        return {
            client: await house.access.create_client(client, (RETAIL, CONTOSO))
            for client in (*CHANNELS, "warehouse")
        }


@contextmanager
def _service(directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`onhand serve` as a process; ends with SIGTERM and a look at its exit code."""
    command = [
        sys.executable,
        "-m",
        "onhand",
        "serve",
        "--port",
        "0",
        "--json",
        "--data-directory",
        str(directory),
    ]
    log = directory.parent / "service.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, stderr=errors, env=_clean_environment(), start_new_session=True
        )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = process.stdout.readline()
        if not line:
            raise CommandFailed(
                Exit.BUSY, f"The service did not start:\n{log.read_text(errors='replace')[-2000:]}"
            )
        yield process, msgspec.json.decode(line)["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise CommandFailed(
            Exit.VIOLATION,
            f"The service ended with code {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}",
        )


def _clean_environment() -> dict[str, str]:
    """The demo runs on defaults, whatever this shell has set up for another onhand."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ONHAND_")} | {
        name: value for name, value in os.environ.items() if name in {"ONHAND_PG_BINDIR", "ONHAND_PG_ACCOUNT"}
    }
