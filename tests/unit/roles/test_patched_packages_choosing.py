"""Which updates are taken on a machine and which stay, by the pure part of the role patched_packages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "roles/patched_packages/module_utils"))

import patched_packages_choosing as choosing  # type: ignore[import-not-found]

LEVEL: dict[str, Any] = {
    "devices": ["10de:2204", "8086:1237"],
    "modules": ["ext4", "nvidia"],
    "on_battery": False,
    "session": "",
    "free_mib": {"/": 900, "/var": 5000},
}
PIN: dict[str, Any] = {
    "package": "linux-image-*", "reason": "driver", "owner": "n2@example.org", "until": "2026-12-31",
    "hardware": [], "modules": [], "below": "",
}  # fmt: skip


def older(version: str, than: str) -> bool:
    return [int(part) for part in version.split(".")] < [int(part) for part in than.split(".")]


def pending(name: str, version: str = "2.0", **more: object) -> dict[str, Any]:
    return {"name": name, "architecture": "all", "before": "1.0", "version": version, "sha256": "a" * 64,
            "security": True, "kept": "", **more}  # fmt: skip


def choose(
    *rows: dict[str, Any], lock: list[dict[str, Any]] | None = None, have: dict[str, str] | None = None, **terms: Any
) -> tuple[list[str], dict[str, str]]:
    """What is chosen as NAME VERSION, and what stays, {name: why}."""
    installed = {(name, "all"): version for name, version in (have or {}).items()}
    given = {"pinned": [], "excepted": [], **terms}
    level = {**LEVEL, "pending": list(rows)}
    chosen, _, kept = choosing.choose(level, lock, installed, terms=given, older=older)
    return [f"{row['name']} {row['version']}" for row in chosen], {row["name"]: row["why"] for row in kept}


def test_a_hold_says_why_until_when_and_for_whom() -> None:
    row = pending("linux-image-6")
    assert choose(row, pending("vim"), pinned=[PIN]) == (
        ["vim 2.0"],
        {"linux-image-6": "pinned until 2026-12-31: driver"},
    )
    assert choosing.stays(row, {"pinned": [PIN], "excepted": []}, older)[1] == "n2@example.org"
    assert choose(row) == (["linux-image-6 2.0"], {}), "without the hold it is taken"


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({}, True),
        ({"hardware": ["10de:*"]}, True),
        ({"hardware": ["10de:2204"]}, True),
        ({"hardware": ["10de:9999"]}, False),
        ({"hardware": ["1002:*"]}, False),
        ({"modules": ["nvidia"]}, True),
        ({"modules": ["nvid"]}, False),
        ({"hardware": ["1002:*"], "modules": ["nvidia"]}, True),
        ({"hardware": ["1002:*"], "modules": ["amdgpu"]}, False),
    ],
)
def test_a_hold_for_hardware_or_drivers_is_for_the_machines_that_have_them(
    conditions: dict[str, list[str]], holds: bool
) -> None:
    chosen, kept = choose(pending("linux-image-6"), pinned=[{**PIN, **conditions}])
    assert (chosen == [], "linux-image-6" in kept) == (holds, holds)


@pytest.mark.parametrize(
    ("version", "taken"), [("2026.9", True), ("2027.0", False), ("2027.1", False), ("10000.0", False)]
)
def test_a_licence_takes_what_is_below_its_bound(version: str, taken: bool) -> None:
    licence = {**PIN, "package": "suite", "reason": "licence", "below": "2027.0"}
    chosen, kept = choose(pending("suite", version), pinned=[licence])
    assert (chosen == [f"suite {version}"]) == taken
    assert kept.get("suite") == (None if taken else "pinned below 2027.0 until 2026-12-31: licence")


def test_what_never_installed_is_left_alone_in_that_version_only() -> None:
    left = [{"name": "vim", "version": "2.0", "until": "2026-12-30"}]
    why = "offered for ever: tried and never installed; tried again after 2026-12-30"
    assert choose(pending("vim"), excepted=left) == ([], {"vim": why})
    assert choose(pending("vim", "2.1"), excepted=left) == (["vim 2.1"], {})
    assert choose(lock=[pending("vim")], have={"vim": "1.0"}, excepted=left) == ([], {"vim": why})


def test_a_newer_security_update_than_the_lock_has_is_said_and_the_locked_one_installed() -> None:
    lock = [pending("vim", "2.0"), pending("git", "2.0")]
    rows = pending("vim", "2.1"), pending("git", "2.1", security=False)
    chosen, kept = choose(*rows, lock=lock, have={"vim": "1.0", "git": "1.0"})
    assert chosen == ["vim 2.0", "git 2.0"]
    assert kept == {"vim": "superseded: security version 2.1, which no canary has"}
    assert choose(pending("vim", "2.0"), lock=lock, have={"vim": "1.0"})[1] == {}, "the lock's own version says nothing"
    assert choose(rows[0], lock=lock, have={"vim": "2.0"}) == ([], kept), "already there: it is superseded all the same"


def test_what_the_contract_or_the_machine_holds_is_not_superseded() -> None:
    lock, pin = [pending("vim", "2.0")], {**PIN, "package": "vim"}
    why = "pinned until 2026-12-31: driver"
    assert choose(pending("vim", "2.1"), lock=lock, have={"vim": "1.0"}, pinned=[pin]) == ([], {"vim": why})
    assert choose(pending("vim", "2.1", kept="held"), lock=lock, have={"vim": "1.0"}) == ([], {"vim": "held"})


def test_what_the_lock_lacks_stays() -> None:
    assert choose(pending("vim"), lock=[]) == ([], {"vim": "not in the lock"})


def test_what_stays_must_keep_its_version() -> None:
    chosen, kept = [pending("vim")], [pending("git"), pending("new", before=""), pending("vim", "2.1")]
    assert choosing.staying(chosen, kept) == {"git": "1.0", "new": ""}


@pytest.mark.parametrize(
    ("level", "terms", "why"),
    [
        ({}, {}, ""),
        ({"on_battery": True}, {}, "the machine runs on battery"),
        ({"session": "graphical"}, {}, "a person is at the machine"),
        ({"session": "graphical"}, {"sessions": "ignore"}, ""),
        ({"session": "unknown"}, {}, ""),
        ({}, {"free": {"/": 900}}, ""),
        ({}, {"free": {"/": 901}}, "too little space on /: 900 MiB free, 901 MiB asked"),
        ({}, {"free": {"/boot": 1000}}, "too little space on /boot: 900 MiB free, 1000 MiB asked"),
        ({"free_mib": {"/": 1, "/boot": 2000, "/var": 1}}, {"free": {"/boot": 1000}}, ""),
        (
            {"on_battery": True, "session": "graphical"},
            {"free": {"/var": 5001}},
            "the machine runs on battery; a person is at the machine; "
            "too little space on /var: 5000 MiB free, 5001 MiB asked",
        ),
    ],
)
def test_why_a_turn_is_put_off(level: dict[str, Any], terms: dict[str, Any], why: str) -> None:
    given = {"sessions": "defer", "free": {}, **terms}
    assert choosing.put_off({**LEVEL, **level}, **given) == why
