"""The fork server's other end: writers that start in a millisecond, alone or under strace, and what they said."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.campaigns._writer import Job

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("_writer.py")

WRITES = ("pwrite64", "write", "ftruncate")
SYNCS = ("fsync", "fdatasync")
NAMES = ("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat")
CALLS = (*WRITES, *SYNCS, *NAMES)
"""The system calls that change what is on the disk, or say that it is there."""
SHORT = ("-y", "-s", "16")
WHOLE = ("-f", "-xx", "-s", "1000000")
"""What strace writes: each file by name and a few bytes of data, or every byte there is."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """A writer that is dead: its process, what it said, its exit code (negative: the signal), what strace wrote."""

    pid: int
    lines: tuple[str, ...]
    code: int
    trace: tuple[str, ...] = ()

    @property
    def calls(self) -> dict[str, int]:
        """How often each of CALLS was called."""
        found: dict[str, int] = {}
        for line in self.trace:
            if match := re.match(r"[a-z0-9_]+(?=\()", line):
                found[match[0]] = found.get(match[0], 0) + 1
        return found


class Server:
    """Starts writers. A context manager."""

    def __init__(self, folder: Path) -> None:
        """Write traces into `folder`."""
        self._trace = folder / "trace"
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def close(self) -> None:
        """End the server."""
        with self._process as process:
            assert process.stdin
            process.stdin.close()

    def run(self, job: Job) -> Life:
        """Let a writer live its whole life."""
        return self._ended(self._begin(job))

    def kill(self, job: Job, *, after: int) -> Life:
        """Kill a writer after so many microseconds, wherever it is then; it may have ended."""
        pid = self._begin(job)
        time.sleep(after / 1e6)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return self._ended(pid)

    def traced(self, job: Job, *inject: str, calls: Sequence[str] = CALLS, form: Sequence[str] = SHORT) -> Life:
        """Let strace hold a writer from its first call on, with faults such as `fsync:error=EIO:when=2` injected."""
        pid = self._begin(replace(job, hold=True))
        faults = [f"--inject={fault}" for fault in inject]
        wanted = "trace=" + ",".join(f"?{call}" for call in calls)
        command = ["strace", *form, "-o", str(self._trace), "-e", wanted, *faults, "-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr
            said = strace.stderr.readline()
            assert "attached" in said, said
            os.kill(pid, signal.SIGCONT)
            life = self._ended(pid)
        return replace(life, trace=tuple(self._trace.read_text().splitlines()))

    def _begin(self, job: Job) -> int:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(job.render() + "\n")
        self._process.stdin.flush()
        self._said: list[str] = []
        while not (line := self._process.stdout.readline()).startswith("pid "):
            self._said.append(line)
        return int(line.split()[1])

    def _ended(self, pid: int) -> Life:
        assert self._process.stdout
        while not (line := self._process.stdout.readline()).startswith("ended "):
            assert line, "the fork server died"
            self._said.append(line)
        return Life(pid=pid, lines=tuple(self._said), code=int(line.split()[1]))


def needs_strace() -> None:
    """Skip loudly where there is no strace."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here: nothing was injected (apt-get install strace)")


@contextmanager
def server() -> Iterator[tuple[Server, Path]]:
    """A server, and a folder in memory for the state folders that are going to be broken."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        one = Server(Path(folder))
        try:
            yield one, Path(folder)
        finally:
            one.close()
