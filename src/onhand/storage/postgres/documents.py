"""Documents, read without locks: by key, by labels and time, and those that are due.

A search by labels comes from the index of labels if few documents have them, and is sorted; else from a walk along the
order of the listing, which meets a page of them soon. The planner cannot tell: it expects a label that it has no
statistics of, an order number perhaps, in each two hundredth document and would walk along all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from asyncpg import Record

from onhand.core.commands import DocumentKey
from onhand.rows import DocumentRow, Page
from onhand.storage.postgres import cursors
from onhand.storage.postgres.errors import faults
from onhand.storage.postgres.pool import Database
from onhand.storage.postgres.statements import query

FIRST, LAST = -1, (1 << 63) - 1
"""Times before and after those of all documents."""

BOTTOM = -(1 << 63)
"""Before any time at which a document can be due."""

FEW = 1_000
"""Documents that a search by labels sorts; more are walked along."""

LISTED = "AND t.created_at >= 0"
"""Condition of the index that the listing walks along."""


class PostgresDocuments:
    """Implements `ports.Documents`. Each call is one round trip, a search by labels two."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool

    async def document(self, key: DocumentKey) -> DocumentRow | None:
        """One document."""
        found = await self.documents([key])
        return found[0] if found else None

    async def documents(self, keys: Sequence[DocumentKey]) -> list[DocumentRow]:
        """Those that exist, in no order."""
        with faults():
            rows = await self._pool.fetch(
                query("documents"),
                [key.d for key in keys],
                [key.environment for key in keys],
                [key.kind for key in keys],
                [key.id for key in keys],
            )
        return [_document(row) for row in rows]

    async def find(  # noqa: PLR0913 - the parts of a search
        self,
        environment: int,
        kind: str,
        labels: Sequence[str] = (),
        *,
        any_of: Sequence[Sequence[str]] = (),
        since: int | None = None,
        until: int | None = None,
        after: str | None = None,
        limit: int,
        oldest_first: bool = False,
    ) -> Page:
        """One page, by (created_at, id).

        Raises:
            CursorError: `after` is not a cursor of this listing.
        """
        start = (FIRST if oldest_first else LAST, "") if after is None else cursors.decode_named(after)
        few = (
            bool(labels or any_of)
            and await self.count(
                environment, kind, labels, any_of=any_of, since=since, until=until, limit=FEW
            )
            < FEW
        )
        conditions, values = _conditions(5, labels, any_of, since, until)
        text = query("find_documents").format(
            conditions=conditions,
            listed="" if few else LISTED,
            direction="ASC" if oldest_first else "DESC",
            beyond=">" if oldest_first else "<",
        )
        with faults():
            rows = await self._pool.fetch(text, environment, kind, *start, limit + 1, *values)
        found = [_document(row) for row in rows[:limit]]
        return Page(found, self.cursor_after(found[-1]) if len(rows) > limit else None)

    def cursor_after(self, row: DocumentRow) -> str:
        """The cursor of the page that follows a row that `find` gave."""
        return cursors.encode(row.created_at, row.key.id)

    async def count(  # noqa: PLR0913 - the parts of a search
        self,
        environment: int,
        kind: str,
        labels: Sequence[str] = (),
        *,
        any_of: Sequence[Sequence[str]] = (),
        since: int | None = None,
        until: int | None = None,
        limit: int,
    ) -> int:
        """How many `find` would find, counted up to `limit`."""
        conditions, values = _conditions(3, labels, any_of, since, until)
        listed = "" if labels or any_of else LISTED
        text = query("count_documents").format(conditions=conditions, listed=listed)
        with faults():
            counted: int = await self._pool.fetchval(text, environment, kind, limit, *values)
        return counted

    async def due(
        self, kind: str, now_us: int, limit: int, after: DocumentRow | None = None
    ) -> list[DocumentRow]:
        """Those on which work is due, of all environments, the longest due first; only those behind `after`."""
        behind = (BOTTOM, "", 0) if after is None else (after.due_at, after.key.id, after.key.environment)
        with faults():
            rows = await self._pool.fetch(query("due_documents"), kind, now_us, limit, *behind)
        return [_document(row) for row in rows]


def _conditions(
    arguments: int,
    labels: Sequence[str],
    any_of: Sequence[Sequence[str]],
    since: int | None,
    until: int | None,
) -> tuple[str, list[object]]:
    """What narrows a search, and its values, which follow so many arguments."""
    wanted: list[tuple[str, object]] = []
    if labels:
        wanted.append(("AND t.labels @> ${n}::text[]", list(labels)))
    wanted += [("AND t.labels && ${n}::text[]", list(choices)) for choices in any_of]
    if since is not None:
        wanted.append(("AND t.created_at >= ${n}::bigint", since))
    if until is not None:
        wanted.append(("AND t.created_at < ${n}::bigint", until))
    texts = [text.format(n=arguments + at) for at, (text, _) in enumerate(wanted, 1)]
    return " ".join(texts), [value for _, value in wanted]


def _document(row: Record) -> DocumentRow:
    return DocumentRow(
        key=DocumentKey(row["d"], row["environment_no"], row["kind"], row["id"]),
        version=row["version"],
        body=row["body"],
        labels=tuple(row["labels"]),
        due_at=row["due_at"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )
