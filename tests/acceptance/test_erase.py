"""`audit.erase` as people type it; no machine is needed: a refusal leaves a name in the log."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.conftest import Desk

ALICE = "Alice Acceptance"
PERSON = ("--client", "demo", "--person", "alice acceptance")


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    return make(new_desk)


@pytest.fixture(scope="module")
def untouched(new_desk: Callable[[], Desk]) -> Desk:
    """A desk whose log no test of these may change."""
    return make(new_desk)


def make(new_desk: Callable[[], Desk]) -> Desk:
    desk = new_desk()
    desk.contract["client"]["contacts"] = {"owner": f"{ALICE}, +33 1 23 45"}
    desk.write()
    assert desk.invoke("onboard", "--host", "kiosk-01").returncode == 3
    return desk


def named(desk: Desk) -> bool:
    return any(ALICE.encode() in path.read_bytes() for path in desk.state.rglob("*") if path.is_file())


def test_look_refuse_erase_and_verify(desk: Desk) -> None:
    code, found = desk.ask("audit.erase", *PERSON, "--check")
    assert (code, found["entry"], found["wiped"]) == (0, None, False)
    assert found["fields"] == {"contract": 1, "operator": 1}
    assert [row["value"] for row in found["found"] if row["field"] == "operator"] == [ALICE]

    refused = desk.invoke("audit.erase", *PERSON)
    assert refused.returncode == 2
    assert ALICE in refused.stderr and "type it again with --yes" in refused.stderr
    assert named(desk) and desk.kinds() == ["key", "contract", "refused"]

    code, done = desk.ask("audit.erase", *PERSON, "--yes")
    assert (code, done["entry"], done["wiped"], done["found"]) == (0, 3, True, [])
    assert done["references"] == [row["reference"] for row in found["found"] if row["field"] == "operator"]
    assert len(done["out_of_reach"]) == 4
    assert not named(desk)
    assert desk.ask("audit.verify", "--client", "demo")[1]["status"] == "OK"
    assert desk.kinds() == ["key", "contract", "refused", "erase"]

    assert desk.invoke("audit.erase", *PERSON, "--yes").returncode == 2, "nothing found is no success"
    assert desk.kinds() == ["key", "contract", "refused", "erase"]


def test_what_is_beyond_the_term(desk: Desk) -> None:
    expired = ("audit.erase", "--client", "demo", "--expired", "--yes")
    assert "promises no term" in desk.invoke(*expired).stderr
    desk.contract["retention"] = {"details": "36mo"}
    desk.write()
    done = desk.invoke(*expired)
    assert (done.returncode, done.stdout) == (0, "no personal detail of demo is beyond the contract's term\n")
    assert desk.kinds() == ["key", "contract", "refused"]


@pytest.mark.parametrize(
    "words",
    [
        ("--client", "demo"),
        ("--client", "demo", "--expired", "--person", "x y"),
        ("--person", ALICE),
        ("--client", "demo", "--person", "J"),
        ("--client", "nobody", "--person", ALICE),
        ("--client", "demo", "--person", "Nobody", "--check"),
    ],
)
def test_what_cannot_be_meant(untouched: Desk, words: tuple[str, ...]) -> None:
    code, error = untouched.ask("audit.erase", *words, "--yes")
    assert (code, error["exit_code"]) == (2, 2)
    assert error["next"]
    assert named(untouched)


def test_a_person_at_the_terminal_is_asked(desk: Desk) -> None:
    assert [answered(desk, answer) for answer in ("no\n", "\x04")] == [2, 2]
    assert named(desk)
    assert answered(desk, "yes\n") == 0
    assert not named(desk)


def answered(desk: Desk, answer: str) -> int:
    """Type the command at a terminal, wait for its question, answer it; return the exit code."""
    command, environment = desk.command("audit.erase", *PERSON)
    ours, theirs = pty.openpty()
    at_terminal: dict[str, Any] = {"stdin": theirs, "stdout": subprocess.PIPE, "stderr": theirs, "env": environment}
    with subprocess.Popen(command, **at_terminal) as running:
        os.close(theirs)
        said = b""
        while b"[yes/no]" not in said:
            said += os.read(ours, 4096)
        assert ALICE.encode() in said
        os.write(ours, answer.encode())
        code = running.wait(60)
    os.close(ours)
    return code
