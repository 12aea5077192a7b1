"""Consistency checks: the figures of a data source go up in parts, what differs comes back as a table or a file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer

from onhand.cli import records
from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import DEFAULT_URL, AsJson, Environment, Organization, Url, connect
from onhand.cli.output import Column, console, print_json, progress, table, where
from onhand.cli.records import Record, Wrong
from onhand.cli.stock import clock
from onhand.client import Call, Client, calls

PART = 512
"""Records of one request; the service takes no more."""
SHOWN_MAX = 20
"""Faulty lines, or changes, that are listed; the rest is counted."""
PRODUCTS_PAGE = 500
POLL_FIRST_S, POLL_MAX_S = 0.05, 2.0
"""Pauses between two looks at a check that runs."""
FETCH_TIMEOUT_S = 60.0

MEANING = {
    "missedEvent": "the source moved, but no event came",
    "doublePost": "the same event was posted more than once",
    "wrongDimension": "posted at another record than the source's",
    "onlyHere": "here, and not in the source",
    "onlyThere": "in the source, and not here",
}

CheckId = Annotated[str, typer.Argument(metavar="CHECK", help="Id that `onhand erp check` printed.")]


def check(  # noqa: PLR0913 - one argument per option
    figures: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="CSV or NDJSON: a file, or where it is served.")
    ],
    source: Annotated[str, typer.Option(help="Data source whose figures they are, such as fno or pos.")],
    organization: Organization = "",
    taken_at: Annotated[
        str,
        typer.Option(help="When the source took its figures (RFC 3339). (default: now)", show_default=False),
    ] = "",
    covers: Annotated[
        str,
        typer.Option(
            help="What is not listed: nothing is there (everything, or products: only of products that are listed), or "
            "nothing is said (records)."
        ),
    ] = "everything",
    report: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Write all differences to this .csv or .ndjson file.", show_default=False
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 3 when anything differs.")] = False,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Compare a data source's figures with what is on hand for it.

    Nothing changes: what differs is classified and corrections are proposed;
    `onhand erp fix` applies them.

    [dim]Examples[/]:

      onhand erp check erp.csv --source fno -o usmf
      onhand erp check https://erp.test/stock.csv --source fno --report out.csv

    [dim]CSV[/]: a header with [bold]product[/], dimensions such as
    [bold]siteid[/], and quantities such as [bold]fno.physicalinvent[/].
    """
    body = {"source": source, "covers": covers, "takenAt": taken_at or None}
    with _file(figures) as file, connect(url, environment) as service:
        total = _count(file, organization)
        opened = service.send(calls.ask("POST", "/erp/checks", {k: v for k, v in body.items() if v}))
        of = opened["checkId"]
        _upload(service, of, file, organization, total)
        service.send(calls.ask("POST", f"/erp/checks/{of}/compare", repeatable=True))
        state = _await(service, of, "Comparing", "comparing")
        if report is not None:
            _write(service, of, report)
        shown = _first(service, of)
    if as_json:
        print_json(state)
    else:
        _show(state, shown, report)
    if strict and state["differences"]:
        raise CommandFailed(Exit.REFUSED, f"{state['differences']:,} differences.")


