from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from provisioner.execution import readiness
from provisioner.execution.first_contact import BadNews
from provisioner.execution.workspace import Limits, Workspace, render_config
from provisioner.model.asset import Address, Asset

MARKER = "provisioner-0123456789abcdef"
ASSET = Asset(
    client="demo",
    name="ws-01",
    groups=frozenset(),
    address=Address(host="192.0.2.7", port=22, user="ops"),
    secrets={"become_password": "hunter2"},
)
READY = f"\n{MARKER} begin\n\n{MARKER} uid 0\n\n{MARKER} python 3 11\n\n{MARKER} end -\n"


def verdict(output: str) -> tuple[str, str]:
    try:
        readiness.check(output, MARKER, asset=ASSET)
    except BadNews as news:
        return news.reason, news.text
    return "", ""


def refused(said: str) -> str:
    return f"\n{MARKER} begin\n{said}\n{MARKER} end -\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs that stands for a machine where we are not root: `id` and `sudo` are ours."""
    program(tmp_path, "id", 'echo "${FAKE_UID:-1000}"')
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def run(folder: Path, *, given: str = "", path: str | None = None) -> str:
    command = readiness.command(MARKER, password=bool(given))
    environment = {"PATH": path or f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], input=given, capture_output=True, text=True, env=environment)
    return done.stdout + done.stderr


def test_the_command_finds_this_machine_ready(machine: Path) -> None:
    program(machine, "id", "echo 0")

    assert verdict(run(machine)) == ("", "")


def test_the_python_that_is_tried_is_the_one_that_the_run_uses(machine: Path, tmp_path: Path) -> None:
    program(machine, "id", "echo 0")
    program(machine, "python3", 'echo "2 7"')
    assert verdict(run(machine)) == ("", ""), "another one earlier in PATH counts for nothing"

    workspace = Workspace(tmp_path / "iv-1")
    workspace.seal()
    config = render_config(workspace, tmp_path / "known_hosts", Limits())
    workspace.remove()
    assert f"interpreter_python = {readiness.PYTHON}\n" in config
    assert f"$({readiness.PYTHON} -c" in readiness.command(MARKER, password=False)


def test_the_password_reaches_sudo_on_its_input_only(machine: Path) -> None:
    program(machine, "sudo", f'printf "%s " "$@" >{machine}/arguments; read line; echo "$line" >{machine}/input')

    run(machine, given="hunter2\n")

    assert (machine / "input").read_text() == "hunter2\n"
    assert (machine / "arguments").read_text().startswith("-S -p  -k -- sh -c")
    assert "hunter2" not in (machine / "arguments").read_text()


def test_without_a_password_sudo_must_not_ask(machine: Path) -> None:
    program(machine, "sudo", f'printf "%s " "$@" >{machine}/arguments')

    run(machine)

    assert (machine / "arguments").read_text().startswith("-n -k -- sh -c")


def test_sudo_that_does_what_it_is_told_is_root(machine: Path) -> None:
    program(machine, "sudo", 'read line; while [ "$1" != sh ]; do shift; done; FAKE_UID=0 exec "$@"')

    assert verdict(run(machine, given="hunter2\n")) == ("", "")


def test_a_machine_without_sudo_says_so(machine: Path) -> None:
    for name in ("sh", "printf"):
        (machine / name).symlink_to(Path("/usr/bin") / name)

    reason, text = verdict(run(machine, path=str(machine)))

    assert reason == "privilege_refused"
    assert "sudo is not installed and ops is not root" in text


def test_noise_around_the_answer_is_no_answer() -> None:
    noise = "Welcome!\nprovisioner-0 uid 1000\nlast login: no newline"

    assert verdict(noise + READY + noise) == ("", "")
    assert verdict(READY.replace("\n", "\r\n")) == ("", "")


@pytest.mark.parametrize(
    ("output", "reason", "words"),
    [
        ("", "login_refused", "its shell runs no commands"),
        ("This account is currently not available.\n", "login_refused", "its shell runs no commands"),
        (READY.replace(MARKER, "provisioner-other"), "login_refused", "its shell runs no commands"),
        (READY.split(f"{MARKER} end")[0], "protocol_error", "broke off"),
        (READY.replace(f"{MARKER} python 3 11", ""), "no_python", "has no working /usr/bin/python3"),
        (READY.replace("python 3 11", "python Traceback"), "no_python", "has no working /usr/bin/python3"),
        (READY.replace("python 3 11", "python 3 7"), "no_python", "has Python 3.7"),
        (READY.replace("python 3 11", "python 2 7"), "no_python", "has Python 2.7"),
        (READY.replace("uid 0", "uid 1000"), "privilege_refused", "did not make ops root"),
        (refused("Sorry, try again.\nsudo: no password was provided"), "privilege_refused", "refuses the password"),
        (refused("sudo: 1 incorrect password attempt"), "privilege_refused", "refuses the password"),
        (refused("ops is not in the sudoers file."), "privilege_refused", "does not let ops become root"),
        (
            refused("Sorry, user ops is not allowed to execute '/usr/bin/sh' as root on ws."),
            "privilege_refused",
            "does not let ops become root",
        ),
        (refused("sudo: sorry, you must have a tty to run sudo"), "privilege_refused", "wants a terminal"),
        (refused("sudo: a password is required"), "privilege_refused", "wants a password and none is given"),
        (
            refused("sudo: account validation failure, is your account locked?"),
            "privilege_refused",
            "the account of ops is locked",
        ),
        (refused("sudo: something new"), "privilege_refused", "(sudo: something new)"),
        (refused(""), "privilege_refused", "(it said nothing)"),
    ],
)
def test_what_is_missing_is_one_sentence_with_a_next_step(output: str, reason: str, words: str) -> None:
    found, text = verdict(output)

    assert found == reason
    assert words in text
    assert text.startswith("ws-01 (192.0.2.7:22)")
    assert "; " in text


def test_the_old_python_that_is_old_enough_is_accepted() -> None:
    assert verdict(READY.replace("python 3 11", "python 3 8")) == ("", "")


def test_a_machine_that_prints_the_password_back_does_not_reach_the_sentence() -> None:
    _, text = verdict(refused("sudo: \x1b[31mhunter2 is odd"))

    assert "hunter2" not in text
    assert "\x1b" not in text
    assert "*** is odd" in text
