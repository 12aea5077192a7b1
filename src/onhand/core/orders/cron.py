"""Schedules of five fields: minute, hour, day of month, month, day of week (order specification 2.11). Times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_SUNDAY: Final = 7
_HORIZON_DAYS: Final = 8 * 366 + 1
"""Days that are looked at: a 29 February may be eight years away."""


class CronError(ValueError):
    """A schedule that cannot be read; the message names the field and says what is expected."""


class Cron(msgspec.Struct, frozen=True):
    """The minutes at which a schedule is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either_day: bool
    """Both kinds of day are restricted: one of them is enough, as cron has it."""

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due minute after a moment; None when there is none within eight years."""
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        first = start.hour * 60 + start.minute
        for ahead in range(_HORIZON_DAYS):
            day = start.replace(hour=0, minute=0) + timedelta(days=ahead)
            if not self._falls_on(day):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    if ahead or hour * 60 + minute >= first:
                        return day.replace(hour=hour, minute=minute)
        return None

    def _falls_on(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


def parse_cron(text: str) -> Cron:
    """A schedule of five fields, each a number, a name, a range, a list of them or `*`, with a step after a slash.

    Raises:
        CronError: it is none.
    """
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise CronError(
            f"{text!r} is no schedule: write five fields, minute hour day month weekday, such as 0 3 * * *."
        )
    minutes, hours, days, months, weekdays = (
        _field(part, *field) for part, field in zip(parts, _FIELDS, strict=True)
    )
    both = not parts[2].startswith("*") and not parts[4].startswith("*")
    return Cron(minutes, hours, days, months, frozenset(day % _SUNDAY for day in weekdays), both)


def _field(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    values: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, name, 1, high, ()) if slash else 1
        if span == "*":
            first, last = low, high
        elif "-" in span:
            left, _, right = span.partition("-")
            first, last = _number(left, name, low, high, names), _number(right, name, low, high, names)
            if first > last:
                raise CronError(f"The {name} {part!r} runs backwards.")
        else:
            first = _number(span, name, low, high, names)
            last = high if slash else first
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _number(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + low
    if not (text.isascii() and text.isdecimal() and len(text) <= 2 and low <= int(text) <= high):
        raise CronError(f"The {name} {text!r} must be from {low} to {high}.")
    return int(text)
