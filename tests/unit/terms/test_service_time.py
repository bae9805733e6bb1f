"""Rules 1, 2 and 14: what is service time. Every expectation was worked out by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.terms._tickets import ALWAYS, OFFICE, PARIS, at, calendar

from provisioner.errors import UsageError
from provisioner.model.contract import Language
from provisioner.model.window import Hours
from provisioner.terms.days import first_instant
from provisioner.terms.service_time import ServiceTime, service_time

H = 3600
NIGHTS = {"mon-fri": ["22:00-06:00"]}


def service(hours: dict[str, list[str]] = OFFICE, **more: Any) -> ServiceTime:
    return service_time(calendar(hours, **more), language=Language.FR)


@pytest.mark.parametrize(
    ("hours", "more", "start", "end", "seconds"),
    [
        (OFFICE, {}, "2026-11-09 09:00", "2026-11-09 15:00", 4 * H),
        (OFFICE, {}, "2026-11-09 12:00", "2026-11-09 14:00", 0),
        (OFFICE, {}, "2026-11-06 17:00", "2026-11-09 09:00", 2 * H),
        (OFFICE, {"holidays": "FR"}, "2026-11-10 17:00", "2026-11-12 09:00", 2 * H),
        (OFFICE, {}, "2026-11-10 17:00", "2026-11-12 09:00", 10 * H),  # the control: no holidays
        (OFFICE, {"closed": (date(2026, 12, 24),)}, "2026-12-23 17:00", "2026-12-25 09:00", 2 * H),
        (ALWAYS, {}, "2026-03-29 00:00", "2026-03-30 00:00", 23 * H),
        (ALWAYS, {}, "2026-10-25 00:00", "2026-10-26 00:00", 25 * H),
        (ALWAYS, {}, "2028-02-28 00:00", "2028-03-01 00:00", 48 * H),
        (OFFICE, {}, "2028-02-28 17:00", "2028-03-01 09:00", 10 * H),
        (NIGHTS, {}, "2026-11-06 00:00", "2026-11-09 00:00", 14 * H),  # Thursday's tail, Friday's night
        (NIGHTS, {"closed": (date(2026, 11, 11),)}, "2026-11-11 00:00", "2026-11-12 12:00", 6 * H),  # only a tail
        ({"mon-sun": ["22:00-06:00"]}, {}, "2026-03-28 12:00", "2026-03-29 12:00", 7 * H),
        ({"mon-sun": ["22:00-06:00"]}, {}, "2026-10-24 12:00", "2026-10-25 12:00", 9 * H),
        ({"sun": ["02:00-03:00"]}, {}, "2026-03-29 00:00", "2026-03-30 00:00", 0),  # all of it in the gap
        ({"sun": ["02:30-04:00"]}, {}, "2026-03-29 00:00", "2026-03-30 00:00", H),  # opens at 03:00
        ({"sun": ["02:00-02:30"]}, {}, "2026-10-25 00:00", "2026-10-26 00:00", H // 2),  # the first of two
        ({"sun": ["02:30-03:00"]}, {}, "2026-10-25 00:00", "2026-10-26 00:00", H + H // 2),  # the fold is inside
        ({"mon": ["08:00-12:00", "10:00-14:00"]}, {}, "2026-11-09 00:00", "2026-11-10 00:00", 6 * H),  # a union
    ],
)
def test_elapsed(hours: dict[str, list[str]], more: dict[str, Any], start: str, end: str, seconds: int) -> None:
    assert service(hours, **more).elapsed(at(start), at(end)) == seconds


def test_open_days_add_hours_even_to_a_holiday() -> None:
    more = {
        "open": {date(2026, 11, 11): (Hours.parse("09:00-10:00"),), date(2026, 12, 19): (Hours.parse("08:00-12:00"),)}
    }
    found = service(holidays="FR", **more)
    assert found.spans(at("2026-11-11 00:00"), at("2026-11-12 00:00")) == [
        (at("2026-11-11 09:00"), at("2026-11-11 10:00"))
    ]
    assert found.elapsed(at("2026-12-19 00:00"), at("2026-12-20 00:00")) == 4 * H


@pytest.mark.parametrize(
    ("start", "seconds", "reached"),
    [
        ("2026-11-10 17:00", H, "2026-11-10 18:00"),  # the closing itself, not the next opening
        ("2026-11-10 17:00", H + 1, "2026-11-12 08:00:01"),
        ("2026-11-10 17:00", 4 * H, "2026-11-12 11:00"),
        ("2026-11-11 03:00", 4 * H, "2026-11-12 12:00"),
        ("2026-11-11 03:00", 0, "2026-11-11 03:00"),
        ("2026-12-31 17:00", 2 * H, "2027-01-04 09:00"),
    ],
)
def test_advance_is_the_first_instant_at_which_it_has_elapsed(start: str, seconds: int, reached: str) -> None:
    assert service(holidays="FR").advance(at(start), seconds) == at(reached)


@pytest.mark.parametrize(
    ("instant", "opens"),
    [
        ("2026-11-10 18:00", "2026-11-12 08:00"),
        ("2026-11-10 17:59:59", "2026-11-10 17:59:59"),
        ("2026-11-10 12:00", "2026-11-10 14:00"),
    ],
)
def test_opens_at(instant: str, opens: str) -> None:
    assert service(holidays="FR").opens_at(at(instant)) == at(opens)


@pytest.mark.parametrize(
    ("hours", "start", "number", "closing"),
    [
        (OFFICE, "2026-11-10 17:00", 1, "2026-11-12 18:00"),
        (OFFICE, "2026-11-10 17:00", 2, "2026-11-13 18:00"),
        (OFFICE, "2026-11-13 08:00", 1, "2026-11-16 18:00"),
        (OFFICE, "2026-11-14 08:00", 1, "2026-11-16 18:00"),
        (OFFICE, "2026-11-16 07:00", 1, "2026-11-17 18:00"),  # before its opening, Monday is the day all the same
        (ALWAYS, "2026-10-23 10:00", 2, "2026-10-26 00:00"),
        (NIGHTS, "2026-11-06 23:00", 1, "2026-11-10 06:00"),
        (NIGHTS, "2026-11-10 03:00", 1, "2026-11-11 06:00"),  # Monday's night: the day after it is Tuesday
        (NIGHTS, "2026-11-10 12:00", 1, "2026-11-12 06:00"),
    ],
)
def test_business_days_end_with_the_last_closing(
    hours: dict[str, list[str]], start: str, number: int, closing: str
) -> None:
    assert service(hours, holidays="FR" if hours == OFFICE else None).closing_of_nth_day(at(start), number) == at(
        closing
    )


def test_a_calendar_that_ends_has_no_instant_after_its_last_day() -> None:
    day = date(2026, 12, 19)
    found = service({}, open={day: (Hours.parse("08:00-12:00"),)})
    start = at("2026-11-10 17:00")
    assert found.opens_at(start) == at("2026-12-19 08:00")
    assert found.advance(start, 4 * H) == at("2026-12-19 12:00")
    assert found.closing_of_nth_day(start, 1) == at("2026-12-19 12:00")
    assert found.advance(start, 4 * H + 1) is None
    assert found.closing_of_nth_day(start, 2) is None
    assert found.opens_at(at("2026-12-19 12:00")) is None


def test_without_a_calendar_every_second_counts() -> None:
    found = service_time(None, language=Language.EN)
    start, end = at("2026-10-25 00:00"), at("2026-10-26 00:00")
    assert (found.elapsed(start, end), found.advance(start, 7), found.opens_at(start)) == (25 * H, start + 7, start)
    assert [stretch.why for stretch in found.stretches(start, end)] == ["service"]
    assert found.holidays_between(start, end) == ()
    with pytest.raises(ValueError, match="business days need a calendar"):
        found.closing_of_nth_day(start, 1)


def test_stretches_say_why_and_leave_no_gap() -> None:
    found = service(holidays="FR", closed=(date(2026, 11, 12),))
    stretches = list(found.stretches(at("2026-11-10 17:00"), at("2026-11-13 09:00")))
    assert [
        (at(start), at(end), counted, why, detail)
        for start, end, counted, why, detail in (
            ("2026-11-10 17:00", "2026-11-10 18:00", True, "service", ""),
            ("2026-11-10 18:00", "2026-11-11 00:00", False, "closed", ""),
            ("2026-11-11 00:00", "2026-11-12 00:00", False, "holiday", "Armistice"),
            ("2026-11-12 00:00", "2026-11-13 00:00", False, "closed day", ""),
            ("2026-11-13 00:00", "2026-11-13 08:00", False, "closed", ""),
            ("2026-11-13 08:00", "2026-11-13 09:00", True, "service", ""),
        )
    ] == stretches


def test_only_holidays_that_took_time_are_listed() -> None:
    found = service(holidays="FR")
    listed = found.holidays_between(at("2026-11-11 08:00"), at("2026-11-11 09:00"))
    assert [(one.day, one.name) for one in listed] == [(date(2026, 11, 11), "Armistice")]
    assert found.holidays_between(at("2026-11-10 08:00"), at("2026-11-11 08:00")) == ()
    assert found.holidays_between(at("2026-11-01 00:00"), at("2026-11-02 00:00")) == (), "a Sunday"


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("2026-03-29T01:59", "2026-03-29T01:59+01:00"),
        ("2026-03-29T02:00", "2026-03-29T03:00+02:00"),
        ("2026-03-29T02:59", "2026-03-29T03:00+02:00"),
        ("2026-10-25T02:00", "2026-10-25T02:00+02:00"),
        ("2026-10-25T02:59", "2026-10-25T02:59+02:00"),
        ("2026-10-25T03:00", "2026-10-25T03:00+01:00"),
    ],
)
def test_a_wall_time_is_the_first_instant_at_which_the_clock_shows_it_or_later(wall: str, instant: str) -> None:
    assert first_instant(datetime.fromisoformat(wall), ZoneInfo(PARIS)) == at(instant)


def test_a_day_that_a_zone_skipped_has_no_time() -> None:
    found = service(ALWAYS, timezone="Pacific/Apia")
    assert found.elapsed(at("2011-12-29 00:00", "Pacific/Apia"), at("2012-01-01 00:00", "Pacific/Apia")) == 48 * H


def test_equal_calendars_share_their_service_time_and_the_order_of_questions_does_not_matter() -> None:
    assert service(closed=(date(2026, 11, 12),)) is service(closed=(date(2026, 11, 12),))
    late, early = (at("2028-05-01 00:00"), at("2028-06-01 00:00")), (at("2024-05-01 00:00"), at("2024-06-01 00:00"))
    first = ServiceTime(calendar(), language=Language.FR)
    second = ServiceTime(calendar(), language=Language.FR)
    assert [first.elapsed(*late), first.elapsed(*early)] == [second.elapsed(*early), second.elapsed(*late)][::-1]


def test_after_the_last_year_of_known_holidays_it_is_an_error() -> None:
    with pytest.raises(UsageError, match="up to 2100"):
        service(holidays="FR").elapsed(at("2103-01-01 00:00"), at("2103-02-01 00:00"))


MOMENTS = st.integers(at("2026-03-01 00:00"), at("2026-11-30 00:00"))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([OFFICE, NIGHTS, ALWAYS, {"sun": ["01:00-05:00"]}]), MOMENTS, MOMENTS, MOMENTS)
def test_the_algebra_of_elapsed_and_advance(hours: dict[str, list[str]], one: int, two: int, three: int) -> None:
    found = service(hours, holidays="FR")
    a, b, c = sorted((one, two, three))
    assert found.elapsed(a, b) + found.elapsed(b, c) == found.elapsed(a, c)
    assert sum(closed - opened for opened, closed in found.spans(a, c)) == found.elapsed(a, c)
    stretches = list(found.stretches(a, c))
    assert sum(s.end - s.start for s in stretches if s.counted) == found.elapsed(a, c)
    assert [s.start for s in stretches[1:]] == [s.end for s in stretches[:-1]]
    seconds = found.elapsed(a, c)
    reached = found.advance(a, seconds)
    assert reached is not None
    assert reached <= c
    assert found.elapsed(a, reached) == seconds
    assert seconds == 0 or found.elapsed(a, reached - 1) == seconds - 1, "not before"
