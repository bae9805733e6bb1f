from __future__ import annotations

from provisioner.model.measurement import SUPERSEDED, Measurement, State, holding
from provisioner.model.objective import Metric
from provisioner.model.values import Cause


def clock(objective: str, seconds: int, *, reason: str = "", ticket: str = "T-1") -> Measurement:
    return Measurement(
        contract="ACME-2026",
        objective=objective,
        metric=Metric.RESOLUTION_TIME,
        clause=f"objectives.{objective}",
        state=State.NOT_APPLICABLE if reason else State.RUNNING,
        reason=reason,
        ticket=ticket,
        held_seconds={Cause.CLIENT: seconds},
    )


def test_a_clock_that_took_over_has_the_holds_of_the_superseded_one() -> None:
    before, after = clock("p2", 3600, reason=SUPERSEDED), clock("p1", 3600)
    assert holding([before, after]) == [after]
    assert holding([after, before]) == [after]


def test_where_none_took_over_the_longest_holds_are_those_of_all() -> None:
    first, second = clock("p2", 3600, reason=SUPERSEDED), clock("p1", 7200, reason=SUPERSEDED)
    assert holding([first, second]) == [second]


def test_tickets_and_clocks_side_by_side_keep_their_own() -> None:
    every = [clock("p1", 3600), clock("all", 3600), clock("p1", 60, ticket="T-2")]
    assert holding(every) == every
