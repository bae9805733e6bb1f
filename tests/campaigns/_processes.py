"""What lives: processes of this machine that belong to a run, and what Ansible left running on another."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import LabMachine

MODULES = "AnsiballZ|ansible-tmp"
INSTALLERS = "apt-get|dpkg"


def living(run: str) -> list[str]:
    """The command lines of this machine's processes that name the run's folder; zombies do not live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if run in command and not zombie:
            found.append(command)
    return found


def gone(look: Callable[[], list[str]], *, seconds: float) -> list[str]:
    """Look until nothing is found or the time is up; return what was found last."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def at_work(machine: LabMachine, pattern: str = f"{MODULES}|{INSTALLERS}") -> list[str]:
    """What Ansible left running on the machine."""
    return machine.shell(f"pgrep -af '{pattern}' | grep -v pgrep || true").splitlines()
