"""kill -9 of the controller at points of a real run: 4 in `make test`, 20 in full (`invoke dev.campaign --name kill`).

At each point: no process of the run lives after 5 s, neither here nor on the machine; the next command closes the
intent exactly once, as interrupted; the log verifies.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from tests.campaigns._processes import at_work, gone, living

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Desk
    from tests.conftest import LabMachine

FULL = os.environ.get("PROVISIONER_CAMPAIGN") == "full"
POINTS = list(range(2, 42, 2)) if FULL else [2, 6, 11, 16]
"""After which line of progress the controller is killed; line 2 is the last before the first packet."""


@pytest.fixture(scope="module")
def desk(new_desk: Callable[[], Desk], lab_machine: Callable[..., LabMachine]) -> Desk:
    desk = new_desk()
    desk.add("workstations", "ws-01", lab_machine("killed", state=desk.state).port)
    desk.write()
    return desk


@pytest.fixture(scope="module")
def machine(desk: Desk, lab_machine: Callable[..., LabMachine]) -> LabMachine:
    return lab_machine("killed", state=desk.state)


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_controller_leaves_no_lie(desk: Desk, machine: LabMachine, point: int) -> None:
    command, environment = desk.command("onboard", "--host", "ws-01")
    running = subprocess.Popen(
        command,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    lines = [running.stdout.readline() for _ in range(point)]
    running.kill()
    running.wait()
    running.stdout.close()
    run = lines[0].split()[-1]
    assert run.startswith("iv-"), lines
    began = time.monotonic()
    assert gone(lambda: living(f"/runs/demo/{run}/"), seconds=5) == []
    assert gone(lambda: at_work(machine), seconds=5) == []
    dead = time.monotonic() - began

    assert desk.invoke("onboard", "--host", "kiosk-01").returncode == 3
    code, shown = desk.ask("audit.show", "--client", "demo", "--entry", run)
    assert [entry["kind"] for entry in shown["entries"]] == ["opened", "closed"]
    assert shown["entries"][1]["body"]["outcome"] == "interrupted"
    code, report = desk.ask("audit.verify", "--client", "demo")
    assert (code, report["status"]) == (0, "OK")
    assert not (desk.state / "runs" / "demo" / run).exists()
    print(f"killed after line {point} ({lines[-1].strip()}): all dead after {dead:.1f} s")


def test_the_search_for_the_living_finds_them() -> None:
    """Negative control."""
    with subprocess.Popen(["sleep", "60"], executable="/usr/bin/sleep") as sleeper:
        named = subprocess.Popen(["sh", "-c", "sleep 60; : /runs/iv-control/"])
        try:
            assert living("/runs/iv-control/")
        finally:
            named.kill()
            named.wait()
            sleeper.kill()
