"""kill -9 of the controller at points of a wave: 4 in `make test`, 20 in full (`invoke dev.campaign --name kill_wave`).

At each point: no process of the run lives after 5 s, neither here nor on the machine, where dpkg alone ends what it
has begun; the next `patch.run` closes the batch exactly once, as interrupted, and goes on from the last machine that
was proven; nothing is installed twice; the states are as many as the machines; the log verifies.
"""

from __future__ import annotations

import os
import re
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.acceptance._park import lines_until, lines_while_installing, states
from tests.campaigns._processes import INSTALLERS, MODULES, at_work, gone, living

if TYPE_CHECKING:
    from tests.acceptance._park import Park

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
TOLD = ["rests on", "Gathering Facts", "receipt | Write", "patch_level : Validating", "read | Hand"]
TOLD += ["choose | Hand", "install | Install", "install | Leave", "acceptance : Validating", "verify | Refuse"]
"""Lines of progress of a machine; the first is the last before the first packet, after `choose | Hand` it installs."""

POINTS = [(name, words) for name in ("ws-01", "ws-02") for words in (TOLD if FULL else ["rests on", "choose | Hand"])]
"""The machine and the line after which the controller is killed."""


def killed(park: Park, *words: str) -> list[str]:
    """Run until a line of progress with all the words was told, then kill -9; return the lines."""
    with park.begun() as running:
        lines = list(lines_until(running.stderr, *words))
        running.kill()
        running.wait()
    return lines


def begun(lines: list[str]) -> list[str]:
    """The interventions that the killed controller told of."""
    return re.findall(r"^intervention (iv-\w+)$", "".join(lines), flags=re.MULTILINE)


def closings(park: Park, runs: list[str]) -> list[tuple[list[str], str]]:
    """The machines and the outcome of each run; that it was opened and closed exactly once is asserted."""
    found = []
    for run in runs:
        entries = park.desk.ask("audit.show", "--client", "demo", "--entry", run)[1]["entries"]
        assert [entry["kind"] for entry in entries] == ["opened", "closed"]
        found.append((entries[0]["body"]["assets"], entries[1]["body"]["outcome"]))
    return found


def settled(park: Park, runs: list[str]) -> None:
    """Let the next controller go on; the dead one's batch is closed, and nobody is patched twice."""
    code, told = park.run()
    assert (code, states(told)) == (0, {"ws-01": "patched", "ws-02": "patched"}), told
    assert sum(told["states"].values()) == len(park.machines)
    ended = closings(park, runs)
    assert {outcome for _, outcome in ended[:-1]} <= {"changed"}
    assert ended[-1][1] in ("interrupted", "changed"), "it may have been closed when the kill came"
    proven = [name for assets, outcome in ended if outcome == "changed" for name in assets]
    following = park.batches()[len(runs) :]
    assert following == [[name] for name in park.machines if name not in proven], "who was proven is left alone"
    for name in park.machines:
        assert (park.version(name), park.version(name, "prov-beta")) == ("2.0", "2.0")
        assert (park.upgrades(name), park.upgrades(name, "prov-beta")) == (1, 1), "nothing is installed twice"
        timers = park.machines[name].shell("systemctl is-active apt-daily.timer apt-daily-upgrade.timer || true")
        assert timers.split() == ["active", "active"], "apt's own timers run again"
    code, verified = park.desk.ask("audit.verify", "--client", "demo")
    assert (code, verified["status"]) == (0, "OK")
    assert list((park.desk.state / "runs" / "demo").iterdir()) == []


@pytest.mark.parametrize(("name", "words"), POINTS)
def test_a_killed_controller_goes_on_from_the_last_machine_that_was_proven(park: Park, name: str, words: str) -> None:
    park.offer("prov-alpha=2.0", "prov-beta=2.0")
    lines = killed(park, name, words)
    runs = begun(lines)
    began = time.monotonic()
    assert gone(lambda: [one for run in runs for one in living(f"/runs/demo/{run}/")], seconds=5) == []
    for machine in park.machines.values():
        assert gone(partial(at_work, machine, MODULES), seconds=5) == []
    print(f"killed after {lines[-1].strip()}: all dead after {time.monotonic() - began:.1f} s")
    for machine in park.machines.values():
        assert gone(partial(at_work, machine, INSTALLERS), seconds=60) == [], "dpkg ends what it has begun"
    assert len(runs) == list(park.machines).index(name) + 1, lines
    settled(park, runs)


def test_a_package_that_is_being_installed_is_finished_by_the_machine_and_not_installed_again(park: Park) -> None:
    """dpkg outlives the connection on purpose: what it has begun it ends; nothing of Ansible does."""
    park.offer("prov-alpha=2.0:waits", "prov-beta=2.0")
    canary, other = park.machines.values()
    other.shell("touch /run/go")
    with park.begun() as running:
        lines = lines_while_installing(running.stderr, "ws-01", canary)
        running.kill()
        running.wait()
    (run,) = begun(lines)
    assert gone(lambda: living(f"/runs/demo/{run}/"), seconds=5) == []
    assert gone(partial(at_work, canary, MODULES), seconds=5) == []
    assert at_work(canary, INSTALLERS) != [], "dpkg waits still"
    canary.shell("touch /run/go")
    settled(park, [run])
