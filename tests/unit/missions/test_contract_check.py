"""`contract.check` refuses promises that cannot be kept at their line, and tells of those that may not be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from provisioner.config.clients import load_client
from provisioner.config.role_inputs import load_role_inputs
from provisioner.missions.contract_check import check_client

BASE = Path(__file__).parents[2] / "golden" / "config" / "base"
ROLES = load_role_inputs(BASE / "roles")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE / "acme", tmp_path / "acme"))


def written(folder: Path, old: str, new: str) -> Path:
    path = folder / "contract.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_a_deadline_that_no_update_meets_is_refused_at_its_line(folder: Path) -> None:
    """Canary, pilot and broad, each soaking 24 hours, need three weekly windows: two weeks."""
    written(folder, "critical: 21d", "critical: 10d")
    problems, warnings = check_client(folder, roles=ROLES, decrypt=None)
    lines = (folder / "contract.yml").read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "critical: 10d" in text)
    assert [(p.file, p.line, p.path) for p in problems] == [
        ("acme/contract.yml", line, "missions.software_updates.deadlines.critical")
    ]
    assert "10d cannot be kept" in problems[0].message
    assert warnings == ()
    load_client(folder, roles=ROLES, decrypt=None)  # other tasks go on with a contract that was signed like this


def test_the_worst_case_is_a_warning_at_its_line(folder: Path) -> None:
    problems, warnings = check_client(folder, roles=ROLES, decrypt=None)
    assert problems == ()
    assert any("critical: an update may be on every machine after 34d 20h" in text for text in warnings)


def test_the_terms_of_an_amendment_are_checked_too(folder: Path) -> None:
    change = 'set: {missions: {software_updates: {deadlines: {critical: 10d}}}, monthly_fee: "1300.00"}'
    written(folder, 'set: {monthly_fee: "1300.00"}', change)
    problems, _ = check_client(folder, roles=ROLES, decrypt=None)
    assert [problem.path for problem in problems] == ["missions.software_updates.deadlines.critical"]


def test_a_contract_that_does_not_hold_together_is_not_judged_further(folder: Path) -> None:
    written(folder, "critical: 21d", "critical: 10d")
    written(folder, "timezone: Europe/Paris\nmonthly", "timezone: Europe/Pariss\nmonthly")
    problems, _ = check_client(folder, roles=ROLES, decrypt=None)
    assert all("cannot be kept" not in problem.message for problem in problems)
    assert problems
