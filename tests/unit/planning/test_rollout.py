"""What a rollout does next: the cases of the incumbents' threads, and a machine that tries to make it start wrongly."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.planning._rollouts import CONTINUE, DAY, HOUR, TUESDAY, ended, gate, rollout, updates, waves

from provisioner.model.mission_terms import OnFailure
from provisioner.model.rollout import Decision, End, Halt, HostState, Start, Wait

if TYPE_CHECKING:
    from provisioner.planning.rollout import Rollout

F, U = HostState.FAILED, HostState.UNREACHABLE
FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"


def done(one: Rollout, at: int, *states: HostState) -> int:
    """Take the batch that is due and let its first machines end as `states`; return when it has ended."""
    decision = one.decide(at)
    assert isinstance(decision, Start), decision
    one.record(decision.wave, ended(decision.assets, at, *states))
    return at + 600


def test_w1_one_of_a_batch_of_four_is_unreachable_and_nothing_may_fail() -> None:
    """W1, ansible/ansible#56265: the next batch is not started."""
    one, _ = rollout(updates(batch=4), 8)
    at = done(one, TUESDAY, U)
    stop = one.decide(at)
    assert isinstance(stop, Halt) and stop.code == "max_unreachable"
    assert one.decide(at + 30 * DAY) == stop


def test_w2_every_machine_of_a_batch_fails_and_the_contract_says_continue() -> None:
    """W2, ansible/ansible#82267: it goes on, and what failed is told."""
    one, _ = rollout(updates(batch=4, gate=gate(on_failure=CONTINUE)), 8)
    at = done(one, TUESDAY, F, F, F, F)
    at = done(one, at)
    assert one.decide(at) == End()
    assert (one.waves[0].tally.attempted, one.waves[0].tally.failed) == (8, 4)


def test_w3_a_canary_of_a_tenth_fails_whole_under_a_limit_of_a_fifth() -> None:
    """W3: ten per cent of all machines, and all of the wave."""
    one, _ = rollout(updates(waves=waves(2, None), gate=gate("20")), 20)
    at = done(one, TUESDAY, F, F)
    stop = one.decide(at)
    assert isinstance(stop, Halt) and (stop.wave, stop.code) == ("wave-1", "max_failed")


def test_w4_a_wave_without_a_machine_that_was_tried_is_not_evaluable() -> None:
    """W4: never a hundred per cent of nothing."""
    one, _ = rollout(updates(waves=waves(2, None), gate=gate(min_sample=3)), 9)
    at = done(one, TUESDAY)
    assert one.decide(at) == End(not_evaluable=("wave-1", "wave-2"))
    nobody, _ = rollout(updates(), 0)
    assert nobody.decide(TUESDAY) == End()


def test_w12_the_scheduler_was_down_across_the_window() -> None:
    """W12: late is the next window, not now."""
    one, _ = rollout(updates(), 1)
    late = TUESDAY + 11 * HOUR
    assert one.decide(late) == Wait(until=TUESDAY + 7 * DAY, code="window", text="no window is open")
    assert isinstance(one.decide(TUESDAY + 7 * DAY), Start)


@pytest.mark.parametrize(("late", "starts"), [(4 * HOUR - 1500, True), (4 * HOUR - 1499, False)])
def test_nothing_starts_that_cannot_end_before_the_window_closes(late: int, starts: bool) -> None:
    one, _ = rollout(updates(), 1, seconds=1500)
    decision = one.decide(TUESDAY + late)
    assert isinstance(decision, Start) == starts
    if not starts:
        assert isinstance(decision, Wait) and (decision.code, decision.until) == ("does_not_fit", TUESDAY + 7 * DAY)


def test_a_batch_that_fits_no_window_waits_for_nothing() -> None:
    one, _ = rollout(updates(), 1, seconds=4 * HOUR + 1)
    decision = one.decide(TUESDAY)
    assert isinstance(decision, Wait) and (decision.code, decision.until) == ("never", None)


def test_a_wave_is_watched_before_the_next() -> None:
    one, _ = rollout(updates(windows=(), waves=waves(1, None, soak="24h")), 3)
    at = done(one, TUESDAY)
    assert one.decide(at) == Wait(until=at + DAY, code="soak", text="wave wave-1 is watched")
    assert isinstance(one.decide(at + DAY), Start)


