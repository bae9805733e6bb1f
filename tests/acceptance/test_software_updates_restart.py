"""A restart that an update asks for, on machines that come back; and one that is said to be done and is not."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from tests.acceptance._park import states
from tests.acceptance.conftest import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance._park import Park
    from tests.conftest import LabMachine

SECONDS = 5
"""For which a restart is waited for in the copy of the roles that the control runs."""


def boot(machine: LabMachine) -> tuple[str, str]:
    """The kernel's boot id, and when the first process started, in ticks."""
    kernel, ticks = machine.shell("cat /proc/sys/kernel/random/boot_id; cut -d ' ' -f 22 /proc/1/stat").split()
    return kernel, ticks


def rows(park: Park) -> list[dict[str, tuple[str, str]]]:
    """What the acceptance table of each intervention found, by the name of the row."""
    tables = [asset["checks"] for body in park.entries("closed") for asset in body["assets"]]
    return [{row["name"]: (row["found"], row["result"]) for row in table} for table in tables]


def test_a_restart_that_is_asked_for_is_done_and_another_boot_answers(park: Park) -> None:
    park.terms(reboot="if_needed")
    park.offer("prov-alpha=2.0", "prov-beta=2.0:restart")
    before = {name: boot(machine) for name, machine in park.machines.items()}
    code, told = park.run()
    assert (code, states(told)) == (0, {"ws-01": "patched", "ws-02": "patched"}), told
    for name, machine in park.machines.items():
        kernel, ticks = boot(machine)
        assert kernel == before[name][0], "a container keeps the kernel, and its boot id"
        assert ticks != before[name][1], "another first process"
        assert machine.shell("systemctl is-system-running --wait").strip() == "running"
        assert machine.shell("test ! -e /run/reboot-required && cat /usr/share/prov-beta/version").strip() == "2.0"
    for table in rows(park):
        assert table["restart done"] == ("another boot", "pass")
        assert table["restart due"] == ("none due", "pass")
        assert table["services"] == ("none failed since", "pass")


def impatient(folder: Path) -> Path:
    """A copy of the checkout whose role gives a restart up after SECONDS; the role is the same otherwise."""
    for name in ("src", "roles", "playbooks"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "molecule"))
    shutil.copy(CHECKOUT / "tasks.py", folder)
    defaults = folder / "roles/patched_packages/defaults/main.yml"
    text = defaults.read_text()
    assert "patched_packages_restart_timeout: 900\n" in text
    defaults.write_text(text.replace("restart_timeout: 900\n", f"restart_timeout: {SECONDS}\n"))
    return folder


def test_a_machine_that_says_it_restarts_and_does_not_is_not_patched(park: Park, tmp_path: Path) -> None:
    """Negative control: `shutdown` ends well and does nothing."""
    park.terms(reboot="if_needed")
    park.offer("prov-beta=2.0:restart")
    canary = park.machines["ws-01"]
    canary.shell("printf '#!/bin/sh\\n' > /root/nothing; chmod 0755 /root/nothing; cp /root/nothing $(which shutdown)")
    before = boot(canary)
    copy = impatient(tmp_path / "checkout")
    command, environment = park.desk.command("patch.run", "--client", "demo")
    environment = {**environment, "PYTHONPATH": str(copy / "src")}
    done = subprocess.run(command, env=environment, cwd=copy, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 6, done.stdout + done.stderr
    told: dict[str, Any] = park.desk.ask("patch.status", "--client", "demo")[1]
    assert states(told)["ws-02"] == "untouched"
    assert states(told)["ws-01"] == "failed", told
    assert "restart | Restart, and wait until another boot answers" in told["machines"][0]["reason"]
    assert (boot(canary), park.version("ws-01", "prov-beta")) == (before, "2.0")
