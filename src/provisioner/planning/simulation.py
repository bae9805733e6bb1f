"""A simulated rollout: the very planner and gates of a real one, over machines that a seed makes."""

from __future__ import annotations

import math
import random
from collections import Counter
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from provisioner.model.rollout import Attempt, End, Halt, HostState, Simulated, Start, Wait, WaveResult
from provisioner.model.scenario import FaultKind
from provisioner.planning.rollout import Rollout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.rollout import Decision, WavePlan
    from provisioner.model.scenario import Fault, Scenario, Takes
    from provisioner.planning.openings import Openings

_ENDS = {
    FaultKind.INSTALL: HostState.FAILED,
    FaultKind.LIES: HostState.FAILED,
    FaultKind.AFTER_REBOOT: HostState.UNKNOWN,
    FaultKind.UNREACHABLE: HostState.UNREACHABLE,
    FaultKind.SLOW_BURN: HostState.PATCHED,
}
_95_OF_100 = 1.6448536269514722
"""The 95th percentile of the standard normal distribution."""


def simulate(
    updates: SoftwareUpdates,
    waves: Sequence[WavePlan],
    *,
    openings: Openings,
    scenario: Scenario,
    draw: tuple[int, int],
) -> Simulated:
    """Given terms, waves, openings and a scenario, run the rollout from an instant with a seed (`draw`: start, seed).

    The machines of a batch work side by side, so a batch ends with the slowest; one that outlasts the window is let
    finish. It runs on over windows until it is through, halts, or no window is to come. Same input, same answer.
    """
    start, seed = draw
    trial = _Trial(Rollout(updates, waves, openings=openings, seconds=scenario.duration.p95.seconds), start)
    machines = _Machines(waves, scenario, seed)
    decision = trial.decide()
    while not isinstance(decision, Halt | End) and not (isinstance(decision, Wait) and decision.until is None):
        if isinstance(decision, Start):
            trial.take(decision, machines)
        else:
            trial.wait(decision)
        decision = trial.decide()
    hosts = sum(len(wave.assets) for wave in waves)
    trial.states[HostState.UNTOUCHED] = hosts - trial.states.total()
    return Simulated(
        hosts=hosts,
        attempted=sum(wave.tally.attempted for wave in trial.rollout.waves),
        states={state: trial.states[state] for state in HostState},
        halt=decision if isinstance(decision, Halt) else None,
        stuck=decision if isinstance(decision, Wait) else None,
        not_evaluable=decision.not_evaluable if isinstance(decision, End) else (),
        blast_radius=trial.begun,
        started=start,
        finished=trial.at if isinstance(decision, Halt) else trial.finished,
        waves=tuple(_results(trial.rollout)),
    )


class _Trial:
    """A rollout on its way: its clock, the incidents ahead, what machines ended as so far."""

    def __init__(self, rollout: Rollout, start: int) -> None:
        self.rollout = rollout
        self.at = self.finished = start
        self.states: Counter[HostState] = Counter()
        self.begun = 0
        self._incidents: list[int] = []

    def decide(self) -> Decision:
        """What to do now, with the incidents opened so far."""
        while self._incidents and self._incidents[0] <= self.at:
            self.rollout.incident(heappop(self._incidents))
        return self.rollout.decide(self.at)

    def take(self, start: Start, machines: _Machines) -> None:
        """Let a batch work; the clock goes on to the end of its slowest machine."""
        attempts = list(machines.work(start.assets, self.at))
        self.rollout.record(start.wave, attempts)
        self.states.update(attempt.state for attempt in attempts)
        self.begun += sum(attempt.begun for attempt in attempts)
        self.at = self.finished = max(attempt.ended for attempt in attempts)
        for when in machines.incidents(attempts):
            heappush(self._incidents, when)

    def wait(self, wait: Wait) -> None:
        """Go on to when there is something to decide; an incident while a wave is watched is."""
        until = self.at if wait.until is None else wait.until
        self.at = min([until, *self._incidents[:1]]) if wait.code == "soak" else until


def _results(rollout: Rollout) -> Iterator[WaveResult]:
    for wave in rollout.waves:
        tally = wave.tally
        yield WaveResult(
            name=wave.plan.name,
            assets=len(wave.plan.assets),
            attempted=tally.attempted,
            failed=tally.failed,
            unreachable=tally.unreachable,
            unknown=tally.unknown,
            opened=wave.opened,
            closed=wave.closed,
        )


class _Machines:
    """Machines with the faults and the durations that a seed gives them."""

    def __init__(self, waves: Sequence[WavePlan], scenario: Scenario, seed: int) -> None:
        self._chance = random.Random(seed)
        self._takes = scenario.duration
        self._faults: dict[str, Fault] = {}
        everything = [asset for wave in waves for asset in wave.assets]
        of_wave = {wave.name: wave.assets for wave in waves}
        for fault in scenario.faults:
            pool = everything if fault.wave is None else list(of_wave.get(fault.wave, ()))
            wanted = math.ceil(len(pool) * fault.share.value / 100)
            sound = [asset for asset in pool if asset not in self._faults]
            for asset in self._chance.sample(sound, min(wanted, len(sound))):
                self._faults[asset] = fault

    def work(self, assets: Sequence[str], at: int) -> Iterator[Attempt]:
        """Each machine of a batch that begins at an instant."""
        for asset in assets:
            fault = self._faults.get(asset)
            state = _ENDS[fault.kind] if fault else HostState.PATCHED
            begun = state is not HostState.UNREACHABLE
            yield Attempt(asset, state, at, at + (self._length(self._takes) if begun else 0), begun=begun)

    def incidents(self, attempts: Sequence[Attempt]) -> Iterator[int]:
        """When an incident is opened about a machine that was patched."""
        for attempt in attempts:
            fault = self._faults.get(attempt.asset)
            if fault is not None and fault.after is not None:
                yield attempt.ended + fault.after.seconds

    def _length(self, takes: Takes) -> int:
        median, p95 = takes.median.seconds, takes.p95.seconds
        spread = math.log(p95 / median) / _95_OF_100
        return max(1, round(median * math.exp(self._chance.gauss(0, spread))))
