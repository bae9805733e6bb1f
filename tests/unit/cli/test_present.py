"""What a person at a terminal sees and is asked, typed at a real pseudo-terminal."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from contextlib import suppress

import pytest

PROGRAM = """
import sys
from provisioner.cli.present import Told
from provisioner.cli.streams import steady_output
from provisioner.cli.wiring import acceptance
with steady_output(), Told(to_stdout="--json" not in sys.argv) as progress:
    progress.begin("iv-1", clause="missions.x", assets=("ws-01",), simulated=False)
    accepted = acceptance(flag=False, ask=progress.ask)("SHA256:abc")
    progress.note(f"accepted {accepted}")
sys.exit(0 if accepted else 4)
"""
QUESTION = b"[yes/no] "


@pytest.fixture
def terminal():
    """A terminal: our end of it, and that of the program."""
    ours, theirs = os.openpty()
    yield ours, theirs
    for descriptor in (ours, theirs):
        with suppress(OSError):
            os.close(descriptor)


def read_until(descriptor: int, mark: bytes) -> bytes:
    seen, until = b"", time.monotonic() + 20
    while mark not in seen:
        left = until - time.monotonic()
        assert left > 0 and select.select([descriptor], [], [], left)[0], seen[-500:]
        seen += os.read(descriptor, 1000)
    return seen


def answer(terminal, typed: bytes, *flags: str, stdout=None) -> tuple[int, bytes]:
    """Type an answer when the question is there; return the exit code and all that the terminal showed."""
    ours, theirs = terminal
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *flags],
        stdin=theirs,
        stdout=stdout or theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "PYTHONUTF8": "1"},
        start_new_session=True,
    ) as program:
        try:
            seen = read_until(ours, QUESTION)
            os.write(ours, typed)
            seen += read_until(ours, b"accepted ")
            return program.wait(timeout=20), seen
        finally:
            program.kill()


@pytest.mark.parametrize(
    ("typed", "code"), [(b"yes\n", 0), (b"no\n", 4), (b"y\n", 4), (b"\n", 4), (b"\x04", 4), (b"\xff\n", 4)]
)
def test_only_yes_accepts_a_key_and_an_end_of_the_input_does_not(terminal, typed, code):
    assert answer(terminal, typed)[0] == code


def test_nothing_is_drawn_over_the_question(terminal):
    seen = answer(terminal, b"yes\n")[1]
    before, _, after = seen.partition(QUESTION)
    assert b"SHA256:abc" in before and after.startswith(b"yes\r\n")
    assert before.rindex(b"\x1b[?25h") > before.rindex(b"\x1b[?25l"), "the live line hides the cursor while it is drawn"


def test_the_question_never_stands_in_the_document(terminal, tmp_path):
    with (tmp_path / "stdout").open("wb") as stdout:
        assert answer(terminal, b"yes\n", "--json", stdout=stdout)[0] == 0
    assert (tmp_path / "stdout").read_bytes() == b""


def test_nobody_at_a_terminal_accepts_nothing():
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=b"yes\n", capture_output=True, check=False)
    assert done.returncode == 4 and QUESTION not in done.stdout + done.stderr
