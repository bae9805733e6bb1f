"""The rollout that would begin next: its waves, when each would be through, and what that does to deadlines."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from provisioner.model.rollout_plan import Deadline, PlannedWave, RolloutPlan
from provisioner.model.scenario import Scenario
from provisioner.planning.openings import Openings
from provisioner.planning.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.missions.rollout_task import Task
    from provisioner.model.mission_terms import SoftwareUpdates
    from provisioner.model.rollout import Simulated

AHEAD = 30 * 86_400
"""How far windows are listed."""


def plan_rollout(task: Task, *, at: int) -> RolloutPlan:
    """Given a client's machines and contract, plan the rollout that would begin at an instant or after it.

    When a wave is through is estimated by the planner itself over machines that take 10 to 25 minutes and do not fail.
    Raises UsageError where no machine is covered, or no updates are promised.
    """
    contract, updates = task.terms(at)
    openings = Openings(contract, updates)
    waves = task.waves(at)
    first = simulate(updates, waves, openings=openings, scenario=Scenario(), draw=(at, 0))
    results = {wave.name: wave for wave in first.waves}
    planned = tuple(
        PlannedWave(wave.name, wave.assets, results[wave.name].opened, results[wave.name].closed)
        for wave in waves
        if wave.assets
    )
    span = openings.fitting(first.finished, 1)
    after = span[1] if span else first.finished
    second = simulate(updates, waves, openings=openings, scenario=Scenario(), draw=(after, 0))
    told = {"contract": task.contract.digest, "waves": [[wave.name, *wave.assets] for wave in planned]}
    return RolloutPlan(
        contract=contract.id,
        zone=contract.timezone or "UTC",
        digest=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        at=at,
        batch=updates.batch,
        waves=planned,
        deadlines=tuple(_deadlines(updates, first, second)),
        openings=tuple(_ahead(openings, at)),
    )


def _deadlines(updates: SoftwareUpdates, first: Simulated, second: Simulated) -> Iterator[Deadline]:
    begins = next((wave.opened for wave in first.waves if wave.opened is not None), None)
    for name, deadline in vars(updates.deadlines).items():
        if deadline is not None:
            ends = [None if found.stuck or begins is None else found.finished - begins for found in (first, second)]
            yield Deadline(name, deadline.seconds, *ends)


def _ahead(openings: Openings, at: int) -> Iterator[tuple[int, int]]:
    """The openings of the days ahead."""
    step = at
    while (span := openings.fitting(step, 1)) is not None and span[0] < at + AHEAD:
        yield span[0], min(span[1], at + AHEAD)
        step = span[1]
