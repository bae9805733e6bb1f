"""A rollout: which machines take updates in which wave, and what became of each. Data; `planning` decides.

Instants are POSIX seconds, lengths of time seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioner.model.package import PackageChange


class HostState(StrEnum):
    """What a machine of a rollout ended as. No two of these blur into one another."""

    PATCHED = "patched"
    """Done and seen to be done; already current is included."""
    PARTIAL = "partial"
    """Some of it is done; a gate counts it as failed."""
    FAILED = "failed"
    """It was tried and is not done."""
    UNREACHABLE = "unreachable"
    """A connection was tried and nothing was begun."""
    DEFERRED = "deferred"
    """Not now, for a named reason."""
    UNKNOWN = "unknown"
    """A change was begun and nobody saw its end; a gate counts it as unreachable."""
    UNTOUCHED = "untouched"
    """Its turn did not come."""


@dataclass(frozen=True, kw_only=True)
class WavePlan:
    """One wave: its machines in the order in which batches take them, and how long it is watched afterwards."""

    name: str
    assets: tuple[str, ...]
    soak: int = 0


class Attempt(NamedTuple):
    """One try on one machine of a wave. `attempted`: a connection was tried; `begun`: a change was begun."""

    asset: str
    state: HostState
    started: int
    ended: int
    attempted: bool = True
    begun: bool = False


class UpdateTry(NamedTuple):
    """One try of one update on a machine: the package, the version it was to have, whether it was there afterwards."""

    asset: str
    package: str
    version: str
    at: int
    installed: bool


class Excepted(NamedTuple):
    """An update that is left alone on a machine until an instant, since so many tries in a row did not install it."""

    asset: str
    package: str
    version: str
    tries: int
    until: int


@dataclass(frozen=True, kw_only=True)
class Start:
    """Decided: take these machines of this wave now, to end before the window closes at `until` (None: no window)."""

    wave: str
    assets: tuple[str, ...]
    until: int | None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Decided: nothing now; look again at `until` (None: time alone changes nothing).

    `code` is `window` (none is open), `freeze`, `does_not_fit` (what is left of the window is too short), `soak`, or
    `never` (no window is to come that is long enough).
    """

    until: int | None
    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Halt:
    """Decided: nothing more starts. `code` is `max_failed`, `max_unreachable` or `incident`."""

    wave: str
    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class End:
    """Decided: the rollout is over. `not_evaluable` are waves of which too few machines were tried to say anything."""

    not_evaluable: tuple[str, ...] = ()


Decision = Start | Wait | Halt | End


@dataclass(frozen=True)
class HostStanding:
    """Where one machine stands; the reason is empty for one that is patched, or whose turn is still to come.

    `at_work`: a batch with it is under way, and the state is that of before.
    """

    asset: str
    wave: str
    state: HostState
    reason: str
    at_work: bool = False


@dataclass(frozen=True, kw_only=True)
class RolloutStanding:
    """Where the rollout of a client stands: `rollout` and `begun` are None before the first one.

    `lock` is what the first machines proved, `superseded` the security updates, name and version, that took the place
    of one in it since, `excepted` what is left alone where, `not_evaluable` the waves of which too few machines were
    tried, `given_up` whether a person ended it, `decision` what is done next, `zone` the time zone of the contract.
    """

    client: str
    contract: str
    zone: str
    decision: Decision
    rollout: str | None = None
    begun: int | None = None
    ended: int | None = None
    given_up: bool = False
    lock: tuple[PackageChange, ...] = ()
    superseded: tuple[tuple[str, str], ...] = ()
    excepted: tuple[Excepted, ...] = ()
    not_evaluable: tuple[str, ...] = ()
    machines: tuple[HostStanding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WaveResult:
    """One wave of a simulated rollout; `opened` and `closed` are None when it did not begin, or did not get through."""

    name: str
    assets: int
    attempted: int
    failed: int
    unreachable: int
    unknown: int
    opened: int | None
    closed: int | None


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What a simulated rollout came to. `states` has every host state; its sum is `hosts`.

    `halt` is why it stopped itself, `stuck` why it will never get through (its last Wait), `not_evaluable` the waves of
    which too few machines were tried. `blast_radius` counts machines on which a change was begun; `finished` is the
    instant at which the last of them, or the halt, was over.
    """

    hosts: int
    attempted: int
    states: Mapping[HostState, int]
    halt: Halt | None
    stuck: Wait | None
    not_evaluable: tuple[str, ...]
    blast_radius: int
    started: int
    finished: int
    waves: tuple[WaveResult, ...]
