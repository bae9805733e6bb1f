"""The timer of a client's rollout: systemd units that call `patch.run`, and what systemd itself says of them.

systemd.timer(5), systemd.service(5). `Persistent=false`: a call that was missed is not made up for, since a late start
is decided by the windows and not by the timer.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from provisioner.errors import MissingTool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EVERY = "*:0/5"
DELAY = "120s"
MARK = "# Written by `invoke patch.timers`; it writes no other file over this one.\n"


def units(client: str, *, invoke: Path, checkout: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Given a client and what its runs need, return the text of each unit by its file's name."""
    name = f"provisioner-patch-{client}"
    given = "".join(f"Environment={_quoted(f'{key}={value}')}\n" for key, value in sorted(environment.items()))
    service = (
        f"{MARK}[Unit]\nDescription=Software updates of client {client}, whatever is due now\n"
        "After=network-online.target\nWants=network-online.target\n\n"
        f"[Service]\nType=oneshot\nWorkingDirectory={_escaped(str(checkout))}\n{given}"
        f"ExecStart={_quoted(str(invoke)).replace('$', '$$')} patch.run --client {client}\n"
        "# A batch is never cut off: it ends before its window closes.\nTimeoutStartSec=infinity\nKillSignal=SIGINT\n"
    )
    timer = (
        f"{MARK}[Unit]\nDescription=Software updates of client {client}, every five minutes\n\n"
        f"[Timer]\nOnCalendar={EVERY}\nPersistent=false\nRandomizedDelaySec={DELAY}\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return {f"{name}.service": service, f"{name}.timer": timer}


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """A word of a unit: specifiers, quotes and backslashes mean themselves (systemd.syntax(7))."""
    quoted = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def verify(folder: Path, names: list[str]) -> str:
    """Let systemd read units of a folder; return what it complains of, nothing when they are sound.

    Raises MissingTool without systemd-analyze.
    """
    program = shutil.which("systemd-analyze")
    if program is None:
        raise MissingTool("systemd-analyze is not installed", hint="it is part of systemd: apt-get install systemd")
    paths = [str(folder / name) for name in names]
    done = subprocess.run([program, "verify", *paths], capture_output=True, text=True, check=False, timeout=60)
    ours = [line for line in done.stderr.splitlines() if any(name in line for name in names)]
    return "\n".join(ours) if done.returncode or ours else ""
