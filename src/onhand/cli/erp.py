"""The ERP side from the command line: the failed list, the synchronisation, a resync, consistency checks."""

from __future__ import annotations

from typing import Annotated

import typer

from onhand.cli import consistency
from onhand.cli.options import DEFAULT_URL, AsJson, Environment, Url, connect
from onhand.cli.output import Column, console, print_json, quantity, where
from onhand.cli.resync import resync
from onhand.cli.stock import ROWS_SHOWN, Limit, listing, show
from onhand.client import calls

app = typer.Typer(no_args_is_help=True, help="Order lines of the ERP and its figures.")
app.command("resync")(resync)
app.command("check")(consistency.check)
app.command("fix")(consistency.fix)
app.command("checks")(consistency.list_checks)


@app.command("sync")
def sync(environment: Environment = "", url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Post everything that waits in the environment, now."""
    with connect(url, environment) as service:
        done = service.send(calls.ask("POST", "/erp/sync/run", repeatable=True))
    if as_json:
        print_json(done)
    else:
        console().print(
            f"{done['posted']:,} lines posted, {done['failed']:,} failed, {done['waiting']:,} wait."
        )


@app.command("failed")
def failed(
    limit: Limit = ROWS_SHOWN, environment: Environment = "", url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """What could not be offset or posted, and why."""
    with connect(url, environment) as service:
        rows = listing(service, "/erp/failed", {}, limit)
    columns = (
        Column("line", whole=True),
        Column("product", whole=True),
        Column("left", number=True),
        Column("line at"),
        Column("reserved at"),
        Column("why"),
    )
    show(rows, columns, _failure, as_json=as_json, empty="Nothing failed.")


@app.command("lines")
def lines(  # noqa: PLR0913 - one argument per option
    order: Annotated[str | None, typer.Option(help="Only this order.", show_default=False)] = None,
    state: Annotated[
        str | None, typer.Option(help="Only settled, pending or failed ones.", show_default=False)
    ] = None,
    limit: Limit = ROWS_SHOWN,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List order lines, newest first."""
    with connect(url, environment) as service:
        rows = listing(service, "/erp/lines", {"orderId": order, "state": state}, limit)
    columns = (
        Column("line", whole=True),
        Column("product", whole=True),
        Column("where"),
        Column("quantity", number=True),
        Column("status"),
        Column("state"),
    )
    show(rows, columns, _line, as_json=as_json, empty="There is no such line.")


@app.command("sources")
def sources(
    limit: Limit = ROWS_SHOWN, environment: Environment = "", url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Sources of messages: what each has to send next, what is missing, what was refused of it."""
    with connect(url, environment) as service:
        rows = listing(service, "/erp/sources", {}, limit)
    columns = (
        Column("source", whole=True),
        Column("next", number=True),
        Column("missing"),
        Column("refused", number=True),
        Column("of them forgotten", number=True),
        Column("last refusal"),
    )
    show(rows, columns, _source, as_json=as_json, empty="No source has sent a message.")


def _source(row: dict[str, object]) -> tuple[object, ...]:
    missing, refused, forgotten = row.get("missing"), row["refused"], row["refusedForgotten"]
    known = refused if isinstance(refused, list) else []
    lost = forgotten if isinstance(forgotten, int) else 0
    last = known[-1] if known else None
    return (
        row["source"],
        row["next"],
        f"{missing[0]} to {missing[1]}" if isinstance(missing, list) else None,
        len(known) + lost,
        lost,
        f"{last['sequence']} ({last['lineId']}): {last['message']}" if last else None,
    )


def _failure(row: dict[str, object]) -> tuple[object, ...]:
    offset = row.get("offset")
    if not isinstance(offset, dict):
        return row["lineId"], row["productId"], None, None, None, row.get("refused")
    return (
        row["lineId"],
        row["productId"],
        quantity(offset["quantity"] - offset["consumed"]),
        where(offset.get("lineNode", {})),
        where(offset.get("reservedNode", {})),
        offset.get("message"),
    )


def _line(row: dict[str, object]) -> tuple[object, ...]:
    parts, at = row["transactions"], row["dimensions"]
    units: dict[str, object] = {}
    if isinstance(parts, list):
        units = {part["status"]: quantity(part["quantity"]) for part in parts}
    status = ", ".join(f"{number} {name}" for name, number in units.items())
    return (
        row["lineId"],
        row["productId"],
        where(at) if isinstance(at, dict) else None,
        row["quantity"],
        status,
        row["state"],
    )
