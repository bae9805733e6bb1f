"""Plan or simulate one rollout under the tutorial's contract, in this process alone: WORK MACHINES.

Prints one line of JSON: wall and CPU seconds of the work, and the peak resident memory of the process in MiB, with how
much of it was there before the work began.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from _bench import CHECKOUT

from provisioner.config.contracts import load_contract
from provisioner.missions.rollout_plan import plan_rollout
from provisioner.missions.rollout_task import Task
from provisioner.model.scenario import Scenario
from provisioner.planning.openings import Openings
from provisioner.planning.simulation import simulate
from provisioner.testing import make_asset, make_content

if TYPE_CHECKING:
    from collections.abc import Callable

START = int(datetime(2026, 1, 6, tzinfo=UTC).timestamp())


def task_of(machines: int) -> Task:
    """A client with so many covered machines."""
    return Task(
        client="demo",
        contract=load_contract(CHECKOUT / "inventories" / "demo" / "contract.yml"),
        assets=tuple(make_asset(f"machine-{number:05}") for number in range(machines)),
        content=make_content(),
        pool="/pool",
        accept=lambda _: False,
        tidy=lambda _: None,
    )


def planning(task: Task) -> object:
    """What `patch.plan` computes for machines that were not scanned: covered, waves, two simulations, a digest."""
    return plan_rollout(task, None, at=START)


def simulating(task: Task) -> object:
    """What `patch.simulate` computes once its waves are there."""
    terms, updates = task.terms(START)
    openings = Openings(terms, updates)
    return simulate(updates, task.waves(START), openings=openings, scenario=Scenario(), draw=(START, 7))


WORK: dict[str, Callable[[Task], object]] = {"planning": planning, "simulating": simulating}


def resident() -> float:
    """The most memory this process ever had, in MiB (getrusage(2) tells KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    work, task = WORK[sys.argv[1]], task_of(int(sys.argv[2]))
    before, wall, cpu = resident(), time.perf_counter(), time.process_time()
    assert work(task)
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps({**spent, "peak": resident(), "before": before}))


if __name__ == "__main__":
    main()
