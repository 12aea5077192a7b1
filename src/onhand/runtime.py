"""The composition root: the only module that knows all classes.

`opened` builds everything that stands on the database (the embedded server if there is no `database_url`, the
schema, the pool, the store and the services) and takes it down in reverse order. Administrative commands use it
as it is; `serve` puts the HTTP edge, the schedules and the signals around it.

A stop goes against the direction of a request: the server takes no more connections and finishes the requests in
progress, then the lanes drain, then the schedules, the pool and the embedded server stop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from onhand.settings import Settings


@dataclass(frozen=True, slots=True)
class Started:
    """What `serve` announces once it takes requests."""

    url: str
    database: str
    """The database in words, without a password."""


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Any]:
    """The services over an open database, without HTTP.

    Raises:
        StoreUnavailable: the database cannot be reached or its schema is not the one of this version.
    """
    raise NotImplementedError(settings)
    yield


async def serve(settings: Settings, announce: Callable[[Started], None]) -> None:
    """Serve until SIGTERM or SIGINT; returns after everything has stopped."""
    raise NotImplementedError(settings, announce)
