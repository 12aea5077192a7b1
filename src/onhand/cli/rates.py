"""Exchange rates: load a file, list what is there."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import DEFAULT_URL, AsJson, Environment, Url, connect
from onhand.cli.output import Column, console, print_json, table
from onhand.client import calls

app = typer.Typer(no_args_is_help=True, help="Load and list exchange rates.")

COLUMNS: Final = {
    "from": "fromCurrency",
    "fromcurrency": "fromCurrency",
    "to": "toCurrency",
    "tocurrency": "toCurrency",
    "rate": "rate",
    "validfrom": "validFrom",
    "valid_from": "validFrom",
    "date": "validFrom",
}
"""Names of a CSV column in lower case, and what it means."""
WANTED: Final = ("fromCurrency", "toCurrency", "rate", "validFrom")
SEND: Final = 5_000
"""Rates of one request."""
SHOWN_MAX: Final = 20
"""Faulty lines that are listed; the rest is counted."""


@app.command("load")
def load(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV file.")],
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Enter the exchange rates of a file; a rate of the same pair and moment is replaced.

    The file is checked as a whole before anything is sent. Loading it again changes nothing.

    [dim]Example[/]:

      onhand rates load rates.csv

    [dim]CSV[/]: a header with [bold]fromCurrency[/], [bold]toCurrency[/], [bold]rate[/] and [bold]validFrom[/] (a day
    or a time in UTC).
    """
    rates = _read(file)
    with connect(url, environment) as service:
        for start in range(0, len(rates), SEND):
            service.send(
                calls.ask("PUT", "/exchange-rates", {"rates": rates[start : start + SEND]}, repeatable=True)
            )
    if as_json:
        print_json({"rates": len(rates)})
    else:
        console().print(f"{len(rates):,} rates are in.")


@app.command("list")
def list_rates(  # noqa: PLR0913 - one argument per option
    source: Annotated[str, typer.Option("--from", help="Only from this currency.", show_default=False)] = "",
    target: Annotated[str, typer.Option("--to", help="Only to this currency.", show_default=False)] = "",
    at: Annotated[
        str, typer.Option("--at", help="Only those in force at this time (UTC).", show_default=False)
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Rows at most.")] = 100,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List exchange rates by pair and time.

    [dim]Example[/]:

      onhand rates list --from EUR --at 2026-03-01
    """
    call = calls.fetch(
        "/exchange-rates",
        fromCurrency=source or None,
        toCurrency=target or None,
        validAt=_moment(at) if at else None,
        limit=limit,
    )
    with connect(url, environment) as service:
        found = service.send(call)["result"]
    if as_json:
        print_json(found)
    elif not found:
        console().print("There is no such rate.")
    else:
        columns = (
            Column("from"),
            Column("to"),
            Column("rate", number=True),
            Column("valid from (UTC)", whole=True),
        )
        console().print(table(columns, [_row(rate) for rate in found]))


def _row(rate: dict[str, Any]) -> Sequence[object]:
    return rate["fromCurrency"], rate["toCurrency"], rate["rate"], rate["validFrom"]


def _read(file: Path) -> list[dict[str, object]]:
    """The rates of a file; ends the command when a line is wrong."""
    wrong: list[str] = []
    rates: list[dict[str, object]] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for line, found in _lines(csv.reader(lines, strict=True)):
                if isinstance(found, str):
                    wrong.append(f"  line {line}: {found}")
                else:
                    rates.append(found)
    except (csv.Error, UnicodeDecodeError) as cause:
        raise CommandFailed(Exit.FAULT, f"{file} is not CSV in UTF-8: {cause}") from None
    if wrong:
        more = [f"  and {len(wrong) - SHOWN_MAX:,} more"] if len(wrong) > SHOWN_MAX else []
        text = "\n".join([f"{file}: nothing was sent, because of:", *wrong[:SHOWN_MAX], *more])
        raise CommandFailed(Exit.FAULT, text)
    return rates


def _lines(rows: Any) -> Iterator[tuple[int, dict[str, object] | str]]:  # noqa: ANN401 - a csv reader
    header = [COLUMNS.get(name.strip().lower(), "") for name in next(rows, [])]
    missing = [name for name in WANTED if name not in header]
    if missing:
        raise CommandFailed(
            Exit.FAULT, f"The first line must name the columns; {', '.join(missing)} missing."
        )
    for row in rows:
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        if any(cells.values()):
            yield rows.line_num, _rate(cells)


def _rate(cells: dict[str, str]) -> dict[str, object] | str:
    for name in WANTED:
        if not cells.get(name):
            return f"no {name}"
    try:
        rate = Decimal(cells["rate"])
    except InvalidOperation:
        return f"rate: {cells['rate']!r} is no number"
    return {
        "fromCurrency": cells["fromCurrency"],
        "toCurrency": cells["toCurrency"],
        "rate": rate,
        "validFrom": _moment(cells["validFrom"]),
    }


def _moment(text: str) -> str:
    """A day as its beginning; a time as it is."""
    return f"{text}T00:00:00Z" if len(text) == len("2026-03-01") else text
