"""What a command prints: tables for people on standard output, one JSON document with `--json`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

_encode = msgspec.json.Encoder(decimal_format="number").encode

PLAIN_WIDTH = 80
"""Columns when the output is no terminal, so that a pipe or a log reads like one."""


def console(*, errors: bool = False) -> Console:
    """A console on standard output or standard error."""
    stream = sys.stderr if errors else sys.stdout
    return Console(
        file=stream, highlight=False, width=None if stream.isatty() else PLAIN_WIDTH, soft_wrap=False
    )


def progress() -> Progress:
    """A progress bar on standard error; it says nothing when that is no terminal."""
    where = console(errors=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=where,
        transient=True,
        disable=not where.is_terminal,
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    number: bool = False
    whole: bool = False
    """Never break a value; the other columns give way."""


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]], *, title: str | None = None) -> Table:
    """A plain table that fits 80 columns as long as its values do."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(
            column.title,
            justify="right" if column.number else "left",
            no_wrap=column.number or column.whole,
            overflow="fold",
        )
    for row in rows:
        made.add_row(*(text(value) for value in row))
    return made


def text(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return quantity(value)
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def quantity(value: Decimal | int) -> str:
    """A quantity without needless zeros, with thousands separators."""
    exact = Decimal(value)
    return f"{exact:,.0f}" if exact == exact.to_integral_value() else f"{exact.normalize():,f}"


def where(dimensions: dict[str, str]) -> str:
    """Dimension values in one cell: `1/11 red small`, with names only where the value alone would not do."""
    known = {name.lower(): value for name, value in dimensions.items() if value}
    place = "/".join(known.pop(name) for name in ("siteid", "locationid") if name in known)
    rest = [
        value if name in {"colorid", "sizeid", "styleid", "configid"} else f"{name}={value}"
        for name, value in known.items()
    ]
    return " ".join([place, *rest] if place else rest) or "-"


def print_json(value: object) -> None:
    """One JSON document on standard output, numbers exact."""
    encoded = msgspec.json.format(_encode(value), indent=2)
    sys.stdout.write(encoded.decode() + "\n")
