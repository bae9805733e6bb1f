"""Rollouts: planning and simulating 10,000 and 50,000 machines under the tutorial's contract; no peer does the same.

What is asked of it: cost grows no faster than the work. The figures of five times the machines stand beside five.
"""

from __future__ import annotations

import json
import statistics
import time
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from _bench import CHECKOUT, arguments

from provisioner.config.contracts import load_contract
from provisioner.model.scenario import Scenario
from provisioner.planning.openings import Openings
from provisioner.planning.simulation import simulate
from provisioner.planning.waves import plan_waves

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (10_000, 50_000)
START = int(datetime(2026, 1, 6, tzinfo=UTC).timestamp())


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds, the median of the rounds."""
    found = []
    for _ in range(arguments().rounds):
        used = time.process_time()
        work()
        found.append(time.process_time() - used)
    return statistics.median(found)


def peak(work: Callable[[], object]) -> float:
    """The most memory in use at once, in MiB."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1024**2


def main() -> None:
    terms = load_contract(CHECKOUT / "inventories" / "demo" / "contract.yml").versions[0].contract
    updates = terms.missions.software_updates
    assert updates is not None
    told: dict[str, dict[str, float]] = {}
    for size in SIZES:
        names = dict.fromkeys((f"machine-{number}" for number in range(size)), frozenset[str]())
        waves = plan_waves(updates, names)

        def plan(names: dict[str, frozenset[str]] = names) -> object:
            return plan_waves(updates, names)

        def rollout(waves: object = waves) -> object:
            openings = Openings(terms, updates)
            return simulate(updates, waves, openings=openings, scenario=Scenario(), draw=(START, 7))  # type: ignore[arg-type]

        for what, work in (("planning", plan), ("simulating", rollout)):
            told[f"{what} {size:,}"] = {"seconds": seconds(work), "MiB": peak(work)}
    for what in ("planning", "simulating"):
        small, large = (told[f"{what} {size:,}"] for size in SIZES)
        told[f"{what}, five times the machines"] = {key: large[key] / small[key] for key in small}
    if arguments().json:
        print(json.dumps(told, indent=2))
        return
    for row, values in told.items():
        print(f"{row:<40}", *(f"{key} {value:10.4f}" for key, value in values.items()))


if __name__ == "__main__":
    main()
