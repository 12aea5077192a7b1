"""`onhand demo`: a retailer, three channels and an audit, on real processes."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from onhand.cli.exits import CommandFailed, Exit
from onhand.cli.output import Column, console, print_json, progress, table

if TYPE_CHECKING:
    from onhand.cli.demo.audit import Check
    from onhand.cli.demo.channels import Books, Channel
    from onhand.cli.demo.retailer import Retailer
    from onhand.cli.demo.stage import Stage
    from onhand.cli.simulator.playing import Play, Result

CARTS = {"web": 1_800, "pos": 1_800, "marketplace": 1_800}
WORKERS = {"web": 8, "pos": 6, "marketplace": 6}
DROP_PIECES, DROP_ORDERS = 300, 400
"""Pieces of the flash sale, and orders of each channel for them."""
BULK_ITEMS = 512
ERP_ORDERS = 150
ERP_FAULTS = (8.0, 8.0, 8.0, 8.0, 8.0)
"""Percent of the ERP's requests that are lost, repeated, late, disordered, unanswered."""


def demo(
    fast: Annotated[bool, typer.Option("--fast", help="A tenth of the products and carts.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed makes another retailer.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Play three sales channels against one stock, then audit everything.

    Starts the service and a PostgreSQL of its own in a temporary directory,
    and removes both. Exit code 70 if the audit finds anything.
    """
    out = console(errors=as_json)
    failed = asyncio.run(_play(out, 10 if fast else 1, seed, as_json=as_json))
    if failed:
        raise CommandFailed(Exit.VIOLATION, f"The audit failed: {', '.join(failed)}.")


async def _play(out: Console, fraction: int, seed: int, *, as_json: bool) -> list[str]:
    """Everything in order; what the audit found wrong."""
    from onhand.cli.demo import audit, order_tables, orders, retailer
    from onhand.cli.demo.stage import stage

    out.rule("[bold]onhand demo", align="left")
    started = time.perf_counter()
    shop = retailer.make_retailer(seed, 2_000 // fraction)
    async with stage() as scene:
        out.print(f"The service is at {scene.url}, its PostgreSQL beside it ({_since(started)}).")
        await _contoso(out, scene)
        await _contoso_erp(out, scene)
        await _load(out, scene, shop)
        async with _channels(scene, shop) as channels:
            await _race(out, scene, channels, fraction)
            drop = await _drop(out, scene, channels, shop, fraction)
        stories, reduced = await order_tables.act(out, scene)
        played = await _erp(out, scene, ERP_ORDERS // fraction, seed)
        books = [channel.books for channel in channels]
        async with scene.client("warehouse") as service:
            stock = await audit.ask(service)
        loaded = audit.loaded_nodes(shop.records()) + orders.on_hand(stories)
        held = [*books, orders.books(stories)]
        found = audit.checks(stock, loaded, held, drop, await scene.audit())
        found.append(audit.orders_check(sum(story.lines for story in stories), reduced))
        found.append(audit.erp_check(played))
    _result(out, books, found)
    out.print(f"\nDone in {_since(started)}; seed {seed}.")
    if as_json:
        print_json(
            {
                "channels": [_figures(book) for book in books],
                "orders": [{"story": story.title, "rows": story.rows} for story in stories],
                "erp": _told(played),
                "audit": found,
            }
        )
    return [check.says for check in found if not check.passed]


def _since(started: float) -> str:
    return f"{time.perf_counter() - started:.1f} s"


# Acts --------------------------------------------------------------------------------------------------------


async def _contoso(out: Console, scene: Stage) -> None:
    from onhand.cli.demo import contoso
    from onhand.cli.demo.stage import CONTOSO

    out.print("\n[bold]1  The documented example[/]: one D0002 (cabinet), red, small, at 1/11\n")
    columns = (Column("request"), Column(""), Column("answer"))
    rows, wrong = [], []
    async with scene.client("web", CONTOSO) as service:
        async for step in contoso.play(service):
            rows.append((step.request, step.says, step.answer))
            wrong += [] if step.right else [step]
    out.print(table(columns, rows))
    if wrong:
        raise CommandFailed(Exit.VIOLATION, f"The example went wrong: {wrong}")


async def _contoso_erp(out: Console, scene: Stage) -> None:
    from onhand.cli.demo.contoso_erp import ContosoErp
    from onhand.cli.demo.stage import CONTOSO

    out.print("\n[bold]2  It goes on in the ERP[/]: the orders are recreated there, each offsets once\n")
    columns = (
        Column("what happens"),
        Column("what is said"),
        Column("soft", number=True),
        Column("hard", number=True),
        Column("left", number=True),
    )
    rows, wrong = [], []
    async with scene.client("warehouse", CONTOSO) as service:
        async for step in ContosoErp(service).play():
            rows.append((step.says, step.answer, *step.standing))
            wrong += [] if step.right else [step]
    out.print(table(columns, rows))
    out.print("\nSoft and hard: reserved by the shop, by the ERP; left: available, all at 1/11.")
    if wrong:
        raise CommandFailed(Exit.VIOLATION, f"The example went wrong in the ERP: {wrong}")


async def _load(out: Console, scene: Stage, shop: Retailer) -> None:
    """Post the opening stock in bulks of 512, four at a time."""
    from onhand.cli.demo.retailer import ORGANIZATION
    from onhand.client import calls

    bodies = [
        calls.change(
            id=f"opening-{number}",
            organization=ORGANIZATION,
            product=variant.product.id,
            dimensions=variant.dimensions,
            quantities={"iv": {"onhand": pieces}},
        )
        for number, (variant, pieces) in enumerate(shop.records())
    ]
    started = time.perf_counter()
    chunks = iter([bodies[first : first + BULK_ITEMS] for first in range(0, len(bodies), BULK_ITEMS)])
    async with scene.client("warehouse") as service:
        with progress() as bars:
            bar = bars.add_task("Loading", total=len(bodies))

            async def worker() -> None:
                for chunk in chunks:
                    answer = await service.send(calls.change_all(chunk))
                    if answer.failure:
                        raise CommandFailed(Exit.VIOLATION, f"The load failed: {answer.failure[0].message}")
                    bars.update(bar, advance=len(chunk))

            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(worker())
    took = time.perf_counter() - started
    out.print("\n[bold]3  A retailer[/]: fashion and furniture, 12 warehouses in 4 sites\n")
    out.print(
        f"{len(shop.products):,} products, {len(bodies):,} records, {sum(shop.stock.values()):,} pieces, loaded in "
        f"bulks of {BULK_ITEMS}\nin {took:.1f} s ({len(bodies) / took:,.0f} records/s). For example:\n"
    )
    columns = (
        Column("product"),
        Column("name"),
        Column("warehouse"),
        Column("variant"),
        Column("pieces", number=True),
    )
    rows = (
        (variant.product.id, variant.product.name, variant.warehouse.name, _variant(variant), pieces)
        for variant, pieces in list(shop.records())[:: max(1, len(bodies) // 4)][:4]
    )
    out.print(table(columns, rows))


def _variant(variant: object) -> str:
    return " ".join(getattr(variant, name) for name in ("color", "size", "style"))


@asynccontextmanager
async def _channels(scene: Stage, shop: Retailer) -> AsyncIterator[Sequence[Channel]]:
    from onhand.cli.demo.channels import Marketplace, Pos, Web

    async with scene.client("web") as web, scene.client("pos") as pos, scene.client("marketplace") as market:
        yield (Web("web", web, shop), Pos("pos", pos, shop), Marketplace("marketplace", market, shop))


async def _race(out: Console, scene: Stage, channels: Sequence[Channel], fraction: int) -> None:
    """Everybody trades; when a third is done the service is killed and started again."""
    out.print("\n[bold]4  Three channels race[/] for the popular, scarce products over HTTP\n")
    out.print("web          carts in bulk, held 15 min under the cart's number, some abandoned")
    out.print("pos          tills at each warehouse; cancel with a negative quantity, same id")
    out.print("marketplace  any style of a colour and size; gives back by reservation id")
    started = time.perf_counter()
    carts = sum(CARTS.values()) // fraction
    with progress() as bars:
        bar = bars.add_task("Carts", total=carts)
        async with asyncio.TaskGroup() as group:
            trades = [
                group.create_task(
                    channel.trade(CARTS[channel.books.channel] // fraction, WORKERS[channel.books.channel])
                )
                for channel in channels
            ]
            outage = 0.0
            while not all(trade.done() for trade in trades):
                await asyncio.wait(trades, timeout=0.1)
                done = sum(channel.carts for channel in channels)
                bars.update(bar, completed=done)
                if not outage and done * 3 > carts:
                    outage = await scene.crash()
    requests = sum(channel.books.requests for channel in channels)
    took = time.perf_counter() - started
    out.print(f"\n{requests:,} requests in {took:.1f} s; this program and the service share one machine.")
    out.print(
        f"In the middle the service was killed (kill -9) and served again {outage:.1f} s later;\n"
        "what had no answer was sent again with the same id."
    )


async def _drop(
    out: Console, scene: Stage, channels: Sequence[Channel], shop: Retailer, fraction: int
) -> tuple[int, int, int]:
    """A flash sale: everybody wants the same variant."""
    from onhand.cli.demo.retailer import ORGANIZATION, WAREHOUSES, Product, Variant
    from onhand.client import calls

    pieces, orders = DROP_PIECES // fraction, DROP_ORDERS // fraction
    product = Product("DROP00001", "Limited sneaker", ("White",), ("42",), ("Standard",))
    variant = Variant(product, WAREHOUSES[0], "White", "42", "Standard")
    shop.stock[variant] = pieces
    body = calls.change(
        id="drop",
        organization=ORGANIZATION,
        product=product.id,
        dimensions=variant.dimensions,
        quantities={"iv": {"onhand": pieces}},
    )
    async with scene.client("warehouse") as service:
        await service.send(calls.change_on_hand(body))
    won = await asyncio.gather(
        *(channel.grab(variant, orders, WORKERS[channel.books.channel]) for channel in channels)
    )
    shares = ", ".join(
        f"{channel.books.channel} {count}" for channel, count in zip(channels, won, strict=True)
    )
    out.print("\n[bold]5  A flash sale[/]: one sneaker, one size, everybody at once\n")
    out.print(f"{pieces} pairs, {orders * len(channels):,} orders: {sum(won)} got one ({shares}).")
    return pieces, orders * len(channels), sum(won)


async def _erp(out: Console, scene: Stage, orders: int, seed: int) -> Result:
    """An ERP over a bad line; in the middle the service is killed."""
    from onhand.cli.demo.stage import CONTOSO
    from onhand.cli.simulator.playing import Play, Script
    from onhand.cli.simulator.post import Faults

    outage = 0.0
    with progress() as bars:
        bar = bars.add_task("Orders of the ERP", total=orders)

        async def beside(so_far: Play) -> None:
            nonlocal outage
            bars.update(bar, completed=int(so_far.progress * orders))
            if not outage and so_far.progress > 1 / 2:
                outage = await scene.crash()

        script = Script(seed=seed, run="erp", orders=orders, faults=Faults(*ERP_FAULTS), beside=beside)
        async with scene.client("warehouse", CONTOSO) as service:
            played = await Play(service, script).run()
    tally = played.tally
    out.print("\n[bold]7  An ERP over a bad line[/]: late, repeated, disordered and lost messages\n")
    out.print(
        f"{played.lines:,} order lines told {played.messages:,} messages in {played.seconds:.1f} s. Of {tally.requests:,} requests\n"
        f"{tally.lost} were lost, {tally.repeated} sent twice, {tally.late} late, {tally.disordered} disordered, "
        f"{tally.unanswered} without an answer;\nthe service was killed once. "
        f"{tally.gaps} gaps were noticed, {tally.resent:,} messages sent again."
    )
    return played


# The result --------------------------------------------------------------------------------------------------


def _figures(book: Books) -> dict[str, object]:
    cuts = statistics.quantiles(book.seconds, n=100) if len(book.seconds) > 1 else [0.0] * 99
    return {
        "channel": book.channel,
        "requests": book.requests,
        "accepted": book.accepted,
        "refused": book.refused,
        "repeated": book.repeated,
        "returned": book.returned,
        "p50Ms": round(cuts[49] * 1_000, 1),
        "p99Ms": round(cuts[98] * 1_000, 1),
    }


def _told(played: Result) -> dict[str, object]:
    tally = played.tally
    return {
        "lines": played.lines,
        "messages": played.messages,
        "requests": tally.requests,
        "gaps": tally.gaps,
        "resent": tally.resent,
        "checks": played.checks,
    }


def _cells(book: Books) -> list[object]:
    *counts, p50, p99 = _figures(book).values()
    return [*counts, f"{p50:,.0f}", f"{p99:,.0f}"]


def _result(out: Console, books: Sequence[Books], found: Sequence[Check]) -> None:
    out.print("\n[bold]8  What happened[/] (times in milliseconds, seen by the channels)\n")
    columns = (
        Column("channel", whole=True),
        Column("requests", number=True),
        Column("accepted", number=True),
        Column("refused", number=True),
        Column("repeated", number=True),
        Column("returned", number=True),
        Column("p50", number=True),
        Column("p99", number=True),
    )
    out.print(table(columns, [_cells(book) for book in books]))
    out.print("\nA request is one call; the other counts are order lines (a bulk has many).")
    out.print("\n[bold]9  The audit[/]\n")
    rows = [("[green]yes[/]" if check.passed else "[red]NO[/]", check.says, check.found) for check in found]
    out.print(table((Column(""), Column("must hold"), Column("found")), rows))
