"""The clocks against a walk minute by minute, what holds of any record, and mutants that the comparison must find.

In full, 5,000 cases: `invoke dev.campaign --name sla`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.unit.terms._brute_clock import Calendars
from tests.unit.terms._compare import at_the_edges, differences, expected, measured
from tests.unit.terms._sla_cases import Case, cases, contradictions, merged

from provisioner.model.contract import Effect, Holds, LoadedContract, Renewal, Version
from provisioner.model.measurement import Measurement, State
from provisioner.model.values import NO_TIME, Cause, Duration
from provisioner.model.window import Hours
from provisioner.terms.choice import chooser
from provisioner.terms.tickets import Contradiction, Replay, measure_tickets

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.unit.terms._brute_tickets import Expected

    from provisioner.model.contract import Contract
    from provisioner.model.objective import Objective
    from provisioner.model.window import Calendar

ALL = list(HealthCheck)
GOOD_FRIDAY = date(2026, 4, 3)
"""A holiday in Alsace and Moselle, and not in the rest of France."""

quickly = settings(max_examples=50, deadline=None, derandomize=True, database=None, suppress_health_check=ALL)


@cache
def pool() -> tuple[tuple[Case, tuple[Expected, ...]], ...]:
    """Cases and what the oracle says of them, the same in every run: each at an instant, and where clocks end."""
    found: list[tuple[Case, tuple[Expected, ...]]] = []

    def add(case: Case) -> None:
        calendars = Calendars()
        wanted = expected(case, calendars)
        found.append((case, tuple(wanted)))
        found.extend((edge, tuple(expected(edge, calendars))) for edge in at_the_edges(case, wanted))

    over = _terms(lambda terms: replace(terms, ends=terms.starts, renewal=Renewal()))
    few = cases(most=1, nights=(GOOD_FRIDAY,))
    for count, drawn in ((130, cases()), (30, few), (5, few.map(over))):
        settings(quickly, max_examples=count, phases=[Phase.generate])(given(drawn)(add))()
    return tuple(found)


def test_clocks_agree_to_the_second() -> None:
    for case, wanted in pool():
        assert differences(wanted, measured(case)) == [], case


def test_the_cases_reach_every_state() -> None:
    """What is never reached is never compared."""
    said = {(one.state, one.reason) for _, wanted in pool() for one in wanted}
    assert {state for state, _ in said} == {"running", "held", "met", "breached", "not_applicable"}
    reasons = {"superseded", "already judged", "contract ended", "expired", "uncovered", "no objective"}
    assert reasons <= {reason for _, reason in said}


# Mutants: what a mistake in the clocks would do, done to the terms they read or to what they answer.


def _objectives(change: Callable[[Objective], Objective]) -> Callable[[Case], Case]:
    return _terms(lambda terms: replace(terms, objectives=tuple(change(one) for one in terms.objectives)))


def _calendars(change: Callable[[Calendar], Calendar]) -> Callable[[Case], Case]:
    return _terms(lambda terms: replace(terms, calendars={name: change(one) for name, one in terms.calendars.items()}))


def _terms(change: Callable[[Contract], Contract]) -> Callable[[Case], Case]:
    def mutant(case: Case) -> Case:
        versions = tuple(replace(version, contract=change(version.contract)) for version in case.contract.versions)
        return replace(case, contract=replace(case.contract, versions=versions))

    return mutant


def _versions(change: Callable[[LoadedContract], tuple[Version, ...]]) -> Callable[[Case], Case]:
    return lambda case: replace(case, contract=replace(case.contract, versions=change(case.contract)))


def _day_more(one: Objective) -> Objective:
    target = one.target
    if isinstance(target, Duration) and target.unit == "bd":
        return replace(one, target=Duration(target.amount + 1, "bd"))
    return one


def _without_tails(calendar: Calendar) -> Calendar:
    hours = {
        days: tuple(Hours(one.opens, min(one.closes, 1440)) for one in spans) for days, spans in calendar.hours.items()
    }
    return replace(calendar, hours=hours)


MISREAD: dict[str, Callable[[Case], Case]] = {
    "grace ignored": _objectives(lambda one: replace(one, grace=NO_TIME)),
    "no hold pauses": _terms(
        lambda terms: replace(
            terms,
            holds=Holds(client=Effect.COUNTS),
            objectives=tuple(replace(one, excludes=()) for one in terms.objectives),
        )
    ),
    "every hold pauses": _terms(lambda terms: replace(terms, holds=Holds(**dict.fromkeys(Cause, Effect.PAUSES)))),
    "exclusions ignored": _objectives(lambda one: replace(one, excludes=())),
    "a business day too many": _objectives(_day_more),
    "the tail after midnight dropped": _calendars(_without_tails),
    "holidays ignored": _calendars(lambda one: replace(one, holidays=None)),
    "Alsace as the rest of France": _calendars(
        lambda one: replace(one, holidays={"FR": "FR-57", "FR-57": "FR"}.get(one.holidays or "", one.holidays))
    ),
    "closed days ignored": _calendars(lambda one: replace(one, closed=())),
    "open days ignored": _calendars(lambda one: replace(one, open={})),
    "no summer time": _calendars(
        lambda one: replace(one, timezone="Etc/GMT-1") if one.timezone == "Europe/Paris" else one
    ),
    "amendments ignored": _versions(lambda loaded: loaded.versions[:1]),
    "amendments bind from the first day": _versions(
        lambda loaded: (replace(loaded.versions[-1], effective=loaded.versions[0].effective),)
    ),
    "one calendar for all": _objectives(lambda one: replace(one, calendar="one" if one.calendar else None)),
    "groups ignored": _objectives(lambda one: replace(one, group=None)),
    "later events count": lambda case: replace(case, as_of=max(case.as_of, *(one.at for one in case.events))),
    "events at the instant do not count": lambda case: replace(
        case, events=tuple(one for one in case.events if one.at != case.as_of)
    ),
}


@pytest.mark.parametrize("name", MISREAD)
def test_misread_terms_are_found(name: str) -> None:
    """Negative control: the product reads something else than the oracle, and the comparison sees it."""
    assert any(differences(wanted, _asked(MISREAD[name](case))) for case, wanted in pool())


def _asked(case: Case) -> list[Measurement]:
    return measured(case) if case.events else []


def _limit_is_a_breach(one: Measurement, case: Case) -> Measurement:
    """As if the limit itself were too late."""
    if one.state is State.RUNNING and one.due == case.as_of:
        return one._replace(state=State.BREACHED, breached_at=one.due)
    return one


def _stop_at_the_limit_is_a_breach(one: Measurement, case: Case) -> Measurement:
    if one.state is State.MET and one.due is not None and one.stopped == one.due:
        return one._replace(state=State.BREACHED, breached_at=one.due)
    return one


ANSWERED: dict[str, Callable[[Measurement, Case], Measurement]] = {
    "the limit itself is too late": _limit_is_a_breach,
    "a stop at the limit is too late": _stop_at_the_limit_is_a_breach,
    "breached a second late": lambda one, _: one._replace(breached_at=one.breached_at + 1 if one.breached_at else None),
    "breached when it is asked": lambda one, case: one._replace(
        breached_at=case.as_of if one.breached_at is not None else None
    ),
    "a second lost": lambda one, _: one._replace(elapsed_seconds=max(0, one.elapsed_seconds - 1)),
    "due while held": lambda one, case: one._replace(due=one.due or case.as_of),
    "held reads running": lambda one, _: one._replace(state=State.RUNNING if one.state is State.HELD else one.state),
    "a breach that was stopped is met": lambda one, _: one._replace(
        state=State.MET if one.stopped is not None and one.state is State.BREACHED else one.state
    ),
    "starts when it is opened": lambda one, _: one._replace(started=one.bound if one.started else None),
    "holds are not told": lambda one, _: one._replace(held_seconds={}),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_wrong_answers_are_found(name: str) -> None:
    """Negative control: the answer is changed on its way, and the comparison sees it."""
    change = ANSWERED[name]
    assert any(differences(wanted, [change(one, case) for one in measured(case)]) for case, wanted in pool())


# What holds of any record.


@quickly
@given(cases(), st.data())
def test_a_record_in_parts_says_the_same(case: Case, data: st.DataObject) -> None:
    known = [event for event in case.events if event.at <= case.as_of]
    choose = chooser([case.contract], membership=case.membership)
    replay = Replay(choose)
    done = 0
    for until in sorted(data.draw(st.lists(st.integers(0, len(known)), max_size=3))):
        replay.add(known[done:until])
        done = max(done, until)
        if done and max(event.at for event in known[:done]) <= case.as_of:
            replay.measurements(max(event.at for event in known[:done]))
    replay.add(known[done:])
    assert replay.measurements(case.as_of) == measured(case)


@quickly
@given(cases(), st.integers(1, 10**7))
def test_what_happens_later_changes_nothing(case: Case, later: int) -> None:
    known = tuple(event for event in case.events if event.at <= case.as_of)
    beyond = [event._replace(at=case.as_of + later) for event in case.events]
    before = measured(replace(case, events=known))
    assert measured(case) == before
    assert measured(replace(case, events=(*known, *beyond))) == before


@quickly
@given(cases(most=3), st.randoms(use_true_random=False))
def test_how_tickets_interleave_changes_nothing(case: Case, chance: random.Random) -> None:
    logs: dict[str, list] = {}  # type: ignore[type-arg]
    for event in case.events:
        logs.setdefault(event.ticket, []).append(event)
    again = replace(case, events=merged(chance.choice, list(logs.values())))

    def told(one: Measurement) -> tuple[str, str, Measurement]:
        return str(one.ticket), str(one.objective), one._replace(places=())

    assert sorted(map(told, measured(case)), key=lambda one: one[:2]) == sorted(
        map(told, measured(again)), key=lambda one: one[:2]
    )


@quickly
@given(cases(most=1), st.lists(st.integers(0, 20 * 86400), max_size=4))
def test_a_breach_never_turns_back(case: Case, steps: list[int]) -> None:
    breached: dict[object, int | None] = {}
    as_of = min(event.at for event in case.events)
    for step in [0, *steps]:
        as_of += step
        now = {one.objective: one.breached_at for one in measured(replace(case, as_of=as_of))}
        assert breached.items() <= now.items()
        breached = {name: at for name, at in now.items() if at is not None}


@quickly
@given(cases())
def test_a_trace_covers_the_life_of_its_clock(case: Case) -> None:
    """Of several clocks for updates the trace is that of the worst, which may have stopped before the one that runs."""
    for one in measured(case, traced=True):
        assert all(stretch.start < stretch.end for stretch in one.trace)
        if one.metric == "update_time":
            continue
        ends = [stretch.end for stretch in one.trace]
        assert [stretch.start for stretch in one.trace[1:]] == ends[:-1]
        assert sum(stretch.end - stretch.start for stretch in one.trace if stretch.counted) == one.elapsed_seconds
        if one.trace and one.state in (State.RUNNING, State.HELD):
            assert one.trace[-1].end == case.as_of
        elif one.trace and one.stopped is not None and one.state is State.MET:
            assert one.trace[-1].end <= one.stopped


@settings(quickly, max_examples=80)
@given(contradictions())
def test_a_contradiction_is_refused_at_its_place(broken: tuple[Case, int]) -> None:
    case, place = broken
    choose = chooser([case.contract], membership=case.membership)
    with pytest.raises(Contradiction) as error:
        measure_tickets(case.events, choose, as_of=case.as_of)
    assert error.value.place == place
