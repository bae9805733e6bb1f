"""Recurrence rules: what a window can mean, and what would never happen."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.config.recurrence import recurrence_problem, recurrence_warning

STARTS = date(2026, 1, 1)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=TU",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU",
        "FREQ=MONTHLY;BYDAY=2TU",
        "FREQ=MONTHLY;BYDAY=-1SU",
        "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;COUNT=3",
        "FREQ=WEEKLY;UNTIL=20261231",
    ],
)
def test_rules_that_give_windows(rule: str) -> None:
    assert recurrence_problem(rule, starts=STARTS) == ""


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "FREQ=WEEKLY;",
        "BYDAY=TU",
        "FREQ=HOURLY",
        "FREQ=WEEKLY;FREQ=DAILY",
        "FREQ=WEEKLY;BYHOUR=3",
        "FREQ=WEEKLY;INTERVAL=0",
        "FREQ=WEEKLY;COUNT=1;UNTIL=20270101",
        "FREQ=WEEKLY;UNTIL=20279999",
        "FREQ=WEEKLY;UNTIL=20200101",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=4",
        "FREQ=MONTHLY;BYSETPOS=200;BYDAY=MO",
        "freq=weekly",
        "RRULE:FREQ=WEEKLY",
    ],
)
def test_rules_that_are_refused(rule: str) -> None:
    assert recurrence_problem(rule, starts=STARTS)


@given(st.dates(date(1970, 1, 1), date(2199, 12, 31)))
@settings(max_examples=30)
def test_a_weekly_rule_gives_windows_whenever_a_contract_starts(starts: date) -> None:
    assert recurrence_problem("FREQ=WEEKLY;BYDAY=TU", starts=starts) == ""


def test_a_rule_that_never_happens_is_found_out_quickly() -> None:
    before = time.process_time()
    assert recurrence_problem("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", starts=STARTS) == "this rule never gives a window"
    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    ("rule", "warned"),
    [
        ("BYMONTHDAY=31", True),
        ("BYMONTHDAY=1,30", True),
        ("BYMONTHDAY=28", False),
        ("BYMONTHDAY=-1", False),
        ("BYMONTH=1;BYMONTHDAY=31", False),
    ],
)
def test_a_day_that_some_months_lack_is_warned_of(rule: str, warned: bool) -> None:
    assert bool(recurrence_warning(f"FREQ=MONTHLY;{rule}")) is warned
