"""What a machine tells of itself before updates: sessions, needrestart, hardware, by data."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "roles/patch_level/module_utils"))

import patch_level_machine as machine  # type: ignore[import-not-found]

AT_WORK = {"Class": "user", "Type": "wayland", "State": "active", "IdleHint": "no", "LockedHint": "no"}


def at_the_machine(**more: str) -> str:
    """Who is seen at a machine with a console session, and one graphical session that has other properties."""
    shown = {"1": {**AT_WORK, "Type": "tty"}, "c2": {**AT_WORK, **more}}
    text = {name: "".join(f"{key}={value}\n" for key, value in pairs.items()) for name, pairs in shown.items()}
    found: str = machine.sessions("1 0 root - tty1\nc2 1000 anne seat0 tty2\n\n", text.__getitem__)
    return found


@pytest.mark.parametrize(
    ("more", "who"),
    [
        ({}, "graphical"),
        ({"Type": "x11"}, "graphical"),
        ({"Type": "mir"}, "graphical"),
        ({"Type": "tty"}, ""),
        ({"Class": "greeter"}, ""),
        ({"State": "online"}, ""),
        ({"State": "closing"}, ""),
        ({"IdleHint": "yes"}, ""),
        ({"LockedHint": "yes"}, ""),
    ],
)
def test_a_person_is_there_who_works_at_a_screen(more: dict[str, str], who: str) -> None:
    assert at_the_machine(**more) == who


def test_nobody_is_named() -> None:
    assert "anne" not in at_the_machine()


TOLD = "NEEDRESTART-VER: 3.6\nNEEDRESTART-KCUR: 6.1.0-9\nNEEDRESTART-KEXP: 6.1.0-10\nNEEDRESTART-KSTA: {}\n{}"


@pytest.mark.parametrize(("state", "due"), [("0", False), ("1", False), ("2", True), ("3", True)])
def test_a_newer_kernel_is_a_reason_for_a_restart(state: str, due: bool) -> None:
    reasons, services = machine.needrestart(TOLD.format(state, ""))
    assert (reasons, services) == (["kernel 6.1.0-10 is installed, 6.1.0-9 runs"] if due else [], [])


def test_services_on_old_files_are_named() -> None:
    lines = "NEEDRESTART-SVC: ssh.service\nNEEDRESTART-SVC: cron.service\nNEEDRESTART-SESS: anne @ tty1\n"
    assert machine.needrestart(TOLD.format("1", lines)) == ([], ["cron.service", "ssh.service"])


def test_a_machine_without_needrestart_says_that_nothing_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine.CLEAN, "PATH", "/nowhere")
    assert machine.stale() == ([], [], "needrestart is not installed: nothing was looked at")
    assert machine.session() == ("unknown", "there is no logind on this machine: nothing was looked at")


def test_a_program_that_fails_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("needrestart", "loginctl"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setitem(machine.CLEAN, "PATH", f"{tmp_path}:/usr/bin:/bin")
    assert machine.stale()[2] == "needrestart gave no answer (exit 1): nothing was looked at"
    assert machine.session() == ("unknown", "logind does not answer: nothing was looked at")


def test_hardware_and_drivers(tmp_path: Path) -> None:
    for place, vendor, device in (("a", "0x10de", "0x2204"), ("b", "0x8086", "0x1237"), ("c", "0x8086", "0x1237")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "vendor").write_text(f"{vendor}\n")
        (tmp_path / place / "device").write_text(f"{device}\n")
    assert machine.devices(tmp_path) == ["10de:2204", "8086:1237"]
    (tmp_path / "modules").write_text("nvidia 123 0 - Live 0x0\next4 1 2 - Live 0x0\n")
    assert machine.modules(tmp_path / "modules") == ["ext4", "nvidia"]
    assert machine.modules(tmp_path / "nowhere") == []


def test_the_release_is_its_codename(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text('NAME="Debian"\nVERSION_CODENAME=bookworm\n')
    assert machine.release(tmp_path / "os-release") == "bookworm"


def test_battery(tmp_path: Path) -> None:
    assert not machine.on_battery(tmp_path), "a machine without mains is a server or a container"
    (tmp_path / "AC").mkdir()
    (tmp_path / "AC/type").write_text("Mains\n")
    (tmp_path / "AC/online").write_text("0\n")
    assert machine.on_battery(tmp_path)
    (tmp_path / "AC/online").write_text("1\n")
    assert not machine.on_battery(tmp_path)
