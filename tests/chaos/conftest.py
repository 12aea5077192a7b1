"""Real server processes on one database, and channels that keep asking them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

START_SECONDS = 60.0
ENVIRONMENT = "5c1f7a52-31a8-4a0b-9a4e-0f3f3d8c2b11"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def onhand(*arguments: str, database_url: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the CLI to its end."""
    return subprocess.run(
        [sys.executable, "-m", "onhand", *arguments],
        env=os.environ | {"ONHAND_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass
class Service:
    """One `onhand serve` process that can be killed and started again on the same port."""

    database_url: str
    log: Path
    settings: dict[str, str] = field(default_factory=dict)
    """Environment variables of the process, beside those of the test."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "onhand", "serve", "--port", str(self.port), "--auth", "none"],
                env=os.environ | {"ONHAND_DATABASE_URL": self.database_url} | self.settings,
                stdout=log,
                stderr=log,
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"the service ended: {self.log.read_text()[-2000:]}"
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
        pytest.fail(f"not ready within {START_SECONDS} s: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)


@dataclass
class Channel:
    """A client that sends each event until somebody answers it, with the same id, at any of the services."""

    services: list[Service]
    http: httpx.AsyncClient
    turn: int = 0
    resent: int = 0

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            service = self.services[self.turn % len(self.services)]
            try:
                answer = await self.http.post(f"{service.url}/api/environment/{ENVIRONMENT}{path}", json=body)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return dict(answer.json())
            assert answer is None or answer.status_code in {429, 503}, answer.text
            self.turn += 1
            self.resent += 1
            await asyncio.sleep(0)
        pytest.fail(f"nobody answered {body['id']} within {START_SECONDS} s")


@pytest.fixture
def service_settings() -> dict[str, str]:
    """Environment variables of the services; a module that needs others says so by a fixture of this name."""
    return {}


@pytest.fixture
def two_services(postgres_server, tmp_path, service_settings) -> Iterator[list[Service]]:
    """Two service processes on one durable database with an empty environment of profile `standalone`."""
    url = postgres_server.url
    for arguments in (("migrate",), ("environments", "create", ENVIRONMENT)):
        done = onhand(*arguments, database_url=url)
        assert done.returncode == 0, done.stdout + done.stderr
    services = [Service(url, tmp_path / f"service-{number}.log", service_settings) for number in (1, 2)]
    for service in services:
        service.start()
    for service in services:
        service.wait_until_ready()
    yield services
    for service in services:
        service.stop()


@pytest.fixture
def run_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    return onhand


@pytest.fixture
def make_channel(two_services) -> Callable[[httpx.AsyncClient, int], Channel]:
    """Makes a channel that starts at one of the services."""
    return lambda http, turn: Channel(two_services, http, turn)


@pytest.fixture
def books() -> Callable[[str], dict[str, int]]:
    """What the database itself says of the reservations, in whole pieces."""

    def read(database_url: str) -> dict[str, int]:
        with psycopg.connect(database_url) as connection:
            row = connection.execute(
                """
                SELECT (SELECT coalesce(sum(remaining), 0) / 1000000 FROM hold WHERE remaining > 0),
                       (SELECT coalesce(sum(own), 0) / 1000000 FROM stock JOIN measure USING (measure_id)
                         WHERE (source, name) = ('iv', 'softreserved')),
                       (SELECT count(*) FROM movement WHERE kind = 3),
                       (SELECT count(*) FROM command_id WHERE kind = 3)
                """
            ).fetchone()
        assert row is not None
        return dict(zip(("open holds", "reserved", "reserve movements", "ids"), map(int, row), strict=True))

    return read
