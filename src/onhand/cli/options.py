"""Options that several commands share, and what their texts mean."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from onhand.cli.exits import CommandFailed, Exit
from onhand.client import BearerToken, Client, ClientSecret, Credentials
from onhand.settings import Loaded, load

DEFAULT_URL = "http://127.0.0.1:8300"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

Environment = Annotated[
    str,
    typer.Option(
        "--environment",
        "-e",
        envvar="ONHAND_ENVIRONMENT",
        help="Environment (tenant) to work in.",
        show_default=False,
        rich_help_panel="Connection",
    ),
]
Url = Annotated[
    str,
    typer.Option(envvar="ONHAND_URL", help="Address of the service.", rich_help_panel="Connection"),
]
Organization = Annotated[
    str,
    typer.Option(
        "--organization",
        "-o",
        envvar="ONHAND_ORGANIZATION",
        help="Organization (legal entity).",
        show_default=False,
    ),
]
DimensionValues = Annotated[
    list[str] | None,
    typer.Option(
        "--dimension",
        "-d",
        metavar="NAME=VALUE",
        help="Dimension value; repeat it, or separate several by commas.",
        show_default=False,
    ),
]
CommandId = Annotated[
    str,
    typer.Option(
        "--id",
        help="Id of this request; the same id has its effect once. Generated if left out.",
        show_default=False,
    ),
]

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with settings.", show_default=False, rich_help_panel="Database"),
]
DataDirectory = Annotated[
    Path | None,
    typer.Option(
        help="Directory of the embedded PostgreSQL. (default: .onhand)",
        show_default=False,
        rich_help_panel="Database",
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        help="PostgreSQL of your own; better given in ONHAND_DATABASE_URL.",
        show_default=False,
        rich_help_panel="Database",
    ),
]


def settings_of(
    config: Path | None, data_directory: Path | None, database_url: str | None, **options: object
) -> Loaded:
    """Settings with the options of a command on top.

    Raises:
        SettingsError: one of them cannot be used.
    """
    return load({"data_directory": data_directory, "database_url": database_url, **options}, config)


def connect(url: str, environment: str) -> Client:
    """A client with the credentials of the environment variables.

    Raises:
        CommandFailed: no environment was named.
    """
    if not environment:
        raise CommandFailed(Exit.FAULT, "Which environment? Give --environment, or set ONHAND_ENVIRONMENT.")
    return Client(url, environment, credentials())


def credentials() -> Credentials:
    """ONHAND_TOKEN, or ONHAND_CLIENT_ID with ONHAND_CLIENT_SECRET (or …_SECRET_FILE), or none at all.

    Secrets come from variables or files only: arguments are visible to every user of the machine.
    """
    if token := os.environ.get("ONHAND_TOKEN"):
        return BearerToken(token)
    client_id = os.environ.get("ONHAND_CLIENT_ID")
    if not client_id:
        return None
    secret = os.environ.get("ONHAND_CLIENT_SECRET")
    if not secret and (path := os.environ.get("ONHAND_CLIENT_SECRET_FILE")):
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except OSError as cause:
            raise CommandFailed(
                Exit.FAULT, f"ONHAND_CLIENT_SECRET_FILE: cannot read {path}: {cause.strerror}"
            ) from None
    if not secret:
        raise CommandFailed(Exit.FAULT, "ONHAND_CLIENT_ID is set, but ONHAND_CLIENT_SECRET is not.")
    return ClientSecret(client_id, secret)


def dimensions_of(given: list[str] | None) -> dict[str, str]:
    """`["siteid=1,locationid=11", "colorid=red"]` as a mapping.

    A comma separates only where another `name=` follows, so a value may contain commas.

    Raises:
        CommandFailed: a part is not NAME=VALUE.
    """
    found: dict[str, str] = {}
    for argument in given or []:
        for part in re.split(r",(?=\s*\w+=)", argument):
            name, equals, value = part.strip().partition("=")
            if not equals or not name.strip():
                raise CommandFailed(
                    Exit.FAULT, f"--dimension {argument!r}: expected NAME=VALUE, such as siteid=1."
                )
            found[name.strip()] = value.strip()
    return found


def seconds_of(text: str) -> int:
    """`90`, `90s`, `15m`, `2h` or `1d` as seconds.

    Raises:
        CommandFailed: it is none of these.
    """
    match = re.fullmatch(r"(\d+)([smhd]?)", text.strip().lower())
    if match is None:
        raise CommandFailed(Exit.FAULT, f"{text!r} is no duration; write 90s, 15m, 2h or 1d.")
    return int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}[match[2]]


def organization_of(given: str) -> str:
    """The organization, or a message that says how to give it.

    Raises:
        CommandFailed: none was given.
    """
    if not given:
        raise CommandFailed(
            Exit.FAULT, "Which organization? Give --organization, or set ONHAND_ORGANIZATION."
        )
    return given
