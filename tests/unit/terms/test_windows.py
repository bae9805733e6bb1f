"""Rule 3: windows as instants, on ordinary days and on the two nights of the year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.values import Duration, parse_time
from provisioner.model.window import Window
from provisioner.terms.windows import occurrences

YEAR = (int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()))


def window(rrule: str, start: str, *, duration: str = "", end: str = "", zone: str | None = None) -> Window:
    return Window(
        name="w",
        rrule=rrule,
        start=parse_time(start),
        duration=Duration.parse(duration) if duration else None,
        end=parse_time(end) if end else None,
        timezone=zone,
    )


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def found(one: Window, first: str, last: str, *, starts: date = date(2026, 1, 1)) -> list[tuple[str, str]]:
    spans = occurrences(one, starts=starts, zone="Europe/Paris", between=(instant(first), instant(last)))
    return [(said(opens), said(closes)) for opens, closes in spans]


def said(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("one", "night", "expected"),
    [
        # an ordinary night in winter, +01:00
        (window("FREQ=DAILY", "22:00", duration="4h"), "2026-02-10", ("02-10T21:00", "02-11T01:00")),
        (window("FREQ=DAILY", "22:00", end="04:00"), "2026-02-10", ("02-10T21:00", "02-11T03:00")),
        (window("FREQ=DAILY", "22:00", end="24:00"), "2026-02-10", ("02-10T21:00", "02-10T23:00")),
        (window("FREQ=DAILY", "08:00", end="12:00"), "2026-02-10", ("02-10T07:00", "02-10T11:00")),
        # 29 March: 02:00 is 03:00. Elapsed time is exact, wall time is an hour shorter
        (window("FREQ=DAILY", "22:00", duration="6h"), "2026-03-28", ("03-28T21:00", "03-29T03:00")),
        (window("FREQ=DAILY", "22:00", end="04:00"), "2026-03-28", ("03-28T21:00", "03-29T02:00")),
        (window("FREQ=DAILY", "02:30", duration="1h"), "2026-03-29", ("03-29T01:00", "03-29T02:00")),
        (window("FREQ=DAILY", "02:00", duration="1h"), "2026-03-29", ("03-29T01:00", "03-29T02:00")),
        (window("FREQ=DAILY", "01:00", end="02:30"), "2026-03-29", ("03-29T00:00", "03-29T01:00")),
        # 25 October: 03:00 is 02:00 again. The first 02:30 counts
        (window("FREQ=DAILY", "22:00", duration="6h"), "2026-10-24", ("10-24T20:00", "10-25T02:00")),
        (window("FREQ=DAILY", "22:00", end="04:00"), "2026-10-24", ("10-24T20:00", "10-25T03:00")),
        (window("FREQ=DAILY", "02:30", duration="1h"), "2026-10-25", ("10-25T00:30", "10-25T01:30")),
        (window("FREQ=DAILY", "01:00", end="02:30"), "2026-10-25", ("10-24T23:00", "10-25T00:30")),
        # another zone than the contract's
        (
            window("FREQ=DAILY", "22:00", duration="1h", zone="America/Guadeloupe"),
            "2026-02-10",
            ("02-11T02:00", "02-11T03:00"),
        ),
    ],
)
def test_a_window_on_a_night(one: Window, night: str, expected: tuple[str, str]) -> None:
    before = datetime.fromisoformat(f"{night}T00:00:00+01:00") - timedelta(hours=2)
    spans = found(one, before.isoformat(), (before + timedelta(hours=30)).isoformat())
    assert expected in spans


def test_a_window_that_can_only_be_in_the_gap_is_none() -> None:
    one = window("FREQ=DAILY", "02:00", end="02:45")
    assert found(one, "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00") == []
    assert len(found(one, "2026-03-28T00:00+01:00", "2026-03-29T00:00+01:00")) == 1, "the control"


def test_the_recurrence_begins_on_the_first_day_and_is_that_of_the_rfc() -> None:
    monthly = window("FREQ=MONTHLY;BYMONTHDAY=31", "22:00", duration="1h")
    days = [opens[:5] for opens, _ in found(monthly, "2026-01-01T00:00Z", "2026-12-31T23:59Z")]
    assert days == ["01-31", "03-31", "05-31", "07-31", "08-31", "10-31", "12-31"]
    counted = window("FREQ=WEEKLY;BYDAY=TU;COUNT=2", "22:00", duration="1h")
    days = [opens[:5] for opens, _ in found(counted, "2026-01-01T00:00Z", "2026-12-31T23:59Z", starts=date(2026, 6, 1))]
    assert days == ["06-02", "06-09"]


def test_until_a_day_includes_that_day() -> None:
    one = window("FREQ=DAILY;UNTIL=20260103", "22:00", duration="1h")
    assert [opens[:5] for opens, _ in found(one, "2026-01-01T00:00Z", "2026-02-01T00:00Z")] == [
        "01-01",
        "01-02",
        "01-03",
    ]


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        ("2026-02-10T20:00Z", "2026-02-10T21:00Z", 0),  # ends as it opens
        ("2026-02-10T20:00Z", "2026-02-10T21:01Z", 1),
        ("2026-02-11T00:59Z", "2026-02-11T12:00Z", 1),
        ("2026-02-11T01:00Z", "2026-02-11T12:00Z", 0),  # begins as it closes
    ],
)
def test_what_touches_the_time_asked_for(first: str, last: str, count: int) -> None:
    assert len(found(window("FREQ=WEEKLY;BYDAY=TU", "22:00", duration="4h"), first, last)) == count


@given(
    minutes=st.integers(0, 1439),
    length=st.integers(1, 5000),
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    rule=st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU", "FREQ=MONTHLY;BYDAY=-1SU"]),
    cut=st.integers(*YEAR),
)
def test_parts_of_the_year_agree_with_the_year(minutes: int, length: int, zone: str, rule: str, cut: int) -> None:
    one = window(rule, f"{minutes // 60:02}:{minutes % 60:02}", duration=f"{length}m", zone=zone)

    def within(first: int, last: int) -> list[tuple[int, int]]:
        return list(occurrences(one, starts=date(2026, 1, 1), zone="UTC", between=(first, last)))

    whole = within(*YEAR)
    assert sorted({*within(YEAR[0], cut), *within(cut, YEAR[1])}) == whole == sorted(whole)
    for opens, closes in whole:
        assert closes - opens == length * 60
        shown = datetime.fromtimestamp(opens, ZoneInfo(zone))
        late = (shown.hour * 60 + shown.minute - minutes) % 1440
        assert late == 0 or late <= 60, "at its time, or moved out of a gap"
