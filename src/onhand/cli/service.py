"""The service itself: serve, migrate, doctor, version."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import resource
import sys
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from onhand import __version__
from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import AsJson, ConfigFile, DatabaseUrl, DataDirectory, settings_of
from onhand.cli.output import Column, console, print_json, table
from onhand.service.faults import StoreUnavailable
from onhand.settings import Loaded, Settings, knobs, shown

if TYPE_CHECKING:
    from onhand.runtime import House, Started

OPEN_FILES_WANTED = 4_096
"""File descriptors below which `doctor` warns: each connection takes one."""


def serve(  # noqa: PLR0913 - one argument per option
    host: Annotated[
        str | None, typer.Option(help="Address. (default: 127.0.0.1)", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one. (default: 8300)", show_default=False)
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            help="token, static or none; the last two on loopback only. (default: token)", show_default=False
        ),
    ] = None,
    migrate_first: Annotated[
        bool, typer.Option("--migrate", help="Bring the schema of your own database up to date first.")
    ] = False,
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    Without a database URL it runs a PostgreSQL of its own in the data
    directory. All settings: `onhand doctor`.

    [dim]Examples[/]:

      onhand serve
      onhand serve --auth none --port 0
      ONHAND_DATABASE_URL=postgresql://… onhand serve --host 0.0.0.0
    """
    import uvloop

    from onhand.runtime import serve as serve_until_stopped

    loaded = settings_of(
        config, data_directory, database_url, host=host, port=port, auth=auth, migrate=migrate_first or None
    )
    settings = loaded.settings
    _configure_logs(settings)
    errors = console(errors=True)
    for stranger in loaded.strangers:
        errors.print(f"[yellow]Warning:[/] {stranger} is no setting of onhand; `onhand doctor` lists them.")

    def announce(started: Started) -> None:
        if as_json:
            sys.stdout.write(msgspec.json.encode(started).decode() + "\n")
        else:
            _greet(started, settings)
        sys.stdout.flush()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_until_stopped(settings, announce, errors.print))


def _configure_logs(settings: Settings) -> None:
    from onhand.telemetry import configure_logging

    form = settings.log_format
    if form == "auto":
        form = "console" if sys.stderr.isatty() else "json"
    configure_logging(form, settings.log_level.upper())
    # It lists its plug-ins one by one each time a schema is made.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)


def _greet(started: Started, settings: Settings) -> None:
    out = console()
    out.print(f"[bold]onhand {__version__}[/] serves at {started.url}", soft_wrap=True)
    out.print(f"Database: {started.database}", soft_wrap=True)
    if settings.auth != "token":
        out.print(f"[yellow]auth = {settings.auth}: every program on this machine may do everything.[/]")
    if not started.environments:
        out.print("\nThere is no environment yet. In another terminal:\n\n  onhand environments create shop")
    if settings.auth == "token" and not started.clients:
        out.print(
            "  onhand clients create web -e shop"
            if not started.environments
            else (
                "\nThere is no client yet. In another terminal:\n\n  onhand clients create web -e ENVIRONMENT"
            )
        )
    out.print("\nCtrl-C stops it.")


