"""`invoke onboard` against a real machine: the first run, the second, a failure, an interruption, a full disk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.acceptance._signing import key, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Desk
    from tests.conftest import LabMachine

    Machines = Callable[..., LabMachine]

KEYS = [
    "intervention",
    "client",
    "contract",
    "clause",
    "plan_digest",
    "mission",
    "operator",
    "ticket",
    "simulated",
    "outcome",
    "reasons",
    "warnings",
    "request",
    "opened",
    "closed",
    "entries",
    "assets",
]


def named(desk: Desk) -> str:
    """A machine of the desk's own: the tests of a module may be spread, and each desk begins with a fresh one."""
    return f"onboard-{desk.folder.name}"


@pytest.fixture(scope="module")
def desk(new_desk: Callable[[], Desk], lab_machine: Machines) -> Desk:
    """A desk with a fresh machine, `ws-01`, that a contract covers."""
    desk = new_desk()
    machine = lab_machine(named(desk), state=desk.state)
    anne = {"name": "annelore", "keys": [machine.access.key.with_name("id_ed25519.pub").read_text().strip()]}
    desk.add("workstations", "ws-01", machine.port, os_baseline_administrators=[anne])
    desk.write()
    return desk


@pytest.fixture(scope="module")
def first(desk: Desk) -> tuple[int, dict[str, Any]]:
    """What the first onboarding of the machine said."""
    return desk.ask("onboard", "--host", "ws-01", "--client", "demo", "--ticket", "T-7")


def test_the_first_run_changes_and_says_all_that_it_promised(first: tuple[int, dict[str, Any]]) -> None:
    code, told = first
    assert (code, told["outcome"], told["reasons"]) == (0, "changed", []), told
    assert list(told) == KEYS
    assert (told["clause"], told["contract"], told["ticket"]) == ("missions.workstation_setup", "ACCEPT-2026", "T-7")
    (asset,) = told["assets"]
    assert asset["changed"] > 0
    found = {check["name"]: check for check in asset["checks"]}
    assert found["hostname"] == {"name": "hostname", "asked": "ws-01", "found": "ws-01", "result": "pass"}
    assert {check["result"] for check in asset["checks"]} <= {"pass", "not_applicable"}
    assert all(check["found"] for check in asset["checks"] if check["result"] == "not_applicable")


def test_the_record_is_what_was_said(desk: Desk, first: tuple[int, dict[str, Any]]) -> None:
    told = first[1]
    code, shown = desk.ask("audit.show", "--client", "demo", "--entry", told["intervention"])
    opened, closed = shown["entries"]
    assert code == 0
    assert [opened["index"], closed["index"]] == told["entries"]
    assert opened["body"]["plan_digest"] == told["plan_digest"]
    content = opened["body"]["content"]
    assert set(content) == {"ansible", "collections", "commit", "playbook", "playbook_digest", "roles"}
    assert re.fullmatch(r"[0-9.]+ [0-9a-f]{64}", content["collections"]["community.general"])
    assert closed["body"]["outcome"] == "changed"
    checks = closed["body"]["assets"][0]["checks"]
    assert len(checks) == len(told["assets"][0]["checks"])
    assert shown["entries"][0]["known"] == {opened["operator"]: "Alice Acceptance"}
    code, report = desk.ask("audit.verify", "--client", "demo")
    assert (code, report["status"]) == (0, "OK")


def test_a_persons_name_is_shown_and_is_in_no_entry(desk: Desk, first: tuple[int, dict[str, Any]]) -> None:
    shown = [check["name"] for check in first[1]["assets"][0]["checks"]]
    assert "account annelore" in shown
    _, log = desk.ask("audit.show", "--client", "demo", "--entry", first[1]["intervention"])
    for entry in log["entries"]:
        assert "annelore" not in json.dumps(entry["body"])
        assert "Alice" not in json.dumps(entry["body"])
    assert "account annelore" in log["entries"][1]["known"].values()


def test_the_second_run_is_unchanged(desk: Desk, first: tuple[int, dict[str, Any]]) -> None:
    code, told = desk.ask("onboard", "--host", "ws-01")
    assert (code, told["outcome"]) == (0, "unchanged"), told["assets"]
    assert told["assets"][0]["changed"] == 0
    assert told["plan_digest"] == first[1]["plan_digest"]


def test_nothing_of_a_run_is_left_behind(desk: Desk, first: tuple[int, dict[str, Any]]) -> None:
    assert first[0] == 0
    assert list((desk.state / "runs" / "demo").iterdir()) == []


