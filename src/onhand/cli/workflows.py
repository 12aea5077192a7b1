"""Ready-made order workflows: list them, show one, install it in an environment."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import DEFAULT_URL, AsJson, Environment, Url, connect
from onhand.cli.output import Column, console, print_json, table
from onhand.client import Client, calls
from onhand.core.orders import presets
from onhand.core.orders.presets import PRESETS

app = typer.Typer(no_args_is_help=True, help="List, show and install ready-made order workflows.")

Key = Annotated[str, typer.Argument(help="Key of the workflow; `onhand workflows list` names them.")]

_LISTED: Final = (Column("key", whole=True), Column("order type", whole=True), Column("what it does"))


@app.command("list")
def list_workflows(as_json: AsJson = False) -> None:
    """List the ready-made workflows. Needs no service.

    [dim]Example[/]:

      onhand workflows list
    """
    if as_json:
        print_json([_summary(one) for one in PRESETS])
        return
    console().print(table(_LISTED, [(one.key, one.order_type.name, one.title) for one in PRESETS]))


@app.command("show")
def show(key: Key) -> None:
    """Print a workflow as JSON: its order type, and what else belongs to it. Needs no service.

    [dim]Example[/]:

      onhand workflows show click-and-collect
    """
    print_json(presets.show(_preset(key)))


@app.command("install")
def install(  # noqa: PLR0913 - one argument per option
    key: Key,
    name: Annotated[
        str, typer.Option(help="Name of the order type.", show_default="that of the workflow")
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Replace an order type of this name.")] = False,
    default: Annotated[bool, typer.Option("--default", help="Make it the default order type.")] = False,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Save a workflow as an order type of the environment, with the settings and tasks that belong to it.

    What is there already stays: another order type of the name (unless --replace), a return workflow, a task.

    [dim]Example[/]:

      onhand workflows install online-standard --default
    """
    preset = presets.show(_preset(key))
    kind = {**preset["orderType"], "defaultOrderType": default}
    kind["name"] = name.strip() or kind["name"]
    with connect(url, environment) as service:
        if not replace and _exists(service, kind["name"]):
            raise CommandFailed(
                Exit.REFUSED,
                f"There is an order type {kind['name']} already; choose another --name, or --replace.",
            )
        path = f"/order-types/{quote(kind['name'], safe='')}"
        saved = service.send(calls.ask("PUT", path, kind, repeatable=True))
        done = [f"Order type {saved['name']} has version {saved['versionId']}."]
        done += _with_returns(service, preset.get("returnSettings"))
        done += _with_tasks(service, preset.get("scheduledTasks", []))
    if as_json:
        print_json(saved)
        return
    console().print("\n".join(done), markup=False)
    for warning in saved["lintWarnings"]:
        console(errors=True).print(f"warning: {warning['path']}: {warning['message']}", markup=False)


def _preset(key: str) -> presets.Preset:
    found = presets.preset(key)
    if found is None:
        known = ", ".join(one.key for one in PRESETS)
        raise CommandFailed(Exit.FAULT, f"There is no workflow {key!r}. Known: {known}.")
    return found


def _summary(one: presets.Preset) -> dict[str, str]:
    return {
        "key": one.key,
        "orderType": one.order_type.name,
        "title": one.title,
        "description": one.description,
    }


def _exists(service: Client, name: str) -> bool:
    rows = service.send(calls.fetch("/order-types"))["result"]
    return any(row["name"].strip().lower() == name.strip().lower() for row in rows)


def _with_returns(service: Client, settings: dict[str, Any] | None) -> list[str]:
    """Save the return workflow, unless there is one."""
    if settings is None:
        return []
    current = service.send(calls.fetch("/order-settings"))
    if current["returnSettings"]["returnStatuses"]:
        return ["The return workflow of the order settings stays as it is."]
    service.send(calls.ask("PUT", "/order-settings", {**current, "returnSettings": settings}))
    return ["The return workflow is part of the order settings now."]


def _with_tasks(service: Client, tasks: list[dict[str, Any]]) -> list[str]:
    """Add the tasks that are not there."""
    if not tasks:
        return []
    current = service.send(calls.fetch("/scheduled-tasks"))
    known = {row["id"].lower() for row in current["result"]}
    new = [task for task in tasks if task["id"].lower() not in known]
    if new:
        version = {"If-Match": f'"{current["versionId"]}"'}
        service.send(calls.ask("PUT", "/scheduled-tasks", [*current["result"], *new], headers=version))
    return [f"Task {task['id']} runs at {task['schedule']}." for task in new]
