from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.values import Duration
from provisioner.terms.days import day_of, step

DAYS = st.dates(date(1980, 1, 1), date(2150, 12, 31))


@pytest.mark.parametrize(
    ("anchor", "span", "times", "expected"),
    [
        (date(2026, 8, 31), "6mo", 1, date(2027, 2, 28)),  # rule 1's own example
        (date(2026, 8, 31), "6mo", 2, date(2027, 8, 31)),
        (date(2027, 8, 31), "6mo", 1, date(2028, 2, 29)),
        (date(2026, 1, 31), "1mo", 1, date(2026, 2, 28)),
        (date(2026, 1, 31), "1mo", 2, date(2026, 3, 31)),
        (date(2028, 2, 29), "12mo", 1, date(2029, 2, 28)),
        (date(2028, 2, 29), "12mo", 4, date(2032, 2, 29)),
        (date(2026, 12, 31), "3mo", -1, date(2026, 9, 30)),
        (date(2026, 12, 31), "90d", -1, date(2026, 10, 2)),
        (date(2028, 2, 28), "1d", 2, date(2028, 3, 1)),
    ],
)
def test_steps_of_days_and_months(anchor: date, span: str, times: int, expected: date) -> None:
    assert step(anchor, Duration.parse(span), times) == expected


@given(DAYS, st.integers(1, 48), st.integers(0, 20))
def test_months_count_from_the_anchor_and_are_clamped(anchor: date, months: int, times: int) -> None:
    found = step(anchor, Duration(months, "mo"), times)
    assert (found.year * 12 + found.month) - (anchor.year * 12 + anchor.month) == months * times
    assert found.day <= anchor.day
    assert found.day == anchor.day or (found + (date(2000, 1, 2) - date(2000, 1, 1))).day == 1


@given(DAYS, st.integers(1, 400), st.integers(-20, 20))
def test_steps_of_days_have_an_inverse(anchor: date, days: int, times: int) -> None:
    span = Duration(days, "d")
    assert step(step(anchor, span, times), span, -times) == anchor


@pytest.mark.parametrize("span", ["4h", "2bd"])
def test_hours_and_business_days_are_no_spans(span: str) -> None:
    with pytest.raises(ValueError, match=f"{span} is not a span"):
        step(date(2026, 1, 1), Duration.parse(span), 1)


@pytest.mark.parametrize(
    ("instant", "zone", "expected"),
    [
        (datetime(2026, 11, 30, 22, 59, tzinfo=UTC), "Europe/Paris", date(2026, 11, 30)),
        (datetime(2026, 11, 30, 23, 0, tzinfo=UTC), "Europe/Paris", date(2026, 12, 1)),
        (datetime(2026, 6, 30, 22, 0, tzinfo=UTC), "Europe/Paris", date(2026, 7, 1)),
        (datetime(2026, 12, 1, 4, 0, tzinfo=UTC), "America/New_York", date(2026, 11, 30)),
        (datetime(2026, 11, 30, 23, 0, tzinfo=UTC), "", date(2026, 11, 30)),
    ],
)
def test_the_day_is_that_of_the_contracts_zone(instant: datetime, zone: str, expected: date) -> None:
    assert day_of(instant, zone) == expected


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        day_of(datetime(2026, 1, 1), "Europe/Paris")  # noqa: DTZ001
