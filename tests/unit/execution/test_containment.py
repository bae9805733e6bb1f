"""Children die with their controller, and a lock says whether they have."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioner.errors import StillRunning
from provisioner.execution.containment import contained, is_privileged, kill, prove_dead

if TYPE_CHECKING:
    from collections.abc import Callable

needs_namespaces = pytest.mark.skipif(
    shutil.which("setpriv") is None
    or subprocess.run(["unshare", "--pid", "--fork", "true"], check=False).returncode != 0,
    reason="no PID namespaces here: needs root, or user namespaces",
)


def living(length: str) -> list[int]:
    """The processes `sleep <length>`; zombies, which change nothing, do not count."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if state not in "ZX" and command == f"sleep\0{length}\0".encode():
            found.append(int(folder.name))
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_the_wrapper_without_root_maps_the_caller_to_itself(tmp_path: Path) -> None:
    command = contained(["true"], alive=tmp_path / "lock", privileged=False)
    assert command[-1] == "true" and "--user" in command and "--map-current-user" in command
    assert "--user" not in contained(["true"], alive=tmp_path / "lock", privileged=True)


def test_a_run_that_never_started_is_dead(tmp_path: Path) -> None:
    prove_dead(tmp_path / "alive.lock", patience=0)


def test_a_lock_that_is_held_is_waited_for_and_then_named(tmp_path: Path) -> None:
    lock = tmp_path / "alive.lock"
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        before = time.monotonic()
        with pytest.raises(StillRunning, match=r"still alive.*alive\.lock"):
            prove_dead(lock, patience=0.3)
        assert 0.3 <= time.monotonic() - before < 5
    prove_dead(lock, patience=0)


SHELL = "sleep 321.{mark} & (setsid sleep 322.{mark} &) ; wait"
CONTROLLER = """
import subprocess, sys, time
from pathlib import Path
from provisioner.execution.containment import contained, is_privileged
command = ["sh", "-c", sys.argv[2]]
if sys.argv[3] == "contained":
    command = contained(command, alive=Path(sys.argv[1]), privileged=is_privileged())
subprocess.Popen(command).wait()
"""


def controller(alive: Path, mark: str, how: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CONTROLLER, str(alive), SHELL.format(mark=mark), how])


@needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_killed_controller(tmp_path: Path, number: signal.Signals) -> None:
    alive, mark = tmp_path / "alive.lock", f"{os.getpid()}{number.value}"
    process = controller(alive, mark, "contained")
    try:
        assert wait_for(lambda: bool(living(f"321.{mark}") and living(f"322.{mark}")), 20)
        with pytest.raises(StillRunning):
            prove_dead(alive, patience=0)
        process.send_signal(number)
        process.wait()
        prove_dead(alive, patience=5)
        assert wait_for(lambda: not living(f"321.{mark}") and not living(f"322.{mark}"))
    finally:
        process.kill()
        process.wait()


@needs_namespaces
def test_the_control_without_containment_a_child_lives_on(tmp_path: Path) -> None:
    mark = f"{os.getpid()}77"
    process = controller(tmp_path / "alive.lock", mark, "bare")
    try:
        assert wait_for(lambda: bool(living(f"322.{mark}")), 20)
        process.kill()
        process.wait()
        assert not wait_for(lambda: not living(f"322.{mark}"), 0.5)
    finally:
        for pid in living(f"321.{mark}") + living(f"322.{mark}"):
            os.kill(pid, signal.SIGKILL)


@needs_namespaces
def test_the_exit_status_is_that_of_the_command(tmp_path: Path) -> None:
    command = contained(["sh", "-c", "exit 3"], alive=tmp_path / "lock", privileged=is_privileged())
    assert subprocess.run(command, check=False).returncode == 3
    prove_dead(tmp_path / "lock", patience=1)


@needs_namespaces
def test_a_run_whose_runner_gave_up_is_killed_with_all_it_started(tmp_path: Path) -> None:
    alive, mark = tmp_path / "alive.lock", f"{os.getpid()}77"
    command = contained(["sh", "-c", SHELL.format(mark=mark)], alive=alive, privileged=is_privileged())
    with subprocess.Popen(command) as process:
        assert wait_for(lambda: bool(living(f"321.{mark}") and living(f"322.{mark}")), 20)
        kill(alive)
        prove_dead(alive, patience=5)
        assert process.wait(timeout=5) == -signal.SIGKILL
    assert wait_for(lambda: not living(f"321.{mark}") and not living(f"322.{mark}"))


def test_killing_what_holds_no_lock_touches_nothing(tmp_path: Path) -> None:
    kill(tmp_path / "none")
    (tmp_path / "alive.lock").touch()
    kill(tmp_path / "alive.lock")
