from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from onhand.core.orders.cron import CronError, parse_cron

START = datetime(2026, 1, 1, 10, 30, 20, tzinfo=UTC)
"""A Thursday."""


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("* * * * *", datetime(2026, 1, 1, 10, 31, tzinfo=UTC)),
        ("*/15 * * * *", datetime(2026, 1, 1, 10, 45, tzinfo=UTC)),
        ("30 10 * * *", datetime(2026, 1, 2, 10, 30, tzinfo=UTC)),
        ("0 3 * * *", datetime(2026, 1, 2, 3, tzinfo=UTC)),
        ("5/20 9-11 * * *", datetime(2026, 1, 1, 10, 45, tzinfo=UTC)),
        ("0 8 * * MON-FRI", datetime(2026, 1, 2, 8, tzinfo=UTC)),
        ("0 8 * * sun", datetime(2026, 1, 4, 8, tzinfo=UTC)),
        ("0 8 * * 7", datetime(2026, 1, 4, 8, tzinfo=UTC)),
        ("0 0 1 feb *", datetime(2026, 2, 1, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0 0 13 * 5", datetime(2026, 1, 2, tzinfo=UTC)),
        ("1,2 0 31 * *", datetime(2026, 1, 31, 0, 1, tzinfo=UTC)),
        ("0 0 30 2 *", None),
    ],
)
def test_the_next_due_minute(schedule, due):
    assert parse_cron(schedule).next_after(START) == due


def test_a_schedule_looks_at_utc_whatever_zone_it_is_asked_in():
    asked = START.astimezone(timezone(timedelta(hours=5)))
    assert parse_cron("0 12 * * *").next_after(asked) == datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("schedule", ["*/7 */5 * * *", "3 1-5/2 */9 * *", "0 0 13 * 5", "59 23 31 12 *"])
def test_it_is_the_first_minute_that_fits(schedule):
    cron = parse_cron(schedule)
    due = cron.next_after(START)
    assert due is not None
    moment = START.replace(second=0) + timedelta(minutes=1)
    while moment < due:
        day = moment.day in cron.days or moment.isoweekday() % 7 in cron.weekdays
        if not cron.either_day:
            day = moment.day in cron.days and moment.isoweekday() % 7 in cron.weekdays
        fits = (
            moment.minute in cron.minutes
            and moment.hour in cron.hours
            and moment.month in cron.months
            and day
        )
        assert not fits, moment
        moment += timedelta(minutes=1)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("60 * * * *", "minute '60' must be from 0 to 59"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day of week"),
        ("5-1 * * * *", "runs backwards"),
        ("*/0 * * * *", "must be from 1"),
        ("a * * * *", "minute 'a'"),
        ("1, * * * *", "minute ''"),
        ("\u0667 * * * *", "minute"),
        ("-1 * * * *", "minute ''"),
    ],
)
def test_a_schedule_that_cannot_be_read_names_its_field(schedule, message):
    with pytest.raises(CronError, match=message):
        parse_cron(schedule)
