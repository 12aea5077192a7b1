"""CSV files of on-hand records, read line by line.

One record a line under a header. `product` is required; `organization` may be given for the whole file; columns with a
point in their name (`iv.onhand`) are quantities; every other column is a dimension. An empty cell says nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

PRODUCT = ("product", "productid", "item", "sku")
ORGANIZATION = ("organization", "organizationid")


class Unusable(Exception):  # noqa: N818 - it describes the file, it is no defect
    """The file as a whole cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class CsvRecord:
    """One line."""

    line: int
    organization: str
    product: str
    dimensions: dict[str, str]
    quantities: dict[str, dict[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One line that cannot be used."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class _Header:
    """What the columns of a CSV file mean: places in the line."""

    names: list[str]
    product: int
    organization: int | None
    measures: dict[int, tuple[str, str]]
    dimensions: dict[int, str]


def csv_records(lines: Iterable[str], organization: str) -> Iterator[CsvRecord | Wrong]:
    """Records in the order of the file. `organization`: of records that name none.

    Raises:
        Unusable: its header is wrong.
    """
    rows = csv.reader(lines, strict=True)
    header = _header([name.strip() for name in next(rows, [])], organization)
    while True:
        try:
            row = next(rows, None)
        except csv.Error as cause:
            yield Wrong(rows.line_num, f"not CSV: {cause}")
            continue
        if row is None:
            return
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield _record(header, rows.line_num, cells, organization)


def _header(names: list[str], organization: str) -> _Header:
    """Raise `Unusable` when the columns do not make records."""
    places = {name.lower(): place for place, name in enumerate(names)}
    product = next((places[name] for name in PRODUCT if name in places), None)
    company = next((places[name] for name in ORGANIZATION if name in places), None)
    measures = {place: name.split(".", 1) for place, name in enumerate(names) if "." in name}
    if product is None or not measures:
        raise Unusable(
            "The first line must name the columns: product, dimensions such as siteid, and at least one quantity "
            "such as iv.onhand."
        )
    if company is None and not organization:
        raise Unusable("The file has no column organization; give --organization.")
    rest = {place: name for place, name in enumerate(names) if place not in {product, company, *measures}}
    pairs = {place: (source, measure) for place, (source, measure) in measures.items()}
    return _Header(names, product, company, pairs, {place: name for place, name in rest.items() if name})


def _record(header: _Header, line: int, cells: list[str], organization: str) -> CsvRecord | Wrong:
    if len(cells) != len(header.names):
        return Wrong(line, f"{len(cells)} cells where the header names {len(header.names)}")
    if not cells[header.product]:
        return Wrong(line, "no product")
    quantities: dict[str, dict[str, Decimal]] = {}
    for place, (source, measure) in header.measures.items():
        if not cells[place]:
            continue
        value = _decimal(cells[place])
        if value is None:
            return Wrong(line, f"{header.names[place]}: {cells[place]!r} is no quantity")
        quantities.setdefault(source, {})[measure] = value
    if not quantities:
        return Wrong(line, "no quantity")
    company = "" if header.organization is None else cells[header.organization]
    dimensions = {name: cells[place] for place, name in header.dimensions.items() if cells[place]}
    return CsvRecord(line, company or organization, cells[header.product], dimensions, quantities)


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
