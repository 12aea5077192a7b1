"""Daily work with stock: query, reserve, unreserve, movements, refusals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from uuid import uuid4

import typer

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import (
    DEFAULT_URL,
    AsJson,
    CommandId,
    DimensionValues,
    Environment,
    Organization,
    Url,
    connect,
    dimensions_of,
    organization_of,
    seconds_of,
)
from onhand.cli.output import Column, console, print_json, quantity, table, where
from onhand.client import Client, Envelope, OnHand, calls

Source = Annotated[str, typer.Option(help="Data source of the reserved measure.")]
Measure = Annotated[str, typer.Option(help="Reserved measure.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")]

ROWS_SHOWN = 100
"""Rows that listings show unless more are asked for."""


def query(  # noqa: PLR0913 - one argument per option
    products: Annotated[list[str] | None, typer.Argument(help="Product ids.", show_default=False)] = None,
    organization: Organization = "",
    dimension: DimensionValues = None,
    by: Annotated[
        str, typer.Option(help="Dimensions to group by, separated by commas.", show_default=False)
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Show measures that are 0 as well.")] = False,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what is on hand, reserved and available.

    [dim]Examples[/]:

      onhand query D0002 -o usmf
      onhand query D0002 -o usmf -d siteid=1,locationid=11 --by ColorId,SizeId
    """
    filters = {name: [value] for name, value in dimensions_of(dimension).items()}
    grouped = [name.strip() for name in by.split(",") if name.strip()]
    call = calls.index_query(
        organization=organization_of(organization), products=products or [], filters=filters, group_by=grouped
    )
    with connect(url, environment) as service:
        rows = service.send(call)
    if as_json:
        print_json(rows)
    elif rows:
        console().print(table(_STOCK_COLUMNS, _stock_rows(rows, every=every)))
    else:
        console().print("Nothing is recorded for this selection.")


_STOCK_COLUMNS = (
    Column("product", whole=True),
    Column("where"),
    Column("measure"),
    Column("quantity", number=True),
)


def _stock_rows(rows: Sequence[OnHand], *, every: bool) -> Iterable[Sequence[object]]:
    for row in rows:
        name, place = row.product_id, where(row.dimensions)
        for source, measures in sorted(row.quantities.items()):
            for measure, value in sorted(measures.items()):
                if every or value:
                    yield name, place, f"{source}.{measure}", value
                    name = place = ""


