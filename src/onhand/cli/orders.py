"""Orders: list, show, create, enter a status, try one, and what happened."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import typer

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import DEFAULT_URL, AsJson, CommandId, Environment, Url, connect
from onhand.cli.output import Column, console, print_json, table, text
from onhand.cli.stock import ROWS_SHOWN, Limit, clock, new_id, show
from onhand.client import Client, calls

app = typer.Typer(no_args_is_help=True, help="Orders and their workflow.")

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Id of the order.")]
StatusName = Annotated[str, typer.Argument(metavar="STATUS", help="Status to enter.")]
ShipmentId = Annotated[
    str, typer.Option("--shipment", help="Only this shipment enters it.", show_default=False)
]

PAGE = 200


@app.command("list")
def list_orders(  # noqa: PLR0913 - one argument per option
    status: Annotated[
        list[str] | None, typer.Option(help="Only in this status; may be repeated.", show_default=False)
    ] = None,
    order_type: Annotated[
        str, typer.Option("--type", help="Only of this order type.", show_default=False)
    ] = "",
    store: Annotated[str, typer.Option(help="Only of this store.", show_default=False)] = "",
    customer: Annotated[str, typer.Option(help="Only of this customer.", show_default=False)] = "",
    sku: Annotated[str, typer.Option(help="Only with this product.", show_default=False)] = "",
    warehouse: Annotated[
        str, typer.Option(help="Only with a shipment from this warehouse.", show_default=False)
    ] = "",
    is_open: Annotated[
        bool | None,
        typer.Option(
            "--open/--closed", help="Only those that hold reservations, or do not.", show_default=False
        ),
    ] = None,
    limit: Limit = ROWS_SHOWN,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List orders, newest first.

    [dim]Example[/]:

      onhand orders list --status New --status InProgress --warehouse WH1
    """
    parameters = {
        "status": ",".join(status or []),
        "orderType": order_type,
        "storeId": store,
        "customerId": customer,
        "sku": sku,
        "warehouseCode": warehouse,
        "open": "" if is_open is None else str(is_open).lower(),
    }
    with connect(url, environment) as service:
        rows = _found(service, "/orders", parameters, limit)
    columns = (
        Column("order"),
        Column("number"),
        Column("type"),
        Column("status"),
        Column("store"),
        Column("created (UTC)", whole=True),
    )
    show(rows, columns, _row, as_json=as_json, empty="There is no such order.")


def _row(order: dict[str, Any]) -> Sequence[object]:
    return (
        order["id"],
        order.get("orderNumber"),
        order["orderType"],
        order["status"],
        order["storeId"],
        clock(order["created"]) if order.get("created") else "",
    )


