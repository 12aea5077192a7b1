"""`onhand load`: post a file of on-hand records in bulks, so that doing it again changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from onhand.cli import records
from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import DEFAULT_URL, AsJson, Environment, Organization, Url, credentials
from onhand.cli.output import console, print_json, progress
from onhand.cli.records import Record, Wrong
from onhand.client import AsyncClient, BulkAnswer, Call, Envelope, calls

BULK_ITEMS = 512
"""Records of one request; the service takes no more."""
AT_ONCE = 4
"""Requests in flight; the order of changes does not matter, so they may overtake each other."""
SHOWN_MAX = 20
"""Faulty lines that are listed; the rest is counted."""
BUSY_ROUNDS_MAX = 20
"""How often records that were answered 'busy' are sent again."""


@dataclass(slots=True)
class Tally:
    """What became of the records."""

    accepted: int = 0
    refused: list[Wrong] = field(default_factory=list)
    busy: int = 0


def load(  # noqa: PLR0913 - one argument per option
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV or NDJSON file.")
    ],
    organization: Organization = "",
    count: Annotated[
        str,
        typer.Option(
            "--set",
            metavar="SOURCE",
            help="The quantities of this data source are counts: set them, do not add.",
            show_default=False,
        ),
    ] = "",
    run: Annotated[
        str,
        typer.Option(help="Name of this load. (default: digest of the file)", show_default=False),
    ] = "",
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Add the quantities of a file to what is on hand.

    The file is checked as a whole before anything is sent. Each record's id
    is made of the file's digest and the line, so loading the same file again
    finishes what was interrupted and changes nothing twice.

    [dim]Examples[/]:

      onhand load opening.csv -o usmf
      onhand load count.csv -o usmf --set iv

    [dim]CSV[/]: a header with [bold]product[/], dimensions such as
    [bold]siteid[/], and quantities such as [bold]iv.onhand[/].
    """
    if not environment:
        raise CommandFailed(Exit.FAULT, "Which environment? Give --environment, or set ONHAND_ENVIRONMENT.")
    name = f"load-{run or records.digest(file)}"
    total = _check(file, name, organization)
    tally = asyncio.run(_load(file, name, organization, count, total, url, environment))
    if as_json:
        print_json(
            {
                "records": total,
                "accepted": tally.accepted,
                "refused": [{"line": wrong.line, "message": wrong.message} for wrong in tally.refused],
                "busy": tally.busy,
                "run": name.removeprefix("load-"),
            }
        )
    else:
        console().print(f"{tally.accepted:,} of {total:,} records are in.")
    if tally.refused:
        raise CommandFailed(Exit.REFUSED, _listed("The rules refused", tally.refused) + _remedy(name))
    if tally.busy:
        raise CommandFailed(
            Exit.BUSY, f"{tally.busy:,} records were not decided; run the same command again."
        )


def _check(file: Path, name: str, organization: str) -> int:
    """Number of records; ends the command when a line cannot be posted."""
    wrong: list[Wrong] = []
    total = 0
    try:
        for item in records.read(file, name, organization):
            if isinstance(item, Wrong):
                wrong.append(item)
            else:
                total += 1
    except records.Unusable as cause:
        raise CommandFailed(Exit.FAULT, str(cause)) from None
    if wrong:
        raise CommandFailed(Exit.FAULT, _listed(f"{file}: nothing was sent, because of", wrong))
    return total


def _listed(what: str, wrong: list[Wrong]) -> str:
    lines = [f"  line {item.line}: {item.message}" for item in wrong[:SHOWN_MAX]]
    if len(wrong) > SHOWN_MAX:
        lines.append(f"  and {len(wrong) - SHOWN_MAX:,} more")
    return "\n".join([f"{what} {len(wrong):,} {'line' if len(wrong) == 1 else 'lines'}:", *lines])


def _remedy(name: str) -> str:
    return (
        "\nThe other records are in. Correct these lines in the file and load it again with "
        f"--run {name.removeprefix('load-')}: what is in stays as it is."
    )


async def _load(  # noqa: PLR0913 - what the command was told
    file: Path, name: str, organization: str, count: str, total: int, url: str, environment: str
) -> Tally:
    tally = Tally()
    good = (item for item in records.read(file, name, organization) if isinstance(item, Record))
    chunks = _chunks(good)
    async with AsyncClient(url, environment, credentials()) as service:
        with progress() as bars:
            bar = bars.add_task(file.name, total=total)

            async def worker() -> None:
                for chunk in chunks:
                    await _post(service, chunk, count, tally)
                    bars.update(bar, advance=len(chunk))

            # Counts of the same record must keep their order, so they go one request after another.
            async with asyncio.TaskGroup() as group:
                for _ in range(1 if count else AT_ONCE):
                    group.create_task(worker())
    tally.refused.sort(key=lambda wrong: wrong.line)
    return tally


def _chunks(items: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, BULK_ITEMS)):
        yield chunk


async def _post(service: AsyncClient, chunk: list[Record], count: str, tally: Tally) -> None:
    """Post records; those answered 'busy' again, with the same ids."""
    for _ in range(BUSY_ROUNDS_MAX):
        answers = (await service.send(_call(chunk, count))).by_id()
        again = []
        for record in chunk:
            answer = answers.get(str(record.body["id"]))
            if answer is None or answer.busy:
                again.append(record)
            else:
                _count(tally, record, answer)
        if not again:
            return
        chunk = again
        await asyncio.sleep(0.2)
    tally.busy += len(chunk)


def _call(chunk: list[Record], count: str) -> Call[BulkAnswer]:
    bodies = [record.body for record in chunk]
    return calls.set_all(count, bodies) if count else calls.change_all(bodies)


def _count(tally: Tally, record: Record, answer: Envelope) -> None:
    if answer.accepted:
        tally.accepted += 1
    else:
        tally.refused.append(Wrong(record.line, answer.message))
