"""The configuration of an environment: show, check, compare, apply; and the token of this client."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import DEFAULT_URL, AsJson, Environment, Url, connect, credentials
from onhand.cli.output import Column, console, print_json, table
from onhand.cli.stock import clock
from onhand.client import Client, calls
from onhand.core.configuration import Change, Problem

app = typer.Typer(no_args_is_help=True, help="Show, validate, compare and apply configurations.")

Document = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="Configuration as a JSON file.")
]


def _read(path: Path) -> Any:  # noqa: ANN401 - any JSON document
    try:
        return msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError as cause:
        raise CommandFailed(Exit.FAULT, f"{path} is not JSON: {cause}") from None


@app.command("show")
def show(
    version: Annotated[int | None, typer.Option(help="An earlier version.", show_default=False)] = None,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: Annotated[
        bool, typer.Option("--json", help="With its version, switches and who applied it.")
    ] = False,
) -> None:
    """Print the configuration document as JSON.

    [dim]Example[/]:

      onhand config show > configuration.json
    """
    with connect(url, environment) as service:
        answer = service.send(calls.fetch("/configuration", version=version))
    print_json(answer if as_json else answer["document"])


@app.command("presets")
def presets(as_json: AsJson = False) -> None:
    """List the configurations that a new environment can start from."""
    rows = [
        ("standalone", "stock is posted to iv.onhand by you; the default"),
        ("default-2024", "the current default of Inventory Visibility, for its clients"),
        ("default-2023", "the default of 2023, whose measures older clients name"),
    ]
    if as_json:
        print_json([{"profile": name, "for": what} for name, what in rows])
    else:
        console().print(table((Column("profile"), Column("for")), rows))


@app.command("validate")
def validate(
    file: Document, environment: Environment = "", url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Check a configuration without applying it; exit code 2 when it is wrong.

    [dim]Example[/]:

      onhand config validate configuration.json
    """
    with connect(url, environment) as service:
        answer = service.send(
            calls.ask("POST", "/configuration/validate", {"document": _read(file)}, repeatable=True)
        )
    problems = msgspec.convert(answer["problems"], list[Problem])
    if as_json:
        print_json(answer)
    elif problems:
        console().print("\n".join(map(str, problems)), markup=False)
    if not answer["valid"]:
        raise CommandFailed(Exit.FAULT, f"{file} cannot be applied.")
    if not as_json:
        console().print(f"{file} can be applied.")


@app.command("diff")
def diff(
    file: Document, environment: Environment = "", url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Show what applying a configuration would change.

    [dim]Example[/]:

      onhand config diff configuration.json
    """
    with connect(url, environment) as service:
        changes = _changes(service, _read(file))
    if as_json:
        print_json(changes)
    else:
        console().print("\n".join(map(str, changes)) or "Nothing would change.", markup=False)


def _changes(service: Client, document: object) -> list[Change]:
    answer = service.send(calls.ask("POST", "/configuration/diff", {"document": document}, repeatable=True))
    return msgspec.convert(answer["changes"], list[Change])


@app.command("apply")
def apply(  # noqa: PLR0913 - one argument per option
    file: Document,
    reason: Annotated[str, typer.Option(help="Why; kept in the history.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Apply a configuration, after showing what it changes.

    Refused when somebody else applied one since it was compared.

    [dim]Example[/]:

      onhand config apply configuration.json --reason 'reserve by style'
    """
    document = _read(file)
    with connect(url, environment) as service:
        current = service.send(calls.fetch("/configuration"))["version"]
        changes = _changes(service, document)
        if not changes:
            console(errors=True).print("Nothing would change.")
            return
        if not yes:
            console(errors=True).print("\n".join(map(str, changes)), markup=False)
            typer.confirm("Apply?", abort=True, err=True)
        body = {"document": document, "reason": reason}
        call = calls.ask("PUT", "/configuration", body, headers={"If-Match": f'"{current}"'})
        answer = service.send(call)
    if as_json:
        print_json({"version": answer["version"], "changes": changes})
    else:
        console().print(f"Version {answer['version']} is in force.")


@app.command("history")
def history(environment: Environment = "", url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the versions of the configuration, newest first."""
    with connect(url, environment) as service:
        rows = service.send(calls.fetch("/configuration/history"))["items"]
    if as_json:
        print_json(rows)
        return
    columns = (Column("version", number=True), Column("applied (UTC)"), Column("by"), Column("reason"))
    cells = ((row["version"], clock(row["appliedAt"]), row["appliedBy"], row["reason"]) for row in rows)
    console().print(table(columns, cells))


def token(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Print an access token for ONHAND_CLIENT_ID and ONHAND_CLIENT_SECRET.

    [dim]Example[/]:

      TOKEN=$(onhand token)
    """
    with Client(url, credentials=credentials()) as service:
        answer = service.token()
    if as_json:
        print_json(answer)
    else:
        typer.echo(answer.access_token)
