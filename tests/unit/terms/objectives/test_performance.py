"""Statistics by nearest rank, worked by hand, and figures against bounds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from tests.unit.terms.objectives._months import at, contract, objective, only, state

from provisioner.model.measurement import State
from provisioner.model.objective import Metric
from provisioner.model.record import Figures
from provisioner.model.service_event import Figure
from provisioner.model.values import Period
from provisioner.model.window import Calendar, Days, Hours
from provisioner.terms.objectives.performance import statistic

SOURCE = "probes/latency"
OFFICE = Calendar(timezone="Europe/Paris", hours={Days.parse("mon-fri"): (Hours.parse("08:00-18:00"),)})


def latency(statistic: str = "p95", target: str = "<= 2s", **changes: object) -> object:
    return objective(Metric.PERFORMANCE, target, source=SOURCE, statistic=statistic, **changes)


def figures(*values: tuple[str, str]) -> dict[str, Figures]:
    return {SOURCE: Figures(values=tuple(Figure(at(when), Decimal(value)) for when, value in values))}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p00", 15),
        ("p5", 15),
        ("p30", 20),
        ("p40", 20),
        ("p50", 35),
        ("p95", 50),
        ("mean", 32),
        ("max", 50),
        ("min", 15),
    ],
)
def test_statistics_of_15_20_35_40_50(name: str, expected: int) -> None:
    # p30 of five is the ceil(1.5) = 2nd, p40 the 2nd, p50 the ceil(2.5) = 3rd
    assert statistic([Decimal(value) for value in (35, 20, 15, 50, 40)], name) == expected


@pytest.mark.parametrize(
    ("target", "value", "expected"),
    [
        ("<= 2s", "2", State.MET),
        ("<= 2s", "2.000001", State.BREACHED),
        (">= 150/s", "150", State.MET),
        (">= 150/s", "149.999999", State.BREACHED),
    ],
)
def test_the_bound_itself_is_kept(target: str, value: str, expected: State) -> None:
    terms = contract(latency("max", target))
    one = only(state(terms, figures=figures(("2026-11-10 09:00", value))))
    assert one.bounds is not None
    assert (one.state, one.bounds.value) == (expected, Decimal(value))


def test_figures_of_other_months_and_after_as_of_are_not_of_this_one() -> None:
    terms = contract(latency("max"))
    values = figures(
        ("2026-10-31 23:59", "9"), ("2026-11-01 00:00", "1"), ("2026-11-20 00:00", "3"), ("2026-12-01 00:00", "9")
    )
    early = only(state(terms, figures=values, as_of="2026-11-19 23:59"))
    assert early.bounds is not None
    assert (early.state, early.bounds.value) == (State.RUNNING, 1)
    late = only(state(terms, figures=values))
    assert late.bounds is not None
    assert (late.state, late.bounds.value) == (State.BREACHED, 3)


def test_only_figures_of_service_time_count() -> None:
    terms = contract(latency("max", calendar="office"), calendars={"office": OFFICE})
    values = figures(("2026-11-10 09:00", "1"), ("2026-11-10 18:00", "9"), ("2026-11-14 09:00", "9"))
    assert only(state(terms, figures=values)).state is State.MET


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "probes/latency gave no figure in 2026-11"),
        (figures(("2026-10-31 09:00", "1")), "probes/latency gave no figure in 2026-11"),
        ({SOURCE: Figures(reason="no answer")}, "probes/latency: no answer"),
    ],
)
def test_without_figures_it_is_not_evaluable(given: dict[str, Figures], reason: str) -> None:
    one = only(state(contract(latency()), figures=given))
    assert (one.state, one.reason) == (State.NOT_EVALUABLE, reason)


def test_a_result_by_quarter_is_of_its_last_month() -> None:
    terms = contract(latency("mean", per=Period.QUARTER), starts=date(2026, 8, 15))
    values = figures(("2026-08-20 09:00", "3"), ("2026-09-20 09:00", "1"), ("2026-11-20 09:00", "9"))
    third, fourth = state(terms, figures=values).measurements
    assert third.bounds is not None
    assert (third.month, third.state, third.bounds.value, third.started) == (
        "2026-09", State.MET, 2, at("2026-08-15 00:00")
    )  # fmt: skip
    assert (fourth.month, fourth.state) == ("2026-12", State.RUNNING)
