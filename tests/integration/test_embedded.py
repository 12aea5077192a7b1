"""The embedded server: comes back with its data whatever was killed, and has one owner."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from onhand.storage.postgres import embedded_cluster
from onhand.storage.postgres.embedded import EmbeddedServer, EmbeddedServerError, create_database
from onhand.storage.postgres.embedded_binaries import (
    BINDIR_VARIABLE,
    Account,
    find_binaries,
    reachable_data_directory,
    unreachable,
)

SYSTEM_BINARIES = sorted(
    path
    for path in Path("/usr/lib/postgresql").glob("*/bin")
    if int(path.parent.name) >= 15 and (path / "postgres").exists()
)
WAIT_S = 30.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the user")

SERVE = """
import signal, sys
from pathlib import Path
from onhand.storage.postgres.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
print(server.start(), flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(params=[None, *SYSTEM_BINARIES], ids=str)
def server(request: pytest.FixtureRequest, server_directory: Path) -> EmbeddedServer:
    return EmbeddedServer(server_directory, bin_directory=request.param)


def eventually(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, f"not within {WAIT_S} s: {what}"
        time.sleep(0.005)


def exists(process_id: int | None) -> bool:
    """Whether the process runs; one that is dead and not yet collected does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def remember(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS remembered (value int)")
        connection.execute("INSERT INTO remembered VALUES (%s)", (value,))


def remembered(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM remembered ORDER BY value")]


def setting(url: str, name: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def serve_elsewhere(directory: Path) -> tuple[subprocess.Popen[str], str]:
    """A service in a process of its own; stops when its standard input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def guard_of(postmaster: int | None) -> int:
    status = Path(f"/proc/{postmaster}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


def test_start_stop_and_start_again_keeps_the_data(server: EmbeddedServer) -> None:
    remember(server.start(), 1)
    first = server.process_id
    assert exists(first)
    server.stop()
    assert not exists(first)
    with server as url:
        assert remembered(url) == [1]
    server.stop()  # repeating it does nothing


def test_the_cluster_is_durable_private_and_checked(postgres_server: EmbeddedServer) -> None:
    url = postgres_server.url
    expected = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on"}
    assert {name: setting(url, name) for name in expected} == expected
    assert setting(url, "listen_addresses") == ""
    directory = Path(setting(url, "unix_socket_directories").strip('"'))
    assert directory.stat().st_mode & 0o077 == 0


def test_kill_of_the_server_is_repaired_while_it_is_used(server: EmbeddedServer) -> None:
    with server as url:
        remember(url, 7)
        killed = server.process_id
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: server.process_id not in (None, killed) and answers(url), "a new server answers")
        assert remembered(url) == [7]


def answers(url: str) -> bool:
    try:
        return remembered(url) is not None
    except psycopg.OperationalError:
        return False


def test_kill_of_every_process_loses_nothing(server_directory: Path) -> None:
    service, url = serve_elsewhere(server_directory)
    remember(url, 3)
    postmaster = EmbeddedServer(server_directory).process_id
    for victim in (guard_of(postmaster), service.pid, postmaster):
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
    service.communicate()
    told: list[str] = []
    with EmbeddedServer(server_directory, on_progress=told.append) as again:
        assert remembered(again) == [3]
    assert any("recovery" in line for line in told)


def test_the_server_ends_with_its_killed_parent(server_directory: Path) -> None:
    service, url = serve_elsewhere(server_directory)
    remember(url, 5)
    postmaster = EmbeddedServer(server_directory).process_id
    service.kill()
    service.communicate()
    eventually(lambda: not exists(postmaster), "the server is gone")
    with EmbeddedServer(server_directory) as again:
        assert remembered(again) == [5]


def test_a_server_without_its_guard_is_restarted(server_directory: Path) -> None:
    service, url = serve_elsewhere(server_directory)
    remember(url, 6)
    orphan = EmbeddedServer(server_directory).process_id
    os.kill(guard_of(orphan), signal.SIGKILL)
    service.kill()
    service.communicate()
    assert exists(orphan)
    with EmbeddedServer(server_directory) as again:
        assert remembered(again) == [6]
        assert not exists(orphan)


def test_a_second_service_on_the_directory_is_refused(server_directory: Path) -> None:
    service, url = serve_elsewhere(server_directory)
    with pytest.raises(EmbeddedServerError, match=rf"\(process {service.pid}\) owns .*--database-url"):
        EmbeddedServer(server_directory).start()
    remember(url, 1)  # the refusal did not disturb the first one
    service.communicate()
    with EmbeddedServer(server_directory) as again:
        assert remembered(again) == [1]


def test_a_visitor_joins_and_the_last_one_stops_the_server(server_directory: Path) -> None:
    service = EmbeddedServer(server_directory)
    visitor = EmbeddedServer(server_directory, visitor=True)
    url = service.start()
    running = service.process_id
    assert visitor.start() == url
    assert visitor.process_id == running
    service.stop()
    remember(url, 2)
    visitor.stop()
    assert not exists(running)


def test_another_major_version_is_refused_with_advice(server_directory: Path) -> None:
    with EmbeddedServer(server_directory):
        pass
    (server_directory / "pgdata" / "PG_VERSION").write_text("14\n")
    with pytest.raises(
        EmbeddedServerError, match=r"written by PostgreSQL 14.*ONHAND_PG_BINDIR.*pg_upgrade.*--old-datadir"
    ):
        EmbeddedServer(server_directory).start()


def test_a_directory_with_other_files_is_left_alone(server_directory: Path) -> None:
    server_directory.mkdir()
    (server_directory / "letter.txt").write_text("mine")
    with pytest.raises(EmbeddedServerError, match=r"other files \(letter\.txt\)"):
        EmbeddedServer(server_directory).start()
    assert [path.name for path in server_directory.iterdir()] == ["letter.txt"]


def test_a_half_made_cluster_is_made_again(server_directory: Path) -> None:
    (server_directory / "pgdata.new" / "base").mkdir(parents=True)
    server_directory.chmod(0o755)
    with EmbeddedServer(server_directory) as url:
        remember(url, 1)
    assert not (server_directory / "pgdata.new").exists()


def test_a_long_path_with_odd_characters_works(run_root: Path) -> None:
    directory = run_root / "a b&c%41#ä" / ("long-" * 20)
    with EmbeddedServer(directory, durable=False) as url:
        remember(url, 1)
        socket_directory = Path(setting(url, "unix_socket_directories").strip('"'))
        assert directory not in socket_directory.parents
    shutil.rmtree(socket_directory)


def test_the_url_works_with_asyncpg(postgres_server: EmbeddedServer) -> None:
    import asyncio

    import asyncpg

    async def who() -> str:
        connection = await asyncpg.connect(create_database(postgres_server.url, "odd name%"))
        try:
            return str(await connection.fetchval("SELECT current_database()"))
        finally:
            await connection.close()

    assert asyncio.run(who()) == "odd name%"


def test_a_pid_file_that_names_an_unrelated_process_is_no_obstacle(server_directory: Path) -> None:
    service, url = serve_elsewhere(server_directory)
    remember(url, 8)
    postmaster = EmbeddedServer(server_directory).process_id
    assert postmaster is not None
    for victim in (guard_of(postmaster), service.pid, postmaster):
        os.kill(victim, signal.SIGKILL)
    service.communicate()
    pid_file = server_directory / "pgdata" / "postmaster.pid"
    # As after a restart of the machine: the number now belongs to somebody else.
    pid_file.write_text(pid_file.read_text().replace(str(postmaster), str(os.getpid()), 1))
    with EmbeddedServer(server_directory) as again:
        assert remembered(again) == [8]


def test_a_server_that_cannot_start_says_why(server_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedServer(server_directory):
        pass
    monkeypatch.setitem(embedded_cluster.SETTINGS, "shared_buffers", "nonsense")
    monkeypatch.setattr(
        "onhand.storage.postgres.embedded_guard.__file__", failing_guard(server_directory.parent)
    )
    with pytest.raises(EmbeddedServerError, match=r"did not start.*shared_buffers.*server\.log"):
        EmbeddedServer(server_directory).start()


def failing_guard(directory: Path) -> str:
    """The guard with one attempt only: its patience is for servers that were killed."""
    from onhand.storage.postgres import embedded_guard

    source = Path(embedded_guard.__file__).read_text()
    path = directory / "impatient_guard.py"
    path.write_text(source.replace("RESTARTS_MAX = 10", "RESTARTS_MAX = 0"))
    assert path.read_text() != source
    return str(path)


def test_binaries_can_be_named_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BINDIR_VARIABLE, str(tmp_path))
    with pytest.raises(EmbeddedServerError, match=rf"holds no `postgres`.*{BINDIR_VARIABLE}.*--database-url"):
        find_binaries(None, None, print)


@as_root
def test_root_does_not_run_the_server_and_changes_no_parent(
    postgres_server: EmbeddedServer, run_root: Path
) -> None:
    owner = Path(f"/proc/{postgres_server.process_id}").stat().st_uid
    assert owner != 0
    assert run_root.stat().st_mode & 0o777 == 0o755


@as_root
def test_root_is_told_when_the_directory_is_out_of_reach(server_directory: Path) -> None:
    server_directory.mkdir(mode=0o700)
    closed = server_directory / "project" / ".onhand"
    with pytest.raises(
        EmbeddedServerError,
        match=rf"cannot enter {server_directory}\. Choose .*/var/lib/onhand/data/project-",
    ):
        EmbeddedServer(closed).start()
    assert not closed.exists()
    assert server_directory.stat().st_mode & 0o777 == 0o700
    better = reachable_data_directory(closed)
    assert better == reachable_data_directory(closed)
    assert better.parts[:4] == ("/", "var", "lib", "onhand")
    assert unreachable(better, None) is None


def python_for(account: Account) -> str | None:
    """A Python of this version that the account can run; root's own may be out of its reach."""
    for candidate in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        path = Path(candidate)
        if path.exists() and unreachable(path.resolve(), account) is None:
            return candidate
    return None


@as_root
def test_an_ordinary_user_runs_it_and_root_may_visit(server_directory: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    server_directory.mkdir()
    os.chown(server_directory, nobody.pw_uid, nobody.pw_gid)
    python = python_for(Account("nobody", nobody.pw_uid, nobody.pw_gid))
    if python is None:
        pytest.skip("no Python that an ordinary user can run")
    service = subprocess.Popen(
        [python, "-c", SERVE, str(server_directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]},
        cwd="/",
    )
    assert service.stdout is not None
    url = service.stdout.readline().strip()
    remember(url, 4)
    with EmbeddedServer(server_directory, visitor=True) as visited:
        assert visited == url
        assert remembered(visited) == [4]
    service.communicate()
    assert service.returncode == 0
    assert {path.stat().st_uid for path in server_directory.rglob("*")} == {nobody.pw_uid}
