"""Configuration, clients, signing keys and jobs."""

from __future__ import annotations

from onhand.storage.postgres.pool import Database


class PostgresCatalogue:
    """Implements `ports.Catalogue`; signatures are those of the port."""

    def __init__(self, pool: Database) -> None:
        self._pool = pool
