from __future__ import annotations

import string
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.unit.reporting._messages import messages

from provisioner.model.contract import Language
from provisioner.model.measurement import State
from provisioner.model.sentence import Sentence, at_instant
from provisioner.model.values import Cause, Duration, Money, Percentage
from provisioner.model.window import Calendar, Days, Hours
from provisioner.reporting import vocabulary
from provisioner.reporting.language import Wording, catalogue
from provisioner.terms import choice, clock, tickets
from provisioner.terms.service_time import service_time

if TYPE_CHECKING:
    from pathlib import Path

    from babel.messages.catalog import Catalog

FR = Wording(language=Language.FR, zone="Europe/Paris", currency="EUR")
EN = Wording(language=Language.EN, zone="Europe/Paris", currency="EUR")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def known() -> Catalog:
    found = catalogue(Language.FR)
    assert found is not None
    return found


def test_every_text_of_the_code_is_translated_and_nothing_else_is() -> None:
    translated = {str(message.id) for message in known() if message.id and message.string}
    assert messages() - translated == set(), "texts without a translation"
    assert translated - messages() == set(), "translations of texts that the code does not say"
    assert not known().obsolete


def test_a_new_text_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "terms").mkdir()
    (tmp_path / "terms" / "new.py").write_text(
        'Sentence("{n} of the moon", n=n)\nsay("a" if x else "b")\nMeasurement(reason="c")'
    )
    assert {"{n} of the moon", "a", "b", "c"} <= messages(tmp_path)


def test_a_translation_names_the_same_values() -> None:
    def names(text: str) -> list[str]:
        return sorted(field for _, field, _, _ in string.Formatter().parse(text) if field)

    for message in known():
        assert names(str(message.id)) == names(str(message.string)), message.id


def test_each_value_as_its_language_writes_it() -> None:
    said = [
        (Money(Decimal("1200.5")), "1\u202f200,50\xa0€", "€1,200.50"),
        (Percentage(Decimal("99.5")), "99,5\xa0%", "99.5%"),
        (date(2026, 11, 24), "mar. 24 nov. 2026", "Tue 24 Nov 2026"),
        (at_instant(at("2026-07-14T09:05:00Z")), "14 juil. 2026 11:05", "14 Jul 2026 11:05"),
        (timedelta(hours=26, minutes=5), "26h 5min", "26h 5m"),
        (Duration(6, "mo"), "6\xa0mois", "6 months"),
        (Duration(2, "bd"), "2 j. ouvrés", "2 bd"),
        (Cause.THIRD_PARTY, "tiers", "third party"),
        (State.MET, "tenu", "met"),
        (1234, "1\u202f234", "1,234"),
        ("T-1", "T-1", "T-1"),
    ]
    assert [FR.value(value) for value, _, _ in said] == [french for _, french, _ in said]
    assert [EN.value(value) for value, _, _ in said] == [english for _, _, english in said]


def test_a_sentence_is_said_in_the_language_and_an_unknown_text_stays() -> None:
    assert FR.say(Sentence("{elapsed} of {target}", elapsed=timedelta(0), target=timedelta(hours=4))) == "0min sur 4h"
    assert FR.say("made up") == "made up"


def test_seconds_are_shown_where_there_are_any() -> None:
    assert EN.at(at("2026-01-01T08:00:07Z")) == "1 Jan 2026 09:00:07"
    assert (EN.length(3601), EN.length(-60), EN.length(0)) == ("1h 1s", "-1m", "0m")


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    assert EN.at(at("2026-10-25T00:30:00Z")) == "25 Oct 2026 02:30 UTC+02:00"
    assert EN.at(at("2026-10-25T01:30:00Z")) == "25 Oct 2026 02:30 UTC+01:00"
    assert EN.at(at("2026-10-25T02:30:00Z")) == "25 Oct 2026 03:30"


def test_a_share_below_its_target_never_reads_as_the_target() -> None:
    assert (EN.percent(Decimal("99.49999")), FR.percent(Decimal("99.49999"))) == ("99.499%", "99,499\xa0%")


def test_without_zone_or_currency_there_is_utc_and_a_bare_number() -> None:
    bare = Wording(language=Language.EN)
    assert bare.at(int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())) == "1 Jan 2026 00:00"
    assert bare.money(Money(Decimal(5))) == "5.00"


@pytest.mark.parametrize(("words", "month"), [(FR, "août 2026"), (EN, "August 2026")])
def test_a_month(words: Wording, month: str) -> None:
    assert words.month("2026-08") == month


def test_the_plain_reasons_and_whys_of_the_clocks_are_in_the_vocabulary() -> None:
    reasons = {clock.SUPERSEDED, clock.CONTRACT_ENDED, tickets.NO_OBJECTIVE, tickets.ALREADY_JUDGED}
    assert reasons | {choice.EXPIRED, choice.NOT_STARTED, choice.UNCOVERED} == set(vocabulary.REASONS)
    office = Calendar(timezone="Europe/Paris", hours={Days(0, 6): (Hours(480, 1080),)}, holidays="FR")
    stretches = service_time(office, language=Language.FR).stretches(at("2026-07-13T00:00Z"), at("2026-07-15T00:00Z"))
    assert {one.why for one in stretches} == {"service", "closed", "holiday"} <= set(vocabulary.WHY)