def reserve(  # noqa: PLR0913 - one argument per option
    product: Annotated[str, typer.Argument(help="Product id.")],
    amount: Annotated[
        str,
        typer.Argument(metavar="QUANTITY", help="How much; a negative quantity takes a reservation back."),
    ],
    organization: Organization = "",
    dimension: DimensionValues = None,
    source: Source = "iv",
    measure: Measure = "softreserved",
    no_check: Annotated[bool, typer.Option("--no-check", help="Accept whatever is available.")] = False,
    command_id: CommandId = "",
    reference: Annotated[
        str | None, typer.Option(help="Order or cart the hold belongs to.", show_default=False)
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Sales channel.", show_default=False)] = None,
    lasts: Annotated[
        str | None,
        typer.Option("--for", help="How long the hold lives, such as 15m or 2h.", show_default=False),
    ] = None,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Reserve stock; exit code 3 when the rules say no.

    [dim]Examples[/]:

      onhand reserve D0002 1 -o usmf -d siteid=1,locationid=11,colorid=red
      onhand reserve D0002 2 -o usmf --for 15m --reference cart-17
    """
    asked = quantity_of(amount)
    body = calls.reservation(
        id=command_id or new_id(),
        organization=organization_of(organization),
        product=product,
        dimensions=dimensions_of(dimension),
        quantity=asked,
        source=source,
        modifier=measure,
        check=not no_check and asked > 0,
        reference=reference,
        channel=channel,
        lives_seconds=None if lasts is None else seconds_of(lasts),
    )
    with connect(url, environment) as service:
        answer = service.send(calls.reserve(body))
    _show_event(answer, as_json=as_json)
    if not as_json:
        verb = "Reserved" if asked > 0 else "Took back"
        console().print(f"{verb} {quantity(abs(asked))} of {product}.")
        facts = [
            ("reservation", answer.reservation_id),
            ("hold", answer.hold_id),
            ("until", answer.expires_at),
        ]
        if not no_check and asked > 0:
            facts.append(("available", quantity(answer.afr_quantity)))
        for name, value in facts:
            if value:
                console().print(f"  {name:<12} {value}")


def unreserve(  # noqa: PLR0913 - one argument per option
    product: Annotated[str, typer.Argument(help="Product id.")],
    amount: Annotated[str, typer.Argument(metavar="QUANTITY", help="How much to give back.")],
    reservation: Annotated[str, typer.Option(help="Reservation id that `reserve` answered.")],
    organization: Organization = "",
    dimension: DimensionValues = None,
    command_id: CommandId = "",
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Give back what is reserved under a reservation id.

    The dimensions must be those of the reservation. Holds that name a
    reference or a channel have an owner: give them back with
    `onhand holds release`.

    [dim]Example[/]:

      onhand unreserve D0002 1 -o usmf -d siteid=1 --reservation 0d8b3cf4-…
    """
    asked = quantity_of(amount)
    call = calls.unreserve(
        id=command_id or new_id(),
        organization=organization_of(organization),
        product=product,
        dimensions=dimensions_of(dimension),
        reservation_id=reservation,
        quantity=asked,
    )
    with connect(url, environment) as service:
        answer = service.send(call)
    _show_event(answer, as_json=as_json)
    if not as_json:
        surplus = answer.total_invalid_offset_qty_by_reserv_id
        console().print(f"Gave back {quantity(asked - surplus)} of {product}.")
        if surplus:
            console().print(f"{quantity(surplus)} more than was reserved; nothing was done for that part.")


def _show_event(answer: Envelope, *, as_json: bool) -> None:
    """Print the answer as JSON if asked to, and end the command when the rules said no."""
    if as_json:
        print_json(answer)
    if answer.accepted:
        return
    message = answer.message or f"Refused (status {answer.status_code})."
    if answer.status_code == 503:
        raise CommandFailed(Exit.BUSY, message)
    raise CommandFailed(Exit.REFUSED, message)


def movements(  # noqa: PLR0913 - one argument per option
    product: Annotated[str, typer.Argument(help="Product id.")],
    organization: Organization = "",
    dimension: DimensionValues = None,
    measure: Annotated[
        str | None, typer.Option(help="Only this measure, such as iv.onhand.", show_default=False)
    ] = None,
    limit: Limit = ROWS_SHOWN,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Why a quantity is what it is: the ledger of a product, newest first.

    [dim]Example[/]:

      onhand movements D0002 -o usmf -d siteid=1,locationid=11
    """
    parameters: dict[str, str | None] = {
        "organizationId": organization_of(organization),
        "productId": product,
        "measure": measure,
        **dimensions_of(dimension),
    }
    with connect(url, environment) as service:
        rows = listing(service, "/movements", parameters, limit)
    columns = (
        Column("time (UTC)", whole=True),
        Column("what"),
        Column("where"),
        Column("measure"),
        Column("change", number=True),
        Column("level", number=True),
    )
    show(rows, columns, _movement_row, as_json=as_json, empty="The ledger has no such movement.")


def _movement_row(row: dict[str, Any]) -> Sequence[object]:
    return (
        clock(row["at"]),
        f"{row['kind']} by {row['caller']}",
        where(row["dimensions"]),
        row["measure"],
        signed(row["delta"]),
        row["level"],
    )


def refusals(
    since: Annotated[str, typer.Option(help="How far to look back, such as 1h or 7d.")] = "24h",
    limit: Limit = ROWS_SHOWN,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """What was refused and how much was missing: demand that would be lost.

    [dim]Example[/]:

      onhand refusals --since 1h
    """
    start = datetime.now(UTC) - timedelta(seconds=seconds_of(since))
    with connect(url, environment) as service:
        rows = listing(service, "/refusals", {"since": start.isoformat()}, limit)
    columns = (
        Column("time (UTC)", whole=True),
        Column("product"),
        Column("where"),
        Column("by"),
        Column("asked", number=True),
        Column("could have", number=True),
    )
    show(rows, columns, _refusal_row, as_json=as_json, empty="Nothing was refused in this time.")


def _refusal_row(row: dict[str, Any]) -> Sequence[object]:
    return (
        clock(row["at"]),
        row["productId"],
        where(row["dimensions"]),
        row["channel"] or row["caller"],
        row["requested"],
        row["available"],
    )


# Shared by the commands that list ----------------------------------------------------------------------------


def listing(
    service: Client, path: str, parameters: dict[str, str | None], limit: int
) -> list[dict[str, Any]]:
    """Rows of a native listing, page by page, up to `limit`."""
    rows: list[dict[str, Any]] = []
    after: str | None = None
    while len(rows) < limit:
        page = service.send(calls.fetch(path, **parameters, limit=min(500, limit - len(rows)), after=after))
        rows += page["items"]
        after = page.get("next")
        if after is None:
            break
    return rows[:limit]


def show(
    rows: list[dict[str, Any]],
    columns: Sequence[Column],
    cells: Any,  # noqa: ANN401 - a function of a row
    *,
    as_json: bool,
    empty: str,
) -> None:
    """Rows as JSON or as a table."""
    if as_json:
        print_json(rows)
    elif rows:
        console().print(table(columns, map(cells, rows)))
    else:
        console().print(empty)


def clock(moment: str) -> str:
    """A time of the wire, short."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%m-%d %H:%M:%S")


def signed(value: Decimal | int) -> str:
    """A change with its sign."""
    return f"+{quantity(value)}" if value > 0 else quantity(value)


def new_id() -> str:
    """An id for a request that was given none."""
    return f"cli-{uuid4()}"


def quantity_of(given: str) -> Decimal:
    """A quantity as typed.

    Raises:
        CommandFailed: it is no number.
    """
    try:
        value = Decimal(given)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not value:
        raise CommandFailed(Exit.FAULT, f"{given!r} is no quantity; write a number such as 1 or 2.5.")
    return value
