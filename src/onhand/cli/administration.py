"""Administration on the database itself: environments and clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import AsJson, ConfigFile, DatabaseUrl, DataDirectory, settings_of
from onhand.cli.output import Column, console, print_json, table
from onhand.service.environments import Problems

if TYPE_CHECKING:
    from onhand.runtime import House

T = TypeVar("T")

environments = typer.Typer(
    no_args_is_help=True, help="Create, list, rename and delete environments (tenants)."
)
clients = typer.Typer(no_args_is_help=True, help="Create, list, disable and renew the clients of the API.")

BY = "cli"
"""Who did it, in the history of configurations."""


@dataclass(frozen=True, slots=True)
class Where:
    """The database to administrate."""

    config: ConfigFile
    data_directory: DataDirectory
    database_url: DatabaseUrl

    def run(self, work: Callable[[House], Awaitable[T]]) -> T:
        """Open the database beside a running service if there is one, and do the work."""
        from onhand.runtime import visited

        loaded = settings_of(self.config, self.data_directory, self.database_url)

        async def visit() -> T:
            async with visited(loaded.settings, console(errors=True).print) as house:
                return await work(house)

        return asyncio.run(visit())


def _refuse(problems: Problems | None) -> None:
    if problems is not None:
        raise CommandFailed(Exit.FAULT, "\n".join(problem.message for problem in problems.problems))


# Environments ------------------------------------------------------------------------------------------------


@environments.command("list")
def list_environments(
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the environments."""

    async def work(house: House) -> list[tuple[str, int, str, str]]:
        return [
            (
                rules.environment_id,
                rules.version,
                "location" if rules.by_location else "product",
                ", ".join(rules.reservation_dimensions),
            )
            for rules in await house.environments.list_environments()
        ]

    rows = Where(config, data_directory, database_url).run(work)
    if as_json:
        names = ("environment", "version", "partition", "reservationDimensions")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    elif rows:
        columns = (Column("environment"), Column("version", number=True), Column("by"), Column("reserves at"))
        console().print(table(columns, rows))
    else:
        console().print("There is no environment yet. Create one: onhand environments create shop")


