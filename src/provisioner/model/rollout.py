"""A rollout: which machines take updates in which wave, and what became of each. Data; `planning` decides.

Instants are POSIX seconds, lengths of time seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HostState(StrEnum):
    """What one machine of a wave ended as; the six that are settled by looking never blur into one another."""

    PATCHED = "patched"
    """Both inventories say so, and nothing is left to do; already current is included."""
    PARTIAL = "partial"
    """Some of it is done; the gate counts it as failed."""
    FAILED = "failed"
    """It was tried and is not done."""
    UNREACHABLE = "unreachable"
    """A connection was tried and nothing was begun."""
    DEFERRED = "deferred"
    """Not now, for a named reason: battery, user session, held, closed window."""
    UNKNOWN = "unknown"
    """A change was begun and nobody saw its end; the gate counts it as unreachable."""
    UNTOUCHED = "untouched"
    """Never its turn."""


@dataclass(frozen=True, kw_only=True)
class WavePlan:
    """One wave: its machines, in the order in which batches are taken, and how long it is watched afterwards."""

    name: str
    assets: tuple[str, ...]
    soak: int = 0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try on one machine. `reason` is a code, empty for a machine that is patched without more to say.

    `attempted` says that a connection was tried: the gate looks at these only. `begun` says that a change was begun.
    """

    asset: str
    wave: str
    state: HostState
    started: int
    ended: int
    reason: str = ""
    attempted: bool = True
    begun: bool = False


@dataclass(frozen=True, kw_only=True)
class Halted:
    """The rollout stopped itself, or was stopped (`patch.halt`): when, in which wave, why (a code and a sentence)."""

    at: int
    wave: str
    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """Somebody let it go on: when, why."""

    at: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One rollout as far as it went: the whole state of it, read from the log (or from a simulation).

    `attempts` are in the order in which they ended; the last one of a machine says where it stands. `incidents` are the
    instants at which incident tickets about machines of this cycle were opened. `inventory` is every covered machine at
    its start: each ends in one state.
    """

    id: str
    begun: int
    waves: tuple[WavePlan, ...]
    attempts: tuple[Attempt, ...] = ()
    halts: tuple[Halted, ...] = ()
    resumes: tuple[Resumed, ...] = ()
    incidents: tuple[int, ...] = ()
    ended: int | None = None

    @property
    def inventory(self) -> tuple[str, ...]:
        """Every machine of the cycle, in the order of its waves."""
        return tuple(asset for wave in self.waves for asset in wave.assets)

    @property
    def halted(self) -> Halted | None:
        """What it stands halted by, None while it may go on."""
        last = self.halts[-1] if self.halts else None
        return None if last is None or any(resumed.at >= last.at for resumed in self.resumes) else last


@dataclass(frozen=True, kw_only=True)
class Start:
    """Decided: take these machines of this wave now; the window closes at `until` (None: there is no window)."""

    wave: str
    assets: tuple[str, ...]
    until: int | None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Decided: nothing now. `until` is when to look again (None: nothing will change by itself), `code` says why.

    Codes: `window`, `freeze`, `soak`, `incident`, `min_sample`, `does_not_fit`, `halted`, `term`, `retry`.
    """

    until: int | None
    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Decided: the gate stops the rollout here; exit 6."""

    wave: str
    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class End:
    """Decided: every machine is settled, or will not be in this cycle. `not_evaluable` names waves below min_sample."""

    not_evaluable: tuple[str, ...] = ()


Decision = Start | Wait | Halt | End
