"""`onhand erp`: what concerns an ERP and the other systems that post quantities."""

from __future__ import annotations

import typer

from onhand.cli import consistency

app = typer.Typer(no_args_is_help=True, help="Compare data sources with what is on hand, and correct.")
app.command("check")(consistency.check)
app.command("fix")(consistency.fix)
app.command("checks")(consistency.list_checks)
