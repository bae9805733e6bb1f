"""A page on a narrow terminal, without colours, and where there is no terminal."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

from provisioner.cli.present import page
from provisioner.reporting.page import Section

if TYPE_CHECKING:
    import pytest

LONG = "the allowance of missions.workstation_setup.allowance is used up by [ws-01] and thirteen more"
WIDE = Section(title="Wide", columns=("one", "two", "three", "four"), rows=((LONG, LONG, "-", LONG),))
PROGRAM = "from tests.unit.cli.test_present_page import WIDE; from provisioner.cli.present import page; page([WIDE])"


def test_nothing_is_lost_at_80_columns_and_no_colour_is_shown() -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color"}
    environment.pop("COLUMNS", None)
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=theirs, env=environment, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert all(len(line) <= 80 for line in plain.splitlines())
    letters = sorted(re.sub(r"\s", "", plain))
    assert letters == sorted(re.sub(r"\s", "", "Wide one two three four -" + 3 * LONG))


def test_without_a_terminal_it_is_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    page([Section(title="A", lines=("b", "c")), Section(title="D", lines=("e",), columns=("f",), rows=(("[g]",),))])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["A", "b", "c", "", "D", "e", " f", " [g]"]
