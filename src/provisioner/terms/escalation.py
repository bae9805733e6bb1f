"""Escalation: who is to be told when a clock comes so far, in service time of its objective."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from provisioner.model.contract import Effect
from provisioner.model.measurement import State
from provisioner.model.values import Percentage

if TYPE_CHECKING:
    from provisioner.model.contract import Contract
    from provisioner.model.objective import Threshold
    from provisioner.model.values import Cause
    from provisioner.terms.tickets import RunningClock


class Level(NamedTuple):
    """One line of `escalation` for one clock: whom to tell, and when (POSIX seconds).

    `seconds` is the service time after which the level is reached. `at` is None for a level that was reached already,
    that a hold keeps from being reached, or that service time does not come to any more.
    """

    clause: str
    to: str
    threshold: Threshold
    seconds: int
    reached: bool
    at: int | None


def levels(contract: Contract, clock: RunningClock, *, cause: Cause | None, as_of: int) -> tuple[Level, ...]:
    """Given the terms that bind a running clock and the cause it is held under (None: it is not), return its levels.

    Earliest first. A share is of the target, whatever unit the contract wrote it in (rule 1); a time before or after
    the due instant is service time too.
    """
    measurement, objective, service = clock
    target = measurement.target_seconds
    if target is None:
        return ()
    paused = cause is not None and (
        cause in objective.excludes or getattr(contract.holds, cause.value) is Effect.PAUSES
    )
    elapsed = _elapsed(clock, target, as_of=as_of)
    found = []
    for index, line in enumerate(contract.escalation):
        if line.objective != objective.id:
            continue
        seconds = _seconds(line.at, target)
        reached = elapsed >= seconds and measurement.started is not None and measurement.started <= as_of
        at = None
        if not (reached or paused or measurement.started is None):
            at = service.advance(max(as_of, measurement.started), max(seconds - elapsed, 0))
        found.append(Level(f"escalation[{index}]", line.to, line.at, seconds, reached, at))
    return tuple(sorted(found, key=lambda level: level.seconds))


def _elapsed(clock: RunningClock, target: int, *, as_of: int) -> int:
    """What the running clock has counted: where there are several of one ticket, its measurement tells the worst's."""
    measurement = clock.measurement
    if measurement.state is State.RUNNING and measurement.due is not None and measurement.due > as_of:
        return target - clock.service.elapsed(max(as_of, measurement.started or as_of), measurement.due)
    return measurement.elapsed_seconds


def _seconds(threshold: Threshold, target: int) -> int:
    """The service time after which a level is reached: the first whole second that is not before its share."""
    if isinstance(threshold.at, Percentage):
        return ceil(target * threshold.at.value / 100)
    return max(target + threshold.at.seconds, 0)
