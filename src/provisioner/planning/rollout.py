"""What a rollout does next: take a batch, wait, halt, or end. Pure: it is told what happened and asked what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioner.model.mission_terms import OnFailure
from provisioner.model.rollout import End, Halt, HostState, Start, Wait
from provisioner.planning.gate import Tally, passed
from provisioner.planning.waves import Batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.rollout import Attempt, Decision, WavePlan
    from provisioner.planning.openings import Openings

MISSED = frozenset({HostState.UNREACHABLE, HostState.UNKNOWN, HostState.DEFERRED})
"""A machine that ended as one of these is caught up; a failed one waits for a person."""

A_DAY = 86_400


@dataclass
class WaveState:
    """One wave as far as it went: when its first batch opened it, when the last machine of it had ended."""

    plan: WavePlan
    waiting: Batches
    tally: Tally = field(default_factory=Tally)
    opened: int | None = None
    closed: int | None = None
    last: int = 0


@dataclass
class _Turn:
    """The last try on a machine, how many there were, and from when on it may be tried again."""

    wave: WaveState
    attempt: Attempt
    tries: int
    again: int


class Rollout:
    """A rollout under the terms of a contract, fed with what happens; instants never go back.

    Nothing starts outside an opening, nor when a batch, which takes `seconds` with its reboot, could not end before it
    closes. After each batch and each wave the gate looks at the machines of the wave that were tried; between two waves
    the soak must be over without an incident since the wave opened. Once halted it stays so until it is resumed.

    With more than one of `tries` a machine that was missed is tried again after the last wave, in a later window each
    time (without windows, a day later).
    """

    def __init__(
        self, updates: SoftwareUpdates, waves: Sequence[WavePlan], *, openings: Openings, seconds: int, tries: int = 1
    ) -> None:
        """Begin with nothing done."""
        self.waves = [
            WaveState(plan, Batches(plan.assets, size=updates.batch, apart=updates.apart))
            for plan in waves
            if plan.assets
        ]
        self.halted: Halt | None = None
        self._updates = updates
        self._gate = updates.gate
        self._openings = openings
        self._seconds = seconds
        self._tries = tries
        self._current = 0
        self._incidents: list[int] = []
        self._turns: dict[str, _Turn] = {}

    def record(self, wave: str, attempts: Sequence[Attempt]) -> None:
        """A batch of a wave has ended: what became of each of its machines. A machine counts as it ended last."""
        state = self._wave(wave)
        for attempt in attempts:
            before = self._turns.get(attempt.asset)
            if before is not None and before.tries:
                state.tally.add(before.attempt, sign=-1)
            state.tally.add(attempt)
            state.opened = attempt.started if state.opened is None else state.opened
            state.last = max(state.last, attempt.ended)
            if self._tries > 1:
                tries = before.tries + 1 if before else 1
                self._turns[attempt.asset] = _Turn(state, attempt, tries, self._after(attempt))
        if not state.waiting:
            state.closed = state.last

    def restore(self, wave: str, attempts: Sequence[Attempt]) -> None:
        """As `record`, for a batch that an earlier call took."""
        self._wave(wave).waiting.drop(attempt.asset for attempt in attempts)
        self.record(wave, attempts)

    def incident(self, at: int) -> None:
        """An incident on a machine of this rollout was opened."""
        self._incidents.append(at)

    def halt(self, halt: Halt) -> None:
        """It was halted, by its gate earlier on or by a person."""
        self.halted = halt

    def resume(self, at: int) -> None:
        """Go on after a halt: the machines of that wave that are not patched have another turn, before the others."""
        if self.halted is None:
            return
        name, self.halted = self.halted.wave, None
        self._incidents = [when for when in self._incidents if when > at]
        for asset, turn in list(self._turns.items()):
            if turn.wave.plan.name == name and turn.attempt.state is not HostState.PATCHED:
                turn.wave.tally.add(turn.attempt, sign=-1)
                turn.wave.waiting.put_back((asset,))
                turn.wave.closed = None
                del self._turns[asset]

    def decide(self, at: int) -> Decision:
        """Given the instant, say what to do now. A batch that it starts is taken: it must be done and recorded."""
        if self.halted is not None:
            return self.halted
        decision = self._next(at)
        if isinstance(decision, Halt):
            self.halted = decision
        return decision

    def next_try(self, asset: str) -> int | None:
        """When a machine that was missed may be tried again; None for one that is not to be in this rollout."""
        turn = self._turns.get(asset)
        return turn.again if turn and turn.attempt.state in MISSED and turn.tries < self._tries else None

    @property
    def not_evaluable(self) -> tuple[str, ...]:
        """The waves of which too few machines were tried to say anything."""
        return tuple(one.plan.name for one in self.waves if one.tally.attempted < self._gate.min_sample)

    def _wave(self, name: str) -> WaveState:
        return next(one for one in self.waves if one.plan.name == name)

    def _after(self, attempt: Attempt) -> int:
        """When another window has begun, or a day has gone by in one that is longer."""
        span = self._openings.fitting(attempt.started, 1)
        closes = span[1] if span else attempt.started + A_DAY
        return max(attempt.ended, min(closes, attempt.started + A_DAY))

    def _next(self, at: int) -> Decision:
        while self._current < len(self.waves):
            wave = self.waves[self._current]
            stop = self._judged(wave)
            if stop is not None:
                return stop
            if wave.waiting:
                return self._batch(wave, at)
            if self._current + 1 == len(self.waves) or wave.tally.attempted < self._gate.min_sample:
                return self._catch_up(at)
            held = self._watched(wave, at)
            if held is not None and self.waves[self._current + 1].opened is None:
                return held
            self._current += 1
        return End(not_evaluable=self.not_evaluable)

    def _catch_up(self, at: int) -> Decision:
        """Machines that were missed, once the last wave has had its turn; then the end."""
        for wave in self.waves:
            stop = self._judged(wave)
            if stop is not None:
                return stop
        missed = {asset: again for asset in self._turns if (again := self.next_try(asset)) is not None}
        if not missed:
            return End(not_evaluable=self.not_evaluable)
        ready = [asset for asset, again in missed.items() if again <= at]
        if not ready:
            text = f"missed and tried again: {', '.join(sorted(missed))}"
            return Wait(until=min(missed.values()), code="missed", text=text)
        wave = self._turns[ready[0]].wave
        same = [asset for asset in ready if self._turns[asset].wave is wave]
        return self._batch(wave, at, of=Batches(same, size=self._updates.batch, apart=self._updates.apart))

    def _judged(self, wave: WaveState) -> Halt | None:
        breach = passed(wave.tally, self._gate)
        if breach is None or self._gate.on_failure is OnFailure.CONTINUE:
            return None
        return Halt(wave=wave.plan.name, code=breach.code, text=breach.text)

    def _batch(self, wave: WaveState, at: int, of: Batches | None = None) -> Start | Wait:
        span = self._openings.fitting(at, self._seconds)
        if span is None:
            return Wait(until=None, code="never", text=f"no window is to come that has {self._seconds} s left")
        opens, closes = span
        if opens > at:
            return Wait(until=opens, **self._closed(at))
        return Start(wave=wave.plan.name, assets=(of or wave.waiting).take(), until=closes)

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
