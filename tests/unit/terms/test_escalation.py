"""Levels of escalation, with instants worked by hand. 2026-11-02 is a Monday; Paris is at +01:00."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from provisioner.model.contract import Contract, Holds
from provisioner.model.objective import Escalation, Metric, Objective, Threshold
from provisioner.model.record import Membership
from provisioner.model.service_event import TicketEvent, TicketEventKind
from provisioner.model.values import Cause, Duration, Percentage
from provisioner.model.window import Calendar, Days, Hours
from provisioner.terms.choice import chooser
from provisioner.terms.escalation import Level, levels
from provisioner.terms.tickets import standing
from provisioner.testing import loaded, make_contract

OFFICE = Calendar(timezone="Europe/Paris", hours={Days.parse("mon-fri"): (Hours.parse("08:00-18:00"),)})


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"2026-11-{text}+01:00").timestamp())


def promise(target: str, *thresholds: str, excludes: tuple[Cause, ...] = (), holds: Holds | None = None) -> Contract:
    objective = Objective(
        id="o",
        metric=Metric.RESOLUTION_TIME,
        target=Duration.parse(target),
        calendar="office",
        excludes=excludes,
    )
    lines = tuple(Escalation(objective="o", at=Threshold.parse(text), to=f"to-{text}") for text in thresholds)
    return make_contract(
        timezone="Europe/Paris",
        calendars={"office": OFFICE},
        objectives=(objective,),
        escalation=lines,
        holds=holds or Holds(),
    )


def found(contract: Contract, as_of: str, *events: TicketEvent) -> tuple[Level, ...]:
    choose = chooser([loaded(contract)], membership=Membership(groups=None))
    (ticket,) = standing(events, choose, as_of=at(as_of))
    (clock,) = ticket.clocks
    return levels(contract, clock, cause=ticket.cause, as_of=at(as_of))


def opened(when: str) -> TicketEvent:
    return TicketEvent(at(when), 1, "T-1", TicketEventKind.OPENED, priority="P1")


def event(when: str, kind: TicketEventKind, **said: object) -> TicketEvent:
    return TicketEvent(at(when), 2, "T-1", kind, **said)  # type: ignore[arg-type]


def test_a_level_an_hour_before_due_is_an_hour_of_service_before() -> None:
    """C1 (GLPI 22678): 4 h opened on Monday 17:00 are due on Tuesday 11:00, the level is Tuesday 10:00."""
    (level,) = found(promise("4h", "-1h"), "02T17:30", opened("02T17:00"))
    assert (level.at, level.reached, level.clause, level.to) == (at("03T10:00"), False, "escalation[0]", "to--1h")


def test_levels_come_by_time_whatever_the_order_of_the_contract() -> None:
    chain = found(promise("4h", "30m", "-10m", "50%"), "02T08:00", opened("02T08:00"))
    assert [(level.to, level.at) for level in chain] == [
        ("to-50%", at("02T10:00")),
        ("to--10m", at("02T11:50")),
        ("to-30m", at("02T12:30")),
    ]


def test_business_days_are_seconds_by_then() -> None:
    """1bd from Monday 12:00 is due on Tuesday 18:00, 16 h of service; half of them are over on Tuesday 10:00."""
    (level,) = found(promise("1bd", "50%"), "02T12:00", opened("02T12:00"))
    assert (level.seconds, level.at) == (8 * 3600, at("03T10:00"))


def test_a_level_that_falls_on_a_closing_is_reached_there() -> None:
    (level,) = found(promise("4h", "50%"), "02T16:00", opened("02T16:00"))
    assert level.at == at("02T18:00")


@pytest.mark.parametrize(("as_of", "reached"), [("02T09:59:59", False), ("02T10:00", True), ("02T15:00", True)])
def test_a_level_is_reached_at_its_instant_and_stays_so(as_of: str, reached: bool) -> None:
    (level,) = found(promise("4h", "50%"), as_of, opened("02T08:00"))
    assert (level.reached, level.at) == (reached, None if reached else at("02T10:00"))


def test_a_hold_that_pauses_leaves_no_instant_and_one_that_counts_does() -> None:
    waiting = (opened("02T08:00"), event("02T09:00", TicketEventKind.HELD, cause=Cause.CLIENT))
    (level,) = found(promise("4h", "50%"), "02T17:00", *waiting)
    assert (level.reached, level.at) == (False, None)
    ours = (opened("02T08:00"), event("02T09:00", TicketEventKind.HELD, cause=Cause.PROVIDER))
    (level,) = found(promise("4h", "50%"), "02T09:30", *ours)
    assert level.at == at("02T10:00")
    (level,) = found(promise("4h", "50%", excludes=(Cause.PROVIDER,)), "02T09:30", *ours)
    assert level.at is None


def test_after_a_hold_the_level_moves_by_it() -> None:
    held = (
        opened("02T08:00"),
        event("02T09:00", TicketEventKind.HELD, cause=Cause.CLIENT),
        event("02T17:30", TicketEventKind.RESUMED),
    )
    (level,) = found(promise("4h", "50%"), "02T17:45", *held)
    assert level.at == at("03T08:30")


def test_a_breached_clock_still_escalates_after_due() -> None:
    first, second = found(promise("4h", "1h", "3h"), "02T14:00", opened("02T08:00"))
    assert (first.reached, second.reached, second.at) == (True, False, at("02T15:00"))


def test_before_the_clock_starts_no_level_is_reached() -> None:
    """Opened on Sunday; a level further before due than the target is long is reached when the clock starts."""
    (level,) = found(promise("4h", "-5h"), "01T12:00", opened("01T12:00"))
    assert (level.seconds, level.reached, level.at) == (0, False, at("02T08:00"))


def test_a_share_of_an_odd_target_is_reached_at_the_first_second_after_it() -> None:
    (level,) = found(promise("1h", "33.333%"), "02T08:00", opened("02T08:00"))
    assert level.seconds == 1200
    assert Percentage(Decimal("33.333")) == level.threshold.at


def test_lines_of_other_objectives_do_not_count() -> None:
    contract = promise("4h", "50%")
    other = Escalation(objective="other", at=Threshold.parse("10%"), to="x")
    (level,) = found(
        make_contract(**{**vars(contract), "escalation": (other, *contract.escalation)}), "02T08:00", opened("02T08:00")
    )
    assert level.clause == "escalation[1]"
