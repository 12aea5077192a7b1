"""Files of on-hand records: CSV and NDJSON, read line by line.

CSV: one record a line under a header. `product` is required; `organization` may come from the command line;
columns with a point in their name (`iv.onhand`) are quantities; every other column is a dimension. An empty cell
says nothing. NDJSON: each line is the body of an on-hand post.

The whole file is read and checked before anything is sent, because a file that is corrected halfway would be a
different file: its lines would get other ids, and what was sent before would count twice.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any

import msgspec

from onhand.client import calls

PRODUCT = ("product", "productid", "item", "sku")
ORGANIZATION = ("organization", "organizationid")
_LINES = msgspec.json.Decoder(float_hook=Decimal)


class Unusable(Exception):  # noqa: N818 - it describes the file, it is no defect
    """The file as a whole cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the file, ready to post."""

    line: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One line that cannot be posted."""

    line: int
    message: str


def digest(path: Path) -> str:
    """Digest of the file's bytes: the name of its load, so that loading it again is a replay."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def read(path: Path, run: str, organization: str) -> Iterator[Record | Wrong]:
    """Records in file order; ids are made of the name of the run and the line.

    Raises:
        Unusable: it is neither CSV nor NDJSON, or its header is wrong.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            if path.suffix.lower() in {".ndjson", ".jsonl", ".json"}:
                yield from _ndjson(file, run, organization)
            else:
                yield from _csv(file, run, organization)
        except UnicodeDecodeError as cause:
            raise Unusable(f"{path} is not UTF-8 text: {cause}") from None


def _ndjson(file: IO[str], run: str, organization: str) -> Iterator[Record | Wrong]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            body = _LINES.decode(line)
        except msgspec.DecodeError as cause:
            yield Wrong(number, f"not JSON: {cause}")
            continue
        if not isinstance(body, dict):
            yield Wrong(number, "expected an object")
            continue
        names = {name.lower() for name in body}
        if "organizationid" not in names and organization:
            body["organizationId"] = organization
            names.add("organizationid")
        missing = [
            name for name in ("organizationId", "productId", "quantities") if name.lower() not in names
        ]
        if missing:
            yield Wrong(number, f"{', '.join(missing)} missing")
            continue
        body.setdefault("dimensions", {})
        yield Record(number, body if "id" in names else body | {"id": f"{run}-{number}"})


@dataclass(frozen=True, slots=True)
class _Header:
    """What the columns of a CSV file mean: places in the line."""

    names: list[str]
    product: int
    organization: int | None
    measures: dict[int, tuple[str, str]]
    dimensions: dict[int, str]


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


def _csv(file: IO[str], run: str, organization: str) -> Iterator[Record | Wrong]:
    rows = csv.reader(file, strict=True)
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
            yield _record(header, rows.line_num, cells, run, organization)


def _record(header: _Header, line: int, cells: list[str], run: str, organization: str) -> Record | Wrong:
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
    body = calls.change(
        id=f"{run}-{line}",
        organization=company or organization,
        product=cells[header.product],
        dimensions={name: cells[place] for place, name in header.dimensions.items() if cells[place]},
        quantities=quantities,
    )
    return Record(line, body)


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
