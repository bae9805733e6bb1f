"""Calendars and freezes: which spans open on a weekday, which days are frozen."""

from __future__ import annotations

from datetime import date

import pytest

from provisioner.model.window import Calendar, Days, Freeze, Hours


def test_a_calendar_opens_the_spans_of_every_range_that_holds_the_day() -> None:
    morning, evening = Hours.parse("08:00-12:00"), Hours.parse("18:00-20:00")
    calendar = Calendar(
        timezone="Europe/Paris",
        hours={Days.parse("mon-sat"): (evening, morning), Days.parse("sun"): (evening,)},
    )
    assert calendar.weekly(0) == (morning, evening)
    assert calendar.weekly(6) == (evening,)


@pytest.mark.parametrize(("text", "inside"), [("sat-mon", (5, 6, 0)), ("wed", (2,)), ("mon-sun", tuple(range(7)))])
def test_days_may_pass_sunday(text: str, inside: tuple[int, ...]) -> None:
    days = Days.parse(text)
    assert {day for day in range(7) if day in days} == set(inside)


def test_a_freeze_holds_both_its_ends() -> None:
    freeze = Freeze(from_=date(2026, 12, 20), to=date(2026, 12, 31), reason="closing")
    days = (date(2026, 12, 19), date(2026, 12, 20), date(2026, 12, 31), date(2027, 1, 1))
    assert [day in freeze for day in days] == [False, True, True, False]
