"""`onhand erp resync`: a full snapshot of the ERP's figures, shown before it is applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from onhand.cli import records
from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import DEFAULT_URL, AsJson, Environment, Organization, Url, connect
from onhand.cli.output import Column, console, print_json, progress, quantity, table, where
from onhand.cli.records import Record, Wrong
from onhand.client import Client, RequestFault, calls

SEND: Final = 512
"""Records of one request; a product's records go together."""

PRODUCT_RECORDS_MAX: Final = 2_000
"""Records of one product that a snapshot takes."""

SHOWN_MAX: Final = 20
"""Changes and faulty lines that are listed; the rest is counted."""

Product = tuple[str, str]


@dataclass(slots=True)
class Effect:
    """What the snapshot changes, or would change."""

    products: int = 0
    changed: int = 0
    """Figures."""
    examples: list[dict[str, Any]] = field(default_factory=list)
    lines: int = 0
    """Lines that are inside and had waited."""
    refused: list[dict[str, Any]] = field(default_factory=list)

    def add(self, results: Sequence[dict[str, Any]]) -> None:
        """Count the results of a request."""
        for one in results:
            self.products += 1
            self.lines += len(one["lines"])
            self.changed += len(one["changes"])
            room = SHOWN_MAX - len(self.examples)
            about = {"organizationId": one["organizationId"], "productId": one["productId"]}
            self.examples += [about | change for change in one["changes"][:room]]
            if not one["accepted"]:
                self.refused.append(one)


