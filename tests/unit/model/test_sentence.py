from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from provisioner.model.sentence import Sentence, at_instant
from provisioner.model.values import Duration, Money, Percentage


def test_a_sentence_is_english_text_that_knows_its_parts() -> None:
    said = Sentence("{share} of {fee}", share=Percentage(Decimal("2.50")), fee=Money(Decimal(1200)))
    assert said == "2.5% of 1200.00"
    assert (said.template, said.values["fee"]) == ("{share} of {fee}", Money(Decimal(1200)))


@pytest.mark.parametrize(
    ("value", "english"),
    [
        (at_instant(1_777_800_600), "2026-05-03T09:30:00Z"),
        (date(2026, 7, 14), "2026-07-14"),
        (Duration(2, "bd"), "2bd"),
        (timedelta(0), "0 min"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=9), "9 min"),
        (timedelta(hours=26, minutes=5), "26 h 05 min"),
        (timedelta(hours=100), "100 h"),
        (timedelta(hours=1, seconds=1), "1 h 01 s"),
        (Sentence("within {x}", x=3), "within 3"),
    ],
)
def test_values_as_english_has_them(value: object, english: str) -> None:
    assert Sentence("{value}", value=value) == english


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        Sentence("{fee}")


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Sentence("{at}", at=datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))
