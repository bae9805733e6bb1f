"""Rule 12: distinct assets per period whose intervention was accepted; repeats and failures are free."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.model.mission import MissionKind
from provisioner.model.mission_terms import Allowance, Missions, SoftwareUpdates, WorkstationSetup
from provisioner.model.values import Duration, Period
from provisioner.terms import allowances
from provisioner.terms.allowances import Use, balance
from provisioner.terms.grants import periods
from provisioner.testing import loaded, make_contract

if TYPE_CHECKING:
    from provisioner.model.balance import Balance
    from provisioner.model.contract import Contract

SETUP = MissionKind.WORKSTATION_SETUP


def contract(
    count: int = 2,
    *,
    per: Period = Period.MONTH,
    rollover: bool = False,
    expires: str | None = None,
    starts: date = date(2026, 1, 1),
    ends: date = date(2199, 12, 31),
) -> Contract:
    span = Duration.parse(expires) if expires else None
    allowance = Allowance(count=count, per=per, rollover=rollover, expires=span)
    missions = Missions(workstation_setup=WorkstationSetup(allowance=allowance), software_updates=SoftwareUpdates())
    return make_contract(starts=starts, ends=ends, missions=missions)


def use(asset: str, day: date, **changes: object) -> Use:
    at = datetime(day.year, day.month, day.day, 11, tzinfo=UTC)
    return Use(**{"asset": asset, "mission": SETUP, "at": at, "counts": True, **changes})  # type: ignore[arg-type]


def left(terms: Contract, day: date, *uses: Use) -> int:
    return on(terms, day, *uses).left


def on(terms: Contract, day: date, *uses: Use) -> Balance:
    found = balance(loaded(terms), SETUP, day=day, uses=uses)
    assert found is not None
    return found


def test_no_allowance_is_unlimited_and_no_mission_has_none() -> None:
    assert balance(loaded(contract()), MissionKind.SOFTWARE_UPDATES, day=date(2026, 3, 1), uses=()) is None
    assert balance(loaded(contract()), MissionKind.BACKUP, day=date(2026, 3, 1), uses=()) is None


def test_distinct_assets_count_once_each() -> None:
    march = date(2026, 3, 10)
    found = on(contract(), march, use("a", march), use("a", date(2026, 3, 20)), use("b", march))
    assert (found.left, found.assets) == (0, frozenset({"a", "b"}))
    assert found.admits("a"), "a repeat in the same period is free"
    assert not found.admits("c")
    assert on(contract(), date(2026, 4, 1), use("a", march)).assets == frozenset(), "a repeat in the next one is not"


@pytest.mark.parametrize(
    "changes",
    [{"counts": False}, {"mission": MissionKind.SOFTWARE_UPDATES}],
    ids=["refused, failed, simulated", "other"],
)
def test_what_does_not_count_costs_nothing(changes: dict[str, object]) -> None:
    march = date(2026, 3, 10)
    assert left(contract(), march, use("a", march)) == 1  # the control
    assert left(contract(), march, use("a", march, **changes)) == 2


@pytest.mark.parametrize(
    ("per", "starts", "first", "last"),
    [
        (Period.MONTH, date(2026, 1, 15), date(2026, 11, 1), date(2026, 11, 30)),
        (Period.QUARTER, date(2026, 2, 15), date(2026, 10, 1), date(2026, 12, 31)),
        (Period.YEAR, date(2025, 7, 1), date(2026, 1, 1), date(2026, 12, 31)),
        (Period.CONTRACT_YEAR, date(2025, 7, 15), date(2026, 7, 15), date(2027, 7, 14)),
        (Period.CONTRACT_YEAR, date(2024, 2, 29), date(2026, 2, 28), date(2027, 2, 27)),
    ],
)
def test_the_period_of_a_day(per: Period, starts: date, first: date, last: date) -> None:
    found = on(contract(per=per, starts=starts), date(2026, 11, 23))
    assert (found.first, found.last) == (first, last)


def test_days_before_the_start_have_the_first_period() -> None:
    assert on(contract(), date(2025, 6, 1)).first == date(2026, 1, 1)


def test_a_month_ends_at_midnight_of_the_contracts_zone() -> None:
    paris_november = use("a", date(2026, 12, 1), at=datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC))
    paris_december = use("a", date(2026, 12, 1), at=datetime(2026, 11, 30, 23, 0, tzinfo=UTC))
    assert [left(contract(), date(2026, 11, 30), item) for item in (paris_november, paris_december)] == [1, 2]
    assert [left(contract(), date(2026, 12, 1), item) for item in (paris_november, paris_december)] == [2, 1]


def test_without_rollover_nothing_moves_on() -> None:
    assert left(contract(expires="12mo"), date(2026, 6, 1)) == 2


def test_rollover_lasts_to_the_end_of_the_next_period_by_default() -> None:
    terms = contract(rollover=True)
    assert left(terms, date(2026, 1, 31)) == 2
    assert [left(terms, date(2026, month, 1)) for month in (2, 3, 12)] == [4, 4, 4]


@pytest.mark.parametrize(
    ("day", "expected"),
    [(date(2026, 2, 10), 4), (date(2026, 2, 11), 2), (date(2026, 3, 10), 4), (date(2026, 3, 11), 2)],
)
def test_what_was_carried_expires_to_the_day(day: date, expected: int) -> None:
    assert left(contract(rollover=True, expires="10d"), day) == expected


def test_the_oldest_is_drawn_first() -> None:
    terms = contract(rollover=True)
    february = [use(name, date(2026, 2, 5)) for name in "abc"]
    assert left(terms, date(2026, 2, 28), *february) == 1, "January's two and one of February's"
    assert left(terms, date(2026, 3, 1), *february) == 3


def test_a_repeat_draws_nothing_on_its_own_day() -> None:
    terms = contract(rollover=True, expires="10d")
    twice = [use("a", date(2026, 2, 20)), use("a", date(2026, 2, 5))]
    assert left(terms, date(2026, 2, 28), *twice) == 2, "it was paid for on the fifth, with one of January's"


def test_more_use_than_was_granted_leaves_nothing_and_owes_nothing() -> None:
    many = [use(name, date(2026, 2, 5)) for name in "abcde"]
    assert left(contract(rollover=True, count=2), date(2026, 2, 28), *many) == 0
    assert left(contract(rollover=True, count=2), date(2026, 3, 1), *many) == 2


def test_a_contract_before_a_leap_day_carries_a_whole_year() -> None:
    terms = contract(per=Period.CONTRACT_YEAR, rollover=True, starts=date(2024, 2, 29))
    assert left(terms, date(2028, 2, 28)) == 4, "the last day of the fourth year"


@given(
    st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    st.sampled_from(list(Period)),
)
def test_periods_follow_one_another_and_the_first_holds_the_start(starts: date, per: Period) -> None:
    found = list(islice(periods(contract(per=per, starts=starts), per), 20))
    assert found[0][0] <= starts <= found[0][1]
    assert all(last + timedelta(days=1) == first for (_, last), (first, _) in pairwise(found))
    lengths = {
        Period.MONTH: (28, 31),
        Period.QUARTER: (90, 92),
        Period.YEAR: (365, 366),
        Period.CONTRACT_YEAR: (365, 366),
    }
    assert all(lengths[per][0] <= (last - first).days + 1 <= lengths[per][1] for first, last in found)


def tokens_left(terms: Contract, allowance: Allowance, day: date, uses: list[tuple[date, str]]) -> int:
    """Brute force, a coin at a time and a day at a time: coins are minted, spent oldest first, and melt."""
    spans = list(islice(periods(terms, allowance.per), 40))
    coins: list[date] = []  # each by the last day it is worth something
    today = spans[0][0]
    for index, (first, last) in enumerate(spans):
        paid: set[str] = set()
        if not allowance.rollover:
            until = last
        elif allowance.expires is None:
            until = spans[index + 1][1]
        else:
            assert allowance.expires.unit == "d"
            until = last + timedelta(days=allowance.expires.amount)
        coins += [until] * allowance.count
        while today <= last:
            coins = [coin for coin in coins if coin >= today]
            for asset in [name for on_day, name in uses if on_day == today]:
                if asset not in paid and coins:
                    coins.remove(min(coins))
                paid.add(asset)
            if today == day:
                return len(coins)
            today += timedelta(days=1)
        assert first <= last
    raise AssertionError("the day is after every period")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.sampled_from([Period.MONTH, Period.QUARTER]),
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 200)),
    st.lists(st.tuples(st.integers(0, 330), st.sampled_from("abcd")), max_size=14),
)
def test_the_balance_is_that_of_counting_coins(
    count: int, per: Period, rollover: bool, expires: int | None, uses: list[tuple[int, str]]
) -> None:
    terms = contract(count, per=per, rollover=rollover, expires=f"{expires}d" if expires else None)
    found = terms.mission(SETUP)
    assert found is not None and found.allowance is not None
    days = [(date(2026, 1, 1) + timedelta(days=offset), name) for offset, name in uses]
    day = max([on_day for on_day, _ in days], default=date(2026, 5, 5))
    expected = tokens_left(terms, found.allowance, day, days)
    assert left(terms, day, *[use(name, on_day) for on_day, name in days]) == expected


def test_what_was_done_before_the_first_period_takes_nothing_of_it() -> None:
    terms = contract(1, rollover=True, starts=date(2026, 3, 10))
    before, within = use("early", date(2026, 2, 28)), use("pc-1", date(2026, 3, 1))
    assert left(terms, date(2026, 3, 10), before) == 1
    assert left(terms, date(2026, 3, 10), before, within) == 0
    assert on(terms, date(2026, 3, 10), before, within).assets == {"pc-1"}


def test_each_use_is_looked_at_in_its_own_period_only(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []

    class Watched(date):
        def __le__(self, other: date) -> bool:
            looks.append(self)
            return super().__le__(other)

        def __ge__(self, other: date) -> bool:
            looks.append(self)
            return super().__ge__(other)

    monkeypatch.setattr(allowances, "day_of", lambda at, _zone: Watched(at.year, at.month, at.day))
    first = date(2016, 1, 1)
    uses = [use(f"pc-{number}", first + timedelta(days=number)) for number in range(1000)]
    assert left(contract(starts=first), date(2026, 12, 31), *uses) == 2
    assert len(looks) < 4 * len(uses), "and not once more for each of 132 months"


DAYS = st.dates(date(2025, 11, 1), date(2028, 3, 31))


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.sampled_from(list(Period)), st.booleans(), st.sampled_from([None, "10d", "2mo"])),
    st.tuples(st.dates(date(2026, 1, 1), date(2026, 6, 30)), st.dates(date(2026, 7, 1), date(2028, 1, 31))),
    st.lists(st.tuples(DAYS, st.sampled_from("abcdef")), max_size=25),
    DAYS,
)
def test_what_is_granted_is_used_left_or_expired(
    terms: tuple[int, Period, bool, str | None],
    term: tuple[date, date],
    uses: list[tuple[date, str]],
    day: date,
) -> None:
    count, per, rollover, expires = terms
    agreed = contract(count, per=per, rollover=rollover, expires=expires, starts=term[0], ends=term[1])
    spans = [*takewhile(lambda span: span[0] <= day, periods(agreed, per))] or [next(periods(agreed, per))]
    ends = [last for _, last in spans[:-1]]
    closed = [on(agreed, last, *[use(name, on_day) for on_day, name in uses]) for last in ends]
    now = on(agreed, day, *[use(name, on_day) for on_day, name in uses])
    brought = sum(count for first, _ in spans if first <= term[1])
    for found in (*closed, now):
        assert found.granted == found.used + found.left + found.expired
        assert found.overage == len(found.assets) - found.used
        assert min(found.granted, found.used, found.left, found.expired, found.overage) >= 0
    assert now.granted <= brought
    if day > term[1]:
        assert now.left == 0, "nothing can be drawn after the term"


def test_what_lasted_to_the_end_of_the_term_expires_with_it() -> None:
    agreed = contract(3, per=Period.CONTRACT_YEAR, starts=date(2026, 3, 10), ends=date(2026, 8, 31))
    used = use("a", date(2026, 8, 31))
    last, after, next_year = (on(agreed, day, used) for day in (date(2026, 8, 31), date(2026, 9, 1), date(2027, 3, 10)))
    assert [(one.granted, one.used, one.left, one.expired) for one in (last, after, next_year)] == [
        (3, 1, 2, 0),
        (3, 1, 0, 2),
        (0, 0, 0, 0),
    ]


def test_a_period_has_the_terms_of_its_last_day() -> None:
    before, after = contract(2, rollover=True), contract(5, rollover=True)
    amended = loaded(before, (date(2026, 3, 15), after))
    found = {day: balance(amended, SETUP, day=day, uses=()) for day in (date(2026, 3, 14), date(2026, 3, 15))}
    assert [one and one.granted for one in found.values()] == [4, 7]
    april = balance(amended, SETUP, day=date(2026, 4, 1), uses=())
    assert april is not None and april.granted == 10, "March brought five in the end"
