import subprocess
import sys

import pytest

from onhand.cli import main as entry
from onhand.cli.exits import CommandFailed, Exit, exit_of
from onhand.client import NotServed, OutcomeUnknown, RefusedByRules, RequestFault, ServiceDefect
from onhand.service import faults
from onhand.settings import SettingsError

COMMANDS = [
    "serve", "demo", "migrate", "verify", "doctor", "query", "reserve", "unreserve", "load", "token", "movements",
    "refusals", "version", "environments list", "environments create", "environments rename",
    "environments delete", "clients list", "clients create", "clients disable", "clients rotate", "holds list",
    "holds release", "holds extend", "config show", "config validate", "config diff", "config apply",
    "config history", "config presets", "rates load", "rates list", "workflows list", "workflows show",
    "workflows install", "erp resync", "erp sync", "erp failed", "erp lines", "erp sources",
    "erp check", "erp fix", "erp checks", "erp-sim",
    "orders list", "orders show", "orders create", "orders status", "orders dry-run", "orders events",
]  # fmt: skip


def onhand(*arguments, **variables):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "COLUMNS": "80", **variables}
    return subprocess.run(
        [sys.executable, "-m", "onhand", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (CommandFailed(Exit.REFUSED, ""), 3),
        (RequestFault(""), 2),
        (SettingsError(""), 2),
        (faults.UnknownEnvironment(), 2),
        (RefusedByRules(""), 3),
        (NotServed(""), 4),
        (faults.Busy(), 4),
        (faults.StoreUnavailable(), 4),
        (faults.DeadlineExceeded(), 4),
        (OutcomeUnknown(""), 5),
        (faults.OutcomeUnknown(), 5),
        (ServiceDefect(""), 70),
        (faults.InvariantViolation(), 70),
    ],
)
def test_each_failure_has_its_exit_code(failure, code):
    assert exit_of(failure) == code


def test_every_command_is_listed_here():
    assert sorted(_commands()) == sorted(COMMANDS)


def _commands():
    for command in entry.app.registered_commands:
        yield command.name or command.callback.__name__.replace("_", "-")
    for group in entry.app.registered_groups:
        for command in group.typer_instance.registered_commands:
            yield f"{group.name} {command.name}"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns_and_starts_with_a_sentence(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.argv", ["onhand", *command.split(), "--help"])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "Usage: onhand" in shown


def test_a_wrong_option_ends_with_2():
    assert onhand("query", "--nonsense").returncode == 2


def test_a_missing_environment_says_what_to_do():
    ended = onhand("query", "A", "-o", "usmf")
    assert ended.returncode == 2
    assert "ONHAND_ENVIRONMENT" in ended.stderr


def test_an_unreachable_service_ends_with_4():
    ended = onhand("query", "A", "-o", "usmf", "-e", "shop", "--url", "http://127.0.0.1:9")
    assert ended.returncode == 4
    assert "onhand serve" in ended.stderr


def test_a_wrong_setting_ends_with_2():
    ended = onhand("doctor", ONHAND_PORT="x")
    assert ended.returncode == 2
    assert "ONHAND_PORT" in ended.stderr


def test_presets_and_version_as_json():
    import msgspec

    assert {row["profile"] for row in msgspec.json.decode(onhand("config", "presets", "--json").stdout)} == {
        "standalone",
        "default-2023",
        "default-2024",
    }
    assert msgspec.json.decode(onhand("version", "--json").stdout)["onhand"]
