"""The comparison at the end: the ERP's books, the service's lines, and the ledger say the same.

It takes nothing from the engine but what any client can ask for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from onhand.cli.simulator.model import NONE, ORGANIZATION, PLACES, Erp, Line, Record, figures, reserved
from onhand.cli.simulator.terms import Terms
from onhand.client import AsyncClient, calls

PAGE = 500
PART = 500
LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    says: str
    found: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Book:
    """What the service knows of a line."""

    standing: Counter[str]
    asked: int
    """Quantity of all its offsets."""
    consumed: int
    failed: bool
    nodes_shown: bool
    """Each failure says where the line and where the reservation is."""


async def compare(
    service: AsyncClient, erp: Erp, terms: Terms, opening: Counter[tuple[Record, str]], refused: int
) -> list[Check]:
    """Everything that has to hold once all messages have arrived and were posted."""
    source = await service.send(calls.fetch(f"/erp/sources/{erp.source}"))
    found = await _lines(service, erp.source)
    return [
        _arrived(erp, source, refused),
        _stand(erp.lines, found),
        _at_most_once(erp.lines, found),
        _exactly_once(erp.lines, found),
        _mistakes(erp.lines, found),
        await _reservations(service, erp, terms),
        await _figures(service, erp, terms, opening),
    ]


async def _lines(service: AsyncClient, source: str) -> dict[str, Book]:
    found: dict[str, Book] = {}
    after = None
    while True:
        page = await service.send(calls.fetch("/erp/lines", source=source, after=after, limit=PAGE))
        found |= {one["lineId"]: _book(one) for one in page["items"]}
        after = page.get("next")
        if after is None:
            return found


def _book(line: dict[str, Any]) -> Book:
    standing: Counter[str] = Counter()
    for part in line["transactions"]:
        standing[part["status"]] += int(part["quantity"])
    offsets = [one for one in line["offsets"] if not one.get("release")]
    failed = [one for one in offsets if one["state"] in ("failed", "partial")]
    return Book(
        standing,
        sum(int(one["quantity"]) for one in offsets),
        sum(int(one["consumed"]) for one in offsets),
        line["state"] == "failed",
        all(one.get("lineNode") and one.get("reservedNode") for one in failed),
    )


def _arrived(erp: Erp, source: dict[str, Any], refused: int) -> Check:
    told = len(erp.messages)
    complete = source["next"] == told + 1 and not source.get("missing")
    return Check(
        "Every message arrived, in its turn, once",
        f"{told:,} told, {source['next'] - 1:,} taken, {refused:,} refused",
        complete and not refused,
    )


def _differing(lines: Iterable[Line], found: dict[str, Book], right: Any) -> int:  # noqa: ANN401 - a predicate
    return sum(1 for line in lines if line.id not in found or not right(line, found[line.id]))


def _stand(lines: list[Line], found: dict[str, Book]) -> Check:
    wrong = _differing(lines, found, lambda line, book: +line.standing == +book.standing)
    return Check(
        "Each line stands as in the ERP", f"{len(lines):,} lines, {wrong} differ", not wrong and bool(lines)
    )


def _at_most_once(lines: list[Line], found: dict[str, Book]) -> Check:
    wrong = _differing(
        lines, found, lambda line, book: book.consumed <= book.asked <= sum(p.quantity for p in line.parts)
    )
    units = sum(book.consumed for book in found.values())
    return Check("No unit was offset twice", f"{units:,} units offset, {wrong} lines twice", not wrong)


def _exactly_once(lines: list[Line], found: dict[str, Book]) -> Check:
    wrong = _differing(lines, found, lambda line, book: book.consumed == line.due)
    units = sum(line.due for line in lines)
    return Check("Every unit that should be was", f"{units:,} units due, {wrong} lines differ", not wrong)


def _mistakes(lines: list[Line], found: dict[str, Book]) -> Check:
    """Lines that were entered at another place than their reservation are on the failed list, and nothing else is."""
    expected = {line.id for line in lines if line.mistaken and any(part.reached for part in line.parts)}
    failed = {name for name, book in found.items() if book.failed}
    explained = all(found[name].nodes_shown for name in failed)
    return Check(
        "Only mistakes are on the failed list",
        f"{len(expected):,} mistakes, {len(failed):,} failed",
        failed == expected and explained,
    )


async def _reservations(service: AsyncClient, erp: Erp, terms: Terms) -> Check:
    """What is left of the web shop's reservations, at each node."""
    source, _, measure = terms.reserved.partition(".")
    left = reserved(erp.lines)
    stored: Counter[Record] = Counter()
    for site, location in PLACES:
        rows = await service.send(
            calls.index_query(
                organization=ORGANIZATION,
                products=erp.products,
                filters={"siteId": [site], "locationId": [location]},
                group_by=["ColorId"],
            )
        )
        for row in rows:
            values = {name.lower(): value for name, value in row.dimensions.items()}
            quantity = row.quantities.get(source, {}).get(measure, Decimal(0))
            stored[row.product_id, site, location, values.get("colorid", "")] += int(quantity)
    wrong = [node for node in left.keys() | stored.keys() if left[node] != stored[node]]
    return Check(
        "What is left of the reservations agrees",
        f"{sum(left.values()):,} units left, {len(wrong)} nodes differ",
        not wrong,
    )


async def _figures(
    service: AsyncClient, erp: Erp, terms: Terms, opening: Counter[tuple[Record, str]]
) -> Check:
    """The service's own consistency check, given the ERP's books."""
    books = figures(erp.lines, terms.rows, opening)
    records: dict[Record, dict[str, int]] = {}
    for (record, measure), quantity in books.items():
        if measure in terms.measures:
            records.setdefault(record, {})[measure] = quantity
    opened = await service.send(calls.ask("POST", "/erp/checks", {"source": "fno", "covers": "products"}))
    of, items = f"/erp/checks/{opened['checkId']}", iter(records.items())
    part = 0
    while chunk := list(islice(items, PART)):
        part += 1
        body = {"records": [_record(*one) for one in chunk]}
        await service.send(calls.ask("PUT", f"{of}/figures/{part}", body, repeatable=True))
    state = await service.send(calls.ask("POST", f"{of}/compare", repeatable=True))
    while state["state"] == "comparing":
        await asyncio.sleep(LOOK_EVERY_S)
        state = await service.send(calls.fetch(of))
    return Check(
        "The ERP's figures are the ledger's",
        f"{len(records):,} records, {state['differences']:,} differ",
        state["state"] == "ready" and not state["differences"],
    )


def _record(record: Record, values: dict[str, int]) -> dict[str, Any]:
    product, site, location, color = record
    return {
        "organizationId": ORGANIZATION,
        "productId": product,
        "dimensions": {"siteid": site, "locationid": location, "colorid": color},
        "quantities": {"fno": values},
    }


def shares(lines: Iterable[Line]) -> Counter[str]:
    """Lines by the way they name their reservation."""
    return Counter(line.way if not line.mistaken else "mistake" for line in lines) or Counter({NONE: 0})