def migrate(
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make the database schema, or bring it up to date; harmless to repeat.

    [dim]Example[/]:

      ONHAND_DATABASE_URL=postgresql://… onhand migrate
    """
    from onhand.runtime import described, migrated

    loaded = settings_of(config, data_directory, database_url)
    schema = asyncio.run(migrated(loaded.settings, console(errors=True).print))
    if as_json:
        print_json({"schema": schema})
    else:
        console().print(f"The schema is version {schema}: {described(loaded.settings)}.", soft_wrap=True)


def version(as_json: AsJson = False) -> None:
    """Show the version of onhand and of what it stands on."""
    facts = {
        "onhand": __version__,
        "python": platform.python_version(),
        **{name: package_version(name) for name in ("asyncpg", "msgspec", "starlette", "uvicorn", "uvloop")},
    }
    if as_json:
        print_json(facts)
    else:
        console().print("  ".join(f"{name} {number}" for name, number in facts.items()), soft_wrap=True)


# Doctor ------------------------------------------------------------------------------------------------------


class Finding(msgspec.Struct, frozen=True):
    """One thing that `doctor` looked at."""

    what: str
    state: str
    """ok, warning or error."""
    says: str


def doctor(
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Check this installation, and show every setting with its origin.

    Exit code 4 when something would keep the service from working.
    """
    loaded = settings_of(config, data_directory, database_url)
    findings = [*_machine_findings(loaded), *asyncio.run(_database_findings(loaded.settings))]
    if as_json:
        print_json({"findings": findings, "settings": _settings_rows(loaded)})
    else:
        _show_doctor(findings, loaded)
    if any(finding.state == "error" for finding in findings):
        raise CommandFailed(Exit.BUSY, "The service would not work; see the errors above.")


def _machine_findings(loaded: Loaded) -> list[Finding]:
    settings, findings = loaded.settings, []
    findings.append(Finding("onhand", "ok", f"{__version__} on Python {platform.python_version()}"))
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < OPEN_FILES_WANTED:
        says = f"{files} allowed; raise it (ulimit -n {OPEN_FILES_WANTED}) for many connections"
        findings.append(Finding("open files", "warning", says))
    if settings.lanes > (os.cpu_count() or 1) * 2:
        findings.append(Finding("lanes", "warning", "more than twice the cores of this machine"))
    if settings.auth != "token":
        findings.append(
            Finding("access", "warning", f"auth = {settings.auth}: every local program may do everything")
        )
    findings += [
        Finding("environment", "warning", f"{name} is no setting; see the list below")
        for name in loaded.strangers
    ]
    if settings.embedded and Path(settings.data_directory).absolute() == Path("/").absolute():
        findings.append(Finding("data directory", "error", "must not be the root directory"))
    return findings


async def _database_findings(settings: Settings) -> list[Finding]:
    from onhand.runtime import described, visited

    try:
        async with visited(settings, lambda _line: None) as house:
            return [Finding("database", "ok", described(settings)), *await _contents(house)]
    except StoreUnavailable as fault:
        return [Finding("database", "error", str(fault))]


async def _contents(house: House) -> list[Finding]:
    server = await house.pool.fetchval("SHOW server_version")
    durable = await house.pool.fetchrow(
        "SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit"
    )
    assert durable is not None  # noqa: S101 - a SELECT without FROM has one row
    findings = [Finding("server", "ok", f"PostgreSQL {server}")]
    lasting = durable["fsync"] == "on" and durable["commit"] != "off"
    says = f"fsync {durable['fsync']}, synchronous_commit {durable['commit']}"
    if not lasting:
        says += ": an acknowledged reservation can be lost in a crash"
    findings.append(Finding("durability", "ok" if lasting else "error", says))
    environments, clients = await house.environments.list_environments(), await house.access.clients()
    findings.append(
        Finding(
            "environments",
            "ok" if environments else "warning",
            str(len(environments)) if environments else "none yet: onhand environments create shop",
        )
    )
    findings.append(
        Finding(
            "clients",
            "ok" if clients else "warning",
            str(len(clients)) if clients else "none yet: onhand clients create web -e shop",
        )
    )
    return findings


def _settings_rows(loaded: Loaded) -> list[dict[str, str]]:
    return [
        {
            "setting": knob.name,
            "value": shown(loaded.settings, knob.name),
            "unit": knob.unit,
            "origin": loaded.origins[knob.name],
            "variable": knob.variable,
            "why": knob.why,
        }
        for knob in knobs()
    ]


def _show_doctor(findings: list[Finding], loaded: Loaded) -> None:
    out = console()
    colors = {"ok": "green", "warning": "yellow", "error": "red"}
    for finding in findings:
        out.print(f"[{colors[finding.state]}]{finding.state:>8}[/]  {finding.what}: {finding.says}")
    columns = (Column("setting"), Column("value", number=True), Column("unit"), Column("from"))
    rows = ((row["setting"], row["value"], row["unit"], row["origin"]) for row in _settings_rows(loaded))
    out.print()
    out.print(table(columns, rows))
