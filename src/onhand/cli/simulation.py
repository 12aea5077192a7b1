"""`onhand erp-sim`: a simulated ERP against a running service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.options import DEFAULT_URL, AsJson, Environment, Url, credentials
from onhand.cli.output import Column, console, print_json, progress, table
from onhand.client import AsyncClient

if TYPE_CHECKING:
    from onhand.cli.simulator.playing import Play, Result

ATTEMPTS_MAX = 14
"""Attempts of a request: more than half a minute, so that the service may be restarted meanwhile."""

Share = Annotated[
    float, typer.Option(min=0.0, max=100.0, help="Percent of the requests.", rich_help_panel="Faults")
]


def erp_sim(  # noqa: PLR0913 - one argument per option
    orders: Annotated[int, typer.Option(min=1, max=1_000_000, help="Orders, of one to three lines.")] = 200,
    products: Annotated[int, typer.Option(min=1, max=10_000, help="Products they are of.")] = 20,
    rate: Annotated[float, typer.Option(min=0.0, help="Messages a second; 0: as fast as possible.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Another seed plays another story.")] = 1,
    run: Annotated[
        str,
        typer.Option(help="Name of the source and its products. (default: a new one)", show_default=False),
    ] = "",
    lost: Share = 5.0,
    repeated: Share = 5.0,
    late: Share = 5.0,
    disordered: Share = 5.0,
    unanswered: Share = 5.0,
    environment: Environment = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Play an ERP against the service, then compare the books.

    Orders are created, reserved by a web shop, moved through the statuses,
    split, taken back and cancelled. The line to the service loses, repeats,
    delays and disorders messages; the gaps are noticed and sent again. At the
    end lines, reservations and figures must agree. Exit code 70 if not.

    [dim]Examples[/]:

      onhand erp-sim -e shop
      onhand erp-sim -e shop --orders 1000 --rate 200 --lost 20 --seed 7
    """
    from onhand.cli.simulator.playing import Script
    from onhand.cli.simulator.post import Faults

    if not environment:
        raise CommandFailed(Exit.FAULT, "Which environment? Give --environment, or set ONHAND_ENVIRONMENT.")
    shares = (lost, repeated, late, disordered, unanswered)
    if sum(shares) > 100:
        raise CommandFailed(Exit.FAULT, "The shares of what goes wrong are more than 100 percent together.")
    script = Script(
        seed=seed,
        run=run or f"sim-{seed}-{uuid4().hex[:6]}",
        orders=orders,
        products=products,
        rate=rate,
        faults=Faults(*shares),
    )

    async def play() -> Result:
        from onhand.cli.simulator.playing import Play

        client = AsyncClient(url, environment, credentials(), attempts_max=ATTEMPTS_MAX)
        async with client as service:
            with progress() as bars:
                bar = bars.add_task("Orders", total=orders)

                async def follow(so_far: Play) -> None:
                    bars.update(bar, completed=int(so_far.progress * orders))

                script.beside = follow
                return await Play(service, script).run()

    result = asyncio.run(play())
    if as_json:
        print_json(as_document(result, script.run))
    else:
        show(result, script.run)
    if result.failed:
        raise CommandFailed(Exit.VIOLATION, f"The books do not agree: {', '.join(result.failed)}.")


def as_document(result: Result, run: str) -> dict[str, object]:
    """The result for programs."""
    tally = result.tally
    return {
        "run": run,
        "messages": result.messages,
        "lines": result.lines,
        "seconds": round(result.seconds, 3),
        "requests": tally.requests,
        "sent": tally.messages,
        "lost": tally.lost,
        "repeated": tally.repeated,
        "late": tally.late,
        "disordered": tally.disordered,
        "unanswered": tally.unanswered,
        "gaps": tally.gaps,
        "resent": tally.resent,
        "refused": tally.refused,
        "synchronised": result.synchronised,
        "checks": result.checks,
    }


def show(result: Result, run: str) -> None:
    """The result for people."""
    out, tally = console(), result.tally
    rate = result.messages / result.seconds if result.seconds else 0.0
    out.print(
        f"{run}: {result.lines:,} lines told {result.messages:,} messages in {result.seconds:.1f} s ({rate:,.0f}/s),\n"
        f"synchronised {result.synchronised} times.\n"
    )
    columns = (
        Column("requests", number=True),
        Column("lost", number=True),
        Column("repeated", number=True),
        Column("late", number=True),
        Column("disordered", number=True),
        Column("unanswered", number=True),
        Column("gaps", number=True),
        Column("sent again", number=True),
    )
    row = (
        tally.requests,
        tally.lost,
        tally.repeated,
        tally.late,
        tally.disordered,
        tally.unanswered,
        tally.gaps,
        tally.resent,
    )
    out.print(table(columns, [row]))
    out.print("\nA gap is a request that was refused because an earlier message was missing.\n")
    show_checks(result)
    for message in tally.refused[:10]:
        out.print(f"refused: {message}")


def show_checks(result: Result) -> None:
    """What was compared, and what was found."""
    rows = [
        ("[green]yes[/]" if check.passed else "[red]NO[/]", check.says, check.found)
        for check in result.checks
    ]
    console().print(table((Column(""), Column("must hold"), Column("found")), rows))
