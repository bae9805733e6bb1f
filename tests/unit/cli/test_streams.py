"""Whatever becomes of the output, the work goes on and its exit code is what the task says."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
from invoke.collection import Collection
from invoke.program import Program
from provisioner.cli.command import command, print_json, say
from provisioner.cli.present import Told, table
from provisioner.model.event import Event, EventKind

@command(help={"json": "one document"})
def act(_context, json=False):
    '''Do it.'''
    with Told(to_stdout=not json) as progress:
        progress.begin("iv-1", clause="missions.x", assets=("ws-01",), simulated=False)
        for number in range(300):
            progress.event(Event(kind=EventKind.TASK, task=f"Zoë {number}"))
            progress.event(Event(kind=EventKind.CHANGED, host="ws-01", task="Zoë … \\udcff"))
        say("…")
        if json:
            print_json({"name": "Zoë …", "odd": "\\udcff"})
        else:
            table("é", ("…",), [("✓",)])
    Path(sys.argv[-1]).write_text("the end was reached")
    return 5

words = ["invoke", "act", *sys.argv[1:-1]]
Program(namespace=Collection(act), name="invoke", version="0").run(words, exit=True)
"""


@pytest.fixture
def act(tmp_path):
    """Type the task under a shell redirection; return how it ended. It must have come to its own end."""

    def run(redirection: str = "", *, flags: tuple[str, ...] = (), stdout=subprocess.PIPE, **environment: str):
        (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
        end = tmp_path / "end"
        end.unlink(missing_ok=True)
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, tmp_path / "program.py", *flags, end],
            env={**os.environ, **environment},
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert end.exists(), done.stderr.decode(errors="replace")
        assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
        return done

    return run


@pytest.mark.parametrize(
    ("redirection", "flags"),
    [
        (">/dev/full", ()),
        (">/dev/full 2>&1", ()),
        ("2>/dev/full", ("--json",)),
        (">&-", ("--json",)),
        ("2>&-", ("--json",)),
        ("<&- >&- 2>&-", ()),
    ],
)
def test_output_that_goes_nowhere_changes_neither_the_work_nor_the_code(act, redirection, flags):
    assert act(redirection, flags=flags).returncode == 5


def test_nor_does_a_reader_that_left(act):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = act(stdout=gone)
    assert done.returncode == 5 and done.stderr == "…\n".encode()


def test_a_full_disk_is_told_on_the_other_stream(act):
    assert act(">/dev/full").stderr.decode().count("output cannot be written: No space left on device") == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_encoding_that_lacks_a_character_stops_nothing(act, encoding):
    done = act(PYTHONIOENCODING=encoding)
    assert done.returncode == 5
    assert b"\\udcff" in done.stdout
    assert "Zoë".encode(encoding, errors="backslashreplace") in done.stdout


def test_a_poor_locale_is_enough(act):
    assert act(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0").returncode == 5


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_a_document_is_json_in_any_encoding(act, encoding):
    done = act(flags=("--json",), PYTHONIOENCODING=encoding)
    assert json.loads(done.stdout.decode("utf-8").replace("\\udcff", "?")) == {"name": "Zoë …", "odd": "?"}


def test_a_terminal_that_was_hung_up_stops_nothing(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    ours, theirs = os.openpty()
    command = [sys.executable, tmp_path / "program.py", tmp_path / "end"]
    with subprocess.Popen(
        command, stdout=theirs, stderr=theirs, stdin=theirs, env=os.environ | {"TERM": "xterm"}
    ) as it:
        os.close(theirs)
        assert os.read(ours, 1)
        os.close(ours)
        assert it.wait(timeout=30) == 5
    assert (tmp_path / "end").exists()


def test_a_closed_stream_is_never_a_file_that_is_opened_later(tmp_path):
    """Else what a child prints would land in the database, which would have taken the number of the closed stream."""
    code = (
        "import os, sys; from provisioner.cli.streams import steady_output\n"
        "with steady_output(): taken = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "sys.exit(0 if taken > 2 else 9)"
    )
    command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", sys.executable, "-c", code, tmp_path / "database"]
    assert subprocess.run(command, check=False).returncode == 0
