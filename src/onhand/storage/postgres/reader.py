"""Reads that take no locks."""

from __future__ import annotations

from onhand.storage.postgres.pool import Database


class PostgresReader:
    """Implements `ports.Reader`; signatures are those of the port."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool
