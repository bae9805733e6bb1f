"""Containment: children that die with us, and a lock that says whether they have.

`setpriv --pdeathsig KILL` makes the kernel kill the wrapper when the controller dies, however it dies; the wrapper is
the parent of a PID namespace whose first process is killed with it (unshare(1), `--kill-child`), and the kernel then
kills everything in that namespace (pid_namespaces(7)). `flock --no-fork` leaves an open lock in the whole tree: while
anything of it lives, the lock is held.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import StillRunning

if TYPE_CHECKING:
    from collections.abc import Sequence


def contained(command: Sequence[str], *, alive: Path, privileged: bool) -> list[str]:
    """Given a command, return it wrapped so that it dies with this thread and holds the lock `alive` while it lives.

    Without root (`privileged` false) the PID namespace needs a user namespace, which maps the caller to itself.
    """
    namespaces = ["--pid"] if privileged else ["--user", "--map-current-user", "--pid"]
    wrapper = ["setpriv", "--pdeathsig", "KILL", "flock", "--no-fork", "--exclusive", str(alive)]
    return [*wrapper, "unshare", *namespaces, "--fork", "--kill-child=KILL", *command]


def prove_dead(alive: Path, *, patience: float) -> None:
    """Given the lock file of a run, return once no process of it lives; raise StillRunning after `patience` seconds.

    A run that never started its child has no lock file: that is dead too.
    """
    if not alive.exists():
        return
    deadline = time.monotonic() + patience
    with alive.open("r+") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StillRunning(
                        f"an earlier run is still alive: its processes hold {alive}",
                        hint=f"see `fuser -v {alive}`, wait for their end or end them, and type the command again",
                    ) from None
                time.sleep(0.05)
            else:
                return


def kill(alive: Path) -> None:
    """Given the lock file of a run, kill the process that took the lock, and with it all of its PID namespace.

    The kernel lists who holds which lock in /proc/locks (proc_locks(5)).
    """
    if not alive.exists():
        return
    inode = alive.stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if "FLOCK" not in fields or "->" in fields or not fields[-3].endswith(f":{inode}"):
            continue
        holder = int(fields[-4])
        if holder > 1:  # 0 stands for a process that this PID namespace does not see
            with suppress(ProcessLookupError):
                os.kill(holder, signal.SIGKILL)


def is_privileged() -> bool:
    """Whether this process may make a PID namespace without a user namespace."""
    return os.geteuid() == 0
