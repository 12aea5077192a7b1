"""What the demo plays on: a database of its own and the real service as a process of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from onhand.cli.exits import CommandFailed, Exit
from onhand.client import AsyncClient, ClientSecret
from onhand.runtime import visited
from onhand.service.auditor import AuditReport
from onhand.service.principals import DEFAULT_SCOPES
from onhand.settings import Settings

RETAIL, CONTOSO = "retail", "contoso"
CHANNELS = ("web", "pos", "marketplace")
STOP_SECONDS = 30
ATTEMPTS_MAX = 14
"""Attempts of a request: more than half a minute."""


class Stage:
    """The running service and the keys to it."""

    def __init__(self, directory: Path, secrets: Mapping[str, str]) -> None:
        self._directory = directory
        self._log = directory.parent / "service.log"
        self._secrets = secrets
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """`onhand serve` as a process of its own, on a free port, or again on the one it had."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "onhand", "serve", "--port", port, "--json"]
        with self._log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [*command, "--data-directory", str(self._directory)],
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_clean_environment(),
                start_new_session=True,
            )
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        line = self._process.stdout.readline()
        if not line:
            raise CommandFailed(Exit.BUSY, f"The service did not start:\n{self._last_words()}")
        self.url = msgspec.json.decode(line)["url"]

    async def crash(self) -> float:
        """Kill the service without a warning and start it again; seconds until it served again."""
        process = self._running()
        started = time.perf_counter()
        process.kill()
        await asyncio.to_thread(self._ended, process)
        await asyncio.to_thread(self.start)
        return time.perf_counter() - started

    def stop(self) -> None:
        """End the service as a service manager would, and look at its exit code."""
        process = self._running()
        process.terminate()
        if (code := self._ended(process)) != 0:
            raise CommandFailed(Exit.VIOLATION, f"The service ended with code {code}:\n{self._last_words()}")

    def client(self, client_id: str, environment: str = RETAIL) -> AsyncClient:
        """An HTTP client like that of any channel, patient enough for a restart of the service."""
        credentials = ClientSecret(client_id, self._secrets[client_id])
        return AsyncClient(self.url, environment, credentials, attempts_max=ATTEMPTS_MAX)

    async def audit(self) -> AuditReport:
        """The service's own audit of the retailer's environment, on the database."""
        async with visited(_settings(self._directory), _silent) as house:
            return await house.auditor.audit(RETAIL)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None  # noqa: S101 - `start` came first
        return self._process

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            if process.stdout is not None:
                process.stdout.close()

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2_000:]


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A fresh database with two environments and five clients, and the service on a free port."""
    with _directory() as directory:
        scene = Stage(directory, await _furnish(directory))
        await asyncio.to_thread(scene.start)
        try:
            yield scene
        finally:
            await asyncio.to_thread(scene.stop)


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
        selling = (*DEFAULT_SCOPES, "order:read", "order:write")
        scopes: dict[str, tuple[str, ...]] = {
            **dict.fromkeys(CHANNELS, selling),
            "warehouse": (*DEFAULT_SCOPES, "erp:write"),
            "office": (*selling, "config:write"),
        }
        return {
            client: await house.access.create_client(client, (RETAIL, CONTOSO), allowed)
            for client, allowed in scopes.items()
        }


def _clean_environment() -> dict[str, str]:
    """The demo runs on defaults, whatever this shell has set up for another onhand."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ONHAND_")} | {
        name: value for name, value in os.environ.items() if name in {"ONHAND_PG_BINDIR", "ONHAND_PG_ACCOUNT"}
    }
