"""A scenario: what goes wrong in a simulated rollout, and how long machines take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from provisioner.model.values import Duration, Elapsed, Identifier, SomeElapsed, SomeShare

_MEDIAN, _P95 = Duration(10, "m"), Duration(25, "m")


class FaultKind(StrEnum):
    """What goes wrong on a machine, and what it ends as."""

    INSTALL = "install"
    """A package does not install: `failed`."""
    AFTER_REBOOT = "after_reboot"
    """It is not heard of again after its restart: `unknown`."""
    UNREACHABLE = "unreachable"
    """It does not answer, and nothing is begun: `unreachable`."""
    SLOW_BURN = "slow_burn"
    """It is `patched`, and an incident is opened about it later."""
    LIES = "lies"
    """The installer says done, the second inventory does not: `failed`."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """So many machines of a wave, or of all, have this fault."""

    share: SomeShare
    """Of the machines, rounded up."""
    kind: FaultKind
    """What goes wrong."""
    after: Elapsed | None = None
    """How long after its update a `slow_burn` shows; no other kind has it."""
    wave: Identifier | None = None
    """The wave whose machines have it; all of the rollout when absent."""


@dataclass(frozen=True, kw_only=True)
class Takes:
    """How long one machine takes, its restart included: log-normal."""

    median: SomeElapsed = _MEDIAN
    """Half of them take less."""
    p95: SomeElapsed = _P95
    """Nineteen in twenty take less; what a batch is planned with."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What a simulation assumes."""

    faults: tuple[Fault, ...] = ()
    """What goes wrong; a machine has one fault at most."""
    duration: Takes = Takes()
    """How long machines take."""
