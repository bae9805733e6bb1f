"""Rule 11, by hand. November 2026 in Paris is 30 days of 24 h, 2,592,000 s; October has an hour more."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.terms.objectives._months import DAY, HOUR, asset, at, contract, objective, only, state

from provisioner.model.measurement import State
from provisioner.model.objective import Metric, Penalty, Tier, Unknown
from provisioner.model.record import Membership, Record
from provisioner.model.service_event import AssetEvent, AssetEventKind
from provisioner.model.values import Cause, Money, Percentage
from provisioner.model.window import Calendar, Days, Hours
from provisioner.terms.statement import statement
from provisioner.terms.tickets import Contradiction
from provisioner.testing import loaded

UP, DOWN, UNKNOWN = AssetEventKind.UP, AssetEventKind.DOWN, AssetEventKind.UNKNOWN
MAINTENANCE = AssetEventKind.MAINTENANCE
FIRST = asset("2026-11-01 00:00", UP)
TIERS = Penalty(
    tiers=(
        Tier(below=Percentage.parse("99.5%"), percent_of_fee=Percentage.parse("2%")),
        Tier(below=Percentage.parse("99%"), percent_of_fee=Percentage.parse("5%")),
    )
)
AVAILABILITY = objective(Metric.AVAILABILITY, "99.5%", penalty=TIERS)
OFFICE = Calendar(timezone="Europe/Paris", hours={Days.parse("mon-fri"): (Hours.parse("08:00-18:00"),)})


def down(start: str, seconds: int, **more: object) -> tuple[AssetEvent, AssetEvent]:
    begins = asset(start, DOWN, **more)
    return begins, begins._replace(at=begins.at + seconds, place=begins.place + seconds, kind=UP, cause=None)


@pytest.mark.parametrize(
    ("seconds", "expected", "amount"),
    [
        (0, State.MET, None),
        (12_960, State.MET, None),  # 0.5 % of 2,592,000 s: exactly 99.5 %
        (12_961, State.BREACHED, "2.00"),
        (25_920, State.BREACHED, "2.00"),  # exactly 99 %: not below it
        (25_921, State.BREACHED, "5.00"),
    ],
)
def test_tiers_at_the_boundary_and_one_second_below(seconds: int, expected: State, amount: str | None) -> None:
    events = (FIRST, *down("2026-11-10 09:00", seconds)) if seconds else (FIRST,)
    found = state(contract(AVAILABILITY), assets=events)
    one = only(found)
    assert (one.state, one.month) == (expected, "2026-11")
    assert one.breached_at == (at("2026-12-01 00:00") if expected is State.BREACHED else None)
    assert [str(credit.amount) for credit in found.credits] == ([amount] if amount else [])
    assert all(credit.month == "2026-11" for credit in found.credits)


def test_both_bounds_and_the_credit_rests_on_the_lower() -> None:
    events = (FIRST, asset("2026-11-10 00:00", UNKNOWN), asset("2026-11-11 06:00", UP))
    one = only(found := state(contract(AVAILABILITY), assets=events))
    assert one.bounds is not None
    assert one.bounds.lower == one.bounds.value == Decimal(100 * (30 * DAY - 30 * HOUR)) / (30 * DAY)
    assert one.bounds.upper == 100
    assert one.state is State.BREACHED
    assert str(found.credits[0].amount) == "5.00"
    kind = contract(replace(AVAILABILITY, unknown_counts=Unknown.UP))
    one = only(found := state(kind, assets=events))
    assert one.bounds is not None
    assert (one.state, one.bounds.value, found.credits) == (State.MET, 100, ())


def test_before_the_first_event_an_asset_is_unknown() -> None:
    one = only(state(contract(AVAILABILITY), assets=(asset("2026-11-04 00:00", UP),)))
    assert one.bounds is not None
    assert one.bounds.seconds["unknown"] == 3 * DAY
    assert (one.bounds.lower, one.bounds.upper) == (90, 100)


def test_seconds_are_those_of_all_assets_of_the_group() -> None:
    groups = {"srv-01": frozenset({"servers"}), "srv-02": frozenset({"servers"}), "ws-01": frozenset({"workstations"})}
    events = (
        FIRST,
        asset("2026-11-01 00:00", UP, "srv-02"),
        *down("2026-11-10 09:00", 3 * DAY),
        asset("2026-11-01 00:00", DOWN, "ws-01"),
    )
    one = only(state(contract(AVAILABILITY), assets=events, membership=Membership(groups=groups)))
    assert one.bounds is not None
    assert one.bounds.seconds == {"service": 60 * DAY, "maintenance": 0, "excluded": 0, "down": 3 * DAY, "unknown": 0}
    assert one.bounds.value == 95


def test_a_group_that_is_not_covered_has_no_asset() -> None:
    groups = {"srv-01": frozenset({"others"})}
    wanted = contract(replace(AVAILABILITY, group="others"))
    one = only(state(wanted, assets=(FIRST,), membership=Membership(groups=groups)))
    assert (one.state, one.group, one.reason) == (State.NOT_EVALUABLE, "others", "no asset to measure in 2026-11")


def test_maintenance_counts_as_far_as_it_is_service_time() -> None:
    # 21 weekdays of 10 h: 756,000 s. From Friday 17:00 to Monday 09:00 the maintenance takes one hour and one.
    terms = contract(replace(AVAILABILITY, calendar="office"), calendars={"office": OFFICE})
    planned = asset("2026-11-06 17:00", MAINTENANCE, until=at("2026-11-09 09:00"), recorded=at("2026-11-05 12:00"))
    events = (FIRST, planned, *down("2026-11-06 17:30", 62 * HOUR + 1_800 + 30 * 60))  # until Monday 08:30
    one = only(state(terms, assets=events))
    assert one.bounds is not None
    assert one.bounds.seconds == {"service": 756_000, "maintenance": 7_200, "excluded": 0, "down": 0, "unknown": 0}
    assert one.state is State.MET
    assert planned.place in one.places


def test_maintenance_recorded_after_it_began_does_not_count_and_is_told() -> None:
    late = asset("2026-11-10 09:00", MAINTENANCE, until=at("2026-11-10 19:00"), recorded=at("2026-11-10 09:01"))
    events = (FIRST, late, *down("2026-11-10 10:00", 6 * HOUR))
    one = only(found := state(contract(AVAILABILITY), assets=events))
    assert one.bounds is not None
    assert (one.bounds.seconds["maintenance"], one.bounds.seconds["down"]) == (0, 6 * HOUR)
    assert one.state is State.BREACHED
    assert found.notes == (
        "maintenance of srv-01 that began at 2026-11-10T08:00:00Z was recorded at 2026-11-10T08:01:00Z, after it began:"
        " it does not count",
    )
    in_time = late._replace(recorded=late.at)
    assert only(state(contract(AVAILABILITY), assets=(FIRST, in_time, *events[2:]))).state is State.MET


def test_overlapping_maintenance_is_counted_once() -> None:
    first = asset("2026-11-10 09:00", MAINTENANCE, until=at("2026-11-10 12:00"))
    second = asset("2026-11-10 11:00", MAINTENANCE, until=at("2026-11-10 13:00"))
    one = only(state(contract(AVAILABILITY), assets=(FIRST, first, second)))
    assert one.bounds is not None
    assert one.bounds.seconds["maintenance"] == 4 * HOUR


def test_down_under_an_excluded_cause_leaves_the_service_time() -> None:
    terms = contract(replace(AVAILABILITY, excludes=(Cause.FORCE_MAJEURE,)))
    events = (FIRST, *down("2026-11-10 00:00", 10 * DAY, cause=Cause.FORCE_MAJEURE), *down("2026-11-25 00:00", DAY))
    one = only(state(terms, assets=events))
    assert one.bounds is not None
    assert one.bounds.seconds["excluded"] == 10 * DAY
    assert one.bounds.value == 95  # 19 of 20 days
    other = only(state(terms, assets=(FIRST, *down("2026-11-10 00:00", 10 * DAY, cause=Cause.CLIENT))))
    assert other.bounds is not None
    assert other.bounds.seconds["down"] == 10 * DAY


def test_without_service_time_it_is_not_evaluable() -> None:
    planned = asset("2026-11-01 00:00", MAINTENANCE, until=at("2026-12-02 00:00"))
    one = only(state(contract(AVAILABILITY), assets=(FIRST, planned)))
    assert (one.state, one.reason) == (State.NOT_EVALUABLE, "no service time to measure in 2026-11")


@pytest.mark.parametrize("counts", Unknown)
def test_where_nothing_was_heard_it_is_not_evaluable(counts: Unknown) -> None:
    groups = {"srv-01": frozenset({"servers"})}
    terms = contract(replace(AVAILABILITY, unknown_counts=counts))
    one = only(state(terms, membership=Membership(groups=groups)))
    assert (one.state, one.reason) == (State.NOT_EVALUABLE, "nothing says whether an asset was up in 2026-11 or before")


def test_a_month_that_is_wholly_unknown_is_never_met() -> None:
    events = (asset("2026-11-01 00:00", UNKNOWN),)
    assert only(state(contract(AVAILABILITY), assets=events)).state is State.BREACHED
    kind = contract(replace(AVAILABILITY, unknown_counts=Unknown.UP))
    assert only(state(kind, assets=events)).state is State.NOT_EVALUABLE


def test_months_are_those_of_the_zone_and_the_state_goes_on() -> None:
    terms = contract(AVAILABILITY, starts=date(2026, 10, 15))
    # down from 23:00 on 31 October, one hour of October, to 02:00 on 1 November, two hours of November
    events = (asset("2026-10-15 00:00", UP), *down("2026-10-31 23:00", 3 * HOUR))
    october, november = state(terms, assets=events).measurements
    assert october.bounds is not None
    assert november.bounds is not None
    assert october.bounds.seconds["service"] == 17 * DAY + HOUR
    assert (october.bounds.seconds["down"], november.bounds.seconds["down"]) == (HOUR, 2 * HOUR)
    assert (october.started, october.month, november.month) == (at("2026-10-15 00:00"), "2026-10", "2026-11")


def test_a_month_runs_until_its_last_instant() -> None:
    events = (FIRST, *down("2026-11-10 00:00", DAY))
    running = only(state(contract(AVAILABILITY), assets=events, as_of="2026-11-21 00:00"))
    assert running.bounds is not None
    assert (running.state, running.bounds.value, running.breached_at) == (State.RUNNING, 95, None)
    assert only(state(contract(AVAILABILITY), assets=events, as_of="2026-11-30 23:59")).state is State.RUNNING
    assert only(state(contract(AVAILABILITY), assets=events, as_of="2026-12-01 00:00")).state is State.BREACHED


def test_a_month_ends_with_the_contract() -> None:
    terms = contract(AVAILABILITY, ends=date(2026, 11, 10))
    one = only(state(terms, assets=(FIRST, *down("2026-11-10 00:00", 2 * DAY)), as_of="2027-03-01 00:00"))
    assert one.bounds is not None
    assert one.bounds.seconds["service"] == 10 * DAY
    assert one.breached_at == at("2026-11-11 00:00")


def test_an_amendment_binds_from_the_next_month_on_and_a_new_objective_from_its_day() -> None:
    strict = replace(AVAILABILITY, target=Percentage.parse("99.999%"), penalty=None)
    signed = contract(AVAILABILITY, starts=date(2026, 10, 1))
    amended = replace(signed, objectives=(strict, replace(strict, id="new")))
    events = (asset("2026-10-01 00:00", UP), *down("2026-10-20 00:00", 60), *down("2026-11-20 00:00", 60))
    found = state(loaded(signed, (date(2026, 10, 15), amended)), assets=events).measurements
    assert [(one.month, one.objective, one.state) for one in found] == [
        ("2026-10", "it", State.MET),
        ("2026-10", "new", State.BREACHED),
        ("2026-11", "it", State.BREACHED),
        ("2026-11", "new", State.BREACHED),
    ]
    assert found[1].started == at("2026-10-15 00:00")


def test_an_asset_named_later_changes_no_month_before() -> None:
    later = asset("2026-12-05 00:00", UP, "srv-02")
    alone = state(contract(AVAILABILITY), assets=(FIRST,)).measurements
    both = state(contract(AVAILABILITY), assets=(FIRST, later), as_of="2026-12-10 00:00").measurements
    assert both[0] == alone[0]
    assert both[1].bounds != alone[0].bounds


def test_states_out_of_order_are_refused_with_their_place() -> None:
    with pytest.raises(Contradiction) as refused:
        state(contract(AVAILABILITY), assets=(asset("2026-11-02 00:00", UP), asset("2026-11-01 00:00", DOWN)))
    assert refused.value.place == at("2026-11-01 00:00")
    later = (asset("2026-12-12 00:00", UP), asset("2026-12-11 00:00", DOWN))
    assert state(contract(AVAILABILITY), assets=(FIRST, *later)) == state(contract(AVAILABILITY), assets=(FIRST,))


def test_the_trace_names_asset_state_and_cause() -> None:
    terms = contract(replace(AVAILABILITY, excludes=(Cause.CLIENT,)), ends=date(2026, 11, 1))
    events = (FIRST, *down("2026-11-01 06:00", HOUR, cause=Cause.CLIENT))
    trace = only(state(terms, assets=events, traced=True)).trace
    assert [(one.end - one.start, one.counted, one.why, one.detail) for one in trace] == [
        (6 * HOUR, True, "up", "srv-01"),
        (HOUR, False, "down", "srv-01: client"),
        (17 * HOUR, True, "up", "srv-01"),
    ]


MOMENTS = st.integers(0, 40 * DAY).map(lambda seconds: at("2026-10-25 00:00") + seconds)


@st.composite
def histories(draw: st.DrawFn) -> tuple[AssetEvent, ...]:
    found: list[AssetEvent] = []
    for name in ("srv-01", "srv-02")[: draw(st.integers(1, 2))]:
        for place, when in enumerate(sorted(draw(st.lists(MOMENTS, min_size=1, max_size=8)))):
            kind = draw(st.sampled_from(AssetEventKind))
            cause = draw(st.none() | st.sampled_from(Cause)) if kind is DOWN else None
            until = when + draw(st.integers(1, 3 * DAY)) if kind is MAINTENANCE else None
            found.append(AssetEvent(when, place, name, kind, when + draw(st.integers(-1, 1)), until, cause))
    return tuple(found)


@settings(max_examples=60, deadline=None)
@given(histories(), MOMENTS, st.booleans())
def test_the_parts_of_the_time_add_up(events: tuple[AssetEvent, ...], as_of: int, office: bool) -> None:
    measured = replace(AVAILABILITY, excludes=(Cause.CLIENT,), calendar="office" if office else None)
    terms = contract(
        measured, starts=date(2026, 10, 20), calendars={"office": OFFICE}, monthly_fee=Money.parse("999.99")
    )
    membership = Membership(groups={name: frozenset({"servers"}) for name in ("srv-01", "srv-02")})
    record = Record(origin="x", assets=events)
    for one in statement([loaded(terms)], record, membership=membership, as_of=as_of, traced=True).measurements:
        if one.bounds is None:
            assert one.state is State.NOT_EVALUABLE
            continue
        seconds = one.bounds.seconds
        up = sum(part.end - part.start for part in one.trace if part.why == "up")
        left = seconds["service"] - seconds["maintenance"] - seconds["excluded"]
        assert up + seconds["down"] + seconds["unknown"] == left
        counted = sum(part.end - part.start for part in one.trace if part.counted)
        assert counted == left
        assert one.bounds.lower == Decimal(100 * up) / left <= one.bounds.upper <= 100
