"""When change is allowed: no start outside a window, over twenty years and eight zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.planning._rollouts import DAY, HOUR, TUESDAY, WEEKLY, contract, updates

from provisioner.model.values import Duration, parse_time
from provisioner.model.window import Freeze, Window
from provisioner.planning.openings import Openings

if TYPE_CHECKING:
    from provisioner.model.contract import Contract

ZONES = (
    *("Europe/Paris", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"),
    *("America/Sao_Paulo", "Indian/Reunion", "Australia/Lord_Howe", "UTC"),
)


def openings(agreed: Contract) -> Openings:
    terms = agreed.missions.software_updates
    assert terms is not None
    return Openings(agreed, terms)


def opened_by(at: int, zone: ZoneInfo) -> int | None:
    """The window of Tuesdays, 22:00 for four elapsed hours, that an instant is in, walked day by day."""
    for back in (0, 1):
        day = datetime.fromtimestamp(at, zone).date() - timedelta(days=back)
        begins = int(datetime(day.year, day.month, day.day, 22, tzinfo=zone).timestamp())
        if day.weekday() == 1 and begins <= at < begins + 4 * HOUR:
            return begins
    return None


@settings(max_examples=400)
@given(st.sampled_from(ZONES), st.integers(0, 20 * 365 * DAY), st.integers(1, 4 * HOUR))
def test_what_fits_is_in_a_window_and_nothing_earlier_fits(name: str, later: int, seconds: int) -> None:
    zone = ZoneInfo(name)
    found = openings(contract(updates(), timezone=name, starts=date(2025, 1, 1), ends=date(2046, 12, 31)))
    at = int(datetime(2025, 2, 1, tzinfo=UTC).timestamp()) + later
    span = found.fitting(at, seconds)
    assert span is not None
    begins = opened_by(span[0], zone)
    assert begins is not None and span[0] >= at
    assert span[0] + seconds <= span[1] == begins + 4 * HOUR
    for earlier in range(at, span[0], 1800):
        opened = opened_by(earlier, zone)
        assert opened is None or earlier + seconds > opened + 4 * HOUR
    assert found.is_open(at) == (opened_by(at, zone) is not None)


def test_without_windows_the_whole_term_is_one() -> None:
    found = openings(contract(updates(windows=())))
    first = int(datetime(2025, 12, 31, 23, tzinfo=UTC).timestamp())
    last = int(datetime(2027, 12, 31, 23, tzinfo=UTC).timestamp())
    assert found.fitting(first - 10 * DAY, 60) == (first, last)
    assert found.fitting(TUESDAY, 60) == (TUESDAY, last)
    assert found.fitting(last - 59, 60) is None


def test_a_freeze_ends_a_window_at_its_first_instant() -> None:
    freeze = Freeze(from_=date(2026, 11, 25), to=date(2026, 12, 1), reason="audit")
    found = openings(contract(updates(freezes=(freeze,))))
    assert found.fitting(TUESDAY, HOUR) == (TUESDAY, TUESDAY + 2 * HOUR)
    assert found.fitting(TUESDAY, 2 * HOUR) == (TUESDAY, TUESDAY + 2 * HOUR)
    # The window of 1 December begins frozen; what is left of it on the 2nd has two hours.
    assert found.fitting(TUESDAY + 3 * HOUR, HOUR) == (TUESDAY + 7 * DAY + 2 * HOUR, TUESDAY + 7 * DAY + 4 * HOUR)
    assert found.fitting(TUESDAY, 3 * HOUR) == (TUESDAY + 14 * DAY, TUESDAY + 14 * DAY + 4 * HOUR)
    assert found.frozen(TUESDAY + 2 * HOUR) == freeze
    assert found.frozen(TUESDAY + 2 * HOUR - 1) is None


def test_the_last_day_of_the_contract_ends_the_last_window() -> None:
    found = openings(contract(updates(), ends=date(2026, 11, 24)))
    assert found.fitting(TUESDAY, 2 * HOUR) == (TUESDAY, TUESDAY + 2 * HOUR)
    assert found.fitting(TUESDAY, 2 * HOUR + 1) is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("FREQ=MONTHLY;BYMONTHDAY=-1", date(2027, 4, 30)), ("FREQ=MONTHLY;BYMONTHDAY=31", date(2027, 5, 31))],
)
def test_w10_monthly_on_the_last_day_runs_in_april(rule: str, expected: date) -> None:
    """W10: BYMONTHDAY=-1 is 30 April; 31 skips the month, as RFC 5545 says."""
    window = Window(name="monthly", rrule=rule, start=parse_time("22:00"), duration=Duration(1, "h"))
    found = openings(contract(updates(windows=(window,))))
    span = found.fitting(int(datetime(2027, 4, 2, tzinfo=UTC).timestamp()), 60)
    assert span is not None
    assert datetime.fromtimestamp(span[0], ZoneInfo("Europe/Paris")).date() == expected


def test_windows_that_overlap_stay_apart() -> None:
    second = Window(name="late", rrule=WEEKLY.rrule, start=parse_time("23:00"), duration=Duration(4, "h"))
    found = openings(contract(updates(windows=(WEEKLY, second))))
    assert found.fitting(TUESDAY + HOUR, 3 * HOUR) == (TUESDAY + HOUR, TUESDAY + 4 * HOUR)
    assert found.fitting(TUESDAY + HOUR, 3 * HOUR + 1) == (TUESDAY + HOUR, TUESDAY + 5 * HOUR)


def test_long_before_the_contract_starts_its_first_window_is_found() -> None:
    first = int(datetime(2026, 1, 6, 21, tzinfo=UTC).timestamp())
    assert openings(contract(updates())).fitting(0, HOUR) == (first, first + 4 * HOUR)
