"""Rules 4 to 9 on tickets. Every expectation was worked out by hand; 2026-11-02 is a Monday, in office time 8 hours."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.terms._tickets import at, chosen, events, measured, objective, terms

from provisioner.model.contract import Effect, Holds, Renewal, RenewalKind
from provisioner.model.measurement import State
from provisioner.model.record import Membership
from provisioner.model.values import Cause
from provisioner.terms.tickets import Contradiction, Replay, measure_tickets, standing

if TYPE_CHECKING:
    from provisioner.model.contract import Contract

H = 3600
RESPONSE = objective("response", "response_time", "4h", calendar="office")
RESOLUTION = objective("resolution", "resolution_time", "8h", calendar="office")
GRACE = objective("resolution", "resolution_time", "1h", calendar="office", grace="30m")
UPDATE = objective("update", "update_time", "1h", calendar="office")
PRIORITIES = (
    objective("r1", "resolution_time", "4h", priority="P1"),
    objective("r2", "resolution_time", "8h", priority="P2", calendar="office"),
)
OPENED = "2026-11-02 09:00 opened P2"


@pytest.mark.parametrize(
    ("one", "lines", "as_of", "wanted"),
    [
        (RESPONSE, ["2026-11-02 07:00 opened P2"], "2026-11-02 07:30", ("running", "2026-11-02 12:00", 0)),
        (RESPONSE, ["2026-11-02 17:00 opened P2"], "2026-11-02 18:00", ("running", "2026-11-03 11:00", H)),
        (RESPONSE, [OPENED], "2026-11-02 15:00", ("running", "2026-11-02 15:00", 4 * H)),
        (RESPONSE, [OPENED], "2026-11-02 15:00:01", ("breached", "2026-11-02 15:00", 4 * H + 1)),
        (RESPONSE, [OPENED, "2026-11-02 15:00 responded"], "2026-11-04 09:00", ("met", "2026-11-02 15:00", 4 * H)),
        (
            RESPONSE,
            [OPENED, "2026-11-02 15:00:01 responded"],
            "2026-11-04 09:00",
            ("breached", "2026-11-02 15:00", 4 * H + 1),
        ),
        # the target is reached at the closing, and after it is late, though no service time passed
        (
            RESPONSE,
            ["2026-11-02 14:00 opened P2", "2026-11-02 20:00 responded"],
            "2026-11-04 09:00",
            ("breached", "2026-11-02 18:00", 4 * H),
        ),
        (
            RESPONSE,
            ["2026-11-02 14:00 opened P2", "2026-11-02 18:00 responded"],
            "2026-11-04 09:00",
            ("met", "2026-11-02 18:00", 4 * H),
        ),
        # grace: for met, running and breached read limit for due
        (GRACE, [OPENED], "2026-11-02 10:30", ("running", "2026-11-02 10:00", H + 1800)),
        (GRACE, [OPENED], "2026-11-02 10:30:01", ("breached", "2026-11-02 10:00", H + 1801)),
        (GRACE, [OPENED, "2026-11-02 10:30 resolved"], "2026-11-02 12:00", ("met", "2026-11-02 10:00", H + 1800)),
        # a hold pauses, over a closing and over a night; under it there is no due instant
        (RESPONSE, [OPENED, "2026-11-02 10:00 held client"], "2026-11-04 09:00", ("held", None, H)),
        (
            RESPONSE,
            [OPENED, "2026-11-02 11:00 held client", "2026-11-03 09:00 resumed"],
            "2026-11-03 10:00",
            ("running", "2026-11-03 11:00", 3 * H),
        ),
        (
            RESPONSE,
            [OPENED, "2026-11-02 11:00 held third_party"],
            "2026-11-02 16:00",
            ("breached", "2026-11-02 15:00", 5 * H),
        ),
        # a hold at the limit itself comes too late, one second before it does not
        (RESPONSE, [OPENED, "2026-11-02 15:00 held client"], "2026-11-02 15:00", ("held", None, 4 * H)),
        (
            RESPONSE,
            [OPENED, "2026-11-02 15:00 held client"],
            "2026-11-02 15:00:01",
            ("breached", "2026-11-02 15:00", 4 * H),
        ),
        (RESPONSE, [OPENED, "2026-11-02 14:59:59 held client"], "2026-11-03 15:00", ("held", None, 4 * H - 1)),
        # a response ends a hold
        (
            RESPONSE,
            [OPENED, "2026-11-02 10:00 held client", "2026-11-03 10:00 responded"],
            "2026-11-04 09:00",
            ("met", "2026-11-03 15:00", H),
        ),
        (
            RESOLUTION,
            [OPENED, "2026-11-02 10:00 held client", "2026-11-03 10:00 responded"],
            "2026-11-03 11:00",
            ("running", "2026-11-04 09:00", 2 * H),
        ),
        # reopened: the time between is not counted
        (
            RESOLUTION,
            [OPENED, "2026-11-02 11:00 resolved", "2026-11-03 09:00 reopened"],
            "2026-11-03 10:00",
            ("running", "2026-11-03 17:00", 3 * H),
        ),
        (
            RESPONSE,
            [OPENED, "2026-11-02 11:00 resolved", "2026-11-03 09:00 reopened"],
            "2026-11-09 10:00",
            ("met", "2026-11-02 15:00", 2 * H),
        ),
        # both DST nights, every hour counting
        (
            objective("r", "response_time", "4h"),
            ["2026-03-29 00:00 opened P2"],
            "2026-03-29 00:00",
            ("running", "2026-03-29 05:00", 0),
        ),
        (
            objective("r", "response_time", "4h"),
            ["2026-10-25 00:00 opened P2"],
            "2026-10-25 00:00",
            ("running", "2026-10-25 03:00", 0),
        ),
        # business days become seconds once: 7 h of Monday and 8 of Tuesday; a hold of 2 h moves the end
        (
            objective("r", "resolution_time", "1bd", calendar="office"),
            [OPENED],
            "2026-11-02 09:00",
            ("running", "2026-11-03 18:00", 0),
        ),
        (
            objective("r", "resolution_time", "1bd", calendar="office"),
            [OPENED, "2026-11-02 10:00 held client", "2026-11-02 12:00 resumed"],
            "2026-11-02 12:00",
            ("running", "2026-11-04 10:00", H),
        ),
    ],
)
def test_one_clock(one: Any, lines: list[str], as_of: str, wanted: tuple[str, str | None, int]) -> None:
    state, due, elapsed = wanted
    (found,) = measured(terms(one), lines, as_of).values()
    assert (found.state, found.due, found.elapsed_seconds) == (state, due and at(due), elapsed)
    if state == "breached":
        assert found.breached_at == at(due or "") + one.grace.seconds
    if state in ("running", "held"):
        assert found.stopped is None


def test_an_excluded_cause_pauses_this_objective_only_and_every_hold_is_totalled() -> None:
    spared = objective("spared", "resolution_time", "8h", calendar="office", excludes=["force_majeure"])
    lines = [OPENED, "2026-11-02 10:00 held force_majeure", "2026-11-02 15:00 resumed"]
    found = measured(terms(RESOLUTION, spared), lines, "2026-11-02 16:00")
    assert {name: one.elapsed_seconds for name, one in found.items()} == {"resolution": 5 * H, "spared": 2 * H}
    assert {tuple(one.held_seconds.items()) for one in found.values()} == {((Cause.FORCE_MAJEURE, 3 * H),)}


def test_what_holds_do_is_that_of_the_contract() -> None:
    paused = terms(RESOLUTION, holds=Holds(client=Effect.COUNTS, provider=Effect.PAUSES))
    for cause, elapsed in (("client", 3 * H), ("provider", H)):
        (found,) = measured(paused, [OPENED, f"2026-11-02 10:00 held {cause}"], "2026-11-02 12:00").values()
        assert found.elapsed_seconds == elapsed


@pytest.mark.parametrize(
    ("lines", "as_of", "wanted"),
    [
        # raised: 2 h of office time count toward 4 h of every hour
        ([OPENED, "2026-11-02 11:00 priority_changed P1"], "2026-11-02 12:00",
         {"r2": "superseded", "r1": ("running", "2026-11-02 13:00", 3 * H, None)}),
        # lowered: 3 h of every hour, the other 5 are office time; 12:00-14:00 does not count
        (["2026-11-02 09:00 opened P1", "2026-11-02 12:00 priority_changed P2"], "2026-11-02 15:00",
         {"r1": "superseded", "r2": ("running", "2026-11-03 09:00", 4 * H, None)}),
        # breached by the change, at the change
        ([OPENED, "2026-11-02 16:00 priority_changed P1"], "2026-11-02 16:00",
         {"r2": "superseded", "r1": ("breached", "2026-11-02 16:00", 5 * H, "2026-11-02 16:00")}),
        # breached before: it keeps its result, and goes on counting
        (["2026-11-02 09:00 opened P1", "2026-11-02 14:00 priority_changed P2"], "2026-11-02 15:00",
         {"r1": ("breached", "2026-11-02 13:00", 6 * H, "2026-11-02 13:00"), "r2": "already judged"}),
        # up and down again before anything was judged
        ([OPENED, "2026-11-02 10:00 priority_changed P1", "2026-11-02 11:00 priority_changed P2"], "2026-11-02 12:00",
         {"r1": "superseded", "r2": ("running", "2026-11-03 09:00", 3 * H, None)}),
        # solved, then changed, then reopened: the clock that was stopped goes on
        ([OPENED, "2026-11-02 10:00 resolved", "2026-11-02 11:00 priority_changed P1", "2026-11-02 14:00 reopened"],
         "2026-11-02 15:00",
         {"r2": ("running", "2026-11-03 11:00", 2 * H, None), "r1": "already judged"}),
        # from a priority without a promise
        (["2026-11-02 09:00 opened P4", "2026-11-02 10:00 priority_changed P1"], "2026-11-02 11:00",
         {"r1": ("running", "2026-11-02 14:00", H, None)}),
        # from a priority without a promise, after the ticket was resolved: nothing is waited for
        (["2026-11-02 09:00 opened P4", "2026-11-02 10:00 resolved", "2026-11-02 11:00 priority_changed P1"],
         "2026-11-09 11:00", {"r1": "already judged"}),
    ],
)  # fmt: skip
def test_priority_changes(lines: list[str], as_of: str, wanted: dict[str, Any]) -> None:
    found = measured(terms(*PRIORITIES), lines, as_of)
    shown: dict[str | None, Any] = {
        name: one.reason or (one.state, one.due, one.elapsed_seconds, one.breached_at) for name, one in found.items()
    }
    exact = {
        name: what if isinstance(what, str) else (what[0], at(what[1]), what[2], what[3] and at(what[3]))
        for name, what in wanted.items()
    }
    assert shown == exact


def test_no_response_is_waited_for_that_was_given_before_the_priority_promised_one() -> None:
    kind = terms(objective("a1", "response_time", "1h", priority="P1"))
    lines = ["2026-11-02 09:00 opened P4", "2026-11-02 09:05 responded", "2026-11-02 10:00 priority_changed P1"]
    assert measured(kind, lines, "2026-11-09 11:00")["a1"].reason == "already judged"
    assert measured(kind, [lines[0], lines[2]], "2026-11-09 11:00")["a1"].breached_at == at("2026-11-02 11:00")


def test_the_worst_of_several_messages_is_the_result_and_the_first_breach_its_instant() -> None:
    lines = [
        OPENED,
        "2026-11-02 09:10 responded",
        "2026-11-02 10:00 replied client",
        "2026-11-02 11:10 replied provider",
    ]
    more = ["2026-11-02 14:00 replied client", "2026-11-02 15:30 replied provider"]
    early = measured(terms(UPDATE), lines, "2026-11-02 12:00")["update"]
    late = measured(terms(UPDATE), lines + more, "2026-11-02 16:00")["update"]
    assert (early.state, early.breached_at, early.elapsed_seconds) == ("breached", at("2026-11-02 11:00"), 70 * 60)
    assert (late.state, late.breached_at, late.elapsed_seconds) == ("breached", at("2026-11-02 11:00"), 90 * 60)
    assert late.places == (3, 4, 5, 6)


@pytest.mark.parametrize(
    "lines", [["2026-11-02 10:00 replied client"], ["2026-11-02 10:00 responded", "2026-11-02 11:00 replied provider"]]
)
def test_a_message_before_the_first_response_and_a_silent_client_start_no_update_clock(lines: list[str]) -> None:
    assert set(measured(terms(RESPONSE, UPDATE), [OPENED, *lines], "2026-11-03 10:00")) == {"response"}


def test_an_order_has_a_setup_clock_until_it_is_accepted_and_a_ticket_has_none() -> None:
    setup = terms(objective("setup", "setup_lead_time", "2bd", calendar="office"))
    order = ["2026-11-02 09:00 opened P2 order", "2026-11-03 09:00 resolved"]
    assert measured(setup, order, "2026-11-04 18:00")["setup"].state is State.RUNNING
    found = measured(setup, [*order, "2026-11-04 12:00 accepted"], "2026-11-09 18:00")["setup"]
    assert (found.state, found.due, found.elapsed_seconds) == ("met", at("2026-11-04 18:00"), 19 * H)
    (none,) = measured(setup, [OPENED], "2026-11-03 09:00").values()
    assert (none.objective, none.clause, none.state, none.reason) == (
        None,
        "objectives",
        "not_applicable",
        "no objective",
    )


def test_amendments_bind_clocks_opened_or_retargeted_from_their_day_on() -> None:
    tighter = objective("r2", "resolution_time", "2h", priority="P2", calendar="office")
    choose = chosen(terms(*PRIORITIES), (date(2026, 11, 3), terms(PRIORITIES[0], tighter)))

    def target(*lines: str) -> dict[str | None, int | None]:
        found = measure_tickets(events(*lines), choose, as_of=at("2026-11-03 08:30"))
        return {one.objective: one.target_seconds for one in found if one.state is not State.NOT_APPLICABLE}

    assert target("2026-11-02 17:59 opened P2") == {"r2": 8 * H}
    assert target("2026-11-03 00:00 opened P2") == {"r2": 2 * H}
    assert target("2026-11-02 17:30 opened P1", "2026-11-03 00:00 priority_changed P2") == {"r1": 4 * H}
    assert target("2026-11-02 22:30 opened P1", "2026-11-03 00:00 priority_changed P2") == {"r2": 2 * H}


@pytest.mark.parametrize(
    ("renewal", "as_of", "wanted"),
    [
        (Renewal(), "2026-11-02 23:59:59", ("running", "", 8 * H - H)),
        (Renewal(), "2026-11-03 00:00", ("not_applicable", "contract ended", 7 * H)),
        (Renewal(), "2026-11-05 00:00", ("not_applicable", "contract ended", 7 * H)),
    ],
)
def test_at_the_end_of_the_last_day_running_clocks_stop(
    renewal: Renewal, as_of: str, wanted: tuple[str, str, int]
) -> None:
    ending = terms(RESOLUTION, ends=date(2026, 11, 2), renewal=renewal)
    (found,) = measured(ending, [OPENED], as_of).values()
    assert (found.state, found.reason, found.elapsed_seconds) == wanted


def test_what_happens_at_the_end_itself_comes_too_late() -> None:
    ending = terms(RESOLUTION, ends=date(2026, 11, 2))
    found = [
        measured(ending, [OPENED, f"{instant} resolved"], "2026-11-09 09:00")["resolution"]
        for instant in ("2026-11-02 23:59:59", "2026-11-03 00:00:00")
    ]
    assert [one.state for one in found] == ["met", "not_applicable"]


def test_what_was_breached_or_stopped_before_the_end_keeps_its_result_and_nothing_happens_after() -> None:
    ending = terms(RESPONSE, RESOLUTION, ends=date(2026, 11, 2))
    lines = [OPENED, "2026-11-02 15:00:01 responded", "2026-11-02 17:00 resolved", "2026-11-03 09:00 reopened"]
    found = measured(ending, lines, "2026-11-09 09:00")
    assert {name: str(one.state) for name, one in found.items()} == {"response": "breached", "resolution": "met"}
    late = measured(ending, ["2026-11-03 00:00 opened P2"], "2026-11-09 09:00")[None]
    assert (late.state, late.reason, late.clause) == ("not_applicable", "expired", "ends")
    assert renewed(ending).state is State.BREACHED, "the control: a contract that runs on"


def renewed(contract: Contract) -> Any:
    from provisioner.model.values import Duration

    tacit = Renewal(kind=RenewalKind.TACIT, term=Duration(12, "mo"), notice=Duration(90, "d"))
    return measured(terms(RESOLUTION, ends=contract.ends, renewal=tacit), [OPENED], "2026-11-09 09:00")["resolution"]


def test_objectives_for_a_group_are_for_its_assets() -> None:
    grouped = terms(objective("g", "response_time", "1h", group="servers"), assets=("workstations", "servers"))
    known = Membership(groups={"srv-01": frozenset({"servers"}), "ws-01": frozenset({"workstations"})})

    def reasons(asset: str | None) -> list[tuple[str | None, str]]:
        choose = chosen(grouped, membership=known)
        found = measure_tickets(events(OPENED, asset=asset), choose, as_of=at("2026-11-02 09:30"))
        return [(one.objective, one.reason) for one in found]

    assert reasons("srv-01") == [("g", "")]
    assert reasons("ws-01") == reasons(None) == [(None, "no objective")]
    assert reasons("elsewhere") == [(None, "uncovered")]


@pytest.mark.parametrize(
    ("lines", "place", "said"),
    [
        (["2026-11-02 09:00 responded"], 1, "was not opened"),
        ([OPENED, OPENED], 2, "opened already"),
        ([OPENED, "2026-11-02 08:59:59 responded"], 2, "earlier than opened"),
        ([OPENED, "2026-11-02 10:00 responded", "2026-11-02 11:00 responded"], 3, "first response already"),
        ([OPENED, "2026-11-02 10:00 held client", "2026-11-02 11:00 held client"], 3, "held already"),
        ([OPENED, "2026-11-02 10:00 resumed"], 2, "not held"),
        ([OPENED, "2026-11-02 10:00 held client", "2026-11-02 11:00 responded", "2026-11-02 12:00 resumed"],
         4, "not held"),
        ([OPENED, "2026-11-02 10:00 priority_changed P2"], 2, "P2 already"),
        ([OPENED, "2026-11-02 10:00 reopened"], 2, "it is open"),
        ([OPENED, "2026-11-02 10:00 resolved", "2026-11-02 11:00 held client"], 3, "it is resolved"),
        ([OPENED, "2026-11-02 10:00 resolved", "2026-11-02 11:00 resolved"], 3, "it is resolved"),
        ([OPENED, "2026-11-02 10:00 resolved", "2026-11-02 10:30 reopened", "2026-11-02 11:00 responded"],
         4, "first response"),
    ],
)  # fmt: skip
def test_contradictions_are_refused_at_their_place(lines: list[str], place: int, said: str) -> None:
    with pytest.raises(Contradiction, match=said) as refused:
        measured(terms(RESOLUTION), lines, "2026-11-09 09:00")
    assert refused.value.place == place
    measured(terms(RESOLUTION), lines[: place - 1], "2026-11-09 09:00")


def test_of_several_contradictions_the_earliest_is_said_and_later_ones_than_as_of_never() -> None:
    one = events("2026-11-02 09:00 opened P2", "2026-11-02 12:00 resumed")
    two = [event._replace(place=event.place + 10) for event in events("2026-11-02 09:30 resumed", ticket="T-2")]
    with pytest.raises(Contradiction) as refused:
        measure_tickets([*two, *one], chosen(terms(RESOLUTION)), as_of=at("2026-11-03 09:00"))
    assert refused.value.place == 2
    assert measure_tickets(one, chosen(terms(RESOLUTION)), as_of=at("2026-11-02 11:59:59"))


def test_the_standing_of_tickets_that_wait_for_something() -> None:
    lines = [OPENED, "2026-11-02 10:00 responded", "2026-11-02 11:00 held client"]
    done = events("2026-11-02 09:00 opened P2", "2026-11-02 10:00 resolved", ticket="T-2")
    (found,) = standing([*events(*lines), *done], chosen(terms(RESPONSE, RESOLUTION)), as_of=at("2026-11-02 12:00"))
    assert (found.ticket, found.priority, found.cause, found.responded) == ("T-1", "P2", Cause.CLIENT, True)
    ((running, promised, service),) = found.clocks
    assert (running.state, promised.id, service.elapsed(at("2026-11-02 09:00"), at("2026-11-02 15:00"))) == (
        "held", "resolution", 4 * H,
    )  # fmt: skip


LOG = events(
    OPENED, "2026-11-02 10:00 responded", "2026-11-02 10:30 held client", "2026-11-02 11:00 priority_changed P1",
    "2026-11-02 12:00 resumed", "2026-11-02 12:30 replied client", "2026-11-02 14:00 resolved",
    "2026-11-02 15:00 reopened", "2026-11-03 09:00 resolved",
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, len(LOG)), max_size=4))
def test_a_log_replayed_in_parts_comes_to_the_same(cuts: list[int]) -> None:
    contract = terms(*PRIORITIES, RESPONSE, UPDATE)
    replay, as_of = Replay(chosen(contract), traced=True), at("2026-11-04 09:00")
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(LOG)], strict=True):
        replay.add(LOG[start:end])
        replay.measurements(LOG[max(end - 1, 0)].at)  # to ask changes nothing
    assert replay.measurements(as_of) == measure_tickets(LOG, chosen(contract), as_of=as_of, traced=True)


@pytest.mark.parametrize("hours", range(0, 30, 3))
def test_the_counted_stretches_of_a_trace_are_what_elapsed(hours: int) -> None:
    contract = terms(*PRIORITIES, RESPONSE, UPDATE)
    for found in measure_tickets(LOG, chosen(contract), as_of=at("2026-11-02 09:00") + hours * H, traced=True):
        assert sum(one.end - one.start for one in found.trace if one.counted) == found.elapsed_seconds
        assert [one.start for one in found.trace[1:]] == [one.end for one in found.trace[:-1]]
