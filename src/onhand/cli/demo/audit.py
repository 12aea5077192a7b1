"""The audit: the channels' books against the service's answers, and the service against itself.

It takes nothing from the engine but what any client can ask for, and does its own arithmetic: a style is a place of
its own, the marketplace's reservations lie one level above the styles, so a colour and size is in order when no
style has more reserved than it has pieces, and all its reservations together fit into all its pieces.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from onhand.cli.demo.channels import Books, Node
from onhand.cli.demo.retailer import ORGANIZATION, WAREHOUSES, Variant
from onhand.cli.simulator.playing import Result
from onhand.client import AsyncClient, OnHand, calls
from onhand.service.auditor import AuditReport


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    says: str
    found: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Stock:
    """What the service says, by node."""

    on_hand: Counter[Node]
    reserved: Counter[Node]


async def ask(service: AsyncClient) -> Stock:
    """All stock of the retailer, warehouse by warehouse, over HTTP."""
    pages = await asyncio.gather(
        *(
            service.send(
                calls.index_query(
                    organization=ORGANIZATION,
                    filters={"siteId": [place.site], "locationId": [place.location]},
                    group_by=["ColorId", "SizeId", "StyleId"],
                )
            )
            for place in WAREHOUSES
        )
    )
    stock = Stock(Counter(), Counter())
    for row in (row for rows in pages for row in rows):
        node, measures = _node(row), row.quantities.get("iv", {})
        stock.on_hand[node] += int(measures.get("onhand", Decimal(0)))
        stock.reserved[node] += int(measures.get("softreserved", Decimal(0)))
    return stock


def _node(row: OnHand) -> Node:
    values = {name.lower(): value for name, value in row.dimensions.items()}
    names = ("siteid", "locationid", "colorid", "sizeid", "styleid")
    return (row.product_id, *(values.get(name, "") for name in names))


def checks(
    stock: Stock,
    loaded: Counter[Node],
    books: Sequence[Books],
    drop: tuple[int, int, int],
    report: AuditReport,
) -> list[Check]:
    """Everything that has to hold at the end. `drop` is (pieces, orders, sold) of the flash sale."""
    believed = sum((book.held for book in books), start=Counter[Node]())
    lost = sum(loaded.values()) - sum(stock.on_hand.values())
    differing = [
        node for node in believed.keys() | stock.reserved.keys() if believed[node] != stock.reserved[node]
    ]
    oversold = list(_oversold(stock))
    pieces, orders, sold = drop
    repeats, contradicted = sum(book.repeated for book in books), sum(book.contradicted for book in books)
    reserved = sum(stock.reserved.values())
    return [
        Check(
            "No piece was sold twice",
            f"{len(oversold)} of {len(stock.on_hand):,} records oversold",
            not oversold,
        ),
        Check(
            "The flash sale sold what was there",
            f"{sold} of {pieces} pieces, {orders:,} orders",
            sold == pieces,
        ),
        Check(
            "The channels' books agree",
            f"{reserved:,} pieces, {len(differing)} differences",
            not differing,
        ),
        Check(
            "A request sent twice counts once",
            f"{repeats:,} repeats, {contradicted} counted twice",
            not contradicted,
        ),
        Check("No piece of stock got lost", f"{sum(loaded.values()):,} loaded, {lost} lost", not lost),
        Check(
            "The ledger folds to the stock",
            f"{report.products:,} products, {report.drift_count} contradictions",
            report.clean and report.products > 0,
        ),
    ]


def orders_check(lines: int, reduced: Sequence[tuple[str, str]]) -> Check:
    """Order lines that should have left the stock, and those that did, each as often as it did."""
    twice = len(reduced) - len(set(reduced))
    return Check(
        "Each shipped line left the stock once",
        f"{lines} lines, {len(reduced)} transactions, {twice} twice",
        len(reduced) == lines and not twice,
    )


def _oversold(stock: Stock) -> Iterable[Node]:
    """Nodes that hold more reservations than pieces."""
    pieces: dict[Node, int] = defaultdict(int)
    taken: dict[Node, int] = defaultdict(int)
    for node in stock.on_hand.keys() | stock.reserved.keys():
        if node[-1] and stock.reserved[node] > stock.on_hand[node]:
            yield node
        pieces[node[:-1]] += stock.on_hand[node]
        taken[node[:-1]] += stock.reserved[node]
    yield from (node for node in taken if taken[node] > pieces[node])


def loaded_nodes(records: Iterable[tuple[Variant, int]]) -> Counter[Node]:
    """What was loaded, by node."""
    found: Counter[Node] = Counter()
    for variant, pieces in records:
        place = variant.warehouse
        node = (variant.product.id, place.site, place.location, variant.color, variant.size, variant.style)
        found[node] += pieces
    return found


def erp_check(played: Result) -> Check:
    """Whether the books of the simulated ERP agree with the service."""
    differing = ", ".join(played.failed)
    return Check(
        "The ERP's books agree, all offset once",
        differing or f"{played.lines:,} lines, {len(played.checks)} comparisons",
        not differing,
    )
