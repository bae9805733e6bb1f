"""Rings: when each wave of a rollout would be through, and how old an update is by then, against the deadlines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.model.rollout_plan import Deadline, PlannedWave
from provisioner.model.scenario import Scenario
from provisioner.planning.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.rollout import Simulated, WavePlan
    from provisioner.planning.openings import Openings


@dataclass(frozen=True)
class Foreseen:
    """The waves of a rollout with what is expected of each, and the deadlines of the contract against the last one."""

    waves: tuple[PlannedWave, ...]
    deadlines: tuple[Deadline, ...]


def foresee(updates: SoftwareUpdates, waves: Sequence[WavePlan], *, openings: Openings, at: int) -> Foreseen:
    """Given terms, waves and openings, foresee the rollout that would begin at an instant or after it.

    The planner itself runs it, batch by batch and window by window, over machines that take 10 to 25 minutes and do not
    fail. Best is an update known when it begins. Worst is one known just after, which waits for the rollout after it:
    that one begins with the window after the first has ended.
    """
    first = simulate(updates, waves, openings=openings, scenario=Scenario(), draw=(at, 0))
    span = openings.fitting(first.finished, 1)
    after = span[1] if span else first.finished
    second = simulate(updates, waves, openings=openings, scenario=Scenario(), draw=(after, 0))
    begins = next((wave.opened for wave in first.waves if wave.opened is not None), None)
    planned = tuple(_planned(waves, first, second, begins))
    last = planned[-1] if planned else None
    deadlines = tuple(
        Deadline(name, promised.seconds, last.best if last else None, last.worst if last else None)
        for name, promised in vars(updates.deadlines).items()
        if promised is not None
    )
    return Foreseen(planned, deadlines)


def _planned(
    waves: Sequence[WavePlan], first: Simulated, second: Simulated, begins: int | None
) -> Iterator[PlannedWave]:
    closed = [{wave.name: wave.closed for wave in found.waves} for found in (first, second)]
    opened = {wave.name: wave.opened for wave in first.waves}
    for wave in waves:
        if wave.assets:
            through = [ends.get(wave.name) for ends in closed]
            best, worst = (None if at is None or begins is None else at - begins for at in through)
            yield PlannedWave(wave.name, wave.assets, opened[wave.name], through[0], best, worst)
