from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.unit.reporting._statement import MONTH, STATEMENT, UNKNOWN

from provisioner.model.balance import Balance, Unit
from provisioner.model.contract import Language
from provisioner.model.measurement import Bounds, State
from provisioner.model.objective import Metric, Objective, PerformanceTarget
from provisioner.model.values import Duration, Money
from provisioner.reporting.statement_tables import statement_tables
from provisioner.testing import loaded, make_contract

if TYPE_CHECKING:
    from provisioner.reporting.page import Section


ACME = loaded(make_contract(id="ACME-2026", timezone="Europe/Paris", language=Language.FR))


def sections(language: Language | None) -> dict[str, Section]:
    return {section.title: section for section in statement_tables(STATEMENT, [ACME], language=language)}


def test_the_language_is_that_of_the_contract_unless_asked_otherwise() -> None:
    assert "Avoirs" in sections(None)
    assert "Credits" in sections(Language.EN)


def test_a_ticket_in_english() -> None:
    tickets = sections(Language.EN)["Tickets"]
    assert tickets.columns == ("ticket", "objective", "state", "due", "ended", "counted")
    assert tickets.rows[0] == (
        *("T-2", "resolution-p1", "BREACHED", "3 Nov 2026 09:00", "3 Nov 2026 10:30", "9h 30m of 8h"),
    )
    assert tickets.rows[1][2] == "not applicable: superseded"


def test_a_credit_shows_its_arithmetic_and_its_events() -> None:
    (row,) = sections(Language.FR)["Avoirs"].rows
    assert row[3] == "24,00\xa0€"
    assert row[5] == "3 nov. 2026 09:00; événements 4, 7"


def test_totals_before_and_after_the_cap() -> None:
    assert sections(Language.EN)["Owed"].rows == (
        ("October 2026", "€0.00", "€0.00", "no cap"),
        ("November 2026", "€24.00", "€20.00", "20.00"),
    )


def test_held_time_by_cause_and_whose_it_was() -> None:
    held = sections(Language.FR)["Suspensions"]
    assert held.rows == (
        ("T-2", "resolution-p1", "client", "du client", "30min"),
        ("total", "", "client", "du client", "30min"),
    )


def test_results_by_month_show_both_bounds_and_the_reason() -> None:
    rows = sections(Language.EN)["By month"].rows
    assert rows[0][3] == "not evaluable: no figures"
    assert rows[1][:5] == (*("October 2026", "availability", "servers", "BREACHED", "99.499% (from 99.499% to 99.8%)"),)


def test_holidays_and_the_trace_of_a_clock() -> None:
    found = sections(Language.EN)
    assert found["Public holidays without service"].lines == ("Wed 11 Nov 2026: Armistice",)
    trace = found["Clock of T-2, resolution-p1"].rows
    assert trace[2] == ("2 Nov 2026 14:00", "2 Nov 2026 14:30", "30m", "no", "hold (client)")


def test_no_credit_is_said() -> None:
    found = statement_tables(replace(STATEMENT, credits=()), [ACME], language=Language.EN)
    assert [section.lines for section in found if section.title == "Credits"] == [("No credit is due.",)]


def test_an_age_by_month_is_shown_as_a_length_and_a_figure_with_its_unit() -> None:
    objectives = (
        Objective(id="availability", metric=Metric.PATCH_AGE, target=Duration(21, "d")),
        Objective(id="app-latency", metric=Metric.PERFORMANCE, target=PerformanceTarget.parse("<= 2s")),
    )
    aged = MONTH._replace(bounds=None, elapsed_seconds=90_000, target_seconds=21 * 86_400)
    two = Decimal("2.00004")
    slow = UNKNOWN._replace(state=State.BREACHED, reason="", bounds=Bounds(value=two, lower=two, upper=two))
    acme = loaded(make_contract(id="ACME-2026", objectives=objectives))
    statement = replace(STATEMENT, measurements=(slow, aged))
    (section,) = [one for one in statement_tables(statement, [acme]) if one.title == "By month"]
    assert [row[4:] for row in section.rows] == [("2.00004 s", "<= 2 s"), ("25h", "21 days")]


def test_of_several_contracts_each_line_names_its_own_with_its_currency() -> None:
    other = loaded(make_contract(id="ACME-2027", timezone="Indian/Reunion", currency="CHF"))
    credit = replace(STATEMENT.credits[0], contract="ACME-2027")
    statement = replace(STATEMENT, contracts=("ACME-2026", "ACME-2027"), credits=(credit,))
    found = {one.title: one for one in statement_tables(statement, [other, ACME], language=Language.EN)}
    (head, *_) = found.values()
    assert "Times are those of Europe/Paris, Indian/Reunion." in head.lines
    (row,) = found["Credits"].rows
    assert (row[1], row[3]) == ("ACME-2027 resolution-p1", "CHF24.00")


def test_balances_in_both_languages() -> None:
    hours = Balance(
        contract="ACME-2026",
        clause="prepaid",
        unit=Unit.SECONDS,
        first=date(2026, 1, 1),
        last=date(2026, 12, 31),
        granted=3600,
        used=3600,
        left=0,
        expired=0,
        overage=1800,
        overage_amount=Money(Decimal("45.00")),
    )
    pages = [statement_tables(STATEMENT, [ACME], balances=[hours], language=each) for each in Language]
    french, english = ({section.title: section for section in page} for page in pages)
    (row,) = english["Allowances and prepaid hours"].rows
    assert row == ("prepaid", "Thu 1 Jan 2026", "Thu 31 Dec 2026", "1h", "1h", "0m", "0m", "30m", "€45.00")
    assert "Forfaits et heures prépayées" in french
    assert "Allowances and prepaid hours" not in sections(Language.EN)
