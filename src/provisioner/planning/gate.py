"""The gate: after each batch, whether a wave may go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.model.rollout import HostState

if TYPE_CHECKING:
    from provisioner.model.mission_terms import Gate
    from provisioner.model.rollout import Attempt
    from provisioner.model.values import Percentage

FAILED = frozenset({HostState.FAILED, HostState.PARTIAL})
UNREACHABLE = frozenset({HostState.UNREACHABLE, HostState.UNKNOWN})


@dataclass
class Tally:
    """What became of the machines of a wave: how many were tried, and how many of those count against it."""

    attempted: int = 0
    failed: int = 0
    unreachable: int = 0
    unknown: int = 0

    def add(self, attempt: Attempt, *, sign: int = 1) -> None:
        """Count one machine; one that no connection was tried to says nothing about the update. -1 takes it back."""
        if attempt.attempted:
            self.attempted += sign
            self.failed += sign * (attempt.state in FAILED)
            self.unreachable += sign * (attempt.state is HostState.UNREACHABLE)
            self.unknown += sign * (attempt.state is HostState.UNKNOWN)


@dataclass(frozen=True)
class Breach:
    """A limit that is passed: its key in the contract, and a sentence."""

    code: str
    text: str


def passed(tally: Tally, gate: Gate) -> Breach | None:
    """Given what became of the machines of a wave, return the limit that is passed, None when none is or can be said.

    Shares are of the machines that were tried, and a limit is passed strictly above it. Partial counts as failed, and
    unknown as unreachable. Below `min_sample` machines the shares say nothing yet.
    """
    if tally.attempted < max(gate.min_sample, 1):
        return None
    lost = tally.unreachable + tally.unknown
    for code, count, limit in (
        ("max_failed", tally.failed, gate.max_failed),
        ("max_unreachable", lost, gate.max_unreachable),
    ):
        if _above(count, tally.attempted, limit):
            what = "failed" if code == "max_failed" else "unreachable or unknown"
            return Breach(code, f"{count} of {tally.attempted} machines {what}, more than the {limit} of gate.{code}")
    return None


def _above(count: int, attempted: int, limit: Percentage) -> bool:
    return count * 100 > limit.value * attempted
