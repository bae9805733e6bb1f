"""One wave of `invoke patch.run` over 50 targets beside `ansible-playbook` of the same play with the same forks.

A canary, which is one more target, has its turn before and is not measured: what is measured takes the lock and the
pool that it left, and so does the peer. Twice: with nothing pending, and with one package to install out of the pool,
which every target has put back before each run. `--machines 5` is a quick look.

The peer has its turn before and after ours, so that a machine that others load more and more slows both: `ours / both`
is the run of ours over the mean of the two peers around it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from _bench import BIN, CHECKOUT, Contender, arguments, compared, show
from _machines import CLIENT, CONTRACT, write, write_plain
from _processes import Measured, machine_cpu, measured
from _targets import NEW, OLD, Targets, targets

from provisioner.execution.workspace import FORKS

if TYPE_CHECKING:
    from pathlib import Path

OURS, PEER, AGAIN = "invoke patch.run", "ansible-playbook", "ansible-playbook, again"
ORDERS = ((PEER, OURS, AGAIN), (AGAIN, OURS, PEER))
SOAK_SECONDS = 60
CASES = {"nothing pending": NEW, "one package to install": OLD}
"""What each target has installed before a run; the repository offers the new version in both cases."""


@dataclass
class Case:
    """What is installed before each run, and what was measured."""

    version: str
    runs: dict[str, list[Measured]] = field(default_factory=lambda: {OURS: [], PEER: [], AGAIN: []})
    others: list[float] = field(default_factory=list)
    """The cores that everything else on this machine used meanwhile."""

    def beside(self) -> dict[str, float]:
        """Each figure of ours over the mean of the peers before and after it, the median of the rounds."""
        rounds = list(zip(*(map(vars, self.runs[name]) for name in (OURS, PEER, AGAIN)), strict=True))
        return {
            key: statistics.median(ours[key] / statistics.mean((one[key], two[key])) for ours, one, two in rounds)
            for key in rounds[0][0]
        }


def main() -> None:
    given = arguments(rounds=2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended; the targets are removed"))
    found: dict[str, dict[str, Any]] = {}
    with targets(given.machines + 1) as park:
        write(park.practice, park.ports, contract(given.machines))
        for name, version in CASES.items():
            case = Case(version)
            for number in range(given.rounds):
                play_round(park, case, ORDERS[number % 2])
            mean = sum(case.others) / len(case.others)
            facts = {"machines": given.machines, "forks": FORKS, "cores used by others": round(mean, 2)}
            found[name] = {**compared(case.runs, ours=OURS, peer=PEER, control=AGAIN), "facts": facts}
            found[name]["ratios"]["ours / both"] = case.beside()
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for name, told in found.items():
        print(f"== {name}")
        show(told, rounds=given.rounds)


def contract(machines: int) -> dict[str, object]:
    """A wave of one machine, a minute, and a wave of the others in one batch."""
    waves = [{"name": "canary", "count": 1, "soak": f"{SOAK_SECONDS // 60}m"}, {"name": "broad"}]
    return {**CONTRACT, "missions": {"software_updates": {"waves": waves, "batch": machines, "reboot": "never"}}}


def play_round(park: Targets, case: Case, order: tuple[str, ...]) -> None:
    """Let the canary have its turn in a new log, then each contender."""
    practice = park.practice
    for left in set(practice.state.iterdir()) - {practice.state / "ssh", practice.state / "known_hosts"}:
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    park.put(case.version, on=[park.canary])
    lock = invoke(practice.environment, "patch.run")["lock"]
    soaked = time.monotonic() + SOAK_SECONDS + 1
    pool = practice.folder / "pool"
    pool.mkdir(exist_ok=True)
    for package in (practice.state / "pools" / CLIENT).glob("*.deb"):
        shutil.copy(package, pool)
    for name in order:
        park.put(case.version, on=park.wave)
        if name == OURS:
            contender = Contender(OURS, [str(BIN / "invoke"), "patch.run", "--client", CLIENT], practice.environment)
            time.sleep(max(0.0, soaked - time.monotonic()))
        else:
            contender = plain(park, name, lock=lock, pool=pool)
        take(park, case, contender)
    told = invoke(practice.environment, "patch.status")
    assert told["ended"] and told["states"]["patched"] == len(park.ports), told


def plain(park: Targets, name: str, *, lock: list[dict[str, object]], pool: Path) -> Contender:
    """The peer: the same play, roles and forks, and the variables that our plan gives each machine."""
    given = {"locked": True, "lock": lock, "pinned": [], "pool": str(pool), "rollout": "ro-1", "reboot": "never"}
    hosts = {name: {"ansible_host": "127.0.0.1", "ansible_port": port} for name, port in park.wave.items()}
    write_plain(park.practice, hosts, {f"patched_packages_{key}": value for key, value in given.items()})
    found = park.practice.plain(name, str(CHECKOUT / "playbooks" / "software_updates.yml"))
    return Contender(name, found.command, {**found.environment, "ANSIBLE_FORKS": str(FORKS)})


def take(park: Targets, case: Case, contender: Contender) -> None:
    """Measure one run, and see that each target has the new version."""
    before, began = machine_cpu(), time.monotonic()
    run = measured(contender, targets=park.first_processes)
    spent = machine_cpu() - before - run.cpu - run.targets
    case.others.append(spent / (time.monotonic() - began))
    case.runs[contender.name].append(run)
    park.expect(NEW, on=park.wave)
    told = f"{run.wall:.1f} s wall, {run.cpu:.1f} s CPU, targets {run.targets:.1f} s CPU, {run.memory:.0f} MiB"
    print(f"{contender.name}: {told}, others {case.others[-1]:.2f} cores", file=sys.stderr)


def invoke(environment: dict[str, str], task: str) -> dict[str, Any]:
    """What a task of ours answers; one that fails ends the benchmark."""
    command = [str(BIN / "invoke"), task, "--client", CLIENT, "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **environment}, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{task} ended {done.returncode}:\n{done.stdout.decode()}{done.stderr.decode()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