@pytest.mark.parametrize(("when", "halts"), [(-1, False), (0, True), (600 + DAY, True), (600 + DAY + 1, False)])
def test_an_incident_since_the_wave_began_stops_the_next(when: int, halts: bool) -> None:
    one, _ = rollout(updates(windows=(), waves=waves(1, None, soak="24h")), 3)
    at = done(one, TUESDAY)
    one.incident(TUESDAY + when)
    decision = one.decide(at + DAY)
    assert (isinstance(decision, Halt) and decision.code == "incident") == halts


STATES = (*[HostState.PATCHED] * 12, HostState.FAILED, HostState.UNREACHABLE, HostState.UNKNOWN, HostState.PARTIAL)


class Trying(RuleBasedStateMachine):
    """Asks at any instant, lets batches end anyhow; what may never happen is asserted at each start."""

    def __init__(self) -> None:
        super().__init__()
        self.at = TUESDAY - 3 * DAY
        self.taken: list[str] = []
        self.last: Decision | None = None

    @initialize(
        sizes=st.lists(st.integers(1, 9), max_size=3),
        hosts=st.integers(0, 40),
        batch=st.integers(1, 8),
        limits=st.tuples(st.sampled_from(["0", "5", "20", "50"]), st.sampled_from(["0", "10", "100"])),
        more=st.fixed_dictionaries({"min_sample": st.integers(0, 4), "on_failure": st.sampled_from(OnFailure)}),
    )
    def begin(self, sizes: list[int], hosts: int, batch: int, limits: tuple[str, str], more: dict[str, Any]) -> None:
        self.gate = gate(*limits, **more)
        terms = updates(waves=waves(*sizes, None, soak="12h"), batch=batch, gate=self.gate, apart=(("m0", "m1", "m2"),))
        self.hosts, self.batch = hosts, batch
        self.one, self.openings = rollout(terms, hosts)

    @rule(seconds=st.one_of(st.integers(0, 2 * HOUR), st.integers(0, 3 * DAY)))
    def later(self, seconds: int) -> None:
        self.at += seconds

    @rule()
    def wait(self) -> None:
        if isinstance(self.last, Wait) and self.last.until is not None:
            self.at = max(self.at, self.last.until)

    @rule()
    def an_incident(self) -> None:
        self.one.incident(self.at)

    @precondition(lambda self: not isinstance(self.last, End))
    @rule(states=st.lists(st.sampled_from(STATES), max_size=8))
    def ask(self, states: list[HostState]) -> None:
        stopped = self.one.halted
        self.last = decision = self.one.decide(self.at)
        if stopped is not None:
            assert decision == stopped, "nothing starts once it is halted"
        if not isinstance(decision, Start):
            return
        assert self.openings.is_open(self.at)
        assert decision.until is not None and self.at + 1500 <= decision.until
        assert 0 < len(decision.assets) <= self.batch
        assert len({"m0", "m1", "m2"}.intersection(decision.assets)) <= 1
        assert not set(decision.assets).intersection(self.taken)
        tally = next(wave.tally for wave in self.one.waves if wave.plan.name == decision.wave)
        if self.gate.on_failure is OnFailure.HALT and tally.attempted >= max(self.gate.min_sample, 1):
            assert tally.failed * 100 <= self.gate.max_failed.value * tally.attempted
            assert (tally.unreachable + tally.unknown) * 100 <= self.gate.max_unreachable.value * tally.attempted
        self.taken.extend(decision.assets)
        self.one.record(decision.wave, ended(decision.assets, self.at, *states))
        self.at += 600

    @invariant()
    def every_machine_is_accounted_for(self) -> None:
        if hasattr(self, "one"):
            waiting = sum(len(wave.waiting) for wave in self.one.waves)
            assert waiting + len(self.taken) == self.hosts
            if isinstance(self.last, End) and not self.last.not_evaluable:
                assert waiting == 0


Trying.TestCase.settings = settings(max_examples=1000 if FULL else 100, stateful_step_count=50)
TestTrying = Trying.TestCase
