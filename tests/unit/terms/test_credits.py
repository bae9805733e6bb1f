"""Rules 8 and 10, by hand: one credit a ticket, half a cent up, the cap of a period, the fee of the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.terms.objectives._months import at, contract, objective

from provisioner.errors import UsageError
from provisioner.model.contract import Contract, LoadedContract
from provisioner.model.measurement import Credit, Measurement, MonthTotal, State
from provisioner.model.objective import Metric, Penalty, PenaltyCap, Tier
from provisioner.model.values import Money, Percentage, Period
from provisioner.terms.credits import credits_for, share, totals
from provisioner.testing import loaded

FIXED = objective(Metric.RESPONSE_TIME, "1h", id="fixed", penalty=Penalty(per_breach=Money.parse("50.00")))
TWO_PERCENT = Penalty(percent_of_fee=Percentage.parse("2%"))
SHARED = objective(Metric.RESOLUTION_TIME, "1h", id="shared", penalty=TWO_PERCENT)
FREE = objective(Metric.UPDATE_TIME, "1h", id="free")
AGE = objective(Metric.PATCH_AGE, "21d", id="age", penalty=TWO_PERCENT)
FEE = Money.parse("1000.00")


def terms(**changes: object) -> Contract:
    fields = {"starts": date(2026, 1, 1), "monthly_fee": FEE, **changes}
    return contract(FIXED, SHARED, FREE, AGE, **fields)


def capped(percent: str, per: Period = Period.MONTH) -> PenaltyCap:
    return PenaltyCap(percent_of_fee=Percentage.parse(percent), per=per)


def breach(when: str, which: str = "fixed", *, ticket: str | None = "T-1", **more: object) -> Measurement:
    fields = {
        "contract": "DEMO-2026", "objective": which, "metric": None, "clause": f"objectives.{which}",
        "state": State.BREACHED, "ticket": ticket, "bound": at(when), "breached_at": at(when),
    }  # fmt: skip
    return Measurement(**{**fields, **more})  # type: ignore[arg-type]


def owed(one: Contract | LoadedContract, *found: Measurement) -> tuple[tuple[Credit, ...], dict[str, MonthTotal]]:
    by_id = {"DEMO-2026": one if isinstance(one, LoadedContract) else loaded(one)}
    given = credits_for(found, by_id)
    return given, totals(given, by_id)


def sums(found: dict[str, MonthTotal]) -> dict[str, tuple[str, str]]:
    return {month: (str(total.before_cap), str(total.after_cap)) for month, total in found.items()}


def test_one_credit_for_each_objective_and_ticket() -> None:
    found, total = owed(
        terms(),
        breach("2026-11-02 10:00"),
        breach("2026-11-02 11:00", "shared"),
        breach("2026-11-02 12:00", ticket="T-2"),
        breach("2026-11-02 13:00", "free"),
        breach("2026-11-02 13:00", ticket="T-3")._replace(state=State.MET, breached_at=None),
        breach("2026-11-09 13:00"),  # the objective came back to the ticket
    )
    assert [(one.objective, one.measurement.ticket, str(one.amount)) for one in found] == [
        ("fixed", "T-1", "50.00"),
        ("shared", "T-1", "20.00"),
        ("fixed", "T-2", "50.00"),
    ]
    assert found[0].measurement.breached_at == at("2026-11-02 10:00")
    assert (found[0].reason, found[1].reason) == (
        "50.00 a breach",
        "2% of the monthly fee of 1000.00 is 20.00",
    )
    assert (found[1].clause, found[1].month) == ("objectives.shared.penalty", "2026-11")
    assert total == {"2026-11": MonthTotal(before_cap=Money(Decimal("120.00")), after_cap=Money(Decimal("120.00")))}


def test_one_credit_for_each_objective_and_month_whatever_the_assets() -> None:
    ended = {"ticket": None, "month": "2026-10", "bound": at("2026-10-01 00:00")}
    found, total = owed(
        terms(),
        breach("2026-11-01 00:00", "age", asset="srv-01", elapsed_seconds=5, **ended),
        breach("2026-11-01 00:00", "age", asset="srv-02", elapsed_seconds=9, **ended),
    )
    assert [(one.month, one.measurement.asset) for one in found] == [("2026-10", "srv-02")]
    assert sums(total) == {"2026-10": ("20.00", "20.00")}


@pytest.mark.parametrize(
    ("when", "month"),
    [("2026-10-31 23:59", "2026-10"), ("2026-11-01 00:00", "2026-11")],  # 22:59 and 23:00 in UTC, both in October
)
def test_the_month_is_that_of_the_breach_in_the_zone_of_the_contract(when: str, month: str) -> None:
    assert owed(terms(), breach(when))[0][0].month == month


@pytest.mark.parametrize(
    ("percent", "fee", "expected"),
    [
        ("2%", "1000.00", "20.00"),
        ("2%", "1000.24", "20.00"),  # 20.0048
        ("2%", "1000.25", "20.01"),  # 20.005, half a cent
        ("0.5%", "33.00", "0.17"),  # 0.165
        ("0.5%", "35.00", "0.18"),  # 0.175: up, not to the even cent
        ("0.001%", "499.99", "0.00"),
        ("0.001%", "500.00", "0.01"),
        ("100%", "0.01", "0.01"),
    ],
)
def test_half_a_cent_is_rounded_up(percent: str, fee: str, expected: str) -> None:
    assert str(share(Percentage.parse(percent), Money.parse(fee))) == expected


def test_totals_add_credits_that_are_rounded_already() -> None:
    # three times 20.005: 60.03 of rounded credits, not 60.015 rounded to 60.02
    found = [breach("2026-11-02 10:00", "shared", ticket=f"T-{number}") for number in range(3)]
    assert sums(owed(terms(monthly_fee=Money.parse("1000.25")), *found)[1]) == {"2026-11": ("60.03", "60.03")}


@pytest.mark.parametrize(("cap", "after"), [("10%", "100.00"), ("10.001%", "100.00"), ("9.999%", "99.99")])
def test_a_cap_that_is_exactly_reached(cap: str, after: str) -> None:
    found = [breach("2026-11-02 10:00", ticket=f"T-{number}") for number in range(2)]
    total = owed(terms(penalty_cap=capped(cap)), *found)[1]
    assert sums(total) == {"2026-11": ("100.00", after)}
    assert str(total["2026-11"].cap).startswith(f"at most {cap} of the monthly fee of 1000.00, ")


def test_the_cap_of_a_quarter_is_used_month_by_month() -> None:
    one = terms(penalty_cap=capped("8%", Period.QUARTER))
    found = [breach(f"2026-{month}-05 10:00", ticket=f"T-{month}") for month in ("12", "10", "11", "09")]
    given, total = owed(one, *found)
    assert len(given) == 4
    assert sums(total) == {
        "2026-09": ("50.00", "50.00"), "2026-10": ("50.00", "50.00"), "2026-11": ("50.00", "30.00"),
        "2026-12": ("50.00", "0.00"),
    }  # fmt: skip
    assert total["2026-11"].cap == (
        "at most 8% of the monthly fee of 1000.00, 80.00, from 2026-10-01 to 2026-12-31; 50.00 was used before"
    )


def test_a_contract_year_may_begin_within_a_month() -> None:
    one = terms(starts=date(2026, 3, 15), ends=date(2028, 3, 14), penalty_cap=capped("8%", Period.CONTRACT_YEAR))
    days = ("2027-03-01 10:00", "2027-03-14 23:59", "2027-03-15 00:00")
    total = owed(one, *(breach(day, ticket=f"T-{number}") for number, day in enumerate(days)))[1]
    # 100.00 of the first year, of which 80.00 stay; 50.00 of the second
    assert sums(total) == {"2027-03": ("150.00", "130.00")}
    assert "; " in total["2027-03"].cap


def test_a_result_by_month_counts_in_the_period_it_measured() -> None:
    one = terms(penalty_cap=capped("3%", Period.QUARTER))
    ended = {"ticket": None, "bound": at("2026-09-01 00:00")}
    found = [
        breach("2026-10-01 00:00", "age", month="2026-09", **ended),
        breach("2026-10-01 00:00", "shared"),
    ]
    assert sums(owed(one, *found)[1]) == {"2026-09": ("20.00", "20.00"), "2026-10": ("20.00", "20.00")}


def test_the_fee_is_that_of_the_breach_the_cap_that_of_the_months_last_day_the_penalty_that_of_the_opening() -> None:
    signed = terms(penalty_cap=capped("10%"))
    doubled = objective(Metric.RESPONSE_TIME, "1h", id="fixed", penalty=Penalty(per_breach=Money.parse("70.00")))
    amended = replace(signed, monthly_fee=Money.parse("500.00"), objectives=(doubled, SHARED, FREE, AGE))
    one = loaded(signed, (date(2026, 11, 10), amended))
    opened = at("2026-11-09 23:00")
    found, total = owed(
        one,
        breach("2026-11-09 23:59", "shared"),
        breach("2026-11-10 00:00", "shared", ticket="T-2", bound=opened),
        breach("2026-11-10 00:00", ticket="T-2", bound=opened),
        breach("2026-11-10 00:01", ticket="T-3"),
    )
    assert [str(credit.amount) for credit in found] == ["20.00", "10.00", "50.00", "70.00"]
    assert sums(total) == {"2026-11": ("150.00", "50.00")}


def test_below_the_target_and_below_no_tier_costs_nothing() -> None:
    tier = Tier(below=Percentage.parse("99%"), percent_of_fee=Percentage.parse("5%"))
    one = objective(Metric.AVAILABILITY, "99.5%", id="share", penalty=Penalty(tiers=(tier,)))
    from provisioner.model.measurement import Bounds

    for value, amounts in (("99.2", []), ("99", []), ("98.999", ["50.00"])):
        bounds = Bounds(value=Decimal(value), lower=Decimal(value), upper=Decimal(value))
        found = breach("2026-11-01 00:00", "share", ticket=None, month="2026-10", bounds=bounds)
        given, _ = owed(contract(one, starts=date(2026, 1, 1), monthly_fee=FEE), found)
        assert [str(credit.amount) for credit in given] == amounts


def test_two_contracts_have_caps_of_their_own_and_one_currency() -> None:
    first = loaded(terms(penalty_cap=capped("3%")))
    second = loaded(replace(terms(), id="OTHER"))
    found = [breach("2026-11-02 10:00"), breach("2026-11-02 10:00", contract="OTHER", ticket="T-2")]
    by_id = {"DEMO-2026": first, "OTHER": second}
    assert sums(totals(credits_for(found, by_id), by_id)) == {"2026-11": ("100.00", "80.00")}
    by_id["OTHER"] = loaded(replace(terms(), id="OTHER", currency="CHF"))
    with pytest.raises(UsageError, match="in EUR and in CHF"):
        totals(credits_for(found, by_id), by_id)


DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(DAYS, st.sampled_from(["fixed", "shared"])), max_size=25),
    st.sampled_from(Period),
    st.sampled_from(["0.001%", "3%", "7.5%", "100%"]),
    st.dates(date(2026, 2, 1), date(2027, 6, 30)),
)
def test_credits_are_conserved(found: list[tuple[date, str]], per: Period, cap: str, amended: date) -> None:
    signed = terms(penalty_cap=capped(cap, per), ends=date(2027, 12, 31), monthly_fee=Money.parse("333.33"))
    one = loaded(signed, (amended, replace(signed, monthly_fee=Money.parse("777.77"))))
    breaches = [breach(f"{day} 12:00", which, ticket=f"T-{i}") for i, (day, which) in enumerate(found)]
    given, total = owed(one, *breaches)
    assert len(given) == len(breaches)
    for month, sum_ in total.items():
        of_month = sum((credit.amount.amount for credit in given if credit.month == month), Decimal(0))
        assert sum_.before_cap.amount == of_month
        assert 0 <= sum_.after_cap.amount <= of_month
        limit = share(Percentage.parse(cap), one.as_of(date(int(month[:4]), int(month[5:]), 28)).monthly_fee)
        assert per is not Period.MONTH or month == f"{amended:%Y-%m}" or sum_.after_cap.amount <= limit.amount
    assert {credit.month for credit in given} == set(total)
    if per is Period.YEAR:
        ceiling = share(Percentage.parse(cap), Money.parse("777.77")).amount
        for year in ("2026", "2027"):
            after = (sum_.after_cap.amount for month, sum_ in total.items() if month.startswith(year))
            assert sum(after, Decimal(0)) <= ceiling
