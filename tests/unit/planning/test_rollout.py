"""What a rollout does next: the cases of the incumbents' threads, and a machine that tries to make it start wrongly."""

from __future__ import annotations

import os
from collections import Counter
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


def test_the_gate_of_an_earlier_wave_still_looks_when_its_missed_machines_are_caught_up() -> None:
    one, _ = rollout(updates(windows=(), waves=waves(2, None), gate=gate("0", "50")), 6, tries=3)
    at = done(one, TUESDAY, U)
    at = done(one, at, U, U)
    retry = one.decide(at + DAY)
    assert isinstance(retry, Start) and (retry.wave, retry.assets) == ("wave-1", ("m0",))
    one.record(retry.wave, ended(retry.assets, at + DAY, F))
    stop = one.decide(at + DAY + 600)
    assert isinstance(stop, Halt) and (stop.wave, stop.code) == ("wave-1", "max_failed")


STATES = (
    *[HostState.PATCHED] * 12,
    *(HostState.FAILED, HostState.UNREACHABLE, HostState.UNKNOWN, HostState.PARTIAL, HostState.DEFERRED),
)
MISSED = frozenset({HostState.UNREACHABLE, HostState.UNKNOWN, HostState.DEFERRED})
BAD = frozenset({HostState.FAILED, HostState.PARTIAL}), frozenset({HostState.UNREACHABLE, HostState.UNKNOWN})
TRIES = 3


class Trying(RuleBasedStateMachine):
    """Asks at any instant, lets batches end anyhow, resumes, and forgets everything but the log.

    What may never happen is asserted at each start, against books of its own: by machine what it ended as last and in
    which wave, and what was known when the last batch ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.at = TUESDAY - 3 * DAY
        self.states: dict[str, HostState] = {}
        self.tries: Counter[str] = Counter()
        self.log: list[tuple[str, Any]] = []
        self.last: Decision | None = None

    @initialize(
        sizes=st.lists(st.integers(1, 9), max_size=2),
        hosts=st.integers(0, 24),
        batch=st.integers(1, 8),
        limits=st.tuples(st.sampled_from(["0", "20", "50"]), st.sampled_from(["0", "50", "100"])),
        more=st.fixed_dictionaries({"min_sample": st.integers(0, 4), "on_failure": st.sampled_from(OnFailure)}),
    )
    def begin(self, sizes: list[int], hosts: int, batch: int, limits: tuple[str, str], more: dict[str, Any]) -> None:
        self.gate = gate(*limits, **more)
        self.terms = updates(
            waves=waves(*sizes, None, soak="12h"), batch=batch, gate=self.gate, apart=(("m0", "m1", "m2"),)
        )
        self.hosts, self.batch = hosts, batch
        self.one, self.openings = rollout(self.terms, hosts, tries=TRIES)
        self.wave_of = {asset: wave.plan.name for wave in self.one.waves for asset in wave.plan.assets}

    @rule(seconds=st.one_of(st.integers(0, 2 * HOUR), st.integers(0, 3 * DAY)))
    def later(self, seconds: int) -> None:
        self.at += seconds

    @rule(late=st.integers(-600, 600))
    def until_an_edge(self, late: int) -> None:
        """Around the opening or the closing of the next window, which a second decides about."""
        span = self.openings.fitting(self.at, 1)
        assert span is not None
        self.at = max(self.at, (span[0] if span[0] > self.at else span[1] - 1500) + late)

    @precondition(lambda self: isinstance(self.last, Wait) and self.last.code == "soak")
    @rule()
    def an_incident(self) -> None:
        self.log.append(("incident", self.at))
        self.one.incident(self.at)

    @rule()
    def a_new_controller(self) -> None:
        """One that knows the log and nothing else decides the same."""
        self.one, _ = rollout(self.terms, self.hosts, tries=TRIES)
        for what, told in self.log:
            if what == "batch":
                self.one.restore(*told)
            else:
                {"incident": self.one.incident, "halt": self.one.halt, "resume": self.one.resume}[what](told)

    @precondition(lambda self: self.one.halted is not None)
    @rule()
    def a_person_resumes(self) -> None:
        assert self.one.halted is not None
        again = self.one.halted.wave
        for asset, state in list(self.states.items()):
            if self.wave_of[asset] == again and state is not HostState.PATCHED:
                del self.states[asset], self.tries[asset]
        self.log.append(("resume", self.at))
        self.one.resume(self.at)

    @precondition(lambda self: not isinstance(self.last, End))
    @rule(states=st.lists(st.sampled_from(STATES), max_size=8), patient=st.booleans())
    def ask(self, states: list[HostState], patient: bool) -> None:
        if patient and isinstance(self.last, Wait) and self.last.until is not None:
            self.at = max(self.at, self.last.until)
        stopped = self.one.halted
        self.last = decision = self.one.decide(self.at)
        if stopped is not None:
            assert decision == stopped, "nothing starts once it is halted"
        if isinstance(decision, Halt) and stopped is None:
            self.log.append(("halt", decision))
        if not isinstance(decision, Start):
            return
        assert self.openings.is_open(self.at)
        assert decision.until is not None and self.at + 1500 <= decision.until
        assert 0 < len(decision.assets) <= self.batch
        assert len({"m0", "m1", "m2"}.intersection(decision.assets)) <= 1
        assert self.gate.on_failure is OnFailure.CONTINUE or not any(map(self.condition, self.waves())), "beyond a gate"
        for asset in decision.assets:
            assert self.wave_of[asset] == decision.wave
            assert asset not in self.states or self.states[asset] in MISSED, "done once is done"
            assert self.tries[asset] < TRIES
        ends = ended(decision.assets, self.at, *states)
        self.log.append(("batch", (decision.wave, ends)))
        self.one.record(decision.wave, ends)
        self.states |= {one.asset: one.state for one in ends}
        self.tries.update(decision.assets)
        self.at += 600

    @precondition(lambda self: not isinstance(self.last, End))
    @rule(batches=st.lists(st.lists(st.sampled_from(STATES), max_size=8), min_size=1, max_size=8))
    def go_on(self, batches: list[list[HostState]]) -> None:
        """A timer that calls again and again, each time when there is something to decide."""
        for states in batches:
            if not isinstance(self.last, End):
                self.ask(states, patient=True)

    def waves(self) -> frozenset[str]:
        """The waves of which a machine was tried."""
        return frozenset(self.wave_of[asset] for asset in self.states)

    def condition(self, wave: str) -> bool:
        """Whether the machines of a wave, as they ended last, are beyond a limit: by the contract's own words."""
        found = [state for asset, state in self.states.items() if self.wave_of[asset] == wave]
        limits = self.gate.max_failed.value, self.gate.max_unreachable.value
        return len(found) >= max(self.gate.min_sample, 1) and any(
            100 * sum(state in bad for state in found) > limit * len(found)
            for bad, limit in zip(BAD, limits, strict=True)
        )

    @invariant()
    def every_machine_is_accounted_for(self) -> None:
        if hasattr(self, "one"):
            waiting = sum(len(wave.waiting) for wave in self.one.waves)
            assert waiting + len(self.states) == self.hosts
            if isinstance(self.last, End) and not self.last.not_evaluable:
                assert waiting == 0


Trying.TestCase.settings = settings(max_examples=1000 if FULL else 100, stateful_step_count=50)
TestTrying = Trying.TestCase