def test_what_the_client_signed_is_done_once(
    new_desk: Callable[[], Desk], desk: Desk, lab_machine: Machines, first: tuple[int, dict[str, Any]]
) -> None:
    """A kiosk that nobody covers, on the machine that was prepared before and has lost its time zone since."""
    assert first[0] == 0
    name, desk = named(desk), new_desk()
    machine = lab_machine(name, state=desk.state)
    public = key(desk.folder, "director").with_name("director.pub").read_text().strip()
    desk.contract["approvals"] = {"keys": [{"name": "director", "ssh": public}]}
    desk.add("kiosks", "kiosk-02", machine.port, host_identity_hostname="ws-01")
    desk.write()
    refused = desk.invoke("onboard", "--host", "kiosk-02")
    assert refused.returncode == 3
    (file,) = map(str, (desk.state / "requests").iterdir())
    sign(refused.stdout, private=desk.folder / "director", file=file)
    machine.shell("ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime; echo Asia/Tokyo > /etc/timezone")
    code, told = desk.ask("onboard", "--host", "kiosk-02", "--approval", file)
    assert (code, told["outcome"], told["clause"]) == (0, "changed", "approvals"), told
    assert told["warnings"][0].startswith("approved by director")
    code, again = desk.ask("onboard", "--host", "kiosk-02", "--approval", file)
    assert (code, [reason["code"] for reason in again["reasons"]]) == (3, ["uncovered", "approval_used"])
    assert desk.kinds() == ["key", "contract", "refused", "opened", "closed", "refused"]
    assert desk.invoke("audit.verify", "--client", "demo").returncode == 0


def test_a_package_that_does_not_exist_fails_with_its_name(desk: Desk, first: tuple[int, dict[str, Any]]) -> None:
    assert first[0] == 0
    desk.hosts["workstations"]["ws-01"]["software_set_packages"] = ["no-such-package-4711"]
    desk.write()
    done = desk.invoke("onboard", "--host", "ws-01")
    del desk.hosts["workstations"]["ws-01"]["software_set_packages"]
    desk.write()
    assert done.returncode == 5
    assert "no-such-package-4711" in done.stdout
    assert "failed task: software_set : " in done.stdout
    assert desk.last()["outcome"] == "failed"
    assert "no-such-package-4711" not in str(desk.last())  # what a machine said never enters an entry


def test_ctrl_c_is_recorded_and_ends_130(desk: Desk, first: tuple[int, dict[str, Any]]) -> None:
    assert first[0] == 0
    with typed(desk, "onboard", "--host", "ws-01") as running:
        lines = wait_for(running, "host_identity")
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read() if running.stdout else ""
        assert running.wait(timeout=60) == 130
    assert "outcome interrupted" in rest
    assert lines[0].startswith("intervention iv-")
    assert desk.last()["outcome"] == "interrupted"
    assert desk.invoke("audit.verify", "--client", "demo").returncode == 0


def test_two_technicians_cannot_work_on_one_machine(desk: Desk, first: tuple[int, dict[str, Any]]) -> None:
    assert first[0] == 0
    with typed(desk, "onboard", "--host", "ws-01", "--check") as running:
        wait_for(running, "host_identity")
        before = len(desk.kinds())
        done = desk.invoke("onboard", "--host", "ws-01")
        assert done.returncode == 2
        assert "another intervention is working on ws-01" in done.stderr
        assert len(desk.kinds()) == before
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) == 130


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_stops_the_work_before_it_starts(new_desk: Callable[[], Desk], desk: Desk) -> None:
    full = new_desk()
    full.hosts["workstations"] = desk.hosts["workstations"]
    full.write()
    with small_disk(full.state):
        assert full.invoke("onboard", "--host", "kiosk-01").returncode == 3
        fill(full.state)
        done = full.invoke("onboard", "--host", "ws-01")
        assert done.returncode == 7
        assert "no work was done" in done.stderr
        (full.state / "filler").unlink()
        assert full.kinds() == ["key", "contract", "refused"]
        assert full.invoke("audit.verify", "--client", "demo").returncode == 0


@contextmanager
def typed(desk: Desk, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Type a command and stay beside it; its output is one stream."""
    command, environment = desk.command(*words)
    running = subprocess.Popen(
        command,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        if running.stdout:
            running.stdout.close()


def wait_for(running: subprocess.Popen[str], text: str) -> list[str]:
    """Read the output up to the first line with `text` and return those lines; fail when it ends before."""
    lines: list[str] = []
    for line in running.stdout or ():
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"ended {running.wait()} without {text!r}: {''.join(lines)}")


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "provisioner-test", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as filler:
        for size in (65536, 4096, 1):
            try:
                while filler.write(b"x" * size):
                    pass
            except OSError:
                continue
