"""Values: text in, value out, and back; what is refused, and in which words."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.objective import PerformanceTarget, Threshold, parse_target
from provisioner.model.values import Duration, Money, Percentage, Text, parse_day, parse_time
from provisioner.model.window import Days, Hours

durations = st.builds(Duration, st.integers(-99_999, 99_999), st.sampled_from(["m", "h", "d", "mo", "bd"]))
percentages = st.builds(Percentage, st.decimals(0, 100, places=3))
minutes = st.integers(0, 1439)


@given(durations)
def test_a_duration_reads_what_it_writes(duration: Duration) -> None:
    assert Duration.parse(str(duration)) == duration


@given(st.decimals(0, 999_999_999_999, places=2))
def test_money_reads_what_it_writes_and_keeps_the_cent(amount: Decimal) -> None:
    assert Money.parse(str(Money(amount))) == Money(amount)


@given(percentages)
def test_a_percentage_reads_what_it_writes(percentage: Percentage) -> None:
    assert Percentage.parse(str(percentage)) == percentage


@given(minutes, st.integers(1, 1440))
def test_hours_read_what_they_write(opens: int, length: int) -> None:
    hours = Hours(opens, opens + length)
    assert Hours.parse(str(hours)) == hours


@given(st.integers(0, 6), st.integers(0, 6))
def test_days_read_what_they_write_and_hold_their_ends(first: int, last: int) -> None:
    days = Days(first, last)
    assert Days.parse(str(days)) == days
    assert first in days and last in days


@given(st.sampled_from(["<=", ">="]), st.decimals(0, 999_999_999, places=6), st.sampled_from(["ms", "s", "%", "/s"]))
def test_a_performance_target_reads_what_it_writes(comparison: str, bound: Decimal, unit: str) -> None:
    target = PerformanceTarget(comparison, bound, unit)
    assert PerformanceTarget.parse(str(target)) == target


@given(durations | percentages)
def test_a_threshold_reads_what_it_writes(at: Duration | Percentage) -> None:
    assert Threshold.parse(str(Threshold(at))) == Threshold(at)


@given(st.dates(date(1970, 1, 1), date(2199, 12, 31)))
def test_a_day_reads_what_it_writes(day: date) -> None:
    assert parse_day(str(day)) == day


@given(st.text(max_size=12))
def test_no_text_makes_a_parser_raise_anything_but_a_sentence(text: str) -> None:
    parsers = (
        Duration.parse,
        Money.parse,
        Percentage.parse,
        Hours.parse,
        Days.parse,
        PerformanceTarget.parse,
        parse_day,
    )
    for parse in (*parsers, parse_target, Threshold.parse):
        try:
            value = parse(text)
        except ValueError as error:
            assert str(error)
        else:
            assert str(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("08:00-12:00", Hours(480, 720)),
        ("14:00-24:00", Hours(840, 1440)),
        ("22:00-06:00", Hours(1320, 1800)),
        ("00:00-00:00", Hours(0, 1440)),
    ],
)
def test_hours_end_the_next_day_when_they_do_not_end_after_their_start(text: str, value: Hours) -> None:
    assert Hours.parse(text) == value


def test_midnight_at_the_end_is_midnight() -> None:
    assert parse_time("24:00") == time(0, 0)


@pytest.mark.parametrize("text", ["4", "4 h", "4H", "1.5h", "٤h", "4h\n", "+4h", "", "100000h", "4w"])
def test_a_duration_is_written_in_one_way(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as"):
        Duration.parse(text)


@pytest.mark.parametrize("text", ["1e3", "-1", "1.005", "1,00", "1_000", "NaN", "٣", ".5", "1."])
def test_money_is_written_in_one_way(text: str) -> None:
    with pytest.raises(ValueError, match="expected an amount such as"):
        Money.parse(text)


def test_a_fixed_duration_has_seconds_and_a_calendar_one_has_none() -> None:
    assert [Duration.parse(text).seconds for text in ("90m", "4h", "2d", "-10m")] == [5400, 14400, 172800, -600]
    for text in ("3mo", "2bd"):
        with pytest.raises(ValueError, match="has no fixed length"):
            _ = Duration.parse(text).seconds


def test_a_share_is_exact() -> None:
    assert Percentage.parse("99.5%").value == Decimal("99.5")


def test_a_word_that_is_no_text_is_named_by_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"^expected a duration such as 4h$"):
        Text(Duration.parse, "[0-9]+h", "a duration such as 4h")(["4h"])


def test_the_nouns_import_no_validator() -> None:
    program = (
        "import sys, provisioner.model.contract, provisioner.model.inventory;"
        "sys.exit(any(name in sys.modules for name in ('pydantic', 'pydantic_core', 'yaml', 'dateutil')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
