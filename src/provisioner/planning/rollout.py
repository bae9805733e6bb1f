"""What a rollout does next: take a batch, wait, halt, or end. Pure: it is told what happened and asked what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioner.model.mission_terms import OnFailure
from provisioner.model.rollout import End, Halt, Start, Wait
from provisioner.planning.gate import Tally, passed
from provisioner.planning.waves import Batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.rollout import Attempt, Decision, WavePlan
    from provisioner.planning.openings import Openings


@dataclass
class WaveState:
    """One wave as far as it went: when its first batch opened it, when the last machine of it had ended."""

    plan: WavePlan
    waiting: Batches
    tally: Tally = field(default_factory=Tally)
    opened: int | None = None
    closed: int | None = None
    last: int = 0


class Rollout:
    """A rollout under the terms of a contract, fed with what happens; instants never go back.

    Nothing starts outside an opening, nor when a batch, which takes `seconds` with its reboot, could not end before it
    closes. After each batch and each wave the gate looks at the machines of the wave that were tried; between two waves
    the soak must be over without an incident since the wave opened. Once halted it stays so.
    """

    def __init__(
        self, updates: SoftwareUpdates, waves: Sequence[WavePlan], *, openings: Openings, seconds: int
    ) -> None:
        """Begin with nothing done."""
        self.waves = [
            WaveState(plan, Batches(plan.assets, size=updates.batch, apart=updates.apart))
            for plan in waves
            if plan.assets
        ]
        self.halted: Halt | None = None
        self._gate = updates.gate
        self._openings = openings
        self._seconds = seconds
        self._current = 0
        self._incidents: list[int] = []

    def record(self, wave: str, attempts: Sequence[Attempt]) -> None:
        """A batch of a wave has ended: what became of each of its machines."""
        state = next(one for one in self.waves if one.plan.name == wave)
        for attempt in attempts:
            state.tally.add(attempt)
            state.opened = attempt.started if state.opened is None else state.opened
            state.last = max(state.last, attempt.ended)
        if not state.waiting:
            state.closed = state.last

    def incident(self, at: int) -> None:
        """An incident on a machine of this rollout was opened."""
        self._incidents.append(at)

    def decide(self, at: int) -> Decision:
        """Given the instant, say what to do now. A batch that it starts is taken: it must be done and recorded."""
        if self.halted is not None:
            return self.halted
        decision = self._next(at)
        if isinstance(decision, Halt):
            self.halted = decision
        return decision

    def _next(self, at: int) -> Decision:
        while self._current < len(self.waves):
            wave = self.waves[self._current]
            stop = self._judged(wave)
            if stop is not None:
                return stop
            if wave.waiting:
                return self._batch(wave, at)
            if self._current + 1 == len(self.waves):
                return End(not_evaluable=self._unsaid())
            if wave.tally.attempted < self._gate.min_sample:
                return End(not_evaluable=self._unsaid())
            held = self._watched(wave, at)
            if held is not None:
                return held
            self._current += 1
        return End(not_evaluable=self._unsaid())

    def _judged(self, wave: WaveState) -> Halt | None:
        breach = passed(wave.tally, self._gate)
        if breach is None or self._gate.on_failure is OnFailure.CONTINUE:
            return None
        return Halt(wave=wave.plan.name, code=breach.code, text=breach.text)

    def _batch(self, wave: WaveState, at: int) -> Start | Wait:
        span = self._openings.fitting(at, self._seconds)
        if span is None:
            return Wait(until=None, code="never", text=f"no window is to come that has {self._seconds} s left")
        opens, closes = span
        if opens > at:
            return Wait(until=opens, **self._closed(at))
        return Start(wave=wave.plan.name, assets=wave.waiting.take(), until=closes)

    def _closed(self, at: int) -> dict[str, str]:
        freeze = self._openings.frozen(at)
        if freeze is not None:
            return {"code": "freeze", "text": f"frozen until {freeze.to}: {freeze.reason}"}
        if self._openings.is_open(at):
            return {"code": "does_not_fit", "text": f"a batch takes {self._seconds} s, and the window closes before"}
        return {"code": "window", "text": "no window is open"}

    def _watched(self, wave: WaveState, at: int) -> Wait | Halt | None:
        """What keeps the next wave from beginning once this one is through."""
        name = wave.plan.name
        if any(wave.opened is not None and wave.opened <= when <= at for when in self._incidents):
            return Halt(wave=name, code="incident", text=f"an incident was opened since wave {name} began")
        ready = wave.last + wave.plan.soak
        return Wait(until=ready, code="soak", text=f"wave {name} is watched") if at < ready else None

    def _unsaid(self) -> tuple[str, ...]:
        return tuple(one.plan.name for one in self.waves if one.tally.attempted < self._gate.min_sample)
