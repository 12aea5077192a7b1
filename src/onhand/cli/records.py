"""Files of on-hand records: CSV and NDJSON, read line by line.

CSV: one record a line under a header (`core/csv_records.py`). NDJSON: each line is the body of an on-hand post.

The whole file is read and checked before anything is sent, because a file that is corrected halfway would be a
different file: its lines would get other ids, and what was sent before would count twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import msgspec

from onhand.client import calls
from onhand.core.csv_records import Unusable, Wrong, csv_records

_LINES = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the file, ready to post."""

    line: int
    body: dict[str, Any]


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


def _csv(file: IO[str], run: str, organization: str) -> Iterator[Record | Wrong]:
    for item in csv_records(file, organization):
        if isinstance(item, Wrong):
            yield item
        else:
            body = calls.change(
                id=f"{run}-{item.line}",
                organization=item.organization,
                product=item.product,
                dimensions=item.dimensions,
                quantities=item.quantities,
            )
            yield Record(item.line, body)


__all__ = ["Record", "Unusable", "Wrong", "digest", "read"]
