"""SQL in named files: `query("stock")` is the text of `sql/queries/stock.sql`."""

from __future__ import annotations

from functools import cache
from importlib import resources

_FOLDER = resources.files(__package__) / "sql" / "queries"


@cache
def query(name: str) -> str:
    """Text of a named statement."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
