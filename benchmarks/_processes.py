"""CPU and memory of processes that are told apart: a command with all it leaves behind, and whole trees of others."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from _bench import CHECKOUT, Contender, Run, ended

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): what a command leaves behind (ssh's masters) becomes a child of ours."""

TICKS = os.sysconf("SC_CLK_TCK")
EVERY = 0.5
"""Seconds between two looks at the memory; a look costs the machine about 5 ms of CPU, for either side."""


@dataclass(frozen=True)
class Measured(Run):
    """A run: seconds of the machines' processes too, and the most memory at once in MiB, shared pages counted once."""

    targets: float
    memory: float


def measured(contender: Contender, *, targets: Iterable[int]) -> Measured:
    """Run the command once; `targets` are the first processes of the machines that it works on.

    Connections that it keeps open for a next run are closed at its end, and counted: each run begins without any.
    """
    before, began = cpu_of(targets), time.monotonic()
    with tempfile.TemporaryFile("w+") as output, _adopting(), _watched() as peak:
        try:
            process = subprocess.Popen(
                contender.command,
                cwd=CHECKOUT,
                env={**os.environ, **contender.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall = time.monotonic() - began
        finally:
            left = _end_what_is_left()
        output.seek(0)
        ended(contender, process.returncode, output.read())
    spent = usage.ru_utime + usage.ru_stime + left
    return Measured(wall, spent, cpu_of(targets) - before, max(peak, default=0.0))


def cpu_of(roots: Iterable[int]) -> float:
    """CPU seconds of processes and their descendants, those that ended and were waited for included."""
    total = 0
    for pid in _descendants(set(roots)):
        with suppress(OSError):
            total += sum(map(int, _stat(pid)[11:15]))
    return total / TICKS


def machine_cpu() -> float:
    """CPU seconds that everything on this machine has used since it started."""
    user, nice, system, _idle, _iowait, irq, softirq = Path("/proc/stat").read_text().split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) / TICKS


def _stat(pid: int) -> list[str]:
    """The fields of proc_pid_stat(5) from the third on: state, parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _descendants(roots: set[int]) -> set[int]:
    """These processes and all below them."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int(_stat(int(folder.name))[1])
    found, more = set(roots), set(roots)
    while more:
        more = {pid for pid, parent in parents.items() if parent in more} - found
        found |= more
    return found


def _memory_below_us() -> float:
    """MiB of all processes below this one; a page that several share is counted once (PSS, proc_pid_smaps(5))."""
    kib = 0
    for pid in _descendants({os.getpid()}) - {os.getpid()}:
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


@contextmanager
def _watched() -> Iterator[list[float]]:
    """Look at the memory now and then, and keep what was seen."""
    seen: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            seen.append(_memory_below_us())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@contextmanager
def _adopting() -> Iterator[None]:
    """Let orphans below this process become its children for the time."""
    _subreaper(1)
    try:
        yield
    finally:
        _subreaper(0)


def _subreaper(wanted: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, wanted, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _end_what_is_left() -> float:
    """End the children that a command left to us; return the CPU seconds they used."""
    spent = 0.0
    for pid in _descendants({os.getpid()}) - {os.getpid()}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    with suppress(ChildProcessError):
        while True:
            _, _, usage = os.wait4(-1, 0)
            spent += usage.ru_utime + usage.ru_stime
    return spent
