"""Holds: each accepted reservation by itself, with its owner and its expiry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from onhand.cli.options import DEFAULT_URL, AsJson, CommandId, Environment, Url, connect, seconds_of
from onhand.cli.output import Column, console, print_json, quantity, where
from onhand.cli.stock import ROWS_SHOWN, Limit, clock, listing, new_id, quantity_of, show
from onhand.client import calls

app = typer.Typer(no_args_is_help=True, help="List, release and extend holds.")

HoldId = Annotated[str, typer.Argument(metavar="HOLD", help="Hold id that `reserve` answered.")]


@app.command("list")
def list_holds(  # noqa: PLR0913 - one argument per option
    product: Annotated[str | None, typer.Argument(help="Only this product.", show_default=False)] = None,
    organization: Annotated[
        str | None, typer.Option("--organization", "-o", help="Only this organization.", show_default=False)
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Only this order or cart.", show_default=False)
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only this sales channel.", show_default=False)] = None,
    order: Annotated[
        str | None, typer.Option(help="Only this order line of the workflow.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Closed and expired holds as well.")] = False,
    limit: Limit = ROWS_SHOWN,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List holds, newest first; open ones unless --all is given.

    [dim]Example[/]:

      onhand holds list --reference cart-17
    """
    parameters = {
        "organizationId": organization,
        "productId": product,
        "reference": reference,
        "channel": channel,
        "order": order,
        "state": "all" if every else None,
    }
    with connect(url, environment) as service:
        rows = listing(service, "/reservations", parameters, limit)
    columns = (
        Column("hold", whole=True),
        Column("product"),
        Column("where"),
        Column("left", number=True),
        Column("owner"),
        Column("until (UTC)", whole=True),
    )
    show(rows, columns, _row, as_json=as_json, empty="There is no such hold.")


def _row(hold: dict[str, Any]) -> Sequence[object]:
    owner = " ".join(filter(None, (hold.get("channel"), hold.get("reference"), hold.get("order"))))
    expires = hold.get("expiresAt")
    return (
        hold["holdId"],
        hold["productId"],
        where(hold["dimensions"]),
        hold["remaining"],
        owner,
        clock(expires) if expires else "",
    )


@app.command("release")
def release(  # noqa: PLR0913 - one argument per option
    hold: HoldId,
    amount: Annotated[
        str | None,
        typer.Option("--quantity", help="How much; all that is left by default.", show_default=False),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept with the movement.")] = "",
    command_id: CommandId = "",
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Give a hold back, whole or in part.

    [dim]Example[/]:

      onhand holds release 9c56cc51b374c3ba-1-1 --quantity 1
    """
    body = {"quantity": None if amount is None else quantity_of(amount), "reason": reason}
    call = calls.ask(
        "POST",
        f"/reservations/{quote(hold, safe='')}/release",
        {name: value for name, value in body.items() if value},
        key=command_id or new_id(),
    )
    with connect(url, environment) as service:
        answer = service.send(call)
    if as_json:
        print_json(answer)
    else:
        console().print(f"Released {quantity(answer['released'])} of hold {hold}.")


@app.command("extend")
def extend(  # noqa: PLR0913 - one argument per option
    hold: HoldId,
    lasts: Annotated[
        str, typer.Option("--for", help="New life from now, such as 15m; 'ever' makes it permanent.")
    ],
    command_id: CommandId = "",
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Move the expiry of an open hold; an expired one is not revived.

    [dim]Example[/]:

      onhand holds extend 9c56cc51b374c3ba-1-1 --for 30m
    """
    body = {} if lasts == "ever" else {"ttlSeconds": seconds_of(lasts)}
    call = calls.ask("POST", f"/reservations/{quote(hold, safe='')}/extend", body, key=command_id or new_id())
    with connect(url, environment) as service:
        answer = service.send(call)
    if as_json:
        print_json(answer)
    else:
        until = answer.get("expiresAt")
        console().print(f"Hold {hold} now lasts " + (f"until {clock(until)} UTC." if until else "for ever."))
