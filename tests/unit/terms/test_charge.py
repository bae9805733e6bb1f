"""What a run would draw is said before it begins: at 80% and 100%, and beyond the prepaid hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from provisioner.model.contract import Prepaid
from provisioner.model.mission import MissionKind
from provisioner.model.mission_terms import Allowance, Missions, WorkstationSetup
from provisioner.model.values import Duration, Money, Percentage, Period
from provisioner.terms.allowances import Use
from provisioner.terms.charge import allowance_warnings, balances, foresee, included, shown
from provisioner.terms.prepaid import Labour, Work
from provisioner.testing import loaded, make_contract

if TYPE_CHECKING:
    from provisioner.model.contract import LoadedContract

SETUP = MissionKind.WORKSTATION_SETUP
AT = datetime(2026, 3, 10, 11, tzinfo=UTC)
TEN = Missions(workstation_setup=WorkstationSetup(allowance=Allowance(count=10, per=Period.MONTH)))
HOURS = Prepaid(hours=Decimal(10), per=Period.MONTH, overage_hourly=Money(Decimal("90.00")))


def uses(*names: int, counts: bool = True) -> list[Use]:
    return [Use(asset=f"ws-{name}", mission=SETUP, at=AT, counts=counts) for name in names]


@pytest.mark.parametrize(
    ("before", "more", "share"),
    [
        (6, [6], ""),
        (7, [7], "8 of 10 assets of missions.workstation_setup.allowance for 2026-03-01 to 2026-03-31: 80% of it"),
        (8, [8], ""),
        (9, [9], "10 of 10 assets of missions.workstation_setup.allowance for 2026-03-01 to 2026-03-31: 100% of it"),
        (7, [0], ""),
        (6, [7, 8, 9, 10], "10 of 10 assets"),
    ],
    ids=["below", "to 80%", "between", "to 100%", "a repeat", "past both, said once"],
)
def test_an_allowance_warns_as_it_is_passed(before: int, more: list[int], share: str) -> None:
    terms = loaded(make_contract(missions=TEN))
    said = allowance_warnings(terms, SETUP, at=AT, uses=uses(*range(before)), more=uses(*more))
    assert len(said) == bool(share)
    assert all(text.startswith(f"this run makes {share}") for text in said)


def test_what_does_not_count_and_what_is_unlimited_warns_of_nothing() -> None:
    terms = loaded(make_contract(missions=TEN))
    assert allowance_warnings(terms, SETUP, at=AT, uses=uses(*range(7)), more=uses(7, counts=False)) == ()
    assert allowance_warnings(loaded(make_contract()), SETUP, at=AT, uses=[], more=uses(1)) == ()
    assert (included(terms, SETUP, at=AT), included(loaded(make_contract()), SETUP, at=AT)) == (True, False)


def ask(prepaid: Prepaid, *, before: int, spent: int) -> tuple[list[str], tuple[str, ...]]:
    """Minutes before and to come; the codes of refusal and the warnings."""
    terms: LoadedContract = loaded(make_contract(prepaid=prepaid))
    work = Work(at=AT, what="", mission=SETUP, counts=True, included=False, spent=Duration(spent, "m"))
    found, warnings = foresee(terms, work, labour=[Labour(at=AT, seconds=before * 60, what="T-1")])
    return [reason.code for reason in found.reasons], warnings


@pytest.mark.parametrize(
    ("before", "spent", "warned"),
    [
        (0, 60, []),
        (420, 60, ["this run makes 8 h of 10 h prepaid for 2026-03-01 to 2026-03-31: 80% of it"]),
        (480, 60, []),
        (540, 60, ["this run makes 10 h of 10 h prepaid for 2026-03-01 to 2026-03-31: 100% of it"]),
        (
            600,
            45,
            [
                "the prepaid hours of 2026-03-01 to 2026-03-31 have 0 min left:"
                " this run goes 45 min at 90.00 EUR an hour beyond them"
            ],
        ),
    ],
)
def test_the_hours_warn_as_they_are_passed(before: int, spent: int, warned: list[str]) -> None:
    assert ask(HOURS, before=before, spent=spent) == ([], tuple(warned))


def test_the_contract_says_where_hours_warn() -> None:
    half = replace(HOURS, warn_at=(Percentage(Decimal(50)),))
    assert [len(ask(half, before=before, spent=60)[1]) for before in (240, 420, 540)] == [1, 0, 0]
    assert ask(replace(HOURS, warn_at=()), before=540, spent=60) == ([], ())


def test_hours_that_no_price_extends_refuse_what_goes_beyond() -> None:
    bare = replace(HOURS, overage_hourly=None)
    assert ask(bare, before=540, spent=60)[0] == []
    assert ask(bare, before=540, spent=61)[0] == ["prepaid_used"]
    assert ask(bare, before=600, spent=0)[0] == [], "work that draws nothing needs nothing"


def test_balances_look_at_nothing_after_the_instant() -> None:
    terms = loaded(make_contract(missions=TEN, prepaid=HOURS))
    later = AT.replace(minute=1)
    found = balances(
        terms,
        at=AT,
        uses=[*uses(1), replace(uses(2)[0], at=later)],
        labour=[Labour(at=AT, seconds=60, what="T-1"), Labour(at=later, seconds=60, what="T-2")],
    )
    assert [(one.clause, one.used) for one in found] == [("missions.workstation_setup.allowance", 1), ("prepaid", 60)]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 min"), (36, "36 s"), (2700, "45 min"), (4500, "1 h 15 min")])
def test_how_long_for_a_person(seconds: int, text: str) -> None:
    assert shown(seconds) == text
