"""Rollouts: planning and simulating 10,000 and 50,000 machines under the tutorial's contract; no peer does the same.

What is asked of it: cost grows no faster than the work, so the figures of five times the machines stand beside five.
Each is a process of its own. The last two are `invoke patch.plan` with 10,000 machines in hosts.yml and `invoke
patch.simulate --hosts 10000` as a person types them, whole.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from _bench import BIN, CHECKOUT, arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = (10_000, 50_000)
SCRIPT = Path(__file__).with_name("_rollout_run.py")
DEMO = CHECKOUT / "inventories" / "demo"
SIMULATE = ("patch.simulate", "--hosts", str(SIZES[0]), "--seed", "7", "--start", "2026-01-06T00:00:00Z", "--scenario")
SCENARIO = "duration: {median: 10m, p95: 25m}\n"


def inside(work: str, machines: int) -> dict[str, float]:
    """What one run of `_rollout_run.py` says of itself."""
    done = subprocess.run([sys.executable, SCRIPT, work, str(machines)], capture_output=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def whole(folder: Path, *task: str) -> dict[str, float]:
    """Wall and CPU seconds of a task of ours, from its start to its end, and the most memory of one process in MiB."""
    environment = {"PROVISIONER_INVENTORIES": str(folder), "PROVISIONER_STATE": str(folder / "state")}
    command = [str(BIN / "invoke"), *task, "--client", "demo", "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=CHECKOUT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    wall = time.perf_counter() - began
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024}


def write_client(folder: Path) -> Path:
    """The tutorial's client with 10,000 machines; return the scenario beside it."""
    hosts: dict[str, object] = {f"machine-{number:05}.example": {} for number in range(1, SIZES[0])}
    children = {"workstations": {"hosts": hosts}, "servers": {"hosts": {"server.example": {}}}}
    inventory = {"all": {"vars": {"ansible_user": "technician"}, "children": children}}
    (folder / "demo").mkdir()
    shutil.copy(DEMO / "contract.yml", folder / "demo")
    (folder / "demo" / "hosts.yml").write_text(yaml.safe_dump(inventory))
    (folder / "scenario.yml").write_text(SCENARIO)
    return folder / "scenario.yml"


def medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def main() -> None:
    rounds = range(arguments().rounds)
    told: dict[str, dict[str, float]] = {}
    for work in ("planning", "simulating"):
        small, large = (medians([inside(work, size) for _ in rounds]) for size in SIZES)
        told |= {f"{work} {size:,}": found for size, found in zip(SIZES, (small, large), strict=True)}
        told[f"{work}, five times the machines"] = {key: large[key] / small[key] for key in ("wall", "cpu", "peak")}
    with tempfile.TemporaryDirectory() as name:
        scenario = str(write_client(Path(name)))
        for task in (("patch.plan",), (*SIMULATE, scenario)):
            told[f"invoke {task[0]}, {SIZES[0]:,}"] = medians([whole(Path(name), *task) for _ in rounds])
    if arguments().json:
        print(json.dumps(told, indent=2))
        return
    print("medians: wall and CPU seconds; peak resident memory in MiB, and how much of it was there before the work")
    for row, values in told.items():
        print(f"{row:<40}", *(f"{key} {value:8.3f}  " for key, value in values.items()))


if __name__ == "__main__":
    main()