def fix(  # noqa: PLR0913 - one argument per option
    of: CheckId,
    reason: Annotated[str, typer.Option(help="Why; kept with each movement.")],
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="Only differences of this class; repeat it.", show_default=False),
    ] = None,
    findings: Annotated[
        list[str] | None,
        typer.Option("--finding", help="Only this difference; repeat it.", show_default=False),
    ] = None,
    moving: Annotated[
        bool, typer.Option("--moving", help="Also where the record moved since the figures were taken.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Apply the corrections that a check proposed, once.

    [dim]Examples[/]:

      onhand erp fix 5f2c… --reason "lost on Friday" --class missedEvent
      onhand erp fix 5f2c… --reason "counted" --finding 3.1 --yes
    """
    with connect(url, environment) as service:
        state = service.send(calls.fetch(f"/erp/checks/{of}"))
        if not yes:
            what = ", ".join(classes or findings or ["everything that it proposes"])
            text = f"Correct {state['source']}: {what}? {state['differences']:,} differences were found."
            if not _confirmed(text):
                raise CommandFailed(Exit.REFUSED, "Nothing was changed: say yes, or give --yes.")
        body = {"reason": reason, "classes": classes or [], "findings": findings or [], "moving": moving}
        service.send(calls.ask("POST", f"/erp/checks/{of}/approve", body))
        state = _await(service, of, "Correcting", "applying")
    if as_json:
        print_json(state)
    else:
        _show_fixed(state)
    if state["refused"]:
        raise CommandFailed(
            Exit.REFUSED, f"{state['refused']:,} corrections were refused; the report says why."
        )


def list_checks(
    source: Annotated[str | None, typer.Option(help="Only of this data source.", show_default=False)] = None,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List consistency checks, newest first."""
    with connect(url, environment) as service:
        items = service.send(calls.fetch("/erp/checks", source=source))["items"]
    if as_json:
        print_json(items)
        return
    columns = (
        Column("check", whole=True),
        Column("source"),
        Column("state"),
        Column("opened (UTC)", whole=True),
        Column("differ", number=True),
    )
    rows = (
        (one["checkId"], one["source"], one["state"], clock(one["openedAt"]), one["differences"])
        for one in items
    )
    console().print(table(columns, rows))


def _confirmed(text: str) -> bool:
    """What the user says; who cannot answer says no."""
    try:
        return typer.confirm(text, err=True)
    except typer.Abort:
        return False


# Going up ----------------------------------------------------------------------------------------------------


@contextmanager
def _file(figures: str) -> Iterator[Path]:
    """The file, fetched first if it is served somewhere."""
    if urlsplit(figures).scheme not in ("http", "https"):
        path = Path(figures)
        if not path.is_file():
            raise CommandFailed(Exit.FAULT, f"There is no file {figures}.")
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="onhand-figures-") as folder:
        yield _fetched(figures, Path(folder))


def _fetched(address: str, folder: Path) -> Path:
    try:
        with httpx.stream("GET", address, timeout=FETCH_TIMEOUT_S, follow_redirects=True) as answer:
            if not answer.is_success:
                raise CommandFailed(Exit.BUSY, f"{address} answered {answer.status_code}.")
            kind = answer.headers.get("content-type", "").partition(";")[0]
            suffix = Path(urlsplit(address).path).suffix
            path = folder / f"figures{'.ndjson' if 'ndjson' in kind else suffix or '.csv'}"
            with path.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommandFailed(Exit.BUSY, f"Cannot fetch {address}: {error}") from error
    return path


def _count(file: Path, organization: str) -> int:
    """Number of records; ends the command when a line cannot be used."""
    wrong: list[Wrong] = []
    total = 0
    try:
        for item in records.read(file, "", organization):
            if isinstance(item, Wrong):
                wrong.append(item)
            else:
                total += 1
    except records.Unusable as cause:
        raise CommandFailed(Exit.FAULT, str(cause)) from None
    if wrong:
        lines = [f"  line {item.line}: {item.message}" for item in wrong[:SHOWN_MAX]]
        raise CommandFailed(
            Exit.FAULT, "\n".join([f"{file}: {len(wrong):,} lines cannot be used; nothing was sent:", *lines])
        )
    if not total:
        raise CommandFailed(Exit.FAULT, f"{file} has no records.")
    return total


def _upload(service: Client, of: str, file: Path, organization: str, total: int) -> None:
    good = (item.body for item in records.read(file, "", organization) if isinstance(item, Record))
    with progress() as bars:
        bar = bars.add_task(f"Sending {file.name}", total=total)
        part = 0
        while chunk := list(islice(good, PART)):
            part += 1
            body = {
                "records": [{name: value for name, value in one.items() if name != "id"} for one in chunk]
            }
            service.send(calls.ask("PUT", f"/erp/checks/{of}/figures/{part}", body, repeatable=True))
            bars.update(bar, advance=len(chunk))


def _await(service: Client, of: str, words: str, running: str) -> dict[str, Any]:
    """The check when it is no longer in a state."""
    pause = POLL_FIRST_S
    with progress() as bars:
        bar = bars.add_task(words, total=100)
        while True:
            state: dict[str, Any] = service.send(calls.fetch(f"/erp/checks/{of}"))
            bars.update(bar, completed=state["progress"])
            if state["state"] != running:
                return state
            time.sleep(pause)
            pause = min(POLL_MAX_S, pause * 1.5)


# Coming down -------------------------------------------------------------------------------------------------


def _write(service: Client, of: str, report: Path) -> None:
    """All differences as a file, page by page."""
    form = "ndjson" if report.suffix.lower() in (".ndjson", ".jsonl", ".json") else "csv"
    after = None
    try:
        with report.open("wb") as file:
            while True:
                page = service.send(
                    calls.fetch(f"/erp/checks/{of}/findings", after=after, limit=PRODUCTS_PAGE)
                )
                query = calls.fetch(
                    f"/erp/checks/{of}/findings", after=after, limit=PRODUCTS_PAGE, format=form
                )
                file.write(service.send(Call(query.method, query.path, bytes, parameters=query.parameters)))
                after = page.get("next")
                if after is None:
                    return
    except OSError as cause:
        raise CommandFailed(Exit.FAULT, f"Cannot write {report}: {cause.strerror}") from None


def _first(service: Client, of: str) -> list[dict[str, Any]]:
    page: dict[str, Any] = service.send(calls.fetch(f"/erp/checks/{of}/findings", limit=SHOWN_MAX))
    items: list[dict[str, Any]] = page["items"]
    return items


def _show(state: dict[str, Any], findings: list[dict[str, Any]], report: Path | None) -> None:
    out = console()
    if not state["differences"]:
        out.print(
            f"{state['source']}: {state['records']:,} records of the source agree with what is on hand "
            f"({state['products']:,} products)."
        )
        return
    counts = [
        (kind, state["found"][kind], words) for kind, words in MEANING.items() if kind in state["found"]
    ]
    columns = (Column("difference", whole=True), Column("found", number=True), Column("what it looks like"))
    out.print(table(columns, counts))
    rows = [
        (
            one["findingId"] + ("*" if one["moving"] else "") if not place else "",
            one["difference"] if not place else "",
            one["productId"],
            where(change["dimensions"]),
            change["measure"].partition(".")[2],
            change["theirs"],
            change["ours"],
        )
        for one in findings
        for place, change in enumerate(one["changes"])
    ]
    out.print()
    listed = (
        Column("finding", whole=True),
        Column("difference", whole=True),
        Column("product"),
        Column("where"),
        Column("measure"),
        Column("theirs", number=True),
        Column("ours", number=True),
    )
    out.print(table(listed, rows[:SHOWN_MAX]))
    changes = len(rows)
    out.print()
    if changes > SHOWN_MAX or state["differences"] > len(findings):
        out.print(f"The first {min(changes, SHOWN_MAX)}; --report writes all of them to a file.")
    if state["moving"]:
        out.print(
            f"* {state['moving']:,} moved since the figures were taken: check again, or correct with --moving."
        )
    if report is not None:
        out.print(f"All differences are in {report}.")
    out.print(
        f"Nothing was changed. To correct: onhand erp fix {state['checkId']} --reason …", soft_wrap=True
    )


def _show_fixed(state: dict[str, Any]) -> None:
    rows = [
        (kind, found, state["applied"].get(kind, 0))
        for kind, found in state["found"].items()
    ]  # fmt: skip
    columns = (
        Column("difference", whole=True),
        Column("found", number=True),
        Column("corrected", number=True),
    )
    out = console()
    out.print(table(columns, rows))
    if state["settled"]:
        out.print(f"\n{state['settled']:,} needed no correction: what was missing came meanwhile.")
