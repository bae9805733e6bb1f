"""Rule 9: the term, its renewal, and the last day on which notice still counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.contract import Contract, Notice, Renewal, RenewalKind
from provisioner.model.values import Duration, Party
from provisioner.terms.term import ends_of_terms, last_day, last_useful_day, terms_on
from provisioner.testing import loaded, make_contract

ONE_DAY = timedelta(days=1)


def tacit(*, ends: date, term: str = "12mo", notice: str | None = "90d", given_on: date | None = None) -> Contract:
    renewal = Renewal(
        kind=RenewalKind.TACIT,
        term=Duration.parse(term),
        notice=Duration.parse(notice) if notice else None,
        notice_given=Notice(on=given_on, by=Party.CLIENT) if given_on else None,
    )
    return make_contract(ends=ends, renewal=renewal)


@pytest.mark.parametrize("kind", [RenewalKind.NONE, RenewalKind.EXPRESS])
@pytest.mark.parametrize("notice", [None, Notice(on=date(2026, 3, 1), by=Party.CLIENT)])
def test_without_tacit_renewal_the_contract_ends_at_ends(kind: RenewalKind, notice: Notice | None) -> None:
    contract = make_contract(renewal=Renewal(kind=kind, term=Duration(12, "mo"), notice_given=notice))
    assert last_day(contract) == date(2026, 12, 31)
    assert list(ends_of_terms(contract)) == [date(2026, 12, 31)]


def test_tacit_renewal_runs_on_without_notice() -> None:
    assert last_day(tacit(ends=date(2026, 12, 31))) is None


@pytest.mark.parametrize(
    ("given_on", "expected"),
    [
        (date(2026, 9, 20), date(2026, 12, 31)),
        (date(2026, 10, 2), date(2026, 12, 31)),  # the last useful day: 31 Dec less 90 days
        (date(2026, 10, 3), date(2027, 12, 31)),  # one day late: a whole term more
        (date(2027, 1, 15), date(2027, 12, 31)),  # in the second term
        (date(2027, 10, 2), date(2027, 12, 31)),
        (date(2027, 10, 3), date(2028, 12, 31)),
    ],
)
def test_notice_ends_the_term_it_is_in_time_for(given_on: date, expected: date) -> None:
    assert last_day(tacit(ends=date(2026, 12, 31), given_on=given_on)) == expected


def test_without_a_notice_period_notice_counts_until_the_last_day() -> None:
    assert last_day(tacit(ends=date(2026, 12, 31), notice=None, given_on=date(2026, 12, 31))) == date(2026, 12, 31)
    assert last_day(tacit(ends=date(2026, 12, 31), notice=None, given_on=date(2027, 1, 1))) == date(2027, 12, 31)


@pytest.mark.parametrize(
    ("ends", "term", "expected"),
    [
        (date(2028, 2, 29), "12mo", [date(2028, 2, 29), date(2029, 2, 28), date(2030, 2, 28), date(2031, 2, 28)]),
        (date(2026, 2, 28), "12mo", [date(2026, 2, 28), date(2027, 2, 28), date(2028, 2, 29), date(2029, 2, 28)]),
        (date(2026, 8, 31), "6mo", [date(2026, 8, 31), date(2027, 2, 28), date(2027, 8, 31), date(2028, 2, 29)]),
        (date(2026, 1, 30), "1mo", [date(2026, 1, 30), date(2026, 2, 27), date(2026, 3, 30), date(2026, 4, 29)]),
        (date(2026, 1, 15), "30d", [date(2026, 1, 15), date(2026, 2, 14), date(2026, 3, 16), date(2026, 4, 15)]),
    ],
)
def test_renewals_in_leap_years_and_at_month_ends(ends: date, term: str, expected: list[date]) -> None:
    assert list(islice(ends_of_terms(tacit(ends=ends, term=term)), 4)) == expected


def test_a_months_notice_is_clamped() -> None:
    contract = tacit(ends=date(2027, 5, 31), notice="3mo")
    assert last_useful_day(contract, date(2027, 5, 31)) == date(2027, 2, 28)


terms = st.one_of(
    st.integers(1, 36).map(lambda n: f"{n}mo"),
    st.integers(30, 900).map(lambda n: f"{n}d"),
)
days = st.dates(date(2000, 1, 1), date(2040, 12, 31))


@given(days, terms)
def test_terms_follow_one_another_without_gap_or_overlap(ends: date, term: str) -> None:
    found = list(islice(ends_of_terms(tacit(ends=ends, term=term)), 30))
    assert found[0] == ends
    assert all(earlier < later for earlier, later in pairwise(found))
    if term.endswith("d"):
        assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(days=int(term[:-1]))}
    else:  # the day after the last one is an anniversary of the day after `ends`, clamped to its month
        anchor = ends + ONE_DAY
        for times, end in enumerate(found):
            after = end + ONE_DAY
            assert (after.year * 12 + after.month) - (anchor.year * 12 + anchor.month) == int(term[:-2]) * times


@given(days, terms, st.integers(0, 400), st.integers(-800, 4000))
def test_notice_ends_the_first_term_it_is_in_time_for(ends: date, term: str, notice: int, offset: int) -> None:
    given_on = ends + timedelta(days=offset)
    contract = tacit(ends=ends, term=term, notice=f"{notice}d" if notice else None, given_on=given_on)
    end = last_day(contract)
    assert end is not None
    assert given_on + timedelta(days=notice) <= end
    earlier = [known for known in islice(ends_of_terms(contract), 400) if known < end]
    assert all(given_on + timedelta(days=notice) > known for known in earlier)


def test_the_day_of_an_instant_is_the_contracts_and_decides_its_terms() -> None:
    signed, amended = make_contract(), make_contract(assets=("servers",))
    contract = loaded(signed, (date(2026, 7, 1), amended))
    assert terms_on(contract, datetime(2026, 6, 30, 21, 59, tzinfo=UTC)) == (signed, date(2026, 6, 30))
    assert terms_on(contract, datetime(2026, 6, 30, 22, 0, tzinfo=UTC)) == (amended, date(2026, 7, 1))
    assert terms_on(contract, datetime(2025, 1, 1, tzinfo=UTC)) == (signed, date(2025, 1, 1))
    with pytest.raises(ValueError, match="time zone"):
        terms_on(contract, datetime(2026, 7, 1))  # noqa: DTZ001