@environments.command("create")
def create_environment(  # noqa: PLR0913 - one argument per option
    environment: Annotated[str, typer.Argument(help="Its id: letters, digits and hyphens, or a GUID.")],
    profile: Annotated[
        str, typer.Option(help="Configuration to start from: standalone, default-2023 or default-2024.")
    ] = "standalone",
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Create an environment.

    [dim]Examples[/]:

      onhand environments create shop
      onhand environments create contoso --profile default-2023
    """

    async def work(house: House) -> int:
        made = await house.environments.create(environment, profile, BY)
        if isinstance(made, Problems):
            _refuse(made)
            return 0
        return made.version

    version = Where(config, data_directory, database_url).run(work)
    if as_json:
        print_json({"environment": environment.lower(), "profile": profile, "version": version})
    else:
        console().print(f"Environment {environment.lower()} is ready (profile {profile}).")


@environments.command("rename")
def rename_environment(  # noqa: PLR0913 - one argument per option
    environment: Annotated[str, typer.Argument(help="Its id now.")],
    new: Annotated[str, typer.Argument(help="Its id from now on.")],
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give an environment another id; its data and reservation ids stay."""
    _refuse(
        Where(config, data_directory, database_url).run(
            lambda house: house.environments.rename(environment, new)
        )
    )
    if as_json:
        print_json({"environment": new.lower()})
    else:
        console().print(f"Environment {environment} is now {new.lower()}.")


@environments.command("delete")
def delete_environment(  # noqa: PLR0913 - one argument per option
    environment: Annotated[str, typer.Argument(help="Its id.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Delete an environment that holds no stock."""
    if not yes:
        typer.confirm(f"Delete the environment {environment} and its configuration?", abort=True)
    _refuse(
        Where(config, data_directory, database_url).run(lambda house: house.environments.delete(environment))
    )
    if as_json:
        print_json({"deleted": environment})
    else:
        console().print(f"Environment {environment} is deleted.")


# Clients -----------------------------------------------------------------------------------------------------


@clients.command("list")
def list_clients(
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the clients; secrets are kept only as hashes and cannot be shown."""
    rows = Where(config, data_directory, database_url).run(lambda house: house.access.clients())
    if as_json:
        print_json(
            [
                {
                    "clientId": row.client_id,
                    "environments": row.environments,
                    "scopes": row.scopes,
                    "disabled": row.disabled,
                }
                for row in rows
            ]
        )
        return
    if not rows:
        console().print("There is no client yet. Create one: onhand clients create web -e shop")
        return
    columns = (Column("client"), Column("environments"), Column("scopes"), Column("disabled"))
    cells = (
        (row.client_id, ", ".join(row.environments), ", ".join(row.scopes), row.disabled) for row in rows
    )
    console().print(table(columns, cells))


@clients.command("create")
def create_client(  # noqa: PLR0913 - one argument per option
    client: Annotated[str, typer.Argument(help="Its id, such as web or pos.")],
    environment: Annotated[
        list[str],
        typer.Option(
            "--environment",
            "-e",
            help="Environment it may use; repeat it, or '*' for all.",
            show_default=False,
        ),
    ],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do; repeat it. (default: onhand:read, onhand:write, reservation:write)",
            show_default=False,
        ),
    ] = None,
    export: Annotated[
        bool, typer.Option("--export", help='Print shell lines: eval "$(onhand clients create … --export)".')
    ] = False,
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Create a client and print its secret, once.

    [dim]Examples[/]:

      onhand clients create web -e shop
      onhand clients create ops -e '*' --scope admin --scope config:write
    """

    async def work(house: House) -> str:
        if any(known.client_id == client for known in await house.access.clients()):
            raise CommandFailed(
                Exit.FAULT,
                f"The client {client} exists. `onhand clients rotate {client}` gives it a new secret.",
            )
        return await _save(house, client, tuple(environment), tuple(scope or ()))

    secret = Where(config, data_directory, database_url).run(work)
    _show_secret(
        client, secret, environment[0] if len(environment) == 1 else "", export=export, as_json=as_json
    )


async def _save(house: House, client: str, environments_: tuple[str, ...], scopes: tuple[str, ...]) -> str:
    known = {rules.environment_id for rules in await house.environments.list_environments()} | {"*"}
    unknown = sorted({name.lower() for name in environments_} - known)
    if unknown:
        raise CommandFailed(
            Exit.FAULT,
            f"There is no environment {', '.join(unknown)}. Create it first: onhand environments create {unknown[0]}",
        )
    try:
        return await house.access.create_client(client, environments_, scopes)
    except ValueError as wrong:
        raise CommandFailed(Exit.FAULT, str(wrong)) from None


def _show_secret(client: str, secret: str, environment: str, *, export: bool, as_json: bool) -> None:
    lines = {"ONHAND_CLIENT_ID": client, "ONHAND_CLIENT_SECRET": secret}
    if environment and environment != "*":
        lines["ONHAND_ENVIRONMENT"] = environment
    if as_json:
        print_json({"clientId": client, "clientSecret": secret})
    elif export:
        typer.echo("\n".join(f"export {name}='{value}'" for name, value in lines.items()))
    else:
        out = console()
        out.print(f"Client [bold]{client}[/] is ready. Its secret is shown only now:\n")
        for name, value in lines.items():
            out.print(f"  export {name}='{value}'", soft_wrap=True)


@clients.command("rotate")
def rotate_client(  # noqa: PLR0913 - one argument per option
    client: Annotated[str, typer.Argument(help="Its id.")],
    export: Annotated[bool, typer.Option("--export", help="Print shell lines for eval.")] = False,
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give a client a new secret (and enable it again); the old one ends at once."""

    async def work(house: House) -> str:
        for row in await house.access.clients():
            if row.client_id == client:
                return await _save(house, client, row.environments, row.scopes)
        raise CommandFailed(Exit.FAULT, f"There is no client {client}.")

    secret = Where(config, data_directory, database_url).run(work)
    _show_secret(client, secret, "", export=export, as_json=as_json)


@clients.command("disable")
def disable_client(
    client: Annotated[str, typer.Argument(help="Its id.")],
    config: ConfigFile = None,
    data_directory: DataDirectory = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Refuse a client from now on; a running service follows within a minute."""
    if not Where(config, data_directory, database_url).run(lambda house: house.access.disable_client(client)):
        raise CommandFailed(Exit.FAULT, f"There is no client {client}.")
    if as_json:
        print_json({"disabled": client})
    else:
        console().print(f"Client {client} is disabled.")
