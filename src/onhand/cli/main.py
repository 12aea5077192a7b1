"""The command line's entry: the list of commands, and how a failure becomes a message and an exit code."""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from onhand.cli import (
    administration,
    configuration,
    demonstration,
    erp,
    holds,
    loading,
    orders,
    rates,
    service,
    simulation,
    stock,
    verification,
    workflows,
)
from onhand.cli.exits import FAILURES, Exit, exit_of
from onhand.cli.output import console

app = typer.Typer(
    name="onhand",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The single source of truth for sellable stock.",
    epilog="Exit codes: 0 done, 2 wrong request, 3 refused by the rules, 4 busy or unreachable, "
    "5 answer lost (send it again with the same id), 70 violation.",
)

RUN, SET_UP, WORK, LOOK = "Run", "Set up (works on the database)", "Daily work (over HTTP)", "Look inside"

app.command(rich_help_panel=RUN)(service.serve)
app.command(rich_help_panel=RUN)(demonstration.demo)
app.command(rich_help_panel=RUN)(simulation.erp_sim)
app.add_typer(administration.environments, name="environments", rich_help_panel=SET_UP)
app.add_typer(administration.clients, name="clients", rich_help_panel=SET_UP)
app.command(rich_help_panel=SET_UP)(service.migrate)
app.command(rich_help_panel=SET_UP)(verification.verify)
app.command(rich_help_panel=SET_UP)(service.doctor)
app.command(rich_help_panel=WORK)(stock.query)
# A negative quantity must not be taken for an option.
app.command(rich_help_panel=WORK, context_settings={"ignore_unknown_options": True})(stock.reserve)
app.command(rich_help_panel=WORK)(stock.unreserve)
app.add_typer(holds.app, name="holds", rich_help_panel=WORK)
app.command(rich_help_panel=WORK)(loading.load)
app.add_typer(orders.app, name="orders", rich_help_panel=WORK)
app.add_typer(erp.app, name="erp", rich_help_panel=WORK)
app.add_typer(rates.app, name="rates", rich_help_panel=WORK)
app.add_typer(workflows.app, name="workflows", rich_help_panel=WORK)
app.add_typer(configuration.app, name="config", rich_help_panel=WORK)
app.command(rich_help_panel=WORK)(configuration.token)
app.command(rich_help_panel=LOOK)(stock.movements)
app.command(rich_help_panel=LOOK)(stock.refusals)
app.command(rich_help_panel=LOOK)(service.version)


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        app(prog_name="onhand")
    except FAILURES as failure:
        code = exit_of(failure)
        if code is not Exit.DONE:
            report(failure)
        sys.exit(int(code))


def report(failure: BaseException) -> None:
    """Say on standard error why the command failed."""
    errors = console(errors=True)
    reference = getattr(failure, "reference", "")
    errors.print(f"[red]onhand:[/] {escape(str(failure))}", soft_wrap=True)
    if reference:
        errors.print(f"        reference {reference}", soft_wrap=True)


if __name__ == "__main__":
    main()
