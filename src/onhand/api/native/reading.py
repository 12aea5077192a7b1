"""Reading native requests: strict bodies, typed query strings, times and cursors."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from onhand.api.compat.decoding import UNREADABLE
from onhand.api.compat.translate import ID_MAX
from onhand.api.exchange import Call
from onhand.api.ids import new_id
from onhand.api.problems import EdgeProblem
from onhand.api.services import Services

T = TypeVar("T")

LIMIT_DEFAULT: Final = 100
CURSOR_MAX: Final = 500
"""Characters of a cursor."""


def decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """A body of a known shape.

    Raises:
        EdgeProblem: 400, it is not JSON; 422, it has another shape.
    """
    if b"\\u0000" in raw:
        raise EdgeProblem(400, "invalid-json", "The body has a NUL character, which cannot be stored.")
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise EdgeProblem(422, "invalid-body", f"The body does not fit: {error}.") from error
    except UNREADABLE as error:
        raise EdgeProblem(400, "invalid-json", f"The body is not valid JSON: {error}") from error


def idempotency_key(call: Call) -> str:
    """The caller's `Idempotency-Key`, or a generated one.

    Raises:
        EdgeProblem: it is too long.
    """
    given = call.header(b"idempotency-key") or ""
    if len(given) > ID_MAX:
        raise EdgeProblem(400, "invalid-header", f"Idempotency-Key has at most {ID_MAX} characters.")
    return given or new_id()


async def paged(reading: Awaitable[T]) -> T:
    """A listing; the reader raises `ValueError` for a cursor that it did not make.

    Raises:
        EdgeProblem: the cursor is not one of this listing.
    """
    try:
        return await reading
    except ValueError as error:
        raise EdgeProblem(
            400, "invalid-cursor", "after is not a cursor of this listing; start without it."
        ) from error


class Query:
    """A query string by name; names are matched without regard to case."""

    def __init__(self, call: Call) -> None:
        self._given: dict[str, str] = {}
        for name, value in call.query():
            if "\0" in name or "\0" in value:
                raise EdgeProblem(400, "invalid-query", "The query string has a NUL character.")
            self._given[name.strip().lower()] = value.strip()

    def text(self, name: str) -> str | None:
        """A text; None when it is absent or empty."""
        return self._given.get(name.lower()) or None

    def required(self, name: str) -> str:
        """A text that must be there.

        Raises:
            EdgeProblem: it is missing.
        """
        found = self.text(name)
        if found is None:
            raise EdgeProblem(400, "invalid-query", f"The query parameter {name} is missing.")
        return found

    def flag(self, name: str) -> bool | None:
        """A boolean; None when it is absent.

        Raises:
            EdgeProblem: it is neither true nor false.
        """
        found = self.text(name)
        if found is None:
            return None
        if found.lower() not in ("true", "false"):
            raise EdgeProblem(400, "invalid-query", f"{name} must be true or false.")
        return found.lower() == "true"

    def moment(self, name: str) -> datetime | None:
        """A time (RFC 3339; without a zone it is UTC); None when it is absent.

        Raises:
            EdgeProblem: it is not a time.
        """
        found = self.text(name)
        if found is None:
            return None
        try:
            # A plus sign that the caller forgot to encode arrives as a blank.
            read = msgspec.convert(found.replace(" ", "+"), datetime)
        except msgspec.ValidationError as error:
            raise EdgeProblem(
                400, "invalid-query", f"{name} must be a time such as 2026-01-31T08:00:00Z."
            ) from error
        return read if read.tzinfo else read.replace(tzinfo=UTC)

    def page(self, services: Services) -> tuple[str | None, int]:
        """(after, limit) of a listing.

        Raises:
            EdgeProblem: the limit is not a number from 1 to the largest page.
        """
        after = self.text("after")
        if after is not None and len(after) > CURSOR_MAX:
            raise EdgeProblem(400, "invalid-query", "after is not a cursor of this service.")
        given = self.text("limit")
        if given is None:
            return after, min(LIMIT_DEFAULT, services.limits.page_max)
        if not (given.isdecimal() and len(given) <= 6 and 0 < int(given) <= services.limits.page_max):
            raise EdgeProblem(400, "invalid-query", f"limit must be from 1 to {services.limits.page_max}.")
        return after, int(given)

    def others(self, *names: str) -> dict[str, str]:
        """Everything but these parameters."""
        known = {name.lower() for name in names}
        return {name: value for name, value in self._given.items() if name not in known}