@app.command("show")
def show_order(
    order_id: OrderId,
    version: Annotated[
        str, typer.Option("--version", help="As it was at this version.", show_default=False)
    ] = "",
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show an order with its shipments and lines.

    [dim]Example[/]:

      onhand orders show 4711
    """
    path = _path(order_id) + (f"/versions/{quote(version, safe='')}" if version else "")
    with connect(url, environment) as service:
        order = service.send(calls.fetch(path))
    if as_json:
        print_json(order)
    else:
        _print(order)


def _print(order: dict[str, Any]) -> None:
    out = console()
    number = f" ({order['orderNumber']})" if order.get("orderNumber") else ""
    out.print(
        f"Order {order['id']}{number}: {order['orderType']}, {order['status']}, version {order['versionId']}"
    )
    columns = (
        Column("shipment"),
        Column("from"),
        Column("status"),
        Column("line"),
        Column("product"),
        Column("ordered", number=True),
        Column("cancelled", number=True),
        Column("reserved", number=True),
    )
    out.print(table(columns, _lines(order)))
    for one in order.get("errors") or []:
        about = f" ({one['referenceId']})" if one.get("referenceId") else ""
        out.print(f"{one.get('severity', 'Error')} {one.get('key', '')}{about}: {one.get('message', '')}")


def _lines(order: dict[str, Any]) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    there = set()
    for shipment in order["orderForm"].get("shipments") or []:
        head = (
            shipment["shipmentId"],
            shipment.get("warehouseCode"),
            " / ".join(filter(None, (shipment.get("orderStatus"), shipment.get("status")))),
        )
        for line in shipment.get("lineItems") or [{}]:
            rows.append((*head, *_line(line)))
            head = ("", "", "")
            there.add(line.get("lineItemId"))
    rows += [
        ("(none)", "", "", *_line(line))
        for line in order["orderForm"].get("lineItems") or []
        if line.get("lineItemId") not in there
    ]
    return rows


def _line(line: dict[str, Any]) -> Sequence[object]:
    return (
        line.get("lineItemId"),
        line.get("code"),
        line.get("quantity"),
        line.get("canceledQuantity"),
        line.get("reservedInventoryQuantity"),
    )


@app.command("create")
def create(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="JSON file of the order; - reads standard input.")
    ],
    command_id: CommandId = "",
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Create an order; the workflow of its initial status has run when this returns.

    [dim]Example[/]:

      onhand orders create order.json --id web-4711
    """
    body = _json_of(file)
    with connect(url, environment) as service:
        order = service.send(calls.ask("POST", "/orders", body, key=command_id or new_id()))
    if as_json:
        print_json(order)
    else:
        _print(order)


@app.command("status")
def status(  # noqa: PLR0913 - one argument per option
    order_id: OrderId,
    name: StatusName,
    shipment: ShipmentId = "",
    skip: Annotated[bool, typer.Option("--skip-workflow", help="Only the status; no step runs.")] = False,
    user: Annotated[
        str, typer.Option(help="Person who does it; kept with the events.", show_default=False)
    ] = "",
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Enter a status and run its workflow; exit code 3 when a step halts the run.

    [dim]Example[/]:

      onhand orders status 4711 Ship --shipment S1
    """
    body: dict[str, Any] = {"status": name, "skipRunWorkflow": skip}
    if shipment:
        body["shipmentInfo"] = {"shipmentId": shipment}
    if user:
        body["userId"] = user
    with connect(url, environment) as service:
        done = service.send(calls.ask("POST", f"{_path(order_id)}/status", body))
    _ran(done, as_json=as_json)


@app.command("dry-run")
def dry_run(  # noqa: PLR0913 - one argument per option
    order_id: OrderId,
    name: StatusName,
    shipment: ShipmentId = "",
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Say what the workflow of a status would do; changes nothing.

    [dim]Example[/]:

      onhand orders dry-run 4711 Ship
    """
    body = {"status": name} | ({"shipmentId": shipment} if shipment else {})
    with connect(url, environment) as service:
        done = service.send(calls.ask("POST", f"{_path(order_id)}/dry-run", body, repeatable=True))
    _ran(done, as_json=as_json)


def _ran(done: dict[str, Any], *, as_json: bool) -> None:
    """Results of a run; ends with 3 when it was halted."""
    if as_json:
        print_json(done)
    else:
        order, results = done["order"], done["orderActionExecutionResults"]
        out = console()
        out.print(f"Order {order['id']}: {order['status']}, version {order['versionId']}")
        columns = (Column("step"), Column("result", whole=True), Column("message"))
        if results:
            out.print(table(columns, map(_result, results)))
        else:
            out.print("No step ran.")
    if done["isAborted"]:
        raise CommandFailed(
            Exit.REFUSED, "A step halted the workflow; the order keeps its status. See its errors."
        )


def _result(result: dict[str, Any]) -> Sequence[object]:
    said = result.get("errorReason") or result.get("message") or ""
    return (result["actionType"], result["actionStatus"], said)


@app.command("events")
def events(  # noqa: PLR0913 - one argument per option
    order_id: OrderId,
    category: Annotated[
        str, typer.Option(help="Only of this category, such as Workflow.", show_default=False)
    ] = "",
    errors: Annotated[bool, typer.Option("--errors", help="Only errors.")] = False,
    limit: Limit = ROWS_SHOWN,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List what happened to an order, newest first.

    [dim]Example[/]:

      onhand orders events 4711
    """
    parameters = {"category": category, "isError": "true" if errors else ""}
    with connect(url, environment) as service:
        rows = _found(service, f"{_path(order_id)}/events", parameters, limit)
    columns = (
        Column("time (UTC)", whole=True),
        Column("what", whole=True),
        Column("status"),
        Column("by"),
        Column("message"),
    )
    show(rows, columns, _event, as_json=as_json, empty="Nothing of that kind happened.")


def _event(event: dict[str, Any]) -> Sequence[object]:
    by = event.get("userId") or event.get("user")
    return (clock(event["timestamp"]), event["category"], event.get("status"), by, event["message"])


def _found(service: Client, path: str, parameters: dict[str, str], limit: int) -> list[dict[str, Any]]:
    """Rows of a search, page by page, up to `limit`."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    given = {name: value for name, value in parameters.items() if value}
    while len(rows) < limit:
        size = min(PAGE, limit - len(rows))
        page = service.send(calls.fetch(path, **given, limit=size, cursor=cursor))
        rows += page["result"]
        cursor = page.get("nextCursor")
        if cursor is None:
            break
    return rows[:limit]


def _path(order_id: str) -> str:
    return f"/orders/{quote(order_id, safe='')}"


def _json_of(file: str) -> Any:  # noqa: ANN401 - JSON
    """The JSON of a file.

    Raises:
        CommandFailed: it cannot be read, or is not JSON.
    """
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as cause:
        raise CommandFailed(Exit.FAULT, f"{text(file)} cannot be read: {cause.strerror}") from None
    try:
        return calls.read_json(raw)
    except msgspec.DecodeError as cause:
        raise CommandFailed(Exit.FAULT, f"{text(file)} is not JSON: {cause}") from None