def resync(  # noqa: PLR0913 - one argument per option
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV or NDJSON file.")
    ],
    organization: Organization = "",
    source: Annotated[
        str, typer.Option(help="Source of messages that the figures contain.", show_default=False)
    ] = "",
    up_to: Annotated[
        int, typer.Option(min=0, help="Number of its last message that they contain.", show_default=False)
    ] = 0,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would change, and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make the ERP's figures what its full snapshot says.

    The file has all records of the organizations that it names: what is
    missing in it becomes zero. Before anything changes, the changes are
    shown. Messages after the number of [bold]--up-to[/] stay on top of the snapshot, and
    reservations that it contains are offset, none twice. The same
    file again changes nothing.

    [dim]Example[/]:

      onhand erp resync figures.csv -o usmf --source d365 --up-to 4711

    [dim]CSV[/]: a header with [bold]product[/], dimensions, and quantities
    such as [bold]fno.physicalinvent[/].
    """
    if bool(source) is not bool(up_to):
        raise CommandFailed(Exit.FAULT, "--source and --up-to come together: what do the figures contain?")
    by_product = _read(file, organization)
    contains = {"source": source, "upToSequence": up_to} if source else {}
    body = {"id": f"resync-{records.digest(file)}-{source}-{up_to}", "complete": True, "contains": contains}
    with connect(url, environment) as service:
        requests = list(_requests(by_product, _gone(service, by_product)))
        foreseen = _send(service, requests, {**body, "preview": True}, "compare")
        if not as_json:
            _show(foreseen, len(by_product))
        _refuse(foreseen)
        applied = None
        if not preview and (yes or as_json or typer.confirm("Apply this?")):
            if source:
                _go_on(service, source, up_to + 1)  # first: what comes late is in the figures already
            applied = _send(service, requests, body, "apply")
            _refuse(applied)
    if as_json:
        print_json(
            {
                "products": foreseen.products,
                "changes": foreseen.changed,
                "lines": foreseen.lines,
                "applied": applied is not None,
            }
        )
    elif applied is not None:
        console().print(f"{applied.products:,} products are as the ERP says.")


def _read(file: Path, organization: str) -> dict[Product, list[dict[str, Any]]]:
    found: dict[Product, list[dict[str, Any]]] = {}
    wrong: list[Wrong] = []
    try:
        for item in records.read(file, "resync", organization):
            if isinstance(item, Record):
                body = {name: value for name, value in item.body.items() if name != "id"}
                found.setdefault((body["organizationId"], body["productId"]), []).append(body)
            else:
                wrong.append(item)
    except records.Unusable as cause:
        raise CommandFailed(Exit.FAULT, str(cause)) from None
    if wrong:
        lines = [f"  line {item.line}: {item.message}" for item in wrong[:SHOWN_MAX]]
        raise CommandFailed(
            Exit.FAULT, "\n".join([f"{file}: nothing was sent, because of {len(wrong):,} lines:", *lines])
        )
    if not found:
        raise CommandFailed(Exit.FAULT, f"{file} has no record; a snapshot of nothing would empty nothing.")
    crowded = next((key for key, own in found.items() if len(own) > PRODUCT_RECORDS_MAX), None)
    if crowded is not None:
        raise CommandFailed(
            Exit.FAULT,
            f"Product {crowded[1]} has more than {PRODUCT_RECORDS_MAX:,} records; a resync takes no more.",
        )
    return found


def _gone(service: Client, by_product: dict[Product, list[dict[str, Any]]]) -> list[Product]:
    """Products with figures of the ERP here that the file does not name, in the organizations that it names."""
    named = {(organization.casefold(), product.casefold()) for organization, product in by_product}
    gone: list[Product] = []
    for organization in sorted({organization for organization, _ in by_product}):
        after: str | None = None
        while True:
            page = service.send(
                calls.fetch("/erp/products", organizationId=organization, limit=500, after=after)
            )
            gone += [
                (one["organizationId"], one["productId"])
                for one in page["items"]
                if (one["organizationId"].casefold(), one["productId"].casefold()) not in named
            ]
            after = page.get("next")
            if after is None:
                break
    return gone


def _requests(
    by_product: dict[Product, list[dict[str, Any]]], gone: Sequence[Product]
) -> Iterator[dict[str, Any]]:
    chunk: list[dict[str, Any]] = []
    for own in by_product.values():
        if chunk and len(chunk) + len(own) > SEND:
            yield {"records": chunk}
            chunk = []
        chunk = [*chunk, *own]
    if chunk:
        yield {"records": chunk}
    for start in range(0, len(gone), SEND):
        emptied = [{"organizationId": one, "productId": other} for one, other in gone[start : start + SEND]]
        yield {"records": [], "emptied": emptied}


def _send(service: Client, requests: Sequence[dict[str, Any]], body: dict[str, Any], what: str) -> Effect:
    effect = Effect()
    with progress() as bars:
        bar = bars.add_task(what, total=len(requests))
        for request in requests:
            answer = service.send(calls.ask("POST", "/erp/snapshots", {**body, **request}, repeatable=True))
            effect.add(answer["results"])
            bars.advance(bar)
    return effect


def _show(effect: Effect, named: int) -> None:
    columns = (
        Column("product", whole=True),
        Column("where"),
        Column("measure"),
        Column("stored", number=True),
        Column("becomes", number=True),
    )
    rows = [
        (
            one["productId"],
            where(one["dimensions"]),
            one["measure"],
            quantity(one["stored"]),
            quantity(one["becomes"]),
        )
        for one in effect.examples
    ]
    if rows:
        console().print(table(columns, rows))
    if effect.changed > len(rows):
        console().print(f"and {effect.changed - len(rows):,} more.")
    gone = effect.products - named
    console().print(
        f"{effect.changed:,} figures of {effect.products:,} products change"
        + (f"; {gone:,} products are not in the file" if gone else "")
        + (f"; {effect.lines:,} lines that waited are inside" if effect.lines else "")
        + "."
    )


def _refuse(effect: Effect) -> None:
    if effect.refused:
        lines = [f"  {one['productId']}: {one['message']}" for one in effect.refused[:SHOWN_MAX]]
        raise CommandFailed(
            Exit.REFUSED, "\n".join([f"The rules refused {len(effect.refused):,} products:", *lines])
        )


def _go_on(service: Client, source: str, following: int) -> None:
    """Let the source go on after what is inside; never back."""
    try:
        at = service.send(calls.fetch(f"/erp/sources/{source}"))["next"]
    except RequestFault:
        at = 0
    if at < following:
        service.send(calls.ask("PUT", f"/erp/sources/{source}", {"next": following}, repeatable=True))
