"""Settings of a step: a list of properties whose values are texts, read as the type that the step expects.

Keys are compared trimmed and without case and may repeat; of a setting with one value the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from onhand.core.orders import numbers
from onhand.core.orders.model import Property
from onhand.core.quantities import QuantityError

DAYS_MAX: Final = 36_500
"""Days of the longest time span: a hundred years."""

_SPAN: Final = re.compile(
    r"(?P<sign>-)?(?:(?P<days>\d{1,7})(?:\.(?=\d{1,2}:)|$))?"
    r"(?:(?P<hours>\d{1,2}):(?P<minutes>\d{2})(?::(?P<seconds>\d{2})(?:\.(?P<fraction>\d{1,7}))?)?)?",
    re.ASCII,
)
_json: Final = msgspec.json.Decoder(float_hook=Decimal)


class PropertyError(ValueError):
    """A setting that cannot be read; the message names it and says what is expected."""


class Settings:
    """The properties of a step by key."""

    def __init__(self, properties: Sequence[Property]) -> None:
        self._values: dict[str, list[str]] = {}
        for one in properties:
            self._values.setdefault(one.key.strip().lower(), []).append((one.value or "").strip())

    def has(self, key: str) -> bool:
        """Whether the setting is there with a value."""
        return any(self._values.get(key.strip().lower(), ()))

    def text(self, key: str, default: str = "") -> str:
        """A text; blank counts as absent."""
        return next((one for one in reversed(self._values.get(key.strip().lower(), ())) if one), default)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """A boolean.

        Raises:
            PropertyError: it is neither true nor false.
        """
        found = self.text(key).lower()
        if found in ("true", "1"):
            return True
        if found in ("false", "0"):
            return False
        if found:
            raise PropertyError(f"{key} must be true or false, not {found!r}.")
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """All values of a repeated key, each of which may be a comma list; blanks are left out."""
        values = self._values.get(key.strip().lower(), ())
        return tuple(part.strip() for one in values for part in one.split(",") if part.strip())

    def span(self, key: str) -> timedelta | None:
        """A time span; None when it is absent.

        Raises:
            PropertyError: it is not written `d.hh:mm:ss`.
        """
        found = self.text(key)
        if not found:
            return None
        span = parse_span(found)
        if span is None:
            raise PropertyError(
                f"{key} must be a time span written d.hh:mm:ss, such as 7.00:00:00, not {found!r}."
            )
        return span

    def moment(self, key: str) -> datetime | None:
        """A time in UTC; None when it is absent.

        Raises:
            PropertyError: it is not a time.
        """
        found = self.text(key)
        if not found:
            return None
        try:
            read = msgspec.convert(found if len(found) > 10 else f"{found}T00:00:00Z", datetime)
            return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
        except (msgspec.ValidationError, OverflowError):
            raise PropertyError(
                f"{key} must be a time such as 2026-01-31T08:00:00Z, not {found!r}."
            ) from None

    def number(self, key: str) -> Decimal | None:
        """A number; None when it is absent.

        Raises:
            PropertyError: it is not a number.
        """
        found = self.text(key)
        if not found:
            return None
        try:
            return numbers.amount(found)
        except QuantityError:
            raise PropertyError(f"{key} must be a number, not {found!r}.") from None

    def json(self, key: str) -> Any:  # noqa: ANN401 - any JSON value
        """A JSON value with exact decimals; None when it is absent.

        Raises:
            PropertyError: it is not JSON.
        """
        found = self.text(key)
        if not found:
            return None
        try:
            return _json.decode(found)
        except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
            raise PropertyError(f"{key} must be JSON.") from None


def parse_span(text: str) -> timedelta | None:
    """A time span written `d.hh:mm:ss`, `hh:mm:ss`, `hh:mm` or as whole days; None for anything else."""
    found = _SPAN.fullmatch(text.strip())
    if found is None or not (found["days"] or found["hours"]):
        return None
    days, hours, minutes, seconds = (
        int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds")
    )
    if days > DAYS_MAX or hours > 23 or minutes > 59 or seconds > 59:
        return None
    micros = int((found["fraction"] or "").ljust(7, "0")[:6])
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)
    return -span if found["sign"] else span


def format_span(span: timedelta) -> str:
    """The same text; fractions of a second with seven digits where there are any."""
    sign, span = ("-", -span) if span < timedelta() else ("", span)
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{span.microseconds:06}0" if span.microseconds else ""
    return f"{sign}{span.days}.{hours:02}:{minutes:02}:{seconds:02}{fraction}"
