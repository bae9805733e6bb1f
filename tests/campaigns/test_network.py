"""Network faults while a wave is at work: 3 in `make test`, all in full (`invoke dev.campaign --name network`).

Each ends within 45 s of its limit: 10 s for a connection that does not come about, about 20 s for one that is lost
(keepalives every 5 s, of which three may be missed). The sound machine of the same batch is patched meanwhile. What
was not begun is `unreachable`; what was begun is `unknown` until the next try settles it, and nothing is installed
twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.acceptance._park import lines_until, lines_while_installing, states
from tests.campaigns._faults import DROPPED, FAULTS, FROZEN, RESET, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance._park import Park
    from tests.conftest import LabMachine

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
CONNECT, LOST, AFTER = 10, 20, 45
"""Seconds: the limit of a connection that does not come about, of one that is lost, and what may be added to both."""

POINTS = ["Gathering Facts", "receipt | Write", "choose | Hand", "install | Keep", "acceptance : Validating"]
LATER = [(RESET, "choose | Hand"), *((DROPPED, point) for point in POINTS if FULL)]
"""A fault, and the task of the lost machine with whose end it begins; after `choose | Hand` it installs."""


@pytest.fixture
def batch(park: Park) -> Park:
    """Both machines in one batch; one that is not reached halts it."""
    park.terms(waves=[{"name": "all"}], gate={"max_failed": "0%", "max_unreachable": "0%"})
    return park


def settled(park: Park, printed: str, *, lost: str) -> None:
    """The lost machine is in the named state, the sound one is patched; the next try brings both to the same end."""
    told = json.loads(printed)
    print(json.dumps(told["machines"], indent=1))
    assert states(told) == {"ws-01": lost, "ws-02": "patched"}, told
    assert (told["halted"], told["next"]["code"], sum(told["states"].values())) == (True, "max_unreachable", 2)
    assert park.upgrades("ws-02") == 1
    before = len(park.batches())
    assert park.desk.ask("patch.resume", "--client", "demo", "--reason", "the cable is in again")[0] == 0
    code, told = park.run()
    assert (code, states(told)) == (0, {"ws-01": "patched", "ws-02": "patched"}), told
    assert park.batches()[before:] == [["ws-01"]], "the sound one is not touched again"
    for name in park.machines:
        assert (park.version(name), park.version(name, "prov-beta"), park.upgrades(name)) == ("2.0", "2.0", 1)
    code, verified = park.desk.ask("audit.verify", "--client", "demo")
    assert (code, verified["status"]) == (0, "OK")


def given_up(run: subprocess.Popen[str], fault: Fault, lost: LabMachine) -> float:
    """Let the fault begin; return the seconds after which the run told that the machine was lost."""
    fault.begin(lost)
    began = time.monotonic()
    list(lines_until(run.stderr, "UNREACHABLE", "ws-01"))
    return time.monotonic() - began


@pytest.mark.parametrize("fault", FAULTS if FULL else [DROPPED], ids=lambda fault: fault.name)
def test_a_machine_that_is_not_reached_is_unreachable_and_untouched(batch: Park, fault: Fault) -> None:
    batch.offer("prov-alpha=2.0", "prov-beta=2.0")
    lost = batch.machines["ws-01"]
    fault.begin(lost)
    with batch.begun() as run:
        list(lines_until(run.stderr, "rests on"))
        began = time.monotonic()
        list(lines_until(run.stderr, "ws-02", "Gathering Facts"))
        took = time.monotonic() - began
        printed, _ = run.communicate(timeout=300)
    print(f"{fault.name} before the batch: given up, and the sound machine at work, after {took:.0f} s")
    assert took < CONNECT + AFTER
    assert lost.shell("ls /var/lib/provisioner 2>/dev/null || true") == "", "no receipt, no note"
    assert (batch.version("ws-01"), batch.upgrades("ws-01"), run.returncode) == ("1.0", 0, 6)
    fault.end(lost)
    settled(batch, printed, lost="unreachable")


@pytest.mark.parametrize("fault", FAULTS if FULL else [FROZEN], ids=lambda fault: fault.name)
def test_a_connection_that_is_lost_while_a_package_is_installed_is_unknown(batch: Park, fault: Fault) -> None:
    batch.offer("prov-alpha=2.0:waits", "prov-beta=2.0")
    lost, sound = batch.machines.values()
    sound.shell("touch /run/go")
    with batch.begun() as run:
        lines_while_installing(run.stderr, "ws-01", lost)
        took = given_up(run, fault, lost)
        printed, _ = run.communicate(timeout=300)
    print(f"{fault.name} in the middle: given up after {took:.0f} s")
    assert (took < LOST + AFTER, run.returncode) == (True, 6), took
    fault.end(lost)
    lost.shell("touch /run/go")
    settled(batch, printed, lost="unknown")


@pytest.mark.parametrize(("fault", "point"), LATER, ids=lambda one: getattr(one, "name", one))
def test_a_connection_that_is_lost_after_a_task_is_unknown(batch: Park, fault: Fault, point: str) -> None:
    batch.offer("prov-alpha=2.0", "prov-beta=2.0")
    lost = batch.machines["ws-01"]
    with batch.begun() as run:
        seen = list(lines_until(run.stderr, "ws-01", point))
        took = given_up(run, fault, lost)
        printed, _ = run.communicate(timeout=300)
    print(f"{fault.name} after {seen[-1].strip()}: given up after {took:.0f} s")
    assert (took < LOST + AFTER, run.returncode) == (True, 6), took
    fault.end(lost)
    settled(batch, printed, lost="unknown")


def test_each_fault_cuts_a_connection_and_keeps_another_from_coming_about(
    lab_machine: Callable[..., LabMachine], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Negative control: what the faults are said to do they do, and no longer than they last."""
    machine = lab_machine("faulty", state=tmp_path_factory.mktemp("faulty"))
    keepalives = ["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2", "-o", "ConnectTimeout=2"]

    def ssh(*words: str) -> list[str]:
        program, *rest = machine.ssh(*words)
        return [program, *keepalives, *rest]

    for fault in FAULTS:
        pipe = subprocess.PIPE
        with subprocess.Popen(ssh("echo", "in;", "sleep", "60"), stdin=pipe, stdout=pipe, stderr=pipe) as standing:
            assert standing.stdout is not None
            assert standing.stdout.readline() == b"in\n"
            fault.begin(machine)
            assert standing.wait(timeout=30) == 255, fault.name
        assert subprocess.run(ssh("true"), capture_output=True, timeout=30, check=False).returncode == 255, fault.name
        fault.end(machine)
        again = subprocess.run(ssh("true"), capture_output=True, text=True, timeout=30, check=False)
        assert again.returncode == 0, (fault.name, again.stderr)
