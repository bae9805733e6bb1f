"""Rule 12: labour is rounded up each time, drawn oldest first; what goes beyond is priced once a period."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.model.contract import Prepaid
from provisioner.model.mission import MissionKind
from provisioner.model.mission_terms import Draws, Missions, SoftwareUpdates, WorkstationSetup
from provisioner.model.values import Duration, Money, Period
from provisioner.terms.prepaid import Labour, Work, balance, balances, labour_of, price
from provisioner.testing import loaded, make_contract

if TYPE_CHECKING:
    from provisioner.model.balance import Balance
    from provisioner.model.contract import LoadedContract

SETUP = MissionKind.WORKSTATION_SETUP
MONTHLY = Prepaid(
    hours=Decimal(2), per=Period.MONTH, round_up_to=Duration(15, "m"), overage_hourly=Money(Decimal("90.00"))
)


def contract(prepaid: Prepaid = MONTHLY, **changes: object) -> LoadedContract:
    return loaded(make_contract(prepaid=prepaid, **changes))


def labour(day: date, seconds: int) -> Labour:
    return Labour(at=datetime(day.year, day.month, day.day, 11, tzinfo=UTC), seconds=seconds, what="T-1")


def minutes(day: date, count: int) -> Labour:
    return labour(day, count * 60)


def on(terms: LoadedContract, day: date, *spent: Labour) -> Balance:
    found = balance(terms, spent, day=day)
    assert found is not None
    return found


MARCH = date(2026, 3, 10)


def test_a_contract_without_hours_has_no_balance() -> None:
    assert balance(loaded(make_contract()), (), day=MARCH) is None


@pytest.mark.parametrize(
    ("unit", "spent", "drawn"),
    [
        ("15m", [1], 15),
        ("15m", [15], 15),
        ("15m", [16, 16], 60),
        ("1h", [1, 1], 120),
        (None, [7, 8], 15),
        ("15m", [0], 0),
    ],
)
def test_labour_is_rounded_up_each_time(unit: str | None, spent: list[int], drawn: int) -> None:
    terms = contract(replace(MONTHLY, round_up_to=Duration.parse(unit) if unit else None))
    assert on(terms, MARCH, *[minutes(MARCH, each) for each in spent]).used == drawn * 60


def test_what_goes_beyond_is_priced_once_a_period() -> None:
    found = on(contract(), MARCH, minutes(MARCH, 100), minutes(MARCH, 45), minutes(MARCH, 45))
    assert (found.used, found.left, found.overage) == (120 * 60, 0, 75 * 60)
    assert str(found.overage_amount) == "112.50"


@pytest.mark.parametrize(
    ("seconds", "hourly", "cents"),
    [
        (1, "18.00", "0.01"),
        (1, "17.99", "0.00"),
        (3600, "90.00", "90.00"),
        (20 * 60, "100.00", "33.33"),
        (0, "9", "0.00"),
    ],
)
def test_half_a_cent_goes_up(seconds: int, hourly: str, cents: str) -> None:
    assert str(price(seconds, Money.parse(hourly))) == cents


def test_thrice_a_third_of_a_cent_is_a_cent_and_not_nothing() -> None:
    """Each third alone would round to nothing: the period is rounded, not the labour."""
    terms = contract(Prepaid(hours=Decimal("0.01"), per=Period.MONTH, overage_hourly=Money(Decimal("12.00"))))
    spent = [labour(MARCH, 36), *[labour(MARCH, 1)] * 3]
    assert str(on(terms, MARCH, *spent).overage_amount) == "0.01"
    assert str(on(terms, MARCH, *spent[:2]).overage_amount) == "0.00"


def test_without_a_price_there_is_no_amount() -> None:
    found = on(contract(replace(MONTHLY, overage_hourly=None)), MARCH, minutes(MARCH, 200))
    assert (found.overage, found.overage_amount) == (90 * 60, None)


def test_hours_roll_over_when_the_contract_says_so() -> None:
    february, march = date(2026, 2, 3), minutes(MARCH, 180)
    assert on(contract(), MARCH, minutes(february, 60), march).overage == 60 * 60
    rolling = on(contract(replace(MONTHLY, rollover=True)), MARCH, minutes(february, 60), march)
    assert (rolling.granted, rolling.used, rolling.left, rolling.overage) == (240 * 60, 180 * 60, 60 * 60, 0)


def test_what_was_carried_expires_to_the_day() -> None:
    terms = contract(replace(MONTHLY, rollover=True, expires=Duration(10, "d")), starts=date(2026, 2, 1))
    tenth, eleventh = (on(terms, date(2026, 3, day)) for day in (10, 11))
    assert [(one.granted, one.left, one.expired) for one in (tenth, eleventh)] == [
        (240 * 60, 240 * 60, 0),
        (240 * 60, 120 * 60, 120 * 60),
    ]


def test_labour_outside_the_term_draws_nothing() -> None:
    terms = contract(starts=date(2026, 3, 10), ends=date(2026, 3, 20))
    spent = [minutes(date(2026, 3, day), 15) for day in (9, 10, 20, 21)]
    assert on(terms, date(2026, 3, 20), *spent).used == 30 * 60
    assert on(terms, date(2026, 3, 9)).granted == 120 * 60


def test_an_amended_price_leaves_the_months_before_as_they_were() -> None:
    dearer = make_contract(prepaid=replace(MONTHLY, overage_hourly=Money(Decimal("120.00"))))
    terms = loaded(make_contract(prepaid=MONTHLY), (date(2026, 4, 1), dearer))
    spent = [minutes(MARCH, 180), minutes(date(2026, 4, 2), 180)]
    march, april = balances(terms, spent, day=date(2026, 4, 30))[-2:]
    assert (str(march.overage_amount), str(april.overage_amount)) == ("90.00", "120.00")


WORK = Work(
    at=datetime(2026, 3, 10, 11, tzinfo=UTC),
    what="iv-1",
    mission=MissionKind.SOFTWARE_UPDATES,
    counts=True,
    included=False,
    spent=Duration(45, "m"),
)
ELAPSED = Missions(workstation_setup=WorkstationSetup(), software_updates=SoftwareUpdates(draws=Draws.ELAPSED))
SILENT = Missions(workstation_setup=WorkstationSetup(), software_updates=SoftwareUpdates())


@pytest.mark.parametrize(
    ("work", "missions", "seconds"),
    [
        (WORK, SILENT, 45 * 60),
        (replace(WORK, spent=None), SILENT, 0),
        (replace(WORK, included=True), SILENT, 0),
        (replace(WORK, counts=False), SILENT, 0),
        (replace(WORK, unattended=True, elapsed=100), SILENT, 0),
        (replace(WORK, unattended=True, elapsed=100), ELAPSED, 100),
        (replace(WORK, unattended=True, elapsed=100, included=True), ELAPSED, 0),
        (replace(WORK, elapsed=100), ELAPSED, 45 * 60),
        (replace(WORK, unattended=True, elapsed=100, mission=MissionKind.BACKUP), ELAPSED, 0),
    ],
)
def test_what_work_draws(work: Work, missions: Missions, seconds: int) -> None:
    assert labour_of(contract(missions=missions), work).seconds == seconds


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(
        st.sampled_from(["0.25", "2", "7.5"]),
        st.sampled_from(list(Period)),
        st.booleans(),
        st.sampled_from([None, "10d", "2mo"]),
    ),
    st.tuples(st.dates(date(2026, 1, 1), date(2026, 6, 30)), st.dates(date(2026, 7, 1), date(2028, 1, 31))),
    st.lists(st.tuples(st.dates(date(2025, 11, 1), date(2028, 3, 31)), st.integers(0, 400)), max_size=25),
    st.dates(date(2025, 11, 1), date(2028, 3, 31)),
)
def test_what_is_granted_is_used_left_or_expired(
    hours: tuple[str, Period, bool, str | None], term: tuple[date, date], spent: list[tuple[date, int]], day: date
) -> None:
    prepaid = replace(
        MONTHLY,
        hours=Decimal(hours[0]),
        per=hours[1],
        rollover=hours[2],
        expires=Duration.parse(hours[3]) if hours[3] else None,
    )
    terms = contract(prepaid, starts=term[0], ends=term[1])
    found = balances(terms, [minutes(on_day, count) for on_day, count in spent], day=day)
    brought = sum(int(prepaid.hours * 3600) for one in found if one.first <= term[1])
    assert all(one.granted == one.used + one.left + one.expired for one in found)
    assert brought == sum(one.used + one.expired for one in found) + found[-1].left, "over the whole history"
    assert all(after.granted - before.left in (0, int(prepaid.hours * 3600)) for before, after in pairwise(found))
    drawn = sum(-(-count // 15) * 15 * 60 for on_day, count in spent if term[0] <= on_day <= min(term[1], day))
    assert sum(one.used + one.overage for one in found) == drawn, "all labour is drawn or beyond"


def test_negative_control_a_forgotten_expiry_would_not_add_up() -> None:
    terms = contract(replace(MONTHLY, rollover=True), starts=date(2026, 1, 1))
    found = balances(terms, (), day=date(2026, 4, 1))
    assert sum(one.expired for one in found) == 2 * 7200
    assert sum(one.used for one in found) + found[-1].left != 4 * 7200


def test_the_balance_of_a_day_looks_at_no_later_labour() -> None:
    later = minutes(MARCH + timedelta(days=1), 60)
    assert on(contract(), MARCH, later).used == 0
    assert on(contract(), MARCH + timedelta(days=1), later).used == 3600
