"""The rollout that would begin next: its waves, when each would be through, and what that does to deadlines."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from provisioner.model.rollout_plan import RolloutPlan
from provisioner.planning.openings import Openings
from provisioner.planning.rings import foresee

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.missions.rollout_task import Task

AHEAD = 30 * 86_400
"""How far windows are listed."""


def plan_rollout(task: Task, *, at: int) -> RolloutPlan:
    """Given a client's machines and contract, plan the rollout that would begin at an instant or after it.

    Raises UsageError where no machine is covered, or no updates are promised.
    """
    contract, updates = task.terms(at)
    openings = Openings(contract, updates)
    found = foresee(updates, task.waves(at), openings=openings, at=at)
    told = {"contract": task.contract.digest, "waves": [[wave.name, *wave.assets] for wave in found.waves]}
    return RolloutPlan(
        contract=contract.id,
        zone=contract.timezone or "UTC",
        digest=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        at=at,
        batch=updates.batch,
        waves=found.waves,
        deadlines=found.deadlines,
        openings=tuple(_ahead(openings, at)),
    )


def _ahead(openings: Openings, at: int) -> Iterator[tuple[int, int]]:
    """The openings of the days ahead."""
    step = at
    while (span := openings.fitting(step, 1)) is not None and span[0] < at + AHEAD:
        yield span[0], min(span[1], at + AHEAD)
        step = span[1]
